/* Watching a tree whose directories are made, renamed, exchanged and removed at random. */
#include "support/watching.h"

#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ROUNDS = 8,
    MOST_CHANGES = 24, // per round
    NAMES = 5,         // few names, so that directories often take the places of others
    FEWEST_DIRS = 12,  // at the start of a round
    MOST_DIRS = 256,
    PATH_SIZE = 256,
};

/* ---- the real tree ---- */

typedef struct dir {
    char path[PATH_SIZE]; // relative to the test's directory
    uint64_t inode;
    bool is_seen;
} dir;

static struct {
    dir dirs[MOST_DIRS];
    size_t count;
    size_t inside; // directories in the watched tree "t"; those in "out" follow
} tree;

static int add_dir(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)place;
    if (type != FTW_D) return 0;
    assert_true(tree.count < MOST_DIRS);
    dir *it = &tree.dirs[tree.count++];
    assert_in_range(snprintf(it->path, PATH_SIZE, "%s", below(path)), 1, PATH_SIZE - 1);
    it->inode = info->st_ino;
    it->is_seen = false;
    return 0;
}

static void list_dirs(void)
{
    tree.count = 0;
    assert_int_equal(nftw(fs_path("t"), add_dir, 8, FTW_PHYS), 0);
    tree.inside = tree.count;
    assert_int_equal(nftw(fs_path("out"), add_dir, 8, FTW_PHYS), 0);
}

/* ---- changes ---- */

static const char *any_dir(test_random *random)
{
    return fs_path(tree.dirs[test_random_below(random, tree.inside)].path);
}

/* A name in a directory of the tree, in use or not. */
static void any_place(test_random *random, char *ret_path, size_t size)
{
    int name = 'a' + (int)test_random_below(random, NAMES);
    snprintf(ret_path, size, "%s/%c", any_dir(random), name);
}

static void exchange(const char *from, const char *to)
{
    (void)renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
}

/* Makes one change of a directory. Without effect if the change is not possible, for example the
 * rename of a directory to a place below itself. */
static void change(test_random *random)
{
    char place[2 * PATH_SIZE];
    list_dirs();
    const char *from = any_dir(random), *out = fs_path("out/x");
    any_place(random, place, sizeof place);
    if (strcmp(below(from), "t") == 0) return; // the root stays
    switch (test_random_below(random, 8)) {
    case 0: (void)mkdir(place, 0755); break;
    case 1: (void)rmdir(from); break;
    case 2:
    case 3: (void)rename(from, place); break;
    case 4:
    case 5: exchange(from, any_dir(random)); break;
    case 6: exchange(from, out); break;
    case 7:
        if (rename(out, place) < 0) (void)rename(from, out);
        break;
    }
}

static void make_dirs(test_random *random)
{
    char place[2 * PATH_SIZE];
    do {
        list_dirs();
        any_place(random, place, sizeof place);
        (void)mkdir(place, 0755);
    } while (tree.inside < FEWEST_DIRS);
}

/* ---- probes: files that have the inodes of their directories as names ---- */

static const char *probe_of(const dir *it)
{
    char path[2 * PATH_SIZE];
    snprintf(path, sizeof path, "%s/#%llu", it->path, (unsigned long long)it->inode);
    return fs_path(path);
}

static void make_probes(void)
{
    list_dirs();
    for (size_t i = 0; i < tree.count; i++)
        touch(below(probe_of(&tree.dirs[i])));
}

/* Expects that the path of a new probe is its real path in the tree. */
static void see(const edo_file_event *event)
{
    const char *name = strrchr(event->path, '#');
    if (!name || event->kind != EDO_FILE_CREATED) return;
    for (size_t i = 0; i < tree.count; i++) {
        dir *it = &tree.dirs[i];
        if (it->inode != strtoull(name + 1, NULL, 10)) continue;
        assert_string_equal(event->path, probe_of(it));
        if (i >= tree.inside || it->is_seen) fail_msg("%s is still watched", it->path);
        it->is_seen = true;
    }
}

static void remove_probes(void)
{
    for (size_t i = 0; i < tree.count; i++) {
        if (i < tree.inside && !tree.dirs[i].is_seen)
            fail_msg("%s is not watched", tree.dirs[i].path);
        assert_int_equal(unlink(probe_of(&tree.dirs[i])), 0);
    }
}

/* ---- events ---- */

static bool is_end(const edo_file_event *event)
{
    const char *name = strrchr(event->path, '/');
    return event->kind == EDO_FILE_WRITTEN && strcmp(name, "/end") == 0;
}

/* Takes all events until the file "t/end" is written. */
#define take_until_end()                                                                           \
    do {                                                                                           \
        next_event(self->watcher, &self->event);                                                   \
        assert_int_not_equal(self->event.kind, EDO_FILES_LOST);                                    \
        see(&self->event);                                                                         \
    } while (!is_end(&self->event))

#define take_events()                                                                              \
    do {                                                                                           \
        touch("t/end");                                                                            \
        take_until_end();                                                                          \
        assert_int_equal(unlink(fs_path("t/end")), 0);                                             \
    } while (0)

/* Expects that each directory of the tree is watched, under its real path, and no other one. */
#define expect_real_paths()                                                                        \
    do {                                                                                           \
        make_probes();                                                                             \
        take_events();                                                                             \
        remove_probes();                                                                           \
    } while (0)

#define random_test(name, ...)                                                                     \
    watch_test(name, test_random random; int round; uint64_t changes; __VA_ARGS__)

#define set_up_tree()                                                                              \
    do {                                                                                           \
        self->random = test_random_make(0);                                                        \
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);                                            \
        assert_int_equal(mkdir(fs_path("out"), 0755), 0);                                          \
        watch("t", EDO_WATCH_TREE);                                                                \
    } while (0)

/* Each visit finds few changes or many. */
random_test(directories_have_their_real_paths, )
{
    edo_body {
        set_up_tree();
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            make_dirs(&self->random);
            if (self->round % 2) take_events();
            self->changes = 1 + test_random_below(&self->random, MOST_CHANGES);
            for (; self->changes > 0; self->changes--) {
                change(&self->random);
                if (test_random_below(&self->random, 8) == 0) take_events();
            }
            take_events();
            expect_real_paths();
        }
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

struct changer {
    test_random *random;
    uint64_t changes;
};

static void *make_changes(void *arg)
{
    struct changer *self = arg;
    for (; self->changes > 0; self->changes--)
        change(self->random);
    touch("t/end");
    return NULL;
}

/* Another thread makes the changes during the visits. */
random_test(directories_are_renamed_during_visits, struct changer changer; pthread_t thread;)
{
    edo_body {
        set_up_tree();
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            make_dirs(&self->random);
            take_events();
            self->changer = (struct changer){ &self->random, 2 * MOST_CHANGES };
            assert_int_equal(pthread_create(&self->thread, NULL, make_changes, &self->changer), 0);
            take_until_end();
            pthread_join(self->thread, NULL);
            assert_int_equal(unlink(fs_path("t/end")), 0);
            expect_real_paths();
        }
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}
