/* Watermarks of stacks, one per function. A measured fiber begins on a cleared stack. At the end of
 * the fiber, the lowest word that is not zero shows how deep the stack has been. The search for
 * this word runs after the fiber's function has returned, when the stack is shallow again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "fiber/fiber.h"
#include "runtime/inspect/dump.h"

edo_atomic(bool) edo__fiber_measures;

typedef struct figures {
    int64_t (*fn)(void *arg);
    edo_fiber_stats stats;
} figures;

static edo__lock lock;
static figures table[EDO_FIBER_FUNCTIONS]; // guarded by the lock
static size_t table_count;                 // guarded by the lock

/* ---- one fiber ---- */

void edo__fiber_measure_begin(edo__fiber *fiber)
{
    if (fiber->stack->kind == EDO__STACK_LENT) return;
    fiber->is_measured = true;
    edo__sys_stack_clear((char *)fiber->parker.low, (char *)fiber->parker.high);
}

/* Finds the lowest word that is not zero. Reads memory that belonged to calls that have returned.
 * AddressSanitizer may have marked this memory as invalid, so this function is not checked. */
__attribute__((no_sanitize("address"))) static const char *lowest_written(const char *at,
                                                                          const char *end)
{
    while (at < end && !*(const uint64_t *)(const void *)at)
        at += sizeof(uint64_t);
    return at;
}

/* Finds or adds the stats of the fiber's function. Called under the lock. Returns: NULL if the
 * table is full. */
static edo_fiber_stats *stats_of(const edo__fiber *fiber)
{
    for (size_t i = 0; i < table_count; i++)
        if (table[i].fn == fiber->fn) return &table[i].stats;
    if (table_count == EDO_FIBER_FUNCTIONS) return NULL;
    figures *made = &table[table_count++];
    *made = (figures){ .fn = fiber->fn,
                       .stats = { .name = fiber->site->ops->name,
                                  .file = fiber->site->file,
                                  .line = fiber->site->line,
                                  .stack_size = UINT64_MAX } };
    return &made->stats;
}

void edo__fiber_measure_end(const edo__fiber *fiber)
{
    const edo__stack_memory *memory = &fiber->stack->memory;
    char *end = memory->base + memory->size;
    const char *lowest = lowest_written(edo__sys_stack_lowest(memory->base + memory->guard, end),
                                        end);
    edo__lock_take(&lock);
    edo_fiber_stats *stats = stats_of(fiber);
    if (stats) {
        stats->ended++;
        if ((uint64_t)(end - lowest) > stats->peak) stats->peak = (uint64_t)(end - lowest);
        if (memory->size < stats->stack_size) {
            stats->stack_size = memory->size;
            stats->guard = memory->guard;
        }
    }
    edo__lock_give(&lock);
}

/* ---- all functions ---- */

/* Copies the stats of the function at an index. Returns: whether the table has a function at this
 * index. */
static bool read_at(size_t index, edo_fiber_stats *ret_stats)
{
    edo__lock_take(&lock);
    bool exists = index < table_count;
    if (exists) *ret_stats = table[index].stats;
    edo__lock_give(&lock);
    return exists;
}

size_t edo__fiber_stats_read(edo_fiber_stats *ret_stats, size_t count, size_t size)
{
    edo_fiber_stats stats;
    size_t i = 0;
    for (; read_at(i, &stats); i++) {
        if (i >= count) continue;
        char *to = (char *)ret_stats + i * size;
        memset(to, 0, size);
        memcpy(to, &stats, size < sizeof stats ? size : sizeof stats);
    }
    return i;
}

/* Writes one line per function. Does not hold the lock during a write. */
static void dump_stacks(edo_dump_fn *write, void *context)
{
    enum { LINE_SIZE = 256 };
    edo_fiber_stats stats;
    char line[LINE_SIZE];
    for (size_t i = 0; read_at(i, &stats); i++) {
        snprintf(line, sizeof line,
                 "stacks of '%s' (%s:%u): at most %" PRIu64 " of %" PRIu64 " bytes in use, %" PRIu64
                 " fibers",
                 stats.name, stats.file, stats.line, stats.peak, stats.stack_size - stats.guard,
                 stats.ended);
        write(context, line);
    }
}

void edo_fiber_measure(bool on)
{
    edo_store_relaxed(&edo__dump_stacks, dump_stacks); // relaxed: always the same value
    edo_store_figure(&edo__fiber_measures, on);
}
