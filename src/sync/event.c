/* Events. The word has three bits: SET, WAITERS and AUTOMATIC. queue.h has the argument that no
 * wake is lost. An automatic event that is SET has one permit, for one wait. If an automatic event
 * has waiters, edo_event_set() grants the permit to the first waiter, under the lock.
 *
 * Orders. edo_event_set() releases, even if the event is set already. An admitted wait acquires. */
#include <edo/events.h>

#include "base/base.h"
#include "sync/queue.h"

static bool is_automatic(uint32_t word)
{
    return word & EDO__EVENT_AUTOMATIC;
}

/* Computes the event's word after the admission of a wait, which resets an automatic event. */
static uint32_t passed(uint32_t word)
{
    return is_automatic(word) ? word & ~(uint32_t)EDO__EVENT_SET : word;
}

int edo_event_try_wait(edo_event *event)
{
    uint32_t word = edo_load_acquire(&event->word);
    do {
        bool is_others = is_automatic(word) && (word & EDO__EVENT_WAITERS);
        if (is_others || !(word & EDO__EVENT_SET)) return -EAGAIN;
    } while (is_automatic(word) && !edo_cas_acquire(&event->word, &word, passed(word)));
    return 0;
}

/* Admits one wait if the event is set. Called under the lock. Returns: whether the event was
 * set. */
static bool pass(edo_event *event)
{
    uint32_t word = edo_load_relaxed(&event->word);
    while (word & EDO__EVENT_SET)
        if (edo_cas_relaxed(&event->word, &word, passed(word))) return true;
    return false;
}

static void serve(void *object, edo__wakes *wakes)
{
    edo_event *event = object;
    edo__wait_list *waiters = edo__waiters_of(&event->waiters);
    edo_op *op;
    while ((op = edo__wait_first(waiters)) && pass(event))
        edo__wait_wake(waiters, op, wakes);
    if (!op) edo_and_relaxed(&event->word, ~(uint32_t)EDO__EVENT_WAITERS);
}

static int64_t begin(void *object, edo_op *op, edo__wakes *wakes)
{
    edo_event *event = object;
    uint32_t word = edo_load_relaxed(&event->word), next;
    (void)op;
    (void)wakes;
    do {
        next = word & EDO__EVENT_SET ? passed(word) : word | EDO__EVENT_WAITERS;
    } while (!edo_cas_acquire(&event->word, &word, next));
    return word & EDO__EVENT_SET ? 0 : -EAGAIN;
}

/* Gives back the permit of a cancelled wait: sets an automatic event again. A manual event is not
 * changed, because its waits take no permit. */
static void give_back(void *object, edo_op *op)
{
    edo_event *event = object;
    (void)op;
    if (is_automatic(edo_load_relaxed(&event->word)))
        edo_or_relaxed(&event->word, EDO__EVENT_SET); // continues the release sequence
}

static const edo__queue_ops queue_ops = { .begin = begin, .give_back = give_back, .serve = serve };

static edo_poll wait_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_event *event = op->object;
    return edo__queue_poll(&queue_ops, &event->lock, edo__waiters_of(&event->waiters), op, cx);
}

const edo_future_ops edo__event_wait_ops = { .name = "edo_event_wait", .poll = wait_poll };

void edo_event_set(edo_event *event)
{
    uint32_t word = edo_load_relaxed(&event->word);
    edo__wakes wakes = { NULL, NULL };
    while (!(word & EDO__EVENT_WAITERS))
        if (edo_cas_release(&event->word, &word, word | EDO__EVENT_SET)) return;
    edo__brief_take(&event->lock);
    edo_or_release(&event->word, EDO__EVENT_SET);
    serve(event, &wakes);
    edo__brief_give(&event->lock);
    edo__wakes_commit(&wakes);
}

void edo_event_reset(edo_event *event)
{
    edo_and_relaxed(&event->word, ~(uint32_t)EDO__EVENT_SET);
}

bool edo_event_is_set(const edo_event *event)
{
    return edo_load_acquire(&event->word) & EDO__EVENT_SET;
}

_Static_assert(sizeof(edo_event) <= 16, "public layouts are fixed");

void edo_event_deinit(edo_event *event)
{
    edo__queue_end(&event->lock, edo__waiters_of(&event->waiters), false, "edo_event_deinit");
}
