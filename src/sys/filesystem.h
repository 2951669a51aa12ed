/* Contract with the operating system: files, directories and names. Thread: any. Results are >= 0
 * or a negative errno. A call that a signal has interrupted is repeated. */
#pragma once

#include <edo/dir.h>
#include <edo/file.h>

enum { EDO__HERE = -100 }; // in place of a directory: the process's working directory

typedef enum edo__file_verb {
    /* Calls on a file. The comment at a verb names the members of edo__file_call that the verb
     * uses, and their contents. If `offset` is EDO__AT_POSITION, the call is at the file's
     * position. */
    EDO__FILE_READ,   // data, size, offset, flags: EDO_OPEN_DIRECT or 0; result: bytes
    EDO__FILE_WRITE,  // as EDO__FILE_READ
    EDO__FILE_READV,  // data: slices; size: their number
    EDO__FILE_WRITEV, // as EDO__FILE_READV
    EDO__FILE_SEEK,   // offset as int64_t, flags: edo_seek; result: position
    EDO__FILE_SYNC,
    EDO__FILE_SYNC_DATA,
    EDO__FILE_TRUNCATE, // size
    EDO__FILE_ALLOCATE, // offset, size, flags: EDO_ALLOCATE_*
    EDO__FILE_ADVISE,   // offset, size, flags: edo_advice
    EDO__FILE_LOCK,     // offset, size, flags: edo_file_lock_kind; result: 1 if locked, 0 if not
    EDO__FILE_UNLOCK,   // offset, size
    EDO__XATTR_GET,     // path: name; data, size
    EDO__XATTR_SET,     // as EDO__XATTR_GET
    EDO__XATTR_REMOVE,  // path: name
    EDO__XATTR_LIST,    // data, size

    /* Calls on a path in a directory. Without a path, the call is on the file fd itself. */
    EDO__FILE_OPEN,  // flags: EDO_OPEN_*, mode; result: descriptor
    EDO__FILE_INFO,  // data: edo_info *
    EDO__FILE_MODE,  // mode
    EDO__FILE_OWNER, // size: user id, offset: group id
    EDO__FILE_TIMES, // data: access time, path2: change time; both edo_file_time * or NULL

    /* Calls on a path in a directory. */
    EDO__PATH_MAKE_DIR, // mode
    EDO__PATH_REMOVE,
    EDO__PATH_REMOVE_DIR,
    EDO__PATH_RENAME,    // path2 in fd2; flags: EDO_RENAME_*
    EDO__PATH_LINK,      // path2 in fd2; without a path: a new name for the file fd
    EDO__PATH_SYMLINK,   // path2: text of the target
    EDO__PATH_READ_LINK, // data, size; result: bytes, perhaps truncated
    EDO__PATH_SPACE,     // data: edo_disk_space *
} edo__file_verb;

/* Bit of edo__file_call.flags for calls on a path. */
enum { EDO__PATH_NO_FOLLOW = 1u << 30 };

/* One call. */
typedef struct edo__file_call {
    edo__file_verb verb;
    uint32_t flags, mode;
    edo_fd fd, fd2; // the file, or the directory of the path; EDO__HERE: the working directory
    const char *path, *path2;
    void *data;
    uint64_t size, offset;
} edo__file_call;

/* Value of `offset` that stands for the file's position. */
#define EDO__AT_POSITION UINT64_MAX

/* Greatest number of bytes per call, because some file systems refuse 2 GiB. */
enum { EDO__FILE_MAX_TRANSFER = 1 << 30 };

/* Makes a call. May wait for a disk. Raises neither SIGPIPE nor SIGXFSZ. */
int64_t edo__file_make(const edo__file_call *call);

/* Makes a call if the system can serve the call from memory. Writes, and calls that change names,
 * are never made here. An open is tried by edo__file_try_open() instead. Returns: the result of the
 * call; -EAGAIN: the call was not made. */
int64_t edo__file_try(const edo__file_call *call);

/* ---- opening ----
 *
 * An open must not wait for the other end of a named pipe, because nothing could end this wait. So
 * a file is opened with O_NONBLOCK. The flag has no effect on reads and writes of regular files.
 * Before a use that the flag would change, edo__file_clear_nonblocking() clears it.
 *
 * EDO__FILE_OPEN answers EDO__NOT_YET in these cases, and the caller tries again later:
 * - It opens a named pipe for writing only, and the pipe has no reader.
 * - It has a resolve option, such as EDO_OPEN_BENEATH, and another process has a lease on the file
 *   or changes a name on the path.
 * Each open ends with edo__file_end_open(). */
#define EDO__NOT_YET (-EINPROGRESS) // no call on a file fails with this errno
int64_t edo__file_try_open(const edo__file_call *call);
void edo__file_clear_nonblocking(edo_fd fd);

/* Ends an open. Returns: true; or false if the file is the read end of a named pipe that has had no
 * writer yet. After false, the caller keeps the descriptor open, and calls again later. The caller
 * must not close the descriptor, because a writer may just have found this reader, and would then
 * fail with EPIPE. */
bool edo__file_end_open(edo_fd fd);

/* Waits until a file without a position, such as a pipe or a terminal, can be used without
 * blocking. writes: true for a write of EDO__FILE_PIPE_WRITE bytes, false for a read. limit:
 * greatest wait in ms; -1: no limit. Returns: 1: the file can be used; EDO__NOT_YET: the limit has
 * passed; 0: the file has a position. */
int edo__file_wait(edo_fd fd, bool writes, int limit);
enum { EDO__FILE_PIPE_WRITE = 4096 }; // PIPE_BUF of Linux

/* Checks the flags of edo_file_open(). Returns: 0; -EINVAL. */
int edo__file_check_open(uint32_t flags);

/* Whether this process has a limit on the size of the files that it writes. If there is a limit,
 * writes must be made by edo__file_make(), which handles SIGXFSZ. */
bool edo__file_is_limited(void);

/* Reads flags with which a file was opened. Returns: a set of EDO_OPEN_APPEND and EDO_OPEN_DIRECT;
 * or -EBADF. */
int edo__file_status(edo_fd fd);

/* Finds the absolute path of a file, with all symlinks resolved. Does not open the file for
 * reading. Stores the path without a NUL, cut to `size` bytes. Returns: number of bytes stored;
 * -ENOENT, also for a file without a name. */
int64_t edo__file_canonical(const char *path, char *buffer, size_t size);

/* ---- directories ---- */

/* One entry of a directory. `name` points into the memory of the batch. */
typedef struct edo__dir_entry {
    const char *name;
    size_t size; // bytes of the name, without its NUL
    uint64_t inode;
    edo_file_kind kind; // EDO_IS_UNKNOWN if the file was removed meanwhile
} edo__dir_entry;

/* Reads a batch of directory entries. memory: aligned to 8 bytes. Returns: size of the batch, in
 * bytes; 0 at the end of the directory, and for a removed directory. */
int64_t edo__dir_read(edo_fd fd, void *memory, size_t size);

/* Takes the next entry of a batch. Skips "." and "..". *at: 0 before the first call. Returns:
 * whether there was an entry. */
bool edo__dir_take(const void *memory, size_t size, size_t *at, edo__dir_entry *ret_entry);

/* ---- copies ---- */

/* Makes the file `to` share all blocks of the file `from`. Returns: 0; or an error if the file
 * system cannot share blocks. */
int edo__file_clone(edo_fd from, edo_fd to);
