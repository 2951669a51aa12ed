/* Executed programs inherit no descriptor of edo. */
#include "support/streams.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lists the descriptors of a program executed now, as text. The program opens one more, always the
 * lowest free one. */
static void list_of_child(char *text, size_t size)
{
    FILE *list = popen("exec ls /proc/self/fd", "re");
    assert_non_null(list);
    size_t got = fread(text, 1, size - 1, list);
    text[got] = '\0';
    assert_int_equal(pclose(list), 0);
    assert_true(got > 0);
}

static int64_t blocks(void *arg)
{
    (void)arg;
    return 0;
}

/* Uses every feature that has a descriptor, all at once. */
struct uses {
    edo_frame();
    edo_args(const char *before;);
    edo_listener *listener;
    edo_io *client, *server, *pipe;
    edo_task *tasks[4];
    int peer, i;
    char address[64], byte;
    char after[4096];
};

edo_async(uses)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_tcp_listen("localhost:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->address, sizeof self->address);
        edo_await(rc, edo_tcp_connect(self->address, &self->client));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_accept(self->listener, &self->server));
        assert_int_equal(rc, 0);
        self->pipe = open_stream(PIPE_STREAM, &self->peer);
        edo_await(rc, edo_blocking(blocks, NULL));
        assert_int_equal(rc, 0);
        const edo_op ops[] = {
            edo_read(self->server, &self->byte, 1),
            edo_wait_fd(edo_io_fd(self->server), EDO_READABLE), // registers a duplicate
            edo_wait_fd(self->peer, EDO_PRIORITY),
            edo_read(self->pipe, &self->byte, 1),
        };
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(ops); self->i++)
            assert_int_equal(edo_spawn(&self->tasks[self->i], run_op, .op = ops[self->i]), 0);
        edo_await(rc, edo_sleep(edo_ms(1))); // they wait
        list_of_child(self->after, sizeof self->after);
        assert_string_equal(self->after, self->before);
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(self->tasks); self->i++) {
            edo_task_cancel(self->tasks[self->i]);
            edo_await(rc, edo_join(self->tasks[self->i]));
        }
        edo_close(self->client);
        edo_close(self->server);
        edo_close(self->pipe);
        close(self->peer);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

test(nothing_is_inherited)
{
    char before[4096];
    edo_runtime *runtime;
    list_of_child(before, sizeof before);
    assert_int_equal(edo_wait(edo_sleep(1)),
                     0); // from now on this thread has a runtime for edo_wait()
    assert_int_equal(create_runtime(&(edo_config){ .dump_on_quit = true }, &runtime), 0);
    if (!test_workers()) assert_true(edo_runtime_fd(runtime) >= 0);
    assert_int_equal(edo_block_on(runtime, uses, .before = before), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
