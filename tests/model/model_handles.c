/* Tasks whose handles are tracked (edo_config.report_leaks): the return of a handle against the end
 * of its task, and against the report.
 *
 * model-sources: @runtime task/handle.c
 * model-flags: -DEDO_MODEL_HANDLES
 */
#include <string.h>

#include "model/fake_sys.h"
#include "task/handle.h"

static struct {
    edo_runtime *runtime;
    edo_task *tasks[2];
    edo__lock lock;
    unsigned reports;
} * s;

bool edo__runtimes_lock(void)
{
    edo__lock_take(&s->lock);
    return true;
}

void edo__runtimes_unlock(void)
{
    edo__lock_give(&s->lock);
}

void edo__log(edo_log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
    s->reports++;
}

struct brief {
    edo_frame();
    edo_args(int unused;);
};

static edo_poll brief_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    future->result = 0;
    return EDO_READY;
}

POLLED(brief);

static void set_up(int tasks)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->runtime = fake_runtime_with(&(edo_config){ .report_leaks = true });
    edo_spawn_options here = { .runtime = s->runtime };
    for (int i = 0; i < tasks; i++)
        model_assert(edo_spawn_with(&s->tasks[i], &here, brief, .unused = 0) == 0);
}

static void turn_to_end(void)
{
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, 0);
}

THREAD(return_first)
{
    edo_detach(s->tasks[0]);
}

MODEL(return_against_end, "a handle that is returned while its task ends is not reported")
{
    set_up(1);
    int other = model_start(return_first, NULL);
    turn_to_end();
    model_join(other);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_assert(s->reports == 0);
}

MODEL(return_against_report, "a handle that is not returned is reported once, others are not")
{
    set_up(2);
    turn_to_end();
    int other = model_start(return_first, NULL);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
    model_join(other);
    model_assert(s->reports == 1 || s->reports == 2);
    edo_detach(s->tasks[1]);
}
