/* Files: open, read, write, inspect, lock, and whole files in one call.
 *
 *     edo_await(rc, edo_file_open("log", EDO_OPEN_WRITE | EDO_OPEN_APPEND | EDO_OPEN_CREATE,
 *                                 &self->log));
 *     edo_await(n, edo_write_all(edo_file_io(self->log), self->line, self->size));
 *     edo_file_close(self->log);
 *
 * An edo_file is an open file or an open directory. edo_file_io() returns the stream of the file.
 * edo_read(), edo_write() and all utilities work on this stream, at the file's position. Calls with
 * an offset do not use the position. Names in directories, trees and walks are in edo/dir.h;
 * changes of files are watched with edo/watch_files.h.
 *
 * No call waits for a disk on the thread of a task. If the system can answer a call from memory,
 * the call is made at once. Otherwise the ring of the io_uring driver reads or writes, or a thread
 * of the runtime's pool "files" makes the call.
 *
 * A write is ready when the system has taken the data. An error is the result of the call that
 * caused the error. The data is on the disk after edo_file_sync(). The system reports a lost write
 * only once, to one sync. So after a sync that has reported lost data, all later syncs of the
 * edo_file answer the same error.
 *
 * Cancel. "prompt until it begins" distinguishes two cases. While the operation waits for a thread
 * or for the ring, it ends at once with -ECANCELED, and nothing was done. Once the system has begun
 * the call, the operation waits for the end of the call, and answers its result. So no result and
 * no byte is lost. A read or write that waits for a named pipe or a terminal ends within 16 ms
 * after its cancellation. edo_file_fd() clears O_NONBLOCK. After that call, the end may take longer
 * if another process uses the same pipe or terminal. The streams of edo/pipe.h and edo/terminal.h
 * need no thread for such waits.
 *
 * Operations of several tasks may use one edo_file at the same time. Only one operation at a time
 * may use the position; a second one answers -EBUSY. edo_file_close() ends the use of the file.
 * Operations in flight still answer their results, and the descriptor is closed after the last of
 * them. Only a read or write that waits for a named pipe or a terminal ends with -ECANCELED, as if
 * it were cancelled.
 *
 * Paths are bytes, and end with a NUL. Like all memory that is given to an operation, a path must
 * be valid until the operation is ready. The functions with _at take a directory, at which a
 * relative path begins. NULL stands for the working directory of the process at the moment of the
 * system call. That moment may be later than the first poll. So a program that changes its working
 * directory should pass directories to the functions with _at.
 */
#pragma once

#include <edo/bytes.h>
#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_file edo_file;

/* ---- opening ---- */

/* Flags for opening a file, which are combined by |. At least one of READ, WRITE, APPEND and PATH
 * is required. */
enum {
    EDO_OPEN_READ = 1 << 0,
    EDO_OPEN_WRITE = 1 << 1,
    EDO_OPEN_APPEND = 1 << 2,     // write at the end only; implies WRITE
    EDO_OPEN_CREATE = 1 << 3,     // make the file if it does not exist
    EDO_OPEN_CREATE_NEW = 1 << 4, // make the file; -EEXIST if the name exists, also as a symlink
    EDO_OPEN_TRUNCATE = 1 << 5,
    EDO_OPEN_DIRECTORY = 1 << 6, // -ENOTDIR if the file is not a directory
    EDO_OPEN_PATH = 1 << 7,      // for the _at functions and edo_file_info() only
    EDO_OPEN_NO_FOLLOW = 1 << 8, // -ELOOP if the last part of the path is a symlink
    EDO_OPEN_DIRECT = 1 << 9,    // bypass the cache; see edo_direct_buffer()
    EDO_OPEN_SYNC = 1 << 10,     // the data of each write is on the disk when the write is ready
    EDO_OPEN_DATA_SYNC = 1 << 11,
    EDO_OPEN_NO_ATIME = 1 << 12,
    EDO_OPEN_TEMPORARY = 1 << 13, // make a nameless file in the directory given by the path

    /* These flags limit where the path may lead. Useful for paths from an untrusted source. -ENOSYS
     * before Linux 5.6. */
    EDO_OPEN_BENEATH = 1 << 16,   // -EXDEV for a path that leaves the directory
    EDO_OPEN_IN_ROOT = 1 << 17,   // the directory is "/" for the path and for symlinks
    EDO_OPEN_NO_LINKS = 1 << 18,  // -ELOOP for any symlink in the path
    EDO_OPEN_ONE_MOUNT = 1 << 19, // -EXDEV for a path that leaves the mounted file system
    EDO_OPEN_NO_MAGIC = 1 << 20,  // -ELOOP for links such as /proc/self/fd/1
};

/* Opens a file. The descriptor is closed by exec. If the file is a named pipe, the operation waits
 * until the other end of the pipe is open. It tries again after pauses of 1 ms to 64 ms, as
 * edo_fifo_open_writer() of edo/pipe.h does.
 * mode: permissions of a file that is made, such as 0644; the umask is applied. edo_file_open()
 * uses 0666.
 * Result: 0 with *ret_file; -EINVAL for NULL, or flags that contradict each other; -ENOENT,
 * -EACCES, -EMFILE, ...; -ENOMEM.
 * Cancel: prompt until it begins, and also while it waits for the other end of a pipe. If the file
 * was opened in spite of the cancellation, the result is 0. */
EDO_API EDO_MUST_USE edo_op edo_file_open_at(edo_file *dir, const char *path, uint32_t flags,
                                             uint32_t mode, edo_file **ret_file);
EDO_API EDO_MUST_USE edo_op edo_file_open(const char *path, uint32_t flags, edo_file **ret_file);

/* Opens a new file for reading and writing. The file has no name, and has mode 0600 from the first
 * moment. The system frees the file when its last descriptor is closed, also after a crash.
 * edo_file_link() gives the file a name.
 * dir_path: a directory of the file system in which the file is made.
 * Result: as edo_file_open(); -EOPNOTSUPP: the file system has no such files. */
EDO_API EDO_MUST_USE edo_op edo_file_open_temporary(const char *dir_path, edo_file **ret_file);

/* Wraps a descriptor of any kind that edo_io_from_fd() refuses: a file, a directory, a device. From
 * this call on, the descriptor belongs to the file. Other processes may use the same position, for
 * instance after a redirection in a shell.
 * Returns: 0; -EBADF; -EINVAL for NULL; -ENOMEM. On failure the descriptor is still the caller's.
 * Thread: any. */
EDO_API EDO_MUST_USE int edo_file_from_fd(edo_fd fd, edo_file **ret_file);

/* The file's stream. The stream and the file are one object, so edo_close() or edo_finish() of the
 * stream also closes the file. A file has no write side that could be shut down (-ENOTSUP). */
EDO_API edo_io *edo_file_io(edo_file *file);

/* The descriptor, which still belongs to the file. */
EDO_API edo_fd edo_file_fd(const edo_file *file);

/* Ends the use of the file, and hands its descriptor to the caller.
 * Returns: the descriptor; -EBUSY with an operation in flight. Thread: the holder. */
EDO_API edo_fd edo_file_into_fd(edo_file *file);

/* Closes the file. NULL is ignored. For a file on a network file system, a close may find errors of
 * earlier writes. This call does not report them. To get such errors, call edo_file_sync() first.
 * The close of a removed file may take long, if this was the last use of the file, because the
 * system then frees the file's blocks. After a write by io_uring, the system itself may keep the
 * file open a moment longer than this call. During that moment, an exec of the file fails with
 * ETXTBSY.
 * Thread: any. */
EDO_API void edo_file_close(edo_file *file);

/* ---- reading and writing at an offset ---- */

/* Reads up to size bytes at an offset. At most 1 GiB per call. If fewer than size bytes are read,
 * either the file ends there, or an error stopped the call. In the case of an error, the next call
 * answers the error.
 * Result: bytes read; 0 at the end of the file; -ESPIPE for a file without offsets.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_read_at(edo_file *file, void *buffer, size_t size,
                                             uint64_t offset);

/* Writes size bytes at an offset. At most 1 GiB per call.
 * Result: bytes written. If they are fewer than size, an error (such as a full disk) stopped the
 * call, and the next call answers that error. -EINVAL for a file opened with APPEND, because the
 * system would ignore the offset and append.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_write_at(edo_file *file, const void *data, size_t size,
                                              uint64_t offset);

/* These calls read or write several buffers, in their order, at an offset. `slices` and the buffers
 * must outlive the operation.
 * count: 1 to 1024.
 * Result: bytes moved by one call of the system, perhaps fewer than all; -EINVAL.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_readv_at(edo_file *file, const edo_slice *slices, int count,
                                              uint64_t offset);
EDO_API EDO_MUST_USE edo_op edo_file_writev_at(edo_file *file, const edo_slice *slices, int count,
                                               uint64_t offset);

/* Allocates a buffer for a file opened with EDO_OPEN_DIRECT. Calls on such a file need addresses,
 * sizes and offsets that are multiples of edo_info.direct_align. The address of the buffer is a
 * multiple of 4096, which is enough for all common disks.
 * Returns: NULL if out of memory. Thread: any. */
EDO_API void *edo_direct_buffer(size_t size);
EDO_API void edo_direct_buffer_free(void *buffer, size_t size); // NULL is ignored

typedef enum edo_seek {
    EDO_SEEK_SET,     // from the start of the file
    EDO_SEEK_CURRENT, // from the position
    EDO_SEEK_END,     // from the end of the file
    EDO_SEEK_DATA,    // the first data at or after the offset; -ENXIO if there is none
    EDO_SEEK_HOLE,    // the first hole at or after the offset; the end of the file is a hole
} edo_seek;

/* Moves the position.
 * Result: the new position, in bytes from the start; -EINVAL for a position before the start;
 * -ESPIPE; -EBUSY while another operation uses the position.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_seek(edo_file *file, int64_t offset, edo_seek from);

/* ---- size and disk ---- */

/* edo_file_sync() writes the data and all metadata of the file to the disk. edo_file_sync_data()
 * leaves out metadata that is not needed to read the data again.
 * Result: 0; -EIO, -ENOSPC, -EDQUOT: data is lost, and all later syncs answer this error.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_sync(edo_file *file);
EDO_API EDO_MUST_USE edo_op edo_file_sync_data(edo_file *file);

/* Sets the size; new bytes are 0. Result: 0; -EINVAL, -EFBIG. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_truncate(edo_file *file, uint64_t size);

enum {
    EDO_ALLOCATE_KEEP_SIZE = 1, // the size of the file does not grow
    EDO_ALLOCATE_PUNCH = 2,     // free the range, which then reads as 0; implies KEEP_SIZE
    EDO_ALLOCATE_ZERO = 4,      // the range reads as 0
};

/* Reserves disk space for a range of the file, so that later writes there cannot fail with -ENOSPC.
 * Result: 0; -ENOSPC; -EOPNOTSUPP: the file system does not support this. Cancel: prompt until it
 * begins. */
EDO_API EDO_MUST_USE edo_op edo_file_allocate(edo_file *file, uint64_t offset, uint64_t size,
                                              uint32_t flags);

typedef enum edo_advice {
    EDO_ADVICE_NORMAL,
    EDO_ADVICE_SEQUENTIAL,
    EDO_ADVICE_RANDOM,
    EDO_ADVICE_WILL_NEED, // read into the cache
    EDO_ADVICE_DONT_NEED, // drop from the cache
    EDO_ADVICE_NO_REUSE,
} edo_advice;

/* Tells the system how a range will be used. size 0: to the end. Result: 0; -EINVAL. Cancel: prompt
 * until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_advise(edo_file *file, uint64_t offset, uint64_t size,
                                            edo_advice advice);

/* ---- locks ---- */

typedef enum edo_file_lock_kind { EDO_LOCK_SHARED, EDO_LOCK_EXCLUSIVE } edo_file_lock_kind;

/* Locks a range of the file against other processes and against other edo_files of this process.
 * The locks are advisory. They belong to the open file, and end with it. Users of fcntl() locks,
 * such as sqlite, respect them. If an edo_file locks bytes that it has already locked, the new lock
 * replaces the old one on these bytes.
 * size: bytes; 0: to the end of the file, whatever its size. offset 0, size 0: the whole file.
 * EXCLUSIVE needs a file opened for writing, and SHARED needs a file opened for reading; otherwise
 * the result is -EBADF.
 *
 * The system reports the end of a lock only to a thread that waits for it. The operation needs no
 * such thread: it tries again after 1 ms, 2 ms, and so on up to 64 ms. So waiters do not get the
 * lock in the order of their arrival.
 * Result: 0; -EINVAL; -ENOLCK. Cancel: prompt between two tries, and the range is not locked.
 * During a try, the operation waits, and answers 0 if the try has succeeded. */
EDO_API EDO_MUST_USE edo_op edo_file_lock(edo_file *file, edo_file_lock_kind kind, uint64_t offset,
                                          uint64_t size);

/* Tries once to lock a range. Result: as edo_file_lock(); -EAGAIN: another edo_file or another
 * process has a lock that excludes this one. */
EDO_API EDO_MUST_USE edo_op edo_file_try_lock(edo_file *file, edo_file_lock_kind kind,
                                              uint64_t offset, uint64_t size);

/* Unlocks a range. Result: 0. */
EDO_API EDO_MUST_USE edo_op edo_file_unlock(edo_file *file, uint64_t offset, uint64_t size);

/* ---- metadata ---- */

typedef enum edo_file_kind {
    EDO_IS_UNKNOWN,
    EDO_IS_FILE,
    EDO_IS_DIRECTORY,
    EDO_IS_SYMLINK,
    EDO_IS_PIPE,
    EDO_IS_SOCKET,
    EDO_IS_CHARACTER, // a terminal, a device
    EDO_IS_BLOCK,     // a disk
} edo_file_kind;

/* A moment of the wall clock, in the metadata of a file. */
typedef struct edo_file_time {
    int64_t seconds; // since 1970-01-01 00:00 UTC
    uint32_t nanoseconds, reserved;
} edo_file_time;

typedef struct edo_info {
    uint64_t size;           // bytes
    uint64_t allocated;      // bytes on the disk
    uint64_t device, inode;  // together the file's identity
    uint64_t special_device; // number of the device that a device file stands for
    edo_file_kind kind;
    uint32_t mode; // permissions, with the bits for set-user-id and the like
    uint32_t links;
    uint32_t user, group;
    uint32_t block_size;   // bytes; preferred size of reads and writes
    uint32_t direct_align; // bytes, for EDO_OPEN_DIRECT; 0: unknown
    uint32_t has_birth;    // 0: the file system does not record the birth
    edo_file_time access, change, status_change, birth;
    uint64_t reserved[4];
} edo_info;

/* Reads the metadata of an open file.
 * Result: 0; -EINVAL for NULL. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_info(edo_file *file, edo_info *ret_info);

/* Sets permissions. Result: 0; -EPERM. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_set_mode(edo_file *file, uint32_t mode);

/* Sets the owner. EDO_SAME: unchanged. Result: 0; -EPERM. Cancel: prompt until it begins. */
#define EDO_SAME UINT32_MAX
EDO_API EDO_MUST_USE edo_op edo_file_set_owner(edo_file *file, uint32_t user, uint32_t group);

/* Sets the times of the last access and the last change. NULL leaves a time unchanged. EDO_TIME_NOW
 * as nanoseconds: the current time.
 * Result: 0; -EPERM. Cancel: prompt until it begins. */
#define EDO_TIME_NOW UINT32_MAX
EDO_API EDO_MUST_USE edo_op edo_file_set_times(edo_file *file, const edo_file_time *access,
                                               const edo_file_time *change);

/* These calls read, set, remove and list extended attributes of a file. The file must not have been
 * opened with PATH. If size is 0, get and list answer the size that is needed. list gives all
 * names, each followed by a NUL.
 * name: includes the class, as in "user.comment".
 * Result: the size of the value or list; 0 for set and remove; -ENODATA: no such attribute;
 * -ERANGE: buffer too small; -EOPNOTSUPP.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_xattr_get(edo_file *file, const char *name, void *buffer,
                                               size_t size);
EDO_API EDO_MUST_USE edo_op edo_file_xattr_set(edo_file *file, const char *name, const void *value,
                                               size_t size);
EDO_API EDO_MUST_USE edo_op edo_file_xattr_remove(edo_file *file, const char *name);
EDO_API EDO_MUST_USE edo_op edo_file_xattr_list(edo_file *file, char *buffer, size_t size);

/* Gives a name to an open file, which may be one of edo_file_open_temporary(). Result: 0; -EEXIST;
 * -EXDEV: the path is on another file system; -ENOENT: the file had a name, and the name was
 * removed. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_link(edo_file *file, edo_file *dir, const char *path);

/* ---- whole files ---- */

/* Reads a whole file, even a file of /proc, whose size is unknown. If the file is in the cache of
 * the system, it is read at once. Otherwise one job on the pool makes all calls.
 * Result: bytes read, in *ret_bytes (edo_bytes_deinit() frees them); -ENOMEM; -EFBIG for a file
 * larger than memory can be; the errors of edo_file_open().
 * Cancel: waits until the current piece of some megabytes is read, or, if the file is a pipe or a
 * terminal without input, up to 16 ms. *ret_bytes is untouched. */
EDO_API EDO_MUST_USE edo_op edo_file_read_whole_at(edo_file *dir, const char *path,
                                                   edo_bytes *ret_bytes);
EDO_API EDO_MUST_USE edo_op edo_file_read_whole(const char *path, edo_bytes *ret_bytes);

/* Makes or overwrites a file with these bytes. After a crash or an error the file may contain only
 * a part of the bytes. edo_file_replace() avoids that.
 * Result: 0, or the first error.
 * Cancel: prompt until it begins, and also while a named pipe has no reader. A write to a full pipe
 * is not cancelled: it waits, on a thread of the pool, until the reader has read. */
EDO_API EDO_MUST_USE edo_op edo_file_write_whole_at(edo_file *dir, const char *path,
                                                    const void *data, size_t size);
EDO_API EDO_MUST_USE edo_op edo_file_write_whole(const char *path, const void *data, size_t size);

/* Replaces the content of a file atomically. A reader, even after a crash, finds either the whole
 * old file or the whole new file. The call writes a temporary file in the same directory, syncs it,
 * renames it, and syncs the directory. A symlink is replaced, not followed. The new file gets the
 * permissions of the old file, and also its user and its group, as far as the system permits this.
 * If the new file has another user than the old file, it is not set-user-id. If it has another
 * group, it is not set-group-id. If there was no old file, the new file has 0666 without the
 * umask's bits.
 * Result: 0; the first error. After an error the old file is unchanged, except if the sync of the
 * directory has failed. In that case the new file is in place, but may be lost in a crash.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_file_replace_at(edo_file *dir, const char *path, const void *data,
                                                size_t size);
EDO_API EDO_MUST_USE edo_op edo_file_replace(const char *path, const void *data, size_t size);

EDO_END_DECLS
