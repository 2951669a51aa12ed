/* Watching files. */
#include "support/watching.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/inspect/maker.h"

watch_test(changes_of_a_directory_are_reported, )
{
    edo_body {
        watch("", 0);
        touch("a");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "a");
        assert_int_equal(self->event.watch, 1);
        assert_false(self->event.is_dir);
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "a");
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "d");
        assert_true(self->event.is_dir);
        touch("d/inner"); // not a tree
        assert_int_equal(rename(fs_path("a"), fs_path("b")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "b");
        assert_string_equal(below(self->event.old_path), "a");
        assert_int_equal(unlink(fs_path("b")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "b");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Many writes: at least one CHANGED, and exactly one WRITTEN. */
watch_test(a_written_file_is_complete_once, edo_file *file; int i, changed;)
{
    edo_body {
        int64_t rc;
        watch("", 0);
        edo_await(rc, edo_file_open(fs_path("f"), EDO_OPEN_WRITE | EDO_OPEN_CREATE, &self->file));
        for (self->i = 0; self->i < 1000; self->i++) {
            edo_await(rc, edo_write(edo_file_io(self->file), "x", 1));
            assert_int_equal(rc, 1);
        }
        edo_file_close(self->file);
        touch("end");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "f");
        for (self->changed = 0;; self->changed++) {
            edo_await(rc, edo_watcher_next(self->watcher, &self->event));
            if (self->event.kind != EDO_FILE_CHANGED) break;
        }
        assert_true(self->changed >= 1);
        assert_int_equal(self->event.kind, EDO_FILE_WRITTEN);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "end");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- renames ---- */

/* The watches of a renamed directory and of a file in it end. A tree above goes on, with the new
 * path. */
watch_test(a_renamed_root_is_not_watched, int64_t file, tree; int seen;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        watch("d", EDO_WATCH_TREE);
        edo_await(self->file, edo_watcher_add(self->watcher, fs_path("d/f"), 0));
        assert_int_equal(self->file, 2);
        assert_int_equal(rename(fs_path("d"), fs_path("e")), 0);
        touch("e/f");
        for (self->seen = 0; self->seen != 3; self->seen |= self->event.watch) {
            expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "d");
            assert_true(self->event.is_dir);
        }
        edo_await(rc, edo_watcher_remove(self->watcher, 1));
        assert_int_equal(rc, -ENOENT);
        edo_await(self->tree, edo_watcher_add(self->watcher, fs_path(""), EDO_WATCH_TREE));
        assert_int_equal(rename(fs_path("e"), fs_path("g")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "g");
        assert_int_equal(self->event.watch, self->tree);
        touch("g/h");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "g/h");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* A renamed directory, or a file in it, is watched under its new path before the rename is reported.
 * The system has one number for both watches. */
watch_test(a_renamed_root_is_watched_again, )
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        watch("d", 0);
        assert_int_equal(rename(fs_path("d"), fs_path("e")), 0);
        edo_await(rc, edo_watcher_add(self->watcher, fs_path("e"), EDO_WATCH_TREE));
        assert_int_equal(rc, 2);
        touch("e/f");
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "d");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "e/f");
        assert_int_equal(self->event.watch, 2);
        edo_watcher_close(self->watcher);
        watch("e/f", 0);
        assert_int_equal(rename(fs_path("e"), fs_path("g")), 0);
        edo_await(rc, edo_watcher_add(self->watcher, fs_path("g/f"), 0));
        assert_int_equal(rc, 2);
        assert_int_equal(unlink(fs_path("g/f")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "e");
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "g/f");
        assert_int_equal(self->event.watch, 2);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

watch_test(a_root_that_is_renamed_back_is_still_watched, int i;)
{
    edo_body {
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        watch("d", EDO_WATCH_TREE);
        for (self->i = 0; self->i < 2; self->i++) {
            assert_int_equal(rename(fs_path("d"), fs_path("e")), 0);
            assert_int_equal(rename(fs_path("e"), fs_path("d")), 0);
        }
        touch("d/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "d/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "d/f");
        assert_int_equal(rename(fs_path("d"), fs_path("e")), 0);
        assert_int_equal(mkdir(fs_path("d"), 0755), 0); // another directory
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "d");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* A first half of a rename is reported before the end of its watch, not 50 ms later. */
watch_test(the_end_of_a_root_is_its_last_event, int i;)
{
    edo_body {
        for (self->i = 0; self->i < 2; self->i++) {
            assert_int_equal(mkdir(fs_path("d"), 0755), 0);
            touch("d/a");
            watch("d", 0);
            assert_int_equal(rename(fs_path("d/a"), fs_path("out")), 0);
            if (self->i == 0) assert_int_equal(rename(fs_path("d"), fs_path("e")), 0);
            if (self->i == 1) assert_int_equal(rmdir(fs_path("d")), 0);
            expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "d/a");
            expect_event(self->watcher, &self->event,
                         self->i == 0 ? EDO_FILE_MOVED_OUT : EDO_FILE_REMOVED, "d");
            edo_watcher_close(self->watcher);
        }
        edo_return(0);
    }
}

watch_test(halves_of_renames_are_reported_alone, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("in"), 0755), 0);
        touch("in/a");
        touch("other");
        watch("in", 0);
        assert_int_equal(rename(fs_path("in/a"), fs_path("out")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "in/a");
        assert_int_equal(rename(fs_path("other"), fs_path("in/b")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_IN, "in/b");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* The last event tells the truth: the file exists. */
watch_test(a_rotated_file_is_made_again, )
{
    edo_body {
        touch("log");
        watch("log", 0);
        assert_int_equal(rename(fs_path("log"), fs_path("log.1")), 0);
        touch("log");
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "log");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "log");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "log");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

watch_test(the_directory_of_a_watched_file_is_removed, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        touch("d/conf");
        watch("d/conf", 0);
        assert_int_equal(unlink(fs_path("d/conf")), 0);
        assert_int_equal(rmdir(fs_path("d")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "d/conf");
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "d");
        assert_true(self->event.is_dir);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Editors replace a file by another one. */
watch_test(a_watched_file_may_be_replaced, int i;)
{
    edo_body {
        touch("config");
        watch("config", 0);
        for (self->i = 0; self->i < 3; self->i++) {
            touch("config.tmp");
            assert_int_equal(rename(fs_path("config.tmp"), fs_path("config")), 0);
            expect_event(self->watcher, &self->event, EDO_FILE_MOVED_IN, "config");
        }
        assert_int_equal(unlink(fs_path("config")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "config");
        touch("config");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "config");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- watches ---- */

/* The system has one number for a directory under two paths. */
watch_test(two_watches_of_one_directory_are_separate, int64_t first, second;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        assert_int_equal(symlink("d", fs_path("s")), 0);
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        edo_await(self->first, edo_watcher_add(self->watcher, fs_path("d"), 0));
        edo_await(self->second, edo_watcher_add(self->watcher, fs_path("s"), 0));
        assert_true(self->first > 0 && self->second > self->first);
        assert_int_equal(mkdir(fs_path("d/x"), 0755), 0);
        next_event(self->watcher, &self->event);
        next_event(self->watcher, &self->event);
        edo_await(rc, edo_watcher_remove(self->watcher, (int)self->first));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_watcher_remove(self->watcher, (int)self->first));
        assert_int_equal(rc, -ENOENT);
        assert_int_equal(mkdir(fs_path("d/y"), 0755), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "s/y");
        assert_int_equal(self->event.watch, self->second);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* A removed watch causes no event, and a watched directory that is removed causes one. */
watch_test(the_end_of_a_watch_is_silent, int64_t again;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("d"), 0755), 0);
        assert_int_equal(mkdir(fs_path("e"), 0755), 0);
        watch("d", 0);
        edo_await(rc, edo_watcher_remove(self->watcher, 1));
        assert_int_equal(rc, 0);
        edo_await(self->again, edo_watcher_add(self->watcher, fs_path("e"), EDO_WATCH_TREE));
        assert_int_equal(self->again, 2);
        touch("d/unseen");
        assert_int_equal(rmdir(fs_path("e")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "e");
        edo_await_for(rc, edo_s(5), edo_watcher_next(self->watcher, &self->event));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_watcher_remove(self->watcher, 2));
        assert_int_equal(rc, -ENOENT);
        edo_await(rc, edo_watcher_add(self->watcher, fs_path("none/none"), 0));
        assert_int_equal(rc, -ENOENT);
        edo_await(rc, edo_watcher_add(self->watcher, fs_path(""), 2));
        assert_int_equal(rc, -EINVAL);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- misuse ---- */

typedef edo_op operation(edo_watcher *watcher);

static edo_op add_root(edo_watcher *watcher)
{
    return edo_watcher_add(watcher, "/", 0);
}

static edo_op remove_first(edo_watcher *watcher)
{
    return edo_watcher_remove(watcher, 1);
}

static edo_op take_one(edo_watcher *watcher)
{
    static edo_file_event event;
    return edo_watcher_next(watcher, &event);
}

struct closer {
    edo_frame();
    edo_args(edo_watcher *watcher;);
};

edo_async(closer)
{
    edo_body {
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

struct misuse {
    bool is_late; // the close precedes the operation
    operation *make;
    const char *pattern;
};

struct misused {
    edo_frame();
    edo_args(const struct misuse *misuse;);
    edo_watcher *watcher;
    edo_op op;
    struct closer closer;
};

/* If the close is not late, it is between the first poll of the operation and the second poll. */
edo_async(misused)
{
    edo_body {
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        if (self->misuse->is_late) edo_watcher_close(self->watcher);
        self->op = self->misuse->make(self->watcher);
        edo_init(&self->closer, closer, .watcher = self->watcher);
        edo_all(&self->op.base, &self->closer.base);
        edo_return(0);
    }
}

static void run_misused(void *arg)
{
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return;
    edo_block_on(runtime, misused, .misuse = arg);
}

#define CHANGES "edo_watcher_close: an edo_watcher_add() or edo_watcher_remove() is in flight"

test(misuse_of_a_close_aborts)
{
    static const struct misuse all[] = {
        { false, add_root, CHANGES },
        { false, remove_first, CHANGES },
        { false, take_one, "edo_watcher_close: an edo_watcher_next() is in flight" },
        { true, add_root, "edo_watcher_add: the handle was closed before" },
        { true, remove_first, "edo_watcher_remove: the handle was closed before" },
        { true, take_one, "edo_watcher_next: the handle was closed before" },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        struct misuse misuse = all[i];
        if (misuse.is_late && !EDO__KEEPS_CLOSED) continue; // a sanitizer reports the use
        expect_abort(run_misused, &misuse, misuse.pattern);
    }
}
