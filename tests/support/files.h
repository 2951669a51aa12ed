/* Tests in a directory of their own. fs_test(name, members) { ... } is an async_test() whose
 * fixture makes an empty directory and removes it again, and fails the test if a descriptor is left
 * open. */
#pragma once

#include "support/cases.h"

#include <edo/edo.h>
#include <edo/test.h>

#define fs_test(name, ...)                                                                         \
    fixture(fs_set_up, fs_tear_down)                                                               \
    async_test(name, __VA_ARGS__)

int fs_set_up(void **state);
int fs_tear_down(void **state);

/* Path of a name in the directory; "": the directory. Valid for the next 64 calls. */
const char *fs_path(const char *name);

/* Makes or overwrites a file. */
void fs_write(const char *name, const void *data, size_t size);

/* Expects that a file has exactly this content. */
void fs_expect(const char *name, const void *data, size_t size);

bool fs_exists(const char *name); // a symlink counts as such
