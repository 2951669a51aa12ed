/* Files: opening, the stream, transfers at offsets, metadata. */
#include "support/files.h"

#include <edo/edo.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ---- */

fs_test(a_file_is_written_and_read, edo_file *file; char buffer[16];)
{
    edo_body {
        int64_t n;
        edo_await(n,
                  edo_file_open(fs_path("a"), EDO_OPEN_WRITE | EDO_OPEN_CREATE_NEW, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(edo_file_io(self->file), "hello ", 6));
        assert_int_equal(n, 6);
        edo_await(n, edo_write_all(edo_file_io(self->file), "world", 5));
        assert_int_equal(n, 5);
        edo_file_close(self->file);
        edo_await(n, edo_file_open(fs_path("a"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(edo_file_io(self->file), self->buffer, 11));
        assert_int_equal(n, 11);
        assert_memory_equal(self->buffer, "hello world", 11);
        edo_await(n, edo_read(edo_file_io(self->file), self->buffer, 1));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        edo_return(0);
    }
}

struct refused {
    const char *name;
    uint32_t flags;
    int result;
};

static const struct refused refusals[] = {
    { "none", EDO_OPEN_READ, -ENOENT },
    { "none", 0, -EINVAL },
    { "none", EDO_OPEN_CREATE, -EINVAL },
    { "none", EDO_OPEN_READ | EDO_OPEN_CREATE, -EINVAL },
    { "none", EDO_OPEN_READ | EDO_OPEN_TRUNCATE, -EINVAL },
    { "none", EDO_OPEN_APPEND | EDO_OPEN_TRUNCATE, -EINVAL },
    { "none", EDO_OPEN_PATH | EDO_OPEN_READ, -EINVAL },
    { "none", 1u << 30 | EDO_OPEN_READ, -EINVAL },
    { "file", EDO_OPEN_WRITE | EDO_OPEN_CREATE_NEW, -EEXIST },
    { "file", EDO_OPEN_READ | EDO_OPEN_DIRECTORY, -ENOTDIR },
    { "file/x", EDO_OPEN_READ, -ENOTDIR },
    { "link", EDO_OPEN_READ | EDO_OPEN_NO_FOLLOW, -ELOOP },
    { "link", EDO_OPEN_WRITE | EDO_OPEN_CREATE_NEW, -EEXIST },
    { "link", EDO_OPEN_READ | EDO_OPEN_NO_LINKS, -ELOOP },
};

fs_test(bad_opens_are_refused, edo_file *file; size_t i;)
{
    edo_body {
        int64_t rc;
        fs_write("file", "x", 1);
        assert_int_equal(symlink("file", fs_path("link")), 0);
        for (self->i = 0; self->i < ARRAY_LENGTH(refusals); self->i++) {
            edo_await(rc, edo_file_open(fs_path(refusals[self->i].name), refusals[self->i].flags,
                                        &self->file));
            assert_int_equal(rc, refusals[self->i].result);
        }
        edo_await(rc, edo_file_open(NULL, EDO_OPEN_READ, &self->file));
        assert_int_equal(rc, -EINVAL);
        edo_return(0);
    }
}

fs_test(a_path_stays_beneath_its_directory, edo_file *dir, *file;)
{
    edo_body {
        int64_t rc;
        fs_write("secret", "x", 1);
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        fs_write("d/own", "y", 1);
        assert_int_equal(symlink("../secret", fs_path("d/way-out")), 0);
        edo_await(rc, edo_file_open(fs_path("d"), EDO_OPEN_PATH, &self->dir));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_open_at(self->dir, "own", EDO_OPEN_READ | EDO_OPEN_BENEATH, 0,
                                       &self->file));
        assert_int_equal(rc, 0);
        edo_file_close(self->file);
        edo_await(rc, edo_file_open_at(self->dir, "way-out", EDO_OPEN_READ | EDO_OPEN_BENEATH, 0,
                                       &self->file));
        assert_int_equal(rc, -EXDEV);
        edo_await(rc, edo_file_open_at(self->dir, "../secret", EDO_OPEN_READ | EDO_OPEN_BENEATH, 0,
                                       &self->file));
        assert_int_equal(rc, -EXDEV);
        edo_await(rc, edo_file_open_at(self->dir, "/own", EDO_OPEN_READ | EDO_OPEN_IN_ROOT, 0,
                                       &self->file));
        assert_int_equal(rc, 0);
        edo_file_close(self->file);
        edo_await(rc, edo_file_open_at(self->dir, "../secret", EDO_OPEN_READ, 0, &self->file));
        assert_int_equal(rc, 0);
        edo_file_close(self->file);
        edo_file_close(self->dir);
        edo_return(0);
    }
}

/* The mode of a temporary file is right from the first moment, also with umask 0. */
fs_test(a_temporary_file_is_private_and_gets_a_name, edo_file *file; edo_info info; mode_t before;)
{
    edo_body {
        int64_t rc;
        self->before = umask(0);
        edo_await(rc, edo_file_open_temporary(fs_path(""), &self->file));
        umask(self->before);
        if (rc == -EOPNOTSUPP) edo_return(0);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_info(self->file, &self->info));
        assert_int_equal(rc, 0);
        assert_int_equal(self->info.mode, 0600);
        assert_int_equal(self->info.links, 0);
        edo_await(rc, edo_file_write_at(self->file, "text", 4, 0));
        assert_int_equal(rc, 4);
        edo_await(rc, edo_file_link(self->file, NULL, fs_path("named")));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_link(self->file, NULL, fs_path("named")));
        assert_int_equal(rc, -EEXIST);
        edo_file_close(self->file);
        fs_expect("named", "text", 4);
        edo_return(0);
    }
}

/* ---- transfers ---- */

enum { BIG = 700 * 1000 };

fs_test(transfers_at_offsets_are_whole, edo_file *file; char *data, *back; edo_slice slices[3];)
{
    edo_body {
        int64_t n;
        self->data = malloc(BIG);
        self->back = malloc(BIG + 1);
        fill_pattern(self->data, BIG, 7, 0);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE,
                                   &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_write_at(self->file, self->data, BIG, 5));
        assert_int_equal(n, BIG);
        edo_await(n, edo_file_read_at(self->file, self->back, BIG + 1, 5));
        assert_int_equal(n, BIG);
        assert_true(is_pattern(self->back, BIG, 7, 0));
        edo_await(n, edo_file_read_at(self->file, self->back, 10, 0));
        assert_int_equal(n, 10);
        assert_memory_equal(self->back, "\0\0\0\0\0", 5);
        assert_true(is_pattern(self->back + 5, 5, 7, 0));
        edo_await(n, edo_file_read_at(self->file, self->back, 10, BIG + 5));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_read_at(self->file, self->back, 10, UINT64_MAX));
        assert_int_equal(n, -EINVAL);
        self->slices[0] = (edo_slice){ "ab", 2 };
        self->slices[1] = (edo_slice){ NULL, 0 };
        self->slices[2] = (edo_slice){ "cde", 3 };
        edo_await(n, edo_file_writev_at(self->file, self->slices, 3, 1));
        assert_int_equal(n, 5);
        self->slices[0] = (edo_slice){ self->back, 3 };
        self->slices[1] = (edo_slice){ self->back + 3, 3 };
        edo_await(n, edo_file_readv_at(self->file, self->slices, 2, 0));
        assert_int_equal(n, 6);
        assert_memory_equal(self->back, "\0abcde", 6);
        edo_await(n, edo_file_readv_at(self->file, self->slices, 0, 0));
        assert_int_equal(n, -EINVAL);
        edo_file_close(self->file);
        free(self->data);
        free(self->back);
        edo_return(0);
    }
}

/* The system ignores the offset for such a file, so edo refuses it. */
fs_test(a_file_that_appends_has_no_offsets, edo_file *file; edo_slice slice;)
{
    edo_body {
        int64_t n;
        fs_write("log", "one\n", 4);
        edo_await(n, edo_file_open(fs_path("log"), EDO_OPEN_APPEND, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_write_at(self->file, "X", 1, 0));
        assert_int_equal(n, -EINVAL);
        self->slice = (edo_slice){ "X", 1 };
        edo_await(n, edo_file_writev_at(self->file, &self->slice, 1, 0));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_write_all(edo_file_io(self->file), "two\n", 4));
        assert_int_equal(n, 4);
        edo_file_close(self->file);
        fs_expect("log", "one\ntwo\n", 8);
        edo_return(0);
    }
}

fs_test(the_position_moves, edo_file *file; char buffer[8];)
{
    edo_body {
        int64_t n;
        fs_write("f", "0123456789", 10);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_seek(self->file, -3, EDO_SEEK_END));
        assert_int_equal(n, 7);
        edo_await(n, edo_read(edo_file_io(self->file), self->buffer, 8));
        assert_int_equal(n, 3);
        assert_memory_equal(self->buffer, "789", 3);
        edo_await(n, edo_file_seek(self->file, -9, EDO_SEEK_CURRENT));
        assert_int_equal(n, 1);
        edo_await(n, edo_file_seek(self->file, -2, EDO_SEEK_CURRENT));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_file_seek(self->file, 4, EDO_SEEK_HOLE));
        assert_int_equal(n, 10);
        edo_await(n, edo_file_seek(self->file, 10, EDO_SEEK_DATA));
        assert_int_equal(n, -ENXIO);
        edo_await(n, edo_file_seek(self->file, 0, (edo_seek)9));
        assert_int_equal(n, -EINVAL);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* A write is ready when the system has the data. */
fs_test(another_descriptor_sees_a_write_at_once, edo_file *file; int i;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        assert_int_equal(n, 0);
        for (self->i = 1; self->i <= 500; self->i++) {
            struct stat stat_now;
            edo_await(n, edo_write(edo_file_io(self->file), "x", 1));
            assert_int_equal(n, 1);
            assert_int_equal(stat(fs_path("f"), &stat_now), 0);
            assert_int_equal(stat_now.st_size, self->i);
        }
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- a shared position ---- */

/* "< file" of a shell: what one program does not read is read by the next one. */
fs_test(a_wrapped_descriptor_keeps_its_position, edo_file *file; int fd; char buffer[8];)
{
    edo_body {
        int64_t n;
        fs_write("in", "abcdef", 6);
        self->fd = open(fs_path("in"), O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(self->fd, self->buffer, 1), 1);
        assert_int_equal(edo_file_from_fd(self->fd, &self->file), 0);
        edo_await(n, edo_read(edo_file_io(self->file), self->buffer, 2));
        assert_int_equal(n, 2);
        assert_memory_equal(self->buffer, "bc", 2);
        assert_int_equal(edo_file_into_fd(self->file), self->fd);
        assert_int_equal(read(self->fd, self->buffer, 8), 3);
        assert_memory_equal(self->buffer, "def", 3);
        close(self->fd);
        assert_int_equal(edo_file_from_fd(self->fd, &self->file), -EBADF);
        assert_int_equal(edo_file_from_fd(0, NULL), -EINVAL);
        edo_return(0);
    }
}

/* ---- utilities of streams ---- */

fs_test(lines_of_a_file_are_read, edo_file *file; edo_reader reader; char memory[64];
        edo_slice line; int count;)
{
    edo_body {
        int64_t n;
        fs_write("lines", "one\ntwo\nthree", 13);
        edo_await(n, edo_file_open(fs_path("lines"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_reader_init(&self->reader, edo_file_io(self->file), self->memory, 64);
        for (self->count = 0;; self->count++) {
            edo_await(n, edo_read_line(&self->reader, &self->line));
            if (n <= 0) break;
        }
        assert_int_equal(n, 0);
        assert_int_equal(self->count, 3);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- two writers at one position ---- */

/* An operation on a file. As soon as the operation has moved the file's position, another writer
 * writes through the same open file, before the operation is polled again. */
typedef struct overtaken {
    edo_future base;
    edo_op op;
    int fd;
    off_t from;
    bool is_written;
} overtaken;

static edo_poll overtaken_poll(edo_future *future, edo_cx *cx)
{
    overtaken *self = (overtaken *)(void *)future;
    if (!self->is_written && lseek(self->fd, 0, SEEK_CUR) != self->from) {
        assert_int_equal(write(self->fd, "other", 5), 5);
        self->is_written = true;
    }
    if (edo_poll_future(&self->op.base, cx) == EDO_PENDING) return EDO_PENDING;
    self->base.result = self->op.base.result;
    return EDO_READY;
}

static overtaken overtake(edo_op op, int fd)
{
    static const edo_future_ops ops = { .name = "overtaken",
                                        .poll = overtaken_poll,
                                        .kind = EDO_KIND_OWNER };
    return (overtaken){ .base.ops = &ops, .op = op, .fd = fd, .from = lseek(fd, 0, SEEK_CUR) };
}

/* Whole vectors, and a read of fewer bytes than its buffer has. */
fs_test(another_writer_at_the_position_is_not_overwritten, edo_file *file; overtaken transfer;
        edo_slice parts[2]; char buffer[16]; int fd;)
{
    edo_body {
        int64_t n;
        const uint32_t both = EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE;
        edo_await(n, edo_file_open(fs_path("f"), both, &self->file));
        assert_int_equal(n, 0);
        self->fd = dup(edo_file_fd(self->file));
        self->parts[0] = (edo_slice){ "ab", 2 };
        self->parts[1] = (edo_slice){ "cd", 2 };
        self->transfer = overtake(edo_writev(edo_file_io(self->file), self->parts, 2), self->fd);
        edo_await_on(n, &self->transfer.base);
        assert_int_equal(n, 4);
        if (!self->transfer.is_written) assert_int_equal(write(self->fd, "other", 5), 5);
        edo_await(n, edo_write(edo_file_io(self->file), "ef", 2));
        assert_int_equal(n, 2);
        fs_expect("f", "abcdotheref", 11);
        edo_await(n, edo_file_seek(self->file, 6, EDO_SEEK_SET));
        assert_int_equal(n, 6);
        edo_await(n, edo_file_sync(self->file));
        edo_await(n, edo_file_advise(self->file, 0, 0, EDO_ADVICE_DONT_NEED)); // for the ring
        self->transfer = overtake(edo_read(edo_file_io(self->file), self->buffer, 16), self->fd);
        edo_await_on(n, &self->transfer.base);
        assert_int_equal(n, 5);
        if (!self->transfer.is_written) assert_int_equal(write(self->fd, "other", 5), 5);
        edo_await(n, edo_write(edo_file_io(self->file), "gh", 2));
        assert_int_equal(n, 2);
        fs_expect("f", "abcdotherefothergh", 18);
        close(self->fd);
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- given-up rights ---- */

enum { NOBODY = 65534 };

struct forbidden {
    edo_frame();
    edo_args();
    edo_file *file;
    edo_bytes bytes;
    int round;
};

edo_async(forbidden)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 2; self->round++) {
            edo_await(n, edo_file_open(fs_path("secret"), EDO_OPEN_READ, &self->file));
            assert_int_equal(n, self->round ? -EACCES : 0);
            if (n == 0) edo_file_close(self->file);
            edo_await(n, edo_file_read_whole(fs_path("secret"), &self->bytes));
            assert_int_equal(n, self->round ? -EACCES : 4);
            if (n > 0) edo_bytes_deinit(&self->bytes);
            edo_await(n, edo_file_write_whole(fs_path("secret"), "text", 4));
            assert_int_equal(n, self->round ? -EACCES : 0);
            edo_await(n, edo_file_replace(fs_path("secret"), "text", 4));
            assert_int_equal(n, self->round ? -EACCES : 0);
            if (self->round == 0) assert_int_equal(setuid(NOBODY), 0);
        }
        edo_return(0);
    }
}

static void give_up_rights(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, forbidden), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Threads of the pool, and a ring, that were made before have no more rights than the process. */
fixture(fs_set_up, fs_tear_down)
test(rights_that_are_given_up_are_gone)
{
    if (geteuid() != 0) skip();
    fs_write("secret", "text", 4);
    assert_int_equal(chmod(fs_path("secret"), 0600), 0);
    assert_int_equal(chmod(fs_path(""), 0755), 0);
    expect_success_in_child(give_up_rights, NULL);
}
