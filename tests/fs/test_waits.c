/* Calls that wait: named pipes, uncached files, full pools, signals, limits. */
#include "support/files.h"
#include "support/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a call that takes long delays nothing else ---- */

struct opener {
    edo_frame();
    edo_args(const char *path; uint32_t flags; edo_file **ret_file; edo_file * dir;);
};

edo_async(opener)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_file_open_at(self->dir, self->path, self->flags, 0600, self->ret_file));
        edo_return(rc);
    }
}

/* The open of a named pipe waits for the other end, for as long as that takes. */
fs_test(an_open_that_waits_stops_no_worker, edo_task *task; edo_file * in; edo_info info;
        int out, i; char byte;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        fs_write("f", "x", 1);
        assert_int_equal(edo_spawn(&self->task, opener, .path = fs_path("pipe"),
                                   .flags = EDO_OPEN_READ, .ret_file = &self->in),
                         0);
        for (self->i = 0; self->i < 100; self->i++) {
            edo_await(rc, edo_path_info(fs_path("f"), &self->info));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_file_write_whole(fs_path("f"), "yy", 2));
            assert_int_equal(rc, 0);
        }
        assert_false(edo_task_is_done(self->task));
        self->out = open(fs_path("pipe"), O_WRONLY | O_CLOEXEC);
        assert_return_code(self->out, errno);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        assert_int_equal(write(self->out, "z", 1), 1);
        edo_await(rc, edo_read(edo_file_io(self->in), &self->byte, 1));
        assert_int_equal(rc, 1);
        assert_int_equal(self->byte, 'z');
        close(self->out);
        edo_file_close(self->in);
        edo_return(0);
    }
}

static edo_pool_stats files_stats(void)
{
    edo_pool *pool;
    edo_pool_stats stats;
    assert_int_equal(edo_runtime_pool(edo_current_runtime(), "files", &pool), 0);
    edo_pool_read(pool, &stats);
    return stats;
}

/* Whether a thread of the pool "files" runs a job. */
static bool is_running(void)
{
    return files_stats().running;
}

/* An open with a resolve option waits for the end of a lease without a thread: it is cancelled, and
 * the next one succeeds when the lease has ended. */
fs_test(an_open_waits_for_the_end_of_a_lease, edo_file *dir, *file; edo_task * task; int fd, i;)
{
    edo_body {
        int64_t rc;
        fs_write("f", "x", 1);
        signal(SIGIO, SIG_IGN); // tells the holder of the lease that it is wanted
        edo_await(rc, edo_file_open(fs_path(""), EDO_OPEN_READ, &self->dir));
        assert_int_equal(rc, 0);
        for (self->i = 0; self->i < 2; self->i++) {
            self->fd = open(fs_path("f"), O_RDONLY | O_CLOEXEC);
            if (fcntl(self->fd, F_SETLEASE, F_RDLCK) < 0) { // a file system without leases
                close(self->fd);
                break;
            }
            assert_int_equal(edo_spawn(&self->task, opener, .dir = self->dir, .path = "f",
                                       .flags = EDO_OPEN_WRITE | EDO_OPEN_BENEATH,
                                       .ret_file = &self->file),
                             0);
            do
                edo_await(rc, edo_yield());
            while (fcntl(self->fd, F_GETLEASE) == F_RDLCK || files_stats().queued);
            if (self->i == 0)
                edo_task_cancel(self->task);
            else
                assert_int_equal(fcntl(self->fd, F_SETLEASE, F_UNLCK), 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, self->i == 0 ? -ECANCELED : 0);
            if (self->i == 1) edo_file_close(self->file);
            close(self->fd);
        }
        edo_file_close(self->dir);
        signal(SIGIO, SIG_DFL);
        edo_return(0);
    }
}

/* ---- the other end of a named pipe ---- */

/* The other end of the pipe: opened as a blocking program opens it, by a process of its own. */
static pid_t start_other_end(const char *script)
{
    static char *const environment[] = { NULL };
    char text[256], *argv[] = { "sh", "-c", text, NULL };
    pid_t pid;
    snprintf(text, sizeof text, script, fs_path("pipe"));
    assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environment), 0);
    return pid;
}

static int end_other_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* A limit ends each kind of open that waits. */
fs_test(an_open_that_waits_has_limits, edo_file *file; edo_op ops[4]; edo_bytes bytes; int i;)
{
    edo_body {
        int64_t rc;
        const char *pipe = fs_path("pipe");
        assert_int_equal(mkfifo(pipe, 0600), 0);
        self->ops[0] = edo_file_open(pipe, EDO_OPEN_READ, &self->file);
        self->ops[1] = edo_file_open(pipe, EDO_OPEN_WRITE, &self->file);
        self->ops[2] = edo_file_open(pipe, EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file);
        self->ops[3] = edo_file_write_whole(pipe, "x", 1);
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(self->ops); self->i++) {
            edo_await_for(rc, edo_s(1), self->ops[self->i]);
            assert_int_equal(rc, -ETIMEDOUT);
        }
        edo_return(0);
    }
}

struct whole {
    edo_frame();
    edo_args(const char *path; edo_bytes *ret_bytes;);
};

edo_async(whole)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_read_whole(self->path, self->ret_bytes));
        edo_return(n);
    }
}

/* Reads that wait are cancelled: without a writer, and with one that is silent. */
fs_test(a_read_that_waits_is_cancelled, edo_task *task; edo_bytes bytes; edo_file * file;
        int out, i; char byte;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        for (self->i = 0; self->i < 2; self->i++) {
            rc = edo_spawn(&self->task, whole, .path = fs_path("pipe"), .ret_bytes = &self->bytes);
            assert_int_equal(rc, 0);
            do
                edo_await(rc, edo_yield());
            while (!is_running());
            if (self->i == 0) self->out = open(fs_path("pipe"), O_RDWR | O_CLOEXEC);
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, -ECANCELED);
        }
        edo_await(rc, edo_file_open(fs_path("pipe"), EDO_OPEN_READ, &self->file));
        assert_int_equal(rc, 0);
        edo_await_for(rc, 0, edo_read(edo_file_io(self->file), &self->byte, 1));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_file_close(self->file);
        close(self->out);
        edo_return(0);
    }
}

struct filler {
    edo_frame();
    edo_args(edo_file *file;);
    char data[3000]; // so that the last write does not fill the terminal exactly
};

edo_async(filler)
{
    edo_body {
        int64_t n;
        memset(self->data, 'x', sizeof self->data);
        do
            edo_await(n, edo_write(edo_file_io(self->file), self->data, sizeof self->data));
        while (n > 0);
        edo_return(n);
    }
}

/* A terminal whose output nobody reads takes a part of a write, and then nothing. */
fs_test(a_write_to_a_full_terminal_is_cancelled, edo_file *file; edo_task * task;
        int master, slave;)
{
    edo_body {
        int64_t n;
        open_pty(&self->master, &self->slave);
        edo_await(n, edo_file_open(ptsname(self->master), EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        assert_int_equal(edo_spawn(&self->task, filler, .file = self->file), 0);
        do
            edo_await(n, edo_yield());
        while (poll(&(struct pollfd){ .fd = self->slave, .events = POLLOUT }, 1, 0) > 0);
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_file_close(self->file);
        close(self->master);
        close(self->slave);
        edo_return(0);
    }
}

/* A writer that has opened the pipe and writes nothing ends the wait of the open; so does one that has
 * come and gone. */
fs_test(an_open_finds_silent_writers, edo_file *file; pid_t writer; char byte; int i;)
{
    edo_body {
        int64_t n;
        static const char *const scripts[] = { "exec 3>%1$s; read x < %1$s.2", "exec 3>%s" };
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        assert_int_equal(mkfifo(fs_path("pipe.2"), 0600), 0);
        for (self->i = 0; self->i < 2; self->i++) {
            self->writer = start_other_end(scripts[self->i]);
            edo_await(n, edo_file_open(fs_path("pipe"), EDO_OPEN_READ, &self->file));
            assert_int_equal(n, 0);
            if (self->i == 0) {
                edo_await(n, edo_file_write_whole(fs_path("pipe.2"), "go\n", 3));
                assert_int_equal(n, 0);
            }
            edo_await(n, edo_read(edo_file_io(self->file), &self->byte, 1));
            assert_int_equal(n, 0);
            assert_int_equal(end_other_end(self->writer), 0);
            edo_file_close(self->file);
        }
        edo_return(0);
    }
}

enum { PIPED = 300 * 1000 };

/* More than a pipe holds goes through, in both directions. */
fs_test(files_are_piped, edo_file *file; pid_t other; edo_bytes bytes; char *data;
        edo_slice parts[3];)
{
    edo_body {
        int64_t n;
        self->data = malloc(PIPED);
        fill_pattern(self->data, PIPED, 3, 0);
        fs_write("f", self->data, PIPED);
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        self->other = start_other_end("cat %1$s > %1$s.copy");
        edo_await(n, edo_file_open(fs_path("pipe"), EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        self->parts[0] = (edo_slice){ self->data, 0 };
        self->parts[1] = (edo_slice){ self->data, PIPED / 2 };
        self->parts[2] = (edo_slice){ self->data + PIPED / 2, PIPED / 2 };
        edo_await(n, edo_writev_all(edo_file_io(self->file), self->parts, 3));
        assert_int_equal(n, PIPED);
        edo_file_close(self->file);
        assert_int_equal(end_other_end(self->other), 0);
        fs_expect("pipe.copy", self->data, PIPED);
        self->other = start_other_end("cat %1$s.copy > %1$s");
        edo_await(n, edo_file_read_whole(fs_path("pipe"), &self->bytes));
        assert_int_equal(n, PIPED);
        assert_memory_equal(self->bytes.data, self->data, PIPED);
        edo_bytes_deinit(&self->bytes);
        assert_int_equal(end_other_end(self->other), 0);
        self->other = start_other_end("cat %1$s > %1$s.third");
        edo_await(n, edo_file_write_whole(fs_path("pipe"), self->data, PIPED));
        assert_int_equal(n, 0);
        assert_int_equal(end_other_end(self->other), 0);
        fs_expect("pipe.third", self->data, PIPED);
        free(self->data);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

static int64_t wait_for_byte(void *arg)
{
    char byte;
    return read(*(int *)arg, &byte, 1);
}

struct blocker {
    edo_frame();
    edo_args(edo_pool *pool; int *fd;);
};

edo_async(blocker)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_blocking_on(self->pool, wait_for_byte, self->fd));
        edo_return(rc);
    }
}

/* A pool of one thread, which is busy: an operation that waits for it is cancelled without effect. */
fs_test(a_call_that_has_not_begun_is_cancelled, edo_task *task; edo_pool * pool; int fds[2];)
{
    edo_body {
        int64_t rc;
        const edo_pool_config config = { .name = "files", .max_threads = 1 };
        assert_int_equal(pipe2(self->fds, O_CLOEXEC), 0);
        assert_int_equal(edo_runtime_add_pool(edo_current_runtime(), &config), 0);
        assert_int_equal(edo_runtime_pool(edo_current_runtime(), "files", &self->pool), 0);
        rc = edo_spawn(&self->task, blocker, .pool = self->pool, .fd = &self->fds[0]);
        assert_int_equal(rc, 0);
        do
            edo_await(rc, edo_yield());
        while (!is_running());
        edo_await_for(rc, 0, edo_path_make_dir(fs_path("d")));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await_for(rc, 0, edo_file_replace(fs_path("f"), "x", 1));
        assert_int_equal(rc, -ETIMEDOUT);
        fs_write("kept", "x", 1);
        edo_await_for(rc, 0, edo_path_remove_tree(fs_path("kept")));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(write(self->fds[1], "x", 1), 1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        assert_false(fs_exists("d"));
        assert_false(fs_exists("f"));
        assert_true(fs_exists("kept"));
        close(self->fds[0]);
        close(self->fds[1]);
        edo_return(0);
    }
}

/* ---- one position ---- */

struct reader {
    edo_frame();
    edo_args(edo_file *file;);
    char byte;
};

edo_async(reader)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read(edo_file_io(self->file), &self->byte, 1));
        edo_return(n < 0 ? n : self->byte);
    }
}

/* A read of an empty pipe is in flight for as long as the test wants. Before it has begun, the seek
 * fails for another reason. */
fs_test(the_position_has_one_user, edo_file *file; edo_task * task;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        edo_await(rc, edo_file_open(fs_path("pipe"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_spawn(&self->task, reader, .file = self->file), 0);
        do {
            edo_await(rc, edo_yield());
            edo_await(rc, edo_file_seek(self->file, 0, EDO_SEEK_CURRENT));
        } while (rc == -ESPIPE);
        assert_int_equal(rc, -EBUSY);
        edo_await(rc, edo_write(edo_file_io(self->file), "q", 1));
        assert_int_equal(rc, -EBUSY);
        assert_int_equal(write(edo_file_fd(self->file), "q", 1), 1);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 'q');
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* A close with an operation in flight that waits for bytes: the operation ends, and then the
 * descriptor is closed. */
fs_test(a_close_ends_a_read_that_waits, edo_file *file; edo_task * task;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        edo_await(rc, edo_file_open(fs_path("pipe"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_spawn(&self->task, reader, .file = self->file), 0);
        do {
            edo_await(rc, edo_yield());
            edo_await(rc, edo_file_seek(self->file, 0, EDO_SEEK_CURRENT));
        } while (rc == -ESPIPE);
        assert_int_equal(rc, -EBUSY);
        edo_file_close(self->file);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        edo_return(0);
    }
}

/* ---- past the cache ---- */

enum { SIZE = 900 * 1000, TAIL = 4864, ALIGN = 4096 };

fs_test(uncached_bytes_are_the_same, edo_file *file; char *data;)
{
    edo_body {
        int64_t n;
        self->data = malloc(SIZE);
        fill_pattern(self->data, SIZE, 9, 0);
        fs_write("f", self->data, SIZE);
        memset(self->data, 0, SIZE);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_sync(self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_advise(self->file, 0, 0, EDO_ADVICE_DONT_NEED));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_read_at(self->file, self->data, SIZE, 0));
        assert_int_equal(n, SIZE);
        assert_true(is_pattern(self->data, SIZE, 9, 0));
        memset(self->data, 0, SIZE);
        edo_await(n, edo_file_advise(self->file, 0, 0, EDO_ADVICE_DONT_NEED));
        edo_await(n, edo_read_exact(edo_file_io(self->file), self->data, SIZE));
        assert_int_equal(n, SIZE);
        assert_true(is_pattern(self->data, SIZE, 9, 0));
        edo_file_close(self->file);
        free(self->data);
        edo_return(0);
    }
}

/* The end of the file is not a multiple of the block: 4864 bytes, then 0. */
fs_test(a_direct_read_ends_at_the_end, edo_file *file; char *memory; char data[TAIL];)
{
    edo_body {
        int64_t n;
        fill_pattern(self->data, TAIL, 4, 0);
        fs_write("f", self->data, TAIL);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_DIRECT, &self->file));
        if (n == -EINVAL) edo_return(0); // a file system without direct transfers
        assert_int_equal(n, 0);
        self->memory = edo_direct_buffer(2 * (size_t)ALIGN);
        assert_non_null(self->memory);
        edo_await(n, edo_file_read_at(self->file, self->memory, 2 * (size_t)ALIGN, 0));
        assert_int_equal(n, TAIL);
        assert_true(is_pattern(self->memory, TAIL, 4, 0));
        edo_await(n, edo_file_read_at(self->file, self->memory, ALIGN, 2 * (size_t)ALIGN));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_read_at(self->file, self->memory + 1, ALIGN - 1, 0));
        assert_int_equal(n == -EINVAL || n == ALIGN - 1, true);
        edo_direct_buffer_free(self->memory, 2 * (size_t)ALIGN);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- signals and limits ---- */

static void ignore_signal(int signal)
{
    (void)signal;
}

/* Interrupts all system calls: the handler does not restart them. */
static void start_storm(void)
{
    struct sigaction action = { .sa_handler = ignore_signal };
    const struct itimerval often = { { 0, 300 }, { 0, 300 } };
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

struct storm {
    edo_frame();
    edo_args();
    edo_bytes bytes;
    char *data;
    int i;
};

edo_async(storm)
{
    edo_body {
        int64_t n;
        self->data = malloc(SIZE);
        fill_pattern(self->data, SIZE, 2, 0);
        for (self->i = 0; self->i < 20; self->i++) {
            edo_await(n, edo_file_write_whole(fs_path("f"), self->data, SIZE));
            assert_int_equal(n, 0);
            edo_await(n, edo_path_copy(fs_path("f"), fs_path("g"), EDO_COPY_REPLACE));
            assert_int_equal(n, SIZE);
            edo_await(n, edo_file_read_whole(fs_path("g"), &self->bytes));
            assert_int_equal(n, SIZE);
            assert_true(is_pattern(self->bytes.data, SIZE, 2, 0));
            edo_bytes_deinit(&self->bytes);
        }
        free(self->data);
        edo_return(0);
    }
}

static void run_storm(void *arg)
{
    (void)arg;
    start_storm();
    assert_int_equal(edo_run(storm), 0);
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

fixture(fs_set_up, fs_tear_down)
test(interrupted_calls_are_repeated)
{
    expect_success_in_child(run_storm, NULL);
}

enum { DESCRIPTORS = 40 };

struct exhaust {
    edo_frame();
    edo_args();
    edo_file *files[DESCRIPTORS];
    edo_info info;
    int count;
};

edo_async(exhaust)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        do {
            edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->files[self->count]));
            self->count += rc == 0;
        } while (rc == 0 && self->count < DESCRIPTORS);
        assert_int_equal(rc, -EMFILE);
        edo_await(rc, edo_path_copy(fs_path("f"), fs_path("g"), 0));
        assert_int_equal(rc, -EMFILE);
        assert_false(fs_exists("g"));
        while (self->count > 0)
            edo_file_close(self->files[--self->count]);
        edo_await(rc, edo_path_copy(fs_path("f"), fs_path("g"), 0));
        assert_int_equal(rc, 1);
        edo_return(0);
    }
}

static void run_exhaust(void *arg)
{
    struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
    (void)arg;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(edo_run(exhaust), 0);
}

fixture(fs_set_up, fs_tear_down)
test(a_shortage_of_descriptors_is_an_error)
{
    fs_write("f", "x", 1);
    expect_success_in_child(run_exhaust, NULL);
}

static void run_program(const char *path)
{
    char *arguments[] = { "program", NULL };
    const char *driver = getenv("EDO_DRIVER");
    bool has_ring = driver && strcmp(driver, "io_uring") == 0;
    pid_t child;
    int status, rc;
    do
        rc = posix_spawn(&child, path, NULL, NULL, arguments, environ);
    while (rc == ETXTBSY && has_ring);
    assert_int_equal(rc, 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* A program can be run as soon as its file is closed: nothing keeps the file open for writing. Only a
 * write by the ring does for a moment: the system reports the completion, and then releases its own
 * reference to the file. */
fs_test(a_written_program_runs, edo_file *file; int i;)
{
    edo_body {
        int64_t rc;
        for (self->i = 0; self->i < 20; self->i++) {
            const uint32_t flags = EDO_OPEN_WRITE | EDO_OPEN_CREATE | EDO_OPEN_TRUNCATE;
            edo_await(rc, edo_file_open_at(NULL, fs_path("p"), flags, 0755, &self->file));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_write_all(edo_file_io(self->file), "#!/bin/true\n", 12));
            assert_int_equal(rc, 12);
            edo_file_close(self->file);
            run_program(fs_path("p"));
        }
        edo_return(0);
    }
}
