/* Copies, with each request failing: without a pipe bytes go through memory. */
#include "faults/sweep.h"

#include <string.h>
#include <sys/socket.h>

#include <edo/copy.h>

#include "support/streams.h"

enum {
    BULK = 100,
    ROOM = 24
}; // a read fills the memory: splicing begins. Single bytes fit a socket

struct relays {
    edo_frame();
    edo_args(edo_io *from, *to; int peer;);
    edo_relay relay;
    char memory[2 * ROOM], data[BULK];
    int64_t result;
};

/* The peers have sent all that they will. The failure of one request may be made up for. */
edo_async(relays)
{
    edo_body {
        edo_relay_init(&self->relay, self->from, self->to, self->memory, sizeof self->memory);
        edo_await(self->result, edo_copy_both(&self->relay));
        if (self->result == 0) {
            fd_read_all(self->peer, self->data, BULK);
            assert_true(is_pattern(self->data, BULK, 0, 0));
        }
        assert_int_equal(self->relay.ways[0].taken - self->relay.ways[0].given,
                         edo_copier_held(&self->relay.ways[0]));
        edo_relay_deinit(&self->relay);
        edo_close(self->from);
        edo_close(self->to);
        edo_return(self->result);
    }
}

static int64_t run_relays(int fds[2], int peer)
{
    edo_io *ends[2] = { NULL, NULL };
    edo_runtime *runtime;
    int64_t rc = edo_io_from_fd(fds[0], &ends[0]);
    if (rc < 0) close(fds[0]);
    int second = edo_io_from_fd(fds[1], &ends[1]);
    if (second < 0) close(fds[1]);
    rc = first_failure(rc, second);
    if (rc == 0) rc = edo_runtime_create(&(edo_config){ .test_clock = true }, &runtime);
    if (rc < 0) {
        edo_close(ends[0]);
        edo_close(ends[1]);
        return rc;
    }
    rc = edo_block_on(runtime, relays, .from = ends[0], .to = ends[1], .peer = peer);
    if (rc == -ENOMEM && fd_is_open(fds[0])) { // not spawned: the streams are still ours
        edo_close(ends[0]);
        edo_close(ends[1]);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return rc;
}

static int64_t copies(void)
{
    int first[2], second[2];
    char data[BULK];
    open_pair(UNIX_STREAM, first);
    open_pair(UNIX_STREAM, second);
    fill_pattern(data, BULK, 0, 0);
    fd_write_all(first[1], data, BULK);
    shutdown(first[1], SHUT_WR);
    shutdown(second[1], SHUT_WR);
    int64_t rc = run_relays((int[]){ first[0], second[0] }, second[1]);
    close(first[1]);
    close(second[1]);
    return rc;
}
fault_test(copies)
