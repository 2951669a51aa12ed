/* Watching trees: new directories, renamed directories, lost events. */
#include "support/watching.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- new directories ---- */

enum { ROUNDS = 100 };

/* `mkdir -p a/b/c && touch a/b/c/f`: each f is reported once or twice. */
watch_test(a_file_in_a_new_tree_is_not_missed, int i, seen; char wanted[64];)
{
    edo_body {
        int64_t rc;
        watch("", EDO_WATCH_TREE);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            snprintf(self->wanted, sizeof self->wanted, "r%d/b/c", self->i);
            edo_await(rc, edo_path_make_dirs(fs_path(self->wanted)));
            assert_int_equal(rc, 0);
            snprintf(self->wanted, sizeof self->wanted, "r%d/b/c/f", self->i);
            touch(self->wanted);
            snprintf(self->wanted, sizeof self->wanted, "r%d", self->i);
            edo_await(rc, edo_path_remove_tree(fs_path("none")));
            for (self->seen = 0; !self->seen;) {
                next_event(self->watcher, &self->event);
                const char *path = below(self->event.path);
                self->seen += self->event.kind == EDO_FILE_CREATED && strstr(path, "/b/c/f");
            }
        }
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

watch_test(a_tree_that_is_moved_in_is_watched, int seen;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        edo_await(rc, edo_path_make_dirs(fs_path("m/n/o")));
        assert_int_equal(rc, 0);
        touch("m/n/o/f");
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(rename(fs_path("m"), fs_path("t/m")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_IN, "t/m");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/m/n");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/m/n/o");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/m/n/o/f");
        touch("t/m/n/o/g");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/m/n/o/g");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- renamed directories ---- */

watch_test(a_renamed_directory_has_its_new_path, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/old"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/old/deep"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(rename(fs_path("t/old"), fs_path("t/new")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/new");
        assert_string_equal(below(self->event.old_path), "t/old");
        touch("t/new/deep/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/new/deep/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/new/deep/f");
        assert_int_equal(rename(fs_path("t/new"), fs_path("away")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "t/new");
        touch("away/deep/g"); // not watched any more
        touch("t/end");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/end");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Directories are made, and then they or a directory above are renamed, before the watcher finds
 * the new directories. Their entries are reported under the new path. */
watch_test(a_directory_that_is_made_and_renamed_is_watched, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/a"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(mkdir(fs_path("t/a/new"), 0755), 0);
        touch("t/a/new/early");
        assert_int_equal(rename(fs_path("t/a"), fs_path("t/b")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a/new");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/b");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/new/early");
        touch("t/b/new/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/new/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/b/new/f");
        assert_int_equal(mkdir(fs_path("t/tmp"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/tmp/deep"), 0755), 0);
        assert_int_equal(rename(fs_path("t/tmp"), fs_path("t/end")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/tmp");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/end");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/end/deep");
        touch("t/end/deep/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/end/deep/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* A directory is moved out and another one takes its place, before the first half of the rename has
 * waited long enough for a second one. */
watch_test(a_directory_in_the_place_of_another_is_watched, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/site"), 0755), 0);
        assert_int_equal(mkdir(fs_path("next"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(rename(fs_path("t/site"), fs_path("last")), 0);
        assert_int_equal(rename(fs_path("next"), fs_path("t/site")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "t/site");
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_IN, "t/site");
        touch("t/site/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/site/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Another directory takes the place of a renamed directory, which was made just before. */
watch_test(a_directory_in_the_place_of_a_new_one_has_its_path, )
{
    edo_body {
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(mkdir(fs_path("t/a"), 0755), 0);
        assert_int_equal(rename(fs_path("t/a"), fs_path("t/b")), 0);
        assert_int_equal(mkdir(fs_path("t/a"), 0755), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/b");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a");
        touch("t/a/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/a/f");
        touch("t/b/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/b/f");
        touch("t/end");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/end");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Two directories exchange their names in one step. The system reports two renames. */
watch_test(exchanged_directories_have_their_new_paths, )
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_path_make_dirs(fs_path("t/a/x")));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_path_make_dirs(fs_path("t/b/y")));
        assert_int_equal(rc, 0);
        watch("t", EDO_WATCH_TREE);
        edo_await(rc, edo_path_rename_at(NULL, fs_path("t/a"), NULL, fs_path("t/b"),
                                         EDO_RENAME_EXCHANGE));
        assert_int_equal(rc, 0);
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/b");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/a");
        touch("t/b/x/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/x/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/b/x/f");
        touch("t/a/y/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a/y/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* One of two exchanged directories is moved out before a visit. It is not watched any more, and the
 * other one is. */
watch_test(an_exchanged_directory_may_be_moved_out, )
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/a"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/b"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        edo_await(rc, edo_path_rename_at(NULL, fs_path("t/a"), NULL, fs_path("t/b"),
                                         EDO_RENAME_EXCHANGE));
        assert_int_equal(rc, 0);
        assert_int_equal(rename(fs_path("t/b"), fs_path("out")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/b");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/a");
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "t/b");
        touch("out/unseen");
        touch("t/a/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/a/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* A directory is moved out, and then a directory above it is renamed. Or another directory takes the
 * place of that directory. The move out is reported first, and its views end. */
watch_test(a_move_out_precedes_a_rename_above, )
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_path_make_dirs(fs_path("t/p/q")));
        assert_int_equal(rc, 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(rename(fs_path("t/p/q"), fs_path("out")), 0);
        assert_int_equal(rename(fs_path("t/p"), fs_path("t/r")), 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "t/p/q");
        expect_event(self->watcher, &self->event, EDO_FILE_RENAMED, "t/r");
        touch("out/unseen");
        touch("t/r/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/r/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/r/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

watch_test(a_move_out_precedes_a_new_tree_in_its_place, )
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_path_make_dirs(fs_path("t/p/q")));
        assert_int_equal(rc, 0);
        watch("t", EDO_WATCH_TREE);
        assert_int_equal(rename(fs_path("t/p/q"), fs_path("out")), 0);
        assert_int_equal(rmdir(fs_path("t/p")), 0);
        edo_await(rc, edo_path_make_dirs(fs_path("t/p/q")));
        assert_int_equal(rc, 0);
        expect_event(self->watcher, &self->event, EDO_FILE_MOVED_OUT, "t/p/q");
        expect_event(self->watcher, &self->event, EDO_FILE_REMOVED, "t/p");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/p");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/p/q");
        touch("t/p/q/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/p/q/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/p/q/f");
        touch("t/end");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/end");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- lost events ---- */

static int64_t queue_limit(void)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    int limit = -1;
    if (file && fscanf(file, "%d", &limit) != 1) limit = -1;
    if (file) fclose(file);
    return limit;
}

/* Makes a watched directory's queue overflow. Renames alternate, so that the system joins no
 * events. */
static void overflow(const char *dir, int64_t limit)
{
    char flip[64], flop[64];
    snprintf(flip, sizeof flip, "%s/flip", dir);
    snprintf(flop, sizeof flop, "%s/flop", dir);
    touch(flip);
    for (int64_t i = 0; i <= limit / 2 + 10; i++)
        assert_int_equal(rename(fs_path(i % 2 ? flop : flip), fs_path(i % 2 ? flip : flop)), 0);
}

#define lost_test(name, ...) watch_test(name, int64_t limit; __VA_ARGS__)

/* Ends the test if an overflow of the queue would take too long. */
#define need_short_queue()                                                                         \
    self->limit = queue_limit();                                                                   \
    if (self->limit < 0 || self->limit > 20000) edo_return(0)

#define expect_loss()                                                                              \
    do                                                                                             \
        next_event(self->watcher, &self->event);                                                   \
    while (self->event.kind != EDO_FILES_LOST)

/* Two renames are lost: in the tree, and out of the tree. The loss is reported once. */
lost_test(directories_have_their_paths_after_lost_renames, )
{
    edo_body {
        int64_t rc;
        need_short_queue();
        edo_await(rc, edo_path_make_dirs(fs_path("t/a/s")));
        assert_int_equal(rc, 0);
        assert_int_equal(mkdir(fs_path("t/c"), 0755), 0);
        watch("t", EDO_WATCH_TREE);
        overflow("t", self->limit);
        assert_int_equal(rename(fs_path("t/a"), fs_path("t/b")), 0);
        assert_int_equal(rename(fs_path("t/c"), fs_path("out")), 0);
        expect_loss();
        assert_null(self->event.path);
        touch("out/unseen");
        touch("t/b/s/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/s/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/b/s/f");
        touch("t/b/f");
        expect_event(self->watcher, &self->event, EDO_FILE_CREATED, "t/b/f");
        expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, "t/b/f");
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* Renames of watched directories are lost: of a tree, of a plain directory, and of the directory of a
 * watched file. The watches go on with the directories that took their places. */
lost_test(roots_are_found_again_after_lost_renames, int i; char dir[16], moved[16], file[16];)
{
    edo_body {
        int64_t rc;
        need_short_queue();
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        for (self->i = 0; self->i < 3; self->i++) {
            snprintf(self->dir, sizeof self->dir, "d%d", self->i);
            snprintf(self->file, sizeof self->file, "d%d/f", self->i);
            assert_int_equal(mkdir(fs_path(self->dir), 0755), 0);
            touch(self->file);
            edo_await(rc,
                      edo_watcher_add(self->watcher, fs_path(self->i == 2 ? self->file : self->dir),
                                      self->i == 0 ? EDO_WATCH_TREE : 0));
            assert_int_equal(rc, self->i + 1);
        }
        overflow("d0", self->limit);
        for (self->i = 0; self->i < 3; self->i++) {
            snprintf(self->dir, sizeof self->dir, "d%d", self->i);
            snprintf(self->moved, sizeof self->moved, "e%d", self->i);
            assert_int_equal(rename(fs_path(self->dir), fs_path(self->moved)), 0);
            assert_int_equal(mkdir(fs_path(self->dir), 0755), 0);
        }
        expect_loss();
        for (self->i = 0; self->i < 3; self->i++) {
            snprintf(self->moved, sizeof self->moved, "e%d/f", self->i);
            snprintf(self->file, sizeof self->file, "d%d/f", self->i);
            assert_int_equal(unlink(fs_path(self->moved)), 0);
            touch(self->file);
            expect_event(self->watcher, &self->event, EDO_FILE_CREATED, self->file);
            expect_event(self->watcher, &self->event, EDO_FILE_WRITTEN, self->file);
        }
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}
