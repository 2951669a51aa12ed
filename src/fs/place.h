/* Files that appear under their name when they are complete. All calls run on a thread of the pool.
 *
 *     edo__place_open()     opens a file in the target's directory, without a name or with a random
 *                           name
 *     ...                   the caller writes to place.fd
 *     edo__place_commit()   gives the file its name; edo__place_abandon() removes the file instead
 */
#pragma once

#include "fs/fs.h"

enum { EDO__PLACE_NAME_SIZE = 24 };

typedef struct edo__place {
    edo_fd dir, fd;                  // the target's directory; the new file; each -1 if not open
    const char *name;                // last part of the target's path
    char temp[EDO__PLACE_NAME_SIZE]; // random name of the new file; "": no such name
    bool is_direct;                  // the file was made under its final name: `name` in `dir`
} edo__place;

/* Opens a new file for reading and writing. fd, path: directory and path of the target. The path
 * must remain valid until the file is committed or abandoned.
 * Returns: 0; a negative errno, and nothing is open. */
int64_t edo__place_open(edo__place *place, edo_fd fd, const char *path, uint32_t mode);

/* As edo__place_open(), but the file has its final name from the start, which is much quicker. Used
 * in directories that the same operation has made. dir: must remain open. Returns: also -EEXIST. */
int64_t edo__place_open_direct(edo__place *place, edo_fd dir, const char *path, uint32_t mode);

/* Gives the file its name, and closes it. replaces: whether an existing file is replaced; if false,
 * an existing file leads to -EEXIST. syncs: whether the directory is written to the disk; must be
 * false after edo__place_open_direct(). Returns: 0; or a negative errno. After an error of the
 * sync, the file keeps its name. After any other error, the file was removed. */
int64_t edo__place_commit(edo__place *place, bool replaces, bool syncs);

/* Gives a new file the permissions of another file. If the new file has another user, it does not
 * become set-user-id. If it has another group, it does not become set-group-id. The owner must be
 * changed before this call, because a change of the owner clears these two bits. Returns: 0; a
 * negative errno. */
int64_t edo__place_set_mode(edo_fd fd, const edo_info *from);

/* Removes the file. */
void edo__place_abandon(edo__place *place);

/* Writes all bytes at the position of a file. Returns: 0; a negative errno. */
int64_t edo__place_write(edo_fd fd, const void *data, uint64_t size);
