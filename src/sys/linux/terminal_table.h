/* An entry of the table of terminals. Signal handlers copy entries at any moment and on any thread,
 * without a lock.
 *
 *     publish                            copy, in a handler
 *     writes fd and modes  (release)     reads `use`, which is odd    (acquire)
 *     use += 1: odd        (release)     copies fd and modes          (acquire, each word)
 *     retire                             compares `use` again         (relaxed)
 *     use += 1: even       (release)
 *
 * If the first read of `use` finds the entry in use, each word that the copy reads is of this use
 * or of a later use. If a word is of a later use, the read of that word has also acquired the
 * additions to `use` that precede the store of the word. In that case the second read of `use`
 * finds another number, and the copy is dropped. So no copy is a mixture of two uses. */
#pragma once

#include "base/atomic.h"

#ifndef EDO__TERMINAL_WORDS // a model defines a smaller number
#define EDO__TERMINAL_WORDS 8
#endif

typedef struct edo__terminal_entry {
    edo_atomic(uint32_t) use; // odd while the entry is in use
    edo_atomic(int) fd;
    edo_atomic(uint64_t) modes[EDO__TERMINAL_WORDS];
} edo__terminal_entry;

/* Fills an unused entry, then marks the entry as in use. Called under the lock of the writers. */
static inline void edo__terminal_publish(edo__terminal_entry *entry, int fd, const uint64_t *modes)
{
    for (unsigned i = 0; i < EDO__TERMINAL_WORDS; i++)
        edo_store_release(&entry->modes[i], modes[i]); // partner: the loads in copy
    edo_store_release(&entry->fd, fd);
    edo_add_release(&entry->use, 1); // partner: the first load in copy
}

/* Marks an entry as unused. Called under the lock of the writers. */
static inline void edo__terminal_retire(edo__terminal_entry *entry)
{
    edo_add_release(&entry->use, 1);
}

/* Copies an entry. Thread: any. Returns: whether the entry was in use during the whole copy. */
static inline bool edo__terminal_copy(const edo__terminal_entry *entry, int *ret_fd,
                                      uint64_t ret_modes[EDO__TERMINAL_WORDS])
{
    uint32_t use = edo_load_acquire(&entry->use);
    if (use % 2 == 0) return false;
    *ret_fd = edo_load_acquire(&entry->fd);
    for (unsigned i = 0; i < EDO__TERMINAL_WORDS; i++)
        ret_modes[i] = edo_load_acquire(&entry->modes[i]);
    return edo_load_relaxed(&entry->use) == use;
}
