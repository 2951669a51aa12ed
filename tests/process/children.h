/* Children for the tests of processes. */
#pragma once

#include "support/streams.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A command of the shell. */
#define SHELL(text)                                                                                \
    (__extension__({                                                                               \
        static const char *const argv_[] = { "/bin/sh", "-c", text, NULL };                        \
        (edo_command){ .argv = argv_ };                                                            \
    }))

/* Starts a command; fails the test on an error. */
static inline edo_process *spawn_command(edo_command *command)
{
    edo_process *process = NULL;
    int rc = edo_command_spawn(command, &process);
    if (rc < 0) fail_msg("%s: %s", edo_spawn_step_name(command->failed), edo_strerror(rc));
    return process;
}

/* Runs a command to its end, in an async body with the members `output` and `out`. */
#define run_command(command_pointer)                                                               \
    do {                                                                                           \
        memset(&self->output, 0, sizeof self->output);                                             \
        edo_await(self->status, edo_command_output((command_pointer), &self->output));             \
        size_t size_ = self->output.out.size;                                                      \
        if (size_ >= sizeof self->text) size_ = sizeof self->text - 1;                             \
        if (size_) memcpy(self->text, self->output.out.data, size_);                               \
        self->text[size_] = '\0';                                                                  \
        edo_buffer_deinit(&self->output.out);                                                      \
        edo_buffer_deinit(&self->output.err);                                                      \
    } while (0)

#define COMMAND_MEMBERS                                                                            \
    edo_command command;                                                                           \
    edo_output output;                                                                             \
    int64_t status;                                                                                \
    char text[4096];

/* Waits for the end of all children of this process: none is left as a zombie. */
static inline void await_no_children(void)
{
    siginfo_t info;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) == 0)
        usleep(1000);
    assert_int_equal(errno, ECHILD);
}
