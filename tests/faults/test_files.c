/* Files, with each request failing: memory, descriptors, threads. */
#include "faults/shim.h"
#include "faults/sweep.h"
#include "support/files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static char directory[TEMP_PATH_SIZE];

static const char *at(char *memory, const char *name)
{
    snprintf(memory, 2 * (size_t)TEMP_PATH_SIZE, "%s/%s", directory, name);
    return memory;
}

/* ---- files and trees ---- */

struct files {
    edo_frame();
    edo_args();
    edo_file *file;
    edo_dir *dir;
    edo_walk *walk;
    edo_entry entry;
    edo_walk_entry found;
    edo_bytes bytes;
    char a[2 * TEMP_PATH_SIZE], b[2 * TEMP_PATH_SIZE], tree[2 * TEMP_PATH_SIZE],
        copy[2 * TEMP_PATH_SIZE], text[16];
    int64_t result;
};

#define note(rc) (self->result = first_failure(self->result, (rc)))

/* A step that fails leaves the other steps their part of the work, or makes them fail too. */
edo_async(files)
{
    edo_body {
        int64_t rc;
        self->result = 0;
        at(self->a, "a");
        at(self->b, "t/b");
        at(self->tree, "t");
        at(self->copy, "u");
        edo_await(rc, edo_file_open(self->a, EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE,
                                    &self->file));
        note(rc);
        if (rc == 0) {
            edo_await(rc, edo_write_all(edo_file_io(self->file), "text", 4));
            note(rc);
            edo_await(rc, edo_file_read_at(self->file, self->text, 16, 0));
            note(rc);
            edo_await(rc, edo_file_lock(self->file, EDO_LOCK_EXCLUSIVE, 0, 0));
            note(rc);
            edo_file_close(self->file);
        }
        edo_await(rc, edo_path_make_dirs(self->tree));
        note(rc);
        edo_await(rc, edo_file_replace(self->b, "content", 7));
        note(rc);
        edo_await(rc, edo_file_read_whole("/proc/self/cmdline", &self->bytes));
        note(rc);
        if (rc >= 0) edo_bytes_deinit(&self->bytes);
        edo_await(rc, edo_dir_open(directory, &self->dir));
        note(rc);
        if (rc == 0) {
            edo_await(rc, edo_dir_next(self->dir, &self->entry));
            note(rc);
            edo_dir_close(self->dir);
        }
        edo_await(rc, edo_path_copy_tree(self->tree, self->copy, EDO_COPY_REPLACE));
        note(rc == -ENOENT && self->result < 0 ? 0 : rc);
        edo_await(rc, edo_walk_open(directory, 0, 2, &self->walk));
        note(rc);
        if (rc == 0) {
            do
                edo_await(rc, edo_walk_next(self->walk, &self->found));
            while (rc > 0);
            note(rc < 0 ? rc : self->found.error);
            edo_walk_close(self->walk);
        }
        edo_await(rc, edo_path_remove_tree(self->copy));
        note(rc == -ENOENT && self->result < 0 ? 0 : rc);
        edo_return(self->result);
    }
}

static int64_t all_files(void)
{
    make_temp_dir(directory);
    int64_t rc = on_runtime(files);
    remove_tree(directory);
    return rc;
}
fault_test(all_files)

/* ---- walks ---- */

enum { WALK_DEPTH = 8, WALK_FILES = 3 * WALK_DEPTH };

/* Makes directories in each other. Each contains two files. */
static void make_walked(void)
{
    char path[2 * TEMP_PATH_SIZE], file[sizeof path + 2];
    at(path, "");
    for (int i = 0; i < WALK_DEPTH; i++) {
        for (int k = 'a'; k < 'c'; k++) {
            snprintf(file, sizeof file, "%s%c", path, k);
            FILE *made = fopen(file, "w");
            if (made) fclose(made);
        }
        strncat(path, "directory/", sizeof path - strlen(path) - 1);
        mkdir(path, 0755);
    }
}

struct walked {
    edo_frame();
    edo_args();
    edo_walk *walk;
    edo_walk_entry entry;
    int count;
};

/* Answers -EBADMSG if the walk has lost a file without an error. */
edo_async(walked)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        edo_await(rc, edo_walk_open(directory, 0, 0, &self->walk));
        if (rc < 0) edo_return(rc);
        for (;;) {
            edo_await(rc, edo_walk_next(self->walk, &self->entry));
            if (rc > 0 && self->entry.error) rc = self->entry.error;
            if (rc <= 0) break;
            self->count++;
        }
        edo_walk_close(self->walk);
        edo_return(rc < 0 ? rc : self->count == WALK_FILES ? 0 : -EBADMSG);
    }
}

static int64_t walking(void)
{
    make_temp_dir(directory);
    make_walked();
    int64_t rc = on_runtime(walked);
    remove_tree(directory);
    return rc;
}
fault_test(walking)

/* ---- watching ---- */

struct watches {
    edo_frame();
    edo_args();
    edo_watcher *watcher;
    edo_file_event event;
    char dir[2 * TEMP_PATH_SIZE], file[2 * TEMP_PATH_SIZE];
};

edo_async(watches)
{
    edo_body {
        int64_t rc = edo_watcher_create(&self->watcher);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_watcher_add(self->watcher, directory, EDO_WATCH_TREE));
        if (rc > 0) {
            mkdir(at(self->dir, "d"), 0755);
            edo_await(rc, edo_watcher_next(self->watcher, &self->event));
        }
        if (rc > 0) {
            rename(self->dir, at(self->file, "e"));
            edo_await(rc, edo_watcher_next(self->watcher, &self->event));
        }
        edo_watcher_close(self->watcher);
        edo_return(rc < 0 ? rc : 0);
    }
}

static int64_t watching(void)
{
    make_temp_dir(directory);
    int64_t rc = on_runtime(watches);
    remove_tree(directory);
    return rc;
}
fault_test(watching)

/* ---- lists without the kinds of files ---- */

static int show_kinds(void **state)
{
    faults_hide_kinds(false);
    return fs_tear_down(state);
}

fixture(fs_set_up, show_kinds)
async_test(kinds_that_a_list_lacks_are_asked_for, edo_dir *dir; edo_entry entry; edo_info info;
           int links, dirs;)
{
    edo_body {
        int64_t n;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        assert_int_equal(mkdir(fs_path("d/e"), 0755), 0);
        assert_int_equal(symlink("e", fs_path("d/link")), 0);
        fs_write("d/e/f", "text", 4);
        faults_hide_kinds(true);
        edo_await(n, edo_dir_open(fs_path("d"), &self->dir));
        assert_int_equal(n, 0);
        for (self->links = self->dirs = 0;;) {
            edo_await(n, edo_dir_next(self->dir, &self->entry));
            if (n <= 0) break;
            self->links += self->entry.kind == EDO_IS_SYMLINK;
            self->dirs += self->entry.kind == EDO_IS_DIRECTORY;
        }
        edo_dir_close(self->dir);
        assert_int_equal(self->links, 1);
        assert_int_equal(self->dirs, 1);
        edo_await(n, edo_path_copy_tree(fs_path("d"), fs_path("copy"), 0));
        assert_int_equal(n, 3);
        fs_expect("copy/e/f", "text", 4);
        edo_await(n, edo_path_remove_tree(fs_path("copy")));
        assert_int_equal(n, 4);
        edo_return(0);
    }
}

/* ---- directories that come and go ---- */

enum { COMINGS = 200 };

/* Each directory has a watch of its own; the system's number of it is new each time. */
fixture(fs_set_up, fs_tear_down)
async_test(watches_of_removed_directories_are_freed, edo_watcher *watcher; edo_file_event event;
           int i; int64_t blocks;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        edo_await(n, edo_watcher_add(self->watcher, fs_path(""), EDO_WATCH_TREE));
        assert_in_range(n, 1, INT32_MAX);
        for (self->i = 0; self->i < COMINGS; self->i++) {
            if (self->i == COMINGS / 2) self->blocks = faults_held_now().blocks;
            assert_int_equal(mkdir(fs_path("d"), 0755), 0);
            edo_await(n, edo_watcher_next(self->watcher, &self->event));
            assert_int_equal(self->event.kind, EDO_FILE_CREATED);
            assert_int_equal(rmdir(fs_path("d")), 0);
            edo_await(n, edo_watcher_next(self->watcher, &self->event));
            assert_int_equal(self->event.kind, EDO_FILE_REMOVED);
            assert_string_equal(self->event.path, fs_path("d"));
        }
        assert_in_range(faults_held_now().blocks, 0, self->blocks + 8);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}
