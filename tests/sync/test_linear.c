/* edo-test: once. The check for linearizability finds broken locks and queues. */
#include "support/linear.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "base/atomic.h"

/* ---- histories by hand ---- */

enum { PUT, TAKE };

static const char *const queue_kinds[] = { "put", "take" };

struct queue {
    uint8_t count, items[15];
};

static bool apply_to_queue(void *state, const linear_call *call, unsigned variant)
{
    struct queue *queue = state;
    (void)variant;
    if (call->kind == PUT) {
        queue->items[queue->count++] = (uint8_t)call->argument;
        return true;
    }
    if (call->result < 0) return queue->count == 0;
    if (!queue->count || queue->items[0] != call->value) return false;
    memmove(queue->items, queue->items + 1, --queue->count);
    queue->items[queue->count] = 0; // equal queues have equal bytes
    return true;
}

static const linear_spec queue_spec = { .name = "queue",
                                        .kinds = queue_kinds,
                                        .apply = apply_to_queue };

#define put(item, from, to)                                                                        \
    {                                                                                              \
        .kind = PUT, .argument = (item), .begin = (from), .end = (to)                              \
    }
#define take(item, from, to)                                                                       \
    {                                                                                              \
        .kind = TAKE, .value = (item), .begin = (from), .end = (to)                                \
    }
#define find_empty(from, to)                                                                       \
    {                                                                                              \
        .kind = TAKE, .result = -EAGAIN, .begin = (from), .end = (to)                              \
    }
#define check(history) linear_check(&queue_spec, history, ARRAY_LENGTH(history))

test(histories_that_have_an_order)
{
    linear_call one_after_the_other[] = { put(1, 1, 2), put(2, 3, 4), take(1, 5, 6),
                                          take(2, 7, 8) };
    linear_call taken_while_put[] = { put(1, 1, 6), take(1, 2, 3) };
    linear_call puts_at_once[] = { put(1, 1, 4), put(2, 2, 3), take(2, 5, 6), take(1, 7, 8) };
    linear_call empty_while_put[] = { put(1, 1, 4), find_empty(2, 3), take(1, 5, 6) };
    assert_true(check(one_after_the_other));
    assert_true(check(taken_while_put));
    assert_true(check(puts_at_once));
    assert_true(check(empty_while_put));
    assert_true(linear_check(&queue_spec, NULL, 0));
}

test(histories_that_have_none)
{
    linear_call overtaken[] = { put(1, 1, 2), put(2, 3, 4), take(2, 5, 6), take(1, 7, 8) };
    linear_call taken_before[] = { take(1, 1, 2), put(1, 3, 4) };
    linear_call taken_twice[] = { put(1, 1, 2), take(1, 3, 6), take(1, 4, 5) };
    linear_call lost[] = { put(1, 1, 2), find_empty(3, 4) };
    assert_false(check(overtaken));
    assert_false(check(taken_before));
    assert_false(check(taken_twice));
    assert_false(check(lost));
}

/* All puts at once, and a take of a value that was never put: 14! orders. With its memory the
 * search tries 2^14 sets of calls. */
test(many_calls_at_once)
{
    enum { PUTS = 14 };
    linear_call history[PUTS + 1];
    for (int i = 0; i < PUTS; i++)
        history[i] = (linear_call)put(7, 1, 100);
    history[PUTS] = (linear_call)take(8, 101, 102);
    assert_false(check(history));
}

/* ---- objects with a fault, used by threads ---- */

enum { THREADS = 3, CALLS_EACH = 6 };

static struct {
    uint64_t stamp;            // atomic
    uint32_t between, inside;  // atomic: threads that reached a meeting
    uint32_t locked, filled;   // atomic
    uint32_t count, items[16]; // atomic: of the queue
    linear_call calls[THREADS][CALLS_EACH];
} world;

static uint64_t stamp(void)
{
    return edo_add_acq_rel(&world.stamp, 1);
}

/* The first two threads that reach a meeting wait for each other there. */
static void meet(uint32_t *met)
{
    edo_add_acq_rel(met, 1);
    while (edo_load_acquire(met) < 2)
        sched_yield();
}

/* A lock whose test and set are two steps. */
static int64_t try_broken_lock(void)
{
    if (edo_load_acquire(&world.locked)) return -EAGAIN;
    meet(&world.between);
    edo_store_release(&world.locked, 1);
    return 0;
}

enum { TRY, UNLOCK };

static const char *const lock_kinds[] = { "try", "unlock" };

static bool apply_to_lock(void *state, const linear_call *call, unsigned variant)
{
    unsigned char *locked = state;
    (void)variant;
    bool was = *locked;
    if (call->kind == UNLOCK) {
        *locked = 0;
        return was;
    }
    *locked = 1;
    return was == (call->result < 0);
}

static const linear_spec lock_spec = { .name = "lock",
                                       .kinds = lock_kinds,
                                       .apply = apply_to_lock };

static void use_broken_lock(unsigned index, void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < CALLS_EACH; i++) {
        linear_call *call = &world.calls[index][i];
        bool unlocks = i && call[-1].kind == TRY && call[-1].result == 0;
        *call = (linear_call){ .kind = unlocks ? UNLOCK : TRY, .actor = index, .begin = stamp() };
        if (unlocks)
            edo_store_release(&world.locked, 0);
        else
            call->result = try_broken_lock();
        call->end = stamp();
        if (!unlocks && call->result == 0) meet(&world.inside); // both hold the lock now
    }
}

/* A queue whose take is two steps: two threads get one item. */
static int64_t take_from_broken_queue(int64_t *ret_item)
{
    uint32_t count = edo_load_acquire(&world.count);
    if (!count) return -EAGAIN;
    *ret_item = edo_load_relaxed(&world.items[0]);
    meet(&world.between);
    for (uint32_t i = 1; i < count; i++)
        edo_store_relaxed(&world.items[i - 1], edo_load_relaxed(&world.items[i]));
    edo_store_release(&world.count, count - 1);
    return 1;
}

static void use_broken_queue(unsigned index, void *arg)
{
    (void)arg;
    while (index && !edo_load_acquire(&world.filled)) // until there is a value to take
        sched_yield();
    for (unsigned i = 0; i < CALLS_EACH; i++) {
        linear_call *call = &world.calls[index][i];
        bool puts = index == 0 && i < CALLS_EACH / 2;
        *call = (linear_call){ .kind = puts ? PUT : TAKE, .actor = index, .begin = stamp() };
        if (puts) {
            call->argument = i + 1;
            uint32_t count = edo_load_acquire(&world.count);
            edo_store_relaxed(&world.items[count % 16], i + 1);
            edo_store_release(&world.count, count + 1);
            edo_store_release(&world.filled, 1);
        } else {
            call->result = take_from_broken_queue(&call->value);
        }
        call->end = stamp();
    }
}

static bool is_linear(const linear_spec *spec, void (*use)(unsigned, void *))
{
    memset(&world, 0, sizeof world);
    run_threads(THREADS, use, NULL);
    return linear_check(spec, &world.calls[0][0], THREADS * CALLS_EACH);
}

test(a_lock_that_lets_two_in_is_found)
{
    assert_false(is_linear(&lock_spec, use_broken_lock));
}

test(a_queue_that_hands_out_twice_is_found)
{
    assert_false(is_linear(&queue_spec, use_broken_queue));
}
