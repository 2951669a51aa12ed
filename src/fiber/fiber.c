/* Fibers: creation, polls, waits, end. */
#include "fiber/fiber.h"

#include <string.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/lock.h"
#include "task/future.h"
#include "task/trace.h"

/* ---- making ---- */

enum {
    ALIGNMENT = 64,         // bytes; one cache line, for the fiber and the top of its stack
    LEAST_FUNCTIONS = 4096, // least stack that remains for the fiber's functions; bytes
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

/* Clears only the members that may be read before they are written. To clear the whole struct,
 * compilers would use `rep stos`, which takes 4 ns more. */
static void clear(edo__fiber *fiber)
{
    fiber->frame = NULL;
    fiber->wait = NULL;
    fiber->file = NULL;
    fiber->is_begun = NULL;
    fiber->error = 0;
    fiber->is_measured = false;
    memset(fiber->exceptions, 0, sizeof fiber->exceptions);
    memset(fiber->values, 0, sizeof fiber->values);
}

/* Initialises a fiber. Copies the arguments to the memory below the fiber's struct. The stack of
 * the fiber's function begins below this copy. */
static void init(edo__fiber *fiber, const edo_site *site, const edo__fiber_start *start)
{
    uintptr_t top = aligned_down((uintptr_t)fiber - start->args_size);
    fiber->site = site;
    fiber->fn = start->fn;
    fiber->arg = start->args_size ? (void *)top : (void *)(uintptr_t)start->arg;
    if (start->args_size) memcpy(fiber->arg, start->arg, start->args_size);
    fiber->parker.high = top;
    if (edo__unlikely(edo_load_figure(&edo__fiber_measures))) edo__fiber_measure_begin(fiber);
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
    clear(fiber);
    fiber->parker = (edo__parker){ .wait = wait_for_one,
                                   .wait_together = wait_together,
                                   .low = low };
    fiber->stack = stack;
    fiber->is_annotated = edo__is_annotated();
    if (fiber->is_annotated) edo__annotate_create(&fiber->annotations, (void *)low, place - low);
    init(fiber, site, start);
    edo__fiber_report_overflows();
    *ret_fiber = fiber;
    return 0;
}

static void forget(edo__fiber *fiber)
{
    uintptr_t low = fiber->parker.low;
    if (fiber->is_annotated)
        edo__annotate_destroy(&fiber->annotations, (void *)low, (uintptr_t)fiber - low);
}

void edo__fiber_destroy(edo__fiber *fiber)
{
    forget(fiber);
    edo__stack_give(fiber->stack);
}

/* ---- into the fiber and back ----
 *
 * The processor remembers the latest calls, and predicts from them where each return goes. After a
 * switch of stacks, these predictions are wrong. So the functions of a poll and of a wait make no
 * return after a switch. The switch is their last action, and the compiler emits this action as a
 * jump. The switch then returns directly to the caller on the other side. Work that one side needs
 * after its switch is done by the other side, before the other side switches back. */

/* Each fiber has an errno of its own, and a record of the C++ exceptions that it is handling.
 * exchange_exceptions() swaps this record with the thread's record before each run of the fiber,
 * and back after the run. __cxa_get_globals() of the C++ runtime returns the address of the
 * thread's record. */
__attribute__((weak)) void *__cxa_get_globals(void);

static void exchange_exceptions(edo__fiber *fiber)
{
    if (!__cxa_get_globals) return;
    void **now = __cxa_get_globals(), *was[2] = { now[0], now[1] };
    now[0] = fiber->exceptions[0];
    now[1] = fiber->exceptions[1];
    fiber->exceptions[0] = was[0];
    fiber->exceptions[1] = was[1];
}

/* Prepares the thread on the caller's side, before the fiber runs. Operations may point to a
 * fiber's locals, because these locals live during the fiber's waits. So edo__self.stack is set to
 * 0, which turns off the check for memory on the stack. */
static void prepare_entry(edo__fiber *fiber)
{
    struct edo__thread *self = &edo__self;
    edo__stack_prepare_thread();
    fiber->outer = self->on_stack;
    fiber->outer_stack = self->stack;
    self->on_stack = self->parker = &fiber->parker;
    self->stack = 0;
    errno = fiber->error;
    exchange_exceptions(fiber);
    edo_plain_write(&fiber->context); // this thread owns the stack
}

/* Prepares the thread on the fiber's side, before the switch. The switch itself follows. The
 * function that makes the switch uses no thread-local variable afterwards, because the fiber may
 * run on another thread then. */
static void prepare_exit(edo__fiber *fiber, struct edo__thread *self)
{
    edo_plain_write(&fiber->context);
    exchange_exceptions(fiber);
    self->parker = NULL;
    self->on_stack = fiber->outer;
    self->stack = fiber->outer_stack;
}

/* Runs the fiber until its next wait or its end. `result` is the result of the completed wait. */
static __attribute__((noinline, cold)) edo_poll enter_annotated(edo__fiber *fiber, int64_t result)
{
    edo__annotations *it = &fiber->annotations;
    edo__annotate_enter(it, (void *)fiber->parker.low, fiber->parker.high - fiber->parker.low);
    int64_t answer = edo__sys_context_switch(&fiber->caller, fiber->context, result);
    edo__annotate_entered_caller(it);
    if (answer == EDO_PENDING) return EDO_PENDING;
    forget(fiber);
    return EDO_READY;
}

static edo__always_inline edo_poll enter(edo__fiber *fiber, int64_t result)
{
    prepare_entry(fiber);
    if (edo__unlikely(fiber->is_annotated)) return enter_annotated(fiber, result);
    return (edo_poll)edo__sys_context_enter(&fiber->caller, fiber->context, result);
}

/* Leaves the fiber's stack: the poll of the fiber returns `answer`. This function returns when the
 * next poll enters the fiber, perhaps on another thread. So this function uses no thread-local
 * variable.
 * Returns: the result of the future, if the fiber waited for one future; otherwise a value that is
 * not used. */
static __attribute__((noinline, cold)) int64_t leave_annotated(edo__fiber *fiber, edo_poll answer)
{
    edo__annotate_leave(&fiber->annotations, answer == EDO_READY);
    int64_t result = edo__sys_context_switch(&fiber->context, fiber->caller, answer);
    edo__annotate_entered(&fiber->annotations);
    return result;
}

static edo__always_inline int64_t leave(edo__fiber *fiber, edo_poll answer)
{
    if (edo__unlikely(fiber->is_annotated)) return leave_annotated(fiber, answer);
    return edo__sys_context_switch(&fiber->context, fiber->caller, answer);
}

static void check_end(const edo__fiber *fiber)
{
    if (edo__unlikely(fiber->frame->edo_head.kept))
        edo__misuse(
            fiber->frame->base.ops->name,
            "it returned while edo_wait_any() kept an operation, or a scope or limit was open");
}

/* Ends the fiber. The frame's pointer to the fiber is cleared before the stack is released. The
 * fence keeps this order for a signal handler that dumps tasks. */
static __attribute__((noinline)) void end(edo__fiber *fiber, int64_t result)
{
    check_end(fiber);
    if (edo__unlikely(fiber->is_measured)) edo__fiber_measure_end(fiber);
    fiber->frame->base.result = result;
    fiber->frame->fiber = NULL;
    edo_fence_signal();
    prepare_exit(fiber, &edo__self);
    edo__stack_give_last(fiber->stack);
}

static void run(void *memory)
{
    edo__fiber *fiber = memory;
    if (fiber->is_annotated) edo__annotate_entered(&fiber->annotations);
    end(fiber, fiber->fn(fiber->arg));
    leave(fiber, EDO_READY);
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

static __attribute__((noinline, cold)) void begin(edo__fiber *fiber, struct edo_fiber_frame *frame)
{
    fiber->frame = frame;
    if (fiber->is_begun) *fiber->is_begun = true;
}

/* Ends a wait for one future, which is ready. Returns: the future's result. */
static edo__always_inline int64_t take_result(edo__fiber *fiber)
{
    fiber->wait = NULL;
    return edo__unlink(&fiber->frame->edo_head)->result;
}

edo_poll edo__fiber_poll(edo_future *future, edo_cx *cx)
{
    struct edo_fiber_frame *frame = frame_of(future);
    edo__fiber *fiber = frame->fiber;
    int64_t result = 0;
    if (edo__likely(fiber->wait == edo__poll_one)) {
        if (edo__poll_leaf(frame->edo_head.awaiting, cx) == EDO_PENDING) return EDO_PENDING;
        result = take_result(fiber);
    } else if (fiber->wait) {
        if (fiber->wait(frame, cx) == EDO_PENDING) return EDO_PENDING;
    } else if (!fiber->frame) {
        begin(fiber, frame);
    }
    return enter(fiber, result);
}

static const char *file_of(const edo_future *future)
{
    const edo__fiber *fiber = ((const struct edo_fiber_frame *)(const void *)future)->fiber;
    return fiber ? fiber->file : NULL;
}

const edo__places edo__fiber_places = { file_of };

/* ---- waits ---- */

__attribute__((noinline)) edo_cx *edo__fiber_cx(void)
{
    __asm__ volatile(""); // a side effect, so that the compiler does not merge two calls
    return edo__self.cx;
}

/* Begins the first poll of a wait. This poll runs on the fiber's stack, so that a ready operation
 * needs no switch. If the poll runs an async function, that function must neither call edo_wait()
 * nor hand memory on the poll's stack to an operation. Saves errno, because a wait preserves errno.
 * Inlined, because this function takes the frame address of the polling function.
 * Returns: the context for the poll. */
static edo__always_inline edo_cx *begin_poll(edo__fiber *fiber)
{
    struct edo__thread *self = &edo__self;
    fiber->error = errno;
    self->parker = NULL;
    self->stack = (uintptr_t)__builtin_frame_address(0);
    return self->cx;
}

/* Ends the first poll of a wait. If the answer is EDO_PENDING, prepares the thread for the switch,
 * and the caller must then make the switch.
 * Returns: answer. */
static edo__always_inline edo_poll end_poll(edo__fiber *fiber, edo_poll answer)
{
    struct edo__thread *self = &edo__self;
    if (answer == EDO_PENDING) {
        prepare_exit(fiber, self);
        return EDO_PENDING;
    }
    self->stack = 0;
    self->parker = &fiber->parker;
    errno = fiber->error;
    return EDO_READY;
}

static __attribute__((noinline, cold)) _Noreturn void refuse_stack(const char *file, uint32_t line)
{
    edo__misuse("edo_wait",
                "%s:%u waits on another stack than its fiber's: in a signal handler, behind "
                "longjmp() from another fiber, or below an unguarded stack that has overflowed",
                file, line);
}

/* Aborts if the thread holds a lock of edo. A user's wake function may be called under such a lock,
 * and must not wait. */
static __attribute__((noinline)) void refuse_locks(const char *file, uint32_t line)
{
    if (edo__lock_is_any_held())
        edo__misuse("edo_wait", "%s:%u waits in a wake function, with a lock of edo held", file,
                    line);
}

/* Aborts if a kept future lies below the frame of the waiting function. Such a future is in the
 * memory of a function that has returned. `here` is the offset of the frame from the low end of the
 * stack. */
static __attribute__((noinline, cold)) void check_kept(const edo__fiber *fiber, uintptr_t here)
{
    for (const edo_future *kept = fiber->frame->edo_head.kept; kept; kept = kept->next)
        if ((uintptr_t)kept - fiber->parker.low < here)
            edo__misuse(fiber->frame->base.ops->name,
                        "the function has returned whose operation edo_wait_any() kept: wait for "
                        "it there, or declare it with EDO_ENDS");
}

static edo__always_inline void begin_wait(edo__fiber *fiber, const char *file, uint32_t line)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) - fiber->parker.low;
    if (edo__unlikely(here >= fiber->parker.high - fiber->parker.low)) refuse_stack(file, line);
    if (edo__unlikely(fiber->frame->edo_head.kept)) check_kept(fiber, here);
    if (EDO_DEBUG) refuse_locks(file, line);
    fiber->frame->base.line = line;
    fiber->file = file;
}

/* Polls the futures of a wait. Not inlined, for the reason given at edo__fiber_cx(). */
static __attribute__((noinline)) edo_poll poll_together(edo__fiber *fiber,
                                                        const edo__waiting *waiting)
{
    edo_cx *cx = begin_poll(fiber);
    return end_poll(fiber, waiting->poll(fiber->frame, cx));
}

/* Waits for several futures. The futures lie in the frames of functions that return only after the
 * wait. The exception is a future that edo_wait_any() keeps after the wait: it could outlive its
 * frame (see check_end, check_kept). */
static int64_t wait_together(edo__parker *parker, const edo__waiting *waiting)
{
    edo__fiber *fiber = (edo__fiber *)(void *)parker;
    begin_wait(fiber, waiting->file, waiting->line);
    edo__waiting_begin(waiting, any_frame_of(fiber));
    if (poll_together(fiber, waiting) == EDO_PENDING) {
        fiber->wait = waiting->poll;
        leave(fiber, EDO_PENDING);
        fiber->wait = NULL;
    }
    return edo__waiting_end(waiting, any_frame_of(fiber));
}

/* Unlinks a kept future. Not inlined, because the caller must end with a jump. A function that
 * takes the address of a parameter, as this one does, cannot end with a jump. */
static __attribute__((noinline, cold)) void unlink_kept(edo__fiber *fiber, edo_future *future)
{
    edo__link(fiber->frame, 1, &future);
}

/* Waits for one future. All code of this function runs before the switch, and so on one thread. So
 * this function may use thread-local variables. */
static int64_t wait_for_one(edo__parker *parker, edo_future *future, const char *file,
                            uint32_t line)
{
    edo__fiber *fiber = (edo__fiber *)(void *)parker;
    begin_wait(fiber, file, line);
    if (edo__unlikely(future->flags)) unlink_kept(fiber, future);
    future->next = NULL;
    edo__waiting_link(any_frame_of(fiber), future);
    edo_cx *cx = begin_poll(fiber);
    if (end_poll(fiber, edo__poll_leaf(future, cx)) == EDO_READY) return take_result(fiber);
    fiber->wait = edo__poll_one;
    return leave(fiber, EDO_PENDING);
}
