// expect-gcc: (?s)(of another type than the channel.*){2}as memcpy
// expect-clang: (?s)(of another type than the channel.*){2}as memcpy
/* The same in C++; and a value that has a copy constructor. */
#include <edo/channels.h>

struct job {
    int id;
};
struct counted {
    counted(const counted &);
    ~counted();
};
typedef edo_sender(job) job_sender;
typedef edo_receiver(int) int_receiver;
typedef edo_sender(counted) counted_sender;

int use(job_sender *in, int_receiver *other, counted_sender *counts, counted *value);
int use(job_sender *in, int_receiver *other, counted_sender *counts, counted *value)
{
    long number = 1;
    int rc = edo_try_send(in, &number);
    rc += edo_mpsc_create(in, other, 1);
    return rc + edo_try_send(counts, value);
}
