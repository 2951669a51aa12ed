/* Files that appear under their name when they are complete. Runs on a thread of the pool.
 *
 *     edo__place_open    a file without a name, or with a random one, in the target's directory
 *     ...                writes to place.fd
 *     edo__place_commit  gives it the name; or edo__place_abandon
 */
#pragma once

#include "fs/fs.h"

enum { EDO__PLACE_NAME_SIZE = 24 };

typedef struct edo__place {
    edo_fd dir, fd;                  // the directory of the name, and the new file; or -1
    const char *name;                // last part of the target's path
    char temp[EDO__PLACE_NAME_SIZE]; // random name of the new file; "": it has none
    bool is_direct;                  // made under its final name: `name` in `dir`
} edo__place;

/* Opens a new file for reading and writing. fd, path: the target, whose path must remain valid.
 * Returns: 0; a negative errno, and nothing is open. */
int64_t edo__place_open(edo__place *place, edo_fd fd, const char *path, uint32_t mode);

/* As edo__place_open(), but makes the file under its name at once, which is much quicker. For
 * directories that are made by the same operation. dir: must remain open. Returns: also -EEXIST. */
int64_t edo__place_open_direct(edo__place *place, edo_fd dir, const char *path, uint32_t mode);

/* Gives the file its name, and closes it. replaces: an existing file is replaced; else -EEXIST.
 * syncs: the directory is written to the disk. Returns: 0; a negative errno: the file is removed,
 * unless the sync has failed. */
int64_t edo__place_commit(edo__place *place, bool replaces, bool syncs);

/* Removes the file. */
void edo__place_abandon(edo__place *place);

/* Writes all bytes at the position of a file. Returns: 0; a negative errno. */
int64_t edo__place_write(edo_fd fd, const void *data, uint64_t size);
