/* Helpers for tests of dumps: a dump as text, and tasks that appear in it. */
#pragma once

#include "runtime/fixture.h"

#include <sched.h>
#include <semaphore.h>
#include <string.h>

enum { DUMP_SIZE = 4 << 20 };

/* Written lines, each with a newline. */
typedef struct text {
    size_t used;
    char *bytes;
} text;

static inline void append(void *context, const char *line)
{
    text *t = context;
    size_t length = strlen(line);
    insist(t->used + length + 2 <= DUMP_SIZE);
    memcpy(t->bytes + t->used, line, length);
    memcpy(t->bytes + t->used + length, "\n", 2);
    t->used += length + 1;
}

static inline text text_make(void)
{
    text t = { .bytes = malloc(DUMP_SIZE) };
    insist(t.bytes != NULL);
    t.bytes[0] = '\0';
    return t;
}

static inline void text_free(text *t)
{
    free(t->bytes);
}

static inline text dump_of(edo_runtime *runtime)
{
    text t = text_make();
    insist(edo_dump(runtime, append, &t) == 0);
    return t;
}

/* Number of occurrences of the words. */
static inline size_t count_of(const text *t, const char *words)
{
    size_t count = 0;
    for (const char *at = t->bytes; (at = strstr(at, words)); at += strlen(words))
        count++;
    return count;
}

static inline void expect_times(const text *t, const char *words, size_t times, int line)
{
    if (count_of(t, words) == times) return;
    fprintf(stderr, "line %d: '%s' is not %zu times in\n%s", line, words, times, t->bytes);
    abort();
}
#define expect(text, words, times) expect_times((text), (words), (times), __LINE__)

/* Whether each thread that polls has told which task. A dump waits for a thread for a short time
 * only, in which a busy machine may not run the thread. */
static inline bool is_whole(const text *t)
{
    return count_of(t, "its thread does not report which") == 0;
}

/* Returns: a dump that is whole. */
static inline text whole_dump_of(edo_runtime *runtime)
{
    for (;;) {
        text t = dump_of(runtime);
        if (is_whole(&t)) return t;
        text_free(&t);
    }
}

/* Spawns on the test's runtime; ret_task: NULL detaches the task. */
#define spawn_to(rt, ret_task, ...)                                                                \
    do {                                                                                           \
        edo_spawn_options options_ = { .runtime = (rt) };                                          \
        insist(edo_spawn_with((ret_task), &options_, __VA_ARGS__) == 0);                           \
    } while (0)

/* ---- a task that blocks its thread until it is released ---- */

typedef struct cell {
    sem_t entered, let_go;
} cell;

static inline void cell_init(cell *c)
{
    sem_init(&c->entered, 0, 0);
    sem_init(&c->let_go, 0, 0);
}

static inline void wait_on(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0) // a dump interrupts the wait
        continue;
}

static inline int64_t stay(void *context)
{
    cell *c = context;
    sem_post(&c->entered);
    wait_on(&c->let_go);
    return 0;
}

struct stuck {
    edo_frame();
    edo_args(struct cell *cell;);
};

edo_async(stuck)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        stay(self->cell);
        edo_return(rc);
    }
}

/* ---- tasks that wait ---- */

static int inner_line;

struct inner {
    edo_frame();
    edo_args(struct flag *flag;);
};

edo_async(inner)
{
    edo_body {
        int rc;
        inner_line = __LINE__ + 1;
        edo_await_on(rc, &self->flag->base);
        edo_return(rc);
    }
}

struct outer {
    edo_frame(struct inner inner;);
    edo_args(struct flag *flag;);
};

edo_async(outer)
{
    edo_body {
        int rc;
        edo_call(rc, inner, .flag = self->flag);
        edo_return(rc);
    }
}
