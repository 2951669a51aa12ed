/* Whole files in one call: read, write, replace. */
#include "support/files.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BIG = 20 * 1000 * 1000 + 7 };

fs_test(whole_files_are_read, edo_bytes bytes; char *big;)
{
    edo_body {
        int64_t n;
        fs_write("small", "some text", 9);
        fs_write("empty", "", 0);
        edo_await(n, edo_file_read_whole(fs_path("small"), &self->bytes));
        assert_int_equal(n, 9);
        assert_int_equal(self->bytes.size, 9);
        assert_memory_equal(self->bytes.data, "some text", 9);
        edo_bytes_deinit(&self->bytes);
        edo_await(n, edo_file_read_whole(fs_path("empty"), &self->bytes));
        assert_int_equal(n, 0);
        assert_int_equal(self->bytes.size, 0);
        edo_bytes_deinit(&self->bytes);
        self->big = malloc(BIG);
        fill_pattern(self->big, BIG, 3, 0);
        fs_write("big", self->big, BIG);
        free(self->big);
        edo_await(n, edo_file_read_whole(fs_path("big"), &self->bytes));
        assert_int_equal(n, BIG);
        assert_true(is_pattern(self->bytes.data, BIG, 3, 0));
        edo_bytes_deinit(&self->bytes);
        edo_await(n, edo_file_read_whole(fs_path("none"), &self->bytes));
        assert_int_equal(n, -ENOENT);
        edo_await(n, edo_file_read_whole(fs_path(""), &self->bytes));
        assert_int_equal(n, -EISDIR);
        edo_return(0);
    }
}

/* The system reports size 0 for files of /proc. */
fs_test(a_file_of_unknown_size_is_read, edo_bytes bytes;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_read_whole("/proc/self/maps", &self->bytes));
        assert_in_range(n, 100, 10000000);
        assert_int_equal(self->bytes.size, n);
        assert_int_equal(self->bytes.data[n - 1], '\n');
        edo_bytes_deinit(&self->bytes);
        edo_return(0);
    }
}

fs_test(whole_files_are_written, struct stat info;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_write_whole(fs_path("f"), "long content", 12));
        assert_int_equal(n, 0);
        fs_expect("f", "long content", 12);
        edo_await(n, edo_file_write_whole(fs_path("f"), "short", 5));
        assert_int_equal(n, 0);
        fs_expect("f", "short", 5);
        edo_await(n, edo_file_write_whole(fs_path("none/f"), "x", 1));
        assert_int_equal(n, -ENOENT);
        edo_await(n, edo_file_write_whole(fs_path("g"), NULL, 0));
        assert_int_equal(n, 0);
        fs_expect("g", "", 0);
        edo_return(0);
    }
}

/* The reader of the old file keeps it. The new file has the old one's permissions. */
fs_test(a_file_is_replaced, edo_file *old, *dir; char buffer[8]; edo_info info;)
{
    edo_body {
        int64_t n;
        fs_write("f", "old", 3);
        assert_int_equal(chmod(fs_path("f"), 0640), 0);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->old));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_replace(fs_path("f"), "new content", 11));
        assert_int_equal(n, 0);
        fs_expect("f", "new content", 11);
        edo_await(n, edo_read(edo_file_io(self->old), self->buffer, 8));
        assert_int_equal(n, 3);
        assert_memory_equal(self->buffer, "old", 3);
        edo_file_close(self->old);
        edo_await(n, edo_path_info(fs_path("f"), &self->info));
        assert_int_equal(self->info.mode, 0640);
        edo_await(n, edo_file_open(fs_path(""), EDO_OPEN_PATH, &self->dir));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_replace_at(self->dir, "made", "first", 5));
        assert_int_equal(n, 0);
        fs_expect("made", "first", 5);
        edo_await(n, edo_file_replace_at(self->dir, ".", "first", 5));
        assert_int_equal(n, -EISDIR);
        edo_await(n, edo_file_replace_at(self->dir, "none/f", "first", 5));
        assert_int_equal(n, -ENOENT);
        edo_file_close(self->dir);
        edo_return(0);
    }
}

fs_test(a_replaced_symlink_is_not_followed, edo_info info;)
{
    edo_body {
        int64_t n;
        fs_write("target", "kept", 4);
        assert_int_equal(symlink("target", fs_path("link")), 0);
        edo_await(n, edo_file_replace(fs_path("link"), "new", 3));
        assert_int_equal(n, 0);
        fs_expect("target", "kept", 4);
        edo_await(n, edo_path_link_info(fs_path("link"), &self->info));
        assert_int_equal(self->info.kind, EDO_IS_FILE);
        edo_return(0);
    }
}

/* ---- a crash during a replacement ---- */

enum { CRASHES = 40, SIZES = 200000 };

struct replacer {
    edo_frame();
    edo_args();
    char *data;
    uint64_t round;
};

edo_async(replacer)
{
    edo_body {
        int64_t n;
        self->data = malloc(SIZES);
        for (self->round = 0;; self->round++) {
            memset(self->data, 'a' + (int)(self->round % 26), SIZES);
            edo_await(n, edo_file_replace(fs_path("f"), self->data, SIZES - self->round % 1000));
            if (n < 0) edo_return(n);
        }
    }
}

static void replace_for_ever(void *arg)
{
    (void)arg;
    edo_run(replacer);
}

/* The content is all of one round: one letter, and the round's size. */
static void check_content(void)
{
    char *data = malloc(SIZES + 1);
    FILE *file = fopen(fs_path("f"), "r");
    assert_non_null(file);
    size_t size = fread(data, 1, SIZES + 1, file);
    fclose(file);
    assert_in_range(size, SIZES - 999, SIZES);
    for (size_t i = 1; i < size; i++)
        assert_int_equal(data[i], data[0]);
    free(data);
}

fixture(fs_set_up, fs_tear_down)
test(a_crash_leaves_the_old_file_or_the_new_one)
{
    char *first = malloc(SIZES);
    memset(first, 'a', SIZES);
    fs_write("f", first, SIZES);
    free(first);
    test_random random = test_random_make(1);
    for (int i = 0; i < CRASHES; i++) {
        int child = start_child(replace_for_ever, NULL);
        usleep((useconds_t)test_random_below(&random, 20000)); // a random moment, not a limit
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = await_child(child);
        assert_true(WIFSIGNALED(status));
        check_content();
    }
}

/* ---- a full disk ---- */

enum { LIMIT = 100000 };

struct fill_up {
    edo_frame();
    edo_args();
    edo_file *file;
    char *data;
    edo_op write;
};

/* A limit of size is answered, and does not end the process by SIGXFSZ. */
edo_async(fill_up)
{
    edo_body {
        int64_t n;
        self->data = calloc(1, (size_t)LIMIT * 2);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        assert_int_equal(n, 0);
        self->write = edo_write_all(edo_file_io(self->file), self->data, (size_t)LIMIT * 2);
        edo_await_on(n, &self->write.base);
        assert_int_equal(n, -EFBIG);
        assert_int_equal(edo_op_progress(&self->write), LIMIT);
        edo_await(n, edo_file_write_at(self->file, self->data, 100, LIMIT - 10));
        assert_int_equal(n, 10);
        edo_await(n, edo_file_write_at(self->file, self->data, 100, LIMIT));
        assert_int_equal(n, -EFBIG);
        edo_await(n, edo_file_truncate(self->file, (uint64_t)LIMIT * 2));
        assert_int_equal(n, -EFBIG);
        edo_file_close(self->file);
        edo_await(n, edo_file_replace(fs_path("g"), self->data, (size_t)LIMIT * 2));
        assert_int_equal(n, -EFBIG);
        assert_false(fs_exists("g"));
        edo_await(n, edo_path_copy(fs_path("large"), fs_path("h"), EDO_COPY_NO_SHARING));
        assert_int_equal(n, -EFBIG);
        assert_false(fs_exists("h"));
        free(self->data);
        edo_return(0);
    }
}

static void fill_limited(void *arg)
{
    struct rlimit limit = { LIMIT, LIMIT };
    (void)arg;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(edo_run(fill_up), 0);
}

fixture(fs_set_up, fs_tear_down)
test(a_limit_of_size_is_an_error)
{
    static const char large[2 * LIMIT];
    fs_write("large", large, sizeof large);
    expect_success_in_child(fill_limited, NULL);
}
