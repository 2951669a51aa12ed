/* Copies of files: beyond 4 GiB, of files that grow and change, and what the socket still holds. */
#include "support/refusal.h"
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <edo/copy.h>
#include <edo/tcp.h>

enum { PART = 64 * 1024, PIPE_SIZE = 1 << 20 };

#define GIB ((uint64_t)1 << 30)

/* A file in memory with holes, whose pages need no memory. */
static int sparse_file(uint64_t size)
{
    int fd = memfd_create("sparse", MFD_CLOEXEC);
    assert_return_code(fd, errno);
    assert_return_code(ftruncate(fd, (off_t)size), errno);
    return fd;
}

/* ---- more than 32 bits of bytes ---- */

/* The reader of a pipe, which drops all bytes without copying them. */
typedef struct drain {
    pthread_t thread;
    int pipe, null;
    uint64_t count;
} drain;

static void *run_drain(void *arg)
{
    drain *self = arg;
    for (;;) {
        ssize_t n = splice(self->pipe, NULL, self->null, NULL, PIPE_SIZE, 0);
        if (n == 0) return NULL;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return self;
        self->count += (uint64_t)n;
    }
}

/* Starts the reader. Returns: the writing end. */
static edo_io *begin_drain(drain *self)
{
    int fds[2];
    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    assert_return_code(fcntl(fds[1], F_SETFL, O_NONBLOCK), errno);
    fcntl(fds[1], F_SETPIPE_SZ, PIPE_SIZE); // for speed only
    *self = (drain){ .pipe = fds[0], .null = open("/dev/null", O_WRONLY | O_CLOEXEC) };
    assert_return_code(self->null, errno);
    assert_int_equal(pthread_create(&self->thread, NULL, run_drain, self), 0);
    return wrap(fds[1]);
}

/* Waits for the end of the input. Returns: the number of bytes. */
static uint64_t end_drain(drain *self)
{
    void *failed;
    assert_int_equal(pthread_join(self->thread, &failed), 0);
    assert_null(failed);
    close(self->pipe);
    close(self->null);
    return self->count;
}

async_test(five_gigabytes_are_counted, edo_io *out; edo_file_range range; drain drain; int fd;)
{
    edo_body {
        int64_t n;
        self->fd = sparse_file(5 * GIB);
        self->out = begin_drain(&self->drain);
        self->range = (edo_file_range){ .file = self->fd, .size = 5 * GIB };
        edo_await(n, edo_send_file(self->out, &self->range));
        assert_int_equal(n, 5 * GIB);
        assert_int_equal(self->range.offset, 5 * GIB);
        assert_int_equal(self->range.size, 0);
        edo_close(self->out);
        assert_int_equal(end_drain(&self->drain), 5 * GIB);
        close(self->fd);
        edo_return(0);
    }
}

/* Bytes around the offsets that do not fit into 31 and 32 bits, to such offsets of the target. */
async_test(offsets_are_not_cut, edo_file_copy copy; int fd, target, i; char data[2 * PART];)
{
    static const uint64_t from[] = { 2 * GIB - PART, 4 * GIB - PART };
    edo_body {
        int64_t n;
        self->fd = sparse_file(5 * GIB);
        self->target = sparse_file(0);
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(from); self->i++) {
            fill_pattern(self->data, sizeof self->data, (uint64_t)self->i, 0);
            n = pwrite(self->fd, self->data, sizeof self->data, (off_t)from[self->i]);
            assert_int_equal(n, sizeof self->data);
            self->copy = (edo_file_copy){
                .from = { .file = self->fd, .offset = from[self->i], .size = sizeof self->data },
                .to = self->target,
                .offset = from[self->i] + GIB
            };
            edo_await(n, edo_copy_file(&self->copy));
            assert_int_equal(n, sizeof self->data);
            assert_int_equal(self->copy.offset, from[self->i] + GIB + sizeof self->data);
            memset(self->data, 0, sizeof self->data);
            n = pread(self->target, self->data, sizeof self->data, (off_t)(from[self->i] + GIB));
            assert_int_equal(n, sizeof self->data);
            assert_true(is_pattern(self->data, sizeof self->data, (uint64_t)self->i, 0));
        }
        self->copy.from.size = 1;
        self->copy.offset = UINT64_MAX; // no offset of a file
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, -EINVAL);
        close(self->fd);
        close(self->target);
        edo_return(0);
    }
}

/* ---- no cork ---- */

static int unsent_bytes(const edo_io *conn)
{
    int count = -1;
    assert_return_code(ioctl(edo_io_fd(conn), SIOCOUTQNSD, &count), errno);
    return count;
}

/* A header and a short file of which more is asked than it has. The system must not keep the last
 * bytes for a timer, as it does with MSG_MORE. */
async_test(the_last_bytes_are_not_kept, edo_io *in, *out; edo_file_range range; int fd;
           char data[16];)
{
    edo_body {
        int64_t n;
        self->fd = sparse_file(0);
        fd_write_all(self->fd, "body", 4);
        open_streams(TCP_STREAM, &self->in, &self->out);
        assert_int_equal(edo_tcp_set_nodelay(self->out, true), 0);
        edo_await(n, edo_write_all(self->out, "head", 4));
        assert_int_equal(n, 4);
        self->range = (edo_file_range){ .file = self->fd, .size = UINT64_MAX };
        edo_await(n, edo_send_file(self->out, &self->range));
        assert_int_equal(n, 4);
        assert_int_equal(unsent_bytes(self->out), 0);
        edo_await(n, edo_read_exact(self->in, self->data, 8));
        assert_int_equal(n, 8);
        assert_memory_equal(self->data, "headbody", 8);
        edo_close(self->in);
        edo_close(self->out);
        close(self->fd);
        edo_return(0);
    }
}

/* The same of a splice: a long request, which begins the splices, and a short rest. */
async_test(the_last_splice_is_not_kept, edo_io *client, *front, *back, *server; edo_copier copier;
           edo_task *task; char memory[256], data[PART];)
{
    edo_body {
        int64_t n;
        if (driver_is("chaos")) edo_return(0); // single bytes fill the receiver's window
        open_streams(TCP_STREAM, &self->front, &self->client);
        open_streams(TCP_STREAM, &self->server, &self->back);
        assert_int_equal(edo_tcp_set_nodelay(self->back, true), 0);
        edo_copier_init(&self->copier, self->front, self->back, self->memory, sizeof self->memory);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->copier));
        assert_int_equal(n, 0);
        fill_pattern(self->data, sizeof self->data, 1, 0);
        edo_await(n, edo_write_all(self->client, self->data, 20001));
        assert_int_equal(n, 20001);
        peer_await_delivery(edo_io_fd(self->client));
        settle();
        assert_int_equal(self->copier.given, 20001);
        assert_int_equal(unsent_bytes(self->back), 0);
        edo_await(n, edo_read_exact(self->server, self->data, 20001));
        assert_int_equal(n, 20001);
        assert_true(is_pattern(self->data, 20001, 1, 0));
        edo_close(self->client);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 20001);
        edo_copier_deinit(&self->copier);
        edo_close(self->front);
        edo_close(self->back);
        edo_close(self->server);
        edo_return(0);
    }
}

/* ---- targets and sources that change ---- */

/* Copies the first half of a file, and the rest after `between`. */
struct copy_halves {
    edo_frame();
    edo_args(void (*between)(int target););
    edo_file_copy copy;
    int fd, target;
    char data[PART];
};

edo_async(copy_halves)
{
    edo_body {
        int64_t n;
        self->fd = sparse_file(0);
        self->target = sparse_file(0);
        fill_pattern(self->data, PART, 1, 0);
        fd_write_all(self->fd, self->data, PART);
        self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = PART / 2 },
                                      .to = self->target };
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, PART / 2);
        self->between(self->target);
        self->copy.from.size = UINT64_MAX;
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, PART / 2);
        memset(self->data, 0, PART);
        assert_int_equal(pread(self->target, self->data, PART, 0), PART);
        assert_true(is_pattern(self->data, PART, 1, 0));
        close(self->fd);
        close(self->target);
        edo_return(0);
    }
}

static void begin_to_append(int target)
{
    assert_return_code(fcntl(target, F_SETFL, O_APPEND), errno);
}

/* A target that begins to append between two copies: the system refuses its own copy only then. */
async_test(a_target_begins_to_append, edo_callees(struct copy_halves callee;))
{
    edo_body {
        int rc;
        edo_call(rc, copy_halves, .between = begin_to_append);
        edo_return(rc);
    }
}

/* A file whose size the system gives as 0 has the same content as by read(2). */
async_test(a_file_without_a_size_is_copied, edo_file_copy copy; int fd, target; int64_t size;
           char data[PART], back[PART];)
{
    edo_body {
        int64_t n;
        self->fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
        self->target = sparse_file(0);
        self->size = pread(self->fd, self->data, PART, 0);
        assert_in_range(self->size, 1, PART - 1);
        self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = UINT64_MAX },
                                      .to = self->target };
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, self->size);
        assert_int_equal(pread(self->target, self->back, PART, 0), n);
        assert_memory_equal(self->back, self->data, (size_t)n);
        close(self->fd);
        close(self->target);
        edo_return(0);
    }
}

/* ---- refusals of the system ---- */

static int refusal; // errno

enum { SENT = 1 << 20 }; // bytes, more than a small socket holds

struct send_refused {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    edo_file_range range;
    edo_task *task, *reader;
    char *data;
    int fd;
};

edo_async(send_refused)
{
    edo_body {
        int64_t n;
        self->data = test_malloc(SENT);
        fill_pattern(self->data, SENT, 1, 0);
        self->fd = sparse_file(0);
        fd_write_all(self->fd, self->data, SENT);
        memset(self->data, 0, SENT);
        open_streams(UNIX_STREAM, &self->in, &self->out);
        shrink_stream(self->out);
        self->range = (edo_file_range){ .file = self->fd, .size = SENT };
        n = edo_spawn(&self->task, run_op, .op = edo_send_file(self->out, &self->range));
        assert_int_equal(n, 0);
        settle();
        assert_in_range(self->range.offset, 1, SENT - 1);
        refuse_call(SYS_sendfile, refusal);
        n = edo_spawn(&self->reader, collect, .io = self->in, .buffer = self->data, .size = SENT);
        assert_int_equal(n, 0);
        edo_await_for(n, edo_s(5), edo_join(self->task));
        assert_int_equal(n, SENT);
        edo_await(n, edo_join(self->reader));
        assert_int_equal(n, SENT);
        assert_true(is_pattern(self->data, SENT, 1, 0));
        edo_close(self->in);
        edo_close(self->out);
        close(self->fd);
        test_free(self->data);
        edo_return(0);
    }
}

struct splice_refused {
    edo_frame();
    edo_args();
    edo_io *source, *from, *to, *target;
    edo_copier copier;
    edo_task *producer, *task, *reader;
    char *data, *back, memory[256];
};

edo_async(splice_refused)
{
    edo_body {
        int64_t n;
        self->data = test_malloc(SENT);
        self->back = test_calloc(1, SENT);
        fill_pattern(self->data, SENT, 1, 0);
        open_streams(UNIX_STREAM, &self->from, &self->source);
        open_streams(UNIX_STREAM, &self->target, &self->to);
        shrink_stream(self->to);
        edo_copier_init(&self->copier, self->from, self->to, self->memory, sizeof self->memory);
        n = edo_spawn(&self->producer, run_op, .op = edo_write_all(self->source, self->data, SENT));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->task, run_op, .op = edo_copy(&self->copier));
        assert_int_equal(n, 0);
        settle();
        assert_true(self->copier.piped > 0); // the target is full
        refuse_call(SYS_splice, refusal);
        n = edo_spawn(&self->reader, collect, .io = self->target, .buffer = self->back,
                      .size = SENT);
        assert_int_equal(n, 0);
        edo_await_for(n, edo_s(5), edo_join(self->reader));
        assert_int_equal(n, SENT);
        assert_true(is_pattern(self->back, SENT, 1, 0));
        edo_await(n, edo_join(self->producer));
        assert_int_equal(n, SENT);
        edo_close(self->source);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, SENT);
        assert_int_equal(self->copier.given, SENT);
        assert_int_equal(edo_copier_deinit(&self->copier), 0);
        edo_close(self->from);
        edo_close(self->to);
        edo_close(self->target);
        test_free(self->data);
        test_free(self->back);
        edo_return(0);
    }
}

static void refuse_copies(int target)
{
    (void)target;
    refuse_call(SYS_copy_file_range, refusal);
}

static void refuse_in_the_middle(void *arg)
{
    edo_runtime *runtime;
    refusal = *(const int *)arg;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, send_refused), 0);
    assert_int_equal(edo_block_on(runtime, splice_refused), 0);
    assert_int_equal(edo_block_on(runtime, copy_halves, .between = refuse_copies), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Each refusal that is no error of the files, after a part was moved: the rest is read and
 * written. */
test(a_refusal_in_the_middle_loses_nothing)
{
    static const int errors[] = { EINVAL, ENOSYS, EOPNOTSUPP, EXDEV, EPERM, EBADF, EIO };
    const char *driver = getenv("EDO_DRIVER");
    if (driver && strcmp(driver, "chaos") == 0) skip(); // single bytes
    for (unsigned i = 0; i < ARRAY_LENGTH(errors); i++)
        expect_success_in_child(refuse_in_the_middle, (void *)(uintptr_t)&errors[i]);
}

/* ---- a target that has no room for a whole piece ---- */

enum { SIZE_LIMIT = 5000, COPIED = 20000 };

static void limit_size(rlim_t size)
{
    const struct rlimit limit = { size, RLIM_INFINITY };
    assert_return_code(setrlimit(RLIMIT_FSIZE, &limit), errno);
}

struct copy_limited {
    edo_frame();
    edo_args(int flags;); // of the target
    edo_file_copy copy;
    int fd, target;
    char data[PART];
};

edo_async(copy_limited)
{
    edo_body {
        int64_t n;
        self->fd = sparse_file(0);
        self->target = sparse_file(0);
        assert_return_code(fcntl(self->target, F_SETFL, self->flags), errno);
        fill_pattern(self->data, COPIED, 1, 0);
        fd_write_all(self->fd, self->data, COPIED);
        self->copy = (edo_file_copy){ .from = { .file = self->fd, .size = UINT64_MAX },
                                      .to = self->target };
        limit_size(SIZE_LIMIT);
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, -EFBIG);
        assert_int_equal(self->copy.from.offset, SIZE_LIMIT);
        assert_int_equal(self->copy.offset, SIZE_LIMIT);
        limit_size(RLIM_INFINITY);
        edo_await(n, edo_copy_file(&self->copy));
        assert_int_equal(n, COPIED - SIZE_LIMIT);
        memset(self->data, 0, PART);
        assert_int_equal(pread(self->target, self->data, PART, 0), COPIED);
        assert_true(is_pattern(self->data, COPIED, 1, 0));
        close(self->fd);
        close(self->target);
        edo_return(0);
    }
}

static void copy_with_a_limit(void *arg)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&(edo_config){ .test_clock = true }, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, copy_limited, .flags = *(const int *)arg), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* The copy fails after a part of a piece. The next copy begins behind that part, so no byte is
 * appended twice. */
test(a_piece_that_is_cut_is_not_copied_again)
{
    static const int appends = O_APPEND;
    expect_success_in_child(copy_with_a_limit, (void *)(uintptr_t)&appends);
}

/* The system would end the process with SIGXFSZ. */
test(a_limit_of_size_ends_a_copy_with_an_error)
{
    static const int none = 0;
    expect_success_in_child(copy_with_a_limit, (void *)(uintptr_t)&none);
}
