/* KEPT tasks, which yield under edo_block_on(), against wakes, cancellations, ends and inspections
 * meanwhile.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"

static struct {
    edo_runtime *runtime;
    edo_task *task; // the yielding task
    edo_wakeable *waker;
    void (*others[2])(void *); // threads started while the task is kept, or about to be
    int started[2];
    uint32_t flag;
    unsigned polls, cause;
    model_event look, looked;
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_create();
}

static void start_others(edo_task *task)
{
    s->task = task;
    s->waker = edo_task_waker(task);
    for (int i = 0; i < 2 && s->others[i]; i++)
        s->started[i] = model_start(s->others[i], NULL);
}

/* Yields `yields` times, then waits for the flag; ends at once when it is cancelled. */
struct yielder {
    edo_frame();
    edo_args(unsigned yields;);
};

static edo_poll yielder_poll(edo_future *future, edo_cx *cx)
{
    struct yielder *self = (struct yielder *)(void *)future;
    edo_plain_write(&s->polls);
    if (!s->polls++ && !s->task) start_others(cx->task); // this task is the root
    future->result = 7;
    if (edo_cx_fate(cx) != EDO_LIVE) {
        edo_plain_read(&s->cause);
        future->result = -ECANCELED;
        return EDO_READY;
    }
    cx->requeue = self->yields > 0; // as edo_yield() does
    if (!self->yields) return edo_load_relaxed(&s->flag) ? EDO_READY : EDO_PENDING;
    self->yields--;
    return EDO_PENDING;
}

POLLED(yielder);

static void spawn_yielder(unsigned yields)
{
    edo_spawn_options here = { .runtime = s->runtime };
    int rc = edo_spawn_with(&s->task, &here, yielder, .yields = yields);
    model_assert(rc == 0);
}

static void tear_down(void)
{
    for (int i = 0; i < 2 && s->others[i]; i++)
        model_join(s->started[i]);
    edo_waker_unref(s->waker);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* The yielder is the root of edo_block_on. */
static void run_against(unsigned yields, int64_t result, void (*first)(void *),
                        void (*second)(void *))
{
    s->others[0] = first;
    s->others[1] = second;
    model_assert(edo_block_on(s->runtime, yielder, .yields = yields) == result);
    tear_down();
}

/* ---- wakes and fates ---- */

THREAD(tell)
{
    edo_store_relaxed(&s->flag, 1);
    edo_wake(s->waker);
}

MODEL(kept_against_wake, "a wake of a kept task is not lost, and its poll sees what came before")
{
    set_up();
    run_against(1, 7, tell, NULL);
}

THREAD(cancel)
{
    edo_plain_write(&s->cause); // visible to a poll that sees the cancellation
    edo_task_cancel(s->task);
}

MODEL(kept_against_cancel,
      "a kept task that sees a cancel sees what came before it; the cancel is not lost")
{
    set_up();
    run_against(2, -ECANCELED, cancel, NULL);
}

THREAD(abort_task)
{
    edo_plain_write(&s->cause);
    edo_task_abort(s->task);
}

MODEL(kept_against_abort, "the same for an abort")
{
    set_up();
    run_against(2, -ECANCELED, abort_task, NULL);
}

/* ---- inspections on another thread ---- */

static void look_at(void *context, const edo_trace_line *line)
{
    (void)context;
    (void)line;
    edo_plain_read(&s->polls);
}

THREAD(look_once)
{
    int rc = edo_task_trace(s->task, look_at, NULL);
    model_assert(rc == 0 || rc == -EBUSY || rc == -ESRCH);
}

MODEL(kept_against_look, "who looks at a task that is kept or let go sees whole polls")
{
    set_up();
    s->flag = 1;
    run_against(2, 7, look_once, NULL);
}

THREAD(wake)
{
    edo_wake(s->waker);
}

MODEL(kept_against_look_and_wake, "a kept task that is looked at and woken has one queue entry")
{
    set_up();
    s->flag = 1;
    run_against(1, 7, wake, look_once);
}

/* Blocks between two polls of the yielder, until an inspection was made. */
struct gate {
    edo_frame();
    edo_args(unsigned times;);
};

static edo_poll gate_poll(edo_future *future, edo_cx *cx)
{
    struct gate *self = (struct gate *)(void *)future;
    model_post(&s->look);
    model_wait(&s->looked);
    future->result = 0;
    cx->requeue = --self->times > 0;
    return self->times ? EDO_PENDING : EDO_READY;
}

POLLED(gate);

static int look_at_gate(void)
{
    model_wait(&s->look);
    int rc = edo_task_trace(s->task, look_at, NULL);
    model_post(&s->looked);
    return rc;
}

/* A failed first inspection sets WANTED: from one of its next two yields on, each yield requeues
 * the task. A further inspection follows each yield. */
THREAD(look_until_let_go)
{
    int rc = edo_task_trace(s->task, look_at, NULL);
    int first = look_at_gate(), second = look_at_gate();
    model_assert(first == 0 || second == 0 || rc == 0);
}

MODEL(kept_is_let_go, "a kept task lets go for who was turned away")
{
    set_up();
    s->flag = 1;
    spawn_yielder(2);
    s->others[0] = look_until_let_go;
    start_others(s->task);
    model_assert(edo_block_on(s->runtime, gate, .times = 2) == 0);
    while (!edo_task_is_done(s->task))
        edo_turn(s->runtime, EDO_NEVER);
    edo_detach(s->task);
    tear_down();
}

static void pass_gate(void)
{
    model_wait(&s->look);
    model_post(&s->looked);
}

/* After a failed inspection this thread skips two rounds in which the task is QUEUED; the third
 * inspection succeeds, and the next yield keeps the task again. */
THREAD(look_late)
{
    int rc = look_at_gate();
    model_assert(rc == -EBUSY);
    pass_gate();
    pass_gate();
    rc = look_at_gate();
    model_assert(rc == 0);
    rc = look_at_gate();
    model_assert(rc == -EBUSY);
}

MODEL(kept_is_let_go_until_looked_at, "a kept task lets go until who was turned away has looked")
{
    set_up();
    s->flag = 1;
    spawn_yielder(5);
    s->others[0] = look_late;
    start_others(s->task);
    model_assert(edo_block_on(s->runtime, gate, .times = 5) == 0);
    while (!edo_task_is_done(s->task))
        edo_turn(s->runtime, EDO_NEVER);
    edo_detach(s->task);
    tear_down();
}

/* ---- inspections on the runtime's thread ---- */

/* Inspects the yielder, which is kept or waits, then joins it. */
struct onlooker {
    edo_frame();
    edo_args(int unused;);
    int64_t result;
};

edo_async(onlooker)
{
    edo_body {
        start_others(s->task);
        model_assert(edo_task_trace(s->task, look_at, NULL) == 0);
        edo_await(self->result, edo_join(s->task));
        edo_return(self->result);
    }
}

MODEL(kept_for_neighbour, "a task always gets to look at a kept one of its thread, which runs on")
{
    set_up();
    spawn_yielder(1);
    s->others[0] = tell;
    model_assert(edo_block_on(s->runtime, onlooker, .unused = 0) == 7);
    tear_down();
}

MODEL(waiting_for_neighbour, "a look from its own thread does not queue a task that waits")
{
    set_up();
    spawn_yielder(0);
    s->others[0] = tell;
    model_assert(edo_block_on(s->runtime, onlooker, .unused = 0) == 7);
    tear_down();
}

/* ---- between turns ---- */

/* Ends at once, which ends the turn. */
struct opener {
    edo_frame();
    edo_args(int unused;);
};

edo_async(opener)
{
    edo_body {
        start_others(s->task);
        edo_return(0);
    }
}

MODEL(kept_after_block_on, "no task is kept between turns: the owner gets to look at each")
{
    set_up();
    s->runtime->workers[0]->interval = 2; // the yielder and the opener, which ends the turn
    spawn_yielder(1);
    s->others[0] = tell;
    model_assert(edo_block_on(s->runtime, opener, .unused = 0) == 0);
    model_assert(edo_task_trace(s->task, look_at, NULL) == 0);
    while (!edo_task_is_done(s->task))
        edo_turn(s->runtime, EDO_NEVER);
    model_assert(edo__task_frame(s->task)->result == 7);
    edo_detach(s->task);
    tear_down();
}
