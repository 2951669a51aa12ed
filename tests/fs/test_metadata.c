/* Owners, permissions and attributes of copies and replacements. */
#include "support/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "fs/fs.h"

/* ---- files of other users ---- */

enum {
    ALICE = 1234, // user and group of the old file
    BOB = 4321,
    SHARED = 5555, // a group of Bob's
    RUNS_AS_OWNER = 06755,
};

/* Makes a file whose programs run with the rights of its user and its group. */
static void make_program(const char *name, uid_t user, gid_t group)
{
    fs_write(name, "#!/bin/sh\n", 10);
    assert_int_equal(chown(fs_path(name), user, group), 0);
    assert_int_equal(chmod(fs_path(name), RUNS_AS_OWNER), 0);
}

static void expect_owner(const char *name, uid_t user, gid_t group, mode_t mode)
{
    struct stat info;
    assert_int_equal(stat(fs_path(name), &info), 0);
    assert_int_equal(info.st_uid, user);
    assert_int_equal(info.st_gid, group);
    assert_int_equal(info.st_mode & 07777, mode);
}

fs_test(a_copy_does_not_run_as_its_new_owner)
{
    edo_body {
        int64_t n;
        if (geteuid() != 0) edo_return(0);
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        make_program("t/f", ALICE, ALICE);
        make_program("t/group", ALICE, getegid());
        make_program("t/mine", geteuid(), getegid());
        edo_await(n, edo_path_copy(fs_path("t/f"), fs_path("f"), 0));
        assert_int_equal(n, 10);
        expect_owner("f", geteuid(), getegid(), 0755);
        edo_await(n, edo_path_copy(fs_path("t/f"), fs_path("f"), EDO_COPY_REPLACE));
        assert_int_equal(n, 10);
        expect_owner("f", geteuid(), getegid(), 0755);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), 0));
        assert_int_equal(n, 3);
        expect_owner("u/f", geteuid(), getegid(), 0755);
        expect_owner("u/group", geteuid(), getegid(), 02755);
        expect_owner("u/mine", geteuid(), getegid(), RUNS_AS_OWNER);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("v"), EDO_COPY_OWNER));
        assert_int_equal(n, 3);
        expect_owner("v/f", ALICE, ALICE, RUNS_AS_OWNER);
        edo_return(0);
    }
}

struct replaces {
    edo_frame();
    edo_args();
};

/* Bob may not set the user. He may set a group that he is in. */
edo_async(replaces)
{
    edo_body {
        static const gid_t group = SHARED;
        int64_t n;
        edo_await(n, edo_file_replace(fs_path("kept"), "new", 3));
        assert_int_equal(n, 0);
        assert_int_equal(setgroups(1, &group), 0);
        assert_int_equal(setresgid(BOB, BOB, BOB), 0);
        assert_int_equal(setresuid(BOB, BOB, BOB), 0);
        edo_await(n, edo_file_replace(fs_path("f"), "new", 3));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_replace(fs_path("shared"), "new", 3));
        assert_int_equal(n, 0);
        edo_return(0);
    }
}

static void replace_as_bob(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, replaces), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

fixture(fs_set_up, fs_tear_down)
test(a_replacement_does_not_run_as_its_new_owner)
{
    if (geteuid() != 0) skip();
    make_program("kept", ALICE, ALICE);
    make_program("f", ALICE, ALICE);
    make_program("shared", ALICE, SHARED);
    assert_int_equal(chmod(fs_path(""), 0777), 0);
    expect_success_in_child(replace_as_bob, NULL);
    expect_owner("kept", ALICE, ALICE, RUNS_AS_OWNER);
    expect_owner("f", BOB, BOB, 0755);
    expect_owner("shared", BOB, SHARED, 02755);
}

/* A change of the owner removes the capabilities of a program. */
fs_test(a_copy_keeps_the_capabilities_of_a_program)
{
    edo_body {
        static const uint8_t may_bind[20] = { [3] = 2, [5] = 4 }; // revision 2, net_bind_service
        static const char *const copies[] = { "f", "g", "u/f" };
        uint8_t value[sizeof may_bind];
        int64_t n;
        if (geteuid() != 0) edo_return(0);
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        make_program("t/f", ALICE, ALICE);
        if (setxattr(fs_path("t/f"), "security.capability", may_bind, sizeof may_bind, 0) < 0)
            edo_return(0);
        edo_await(n, edo_path_copy(fs_path("t/f"), fs_path("f"), EDO_COPY_OWNER));
        assert_int_equal(n, 10);
        edo_await(n, edo_path_copy(fs_path("t/f"), fs_path("g"), 0));
        assert_int_equal(n, 10);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), EDO_COPY_OWNER));
        assert_int_equal(n, 1);
        for (int i = 0; i < 3; i++) {
            n = getxattr(fs_path(copies[i]), "security.capability", value, sizeof value);
            assert_int_equal(n, sizeof value);
            assert_memory_equal(value, may_bind, sizeof value);
        }
        expect_owner("f", ALICE, ALICE, RUNS_AS_OWNER);
        expect_owner("u/f", ALICE, ALICE, RUNS_AS_OWNER);
        edo_return(0);
    }
}

/* ---- open pipes ---- */

static bool is_nonblocking(const edo_file *file)
{
    return fcntl(file->stream.fd, F_GETFL) & O_NONBLOCK;
}

/* A pipe that blocks would stop the thread of a later read. */
fs_test(changes_of_a_pipe_leave_it_nonblocking, edo_file *file; edo_file_time time;)
{
    edo_body {
        int64_t n;
        assert_int_equal(mkfifo(fs_path("pipe"), 0600), 0);
        edo_await(n, edo_file_open(fs_path("pipe"), EDO_OPEN_READ | EDO_OPEN_WRITE, &self->file));
        assert_int_equal(n, 0);
        assert_true(is_nonblocking(self->file));
        edo_await(n, edo_file_set_mode(self->file, 0640));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_set_owner(self->file, geteuid(), getegid()));
        assert_int_equal(n, 0);
        self->time = (edo_file_time){ .seconds = 1000 };
        edo_await(n, edo_file_set_times(self->file, &self->time, &self->time));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_sync(self->file));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_file_write_at(self->file, "x", 1, 0));
        assert_int_equal(n, -ESPIPE);
        assert_true(is_nonblocking(self->file));
        edo_file_close(self->file);
        edo_return(0);
    }
}

/* ---- extended attributes ---- */

enum { LARGE = 65536, LONG_NAMES = 40, LONG_NAME = 200, SHM_PATH_SIZE = 32 };

static char shm[SHM_PATH_SIZE], shm_file[2 * SHM_PATH_SIZE], shm_copy[2 * SHM_PATH_SIZE];

/* Makes a directory in memory, because few other file systems permit attributes of this size. */
static int shm_set_up(void **state)
{
    snprintf(shm, sizeof shm, "/dev/shm/edo-XXXXXX");
    assert_non_null(mkdtemp(shm));
    snprintf(shm_file, sizeof shm_file, "%s/f", shm);
    snprintf(shm_copy, sizeof shm_copy, "%s/g", shm);
    return fs_set_up(state);
}

static int shm_tear_down(void **state)
{
    remove_tree(shm);
    return fs_tear_down(state);
}

static const char *long_name(int number)
{
    static char name[LONG_NAME];
    int size = snprintf(name, sizeof name, "user.%d", number);
    memset(name + size, 'n', LONG_NAME - 1 - (size_t)size);
    return name;
}

/* Returns: whether the system permits such attributes. */
static bool make_attributes(void)
{
    static char value[LARGE];
    memset(value, 'v', LARGE);
    FILE *file = fopen(shm_file, "w");
    assert_non_null(file);
    fclose(file);
    if (setxattr(shm_file, "user.large", value, LARGE, 0) < 0) return false;
    for (int i = 0; i < LONG_NAMES; i++)
        if (setxattr(shm_file, long_name(i), "v", 1, 0) < 0) return false;
    return true;
}

fixture(shm_set_up, shm_tear_down)
async_test(large_attributes_are_copied_or_refused)
{
    edo_body {
        static char value[LARGE];
        int64_t n;
        if (!make_attributes()) edo_return(0);
        edo_await(n, edo_path_copy(shm_file, shm_copy, 0));
        assert_int_equal(n, 0);
        assert_int_equal(getxattr(shm_copy, "user.large", value, LARGE), LARGE);
        assert_int_equal(value[LARGE - 1], 'v');
        for (int i = 0; i < LONG_NAMES; i++)
            assert_int_equal(getxattr(shm_copy, long_name(i), value, LARGE), 1);
        edo_await(n, edo_path_copy(shm_file, fs_path("f"), 0));
        if (n < 0) assert_false(fs_exists("f"));
        if (n == 0 && getxattr(fs_path("f"), "user.large", value, LARGE) < 0)
            assert_int_equal(errno, EOPNOTSUPP);
        edo_return(0);
    }
}

enum { NO_WRITES = 0500 };

/* Makes a directory with an attribute. Returns: whether the system permits the attribute. */
static bool make_tagged(const char *dir, const char *value)
{
    assert_int_equal(mkdir(dir, 0700), 0);
    if (setxattr(dir, "user.tag", value, strlen(value), 0) < 0) return false;
    return chmod(dir, NO_WRITES) == 0;
}

static void expect_tagged(const char *dir, const char *value, int64_t seconds)
{
    char text[16];
    struct stat info;
    ssize_t size = getxattr(dir, "user.tag", text, sizeof text);
    assert_int_equal(size, strlen(value));
    assert_memory_equal(text, value, (size_t)size);
    assert_int_equal(stat(dir, &info), 0);
    assert_int_equal(info.st_mode & 07777, NO_WRITES);
    assert_int_equal(info.st_mtim.tv_sec, seconds);
}

fixture(shm_set_up, shm_tear_down)
async_test(directories_are_copied_with_their_attributes, char from[64], to[64], file[64], above[64];)
{
    edo_body {
        const struct timespec times[2] = { { 1000, 0 }, { 2000, 0 } };
        int64_t n;
        snprintf(self->above, 64, "%s/t", shm);
        snprintf(self->from, 64, "%s/t/d", shm);
        snprintf(self->file, 64, "%s/t/d/f", shm);
        snprintf(self->to, 64, "%s/u", shm);
        if (!make_tagged(self->above, "root")) edo_return(0);
        assert_int_equal(chmod(self->above, 0700), 0);
        assert_true(make_tagged(self->from, "below"));
        assert_int_equal(chmod(self->from, 0700), 0);
        assert_int_equal(symlink("nowhere", self->file), 0);
        assert_int_equal(chmod(self->from, NO_WRITES), 0);
        assert_int_equal(chmod(self->above, NO_WRITES), 0);
        assert_int_equal(utimensat(AT_FDCWD, self->from, times, 0), 0);
        assert_int_equal(utimensat(AT_FDCWD, self->above, times, 0), 0);
        edo_await(n, edo_path_copy_tree(self->above, self->to, 0));
        assert_int_equal(n, 2);
        expect_tagged(self->to, "root", 2000);
        snprintf(self->from, 64, "%s/u/d", shm);
        expect_tagged(self->from, "below", 2000);
        edo_return(0);
    }
}
