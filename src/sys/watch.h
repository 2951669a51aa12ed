/* Contract with the operating system: changes in directories. Thread: any. */
#pragma once

#include <edo/base.h>

enum {
    EDO__CHANGE_CREATED = 1 << 0,
    EDO__CHANGE_WRITTEN_TO = 1 << 1,
    EDO__CHANGE_WRITTEN = 1 << 2,
    EDO__CHANGE_METADATA = 1 << 3,
    EDO__CHANGE_REMOVED = 1 << 4,
    EDO__CHANGE_MOVED_FROM = 1 << 5,
    EDO__CHANGE_MOVED_TO = 1 << 6,
    EDO__CHANGE_SELF_REMOVED = 1 << 7, // the directory itself was removed
    EDO__CHANGE_ENDED = 1 << 8,        // the last event with this `number`
    EDO__CHANGE_LOST = 1 << 9,         // events were dropped
    EDO__CHANGE_OF_DIR = 1 << 10,      // with another bit: `name` is a directory
    EDO__CHANGE_SELF_MOVED = 1 << 11,  // the directory itself was renamed; its new path is unknown
};

typedef struct edo__change {
    int number;       // number of the directory
    uint32_t what;    // EDO__CHANGE_*
    uint32_t cookie;  // equal in the MOVED_FROM and the MOVED_TO of one rename
    const char *name; // name in the directory; "": the directory itself
} edo__change;

/* Opens a queue of changes. Returns: a descriptor that is readable while there are changes. */
edo_fd edo__changes_open(void);

/* Adds a directory to the queue. A directory that is already in the queue keeps its number.
 * Returns: the number, >= 0; -ENOTDIR; -ENOSPC: too many directories. */
int edo__changes_add(edo_fd fd, const char *path);
void edo__changes_remove(edo_fd fd, int number);

/* Reads changes, without waiting. memory: aligned to 8 bytes. Returns: number of bytes read;
 * -EAGAIN if there are no changes. */
int64_t edo__changes_read(edo_fd fd, void *memory, size_t size);

/* Takes the next change from the bytes that edo__changes_read() has read. *at: 0 before the first
 * call. Returns: whether there was a change. */
bool edo__changes_take(const void *memory, size_t size, size_t *at, edo__change *ret_change);
