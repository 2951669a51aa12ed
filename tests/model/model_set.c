/* Wakes of a set of streams: none is lost, and a former waker of the set is not used. The set and
 * the relay are the real code. An input is a stream over a mailbox, whose lock guards the waker as
 * an operation's object does; a second thread fills the mailbox.
 *
 * model-sources: sequence/set.c
 */
#include <string.h>

#include "model/model.h"
#include "base/lock.h"
#include "sequence/set.h"
#include "task/executor.h"

/* ---- tasks: wakers that post an event ---- */

typedef struct task_waker {
    edo_wakeable head;
    model_event event;
} task_waker;

/* The set of another set: passes a wake on, and may end once the set does not use it. */
typedef struct outer_waker {
    edo_user_wakeable wakeable;
    task_waker *to;
} outer_waker;

edo_wakeable *edo__wake_prepare(edo_wakeable *waker)
{
    edo_plain_read(waker);
    if (waker->kind == EDO_WAKEABLE_TASK) return waker;
    edo_user_wakeable *user = (edo_user_wakeable *)(void *)waker;
    user->wake(user);
    return NULL;
}

void edo__wake_commit(edo_wakeable *waker)
{
    if (waker) model_post(&((task_waker *)(void *)waker)->event);
}

void edo_wake(edo_wakeable *waker)
{
    edo__wake_commit(edo__wake_prepare(waker));
}

void edo_user_wakeable_init(edo_user_wakeable *wakeable, void (*wake)(edo_user_wakeable *))
{
    *wakeable = (edo_user_wakeable){ .head = { .kind = EDO_WAKEABLE_USER }, .wake = wake };
}

static void pass_on(edo_user_wakeable *wakeable)
{
    edo_wake(&((outer_waker *)(void *)wakeable)->to->head);
}

/* ---- what the set calls of the library; without a task there is nothing to keep ---- */

void edo__hold_open(edo__hold *hold, const edo_future_ops *ops, edo_future *owner, edo_cx *cx,
                    const char *call)
{
    (void)call;
    *hold = (edo__hold){ .base = { .ops = ops }, .owner = owner, .waker = cx->waker };
}

void edo__hold_check(const edo__hold *hold, const edo_cx *cx, const char *call)
{
    (void)hold;
    (void)cx;
    (void)call;
}

void edo_cx_deadline(edo_cx *cx, int64_t when)
{
    (void)cx;
    (void)when;
}

void edo__check_time_slice(edo_cx *cx)
{
    (void)cx;
}

/* ---- mailboxes ---- */

typedef struct mailbox {
    edo_stream stream;
    edo__lock lock;
    bool is_full;        // the lock
    edo_wakeable *waker; // the lock; of a pull that waits
} mailbox;

enum { BOXES = 2 };

static struct {
    edo__set set;
    edo__input inputs[BOXES];
    int slots[BOXES];
    mailbox boxes[BOXES];
    task_waker task;
    edo_cx cx;
    edo_future owner;
    int got;
} * s;

static int64_t mailbox_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    mailbox *box = (mailbox *)(void *)stream;
    int64_t result = 1;
    edo__lock_take(&box->lock);
    box->waker = NULL;
    if (box->is_full)
        *(int *)ret_item = 1;
    else if (cx->fate != EDO_LIVE)
        result = -ECANCELED;
    else
        result = EDO_NEXT_WAITS;
    if (result == 1) box->is_full = false;
    if (result == EDO_NEXT_WAITS) box->waker = cx->waker;
    edo__lock_give(&box->lock);
    return result;
}

static void fill(mailbox *box)
{
    edo_wakeable *prepared = NULL;
    edo__lock_take(&box->lock);
    box->is_full = true;
    if (box->waker) prepared = edo__wake_prepare(box->waker);
    box->waker = NULL;
    edo__lock_give(&box->lock);
    edo__wake_commit(prepared);
}

static void set_up(int boxes)
{
    static const edo_stream_ops ops = { .name = "mailbox", .next = mailbox_next };
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->task.head.kind = EDO_WAKEABLE_TASK;
    s->cx.waker = &s->task.head;
    s->cx.budget = 1000;
    edo__set_init(&s->set, sizeof(int), true, &s->owner, &s->cx);
    for (int i = 0; i < boxes; i++) {
        s->boxes[i].stream = (edo_stream)EDO_STREAM_INIT(&ops, sizeof(int));
        edo__set_add(&s->set, &s->inputs[i], &s->boxes[i].stream, &s->slots[i], 0);
    }
}

/* Pulls until there are that many items; sleeps between the polls. */
static void pull_items(int count)
{
    while (s->got < count) {
        int item = 0;
        int64_t result = edo_pull(&s->set.stream, &s->cx, &item);
        if (result == 1) s->got += item;
        if (result == EDO_NEXT_WAITS) model_wait(&s->task.event);
    }
}

THREAD(fill_first)
{
    fill(&s->boxes[0]);
}

THREAD(fill_second)
{
    fill(&s->boxes[1]);
}

/* ---- the models ---- */

MODEL(set_wakes, "an item that comes while the set goes to sleep is not missed")
{
    set_up(1);
    int filler = model_start(fill_first, NULL);
    pull_items(1);
    model_join(filler);
}

MODEL_SAMPLED(set_wakes_two, "of two inputs neither wake is lost", 20000)
{
    set_up(2);
    int first = model_start(fill_first, NULL), second = model_start(fill_second, NULL);
    pull_items(2);
    model_join(first);
    model_join(second);
}

MODEL(set_forgets_the_waker, "after a cancelled pull its waker may end, although an input waits")
{
    set_up(1);
    outer_waker *outer = model_alloc(sizeof *outer);
    *outer = (outer_waker){ .to = &s->task };
    edo_user_wakeable_init(&outer->wakeable, pass_on);
    int filler = model_start(fill_first, NULL), item = 0;
    s->cx.waker = &outer->wakeable.head;
    int64_t result = edo_pull(&s->set.stream, &s->cx, &item);
    if (result == EDO_NEXT_WAITS) {
        s->cx.fate = s->cx.bare = EDO_CANCELLED;
        result = edo_pull(&s->set.stream, &s->cx, &item);
        model_assert(result == -ECANCELED);
        s->cx.fate = s->cx.bare = EDO_LIVE;
    } else {
        s->got = item;
    }
    edo_plain_write(outer);
    model_free(outer);
    s->cx.waker = &s->task.head;
    pull_items(1);
    model_join(filler);
}

MODEL(set_tends, "between pulls the function's poll takes what was woken, and the item stays")
{
    set_up(1);
    int item = 0, filler = model_start(fill_first, NULL);
    if (edo_pull(&s->set.stream, &s->cx, &item) == 1) s->got = item;
    s->cx.fate = s->cx.bare = EDO_CANCELLED;
    if (s->got == 0) (void)edo_pull(&s->set.stream, &s->cx, &item);
    s->cx.fate = s->cx.bare = EDO_LIVE;
    edo__set_tend(&s->set, &s->cx);
    pull_items(1);
    model_join(filler);
}
