/* Streams for tests, and their peers. */
#pragma once

#include "support/support.h"

#include <edo/edo.h>
#include <edo/test.h>

/* Kinds of streams. The kinds before STREAM_KINDS are descriptors. The last three kinds are: a pipe
 * in memory; a socket in a limited stream whose limit is never reached; and a socket that is split,
 * joined, inspected and copied. */
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

/* Opens two connected descriptors, non-blocking and close-on-exec. A pipe is read from [0]. */
void open_pair(stream_kind kind, int fds[2]);

/* Opens two such descriptors as streams. */
void open_streams(stream_kind kind, edo_io **ret_reader, edo_io **ret_writer);

/* Opens a stream and its peer. The peer is a descriptor; for a pipe in memory it is a number for
 * the peer functions. With PIPE_STREAM the stream is the reading end. */
edo_io *open_stream(stream_kind kind, int *ret_peer);

/* As fd_write_all(). */
void peer_write_all(int peer, const void *data, size_t size);
void peer_close(int peer);

/* Waits until the peer's end of a TCP connection has acknowledged all bytes, which the system may
 * deliver late. The test clock does not wait for them. No effect on other kinds. */
void peer_await_delivery(int peer);

/* Waits until a connection is in the listener's queue, which may be after its connect(). */
void await_connection(const edo_listener *listener);

/* Makes a stream from a descriptor. Fails the test on an error. */
edo_io *wrap(int fd);

/* Moves all bytes through a descriptor, and waits as long as needed. The peer must read, or write,
 * enough. */
void fd_write_all(int fd, const void *data, size_t size);
void fd_read_all(int fd, void *buffer, size_t size);

/* Reads until the end of the input. Returns: the number of bytes. */
size_t fd_read_to_end(int fd);

/* Fills the write side until it would block. Returns: the number of bytes. */
size_t fd_fill(int fd);

/* Makes the send buffer, or the buffer of a pipe, as small as the system allows. Does not change
 * TCP's receive buffer, because with a tiny window TCP waits for timers. */
void shrink_buffer(int fd);

/* Reads, writes, fills and shrinks streams of all kinds, without operations of the library. A pipe
 * in memory is always small. */
void stream_read_all(edo_io *io, void *buffer, size_t size);
size_t stream_read_to_end(edo_io *io);
size_t stream_fill(edo_io *io);
void shrink_stream(edo_io *io);

bool fd_is_open(int fd);

/* Opens plain clients of a listener on an IPv4 address. connect() succeeds as soon as the
 * listener's queue has room. */
int open_client(void);
void connect_client(int client, const edo_listener *listener);
int connect_plainly(const edo_listener *listener); // opens and connects

/* Whether the runtime of this thread has that driver. */
bool driver_is(const char *name);

/* More bytes than all buffers between two ends hold by default; fewer with a driver that moves
 * single bytes. */
size_t bulk_size(void);

/* Runs one operation, for a task of its own: edo_spawn(&task, run_op, .op = edo_read(...)). If
 * ret_op is not NULL, *ret_op receives a copy of the operation after its end. */
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

/* Waits until all other tasks wait. In an async body, with the test clock. */
#define settle()                                                                                   \
    do {                                                                                           \
        int settled_;                                                                              \
        edo_await(settled_, edo_sleep(1));                                                         \
        (void)settled_;                                                                            \
    } while (0)

/* Defines the test fn_kinds. The test calls the async function fn with each kind of stream that is
 * a descriptor, as the argument .kind. */
#define test_each_kind(fn) test_kinds_(fn, STREAM_KINDS)

/* Defines such a test with each kind of stream. */
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
