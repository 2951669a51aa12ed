/* Names of files and entries of directories (sys/filesystem.h) on Linux. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <edo/dir.h>

#include "sys/linux/file.h"

static unsigned rename_flags(uint32_t flags)
{
    unsigned result = flags & EDO_RENAME_NO_REPLACE ? RENAME_NOREPLACE : 0;
    return flags & EDO_RENAME_EXCHANGE ? result | RENAME_EXCHANGE : result;
}

/* Makes a link. A file without a path is linked through its name in /proc, because AT_EMPTY_PATH
 * would need a privilege. */
static int make_link(const edo__file_call *call)
{
    char text[32];
    if (call->path) return linkat(call->fd, call->path, call->fd2, call->path2, 0);
    snprintf(text, sizeof text, "/proc/self/fd/%d", call->fd);
    return linkat(AT_FDCWD, text, call->fd2, call->path2, AT_SYMLINK_FOLLOW);
}

static ssize_t call_once(const edo__file_call *call)
{
    switch (call->verb) {
    case EDO__PATH_MAKE_DIR: return mkdirat(call->fd, call->path, call->mode & 07777);
    case EDO__PATH_REMOVE: return unlinkat(call->fd, call->path, 0);
    case EDO__PATH_REMOVE_DIR: return unlinkat(call->fd, call->path, AT_REMOVEDIR);
    case EDO__PATH_RENAME:
        return renameat2(call->fd, call->path, call->fd2, call->path2, rename_flags(call->flags));
    case EDO__PATH_LINK: return make_link(call);
    case EDO__PATH_SYMLINK: return symlinkat(call->path2, call->fd, call->path);
    case EDO__PATH_READ_LINK: return readlinkat(call->fd, call->path, call->data, call->size);
    default: errno = EINVAL; return -1;
    }
}

int64_t edo__path_call(const edo__file_call *call)
{
    ssize_t n;
    do {
        n = call_once(call);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* ---- canonical paths ---- */

enum { PROC_PATH_SIZE = 32, PATH_SIZE = 4096 };

/* Whether a path is the path of an open file. The kernel adds " (deleted)" to the path of a removed
 * file, so for such a path the result is false. */
static bool is_path_of(const char *path, int fd)
{
    struct stat there, here;
    if (fstat(fd, &here) < 0 || lstat(path, &there) < 0) return false;
    return here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

static int64_t path_of_fd(int fd, char *buffer, size_t size)
{
    char link[PROC_PATH_SIZE], path[PATH_SIZE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return -errno;
    path[n] = '\0';
    if (path[0] != '/' || !is_path_of(path, fd)) return -ENOENT;
    size_t part = (size_t)n < size ? (size_t)n : size;
    memcpy(buffer, path, part);
    return (int64_t)part;
}

int64_t edo__file_canonical(const char *path, char *buffer, size_t size)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) return -errno;
    int64_t n = path_of_fd(fd, buffer, size);
    close(fd);
    return n;
}

/* ---- directories ---- */

/* An entry of a directory, as the kernel writes it. */
typedef struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size; // bytes of this struct with the name
    uint8_t type;
    char name[];
} entry;

/* Fills in the types of entries for which the file system has reported no type. */
static void complete(int fd, void *memory, size_t size)
{
    struct stat file;
    for (size_t at = 0; at < size;) {
        entry *found = (void *)((char *)memory + at);
        at += found->size;
        if (found->type != DT_UNKNOWN) continue;
        if (fstatat(fd, found->name, &file, AT_SYMLINK_NOFOLLOW) == 0)
            found->type = (uint8_t)IFTODT(file.st_mode);
    }
}

int64_t edo__dir_read(edo_fd fd, void *memory, size_t size)
{
    long n = syscall(SYS_getdents64, fd, memory, size);
    if (n < 0) return errno == ENOENT ? 0 : -errno; // a removed directory
    complete(fd, memory, (size_t)n);
    return n;
}

static edo_file_kind kind_of(uint8_t type)
{
    switch (type) {
    case DT_REG: return EDO_IS_FILE;
    case DT_DIR: return EDO_IS_DIRECTORY;
    case DT_LNK: return EDO_IS_SYMLINK;
    case DT_FIFO: return EDO_IS_PIPE;
    case DT_SOCK: return EDO_IS_SOCKET;
    case DT_CHR: return EDO_IS_CHARACTER;
    case DT_BLK: return EDO_IS_BLOCK;
    default: return EDO_IS_UNKNOWN;
    }
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

bool edo__dir_take(const void *memory, size_t size, size_t *at, edo__dir_entry *ret_entry)
{
    while (*at < size) {
        const entry *found = (const void *)((const char *)memory + *at);
        *at += found->size;
        if (is_dots(found->name)) continue;
        *ret_entry = (edo__dir_entry){ .name = found->name,
                                       .size = strlen(found->name),
                                       .inode = found->inode,
                                       .kind = kind_of(found->type) };
        return true;
    }
    return false;
}

/* ---- copies ---- */

int edo__file_clone(edo_fd from, edo_fd to)
{
    return ioctl(to, FICLONE, from) < 0 ? -errno : 0;
}
