// expect: ok
/* Constant values, arrays, pointers; all macros. */
#include <edo/channels.h>
#include <edo/wait.h>

struct job {
    int id;
};
typedef edo_sender(struct job) job_sender;
typedef edo_receiver(struct job) job_receiver;
typedef edo_weak_sender(struct job) job_weak;
typedef edo_permits(struct job) job_permits;
typedef edo_sender(struct job *) pointer_sender;
typedef edo_sender(char[8]) array_sender;

int64_t use(job_sender *in, job_receiver *out, pointer_sender *pointers, array_sender *arrays);
int64_t use(job_sender *in, job_receiver *out, pointer_sender *pointers, array_sender *arrays)
{
    static const struct job constant = { 1 };
    static struct job jobs[3], *pointer = jobs;
    static char array[8];
    job_weak weak;
    job_permits permits;
    edo_sender_downgrade(in, &weak);
    int64_t rc = edo_try_send(in, &constant) + edo_try_send(pointers, &pointer);
    rc += edo_try_send(arrays, &array) + edo_try_recv(out, jobs);
    rc += edo_try_send_many(in, jobs, 3) + edo_try_recv_many(out, jobs, 3);
    rc += edo_try_reserve(in, &permits, 1) + edo_permits_send(&permits, &constant);
    rc += edo_sender_upgrade(&weak, in) + edo_same_channel(in, out);
    rc += edo_wait(edo_send(in, &constant)) + edo_wait(edo_recv(out, jobs));
    edo_permits_release(&permits);
    job_sender clone = edo_sender_clone(in);
    edo_sender_close(&clone);
    edo_receiver_close(out);
    return rc;
}
