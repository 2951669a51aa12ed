#include "support/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATHS = 64, PATH_SIZE = 512 };

static char directory[TEMP_PATH_SIZE];
static size_t descriptors;

int fs_set_up(void **state)
{
    (void)state;
    make_temp_dir(directory);
    descriptors = open_descriptors();
    return 0;
}

int fs_tear_down(void **state)
{
    (void)state;
    remove_tree(directory);
    assert_int_equal(open_descriptors(), descriptors);
    return 0;
}

const char *fs_path(const char *name)
{
    static char paths[PATHS][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    int size = snprintf(path, PATH_SIZE, "%s%s%s", directory, name[0] ? "/" : "", name);
    assert_in_range(size, 1, PATH_SIZE - 1);
    return path;
}

void fs_write(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(fs_path(name), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void fs_expect(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(fs_path(name), "r");
    char *content = malloc(size + 1);
    assert_non_null(file);
    assert_non_null(content);
    assert_int_equal(fread(content, 1, size + 1, file), size);
    if (size) assert_memory_equal(content, data, size);
    fclose(file);
    free(content);
}

bool fs_exists(const char *name)
{
    struct stat file;
    return lstat(fs_path(name), &file) == 0;
}
