/* Names, directories and trees of files.
 *
 * A function whose name ends with _at takes one or two directories. A relative path begins at such
 * a directory. The directory is an edo_file that was opened with EDO_OPEN_PATH, or with
 * EDO_OPEN_READ and EDO_OPEN_DIRECTORY. NULL stands for the working directory. edo/file.h explains
 * paths, threads and cancellation.
 *
 * An edo_dir gives the entries of one directory. An edo_walk gives all files below a directory.
 *
 *     edo_await(rc, edo_dir_open("photos", &self->dir));
 *     for (;;) {
 *         edo_await(rc, edo_dir_next(self->dir, &self->entry));
 *         if (rc <= 0) break;
 *         puts(self->entry.name);
 *     }
 *     edo_dir_close(self->dir);
 *
 * edo_path_remove_tree() and edo_path_copy_tree() run on the pool "files", in pieces of some
 * hundred files. A cancellation takes effect between two pieces.
 */
#pragma once

#include <edo/file.h>

EDO_BEGIN_DECLS

/* ---- names ---- */

/* Removes a name of a file. If the name is a symlink, the symlink is removed.
 * Result: 0; -EISDIR for a directory; -ENOENT. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_remove_at(edo_file *dir, const char *path);
EDO_API EDO_MUST_USE edo_op edo_path_remove(const char *path);

/* Removes an empty directory. Result: 0; -ENOTEMPTY; -ENOTDIR. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_remove_dir_at(edo_file *dir, const char *path);
EDO_API EDO_MUST_USE edo_op edo_path_remove_dir(const char *path);

enum {
    EDO_RENAME_NO_REPLACE = 1, // -EEXIST if the new name exists
    EDO_RENAME_EXCHANGE = 2,   // exchange the files of two existing names
};

/* Renames a file or a directory, atomically. An existing file with the new name is replaced.
 * Result: 0; -EXDEV: another file system; -EINVAL for unknown flags, or for both flags.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_rename_at(edo_file *from_dir, const char *from,
                                               edo_file *to_dir, const char *to, uint32_t flags);
EDO_API EDO_MUST_USE edo_op edo_path_rename(const char *from, const char *to);

/* Gives a file a second name (a hard link). A symlink is not followed: the symlink itself gets the
 * second name.
 * Result: 0; -EEXIST; -EXDEV; -EPERM for a directory. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_link_at(edo_file *from_dir, const char *from, edo_file *to_dir,
                                             const char *to);
EDO_API EDO_MUST_USE edo_op edo_path_link(const char *from, const char *to);

/* Makes a symlink that refers to `target`. Result: 0; -EEXIST. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_symlink_at(const char *target, edo_file *dir,
                                                const char *path);
EDO_API EDO_MUST_USE edo_op edo_path_symlink(const char *target, const char *path);

/* Reads the text of a symlink, and adds a NUL.
 * Result: the length; -ENAMETOOLONG: the text and its NUL need more than `size` bytes; -EINVAL: not
 * a symlink.
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_read_link_at(edo_file *dir, const char *path, char *buffer,
                                                  size_t size);
EDO_API EDO_MUST_USE edo_op edo_path_read_link(const char *path, char *buffer, size_t size);

/* Finds the absolute path of an existing file, and adds a NUL. The path contains no symlink, no "."
 * and no "..". The file is not opened.
 * Result: the length; -ENAMETOOLONG: the path and its NUL need more than `size` bytes; -ENOENT:
 * there is no such file, or it was removed during the call. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_canonical(const char *path, char *buffer, size_t size);

/* ---- metadata by path ---- */

/* edo_path_info() follows a symlink. edo_path_link_info() reads the metadata of the symlink itself.
 * Result: 0; -ENOENT; -ENOTDIR. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_info_at(edo_file *dir, const char *path, edo_info *ret_info);
EDO_API EDO_MUST_USE edo_op edo_path_info(const char *path, edo_info *ret_info);
EDO_API EDO_MUST_USE edo_op edo_path_link_info_at(edo_file *dir, const char *path,
                                                  edo_info *ret_info);
EDO_API EDO_MUST_USE edo_op edo_path_link_info(const char *path, edo_info *ret_info);

/* These calls set the permissions, the owner and the times of a file. For open files, edo/file.h
 * has functions of the same kind. edo_path_set_mode_at() follows symlinks. The other two functions
 * change the symlink itself. */
EDO_API EDO_MUST_USE edo_op edo_path_set_mode_at(edo_file *dir, const char *path, uint32_t mode);
EDO_API EDO_MUST_USE edo_op edo_path_set_owner_at(edo_file *dir, const char *path, uint32_t user,
                                                  uint32_t group);
EDO_API EDO_MUST_USE edo_op edo_path_set_times_at(edo_file *dir, const char *path,
                                                  const edo_file_time *access,
                                                  const edo_file_time *change);

typedef struct edo_disk_space {
    uint64_t size, free;        // bytes
    uint64_t available;         // bytes that a program without privileges can use
    uint64_t files, files_free; // greatest number of files, and how many more fit; both 0: no limit
} edo_disk_space;

/* Reads the space of the file system that has the file. Result: 0; -ENOENT. Cancel: prompt until it
 * begins. */
EDO_API EDO_MUST_USE edo_op edo_path_space(const char *path, edo_disk_space *ret_space);

/* ---- directories ---- */

/* Makes a directory. mode: such as 0755; the umask is applied. edo_path_make_dir() uses 0777.
 * Result: 0; -EEXIST. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_make_dir_at(edo_file *dir, const char *path, uint32_t mode);
EDO_API EDO_MUST_USE edo_op edo_path_make_dir(const char *path);

/* Makes a directory, and first the missing directories above it, all with the same mode.
 * mode: as above. edo_path_make_dirs() uses 0777.
 * Result: 0, also if all exist; -ENOTDIR; -EEXIST: the path is a file of another kind;
 * -ENAMETOOLONG. Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_path_make_dirs_at(edo_file *dir, const char *path, uint32_t mode);
EDO_API EDO_MUST_USE edo_op edo_path_make_dirs(const char *path);

typedef struct edo_dir edo_dir;

/* An entry of a directory; valid until the next operation on the edo_dir. */
typedef struct edo_entry {
    const char *name; // bytes, ending with a NUL
    size_t size;      // bytes of the name
    uint64_t inode;
    edo_file_kind kind; // for a symlink: EDO_IS_SYMLINK. EDO_IS_UNKNOWN only if the file system
                        // reports no kinds, and the file was removed or may not be inspected
} edo_entry;

/* Opens a directory to read its entries. Result: 0 with *ret_dir; -ENOTDIR; the errors of
 * edo_file_open().
 * Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_dir_open_at(edo_file *dir, const char *path, edo_dir **ret_dir);
EDO_API EDO_MUST_USE edo_op edo_dir_open(const char *path, edo_dir **ret_dir);

/* Takes the next entry. Entries are read in batches of 32 KiB. "." and ".." are left out. An entry
 * that is made or removed while the directory is read may be reported or not. Every other entry is
 * reported once.
 * Result: 1 with *ret_entry; 0 at the end; -EBUSY; a negative errno.
 * Cancel: prompt until it begins; no entry is lost. */
EDO_API EDO_MUST_USE edo_op edo_dir_next(edo_dir *dir, edo_entry *ret_entry);

/* The directory as a file, for the functions with _at. The close of the edo_dir closes the file. */
EDO_API edo_file *edo_dir_file(edo_dir *dir);

/* Closes the directory. No edo_dir_next() may be in flight (aborts). NULL is ignored. */
EDO_API void edo_dir_close(edo_dir *dir);

/* ---- trees ---- */

typedef struct edo_walk edo_walk;

enum {
    EDO_WALK_FOLLOW = 1,    // enter directories behind symlinks, but no directory inside itself
    EDO_WALK_ONE_MOUNT = 2, // do not enter other file systems
};

/* One file of a walk; valid until the next operation on the walk. */
typedef struct edo_walk_entry {
    const char *path; // begins with the root's path
    size_t size;      // bytes of the path
    const char *name; // last part of the path
    uint64_t inode;
    edo_file_kind kind;
    uint32_t depth; // 1: directly in the root
    int error;      // negative errno of a directory that could not be opened or read; otherwise 0
} edo_walk_entry;

/* Opens a walk over all files below a directory. A directory is reported before its entries.
 * max_open: greatest number of descriptors that the walk has open, at least 2; 0: 32. If the tree
 * is deeper than that, the walk needs more system calls, but not more descriptors. Result: 0 with
 * *ret_walk; -EINVAL; the errors of edo_file_open(). Cancel: prompt until it begins. */
EDO_API EDO_MUST_USE edo_op edo_walk_open(const char *root, uint32_t flags, uint32_t max_open,
                                          edo_walk **ret_walk);

/* Takes the next file. The pool "files" reads some hundred entries per job. If a directory cannot
 * be read, it is reported a second time, with the error, and the walk continues.
 * Result: 1 with *ret_entry; 0 at the end; -EBUSY; -ENOMEM.
 * Cancel: prompt until it begins; no entry is lost. */
EDO_API EDO_MUST_USE edo_op edo_walk_next(edo_walk *walk, edo_walk_entry *ret_entry);

/* Makes the walk leave out the content of the directory that edo_walk_next() has reported last.
 * Returns: 0; -EINVAL for another kind of file. */
EDO_API int edo_walk_skip(edo_walk *walk);

/* Ends the walk. No edo_walk_next() may be in flight (aborts). NULL is ignored. */
EDO_API void edo_walk_close(edo_walk *walk);

/* Removes a file, or a directory with all that it contains. Symlinks are removed and never
 * followed. This holds even if somebody replaces a directory by a symlink during the call.
 * Result: number of removed names; -ENOENT; -EINVAL if the path is "/" or its last part is "." or
 * ".." (nothing was removed); the first error, after all that can be removed was removed.
 * Cancel: waits until the current piece is removed. The rest remains. */
EDO_API EDO_MUST_USE edo_op edo_path_remove_tree_at(edo_file *dir, const char *path);
EDO_API EDO_MUST_USE edo_op edo_path_remove_tree(const char *path);

enum {
    EDO_COPY_REPLACE = 1,    // replace existing files of the target; else -EEXIST
    EDO_COPY_NO_SHARING = 2, // copy the blocks even if the file system could share them
    EDO_COPY_OWNER = 4,      // set owner and group, too
};

/* Copies a file: content, permissions, times and extended attributes. If the copy belongs to
 * another user than the source, it is not set-user-id. If it belongs to another group, it is not
 * set-group-id. An attribute is left out if the caller may not set it, or if the target's file
 * system does not support it. A symlink is followed. Source and target share their blocks if the
 * file system supports that. Holes stay holes. The target gets its name only when it is complete.
 * Result: bytes of the file; -EEXIST; -EISDIR for a directory; -EINVAL for another kind of file;
 * -ENOSPC, also if the target's file system has no room for an attribute.
 * Cancel: waits until the current piece of some megabytes is copied. The target does not appear. */
EDO_API EDO_MUST_USE edo_op edo_path_copy(const char *from, const char *to, uint32_t flags);

/* Copies a directory with all that it contains. Each file is copied as by edo_path_copy(). A
 * directory gets its permissions, times and extended attributes, too, once its entries are copied.
 * A symlink is copied as a symlink, with its times. The hard links of a file are copied as separate
 * files. Pipes, sockets and devices are left out. Without EDO_COPY_REPLACE in flags, the target
 * directory must not exist. Result: number of copied files and directories; or the first error,
 * after which only a part of the tree was copied. Cancel: waits until the current piece is copied.
 * Only a part of the tree was copied. */
EDO_API EDO_MUST_USE edo_op edo_path_copy_tree(const char *from, const char *to, uint32_t flags);

EDO_END_DECLS
