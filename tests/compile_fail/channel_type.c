// expect-gcc: (?s)(of another type than the channel.*){6}
// expect-clang: (?s)(of another type than the channel.*){6}
/* Values of another type than the channel's: sent, received, reserved for. */
#include <edo/channels.h>

struct job {
    int id;
};
typedef edo_sender(struct job) job_sender;
typedef edo_receiver(struct job) job_receiver;
typedef edo_receiver(int) int_receiver;
typedef edo_permits(int) int_permits;

int use(job_sender *in, job_receiver *out, int_receiver *other, int_permits *permits);
int use(job_sender *in, job_receiver *out, int_receiver *other, int_permits *permits)
{
    int number = 1;
    struct job jobs[2];
    int rc = edo_try_send(in, &number);
    rc += edo_try_send(in, &jobs);
    rc += (int)edo_try_recv(out, &number);
    rc += edo_mpsc_create(in, other, 1);
    rc += edo_try_reserve(in, permits, 1);
    rc += edo_permits_send(permits, &jobs[0]);
    return rc;
}
