/* Text of holders and waiters: lines of the log, and of dumps. */
#include "task/records.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "task/trace.h"

static const char *const kinds[] = { [EDO__HELD_MUTEX] = "mutex",
                                     [EDO__HELD_READ] = "rwlock",
                                     [EDO__HELD_WRITE] = "rwlock",
                                     [EDO__HELD_PERMITS] = "semaphore" };

const char *edo__record_describe_who(const edo__record *record, char text[EDO__RECORD_TEXT])
{
    if (record->id == EDO__RECORD_PASSED)
        snprintf(text, EDO__RECORD_TEXT, "another task");
    else if (record->id & EDO__RECORD_THREAD)
        snprintf(text, EDO__RECORD_TEXT, "thread %llu",
                 (unsigned long long)(record->id & ~EDO__RECORD_THREAD));
    else
        snprintf(text, EDO__RECORD_TEXT, "task '%s' #%llu", record->name,
                 (unsigned long long)record->id);
    return text;
}

const char *edo__record_describe_object(const edo__record *record, char text[EDO__RECORD_TEXT])
{
    snprintf(text, EDO__RECORD_TEXT, "%s %p", kinds[record->kind], record->object);
    return text;
}

const char *edo__record_describe_place(const edo__record *record, char text[EDO__RECORD_TEXT])
{
    text[0] = '\0';
    if (record->function)
        snprintf(text, EDO__RECORD_TEXT, ", in '%s' at %s:%u", record->function, record->file,
                 record->line);
    return text;
}

/* ---- cycles ---- */

static void log_line(void *context, const edo_trace_line *line)
{
    (void)context;
    int indent = 2 + 2 * line->depth;
    if (line->file)
        edo__log(EDO_LOG_ERROR, "%*s%s (%s:%u)", indent, "", line->name, line->file, line->line);
    else
        edo__log(EDO_LOG_ERROR, "%*s%s", indent, "", line->name);
}

static void log_backtrace(edo_task *task)
{
    if (task == edo__current_task())
        edo_future_trace(edo__task_frame(task), log_line, NULL);
    else
        edo_task_trace(task, log_line, NULL);
}

static void log_edge(const edo__record_edge *edge)
{
    char who[EDO__RECORD_TEXT], what[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    char holder[EDO__RECORD_TEXT], taken[EDO__RECORD_TEXT];
    edo__log(EDO_LOG_ERROR, "deadlock: %s waits for %s%s; held by %s%s",
             edo__record_describe_who(&edge->waiter, who),
             edo__record_describe_object(&edge->waiter, what),
             edo__record_describe_place(&edge->waiter, where),
             edo__record_describe_who(&edge->holder, holder),
             edo__record_describe_place(&edge->holder, taken));
}

void edo__record_report_cycle(edo__record_edge *edges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        log_edge(&edges[i]);
        log_backtrace(edges[i].waiter.task);
        edo_waker_unref(&edges[i].waiter.task->head);
    }
}

/* ---- dumps ---- */

enum { NAMED = 4 }; // largest number of holders listed per object

static long long ms_since(int64_t since)
{
    return (long long)((edo__sys_now() - since) / edo_ms(1));
}

static const char *describe_holder(const edo__record *holder, char text[EDO__RECORD_TEXT])
{
    char who[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    snprintf(text, EDO__RECORD_TEXT, "  held by %.200s for %lld ms%.200s%s",
             edo__record_describe_who(holder, who), ms_since(holder->since),
             edo__record_describe_place(holder, where), holder->has_ended ? ", and has ended" : "");
    return text;
}

void edo__holders_describe(const edo_runtime *runtime, void (*say)(void *context, const char *line),
                           void *context)
{
    char who[EDO__RECORD_TEXT], what[EDO__RECORD_TEXT], where[EDO__RECORD_TEXT];
    char line[2 * EDO__RECORD_TEXT];
    edo__record waiter, holders[NAMED];
    if (!edo__holders_are_wanted()) return;
    for (size_t at = 0; edo__records_next_waiter(runtime, &at, &waiter);) {
        snprintf(line, sizeof line, "%.200s has waited %lld ms for %.100s%.200s",
                 edo__record_describe_who(&waiter, who), ms_since(waiter.since),
                 edo__record_describe_object(&waiter, what),
                 edo__record_describe_place(&waiter, where));
        say(context, line);
        size_t count = edo__records_of_holders(waiter.object, holders, NAMED);
        for (size_t i = 0; i < count && i < NAMED; i++)
            say(context, describe_holder(&holders[i], line));
    }
}
