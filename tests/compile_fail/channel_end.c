// expect-gcc: (?s)(no member named 'edo_tx'.*)(no member named 'edo_rx'.*)(no member named 'edo_tx')
// expect-clang: (?s)(no member named 'edo_tx'.*)(no member named 'edo_rx'.*)(no member named 'edo_tx')
/* Ends taken for one another. */
#include <edo/channels.h>

typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;
typedef edo_weak_sender(int) int_weak;

int64_t use(int_sender *in, int_receiver *out, int_weak *weak);
int64_t use(int_sender *in, int_receiver *out, int_weak *weak)
{
    int number = 1;
    return edo_try_send(out, &number) + edo_try_recv(in, &number) + edo_try_send(weak, &number);
}
