#include "fs/texts.h"

#include <string.h>

#include "base/base.h"

char *edo__text_part(const char *text, size_t size)
{
    char *part = edo__alloc(size + 1);
    if (!part) return NULL;
    memcpy(part, text, size);
    part[size] = '\0';
    return part;
}

char *edo__text_copy(const char *text)
{
    return edo__text_part(text, strlen(text));
}

void edo__text_free(char *text)
{
    if (text) edo__free(text, strlen(text) + 1);
}

char *edo__path_join(const char *dir, const char *name)
{
    size_t dir_size = strlen(dir), name_size = strlen(name);
    bool slash = dir_size && dir[dir_size - 1] != '/' && name_size;
    char *path = edo__alloc(dir_size + slash + name_size + 1);
    if (!path) return NULL;
    memcpy(path, dir, dir_size);
    if (slash) path[dir_size] = '/';
    memcpy(path + dir_size + slash, name, name_size + 1);
    return path;
}

bool edo__is_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 && (path[size] == '\0' || path[size] == '/');
}

const char *edo__path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
