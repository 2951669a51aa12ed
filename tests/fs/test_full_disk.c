/* A full disk: a file system of 1 MiB in memory, in a child's own namespace of mounts. */
#include "support/files.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <edo/edo.h>

enum { DISK_SIZE = 1024 * 1024, DATA_SIZE = DISK_SIZE + DISK_SIZE / 2, NO_NAMESPACE = 77 };

static char data[DATA_SIZE];

/* Runs a function while the test's directory is the small disk. */
static void run_on_disk(void *function)
{
    edo_runtime *runtime;
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) _exit(NO_NAMESPACE);
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) _exit(NO_NAMESPACE);
    if (mount("edo", fs_path(""), "tmpfs", 0, "size=1m") < 0) _exit(NO_NAMESPACE);
    for (size_t i = 0; i < DATA_SIZE; i++)
        data[i] = (char)(i / 4096 + i % 251);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    (*(void (**)(edo_runtime *))function)(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

static void expect_on_disk(void (*function)(edo_runtime *runtime))
{
    static char text[4096];
    int status = run_in_child(run_on_disk, (void *)&function, text, sizeof text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_NAMESPACE) skip();
    if (status != 0) fail_msg("%s", text);
}

#define disk_test(name)                                                                            \
    static void name##_on(edo_runtime *runtime)                                                    \
    {                                                                                              \
        assert_int_equal(edo_block_on(runtime, name), 0);                                          \
    }                                                                                              \
    fixture(fs_set_up, fs_tear_down)                                                               \
    test(name)                                                                                     \
    {                                                                                              \
        expect_on_disk(name##_on);                                                                 \
    }

/* ---- writes ---- */

enum { FILLS = 8 };

/* Several times, because a ring does not always make the write itself. */
struct a_write_counts_what_the_disk_took {
    edo_frame();
    edo_args();
    edo_file *file;
    edo_op write;
    edo_slice parts[2];
    edo_info info;
    int i;
};

edo_async(a_write_counts_what_the_disk_took)
{
    edo_body {
        int64_t n;
        static const uint32_t flags = EDO_OPEN_WRITE | EDO_OPEN_CREATE | EDO_OPEN_TRUNCATE;
        for (self->i = 0; self->i < FILLS; self->i++) {
            edo_await(n, edo_file_open(fs_path("f"), flags, &self->file));
            assert_int_equal(n, 0);
            self->parts[0] = (edo_slice){ data, DISK_SIZE / 4 };
            self->parts[1] = (edo_slice){ data + DISK_SIZE / 4, DATA_SIZE - DISK_SIZE / 4 };
            self->write = self->i % 2 ? edo_writev_all(edo_file_io(self->file), self->parts, 2)
                                      : edo_write_all(edo_file_io(self->file), data, DATA_SIZE);
            edo_await_on(n, &self->write.base);
            assert_int_equal(n, -ENOSPC);
            assert_in_range(edo_op_progress(&self->write), DISK_SIZE / 2, DISK_SIZE);
            edo_await(n, edo_file_info(self->file, &self->info));
            assert_int_equal(self->info.size, edo_op_progress(&self->write));
            edo_await(n, edo_file_seek(self->file, 0, EDO_SEEK_CURRENT));
            assert_int_equal(n, self->info.size);
            fs_expect("f", data, self->info.size);
            edo_await(n, edo_write(edo_file_io(self->file), data, DATA_SIZE));
            assert_int_equal(n, -ENOSPC);
            edo_file_close(self->file);
        }
        edo_return(0);
    }
}

disk_test(a_write_counts_what_the_disk_took)

    struct room_is_made_for_the_next_write {
    edo_frame();
    edo_args();
    edo_file *file;
};

edo_async(room_is_made_for_the_next_write)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_write_at(self->file, data, DATA_SIZE, 0));
        assert_in_range(n, DISK_SIZE / 2, DISK_SIZE);
        edo_await(n, edo_file_write_at(self->file, data, DATA_SIZE, DISK_SIZE));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_file_allocate(self->file, 0, DATA_SIZE, 0));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_file_truncate(self->file, 100));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_write_at(self->file, data + 100, 4096, 100));
        assert_int_equal(n, 4096);
        edo_file_close(self->file);
        fs_expect("f", data, 4196);
        edo_return(0);
    }
}

disk_test(room_is_made_for_the_next_write)

    /* ---- a buffered writer ---- */

    enum {
        PENDING = 10000
    };

struct unwritten_bytes_stay_in_the_writer {
    edo_frame();
    edo_args();
    edo_file *file;
    edo_writer writer;
    size_t lost;
    int i;
    char memory[PENDING];
};

edo_async(unwritten_bytes_stay_in_the_writer)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        assert_int_equal(n, 0);
        edo_writer_init(&self->writer, edo_file_io(self->file), self->memory, PENDING);
        edo_await(n, edo_file_write_whole(fs_path("filling"), data, DATA_SIZE));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_writer_write(&self->writer, data, PENDING / 2));
        assert_int_equal(n, PENDING / 2);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_await(n, edo_flush(&self->writer));
            assert_int_equal(n, -ENOSPC);
            assert_int_equal(edo_writer_pending(&self->writer), PENDING / 2);
        }
        edo_await(n, edo_path_remove(fs_path("filling")));
        assert_int_equal(n, 0);
        edo_await(n, edo_flush(&self->writer));
        assert_int_equal(n, 0);
        fs_expect("f", data, PENDING / 2);
        edo_await(n, edo_file_write_whole(fs_path("filling"), data, DATA_SIZE));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_writer_write(&self->writer, data, PENDING));
        self->lost = edo_writer_deinit(&self->writer);
        edo_file_close(self->file);
        assert_true(n == PENDING || n == -ENOSPC);
        assert_in_range(self->lost, 1, PENDING);
        edo_return(0);
    }
}

disk_test(unwritten_bytes_stay_in_the_writer)

    /* ---- whole files ---- */

    enum {
        LARGE_SIZE = DISK_SIZE * 5 / 8
    }; // two do not fit

struct a_replacement_needs_room_for_both {
    edo_frame();
    edo_args();
    edo_dir *dir;
    edo_entry entry;
    int names;
};

edo_async(a_replacement_needs_room_for_both)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_write_whole(fs_path("f"), data, LARGE_SIZE));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_replace(fs_path("f"), data + 1, LARGE_SIZE));
        assert_int_equal(n, -ENOSPC);
        edo_await(n, edo_path_copy(fs_path("f"), fs_path("g"), EDO_COPY_NO_SHARING));
        assert_int_equal(n, -ENOSPC);
        fs_expect("f", data, LARGE_SIZE);
        edo_await(n, edo_dir_open(fs_path(""), &self->dir));
        assert_int_equal(n, 0);
        for (self->names = 0;; self->names++) {
            edo_await(n, edo_dir_next(self->dir, &self->entry));
            assert_in_range(n, 0, 1);
            if (n == 0) break;
        }
        edo_dir_close(self->dir);
        assert_int_equal(self->names, 1); // no temporary file is left
        edo_await(n, edo_file_replace(fs_path("f"), data + 1, DISK_SIZE / 4));
        assert_int_equal(n, 0);
        fs_expect("f", data + 1, DISK_SIZE / 4);
        edo_return(0);
    }
}

disk_test(a_replacement_needs_room_for_both)
