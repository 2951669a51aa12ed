/* Streams for tests, and what lies at their other end. */
#pragma once

#include "support/support.h"

#include <edo/edo.h>
#include <edo/test.h>

/* The first ones are descriptors; what comes then is not: a pipe in memory, a limit around a socket
 * that is not reached, and a socket that is split, joined, inspected and copied. */
typedef enum stream_kind {
    UNIX_STREAM,
    TCP_STREAM,
    PIPE_STREAM,
    STREAM_KINDS, // that are descriptors
    MEMORY_STREAM = STREAM_KINDS,
    LIMITED_STREAM,
    WRAPPED_STREAM,
    ALL_STREAM_KINDS
} stream_kind;

/* Two connected descriptors, non-blocking and close-on-exec. A pipe is read from [0]. */
void open_pair(stream_kind kind, int fds[2]);

/* The same as streams. */
void open_streams(stream_kind kind, edo_io **ret_reader, edo_io **ret_writer);

/* A stream, and its peer: a bare descriptor, or for a pipe in memory a number that peer functions
 * know. For PIPE_STREAM the stream reads. */
edo_io *open_stream(stream_kind kind, int *ret_peer);

/* As fd_write_all(). */
void peer_write_all(int peer, const void *data, size_t size);
void peer_close(int peer);

/* Wraps a descriptor; it must work. */
edo_io *wrap(int fd);

/* Moves all of it through a descriptor, waiting for it: for what is certain to be possible. */
void fd_write_all(int fd, const void *data, size_t size);
void fd_read_all(int fd, void *buffer, size_t size);

/* Reads until the end of the input. Returns: how many bytes there were. */
size_t fd_read_to_end(int fd);

/* Fills the write side until it would block. Returns: how many bytes that took. */
size_t fd_fill(int fd);

/* Makes the buffer of what is sent, or of a pipe, as small as the system lets it be. Not that of
 * what TCP receives: with a tiny window it waits for timers. */
void shrink_buffer(int fd);

/* The same for streams of all kinds, without the library's operations. A pipe in memory is small as
 * it is. */
void stream_read_all(edo_io *io, void *buffer, size_t size);
size_t stream_read_to_end(edo_io *io);
size_t stream_fill(edo_io *io);
void shrink_stream(edo_io *io);

bool fd_is_open(int fd);

/* Plain clients of a listener at an IPv4 address. connect() succeeds as soon as there is room in its
 * queue. */
int open_client(void);
void connect_client(int client, const edo_listener *listener);
int connect_plainly(const edo_listener *listener); // both

/* Whether the runtime of this thread has that driver. */
bool driver_is(const char *name);

/* More than any buffers between two ends hold by default, but not so much that it takes long with
 * this driver, which may move single bytes. */
size_t bulk_size(void);

/* Runs one operation, for a task of its own: edo_spawn(&task, run_op, .op = edo_read(...)). The
 * operation is copied to *ret_op when it has ended, if that is not NULL. */
struct run_op {
    edo_frame();
    edo_args(edo_op op; edo_op *ret_op;);
};
edo_declare_async(run_op);

/* Reads until size bytes are there or the input ends, in as many reads as it takes.
 * Result: how many, or the error. */
struct collect {
    edo_frame();
    edo_args(edo_io *io; void *buffer; size_t size;);
    size_t got;
};
edo_declare_async(collect);

/* In an async body, under the test clock: goes on when all others wait. */
#define settle()                                                                                   \
    do {                                                                                           \
        int settled_;                                                                              \
        edo_await(settled_, edo_sleep(1));                                                         \
        (void)settled_;                                                                            \
    } while (0)

/* Defines fn_kinds, a test that calls the async function fn, which takes .kind, with each kind of
 * stream that is a descriptor. */
#define test_each_kind(fn) test_kinds_(fn, STREAM_KINDS)

/* The same with each kind of stream. */
#define test_each_stream(fn) test_kinds_(fn, ALL_STREAM_KINDS)

#define test_kinds_(fn, count)                                                                     \
    async_test(fn##_kinds, edo_callees(struct fn callee;) unsigned kind;)                          \
    {                                                                                              \
        edo_body {                                                                                 \
            int rc;                                                                                \
            for (self->kind = 0; self->kind < (count); self->kind++) {                             \
                edo_call(rc, fn, .kind = (stream_kind)self->kind);                                 \
                assert_return_code(rc, -rc);                                                       \
            }                                                                                      \
            edo_return(0);                                                                         \
        }                                                                                          \
    }
