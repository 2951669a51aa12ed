/* "chaos": a driver for tests, registered before main().
 *
 * A chaos driver contains an epoll driver and behaves like it, but as badly as the contract allows:
 *
 * - no operation is ready at once: each is held back for a few turns, so operations end in any
 * order;
 * - reads and writes move a single byte;
 * - a cancelled operation stays pending for a while, and may then succeed after all;
 * - tasks are woken spuriously;
 * - the n-th operation fails.
 *
 * Use: EDO_DRIVER=chaos, or with options:
 * EDO_DRIVER=chaos:seed=7,late=3,bytes=1,fault=12:ECONNRESET EDO_CHAOS has further options for
 * every runtime on this driver. A test program that fails prints the options on stderr.
 */
#pragma once

#include "driver/driver.h"

typedef struct chaos_options {
    uint64_t seed;     // seed of all random choices
    uint32_t late;     // greatest number of turns that an operation is held back
    uint32_t bytes;    // greatest number of bytes per read or write; 0: no limit
    uint32_t spurious; // percent of spurious wakes
    uint32_t fault_at; // number of the operation that fails, from 1; 0: none
    int fault;         // errno of that failure
} chaos_options;

extern const chaos_options chaos_defaults;

/* Parses "seed=7,late=3"; options that are not named keep their values. Returns: 0 or -EINVAL. */
int chaos_options_parse(const char *text, chaos_options *options);

/* Makes this program print the options when it fails. */
void chaos_options_announce(const chaos_options *options);

extern const edo_driver_ops chaos_driver;
