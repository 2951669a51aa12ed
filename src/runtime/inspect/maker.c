/* Makers of streams and listeners, and the quarantine of ended streams and listeners.
 * edo__runtimes_lock() guards all state of this file. The child of a fork can take this lock even
 * if the parent held it at the fork (base/lock.h). */
#include "runtime/inspect/maker.h"

#include <string.h>

#include "runtime/runtimes.h"

/* ---- makers ---- */

enum { NAMED_LEAKS = 16 }; // leaks logged with a line each; further leaks are only counted

struct edo__maker {
    edo__node node;
    const edo_runtime *runtime; // NULL after the leak was reported
    uint32_t fork_generation;
    int fd;
    const char *kind, *function, *file;
    uint32_t line;
};

static edo__node makers = { &makers, &makers };

typedef struct block {
    void *memory; // or NULL
    size_t size;
    bool in_heap; // see edo__worker_free()
} block;

static block quarantine[EDO__CLOSED_BLOCKS]; // a ring
static uint32_t quarantine_next;

static uint32_t generation; // fork generation of the process that filled the list and the ring

/* Takes the lock. The first call in the child of a fork empties the list and the quarantine,
 * because the fork may have copied them in the middle of a change. Returns: whether a runtime
 * exists. */
static bool lock_makers(void)
{
    bool is_any = edo__runtimes_lock();
    uint32_t mine = edo__sys_fork_generation();
    if (generation == mine) return is_any;
    edo__list_init(&makers);
    memset(quarantine, 0, sizeof quarantine);
    generation = mine;
    return is_any;
}

/* Finds the innermost async function in which the task waits. The search ends at a function that
 * awaits several futures. */
static const edo_future *innermost(const edo_future *future)
{
    for (;;) {
        const edo_future *child =
            ((const struct edo_any_frame *)(const void *)future)->edo_head.awaiting;
        if (!child || child->next || child->ops->kind != EDO_KIND_ASYNC) return future;
        future = child;
    }
}

edo__maker *edo__maker_create(const char *kind, int fd)
{
    const edo_cx *cx = edo__self.cx;
    if (edo__likely(!cx || !cx->runtime->config.report_leaks)) return NULL;
    edo__maker *maker = edo__alloc(sizeof *maker);
    if (!maker) return NULL;
    const edo_future *frame = innermost(edo__task_frame(cx->task));
    *maker = (edo__maker){ .runtime = cx->runtime,
                           .fork_generation = edo__sys_fork_generation(),
                           .fd = fd,
                           .kind = kind,
                           .function = frame->ops->name,
                           .file = frame->ops->file,
                           .line = frame->line };
    lock_makers();
    edo__list_push(&makers, &maker->node);
    edo__runtimes_unlock();
    return maker;
}

void edo__maker_destroy(edo__maker *maker)
{
    if (edo__likely(!maker)) return;
    lock_makers();
    if (maker->fork_generation == generation) edo__list_remove(&maker->node);
    edo__runtimes_unlock();
    edo__free(maker, sizeof *maker);
}

/* Copies the maker of the next stream or listener that was not closed, and marks the maker as
 * reported. The copy is needed because the stream may be closed as soon as the lock is released,
 * and the maker is then freed. Returns: false if there is no such maker. */
static bool take_leak(const edo_runtime *runtime, edo__maker *ret_maker)
{
    bool found = false;
    lock_makers();
    edo__list_each(&makers, node) {
        edo__maker *maker = edo__container(node, edo__maker, node);
        found = maker->runtime == runtime;
        if (!found) continue;
        *ret_maker = *maker;
        maker->runtime = NULL;
        break;
    }
    edo__runtimes_unlock();
    return found;
}

void edo__makers_report(const edo_runtime *runtime)
{
    uint32_t count = 0;
    edo__maker leak;
    for (; take_leak(runtime, &leak); count++) {
        if (count >= NAMED_LEAKS) continue;
        edo__log(EDO_LOG_WARN, "%s: a %s was not closed: descriptor %d, made by '%s' at %s:%u",
                 runtime->config.name, leak.kind, leak.fd, leak.function, leak.file, leak.line);
    }
    if (count > NAMED_LEAKS)
        edo__log(EDO_LOG_WARN, "%s: %u more streams and listeners were not closed",
                 runtime->config.name, count - NAMED_LEAKS);
}

/* ---- the quarantine ---- */

static void exchange(block *one, uint32_t place)
{
    block before = quarantine[place % EDO__CLOSED_BLOCKS];
    quarantine[place % EDO__CLOSED_BLOCKS] = *one;
    *one = before;
}

/* Puts a block of memory into the quarantine. The block takes the place of the oldest block, which
 * is freed. Two kinds of blocks are freed at once instead:
 * - A block that is larger than EDO__CLOSED_SIZE.
 * - Every block, if the process has no runtime, because only the end of a runtime empties the
 *   quarantine. */
void edo__free_closed_in(void *memory, size_t size, bool in_heap)
{
    block one = { memory, size, in_heap };
    if (EDO__KEEPS_CLOSED && size <= EDO__CLOSED_SIZE) {
        if (lock_makers()) exchange(&one, quarantine_next++);
        edo__runtimes_unlock();
    }
    edo__worker_free(one.memory, one.size, one.in_heap);
}

void edo__free_closed(void *memory, size_t size)
{
    edo__free_closed_in(memory, size, false);
}

void edo__free_all_closed(void)
{
    for (uint32_t i = 0; EDO__KEEPS_CLOSED && i < EDO__CLOSED_BLOCKS; i++) {
        block one = { NULL, 0, false };
        lock_makers();
        exchange(&one, i);
        edo__runtimes_unlock();
        edo__worker_free(one.memory, one.size, one.in_heap);
    }
}
