/* Reports of stalls. A report names the task that occupies a worker, and the place in the program
 * that the task has reached. */
#include "runtime/inspect/stall.h"

#include "runtime/hooks.h"
#include "runtime/inspect/snapshot.h"

static void log_stall(const edo__snapshot *s, int64_t duration)
{
    char where[EDO__WHERE_SIZE];
    const edo__worker *worker = s->worker;
    edo__log(EDO_LOG_WARN,
             "%s: task '%s' #%llu, spawned at %s:%u, has kept worker %u for %lld ms; it is in",
             worker->runtime->config.name, s->name, (unsigned long long)s->id, s->site->file,
             s->site->line, worker->index, (long long)(duration / edo_ms(1)));
    for (size_t i = 0; i < s->line_count; i++)
        edo__log(EDO_LOG_WARN, "  %s", edo__describe_line(&s->lines[i], where));
    edo__log(EDO_LOG_WARN, "and its thread in");
    for (size_t i = 0; i < s->stack_count; i++) {
        edo__sys_describe_code(s->stack[i], where, sizeof where);
        edo__log(EDO_LOG_WARN, "  %s", where);
    }
}

static void call_hooks(const edo__snapshot *s, int64_t duration)
{
    const edo_runtime *runtime = s->worker->runtime;
    edo_stall stall = { .runtime = runtime->config.name,
                        .worker = s->worker->index,
                        .duration = duration,
                        .task_name = s->name,
                        .task_id = s->id,
                        .task_site = s->site,
                        .lines = s->lines,
                        .line_count = s->line_count,
                        .stack = s->stack,
                        .stack_count = s->stack_count };
    edo__hooks_each(runtime, stall, &stall);
}

/* Reports a stall. The worker's thread may not respond, for example because it waits for a
 * processor or for an uninterruptible system call. An attempt to reach such a thread occupies the
 * monitor for a while. So the next attempt follows only after the poll has lasted twice as long. If
 * the thread is between two polls, the monitor tries again at its next inspection. */
int64_t edo__stall_report(edo__worker *worker, int64_t duration)
{
    edo__snapshot s;
    if (edo__snapshot_take(&s, worker) < 0) {
        edo__log(EDO_LOG_WARN,
                 "%s: a task has kept worker %u for %lld ms; its thread does not report which",
                 worker->runtime->config.name, worker->index, (long long)(duration / edo_ms(1)));
        return 2 * duration;
    }
    if (!s.is_polling) return duration;
    log_stall(&s, duration);
    call_hooks(&s, duration);
    return EDO_NEVER;
}
