/* Processes, signals and sleeps by other clocks, with each request failing. */
#include "faults/sweep.h"

#include <signal.h>
#include <string.h>

struct whole_output {
    edo_frame();
    edo_args(size_t size;);
    edo_command command;
    edo_output output;
    edo_process *process;
    int64_t result;
};

/* After a failure the child is killed, and its status taken without any further request. */
edo_async(whole_output)
{
    edo_body {
        static const char *const argv[] = { "cat", NULL };
        self->command = (edo_command){ .argv = argv,
                                       .in.kind = EDO_STDIO_PIPE,
                                       .out.kind = EDO_STDIO_PIPE };
        self->result = edo_command_spawn(&self->command, &self->process);
        if (self->result < 0) edo_return(self->result);
        self->output = (edo_output){ .input = "abc", .input_size = self->size };
        edo_await(self->result, edo_process_output(&self->process, 1, &self->output));
        if (self->result == 0) assert_int_equal(self->output.out.size, self->size);
        edo_buffer_deinit(&self->output.out);
        edo_buffer_deinit(&self->output.err);
        edo_process_kill(self->process, SIGKILL);
        while (edo_process_try_wait(self->process, NULL) == -EAGAIN)
            usleep(100);
        edo_process_close(self->process);
        edo_return(self->result);
    }
}

static int64_t outputs(void)
{
    return on_runtime(whole_output, .size = 3);
}

fault_test(outputs)

struct one_signal {
    edo_frame();
    edo_args(int number;);
    edo_signal *signal;
    int64_t result;
};

edo_async(one_signal)
{
    edo_body {
        self->result = edo_signal_open(self->number, &self->signal);
        if (self->result < 0) edo_return(self->result);
        edo_await(self->result, edo_sleep_until_clock(EDO_CLOCK_BOOT,
                                                      edo_clock_now(EDO_CLOCK_BOOT) + edo_us(100)));
        raise(self->number);
        if (self->result == 0) edo_await(self->result, edo_signal_next(self->signal, NULL));
        if (self->result == 1) self->result = 0;
        edo_signal_close(self->signal);
        edo_return(self->result);
    }
}

static int64_t signals(void)
{
    return on_runtime(one_signal, .number = SIGUSR1);
}

fault_test(signals)
