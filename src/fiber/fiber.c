/* The life of a fiber: its making, its polls, its waits, its end. */
#include "fiber/fiber.h"

#include <string.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/lock.h"
#include "task/trace.h"

/* ---- making ---- */

enum {
    ALIGNMENT = 64,         // of the fiber and of the top of its stack: a cache line
    LEAST_FUNCTIONS = 4096, // bytes for its functions
};

static uintptr_t aligned_down(uintptr_t address)
{
    return address & ~(uintptr_t)(ALIGNMENT - 1);
}

static int take_stack(const edo_fiber_options *options, edo__stack **ret_stack)
{
    if (!options) return edo__stack_take(0, true, ret_stack);
    if (options->stack) return edo__stack_lend(options->stack, options->stack_size, ret_stack);
    return edo__stack_take(options->stack_size, !(options->flags & EDO_FIBER_UNGUARDED), ret_stack);
}

static void run(void *memory);

/* Copies the arguments below the fiber, and begins the stack below them. */
static void init(edo__fiber *fiber, const edo_site *site, const edo__fiber_start *start)
{
    uintptr_t top = aligned_down((uintptr_t)fiber - start->args_size);
    fiber->site = site;
    fiber->fn = start->fn;
    fiber->arg = start->args_size ? (void *)top : (void *)(uintptr_t)start->arg;
    if (start->args_size) memcpy(fiber->arg, start->arg, start->args_size);
    fiber->parker.high = top;
    fiber->context = edo__sys_context_make((void *)top, run, fiber);
}

static int64_t wait_for_one(edo__parker *parker, edo_future *future, const char *file,
                            uint32_t line);
static int64_t wait_together(edo__parker *parker, const edo__waiting *waiting);

int edo__fiber_create(const edo_fiber_options *options, const edo_site *site,
                      const edo__fiber_start *start, edo__fiber **ret_fiber)
{
    edo__stack *stack;
    if (edo__unlikely(edo__sys_has_shadow_stack())) return -ENOTSUP;
    int rc = take_stack(options, &stack);
    if (rc < 0) return rc;
    uintptr_t low = (uintptr_t)(stack->memory.base + stack->memory.guard);
    uintptr_t place = aligned_down((uintptr_t)stack - sizeof(edo__fiber));
    if (place - low < start->args_size + EDO__CONTEXT_SIZE + LEAST_FUNCTIONS) {
        edo__stack_give(stack);
        return -EINVAL;
    }
    edo__fiber *fiber = (edo__fiber *)place;
    memset(fiber, 0, sizeof *fiber);
    fiber->parker = (edo__parker){ .wait = wait_for_one,
                                   .wait_together = wait_together,
                                   .low = low };
    fiber->stack = stack;
    if (edo__is_annotated()) edo__annotate_create(&fiber->annotations, (void *)low, place - low);
    init(fiber, site, start);
    edo__fiber_report_overflows();
    *ret_fiber = fiber;
    return 0;
}

void edo__fiber_destroy(edo__fiber *fiber)
{
    uintptr_t low = fiber->parker.low;
    if (edo__is_annotated())
        edo__annotate_destroy(&fiber->annotations, (void *)low, (uintptr_t)fiber - low);
    edo__stack_give(fiber->stack);
}

/* ---- into the fiber and back ----
 *
 * What switches is inlined: behind a switch the processor predicts each return wrongly, for its
 * calls were made on the other stack. */

/* What each thread has once, and each fiber for itself: errno, and the exceptions of C++ that are
 * being handled, of which the runtime of C++ gives the place. The thread stays the same between the
 * two exchanges around a fiber's run. */
__attribute__((weak)) void *__cxa_get_globals(void);

static void exchange_exceptions(edo__fiber *fiber)
{
    void **now = __cxa_get_globals(), *was[2] = { now[0], now[1] };
    now[0] = fiber->exceptions[0];
    now[1] = fiber->exceptions[1];
    fiber->exceptions[0] = was[0];
    fiber->exceptions[1] = was[1];
}

static void exchange_thread_state(edo__fiber *fiber)
{
    int error = errno;
    errno = fiber->error;
    fiber->error = error;
    if (__cxa_get_globals) exchange_exceptions(fiber);
}

/* Runs the fiber until it waits or ends. */
static always_inline void enter(edo__fiber *fiber)
{
    struct edo__thread *self = &edo__self;
    edo__parker *outer = self->on_stack;
    uintptr_t stack = self->stack;
    self->on_stack = self->parker = &fiber->parker;
    self->stack = 0; // its locals live as long as its waits: operations may have them
    exchange_thread_state(fiber);
    if (edo__is_annotated())
        edo__annotate_enter(&fiber->annotations, (void *)fiber->parker.low,
                            fiber->parker.high - fiber->parker.low);
    edo_plain_write(&fiber->context); // the stack is this thread's
    edo__sys_context_switch(&fiber->caller, fiber->context);
    edo_plain_write(&fiber->context);
    if (edo__is_annotated()) edo__annotate_entered_caller(&fiber->annotations);
    exchange_thread_state(fiber);
    self->parker = NULL;
    self->on_stack = outer;
    self->stack = stack;
}

/* Leaves the fiber's stack. Knows nothing of the thread, which may be another one afterwards. */
static always_inline void leave(edo__fiber *fiber, bool ends)
{
    if (edo__is_annotated()) edo__annotate_leave(&fiber->annotations, ends);
    edo__sys_context_switch(&fiber->context, fiber->caller);
    if (edo__is_annotated()) edo__annotate_entered(&fiber->annotations);
}

static void check_end(const edo__fiber *fiber)
{
    if (edo__unlikely(fiber->frame->edo_head.kept))
        edo__misuse(
            fiber->frame->base.ops->name,
            "it returned while edo_wait_any() kept an operation, or a scope or limit was open");
}

static void run(void *memory)
{
    edo__fiber *fiber = memory;
    if (edo__is_annotated()) edo__annotate_entered(&fiber->annotations);
    fiber->result = fiber->fn(fiber->arg);
    check_end(fiber);
    fiber->is_over = true;
    leave(fiber, true);
}

/* ---- polls ---- */

static struct edo_fiber_frame *frame_of(edo_future *future)
{
    return (struct edo_fiber_frame *)(void *)future;
}

static struct edo_any_frame *any_frame_of(edo__fiber *fiber)
{
    return (struct edo_any_frame *)(void *)fiber->frame;
}

/* Gives the stack back. A handler that dumps finds no fiber any more. */
static edo_poll end(struct edo_fiber_frame *frame, edo__fiber *fiber)
{
    frame->base.result = fiber->result;
    frame->fiber = NULL;
    edo_fence_signal();
    edo__fiber_destroy(fiber);
    return EDO_READY;
}

static __attribute__((noinline, cold)) void begin(edo__fiber *fiber, struct edo_fiber_frame *frame)
{
    fiber->frame = frame;
    if (fiber->is_begun) *fiber->is_begun = true;
    edo__stack_prepare_thread();
}

edo_poll edo__fiber_poll(edo_future *future, edo_cx *cx)
{
    struct edo_fiber_frame *frame = frame_of(future);
    edo__fiber *fiber = frame->fiber;
    if (fiber->wait) {
        if (fiber->wait(frame, cx) == EDO_PENDING) return EDO_PENDING;
        edo__stack_prepare_thread();
    } else if (!fiber->frame) {
        begin(fiber, frame);
    }
    enter(fiber);
    return fiber->is_over ? end(frame, fiber) : EDO_PENDING;
}

static const char *file_of(const edo_future *future)
{
    const edo__fiber *fiber = ((const struct edo_fiber_frame *)(const void *)future)->fiber;
    return fiber ? fiber->file : NULL;
}

const edo__places edo__fiber_places = { file_of };

/* ---- waits ---- */

edo_cx *edo__fiber_cx(void)
{
    __asm__ volatile(""); // so that the call is not taken for one without effects
    return edo__self.cx;
}

/* The first poll of a wait is made on the fiber's stack: an operation that is ready needs no
 * switch. In it an async function runs, where memory on the stack of the poll is refused and
 * edo_wait() aborts. */
static __attribute__((noinline)) edo_poll poll_here(edo__fiber *fiber,
                                                    edo_poll (*poll)(void *frame, edo_cx *cx))
{
    int error = errno; // a wait does not change it
    edo__self.parker = NULL;
    edo__self.stack = (uintptr_t)__builtin_frame_address(0);
    edo_poll answer = poll(fiber->frame, edo__self.cx);
    edo__self.stack = 0;
    edo__self.parker = &fiber->parker;
    errno = error;
    return answer;
}

static __attribute__((noinline, cold)) _Noreturn void refuse_stack(const char *file, uint32_t line)
{
    edo__misuse("edo_wait",
                "%s:%u waits on another stack than its fiber's: in a signal handler, or behind "
                "longjmp() from another fiber",
                file, line);
}

/* A user's wakeable may run under a lock. */
static __attribute__((noinline)) void refuse_locks(const char *file, uint32_t line)
{
    if (edo__lock_is_any_held())
        edo__misuse("edo_wait", "%s:%u waits in a wake function, with a lock of edo held", file,
                    line);
}

/* What lies below the caller on the stack belongs to functions that have returned. */
static __attribute__((noinline, cold)) void check_kept(const edo__fiber *fiber)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    for (const edo_future *kept = fiber->frame->edo_head.kept; kept; kept = kept->next)
        if ((uintptr_t)kept - fiber->parker.low < here - fiber->parker.low)
            edo__misuse(fiber->frame->base.ops->name,
                        "the function has returned whose operation edo_wait_any() kept: wait for "
                        "it there, or declare it with EDO_ENDS");
}

static always_inline void begin_wait(edo__fiber *fiber, const char *file, uint32_t line)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) - fiber->parker.low;
    if (edo__unlikely(here >= fiber->parker.high - fiber->parker.low)) refuse_stack(file, line);
    if (edo__unlikely(fiber->frame->edo_head.kept)) check_kept(fiber);
    if (EDO_DEBUG) refuse_locks(file, line);
    fiber->frame->base.line = line;
    fiber->file = file;
}

static always_inline void wait_until_ready(edo__fiber *fiber,
                                           edo_poll (*poll)(void *frame, edo_cx *cx))
{
    if (poll_here(fiber, poll) == EDO_READY) return;
    fiber->wait = poll;
    leave(fiber, false);
    fiber->wait = NULL;
}

/* What a wait is over lies on the stack of a function that does not return before its end. So no
 * operation of a fiber outlives it, except for what edo_wait_any() keeps (check_end, check_kept). */
static int64_t wait_together(edo__parker *parker, const edo__waiting *waiting)
{
    edo__fiber *fiber = (edo__fiber *)(void *)parker;
    begin_wait(fiber, waiting->file, waiting->line);
    edo__waiting_begin(waiting, any_frame_of(fiber));
    wait_until_ready(fiber, waiting->poll);
    return edo__waiting_end(waiting, any_frame_of(fiber));
}

/* One that is kept has to leave that list first. */
static __attribute__((noinline, cold)) int64_t wait_for_kept(edo__fiber *fiber, edo_future *future,
                                                             const char *file, uint32_t line)
{
    return wait_together(
        &fiber->parker,
        &(edo__waiting){
            .poll = edo__poll_one, .children = &future, .count = 1, .file = file, .line = line });
}

static int64_t wait_for_one(edo__parker *parker, edo_future *future, const char *file,
                            uint32_t line)
{
    edo__fiber *fiber = (edo__fiber *)(void *)parker;
    if (edo__unlikely(future->flags)) return wait_for_kept(fiber, future, file, line);
    begin_wait(fiber, file, line);
    future->next = NULL;
    edo__waiting_link(any_frame_of(fiber), future);
    wait_until_ready(fiber, edo__poll_one);
    edo__unlink(&fiber->frame->edo_head);
    return future->result;
}
