/* Tests of watchers. watch_test(name, members) { ... } is an fs_test() with a watcher and an event. */
#pragma once

#include "support/files.h"

#include <string.h>

/* Path below the test's directory. */
static inline const char *below(const char *path)
{
    return path ? path + strlen(fs_path("")) + 1 : "";
}

/* Waits for the next event that is not CHANGED or METADATA: their number is not defined. */
#define next_event(watcher, event)                                                                 \
    do {                                                                                           \
        int64_t rc_;                                                                               \
        edo_await(rc_, edo_watcher_next((watcher), (event)));                                      \
        assert_int_equal(rc_, 1);                                                                  \
    } while ((event)->kind == EDO_FILE_CHANGED || (event)->kind == EDO_FILE_METADATA)

#define expect_event(watcher, event, expected_kind, expected_path)                                 \
    do {                                                                                           \
        next_event(watcher, event);                                                                \
        assert_string_equal(below((event)->path), (expected_path));                                \
        assert_int_equal((event)->kind, (expected_kind));                                          \
    } while (0)

static inline void touch(const char *name)
{
    fs_write(name, "x", 1);
}

#define watch_test(name, ...) fs_test(name, edo_watcher *watcher; edo_file_event event; __VA_ARGS__)

#define watch(path, flags)                                                                         \
    do {                                                                                           \
        int64_t id_;                                                                               \
        assert_int_equal(edo_watcher_create(&self->watcher), 0);                                   \
        edo_await(id_, edo_watcher_add(self->watcher, fs_path(path), (flags)));                    \
        assert_int_equal(id_, 1);                                                                  \
    } while (0)
