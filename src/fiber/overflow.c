/* Report of a stack overflow. An access to the guard faults. The handler of edo runs on a signal
 * stack and prints a line that names the fiber. Then the program's earlier handler runs, or the
 * default action of the signal is taken. A handler that the program installs later replaces edo's
 * handler. */
#include <string.h>

#include "base/base.h"
#include "base/lock.h"
#include "fiber/fiber.h"
#include "sys/signals.h"
#include "sys/sys.h"

enum { LINE_SIZE = 512, PATIENCE_NS = 1000000000 };

/* A line of text. This file builds the line without functions of the C library, because such
 * functions may take locks. */
typedef struct line {
    char text[LINE_SIZE];
    size_t length;
} line;

static void add(line *to, const char *text)
{
    while (*text && to->length < LINE_SIZE - 1)
        to->text[to->length++] = *text++;
}

static void add_number(line *to, uint64_t number)
{
    char digits[24], *first = digits + sizeof digits;
    *--first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    add(to, first);
}

static void add_task(line *to)
{
    const edo_task *task = edo__self.cx ? edo__self.cx->task : NULL;
    if (!task) return;
    add(to, " of task #");
    add_number(to, edo_task_id(task));
}

static void report(const edo__fiber *fiber)
{
    const edo__stack_memory *memory = &fiber->stack->memory;
    line it = { .length = 0 };
    add(&it, "edo: fiber '");
    add(&it, fiber->site->ops->name);
    add(&it, "' (");
    add(&it, fiber->site->file);
    add(&it, ":");
    add_number(&it, fiber->site->line);
    add(&it, ")");
    add_task(&it);
    add(&it, ": its stack has overflowed: ");
    add_number(&it, memory->size - memory->guard);
    add(&it, " bytes, and a guard of ");
    add_number(&it, memory->guard);
    add(&it, "; see edo_fiber_options.stack_size\n");
    edo__sys_write_stderr(it.text, it.length, PATIENCE_NS);
}

static edo__signal_answer on_fault(void *context, const edo_signal_event *event)
{
    (void)context;
    (void)event;
    const edo__parker *on_stack = edo__self.on_stack;
    if (!on_stack) return EDO__SIGNAL_PASSED;
    const edo__fiber *fiber = (const edo__fiber *)(const void *)on_stack;
    const edo__stack_memory *memory = &fiber->stack->memory;
    uintptr_t at = (uintptr_t)edo__signal_fault_address();
    if (at - (uintptr_t)memory->base < memory->guard) report(fiber);
    return EDO__SIGNAL_PASSED;
}

static edo__lock lock;
static edo_atomic(uint32_t)
    generation; // fork generation of the subscribed process; changed under the lock
static edo__signal_subscriber subscriber = { .signal = EDO__SIGNAL_FAULT, .notify = on_fault };

/* Subscribes the process to faults. If there is no memory for the fork handler, the subscription
 * fails, and stack overflows are not reported. */
static void subscribe(uint32_t now)
{
    edo__lock_take(&lock);
    if (edo_load_relaxed(&generation) != now && edo__signal_subscribe(&subscriber) == 0)
        edo_store_relaxed(&generation, now);
    edo__lock_give(&lock);
}

void edo__fiber_report_overflows(void)
{
    uint32_t now = edo__sys_fork_generation();
    if (edo__unlikely(edo_load_relaxed(&generation) != now)) subscribe(now);
}
