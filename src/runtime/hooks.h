/* Calls of the user's hooks (edo_config.hooks). */
#pragma once

#include "runtime/runtime.h"

#define edo__hooks_each(runtime, member, ...)                                                      \
    do {                                                                                           \
        const edo_hooks *hooks_ = (runtime)->config.hooks;                                         \
        for (; edo__unlikely(hooks_ != NULL); hooks_ = hooks_->next)                               \
            if (hooks_->member) hooks_->member(hooks_->user, __VA_ARGS__);                         \
    } while (0)

/* Calls the spawn hook. The calling thread may have no worker. */
static inline void edo__hooks_spawn(const edo_runtime *runtime, const edo_task *task)
{
    if (edo__likely(!runtime->config.hooks)) return;
    const edo_runtime *outer = edo__self.serves;
    edo__self.serves = runtime;
    edo__hooks_each(runtime, spawn, task);
    edo__self.serves = outer;
}

static inline void edo__hooks_poll(const edo_runtime *runtime, const edo_task *task, bool before)
{
    if (edo__likely(!runtime->config.hooks)) return;
    if (before)
        edo__hooks_each(runtime, before_poll, task);
    else
        edo__hooks_each(runtime, after_poll, task);
}

static inline void edo__hooks_end(const edo_runtime *runtime, const edo_task *task)
{
    if (edo__likely(!runtime->config.hooks)) return;
    edo__hooks_each(runtime, end, task);
}

static inline void edo__hooks_park(const edo__worker *worker, bool before)
{
    if (before)
        edo__hooks_each(worker->runtime, park, worker->index);
    else
        edo__hooks_each(worker->runtime, unpark, worker->index);
}

static inline void edo__hooks_thread(const edo_runtime *runtime, bool before)
{
    if (before)
        edo__hooks_each(runtime, thread_start, runtime->config.name);
    else
        edo__hooks_each(runtime, thread_stop, runtime->config.name);
}
