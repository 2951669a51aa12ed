/* Contexts, which spawned tasks inherit. A context is immutable and reference-counted. Thread:
 * any. */
#include "task/task.h"

struct edo_context {
    edo_atomic(uint32_t) refs;
    edo_context_values values;
};

int edo_context_create(const edo_context_values *values, edo_context **ret_context)
{
    edo_context *context = edo__alloc(sizeof *context);
    if (!context) return -ENOMEM;
    *context = (edo_context){ .refs = 1, .values = *values };
    *ret_context = context;
    return 0;
}

edo_context *edo_context_ref(edo_context *context)
{
    edo_add_relaxed(&context->refs, 1);
    return context;
}

void edo_context_unref(edo_context *context)
{
    if (!context) return;
    edo_plain_read(&context->values);
    if (edo_sub_acq_rel(&context->refs, 1) == 1) edo__free(context, sizeof *context);
}

const edo_context_values *edo_context_values_of(const edo_context *context)
{
    return &context->values;
}

edo_context *edo_current_context(void)
{
    const edo_task *task = edo_current_task();
    return task ? edo__task_context(task) : NULL;
}

void edo_set_context(edo_context *context)
{
    edo_task *task = edo_current_task();
    if (!task) edo__misuse("edo_set_context", "called outside of a task");
    edo_context *old = edo__task_context(task);
    edo__task_set_context(task, context ? edo_context_ref(context) : NULL);
    int64_t deadline = context ? context->values.deadline : 0;
    if (deadline) edo_cx_deadline(edo__self.cx, deadline); // later polls read it from the context
    edo_context_unref(old);
}
