/* The threads of a pool. */
#pragma once

#include "runtime/pool/pool.h"

/* Starts one thread. The caller has decided that the pool needs the thread, and has already counted
 * the thread in `thread_count` and `coming`. */
void edo__pool_start_thread(edo_pool *pool);

/* Ends all threads and joins them. If `wait` is false, threads that are running a job are detached,
 * and not joined. */
void edo__pool_end_threads(edo_pool *pool, bool wait);
