/* Copies of one file, in pieces. All calls run on a thread of the pool. */
#pragma once

#include "fs/place.h"

/* Bit of edo__copy.flags: the file is copied as a part of a tree. A symlink is not followed. Unless
 * EDO_COPY_REPLACE is set, the target's directory was just made for the tree. */
enum { EDO__COPY_IN_TREE = 1 << 16 };

typedef struct edo__copy {
    edo_fd from;
    uint32_t flags; // EDO_COPY_*
    edo_info info;  // metadata of the source
    edo__place place;
    uint64_t offset, data_end; // position; end of the part with data that is being copied
    bool reads;                // the system cannot copy this file, so it is read and written
    bool is_done;              // the content is copied
} edo__copy;

/* Opens source and target. Returns: 0; a negative errno, and nothing is open. */
int64_t edo__copy_open(edo__copy *copy, edo_fd from_dir, const char *from, edo_fd to_dir,
                       const char *to, uint32_t flags);

/* Copies a piece. Returns: 0: all is copied; -EAGAIN: there is more; another errno. */
int64_t edo__copy_piece(edo__copy *copy);

/* Ends the copy. complete: true: the target gets its name; false: the target is removed. Returns:
 * 0; a negative errno. */
int64_t edo__copy_close(edo__copy *copy, bool complete);

/* Gives an open file or directory the attributes, the permissions (by edo__place_set_mode()) and
 * the times of another one; with EDO_COPY_OWNER, also the owner. info: metadata of `from`. Returns:
 * 0; a negative errno. */
int64_t edo__copy_metadata(edo_fd from, edo_fd to, const edo_info *info, uint32_t flags);
