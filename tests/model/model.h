/* A model checker for C11 concurrency: runs a small test under every relevant interleaving and with
 * every value that the memory model lets a load read. A tool of the tests; not installed.
 *
 * A model is a function made by MODEL(name, "what it proves"). It runs as thread 0, starts others
 * with model_start(), and ends with all of them. The same function runs once for every execution,
 * thousands of times. So it must be deterministic, except for the checker's choices, and small: two
 * or three threads with a handful of atomic operations each.
 *
 * The code under test is the real code, compiled with -DEDO_MODEL: base/atomic.h, base/lock.h and
 * calls to the system then lead here. All memory, also edo's own, comes from model_alloc().
 *
 * docs/internals/model.md explains how the checker works, and its limits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/shim.h"

enum { MODEL_THREADS = 6 }; // at most, including the thread that runs the model

/* ---- inside a model ---- */

/* Head of a thread's function. */
#define THREAD(name)                                                                               \
    static void name(void *argument);                                                              \
    static void name(void *argument __attribute__((unused)))

/* Starts a thread; all steps before this call happen before the thread. Returns: its number. */
int model_start(void (*run)(void *), void *argument);

/* Waits for a thread's end; all its steps happen before the return. */
void model_join(int thread);

/* The number of this thread. */
int model_self(void);

/* Fails the execution, with a trace, unless the condition holds. */
#define model_assert(condition)                                                                    \
    ((condition) ? (void)0                                                                         \
                 : model_fail("assertion failed: %s (%s:%d)", #condition, __FILE__, __LINE__))

_Noreturn void model_fail(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Chooses one of 0 .. count - 1; all are explored. */
unsigned model_choose(unsigned count);

/* Memory of this execution. Blocks that are not freed at its end are leaks, except from
 * model_alloc_static(). */
void *model_alloc(size_t size);
void *model_alloc_aligned(size_t size, size_t align);
void *model_alloc_static(size_t size);
void model_free(void *memory);

/* An event, as a semaphore: the wait blocks until a post, and acquires what the post released. A
 * wait that no thread can end is a deadlock. */
typedef struct model_event {
    uint32_t count;
    uint32_t id;
} model_event;
void model_post(model_event *event);
void model_wait(model_event *event);
bool model_wait_until(model_event *event, int64_t deadline); // as model_futex_wait_until
bool model_try_wait(model_event *event); // without blocking. Returns: whether there was a post

/* Adds a line to the outcome of this execution, for litmus tests; all different outcomes are
 * collected. */
void model_outcome(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* ---- models ---- */

typedef struct model_info {
    const char *name, *proves;
    void (*run)(void);
    const char *expect;   // part of the expected report; NULL: no report expected
    const char *outcomes; // of litmus tests: all outcomes, sorted, one per line
    uint64_t samples;     // 0: all executions; else the number of random ones
    struct model_info *next;
} model_info;

void model_register(model_info *info);

#define MODEL_DEFINE(id, ...)                                                                      \
    static void model_##id##_run(void);                                                            \
    static model_info model_##id = { #id, __VA_ARGS__ };                                           \
    __attribute__((constructor)) static void model_##id##_register(void)                           \
    {                                                                                              \
        model_##id.run = model_##id##_run;                                                         \
        model_register(&model_##id);                                                               \
    }                                                                                              \
    static void model_##id##_run(void)

/* A model that must pass. */
#define MODEL(id, proves) MODEL_DEFINE(id, proves, NULL, NULL, NULL, 0, NULL)

/* A broken one: the checker must report a failure that contains the text. */
#define MODEL_BROKEN(id, proves, text) MODEL_DEFINE(id, proves, NULL, text, NULL, 0, NULL)

/* A litmus test: the outcomes found must be exactly these (sorted, each ended by '\n'). */
#define MODEL_LITMUS(id, proves, outcomes) MODEL_DEFINE(id, proves, NULL, NULL, outcomes, 0, NULL)

/* A model with too many executions: `count` of them are drawn at random, the same ones each
 * time. */
#define MODEL_SAMPLED(id, proves, count) MODEL_DEFINE(id, proves, NULL, NULL, NULL, count, NULL)
