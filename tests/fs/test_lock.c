/* Locks, attributes, times and other calls on open files. */
#include "support/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- locks ---- */

struct locker {
    edo_frame();
    edo_args(edo_file *file; edo_file_lock_kind kind; uint64_t offset, size; bool *locked;);
};

edo_async(locker)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_file_lock(self->file, self->kind, self->offset, self->size));
        if (rc == 0) *self->locked = true;
        edo_return(rc);
    }
}

fs_test(a_lock_waits_for_the_other_file, edo_file *a, *b; edo_task * task; bool locked;)
{
    edo_body {
        int64_t rc;
        const uint32_t flags = EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE;
        self->locked = false;
        edo_await(rc, edo_file_open(fs_path("f"), flags, &self->a));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->b));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_lock(self->a, EDO_LOCK_EXCLUSIVE, 0, 0));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_try_lock(self->b, EDO_LOCK_SHARED, 0, 0));
        assert_int_equal(rc, -EAGAIN);
        assert_int_equal(edo_spawn(&self->task, locker, .file = self->b, .kind = EDO_LOCK_EXCLUSIVE,
                                   .locked = &self->locked),
                         0);
        edo_await(rc, edo_sleep(edo_s(2)));
        assert_false(self->locked);
        edo_await(rc, edo_file_unlock(self->a, 0, 0));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_await_for(rc, edo_s(1), edo_file_lock(self->a, EDO_LOCK_SHARED, 0, 0));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_file_close(self->b); // ends its locks
        edo_await(rc, edo_file_lock(self->a, EDO_LOCK_SHARED, 0, 0));
        assert_int_equal(rc, 0);
        edo_file_close(self->a);
        edo_return(0);
    }
}

fs_test(ranges_are_locked_separately, edo_file *a, *b;)
{
    edo_body {
        int64_t rc;
        const uint32_t flags = EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE;
        edo_await(rc, edo_file_open(fs_path("f"), flags, &self->a));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_READ, &self->b));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_lock(self->a, EDO_LOCK_EXCLUSIVE, 10, 10));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_try_lock(self->b, EDO_LOCK_SHARED, 19, 1));
        assert_int_equal(rc, -EAGAIN);
        edo_await(rc, edo_file_try_lock(self->b, EDO_LOCK_SHARED, 20, 1));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_try_lock(self->b, EDO_LOCK_SHARED, 20, 1));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_try_lock(self->b, EDO_LOCK_EXCLUSIVE, 30, 1));
        assert_int_equal(rc, -EBADF); // not open for writing
        edo_await(rc, edo_file_lock(self->b, (edo_file_lock_kind)7, 0, 1));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_file_lock(self->b, EDO_LOCK_SHARED, INT64_MAX, 2));
        assert_int_equal(rc, -EINVAL);
        edo_file_close(self->a);
        edo_file_close(self->b);
        edo_return(0);
    }
}

/* ---- metadata ---- */

fs_test(metadata_is_read_and_changed, edo_file *file; edo_info info; edo_file_time a, b;)
{
    edo_body {
        int64_t rc;
        struct stat seen;
        fs_write("f", "12345", 5);
        edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_set_mode(self->file, 0604));
        assert_int_equal(rc, 0);
        self->a = (edo_file_time){ .seconds = 1000, .nanoseconds = 5 };
        self->b = (edo_file_time){ .seconds = -2000, .nanoseconds = 999999999 };
        edo_await(rc, edo_file_set_times(self->file, &self->a, &self->b));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_set_owner(self->file, EDO_SAME, EDO_SAME));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_info(self->file, &self->info));
        assert_int_equal(rc, 0);
        assert_int_equal(stat(fs_path("f"), &seen), 0);
        assert_int_equal(self->info.kind, EDO_IS_FILE);
        assert_int_equal(self->info.size, 5);
        assert_int_equal(self->info.mode, 0604);
        assert_int_equal(self->info.inode, seen.st_ino);
        assert_int_equal(self->info.device, seen.st_dev);
        assert_int_equal(self->info.user, seen.st_uid);
        assert_int_equal(self->info.access.seconds, 1000);
        assert_int_equal(self->info.change.seconds, -2000);
        assert_int_equal(self->info.change.nanoseconds, 999999999);
        if (self->info.has_birth) assert_true(self->info.birth.seconds > 1000000000);
        self->b.nanoseconds = EDO_TIME_NOW;
        edo_await(rc, edo_path_set_times_at(NULL, fs_path("f"), NULL, &self->b));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_info(fs_path("f"), &self->info));
        assert_int_equal(rc, 0);
        assert_int_equal(self->info.access.seconds, 1000);
        assert_true(self->info.change.seconds > 1000000000);
        edo_await(rc, edo_path_set_mode_at(NULL, fs_path("f"), 0600));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_set_owner_at(NULL, fs_path("f"), EDO_SAME, EDO_SAME));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_info(fs_path("none"), &self->info));
        assert_int_equal(rc, -ENOENT);
        edo_file_close(self->file);
        edo_return(0);
    }
}

fs_test(attributes_are_kept, edo_file *file; char value[64];)
{
    edo_body {
        int64_t n;
        fs_write("f", "", 0);
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_xattr_set(self->file, "user.edo", "value", 5));
        if (n == -EOPNOTSUPP) {
            edo_file_close(self->file);
            edo_return(0);
        }
        assert_int_equal(n, 0);
        edo_await(n, edo_file_xattr_get(self->file, "user.edo", NULL, 0));
        assert_int_equal(n, 5);
        edo_await(n, edo_file_xattr_get(self->file, "user.edo", self->value, 64));
        assert_int_equal(n, 5);
        assert_memory_equal(self->value, "value", 5);
        edo_await(n, edo_file_xattr_get(self->file, "user.edo", self->value, 2));
        assert_int_equal(n, -ERANGE);
        edo_await(n, edo_file_xattr_list(self->file, self->value, 64));
        assert_in_range(n, 9, 64);
        edo_await(n, edo_path_copy(fs_path("f"), fs_path("g"), 0));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_xattr_remove(self->file, "user.edo"));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_xattr_get(self->file, "user.edo", self->value, 64));
        assert_int_equal(n, -ENODATA);
        edo_file_close(self->file);
        edo_await(n, edo_file_open(fs_path("g"), EDO_OPEN_READ, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_xattr_get(self->file, "user.edo", self->value, 64));
        assert_int_equal(n, 5);
        edo_file_close(self->file);
        edo_return(0);
    }
}

fs_test(size_and_disk_are_managed, edo_file *file; edo_info info; char buffer[8];)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE,
                                    &self->file));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_write_at(self->file, "0123456789", 10, 0));
        assert_int_equal(rc, 10);
        edo_await(rc, edo_file_truncate(self->file, 5));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_allocate(self->file, 0, 1 << 20, EDO_ALLOCATE_KEEP_SIZE));
        if (rc != -EOPNOTSUPP) {
            assert_int_equal(rc, 0);
            edo_await(rc, edo_file_info(self->file, &self->info));
            assert_int_equal(self->info.size, 5);
            assert_in_range(self->info.allocated, 1 << 20, 1 << 21);
            edo_await(rc, edo_file_allocate(self->file, 1, 2, EDO_ALLOCATE_PUNCH));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_file_read_at(self->file, self->buffer, 8, 0));
            assert_int_equal(rc, 5);
            assert_memory_equal(self->buffer, "0\0\000034", 3);
        }
        edo_await(rc, edo_file_allocate(self->file, 0, 1, 64));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_file_advise(self->file, 0, 0, EDO_ADVICE_SEQUENTIAL));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_advise(self->file, 0, 0, (edo_advice)99));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_file_sync_data(self->file));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_file_sync(self->file));
        assert_int_equal(rc, 0);
        edo_file_close(self->file);
        edo_return(0);
    }
}
