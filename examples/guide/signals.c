/* Signals as events, and the end of a child that does not want to end. */
#include <signal.h>
#include <stdio.h>

#include <edo/edo.h>

/* region: reload */
/* Reloads the configuration at each SIGHUP. */
struct reload {
    edo_frame();
    edo_args(edo_signal *hangup;);
    edo_signal_event event;
};

edo_async(reload)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await(rc, edo_signal_next(self->hangup, &self->event));
            if (rc < 0) edo_return(rc); // cancelled, or the stream was closed
            printf("reload\n");
        }
    }
}
/* end: reload */

/* region: stop */
/* Runs a program until it ends, or until Ctrl-C. */
struct supervise {
    edo_frame();
    edo_args(edo_command *command;);
    edo_process *process;
    edo_op waits, interrupt;
};

edo_async(supervise)
{
    edo_body {
        int rc, which;
        rc = edo_command_spawn(self->command, &self->process);
        if (rc < 0) edo_return(rc);
        self->waits = edo_process_wait(self->process, NULL);
        self->interrupt = edo_ctrl_c();
        edo_select(which, &self->waits.base, &self->interrupt.base);
        rc = (int)self->waits.base.result;
        if (which == 1) // SIGTERM, and SIGKILL after two seconds
            edo_await(rc, edo_process_stop(self->process, edo_s(2), NULL));
        edo_process_close(self->process);
        edo_return(rc);
    }
}
/* end: stop */

struct program {
    edo_frame(struct supervise supervise;);
    edo_args();
    edo_signal *hangup;
    edo_task *reloader;
    edo_command command;
    int status;
};

edo_async(program)
{
    edo_body {
        static const char *const argv[] = { "sh", "-c", "exit 3", NULL };
        int rc;
        rc = edo_signal_open(SIGHUP, &self->hangup);
        if (rc < 0) edo_return(rc);
        rc = edo_spawn(&self->reloader, reload, .hangup = self->hangup);
        if (rc < 0) edo_return(rc);
        raise(SIGHUP);
        edo_await(rc, edo_sleep(edo_ms(1))); // by the test clock: the other task goes first
        self->command = (edo_command){ .argv = argv };
        edo_call(self->status, supervise, .command = &self->command);
        edo_task_cancel(self->reloader);
        edo_await_void(edo_join(self->reloader));
        edo_signal_close(self->hangup);
        printf("ended with %d\n", self->status);
        edo_return(0);
    }
}

int main(void)
{
    edo_config config = { .test_clock = true };
    return edo_run_with(&config, program);
}
