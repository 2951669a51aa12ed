/* Files on a disk that waits or fails, by the hook of the shim. */
#include "faults/shim.h"
#include "support/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Members that the hook uses are atomic, because it runs on the pool's threads. */
#define load(variable)         __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define store(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)
#define add(variable, value)   __atomic_add_fetch(&(variable), (value), __ATOMIC_ACQ_REL)

static int no_hook(void **state)
{
    faults_on_file_calls(NULL);
    return fs_tear_down(state);
}

#define disk_test(name, ...)                                                                       \
    fixture(fs_set_up, no_hook)                                                                    \
    async_test(name, __VA_ARGS__)

/* ---- a slow disk ---- */

static struct {
    ino_t slow;        // file whose calls wait
    pthread_t worker;  // thread of the tasks
    int gate[2];       // pipe: its end opens the gate
    int waiting;       // calls at the gate
    int on_the_worker; // calls that would have made the worker wait
} disk;

static bool is_slow(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && file.st_ino == disk.slow;
}

/* The cache has no page of the slow file, and its disk waits for the gate. */
static int wait_for_disk(const char *call, int fd)
{
    char byte;
    if (strncmp(call, "open", 4) == 0 || !is_slow(fd)) return 0;
    if (strcmp(call, "preadv2") == 0) return EAGAIN;
    if (pthread_equal(pthread_self(), disk.worker)) {
        add(disk.on_the_worker, 1);
        return 0;
    }
    add(disk.waiting, 1);
    (void)!read(disk.gate[0], &byte, 1);
    return 0;
}

static void slow_down(const char *name)
{
    struct stat file;
    memset(&disk, 0, sizeof disk);
    assert_return_code(stat(fs_path(name), &file), errno);
    assert_return_code(pipe2(disk.gate, O_CLOEXEC), errno);
    disk.slow = file.st_ino;
    disk.worker = pthread_self();
    faults_on_file_calls(wait_for_disk);
}

struct on_disk {
    edo_frame();
    edo_args(edo_op op; int *ended;);
};

edo_async(on_disk)
{
    edo_body {
        int64_t n;
        edo_await(n, self->op);
        add(*self->ended, 1);
        edo_return(n);
    }
}

enum { SLOW_CALLS = 6, ROUNDS = 10 };

/* A ring makes reads and writes itself, without the hook; but a sync, and the calls on whole files,
 * are made by the pool. */
struct slow {
    edo_frame();
    edo_args();
    edo_file *file;
    edo_task *tasks[SLOW_CALLS];
    edo_bytes bytes, other;
    edo_info info;
    int ended, i;
    char at[4], stream[4];
};

edo_async(slow)
{
    edo_body {
        int64_t n;
        const uint32_t flags = EDO_OPEN_READ | EDO_OPEN_WRITE;
        fs_write("slow", "text", 4);
        edo_await(n, edo_file_open(fs_path("slow"), flags, &self->file));
        assert_int_equal(n, 0);
        self->ended = 0;
        slow_down("slow");
        const edo_op ops[SLOW_CALLS] = {
            edo_file_sync(self->file),
            edo_file_sync_data(self->file),
            edo_file_read_whole(fs_path("slow"), &self->bytes),
            edo_file_read_at(self->file, self->at, 4, 0),
            edo_read(edo_file_io(self->file), self->stream, 4),
            edo_file_write_at(self->file, "more", 4, 4),
        };
        for (self->i = 0; self->i < SLOW_CALLS; self->i++)
            assert_int_equal(edo_spawn(&self->tasks[self->i], on_disk, .op = ops[self->i],
                                       .ended = &self->ended),
                             0);
        do {
            edo_await(n, edo_yield());
        } while (n == 0 && load(disk.waiting) + self->ended < SLOW_CALLS);
        assert_in_range(load(disk.waiting), 3, SLOW_CALLS);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            edo_await(n, edo_sleep(edo_ms(1)));
            assert_int_equal(n, 0);
            edo_await(n, edo_file_replace(fs_path("quick"), "q", 1));
            assert_int_equal(n, 0);
            edo_await(n, edo_file_read_whole(fs_path("quick"), &self->other));
            assert_int_equal(n, 1);
            edo_bytes_deinit(&self->other);
            edo_await(n, edo_path_info(fs_path("slow"), &self->info));
            assert_int_equal(n, 0);
        }
        assert_in_range(self->ended, 0, SLOW_CALLS - 3);
        close(disk.gate[1]);
        static const int64_t results[SLOW_CALLS] = { 0, 0, -1, 4, 4, 4 };
        for (self->i = 0; self->i < SLOW_CALLS; self->i++) {
            edo_await(n, edo_join(self->tasks[self->i]));
            if (results[self->i] >= 0) assert_int_equal(n, results[self->i]);
        }
        assert_int_equal(load(disk.on_the_worker), 0);
        assert_memory_equal(self->at, "text", 4);
        assert_memory_equal(self->stream, "text", 4);
        assert_memory_equal(self->bytes.data, "text", 4);
        edo_bytes_deinit(&self->bytes);
        edo_file_close(self->file);
        close(disk.gate[0]);
        edo_return(0);
    }
}

/* The test clock would stand still while a call of the pool is in flight. */
fixture(fs_set_up, no_hook)
test(no_worker_waits_for_a_disk)
{
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, slow), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- a disk that fails ---- */

static struct {
    const char *call;
    int error, after; // number of calls that are made before
} fault;

static int fail_call(const char *call, int fd)
{
    (void)fd;
    if (strcmp(call, fault.call) != 0 || add(fault.after, -1) >= 0) return 0;
    return fault.error;
}

static void fail_from_now(const char *call, int error, int after)
{
    fault.call = call;
    fault.error = error;
    store(fault.after, after);
    faults_on_file_calls(fail_call);
}

/* The kernel reports a lost page to one sync only, so all later syncs answer the error too. */
disk_test(a_failed_sync_is_its_result, edo_file *file;)
{
    edo_body {
        int64_t n;
        fs_write("f", "x", 1);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        fail_from_now("fsync", EIO, 0);
        edo_await(n, edo_file_sync_data(self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_sync(self->file));
        assert_int_equal(n, -EIO);
        faults_on_file_calls(NULL);
        edo_await(n, edo_file_sync(self->file));
        assert_int_equal(n, -EIO);
        edo_await(n, edo_file_sync_data(self->file));
        assert_int_equal(n, -EIO);
        edo_file_close(self->file);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE, &self->file));
        fail_from_now("fdatasync", ENOSPC, 0);
        edo_await(n, edo_file_sync_data(self->file));
        assert_int_equal(n, -ENOSPC);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* Counts the names in the directory of the test. */
#define count_names(ret)                                                                           \
    do {                                                                                           \
        int64_t rc_;                                                                               \
        edo_await(rc_, edo_dir_open(fs_path(""), &self->dir));                                     \
        assert_int_equal(rc_, 0);                                                                  \
        for ((ret) = 0;; (ret)++) {                                                                \
            edo_await(rc_, edo_dir_next(self->dir, &self->entry));                                 \
            if (rc_ <= 0) break;                                                                   \
        }                                                                                          \
        edo_dir_close(self->dir);                                                                  \
    } while (0)

/* Before the rename a failure keeps the old content, and leaves no other file. */
disk_test(a_failed_replace_keeps_the_old_content, edo_dir *dir; edo_entry entry; int i, count;)
{
    edo_body {
        int64_t n;
        static const char *const calls[] = { "writev", "fsync" };
        fs_write("f", "old", 3);
        for (self->i = 0; self->i < 2; self->i++) {
            fail_from_now(calls[self->i], EIO, 0);
            edo_await(n, edo_file_replace(fs_path("f"), "new", 3));
            assert_int_equal(n, -EIO);
            faults_on_file_calls(NULL);
            fs_expect("f", "old", 3);
            count_names(self->count);
            assert_int_equal(self->count, 1);
        }
        fail_from_now("fsync", EIO, 1); // the sync of the directory, after the rename
        edo_await(n, edo_file_replace(fs_path("f"), "new", 3));
        assert_int_equal(n, -EIO);
        faults_on_file_calls(NULL);
        fs_expect("f", "new", 3);
        count_names(self->count);
        assert_int_equal(self->count, 1);
        edo_return(0);
    }
}

disk_test(a_failed_transfer_is_its_result, edo_file *file; edo_bytes bytes; char byte;)
{
    edo_body {
        int64_t n;
        fs_write("f", "x", 1);
        fail_from_now("writev", EIO, 0);
        edo_await(n, edo_file_write_whole(fs_path("f"), "y", 1));
        assert_int_equal(n, -EIO);
        fs_write("f", "x", 1);
        fail_from_now("preadv2", EIO, 0);
        edo_await(n, edo_file_read_whole(fs_path("f"), &self->bytes));
        assert_int_equal(n, -EIO);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_read_at(self->file, &self->byte, 1, 0));
        assert_int_equal(n, -EIO);
        edo_await(n, edo_read(edo_file_io(self->file), &self->byte, 1));
        assert_int_equal(n, -EIO);
        edo_file_close(self->file);
        edo_return(0);
    }
}

static int without_cache(const char *call, int fd)
{
    (void)fd;
    return strcmp(call, "preadv2") == 0 ? EAGAIN : 0;
}

/* A vector is read whole by the pool, which uses the operation after the poll has returned. */
disk_test(a_vector_is_read_by_the_pool, edo_file *file; edo_slice parts[2]; char a[3], b[4];)
{
    edo_body {
        int64_t n;
        fs_write("f", "abcdefghij", 10);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        faults_on_file_calls(without_cache);
        self->parts[0] = (edo_slice){ self->a, sizeof self->a };
        self->parts[1] = (edo_slice){ self->b, sizeof self->b };
        edo_await(n, edo_readv(edo_file_io(self->file), self->parts, 2));
        assert_int_equal(n, 7);
        assert_memory_equal(self->a, "abc", 3);
        assert_memory_equal(self->b, "defg", 4);
        edo_await(n, edo_readv(edo_file_io(self->file), self->parts, 2));
        assert_int_equal(n, 3);
        assert_memory_equal(self->a, "hij", 3);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- the limit of watched directories ---- */

/* A new directory that cannot be watched is told as a loss. */
disk_test(too_many_watches_are_an_error, edo_watcher *watcher; edo_file_event event;)
{
    edo_body {
        int64_t n;
        assert_int_equal(mkdir(fs_path("d"), 0700), 0);
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        fail_from_now("inotify_add_watch", ENOSPC, 0);
        edo_await(n, edo_watcher_add(self->watcher, fs_path(""), 0));
        assert_int_equal(n, -ENOSPC);
        fail_from_now("inotify_add_watch", ENOSPC, 1); // in the tree
        edo_await(n, edo_watcher_add(self->watcher, fs_path(""), EDO_WATCH_TREE));
        assert_int_equal(n, -ENOSPC);
        faults_on_file_calls(NULL);
        assert_int_equal(mkdir(fs_path("unseen"), 0700), 0);
        edo_await(n, edo_watcher_add(self->watcher, fs_path(""), EDO_WATCH_TREE));
        assert_in_range(n, 1, INT32_MAX);
        fail_from_now("inotify_add_watch", ENOSPC, 0);
        assert_int_equal(mkdir(fs_path("e"), 0700), 0);
        edo_await(n, edo_watcher_next(self->watcher, &self->event));
        assert_int_equal(n, 1);
        assert_int_equal(self->event.kind, EDO_FILE_CREATED);
        assert_string_equal(self->event.path, fs_path("e"));
        edo_await(n, edo_watcher_next(self->watcher, &self->event));
        assert_int_equal(n, 1);
        assert_int_equal(self->event.kind, EDO_FILES_LOST);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- opens from the cache ---- */

static int cached_opens;
static bool refuses; // the next call

static int count_cached(const char *call, int fd)
{
    if (strcmp(call, "openat2") != 0) return 0;
    if (__atomic_exchange_n(&refuses, false, __ATOMIC_ACQ_REL)) return EINVAL;
    if (fd >= 0) add(cached_opens, 1);
    return 0;
}

/* A call that the kernel refuses as invalid would end the tries of the whole process. */
disk_test(every_path_is_tried_in_the_cache, edo_file *file; edo_info info; int before, seen;)
{
    edo_body {
        int64_t n;
        fs_write("f", "x", 1);
        cached_opens = 0;
        faults_on_file_calls(count_cached);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        self->before = cached_opens; // 0 on a kernel without such opens
        edo_await(n, edo_path_info(fs_path("f"), &self->info));
        assert_int_equal(n, 0);
        assert_int_equal(cached_opens, 2 * self->before);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_PATH, &self->file));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        assert_int_equal(cached_opens, 3 * self->before);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_PATH | EDO_OPEN_NO_MAGIC, &self->file));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        assert_int_equal(cached_opens, 4 * self->before);
        refuses = true; // as a file system without direct transfers
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        self->seen = load(cached_opens);
        edo_await(n, edo_path_info(fs_path("f"), &self->info));
        assert_int_equal(load(cached_opens), self->seen + self->before);
        edo_return(0);
    }
}

/* ---- the writer of a named pipe ---- */

static struct {
    pthread_t thread;
    const char *path;
    int written[2];  // pipe: its end tells that the writer has written, or failed
    int reading[2];  // pipe: its end tells that the reader has its own descriptor
    bool tried;      // a try has opened the pipe; atomic
    bool is_lost;    // the reader of the try has disappeared; atomic
    bool is_reading; // atomic
    int error;       // of the writer, or 0
} writer;

static void *write_to_pipe(void *arg)
{
    char byte;
    int fd = open(writer.path, O_WRONLY | O_CLOEXEC);
    writer.error = fd < 0 || write(fd, "alive", 5) != 5 ? errno : 0;
    close(writer.written[1]);
    (void)!read(writer.reading[0], &byte, 1);
    close(fd);
    return arg;
}

static bool has_reader(void)
{
    int fd = open(writer.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* Delays the blocking open until the writer has used the reader that it has found by the try. */
static int wait_for_writer(const char *call, int fd)
{
    char byte;
    bool reads = strcmp(call, "readv") == 0 || strcmp(call, "preadv2") == 0;
    if (strcmp(call, "openat2") == 0 && fd >= 0) store(writer.tried, true);
    if (strcmp(call, "openat") == 0 && load(writer.tried)) {
        store(writer.is_lost, !has_reader());
        if (!load(writer.is_lost)) (void)!read(writer.written[0], &byte, 1);
    }
    if (reads && !load(writer.is_reading)) {
        store(writer.is_reading, true);
        close(writer.reading[1]);
    }
    return 0;
}

static void start_writer(void)
{
    signal(SIGPIPE, SIG_IGN);
    memset(&writer, 0, sizeof writer);
    writer.path = fs_path("pipe");
    assert_return_code(mkfifo(writer.path, 0600), errno);
    assert_return_code(pipe2(writer.written, O_CLOEXEC), errno);
    assert_return_code(pipe2(writer.reading, O_CLOEXEC), errno);
    assert_int_equal(pthread_create(&writer.thread, NULL, write_to_pipe, NULL), 0);
    faults_on_file_calls(wait_for_writer);
}

static void end_writer(void)
{
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
    close(writer.written[0]);
    close(writer.reading[0]);
    assert_false(writer.is_lost);
    assert_int_equal(writer.error, 0);
}

disk_test(a_waiting_writer_survives_an_open, edo_file *file; char text[5];)
{
    edo_body {
        int64_t n;
        start_writer();
        edo_await(n, edo_file_open(fs_path("pipe"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(edo_file_io(self->file), self->text, 5));
        end_writer();
        assert_int_equal(n, 5);
        assert_memory_equal(self->text, "alive", 5);
        edo_file_close(self->file);
        edo_return(0);
    }
}

disk_test(a_waiting_writer_survives_a_read_of_the_whole, edo_bytes bytes;)
{
    edo_body {
        int64_t n;
        start_writer();
        edo_await(n, edo_file_read_whole(fs_path("pipe"), &self->bytes));
        end_writer();
        assert_int_equal(n, 5);
        assert_memory_equal(self->bytes.data, "alive", 5);
        edo_bytes_deinit(&self->bytes);
        edo_return(0);
    }
}
