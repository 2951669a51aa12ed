/* edo-test: ct. Standard streams: right for every kind of file, without a trace on the open files. */
#include "support/pty.h"
#include "support/streams.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <edo/copy.h>

/* ---- a program that copies its input to its output ---- */

struct cat {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    char buffer[512];
};

edo_async(cat)
{
    edo_body {
        int64_t n;
        n = edo_stdin(&self->in);
        if (n < 0) edo_return(n);
        n = edo_stdout(&self->out);
        if (n < 0) {
            edo_close(self->in);
            edo_return(n);
        }
        for (;;) {
            edo_await(n, edo_read(self->in, self->buffer, sizeof self->buffer));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->out, self->buffer, (size_t)n));
            if (n < 0) break;
        }
        edo_close(self->in);
        edo_close(self->out);
        edo_return(n);
    }
}

static int stdio[2]; // descriptors for a child's input and output; -1: closed

static void put_in_place(void)
{
    for (int i = 0; i < 2; i++) {
        int fd = stdio[i] < 0 ? -1 : fcntl(stdio[i], F_DUPFD_CLOEXEC, 10);
        close(i);
        if (fd >= 0) assert_int_equal(dup2(fd, i), i);
        if (fd >= 0) close(fd);
    }
}

/* Exits with the errno of the result. */
static void be_cat(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    put_in_place();
    close(stdio[0]);
    close(stdio[1]);
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    int64_t n = edo_block_on(runtime, cat);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    for (int i = 0; i < 2; i++)
        if (stdio[i] >= 0) assert_false(fcntl(i, F_GETFD) < 0 || (fcntl(i, F_GETFL) & O_NONBLOCK));
    _exit((int)-n);
}

static int run_cat(int in, int out)
{
    stdio[0] = in;
    stdio[1] = out;
    int status = await_child(start_child(be_cat, NULL));
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void open_closed(void *arg)
{
    edo_io *io;
    (void)arg;
    close(0);
    close(1);
    assert_int_equal(edo_stdin(&io), -EBADF);
    assert_int_equal(edo_stdout(&io), -EBADF);
}

/* The chaos driver moves single bytes. */
static bool is_chaos(void)
{
    const char *driver = getenv("EDO_DRIVER");
    return driver && !strncmp(driver, "chaos", 5);
}

/* ---- files ---- */

static char directory[TEMP_PATH_SIZE];

static int enter_directory(void **state)
{
    (void)state;
    make_temp_dir(directory);
    return 0;
}

static int leave_directory(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

static int open_file(const char *name, int flags)
{
    char path[TEMP_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
    assert_return_code(fd, errno);
    return fd;
}

static size_t size_of_file(const char *name)
{
    struct stat file;
    int fd = open_file(name, O_RDONLY);
    assert_return_code(fstat(fd, &file), errno);
    close(fd);
    return (size_t)file.st_size;
}

enum { FILE_SIZE = 300000 };

static void make_input(size_t size)
{
    char *bytes = malloc(size);
    int fd = open_file("in", O_WRONLY | O_TRUNC);
    fill_pattern(bytes, size, 1, 0);
    fd_write_all(fd, bytes, size);
    close(fd);
    free(bytes);
}

#define stdio_test(name)                                                                           \
    fixture(enter_directory, leave_directory)                                                      \
    test(name)

/* From each kind of input to each kind of output. */
enum kind { FILE_KIND, PIPE_KIND, SOCKET_KIND, PTY_KIND, NULL_KIND, KINDS };

static int other_end; // of a pipe, a socket or a terminal; or -1

static int open_input(enum kind kind, const char *bytes, size_t size)
{
    int fds[2];
    other_end = -1;
    switch (kind) {
    case FILE_KIND:
        fds[0] = open_file("in", O_RDWR | O_TRUNC);
        fd_write_all(fds[0], bytes, size);
        lseek(fds[0], 0, SEEK_SET);
        return fds[0];
    case PIPE_KIND: assert_return_code(pipe2(fds, O_CLOEXEC), errno); break;
    case SOCKET_KIND:
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
        break;
    case PTY_KIND: {
        open_pty(&fds[1], &fds[0]);
        struct termios modes = modes_of(fds[0]);
        modes.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fds[0], TCSANOW, &modes);
        fd_write_all(fds[1], bytes, size);
        fd_write_all(fds[1], "\4", 1); // the end of the input, as typed
        other_end = fds[1];
        return fds[0];
    }
    case NULL_KIND:
    case KINDS: return open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    fd_write_all(fds[1], bytes, size);
    close(fds[1]);
    return fds[0];
}

static int open_output(enum kind kind, int *ret_reader)
{
    int fds[2];
    switch (kind) {
    case FILE_KIND:
        *ret_reader = open_file("out", O_RDONLY | O_TRUNC);
        return open_file("out", O_WRONLY);
    case PIPE_KIND: assert_return_code(pipe2(fds, O_CLOEXEC), errno); break;
    case SOCKET_KIND:
        assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
        break;
    case PTY_KIND: {
        open_pty(&fds[0], &fds[1]);
        struct termios modes = modes_of(fds[1]);
        cfmakeraw(&modes);
        tcsetattr(fds[1], TCSANOW, &modes);
        break;
    }
    case NULL_KIND:
    case KINDS: *ret_reader = -1; return open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    *ret_reader = fds[0];
    return fds[1];
}

static const char message[] = "one line\nand another\n";

enum { MESSAGE_SIZE = sizeof message - 1 };

stdio_test(all_kinds)
{
    for (int i = 0; i < KINDS; i++) {
        for (int o = 0; o < KINDS; o++) {
            char got[MESSAGE_SIZE];
            int reader, in = open_input((enum kind)i, message, MESSAGE_SIZE);
            int typist = other_end, out = open_output((enum kind)o, &reader);
            assert_int_equal(run_cat(in, out), 0);
            assert_false(fcntl(in, F_GETFL) & O_NONBLOCK);
            assert_false(fcntl(out, F_GETFL) & O_NONBLOCK);
            if (o != NULL_KIND && i != NULL_KIND) {
                fd_read_all(reader, got, sizeof got);
                assert_memory_equal(got, message, sizeof got);
            }
            close(out);
            close(in);
            if (reader >= 0) close(reader);
            if (typist >= 0) close(typist);
        }
    }
}

stdio_test(a_large_file)
{
    char *bytes = malloc(FILE_SIZE);
    make_input(is_chaos() ? 3000 : FILE_SIZE);
    int in = open_file("in", O_RDONLY), out = open_file("out", O_WRONLY | O_APPEND);
    fd_write_all(out, "before", 6); // the position and O_APPEND of the open file count
    assert_int_equal(run_cat(in, out), 0);
    size_t size = size_of_file("in");
    assert_int_equal(size_of_file("out"), size + 6);
    int check = open_file("out", O_RDONLY);
    fd_read_all(check, bytes, 6);
    assert_memory_equal(bytes, "before", 6);
    fd_read_all(check, bytes, size);
    assert_true(is_pattern(bytes, size, 1, 0));
    close(check);
    close(in);
    close(out);
    free(bytes);
}

/* Beyond the limit of size the system raises SIGXFSZ, which would end the program. */
static void be_limited_cat(void *arg)
{
    const struct rlimit limit = { 2000, 2000 };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    be_cat(arg);
}

stdio_test(a_limit_of_size_is_an_error)
{
    make_input(3000);
    stdio[0] = open_file("in", O_RDONLY);
    stdio[1] = open_file("out", O_WRONLY);
    int status = await_child(start_child(be_limited_cat, NULL));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EFBIG);
    assert_int_equal(size_of_file("out"), 2000);
    close(stdio[0]);
    close(stdio[1]);
}

stdio_test(closed_or_wrong)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int place = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    expect_success_in_child(open_closed, NULL);
    assert_int_equal(run_cat(place, null), EISDIR);
    int full = open("/dev/full", O_RDWR | O_CLOEXEC), in = open_input(FILE_KIND, "x", 1);
    if (full >= 0) assert_int_equal(run_cat(in, full), ENOSPC);
    close(in);
    if (full >= 0) close(full);
    close(place);
    close(null);
    assert_int_equal(edo_stdin(NULL), -EINVAL);
}

/* The reader has gone: a result, not a signal. */
stdio_test(a_closed_output)
{
    int fds[2];
    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    close(fds[0]);
    int in = open_input(FILE_KIND, "x", 1);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(run_cat(in, fds[1]), EPIPE);
    close(in);
    close(fds[1]);
}

/* ---- while it runs ---- */

static int report[2];

/* Waits for input on a terminal, and reports when it does. Then it is killed. */
struct waiting {
    edo_frame();
    edo_args();
    edo_io *in;
    edo_op op;
    edo_task *task;
    char byte;
};

edo_async(waiting)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_stdin(&self->in), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->in, &self->byte, 1));
        assert_int_equal(n, 0);
        edo_await(n, edo_yield());
        edo_await(n, edo_yield());
        assert_int_equal(write(report[1], "!", 1), 1);
        edo_await(n, edo_join(self->task));
        edo_return(0);
    }
}

static void be_waiting(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    put_in_place();
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    edo_block_on(runtime, waiting);
}

/* The open file that a shell and other programs share is as before, also while the program waits and
 * when it was killed. */
stdio_test(nothing_is_left_on_shared_files)
{
    for (int kind = PIPE_KIND; kind <= PTY_KIND; kind++) {
        char byte;
        int fds[2];
        if (kind == PTY_KIND)
            open_pty(&fds[1], &fds[0]);
        else if (kind == PIPE_KIND)
            assert_return_code(pipe2(fds, O_CLOEXEC), errno);
        else
            assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
        assert_return_code(pipe2(report, O_CLOEXEC), errno);
        stdio[0] = fds[0];
        stdio[1] = -1;
        int child = start_child(be_waiting, NULL);
        assert_int_equal(read(report[0], &byte, 1), 1);
        assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
        kill(child, SIGKILL);
        assert_true(WIFSIGNALED(await_child(child)));
        assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
        for (int i = 0; i < 2; i++) {
            close(fds[i]);
            close(report[i]);
        }
    }
}

/* A waiting read does not delay the end of the runtime, and loses nothing that comes later. */
struct impatient {
    edo_frame();
    edo_args();
    edo_io *in;
    char byte;
};

edo_async(impatient)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_stdin(&self->in), 0);
        edo_await_for(n, edo_ms(1), edo_read(self->in, &self->byte, 1));
        assert_int_equal(n, -ETIMEDOUT);
        n = edo_go(run_op, .op = edo_read(self->in, &self->byte, 1)); // left behind
        assert_int_equal(n, 0);
        edo_await(n, edo_yield());
        edo_return(0);
    }
}

static void end_while_reading(void *arg)
{
    edo_runtime *runtime;
    edo_config config = { .test_clock = true };
    (void)arg;
    put_in_place();
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, impatient), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

stdio_test(no_read_delays_the_end)
{
    for (int kind = PIPE_KIND; kind <= PTY_KIND; kind++) {
        char got[2];
        int fds[2];
        if (kind == PTY_KIND)
            open_pty(&fds[1], &fds[0]);
        else if (kind == PIPE_KIND)
            assert_return_code(pipe2(fds, O_CLOEXEC), errno);
        else
            assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
        stdio[0] = fds[0];
        stdio[1] = -1;
        assert_int_equal(await_child(start_child(end_while_reading, NULL)), 0);
        fd_write_all(fds[1], "x\n", 2);
        fd_read_all(fds[0], got, 2);
        assert_memory_equal(got, "x\n", 2);
        close(fds[0]);
        close(fds[1]);
    }
}

/* ---- beside printf ---- */

enum { PRINTED = 100000 };

/* Reads from a terminal, and prints to the same terminal with printf(3). */
struct printer {
    edo_frame();
    edo_args();
    edo_io *in;
    edo_task *task;
    int i;
    char byte;
};

edo_async(printer)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_stdin(&self->in), 0);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->in, &self->byte, 1));
        assert_int_equal(n, 0);
        edo_await(n, edo_yield());
        for (int i = 0; i < PRINTED / 10; i++)
            assert_int_equal(printf("123456789\n"), 10);
        assert_int_equal(fflush(stdout), 0);
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        edo_close(self->in);
        edo_return(0);
    }
}

static void print_while_reading(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    put_in_place();
    close(stdio[0]);
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, printer), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

stdio_test(printf_meets_no_eagain)
{
    int master, slave;
    open_pty(&master, &slave);
    struct termios modes = modes_of(slave);
    cfmakeraw(&modes);
    tcsetattr(slave, TCSANOW, &modes);
    stdio[0] = stdio[1] = slave;
    int child = start_child(print_while_reading, NULL);
    char *bytes = malloc(PRINTED);
    fd_read_all(master, bytes, PRINTED);
    assert_memory_equal(bytes + PRINTED - 10, "123456789\n", 10);
    assert_int_equal(await_child(child), 0);
    free(bytes);
    close(slave);
    close(master);
}

/* ---- edo_run ---- */

struct first_socket {
    edo_frame();
    edo_args();
    edo_listener *listener;
};

edo_async(first_socket)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        if (rc == 0 && edo_listener_fd(self->listener) <= STDERR_FILENO) rc = -EBADF;
        if (rc == 0) edo_listener_close(self->listener);
        edo_return(rc);
    }
}

static void run_without(void *arg)
{
    unsigned closed = *(unsigned *)arg;
    for (int i = 0; i < 3; i++)
        if (closed & 1u << i) close(i);
    int status = edo_run(first_socket);
    for (int i = 0; i < 3; i++)
        if (fcntl(i, F_GETFD) != 0) status = 1; // open, and not close-on-exec
    _exit(status);
}

stdio_test(closed_standard_descriptors)
{
    for (unsigned closed = 0; closed < 8; closed++)
        assert_int_equal(await_child(start_child(run_without, &closed)), 0);
}

/* ---- the last bytes ---- */

struct writer {
    edo_frame();
    edo_args();
    edo_io *out;
    char *bytes;
};

edo_async(writer)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_stdout(&self->out), 0);
        self->bytes = malloc(FILE_SIZE);
        fill_pattern(self->bytes, FILE_SIZE, 2, 0);
        edo_await(n, edo_write_all(self->out, self->bytes, FILE_SIZE));
        assert_int_equal(n, FILE_SIZE);
        exit(0); // at once
        edo_return(0);
    }
}

static void be_writer(void *arg)
{
    put_in_place();
    close(stdio[1]);
    close(*(int *)arg); // the reader's end
    _exit(edo_run(writer));
}

/* A reader that begins when the pipe is full gets all bytes. */
stdio_test(nothing_is_lost_at_exit)
{
    int fds[2];
    if (is_chaos()) skip(); // single bytes
    char *bytes = malloc(FILE_SIZE);
    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    stdio[0] = -1;
    stdio[1] = fds[1];
    int child = start_child(be_writer, &fds[0]);
    close(fds[1]);
    fd_read_all(fds[0], bytes, FILE_SIZE);
    assert_true(is_pattern(bytes, FILE_SIZE, 2, 0));
    assert_int_equal(read(fds[0], bytes, 1), 0);
    assert_int_equal(await_child(child), 0);
    close(fds[0]);
    free(bytes);
}
