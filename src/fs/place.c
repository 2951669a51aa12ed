#include "fs/place.h"

#include <stdio.h>
#include <string.h>

#include "sys/sys.h"

enum { PATH_MAX_SIZE = 4096, TRIES = 100 };

/* ---- opening ---- */

static int64_t open_dir(edo__place *place, edo_fd fd, const char *path, size_t size)
{
    char parent[PATH_MAX_SIZE];
    if (size >= sizeof parent) return -ENAMETOOLONG;
    memcpy(parent, path, size);
    parent[size] = '\0';
    edo__file_call call = { .verb = EDO__FILE_OPEN,
                            .fd = fd,
                            .path = size ? parent : ".",
                            .flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY };
    int64_t dir = edo__file_make(&call);
    place->dir = dir < 0 ? -1 : (edo_fd)dir;
    return dir < 0 ? dir : 0;
}

static void choose_name(edo__place *place)
{
    snprintf(place->temp, sizeof place->temp, ".edo-%016llx",
             (unsigned long long)edo__sys_random());
}

/* Opens a file without a name. After a crash, the system removes such a file. If the file system
 * has no files without a name, opens a file with a random name. */
static int64_t open_file(edo__place *place, uint32_t mode)
{
    const uint32_t access = EDO_OPEN_READ | EDO_OPEN_WRITE;
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = place->dir, .mode = mode };
    call.path = ".";
    call.flags = access | EDO_OPEN_TEMPORARY;
    int64_t fd = edo__file_make(&call);
    bool has_none = fd == -EOPNOTSUPP || fd == -EISDIR || fd == -ENOENT;
    call.flags = access | EDO_OPEN_CREATE_NEW;
    call.path = place->temp;
    for (int tries = 0; has_none && tries < TRIES; tries++) {
        choose_name(place);
        fd = edo__file_make(&call);
        has_none = fd == -EEXIST;
    }
    if (fd < 0) place->temp[0] = '\0';
    return fd;
}

static bool is_name(const char *name)
{
    return name[0] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int64_t edo__place_open(edo__place *place, edo_fd fd, const char *path, uint32_t mode)
{
    const char *slash = strrchr(path, '/');
    *place = (edo__place){ .dir = -1, .fd = -1, .name = slash ? slash + 1 : path };
    if (!is_name(place->name)) return *path ? -EISDIR : -ENOENT;
    int64_t rc = open_dir(place, fd, path, slash ? (size_t)(slash - path) + 1 : 0);
    if (rc < 0) return rc;
    rc = open_file(place, mode);
    if (rc < 0) {
        edo__sys_close(place->dir);
        return rc;
    }
    place->fd = (edo_fd)rc;
    return 0;
}

int64_t edo__place_open_direct(edo__place *place, edo_fd dir, const char *path, uint32_t mode)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = dir, .path = path, .mode = mode };
    call.flags = EDO_OPEN_READ | EDO_OPEN_WRITE | EDO_OPEN_CREATE_NEW;
    *place = (edo__place){ .dir = dir, .fd = -1, .name = path, .is_direct = true };
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd;
    place->fd = (edo_fd)fd;
    return 0;
}

static void close_all(edo__place *place)
{
    edo__sys_close(place->fd);
    if (!place->is_direct) edo__sys_close(place->dir);
    place->fd = place->dir = -1;
    place->temp[0] = '\0';
}

/* ---- the end ---- */

static int64_t link_as(const edo__place *place, const char *name)
{
    edo__file_call call = {
        .verb = EDO__PATH_LINK, .fd = place->fd, .fd2 = place->dir, .path2 = name
    };
    return edo__file_make(&call);
}

/* Gives the file without a name a random name. A rename then gives the file its final name. A link
 * could not do this, because a link cannot replace an existing file. */
static int64_t link_temp(edo__place *place)
{
    int64_t rc = -EEXIST;
    for (int tries = 0; rc == -EEXIST && tries < TRIES; tries++) {
        choose_name(place);
        rc = link_as(place, place->temp);
    }
    if (rc < 0) place->temp[0] = '\0';
    return rc;
}

static int64_t rename_temp(edo__place *place, bool replaces)
{
    edo__file_call call = { .verb = EDO__PATH_RENAME,
                            .fd = place->dir,
                            .fd2 = place->dir,
                            .path = place->temp,
                            .path2 = place->name,
                            .flags = replaces ? 0 : EDO_RENAME_NO_REPLACE };
    int64_t rc = edo__file_make(&call);
    if (rc >= 0) place->temp[0] = '\0';
    return rc;
}

static int64_t give_name(edo__place *place, bool replaces)
{
    if (!place->temp[0]) {
        int64_t rc = link_as(place, place->name);
        if (rc != -EEXIST || !replaces) return rc;
        rc = link_temp(place);
        if (rc < 0) return rc;
    }
    return rename_temp(place, replaces);
}

/* Syncs the directory. Ignores -EINVAL, because some file systems cannot sync a directory. */
static int64_t sync_dir(const edo__place *place)
{
    edo__file_call call = { .verb = EDO__FILE_SYNC, .fd = place->dir };
    int64_t rc = edo__file_make(&call);
    return rc == -EINVAL ? 0 : rc;
}

int64_t edo__place_commit(edo__place *place, bool replaces, bool syncs)
{
    int64_t rc = place->is_direct ? 0 : give_name(place, replaces);
    if (rc >= 0 && syncs) rc = sync_dir(place);
    if (rc < 0)
        edo__place_abandon(place);
    else
        close_all(place);
    return rc;
}

void edo__place_abandon(edo__place *place)
{
    edo__file_call call = { .verb = EDO__PATH_REMOVE, .fd = place->dir };
    call.path = place->is_direct ? place->name : place->temp;
    if (*call.path) edo__file_make(&call);
    close_all(place);
}

int64_t edo__place_write(edo_fd fd, const void *data, uint64_t size)
{
    edo__file_call call = { .verb = EDO__FILE_WRITE,
                            .fd = fd,
                            .data = (void *)(uintptr_t)data,
                            .size = size,
                            .offset = EDO__AT_POSITION };
    while (call.size) {
        int64_t n = edo__file_make(&call);
        if (n == -EAGAIN && edo__file_wait(fd, true, -1) != 0) continue; // a full pipe
        if (n < 0) return n;
        call.data = (char *)call.data + n;
        call.size -= (uint64_t)n;
    }
    return 0;
}

int64_t edo__place_set_mode(edo_fd fd, const edo_info *from)
{
    enum { SET_USER = 04000, SET_GROUP = 02000 };
    edo_info info;
    uint32_t mode = from->mode;
    if (mode & (SET_USER | SET_GROUP)) {
        edo__file_call call = { .verb = EDO__FILE_INFO, .fd = fd, .data = &info };
        int64_t rc = edo__file_make(&call);
        if (rc < 0) return rc;
        if (info.user != from->user) mode &= ~(uint32_t)SET_USER;
        if (info.group != from->group) mode &= ~(uint32_t)SET_GROUP;
    }
    return edo__file_make(&(edo__file_call){ .verb = EDO__FILE_MODE, .fd = fd, .mode = mode });
}
