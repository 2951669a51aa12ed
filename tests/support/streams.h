/* Streams for tests, and their peers. */
#pragma once

#include "support/support.h"

#include <edo/edo.h>
#include <edo/test.h>

/* The first kinds are descriptors. The last three are not: a pipe in memory, a limit around a socket
 * that is never reached, and a socket that is split, joined, inspected and copied. */
typedef enum stream_kind {
    UNIX_STREAM,
    TCP_STREAM,
    PIPE_STREAM,
    STREAM_KINDS, // number of kinds that are descriptors
    MEMORY_STREAM = STREAM_KINDS,
    LIMITED_STREAM,
    WRAPPED_STREAM,
    ALL_STREAM_KINDS
} stream_kind;

/* Two connected descriptors, non-blocking and close-on-exec. A pipe is read from [0]. */
void open_pair(stream_kind kind, int fds[2]);

/* The same as streams. */
void open_streams(stream_kind kind, edo_io **ret_reader, edo_io **ret_writer);

/* Opens a stream and its peer: a descriptor, or for a pipe in memory a number for the peer
 * functions. With PIPE_STREAM the stream reads. */
edo_io *open_stream(stream_kind kind, int *ret_peer);

/* As fd_write_all(). */
void peer_write_all(int peer, const void *data, size_t size);
void peer_close(int peer);

/* Wraps a descriptor, which must succeed. */
edo_io *wrap(int fd);

/* Moves all bytes through a descriptor, waiting as needed; the peer must make this possible. */
void fd_write_all(int fd, const void *data, size_t size);
void fd_read_all(int fd, void *buffer, size_t size);

/* Reads until the end of the input. Returns: the number of bytes. */
size_t fd_read_to_end(int fd);

/* Fills the write side until it would block. Returns: the number of bytes. */
size_t fd_fill(int fd);

/* Makes the send buffer, or that of a pipe, as small as the system allows. Not TCP's receive
 * buffer: with a tiny window TCP waits for timers. */
void shrink_buffer(int fd);

/* The same for streams of all kinds, without operations of the library. A pipe in memory is always
 * small. */
void stream_read_all(edo_io *io, void *buffer, size_t size);
size_t stream_read_to_end(edo_io *io);
size_t stream_fill(edo_io *io);
void shrink_stream(edo_io *io);

bool fd_is_open(int fd);

/* Plain clients of a listener on an IPv4 address. connect() succeeds as soon as the listener's
 * queue has room. */
int open_client(void);
void connect_client(int client, const edo_listener *listener);
int connect_plainly(const edo_listener *listener); // opens and connects

/* Whether the runtime of this thread has that driver. */
bool driver_is(const char *name);

/* More bytes than all buffers between two ends hold by default; fewer with a driver that moves
 * single bytes. */
size_t bulk_size(void);

/* Runs one operation, for a task of its own: edo_spawn(&task, run_op, .op = edo_read(...)). The
 * operation is copied to *ret_op when it has ended, if that is not NULL. */
struct run_op {
    edo_frame();
    edo_args(edo_op op; edo_op *ret_op;);
};
edo_declare_async(run_op);

/* Reads until `size` bytes have arrived or the input ends, in any number of reads. Result: the
 * number of bytes, or the error. */
struct collect {
    edo_frame();
    edo_args(edo_io *io; void *buffer; size_t size;);
    size_t got;
};
edo_declare_async(collect);

/* In an async body, under the test clock: goes on when all other tasks wait. */
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
