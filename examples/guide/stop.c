/* A token that stops workers at points of their choice. */
#include <stdio.h>

#include <edo/edo.h>

/* region: stop */
struct worker {
    edo_frame();
    edo_args(edo_cancel_token *stop; int number;);
    edo_op work, stopped;
    int done;
};

edo_async(worker)
{
    edo_body {
        int which;
        for (self->done = 0;; self->done++) {
            self->work = edo_sleep(edo_ms(10 * self->number));
            self->stopped = edo_cancel_token_wait(self->stop);
            edo_select_biased(which, &self->work.base, &self->stopped.base);
            if (which != 0) break; // stopped between two pieces of work, or cancelled
        }
        printf("worker %d stops\n", self->number);
        edo_return(0);
    }
}

struct manager {
    edo_frame();
    edo_args();
    edo_cancel_token *stop, *part;
    edo_scope workers;
};

edo_async(manager)
{
    edo_body {
        int rc;
        edo_check(edo_cancel_token_create(NULL, &self->stop));
        edo_check_or(end, edo_cancel_token_create(self->stop, &self->part)); // for worker 2 alone
        edo_scope_open(&self->workers, 0);
        rc = edo_scope_spawn(&self->workers, worker, self->stop, .number = 1);
        if (rc == 0) rc = edo_scope_spawn(&self->workers, worker, self->part, .number = 2);
        if (rc == 0) edo_await(rc, edo_sleep(edo_ms(25)));
        edo_cancel_token_cancel(self->part);
        if (rc == 0) edo_await(rc, edo_sleep(edo_ms(25)));
        edo_cancel_token_cancel(self->stop); // and its child
        edo_await(rc, edo_scope_join(&self->workers));
        edo_cancel_token_unref(self->part);
end:
        edo_cancel_token_unref(self->stop);
        edo_return(edo_failure());
    }
}
/* end: stop */

int main(void)
{
    return edo_run(manager);
}
