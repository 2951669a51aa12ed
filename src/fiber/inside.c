/* Functions that are called inside a fiber, except waits. */
#include "base/atomic.h"
#include "base/base.h"
#include "fiber/fiber.h"
#include "task/future.h"
#include "task/scope.h"

static __attribute__((noinline)) edo__fiber *current(void)
{
    __asm__ volatile(""); // as in edo__fiber_cx()
    return (edo__fiber *)(void *)edo__self.parker;
}

edo__fiber *edo__fiber_here(const char *call)
{
    edo__fiber *fiber = current();
    if (edo__unlikely(!fiber)) edo__misuse(call, "it is for the inside of a fiber");
    return fiber;
}

static edo_future *function_of(edo__fiber *fiber)
{
    return &fiber->frame->base;
}

bool edo_in_fiber(void)
{
    return current();
}

bool edo_fiber_is_cancelled(void)
{
    edo__fiber_here("edo_fiber_is_cancelled");
    return edo_cx_fate(edo__fiber_cx()) != EDO_LIVE;
}

void edo_fiber_shield(void)
{
    edo__fiber *fiber = edo__fiber_here("edo_fiber_shield");
    edo__shield(function_of(fiber), edo__fiber_cx());
}

/* ---- the stack ---- */

size_t edo_fiber_stack_room(void)
{
    const edo__fiber *fiber = edo__fiber_here("edo_fiber_stack_room");
    return (uintptr_t)__builtin_frame_address(0) - fiber->parker.low;
}

void edo_fiber_probe(size_t bytes)
{
    const edo__fiber *fiber = current();
    if (!fiber) return;
    size_t room = (uintptr_t)__builtin_frame_address(0) - fiber->parker.low;
    if (edo__unlikely(room < bytes))
        edo__misuse("edo_fiber_probe",
                    "fiber '%s' needs %zu bytes of stack and has %zu left; see "
                    "edo_fiber_options.stack_size",
                    fiber->site->ops->name, bytes, room);
}

size_t edo_fiber_stack_peak(void)
{
    const edo__fiber *fiber = edo__fiber_here("edo_fiber_stack_peak");
    char *end = fiber->stack->memory.base + fiber->stack->memory.size;
    return (size_t)(end - edo__sys_stack_lowest((char *)fiber->parker.low, end));
}

/* Trims the stack below this frame. Keeps RESERVE bytes there, because the functions that this
 * function calls need them. */
void edo_fiber_trim(void)
{
    enum { RESERVE = 4096 };
    const edo__fiber *fiber = edo__fiber_here("edo_fiber_trim");
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = fiber->parker.low;
    if (here - low > RESERVE) edo__sys_stack_trim((char *)low, (char *)(here - RESERVE));
}

void edo_fiber_drop_stacks(void)
{
    edo__stack_drop_kept();
}

/* ---- limits and scopes, which end with their blocks ---- */

edo_limit *edo__fiber_limit_open(edo_limit *limit, int64_t deadline, uint32_t line)
{
    edo__fiber *fiber = edo__fiber_here("edo_wait_within");
    edo__limit_open(limit, function_of(fiber), edo__fiber_cx(), deadline, line);
    return limit;
}

void edo__fiber_limit_close(edo_limit *limit)
{
    edo__fiber *fiber = edo__fiber_here("edo_wait_within");
    edo__limit_close(limit, function_of(fiber), edo__fiber_cx());
}

void edo__fiber_scope_open(edo_scope *scope, uint32_t flags)
{
    edo__scope_open(scope, function_of(edo__fiber_here("edo_fiber_scope")), flags);
}

/* Unlinks a future from the fiber's kept futures. Returns: whether the future was a kept future. */
static bool unlink_kept(edo__fiber *fiber, edo_future *future)
{
    edo_future **link = &fiber->frame->edo_head.kept;
    while (*link && *link != future)
        link = &(*link)->next;
    if (!*link) return false;
    *link = future->next;
    return true;
}

void edo__fiber_scope_close(edo_scope *scope)
{
    edo__fiber *fiber = edo__fiber_here("edo_fiber_scope");
    if (unlink_kept(fiber, &scope->base)) edo__scope_leave(&scope->base);
}

/* Cancels an operation that is still running, and waits for its end. An operation that is EDO_NEW
 * was never polled. It has had no effect, so there is nothing to cancel. */
void edo__fiber_end_op(edo_op *op)
{
    edo__fiber *fiber = edo__fiber_here("EDO_ENDS");
    (void)fiber;
    if (op->base.state == EDO_DONE || op->base.state == EDO_NEW) return;
    edo_cancel(&op->base);
    edo_wait_on(&op->base);
}

/* ---- values ---- */

static edo_atomic(uint32_t) key_count;

int edo_fiber_key_create(uint32_t *ret_key)
{
    uint32_t count = edo_load_relaxed(&key_count);
    do {
        if (count >= EDO_FIBER_KEYS) return -EAGAIN;
    } while (!edo_cas_relaxed(&key_count, &count, count + 1));
    *ret_key = count;
    return 0;
}

static void **value_of(const char *call, uint32_t key)
{
    edo__fiber *fiber = edo__fiber_here(call);
    if (key >= edo_load_relaxed(&key_count)) edo__misuse(call, "%u is no key", key);
    return &fiber->values[key];
}

void *edo_fiber_get(uint32_t key)
{
    return *value_of("edo_fiber_get", key);
}

void edo_fiber_set(uint32_t key, void *value)
{
    *value_of("edo_fiber_set", key) = value;
}
