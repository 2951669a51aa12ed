/* The present directory of the copy of a tree. It corresponds to the present directory of the walk
 * through the source. Each step is relative to this open directory, so the length of a path is not
 * limited. The way back to the directory above is "..". The directory found there must be the one
 * from which the present directory was entered. Runs on a thread of the pool. */
#pragma once

#include "fs/fs.h"

typedef struct edo__target {
    edo_fd fd;      // the present directory; -1: none, or the way back was lost
    edo_fd entered; // a directory in `fd` that the walk may enter next; or -1
    uint32_t depth, room;
    struct edo__target_place *places; // identities of the directories above `fd`
} edo__target;

/* Begins at an open directory, which belongs to the target from then on. */
static inline edo__target edo__target_at(edo_fd fd)
{
    return (edo__target){ .fd = fd, .entered = -1 };
}

/* Opens the directory `name` in the present one, for edo__target_follow(). A symlink is not
 * followed. Returns: 0; a negative errno. */
int64_t edo__target_open(edo__target *target, const char *name);

/* Enters the opened directory, if the walk has entered the corresponding directory of the source.
 * Called after each step of the walk. depth: number of levels from the walk's root down to the
 * walk's present directory. Returns: 0, also if nothing was entered; a negative errno. */
int64_t edo__target_follow(edo__target *target, uint32_t depth);

/* Called when the walk has left a directory of the source. Leaves the corresponding directory of
 * the copy:
 * - the directory that edo__target_open() has opened, if edo__target_follow() has not entered it
 * - otherwise the present directory. The directory above then becomes the present one.
 * Returns: the descriptor of the left directory, which the caller closes; -ESTALE: there is no
 * directory to leave. *ret_error: 0; or the error, if the directory above was not found. */
edo_fd edo__target_leave(edo__target *target, int64_t *ret_error);

/* Closes the opened directory, which the walk has not entered. */
void edo__target_forget(edo__target *target);

void edo__target_close(edo__target *target);
