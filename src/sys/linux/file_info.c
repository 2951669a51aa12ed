/* Metadata of files (sys/filesystem.h) on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <edo/dir.h>

#include "sys/linux/file.h"
#include "sys/sys.h"

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000U // Linux 6.1
#endif

static edo_file_kind kind_of(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG: return EDO_IS_FILE;
    case S_IFDIR: return EDO_IS_DIRECTORY;
    case S_IFLNK: return EDO_IS_SYMLINK;
    case S_IFIFO: return EDO_IS_PIPE;
    case S_IFSOCK: return EDO_IS_SOCKET;
    case S_IFCHR: return EDO_IS_CHARACTER;
    case S_IFBLK: return EDO_IS_BLOCK;
    default: return EDO_IS_UNKNOWN;
    }
}

static edo_file_time time_of(struct statx_timestamp stamp)
{
    return (edo_file_time){ .seconds = stamp.tv_sec, .nanoseconds = stamp.tv_nsec };
}

/* Offsets, in bytes, of two members of struct statx that glibc 2.36 does not declare. The members
 * are the alignment of memory and the alignment of file offsets in direct transfers. */
enum { DIRECT_MEM_ALIGN = 0x98, DIRECT_OFFSET_ALIGN = 0x9c };

static uint32_t direct_align_of(const struct statx *stat)
{
    const char *raw = (const char *)stat;
    uint32_t memory = *(const uint32_t *)(const void *)(raw + DIRECT_MEM_ALIGN);
    uint32_t offset = *(const uint32_t *)(const void *)(raw + DIRECT_OFFSET_ALIGN);
    return memory > offset ? memory : offset;
}

static void fill(edo_info *info, const struct statx *stat)
{
    *info = (edo_info){
        .size = stat->stx_size,
        .allocated = stat->stx_blocks * 512,
        .device = makedev(stat->stx_dev_major, stat->stx_dev_minor),
        .inode = stat->stx_ino,
        .special_device = makedev(stat->stx_rdev_major, stat->stx_rdev_minor),
        .kind = kind_of(stat->stx_mode),
        .mode = stat->stx_mode & 07777u,
        .links = stat->stx_nlink,
        .user = stat->stx_uid,
        .group = stat->stx_gid,
        .block_size = stat->stx_blksize,
        .has_birth = (stat->stx_mask & STATX_BTIME) != 0,
        .access = time_of(stat->stx_atime),
        .change = time_of(stat->stx_mtime),
        .status_change = time_of(stat->stx_ctime),
    };
    if (info->has_birth) info->birth = time_of(stat->stx_btime);
    if (stat->stx_mask & STATX_DIOALIGN) info->direct_align = direct_align_of(stat);
}

static int64_t read_info(edo_fd fd, const char *path, int flags, edo_info *ret_info)
{
    struct statx stat;
    const unsigned wanted = STATX_BASIC_STATS | STATX_BTIME | STATX_DIOALIGN;
    if (statx(fd, path, flags, wanted, &stat) < 0) return -errno;
    fill(ret_info, &stat);
    return 0;
}

static int at_flags(const edo__file_call *call)
{
    if (!call->path) return AT_EMPTY_PATH;
    return call->flags & EDO__PATH_NO_FOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
}

static const char *path_of(const edo__file_call *call)
{
    return call->path ? call->path : "";
}

int64_t edo__file_info(const edo__file_call *call)
{
    return read_info(call->fd, path_of(call), at_flags(call) | AT_NO_AUTOMOUNT, call->data);
}

/* First opens the path with O_PATH. This succeeds only if the path is in the cache. The inode of an
 * open file is in memory, so the second step, which reads the inode, does not wait for a disk. */
int64_t edo__file_try_info(const edo__file_call *call)
{
    const int flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (!call->path) return read_info(call->fd, "", flags, call->data);
    int fd = edo__file_open_place(call);
    if (fd < 0) return fd;
    int64_t rc = read_info(fd, "", flags, call->data);
    edo__sys_close(fd);
    return rc;
}

/* ---- changes ---- */

/* Size of the path of an open file in /proc. Calls that refuse O_PATH descriptors use this path. */
enum { PROC_PATH_SIZE = 32 };

static const char *proc_path(edo_fd fd, char text[PROC_PATH_SIZE])
{
    snprintf(text, PROC_PATH_SIZE, "/proc/self/fd/%d", fd);
    return text;
}

/* Follows symlinks, because fchmodat() of glibc 2.36 refuses AT_SYMLINK_NOFOLLOW for all files. */
int64_t edo__file_mode(const edo__file_call *call)
{
    char text[PROC_PATH_SIZE];
    mode_t mode = call->mode & 07777;
    int rc = call->path ? fchmodat(call->fd, call->path, mode, 0) : fchmod(call->fd, mode);
    if (rc < 0 && errno == EBADF && !call->path) rc = chmod(proc_path(call->fd, text), mode);
    return rc < 0 ? -errno : 0;
}

int64_t edo__file_owner(const edo__file_call *call)
{
    int rc = fchownat(call->fd, path_of(call), (uid_t)call->size, (gid_t)call->offset,
                      at_flags(call));
    return rc < 0 ? -errno : 0;
}

static struct timespec stamp_of(const edo_file_time *time)
{
    if (!time) return (struct timespec){ .tv_nsec = UTIME_OMIT };
    if (time->nanoseconds == EDO_TIME_NOW) return (struct timespec){ .tv_nsec = UTIME_NOW };
    return (struct timespec){ .tv_sec = (time_t)time->seconds, .tv_nsec = time->nanoseconds };
}

int64_t edo__file_times(const edo__file_call *call)
{
    struct timespec times[2] = { stamp_of(call->data),
                                 stamp_of((const edo_file_time *)(const void *)call->path2) };
    int rc = call->path ? utimensat(call->fd, call->path, times, at_flags(call))
                        : futimens(call->fd, times);
    return rc < 0 ? -errno : 0;
}

int64_t edo__path_space(const edo__file_call *call)
{
    struct statvfs disk;
    edo_disk_space *space = call->data;
    int fd = openat(call->fd, call->path, O_PATH | O_CLOEXEC);
    if (fd < 0) return -errno;
    int rc = fstatvfs(fd, &disk) < 0 ? -errno : 0;
    edo__sys_close(fd);
    if (rc == 0)
        *space = (edo_disk_space){ .size = disk.f_blocks * disk.f_frsize,
                                   .free = disk.f_bfree * disk.f_frsize,
                                   .available = disk.f_bavail * disk.f_frsize,
                                   .files = disk.f_files,
                                   .files_free = disk.f_ffree };
    return rc;
}
