/* Program for test_gdb.sh: tasks in all states. It stops in gdb_stop(), and ends at the end of its
 * stdin. */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <edo/edo.h>

static sem_t entered, let_go;

struct inner {
    edo_frame();
    edo_args();
};

edo_async(inner)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER)); // inner waits here
        edo_return(rc);
    }
}

struct outer {
    edo_frame(struct inner inner;);
    edo_args(bool boxed;);
};

edo_async(outer)
{
    edo_body {
        int rc;
        if (self->boxed)
            edo_call_boxed(rc, inner); // boxed waits here
        else
            edo_call(rc, inner); // outer waits here
        edo_return(rc);
    }
}

struct both {
    edo_frame();
    edo_args();
    struct inner left, right;
};

edo_async(both)
{
    edo_body {
        edo_init(&self->left, inner);
        edo_init(&self->right, inner);
        edo_all(&self->left.base, &self->right.base); // both waits here
        edo_return(0);
    }
}

struct stuck {
    edo_frame();
    edo_args();
};

edo_async(stuck)
{
    edo_body {
        sem_post(&entered);
        while (sem_wait(&let_go) < 0)
            continue;
        edo_return(0);
    }
}

static __attribute__((noinline)) void gdb_stop(void)
{
    __asm__ volatile("");
}

static edo_runtime *make_runtime(const edo_config *config)
{
    edo_runtime *runtime;
    return edo_runtime_create(config, &runtime) == 0 ? runtime : NULL;
}

static void count_line(void *context, const edo_trace_line *line)
{
    ++*(int *)context;
    (void)line;
}

/* Waits until the task waits. */
static void await_wait(edo_task *task, int lines)
{
    for (int seen = 0; seen < lines; usleep(0)) {
        seen = 0;
        edo_task_trace(task, count_line, &seen);
    }
}

static void started(int rc)
{
    if (rc < 0) abort();
}

static void fill(edo_runtime *workers, edo_runtime *alone)
{
    edo_task *task;
    edo_spawn_options here = { .runtime = workers }, named = { .runtime = workers, .name = "till" };
    edo_spawn_options there = { .runtime = alone };
    started(edo_spawn_with(&task, &here, outer, .boxed = false));
    await_wait(task, 3);
    edo_detach(task);
    started(edo_spawn_with(&task, &named, outer, .boxed = true));
    await_wait(task, 3);
    edo_detach(task);
    started(edo_spawn_with(&task, &here, both));
    await_wait(task, 5);
    edo_detach(task);
    started(edo_spawn_with(NULL, &here, stuck));
    while (sem_wait(&entered) < 0)
        continue;
    started(edo_spawn_with(&task, &there, inner));
    edo_task_cancel(task); // a task that has not begun
    edo_detach(task);
}

int main(void)
{
    char byte;
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    edo_runtime *workers = make_runtime(
        &(edo_config){ .name = "shop", .workers = 1, .max_spare = -1, .stall_limit = EDO_NEVER });
    edo_runtime *alone = make_runtime(&(edo_config){ .name = "alone" });
    if (!workers || !alone) return 1;
    fill(workers, alone);
    puts("ready");
    fflush(stdout);
    gdb_stop();
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    sem_post(&let_go);
    return edo_runtime_destroy(workers) == 0 && edo_runtime_destroy(alone) == 0 ? 0 : 1;
}
