/* "chaos": a driver made for tests, which is announced before main().
 *
 * It does what the epoll driver does, which it has inside, but as badly as the contract allows:
 *
 * - no operation is ready at once; each is held back for a few turns, so they end in any order;
 * - reads and writes move a single byte;
 * - a cancelled operation stays pending for a while, and may then have succeeded after all;
 * - tasks are woken for nothing;
 * - the n-th operation fails.
 *
 * EDO_DRIVER=chaos, or with options: EDO_DRIVER=chaos:seed=7,late=3,bytes=1,fault=12:ECONNRESET
 * EDO_CHAOS has further options for every runtime that uses it. When a test program fails, the
 * options are printed on stderr.
 */
#pragma once

#include "driver/driver.h"

typedef struct chaos_options {
    uint64_t seed;     // of all its choices
    uint32_t late;     // turns that an operation is held back, at most
    uint32_t bytes;    // that a read or write moves, at most; 0: no limit
    uint32_t spurious; // percent: how often a task is woken for nothing
    uint32_t fault_at; // which operation of the runtime fails, counted from 1; 0: none
    int fault;         // ... with this errno
} chaos_options;

extern const chaos_options chaos_defaults;

/* Reads "seed=7,late=3" over what is there. Returns: 0 or -EINVAL. */
int chaos_options_parse(const char *text, chaos_options *options);

/* Has the options printed when this program fails. */
void chaos_options_announce(const chaos_options *options);

extern const edo_driver_ops chaos_driver;
