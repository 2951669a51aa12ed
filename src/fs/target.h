/* The directory to which a copy of a tree has come: the counterpart of the walk through the source.
 * One directory is open, and each step is relative to it, so paths have no greatest length. The way
 * back is "..", which must lead to the directory that was left. Runs on a thread of the pool. */
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

/* Follows the walk, whose present directory is `depth` levels below its root: enters the opened
 * directory if the walk has entered its counterpart. Otherwise the opened directory stays. Returns:
 * 0; a negative errno. */
int64_t edo__target_follow(edo__target *target, uint32_t depth);

/* Takes the directory that the walk has left: the opened one, or the present one, with a return to
 * the directory above. Returns: its descriptor, which the caller closes; -ESTALE. *ret_error: 0; or
 * the reason why the way back was lost. */
edo_fd edo__target_leave(edo__target *target, int64_t *ret_error);

/* Closes the opened directory, which the walk has not entered. */
void edo__target_forget(edo__target *target);

void edo__target_close(edo__target *target);
