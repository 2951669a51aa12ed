/* A fiber's stack is handed from the thread that parks it to the one that resumes it, by nothing but
 * the state word of its task.
 *
 * model-sources: @runtime fiber/fiber.c sys/linux/fiber_x86_64.S sys/linux/fiber_aarch64.S
 * model-sources: sys/linux/fiber_ucontext.c
 */
#include <string.h>

#include "fiber/fiber.h"
#include "model/fake_sys.h"

enum { STACK_SIZE = 256 << 10, WAITS = 2 };

static struct {
    edo_task task; // only its state
    struct edo_fiber_frame frame;
    edo_atomic(bool) is_due; // what the fiber waits for; the waker sets it
    model_event parked;      // for the waker: the fiber has begun to wait
    model_event queued;      // a queue entry
    model_event over;
    unsigned rounds; // of the fiber
} * s;

/* ---- in place of what lies below ---- */

static char memory[STACK_SIZE] __attribute__((aligned(64)));

int edo__stack_take(size_t size, bool guarded, edo__stack **ret_stack)
{
    (void)size;
    (void)guarded;
    *ret_stack = (edo__stack *)(void *)(memory + STACK_SIZE - sizeof(edo__stack) - 64);
    **ret_stack = (edo__stack){ .memory = { .base = memory, .size = STACK_SIZE } };
    return 0;
}

int edo__stack_lend(void *lent, size_t size, edo__stack **ret_stack)
{
    (void)lent;
    return edo__stack_take(size, false, ret_stack);
}

void edo__stack_give(edo__stack *stack)
{
    (void)stack;
}

void edo__stack_give_last(edo__stack *stack)
{
    (void)stack;
}

_Thread_local bool edo__stack_is_prepared = true;
void edo__stack_prepare_this_thread(void) {}

void edo__fiber_report_overflows(void) {}

edo_atomic(bool) edo__fiber_measures;
void edo__fiber_measure_begin(edo__fiber *fiber)
{
    (void)fiber;
}
void edo__fiber_measure_end(const edo__fiber *fiber)
{
    (void)fiber;
}

/* ---- a future that another thread completes, with a wake ---- */

static edo_poll due_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    if (future->state == EDO_NEW) {
        model_post(&s->parked);
        return EDO_PENDING;
    }
    if (!edo_load_acquire(&s->is_due)) return EDO_PENDING;
    edo_store_relaxed(&s->is_due, false);
    return EDO_READY;
}

static const edo_future_ops due_ops = { .name = "due", .poll = due_poll, .kind = EDO_KIND_OWNER };

static int64_t waits(void *arg)
{
    unsigned rounds = 0; // on the stack that moves
    for (int i = 0; i < WAITS; i++) {
        edo_future due = { .ops = &due_ops };
        edo__parker *parker = edo__self.parker;
        parker->wait(parker, &due, NULL, 0);
        rounds++;
        edo_plain_write(&s->rounds);
        s->rounds = rounds;
    }
    return (int64_t)(intptr_t)arg;
}

/* ---- threads ---- */

/* The waker may set off while the fiber is still on its stack. */
THREAD(waker)
{
    for (int i = 0; i < WAITS; i++) {
        model_wait(&s->parked);
        edo_store_release(&s->is_due, true);
        if (edo__state_prepare(&s->task.state)) model_post(&s->queued);
    }
}

/* As edo__poll_task(). Returns: whether the fiber has ended. */
static bool poll_once(void)
{
    edo_cx cx = { .budget = 100 };
    edo__state_start(&s->task.state);
    edo__self.cx = &cx;
    bool is_over = edo_poll_future(&s->frame.base, &cx) == EDO_READY;
    edo__self.cx = NULL;
    if (is_over)
        edo__state_complete(&s->task.state);
    else if (edo__state_pause(&s->task.state))
        model_post(&s->queued);
    return is_over;
}

static void poll_until_over(void)
{
    for (;;) {
        model_wait(&s->queued);
        if (s->rounds > WAITS) return;
        if (!poll_once()) continue;
        s->rounds = WAITS + 1; // ends the other poller
        model_post(&s->queued);
        return;
    }
}

THREAD(poller)
{
    poll_until_over();
}

MODEL(fiber_hand_over,
      "a fiber that is woken while it parks goes on where it was, on whichever thread")
{
    static const edo_future_ops ops = { .name = "waits",
                                        .poll = edo__fiber_poll,
                                        .kind = EDO_KIND_ASYNC,
                                        .size = sizeof(struct edo_fiber_frame) };
    static const edo_site site = { .ops = &ops, .file = "model" };
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    edo__frame_init(&s->frame, &ops);
    int rc = edo__fiber_create(NULL, &site, &(edo__fiber_start){ waits, (void *)7, 0 },
                               &s->frame.fiber);
    model_assert(rc == 0);
    s->task.state = EDO__NOTIFIED + EDO__REF;
    model_post(&s->queued);
    int other = model_start(poller, NULL), third = model_start(waker, NULL);
    poll_until_over();
    model_join(other);
    model_join(third);
    model_assert(s->frame.base.result == 7);
}
