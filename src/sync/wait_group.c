/* Wait groups. The lowest bit of the word says whether there are waiters, and the bits above it are
 * the count. queue.h has the argument that no wake is lost. If there are waiters, the step that
 * ends the last piece of work is made under the lock, and wakes the waiters.
 *
 * Memory orders. Each call that ends work releases the word. A wait that reads the count 0 acquires
 * the word, and so sees what was written before each of these calls. A wait that is woken does not
 * read the word. The last call has acquired the word, so it has seen what was written before the
 * earlier calls. The last call passes this on to the wait with the wake. */
#include <edo/events.h>

#include "base/base.h"
#include "sync/queue.h"

static void wake_all(edo_wait_group *group, edo__wakes *wakes)
{
    edo__wait_wake_all(edo__waiters_of(&group->waiters), wakes);
    edo_and_relaxed(&group->word, ~(uint32_t)EDO__GROUP_WAITERS);
}

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    edo_wait_group *group = object;
    uint32_t word = edo_load_acquire(&group->word);
    (void)op;
    (void)wakes;
    do { // a failed CAS acquires, too
        if (word < EDO__GROUP_ONE) return 0;
    } while (!edo_cas_acq_rel(&group->word, &word, word | EDO__GROUP_WAITERS));
    return -EAGAIN;
}

static void left(void *object, edo_op *op)
{
    edo_wait_group *group = object;
    (void)op;
    if (edo__wait_list_is_empty(edo__waiters_of(&group->waiters)))
        edo_and_relaxed(&group->word, ~(uint32_t)EDO__GROUP_WAITERS);
}

static const edo__queue_ops queue_ops = { .begin = begin, .left = left };

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_wait_group *group = op->object;
    return edo__queue_poll(&queue_ops, &group->lock, edo__waiters_of(&group->waiters), op, cx);
}

const edo_future_ops edo__wait_group_ops = { .name = "edo_wait_group_wait", .poll = wait_poll };

void edo_wait_group_add(edo_wait_group *group, uint32_t count)
{
    uint32_t word = edo_load_relaxed(&group->word);
    do {
        if (count > EDO_WAIT_GROUP_MAX - word / EDO__GROUP_ONE)
            edo__misuse("edo_wait_group_add", "the count would exceed EDO_WAIT_GROUP_MAX");
    } while (!edo_cas_relaxed(&group->word, &word, word + count * EDO__GROUP_ONE));
}

static void check_count(uint32_t word, uint32_t count, const char *call)
{
    if (count > word / EDO__GROUP_ONE) edo__misuse(call, "the count would fall below 0");
}

/* Ends `count` pieces of work, which may be the last ones. While there are waiters, the count
 * decreases to 0 only under the lock. */
static void leave_as_last(edo_wait_group *group, uint32_t count, const char *call)
{
    edo__wakes wakes = { NULL, NULL };
    edo__brief_take(&group->lock);
    uint32_t word = edo_load_relaxed(&group->word);
    do {
        check_count(word, count, call);
    } while (!edo_cas_acq_rel(&group->word, &word, word - count * EDO__GROUP_ONE));
    if (word / EDO__GROUP_ONE == count) wake_all(group, &wakes);
    edo__brief_give(&group->lock);
    edo__wakes_commit(&wakes);
}

void edo__wait_group_leave(edo_wait_group *group, uint32_t count, const char *call)
{
    uint32_t word = edo_load_relaxed(&group->word);
    do {
        check_count(word, count, call);
        if ((word & EDO__GROUP_WAITERS) && word / EDO__GROUP_ONE == count) {
            leave_as_last(group, count, call);
            return;
        }
    } while (!edo_cas_release(&group->word, &word, word - count * EDO__GROUP_ONE));
}

void edo_wait_group_done(edo_wait_group *group)
{
    edo__wait_group_leave(group, 1, "edo_wait_group_done");
}

uint32_t edo_wait_group_count(const edo_wait_group *group)
{
    return edo_load_acquire(&group->word) / EDO__GROUP_ONE;
}

_Static_assert(sizeof(edo_wait_group) <= 16, "public layouts are fixed");

void edo_wait_group_deinit(edo_wait_group *group)
{
    edo__queue_end(&group->lock, edo__waiters_of(&group->waiters), false, "edo_wait_group_deinit");
}
