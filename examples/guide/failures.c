/* Failures of many tasks, through one channel. */
#include <stdio.h>

#include <edo/edo.h>

/* region: failures */
struct failure {
    const char *what;
    int64_t error;
};

typedef edo_sender(struct failure) failure_sender;
typedef edo_receiver(struct failure) failure_receiver;

struct job {
    edo_frame();
    edo_args(failure_sender failures; const char *what; int64_t pause; int64_t result;);
    struct failure failure;
};

edo_async(job)
{
    edo_body {
        edo_await_void(edo_sleep(self->pause));
        self->failure = (struct failure){ self->what, self->result };
        if (self->result < 0) edo_await_void(edo_send(&self->failures, &self->failure));
        edo_sender_close(&self->failures); // the last one ends the stream
        edo_return(0);
    }
}

struct supervise {
    edo_frame();
    edo_args();
    failure_sender tx;
    failure_receiver rx;
    edo_op_source_of(struct failure) failures;
    struct failure failure;
};

edo_async(supervise)
{
    edo_body {
        int rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 8));
        rc = edo_go(job, edo_sender_clone(&self->tx), "disk", edo_ms(2), -EIO);
        edo_check(rc);
        rc = edo_go(job, edo_sender_clone(&self->tx), "net", edo_ms(1), -ENETDOWN);
        edo_check(rc);
        rc = edo_go(job, edo_sender_clone(&self->tx), "clock", edo_ms(3), 0);
        edo_check(rc);
        edo_sender_close(&self->tx);
        edo_receiver_stream(&self->failures, &self->rx);
        edo_for_each(rc, &self->failures, &self->failure)
            printf("%s: %s\n", self->failure.what, edo_strerror(self->failure.error));
        edo_receiver_close(&self->rx);
        edo_return(rc);
    }
}
/* end: failures */

int main(void)
{
    return edo_run(supervise);
}
