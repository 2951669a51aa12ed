/* Names, directories and trees. */
#include "support/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs/tree.h"

/* ---- names ---- */

fs_test(files_are_renamed, edo_file *dir;)
{
    edo_body {
        int64_t rc;
        fs_write("a", "A", 1);
        fs_write("b", "B", 1);
        edo_await(rc, edo_file_open(fs_path(""), EDO_OPEN_PATH, &self->dir));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_rename_at(self->dir, "a", self->dir, "b", EDO_RENAME_NO_REPLACE));
        assert_int_equal(rc, -EEXIST);
        edo_await(rc, edo_path_rename_at(self->dir, "a", self->dir, "b", EDO_RENAME_EXCHANGE));
        assert_int_equal(rc, 0);
        fs_expect("a", "B", 1);
        fs_expect("b", "A", 1);
        edo_await(rc, edo_path_rename_at(self->dir, "a", self->dir, "b", 3));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_path_rename(fs_path("a"), fs_path("b")));
        assert_int_equal(rc, 0);
        fs_expect("b", "B", 1);
        assert_false(fs_exists("a"));
        edo_await(rc, edo_path_rename(fs_path("a"), fs_path("b")));
        assert_int_equal(rc, -ENOENT);
        edo_file_close(self->dir);
        edo_return(0);
    }
}

fs_test(links_are_made_read_and_resolved, char text[256]; edo_info info;)
{
    edo_body {
        int64_t n;
        fs_write("f", "x", 1);
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        edo_await(n, edo_path_link(fs_path("f"), fs_path("g")));
        assert_int_equal(n, 0);
        edo_await(n, edo_path_info(fs_path("f"), &self->info));
        assert_int_equal(self->info.links, 2);
        edo_await(n, edo_path_symlink("../f", fs_path("d/s")));
        assert_int_equal(n, 0);
        edo_await(n, edo_path_read_link(fs_path("d/s"), self->text, sizeof self->text));
        assert_int_equal(n, 4);
        assert_string_equal(self->text, "../f");
        edo_await(n, edo_path_read_link(fs_path("d/s"), self->text, 4));
        assert_int_equal(n, -ENAMETOOLONG);
        edo_await(n, edo_path_read_link(fs_path("f"), self->text, 4));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_path_canonical(fs_path("d/../d/s"), self->text, sizeof self->text));
        assert_int_equal(n, strlen(fs_path("f")));
        assert_string_equal(self->text, fs_path("f"));
        edo_await(n, edo_path_canonical(fs_path("none"), self->text, sizeof self->text));
        assert_int_equal(n, -ENOENT);
        edo_await(n, edo_path_link_info(fs_path("d/s"), &self->info));
        assert_int_equal(self->info.kind, EDO_IS_SYMLINK);
        edo_await(n, edo_path_remove(fs_path("d/s")));
        assert_int_equal(n, 0);
        edo_await(n, edo_path_remove(fs_path("d")));
        assert_int_equal(n, -EISDIR);
        edo_await(n, edo_path_remove_dir(fs_path("d")));
        assert_int_equal(n, 0);
        edo_return(0);
    }
}

fs_test(directories_are_made, edo_info info;)
{
    edo_body {
        int64_t rc;
        fs_write("f", "x", 1);
        edo_await(rc, edo_path_make_dirs(fs_path("a/b//c/d")));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_make_dirs(fs_path("a/b/c/d/")));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_info(fs_path("a/b/c/d"), &self->info));
        assert_int_equal(rc, 0);
        assert_int_equal(self->info.kind, EDO_IS_DIRECTORY);
        edo_await(rc, edo_path_make_dirs(fs_path("f")));
        assert_int_equal(rc, -EEXIST);
        edo_await(rc, edo_path_make_dirs(fs_path("f/x")));
        assert_int_equal(rc, -ENOTDIR);
        edo_await(rc, edo_path_make_dir(fs_path("a")));
        assert_int_equal(rc, -EEXIST);
        edo_return(0);
    }
}

/* ---- entries ---- */

enum { MANY = 1200 }; // more than one batch

fs_test(all_entries_are_reported_once, edo_dir *dir; edo_entry entry; int i; bool *seen;)
{
    edo_body {
        int64_t rc;
        self->seen = calloc(MANY, sizeof *self->seen);
        for (self->i = 0; self->i < MANY; self->i++) {
            char name[32];
            snprintf(name, sizeof name, "file-%d", self->i);
            fs_write(name, "", 0);
        }
        edo_await(rc, edo_dir_open(fs_path(""), &self->dir));
        assert_int_equal(rc, 0);
        for (self->i = 0;; self->i++) {
            int number;
            edo_await(rc, edo_dir_next(self->dir, &self->entry));
            if (rc <= 0) break;
            assert_int_equal(sscanf(self->entry.name, "file-%d", &number), 1);
            assert_int_equal(strlen(self->entry.name), self->entry.size);
            assert_int_equal(self->entry.kind, EDO_IS_FILE);
            assert_false(self->seen[number]);
            self->seen[number] = true;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->i, MANY);
        edo_await(rc, edo_dir_next(self->dir, &self->entry));
        assert_int_equal(rc, 0);
        edo_dir_close(self->dir);
        free(self->seen);
        edo_await(rc, edo_dir_open(fs_path("file-1"), &self->dir));
        assert_int_equal(rc, -ENOTDIR);
        edo_return(0);
    }
}

/* The system refuses to read a removed directory, which has no entries. */
fs_test(a_removed_directory_has_no_entries, edo_dir *dir; edo_entry entry;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        edo_await(rc, edo_dir_open(fs_path("d"), &self->dir));
        assert_int_equal(rc, 0);
        assert_int_equal(rmdir(fs_path("d")), 0);
        edo_await(rc, edo_dir_next(self->dir, &self->entry));
        assert_int_equal(rc, 0);
        edo_dir_close(self->dir);
        edo_return(0);
    }
}

/* Names are bytes, of any value except NUL and '/'. */
fs_test(names_are_bytes, edo_dir *dir; edo_entry entry;)
{
    edo_body {
        int64_t rc;
        fs_write("\x80\xff\n\x01", "x", 1);
        edo_await(rc, edo_dir_open(fs_path(""), &self->dir));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_dir_next(self->dir, &self->entry));
        assert_int_equal(rc, 1);
        assert_string_equal(self->entry.name, "\x80\xff\n\x01");
        edo_dir_close(self->dir);
        edo_return(0);
    }
}

/* ---- walks ---- */

enum { DEEP = 40 };

static void make_deep(void)
{
    char path[DEEP * 2 + 8] = "t";
    assert_int_equal(mkdir(fs_path(path), 0755), 0);
    for (int i = 0; i < DEEP; i++) {
        char file[sizeof path + 8];
        snprintf(file, sizeof file, "%s/1", path);
        fs_write(file, "1", 1);
        snprintf(file, sizeof file, "%s/3", path);
        fs_write(file, "3", 1);
        strcat(path, "/2");
        assert_int_equal(mkdir(fs_path(path), 0755), 0);
    }
}

fs_test(a_deep_tree_needs_few_descriptors, edo_walk *walk; edo_walk_entry entry; int files, dirs;
        size_t before, most;)
{
    edo_body {
        int64_t rc;
        make_deep();
        self->before = self->most = open_descriptors();
        self->files = self->dirs = 0;
        edo_await(rc, edo_walk_open(fs_path("t"), 0, 4, &self->walk));
        assert_int_equal(rc, 0);
        for (;;) {
            edo_await(rc, edo_walk_next(self->walk, &self->entry));
            if (rc <= 0) break;
            size_t now = open_descriptors();
            if (now > self->most) self->most = now;
            assert_int_equal(self->entry.error, 0);
            assert_int_equal(strlen(self->entry.path), self->entry.size);
            bool is_dir = self->entry.kind == EDO_IS_DIRECTORY;
            assert_int_equal(self->entry.name[0] == '2', is_dir);
            assert_true(fs_exists(self->entry.path + strlen(fs_path("")) + 1));
            self->files += !is_dir;
            self->dirs += is_dir;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->files, 2 * DEEP);
        assert_int_equal(self->dirs, DEEP);
        assert_in_range(self->most, self->before, self->before + 5);
        edo_walk_close(self->walk);
        edo_return(0);
    }
}

/* Opens descriptors until the process may have `rest` more. Returns: their number. */
static int fill_descriptors(int *fds, int room, int rest)
{
    int count = 0;
    for (; count < room; count++)
        if ((fds[count] = dup(STDERR_FILENO)) < 0) break;
    assert_int_equal(errno, EMFILE);
    for (int i = 0; i < rest; i++)
        close(fds[--count]);
    return count;
}

/* Even for a moment, a tree has no descriptor more than it may have. */
fixture(fs_set_up, fs_tear_down)
test(a_tree_never_exceeds_its_descriptors)
{
    enum { ROOM = 256, MOST = 4 };
    int fds[ROOM], count, entries = 0;
    struct rlimit before, few = { .rlim_cur = ROOM };
    edo__tree tree;
    int64_t event;
    make_deep();
    int fd = open(fs_path("t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    count = fill_descriptors(fds, ROOM, MOST - 1); // the tree has one already
    assert_int_equal(edo__tree_open(&tree, fd, "", 0, MOST), 0);
    while ((event = edo__tree_next(&tree)) > EDO__TREE_END) {
        if (event == EDO__TREE_ERROR) break;
        entries += event == EDO__TREE_ENTRY;
    }
    edo__tree_close(&tree);
    while (count)
        close(fds[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(event, EDO__TREE_END);
    assert_int_equal(entries, 3 * DEEP);
}

fs_test(a_walk_skips_and_follows, edo_walk *walk; edo_walk_entry entry; int count, round;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/d"), 0755), 0);
        fs_write("t/d/inner", "", 0);
        assert_int_equal(symlink("..", fs_path("t/d/loop")), 0);
        assert_int_equal(symlink("none", fs_path("t/d/broken")), 0);
        for (self->round = 0; self->round < 3; self->round++) {
            uint32_t flags = self->round == 2 ? EDO_WALK_FOLLOW : 0;
            edo_await(rc, edo_walk_open(fs_path("t"), flags, 0, &self->walk));
            assert_int_equal(rc, 0);
            for (self->count = 0;; self->count++) {
                edo_await(rc, edo_walk_next(self->walk, &self->entry));
                if (rc <= 0) break;
                bool is_d = strcmp(self->entry.name, "d") == 0;
                assert_int_equal(self->entry.depth, is_d ? 1 : 2);
                if (self->round == 1 && is_d) assert_int_equal(edo_walk_skip(self->walk), 0);
                if (!is_d && !self->round) assert_int_equal(edo_walk_skip(self->walk), -EINVAL);
            }
            assert_int_equal(rc, 0);
            assert_int_equal(self->count, self->round == 1 ? 1 : 4);
            edo_walk_close(self->walk);
        }
        edo_await(rc, edo_walk_open(fs_path("none"), 0, 0, &self->walk));
        assert_int_equal(rc, -ENOENT);
        edo_return(0);
    }
}

/* ---- trees ---- */

fs_test(a_tree_is_removed)
{
    edo_body {
        int64_t n;
        make_deep();
        fs_write("kept", "x", 1);
        assert_int_equal(symlink("../kept", fs_path("t/link")), 0);
        assert_int_equal(symlink("..", fs_path("t/up")), 0);
        edo_await(n, edo_path_remove_tree(fs_path("t/")));
        assert_int_equal(n, 3 * DEEP + 3);
        assert_false(fs_exists("t"));
        fs_expect("kept", "x", 1);
        edo_await(n, edo_path_remove_tree(fs_path("t")));
        assert_int_equal(n, -ENOENT);
        edo_await(n, edo_path_remove_tree(fs_path("kept")));
        assert_int_equal(n, 1);
        assert_int_equal(symlink(".", fs_path("self")), 0);
        edo_await(n, edo_path_remove_tree(fs_path("self/")));
        assert_int_equal(n, 1);
        edo_return(0);
    }
}

enum { NOBODY = 65534 };

struct removes_unreadable {
    edo_frame();
    edo_args();
};

edo_async(removes_unreadable)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_path_remove_tree(fs_path("open/t")));
        assert_int_equal(n, 3);
        edo_await(n, edo_path_remove_tree(fs_path("open/empty")));
        assert_int_equal(n, 1);
        edo_await(n, edo_path_remove_tree(fs_path("open/full")));
        assert_int_equal(n, -EACCES);
        edo_return(0);
    }
}

/* Makes the trees and removes them, as a user to whom permissions apply. */
static void remove_unreadable(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    if (geteuid() == 0) assert_int_equal(setuid(NOBODY), 0);
    assert_int_equal(mkdir(fs_path("open/t"), 0700), 0);
    assert_int_equal(mkdir(fs_path("open/t/empty"), 0), 0);
    fs_write("open/t/f", "x", 1);
    assert_int_equal(mkdir(fs_path("open/empty"), 0), 0);
    assert_int_equal(mkdir(fs_path("open/full"), 0700), 0);
    fs_write("open/full/f", "x", 1);
    assert_int_equal(chmod(fs_path("open/full"), 0), 0);
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, removes_unreadable), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(chmod(fs_path("open/full"), 0700), 0);
}

/* An empty directory can be removed even if it cannot be opened. */
fixture(fs_set_up, fs_tear_down)
test(an_unreadable_directory_is_removed_if_it_is_empty)
{
    assert_int_equal(mkdir(fs_path("open"), 0777), 0);
    assert_int_equal(chmod(fs_path(""), 0755), 0);
    assert_int_equal(chmod(fs_path("open"), 0777), 0);
    expect_success_in_child(remove_unreadable, NULL);
}

/* The system would refuse to remove such a directory itself, after its content was removed. */
fs_test(a_tree_is_removed_only_by_its_name, edo_file *dir; size_t i;)
{
    static const char *const paths[] = { "t/.", "t/./", "t/d/..", "t/d/..//" };
    edo_body {
        int64_t n;
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/d"), 0755), 0);
        fs_write("t/f", "x", 1);
        fs_write("t/d/f", "x", 1);
        for (self->i = 0; self->i < sizeof paths / sizeof *paths; self->i++) {
            edo_await(n, edo_path_remove_tree(fs_path(paths[self->i])));
            assert_int_equal(n, -EINVAL);
        }
        edo_await(n, edo_file_open(fs_path("t/d"), EDO_OPEN_PATH, &self->dir));
        assert_int_equal(n, 0);
        edo_await(n, edo_path_remove_tree_at(self->dir, "."));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_path_remove_tree_at(self->dir, ".."));
        assert_int_equal(n, -EINVAL);
        edo_file_close(self->dir);
        fs_expect("t/f", "x", 1);
        fs_expect("t/d/f", "x", 1);
        assert_int_equal(mkdir(fs_path("t/d/..."), 0755), 0);
        edo_await(n, edo_path_remove_tree(fs_path("t/d/.../")));
        assert_int_equal(n, 1);
        edo_return(0);
    }
}

/* The same at the worst moment: between the report of a directory and its open. */
fixture(fs_set_up, fs_tear_down)
test(a_directory_that_became_a_symlink_is_not_entered)
{
    edo__tree tree;
    assert_int_equal(mkdir(fs_path("t"), 0755), 0);
    assert_int_equal(mkdir(fs_path("t/d"), 0755), 0);
    assert_int_equal(mkdir(fs_path("outside"), 0755), 0);
    fs_write("outside/canary", "x", 1);
    int fd = open(fs_path("t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(edo__tree_open(&tree, fd, "", 0, 0), 0);
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_ENTRY);
    assert_int_equal(rmdir(fs_path("t/d")), 0);
    assert_int_equal(symlink("../outside", fs_path("t/d")), 0);
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_ERROR);
    assert_true(tree.error == -ENOTDIR || tree.error == -ELOOP);
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_END);
    edo__tree_close(&tree);
}

/* Without memory for the path of a directory, that directory is not entered: the path in the tree is
 * still that of another file. */
fixture(fs_set_up, fs_tear_down)
test(a_directory_without_memory_for_its_path_is_not_entered)
{
    enum { NAME = 255 };
    char name[NAME + 1], path[2 * NAME + 8];
    edo__tree tree;
    memset(name, 'n', NAME);
    name[NAME] = '\0';
    assert_int_equal(mkdir(fs_path("t"), 0755), 0);
    int fd = open(fs_path("t"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/%s", name, name);
    assert_int_equal(mkdirat(fd, name, 0755), 0);
    assert_int_equal(mkdirat(fd, path, 0755), 0);
    test_allocator_install();
    assert_int_equal(edo__tree_open(&tree, fd, "", 0, 0), 0);
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_ENTRY);
    test_allocator_fail_at(2); // the first is that of the level
    assert_int_equal(edo__tree_next(&tree), -ENOMEM);
    assert_true(test_allocator_has_failed());
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_LEAVE);
    assert_int_equal(edo__tree_next(&tree), EDO__TREE_END);
    edo__tree_close(&tree);
    test_allocator_remove();
}

/* A directory that is swapped with a symlink all the time. */
struct swapper {
    char dir[512], link[512], other[512];
    bool ends;
};

static void *swap_for_long(void *arg)
{
    struct swapper *swapper = arg;
    while (!__atomic_load_n(&swapper->ends, __ATOMIC_ACQUIRE)) {
        rename(swapper->dir, swapper->other);
        rename(swapper->link, swapper->dir);
        rename(swapper->dir, swapper->link);
        rename(swapper->other, swapper->dir);
    }
    return NULL;
}

enum { RACES = 40 };

fs_test(a_symlink_that_is_swapped_in_is_not_followed, pthread_t thread; struct swapper swapper;
        int i;)
{
    edo_body {
        int64_t n;
        assert_int_equal(mkdir(fs_path("outside"), 0755), 0);
        fs_write("outside/canary", "alive", 5);
        snprintf(self->swapper.dir, sizeof self->swapper.dir, "%s", fs_path("t/d"));
        snprintf(self->swapper.link, sizeof self->swapper.link, "%s", fs_path("away-link"));
        snprintf(self->swapper.other, sizeof self->swapper.other, "%s", fs_path("away-dir"));
        self->swapper.ends = false;
        assert_int_equal(pthread_create(&self->thread, NULL, swap_for_long, &self->swapper), 0);
        for (self->i = 0; self->i < RACES; self->i++) {
            mkdir(fs_path("t"), 0755);
            mkdir(fs_path("t/d"), 0755);
            if (symlink("outside", fs_path("away-link")) == 0 || errno == EEXIST)
                edo_await(n, edo_path_remove_tree(fs_path("t")));
        }
        __atomic_store_n(&self->swapper.ends, true, __ATOMIC_RELEASE);
        pthread_join(self->thread, NULL);
        fs_expect("outside/canary", "alive", 5);
        edo_return(0);
    }
}

fs_test(a_tree_is_copied, edo_info info, copy_info; edo_file * file;)
{
    edo_body {
        int64_t n;
        make_deep();
        assert_int_equal(symlink("../kept", fs_path("t/link")), 0);
        assert_int_equal(mkfifo(fs_path("t/pipe"), 0644), 0);
        assert_int_equal(chmod(fs_path("t/2"), 0711), 0);
        assert_int_equal(chmod(fs_path("t/1"), 0604), 0);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), 0));
        assert_int_equal(n, 3 * DEEP + 1);
        fs_expect("u/1", "1", 1);
        fs_expect("u/2/2/3", "3", 1);
        assert_false(fs_exists("u/pipe"));
        edo_await(n, edo_path_link_info(fs_path("u/link"), &self->info));
        assert_int_equal(self->info.kind, EDO_IS_SYMLINK);
        edo_await(n, edo_path_info(fs_path("u/1"), &self->info));
        assert_int_equal(self->info.mode, 0604);
        edo_await(n, edo_path_info(fs_path("t/2"), &self->info));
        edo_await(n, edo_path_info(fs_path("u/2"), &self->copy_info));
        assert_int_equal(self->copy_info.mode, 0711);
        assert_int_equal(self->copy_info.change.seconds, self->info.change.seconds);
        assert_int_equal(self->copy_info.change.nanoseconds, self->info.change.nanoseconds);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), 0));
        assert_int_equal(n, -EEXIST);
        fs_write("t/1", "other", 5);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), EDO_COPY_REPLACE));
        assert_int_equal(n, 3 * DEEP + 1);
        fs_expect("u/1", "other", 5);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("t/inside"), 0));
        assert_int_equal(n, 3 * DEEP + 1);
        assert_false(fs_exists("t/inside/inside"));
        edo_return(0);
    }
}

enum { LONG_NAME = 200, LONG_DEPTH = 30, LONG_MODE = 0500 };

/* Opens the deepest directory of a tree whose paths are longer than the system's greatest path.
 * makes: makes the directories. Returns: its descriptor. */
static int open_long(const char *root, bool makes)
{
    char name[LONG_NAME + 1];
    memset(name, 'n', LONG_NAME);
    name[LONG_NAME] = '\0';
    int fd = open(fs_path(root), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < LONG_DEPTH; i++) {
        if (makes) assert_return_code(mkdirat(fd, name, 0700), errno);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_return_code(next, errno);
        close(fd);
        fd = next;
    }
    return fd;
}

fs_test(a_tree_of_long_paths_is_copied, struct stat info; int fd, file;)
{
    edo_body {
        int64_t n;
        assert_int_equal(mkdir(fs_path("t"), 0700), 0);
        self->fd = open_long("t", true);
        self->file = openat(self->fd, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(self->file, "deep", 4), 4);
        close(self->file);
        assert_int_equal(symlinkat("f", self->fd, "l"), 0);
        assert_int_equal(mkdirat(self->fd, "empty", LONG_MODE), 0);
        close(self->fd);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), 0));
        assert_int_equal(n, LONG_DEPTH + 3);
        self->fd = open_long("u", false);
        assert_int_equal(fstatat(self->fd, "f", &self->info, 0), 0);
        assert_int_equal(self->info.st_size, 4);
        assert_int_equal(fstatat(self->fd, "l", &self->info, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISLNK(self->info.st_mode));
        assert_int_equal(fstatat(self->fd, "empty", &self->info, 0), 0);
        assert_int_equal(self->info.st_mode & 0777, LONG_MODE);
        close(self->fd);
        edo_await(n, edo_path_remove_tree(fs_path("u")));
        assert_int_equal(n, LONG_DEPTH + 4);
        edo_await(n, edo_path_remove_tree(fs_path("t")));
        assert_int_equal(n, LONG_DEPTH + 4);
        edo_return(0);
    }
}

/* ---- copies of a file ---- */

enum { HOLE = 40 * 1024 * 1024 };

/* A symlink has times and an owner of its own. */
fs_test(a_symlink_keeps_its_times_and_owner, edo_info info; uint32_t owner;)
{
    edo_body {
        int64_t n;
        const struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(symlink("nowhere", fs_path("t/link")), 0);
        self->owner = geteuid() == 0 ? 4711 : geteuid();
        assert_int_equal(lchown(fs_path("t/link"), self->owner, (gid_t)-1), 0);
        assert_int_equal(utimensat(AT_FDCWD, fs_path("t/link"), times, AT_SYMLINK_NOFOLLOW), 0);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), EDO_COPY_OWNER));
        assert_int_equal(n, 1);
        edo_await(n, edo_path_link_info(fs_path("u/link"), &self->info));
        assert_int_equal(self->info.kind, EDO_IS_SYMLINK);
        assert_int_equal(self->info.change.seconds, 2000);
        assert_int_equal(self->info.change.nanoseconds, 2);
        assert_int_equal(self->info.user, self->owner);
        edo_await(n, edo_path_copy_tree(fs_path("t"), fs_path("u"), EDO_COPY_REPLACE));
        assert_int_equal(n, 1);
        edo_await(n, edo_path_link_info(fs_path("u/link"), &self->info));
        assert_int_equal(self->info.change.seconds, 2000);
        assert_int_equal(self->info.user, geteuid());
        edo_return(0);
    }
}

fs_test(a_sparse_file_stays_sparse, edo_file *file; edo_info info; edo_bytes a, b;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        assert_int_equal(n, 0);
        edo_await(n, edo_file_write_at(self->file, "begin", 5, 3));
        assert_int_equal(n, 5);
        edo_await(n, edo_file_write_at(self->file, "middle", 6, HOLE));
        assert_int_equal(n, 6);
        edo_await(n, edo_file_truncate(self->file, 2 * (uint64_t)HOLE));
        assert_int_equal(n, 0);
        edo_file_close(self->file);
        edo_await(n, edo_path_copy(fs_path("f"), fs_path("g"), EDO_COPY_NO_SHARING));
        assert_int_equal(n, 2 * HOLE);
        edo_await(n, edo_path_info(fs_path("g"), &self->info));
        assert_int_equal(self->info.size, 2 * HOLE);
        assert_in_range(self->info.allocated, 0, HOLE / 4);
        edo_await(n, edo_file_read_whole(fs_path("f"), &self->a));
        assert_int_equal(n, 2 * HOLE);
        edo_await(n, edo_file_read_whole(fs_path("g"), &self->b));
        assert_int_equal(n, 2 * HOLE);
        assert_true(edo_bytes_equal(&self->a, &self->b));
        edo_bytes_deinit(&self->a);
        edo_bytes_deinit(&self->b);
        edo_await(n, edo_path_copy(fs_path("f"), fs_path("g"), 0));
        assert_int_equal(n, -EEXIST);
        edo_return(0);
    }
}

fs_test(a_file_of_unknown_size_is_copied, edo_bytes bytes; edo_info info;)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_path_copy("/proc/version", fs_path("v"), 0));
        assert_int_equal(n >= 0, true);
        edo_await(n, edo_file_read_whole("/proc/version", &self->bytes));
        assert_in_range(n, 10, 4096);
        fs_expect("v", self->bytes.data, self->bytes.size);
        edo_bytes_deinit(&self->bytes);
        assert_int_equal(mkfifo(fs_path("pipe"), 0644), 0);
        edo_await(n, edo_path_copy(fs_path("pipe"), fs_path("w"), 0));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_path_copy(fs_path(""), fs_path("w"), 0));
        assert_int_equal(n, -EISDIR);
        edo_return(0);
    }
}

fs_test(the_disk_has_space, edo_disk_space space;)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_path_space(fs_path(""), &self->space));
        assert_int_equal(rc, 0);
        assert_true(self->space.size >= self->space.free);
        assert_true(self->space.free >= self->space.available);
        assert_true(self->space.available > 0);
        edo_await(rc, edo_path_space(fs_path("none"), &self->space));
        assert_int_equal(rc, -ENOENT);
        edo_return(0);
    }
}
