/* Clients that wait for a list or a stream: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, XREAD BLOCK.
 *
 * A command that finds nothing becomes a waiter, with a copy of its arguments. A command that adds
 * to a list or a stream serves the waiters when it has unlocked its shards, before its client's
 * next command: it runs the waiters' commands, in the order of their arrival, with all locks that
 * each needs. So the first client that waits gets the element, as with Redis.
 *
 * Order of locks: the lock of the waiters, then shards. shard.waiting tells a command that adds
 * whether the lock of the waiters is needed at all. It changes with the shard locked, so an
 * addition sees each waiter that has not seen the addition. */
#pragma once

#include "call.h"

struct waiter {
    struct waiter *next, *before; // the lock of the waiters, as all below
    bool is_linked;
    struct client *client;
    const struct command *command;
    text *args;
    int count;
    uint64_t shards;
    struct reply reply;    // valid when is_served
    bool is_served;        // until then written under the lock only
    uint64_t log_position; // of the changes that served it
    int64_t deadline;      // of edo_now()
    edo_notify served;
};

/* For a command that finds nothing: copies the arguments for its retries. seconds 0: no limit.
 * Returns: CALL_BLOCKS. */
int call_block(struct call *call, double seconds, int count, const struct span *args);

/* Lock of the waiters; around a call that may block. */
void waiters_lock(void);
void waiters_unlock(void);

/* Adds the client's waiter, whose arguments call_block() has copied: with both locks. */
void waiter_add(struct client *client, const struct call *call, uint64_t shards);

/* Takes the waiter off, if it was not served. Its reply is then that of a time-out. */
void waiter_end(struct client *client);
bool waiter_was_served(struct waiter *waiter);
void waiter_release(struct waiter *waiter);

/* Serves the waiters of these shards: without locks. */
void waiters_serve(uint64_t shards);
uint64_t waiters_count(void);
