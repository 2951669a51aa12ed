/* edo-test: ct, because it makes its own workers. While tasks occupy their workers, other threads
 * serve the workers' tasks, timers and events. The tests check order, not time: all of these are
 * served before the tasks release their workers. */
#include "runtime/gate.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/runtime.h"

enum { WORKERS = 2, QUICK = 20, MESSAGE = 8 };

#define NAP edo_ms(20)

/* State shared by the tasks of one run. */
typedef struct world {
    edo_runtime *runtime;
    edo_atomic(uint32_t) begun, spinning;     // begun: tasks that have begun to spin; spinning: now
    edo_atomic(uint32_t) stopped[4];          // tasks that must stop spinning
    edo_atomic(uint32_t) quick, naps, echoes; // served
    struct flag foreign;
    edo_io *io[WORKERS];
    int peer[WORKERS];
} world;

static void await_count(edo_atomic(uint32_t) *count, uint32_t wanted)
{
    while (edo_load_acquire(count) < wanted)
        sched_yield();
}

/* ---- tasks ---- */

static void spin(world *w, unsigned number)
{
    edo_add_acq_rel(&w->spinning, 1);
    edo_add_acq_rel(&w->begun, 1);
    while (!edo_load_acquire(&w->stopped[number]))
        sched_yield();
    edo_sub_acq_rel(&w->spinning, 1);
}

struct spins {
    edo_frame();
    edo_args(struct world *world; unsigned number; int *ret_index;);
};

edo_async(spins)
{
    edo_body {
        if (self->ret_index) *self->ret_index = edo_worker_index();
        spin(self->world, self->number);
        edo_return(0);
    }
}

struct counts {
    edo_frame();
    edo_args(edo_atomic(uint32_t) *count;);
};

edo_async(counts)
{
    edo_body {
        edo_add_acq_rel(self->count, 1);
        edo_return(0);
    }
}

/* Reports the worker on which it began to wait. That worker has the task's timer and socket. */
struct naps {
    edo_frame();
    edo_args(struct world *world; edo_atomic(int32_t) *where;);
};

edo_async(naps)
{
    edo_body {
        int rc;
        edo_store_release(self->where, edo_worker_index() + 1);
        edo_await(rc, edo_sleep(NAP));
        if (rc == 0) edo_add_acq_rel(&self->world->naps, 1);
        edo_return(rc);
    }
}

struct echoes {
    edo_frame();
    edo_args(struct world *world; edo_io *io; edo_atomic(int32_t) *where;);
    char message[MESSAGE];
};

edo_async(echoes)
{
    edo_body {
        int64_t n;
        edo_store_release(self->where, edo_worker_index() + 1);
        edo_await(n, edo_read_exact(self->io, self->message, MESSAGE));
        if (n < 0) edo_return(n);
        edo_await(n, edo_write_all(self->io, self->message, MESSAGE));
        edo_add_acq_rel(&self->world->echoes, 1);
        edo_return(n < 0 ? n : 0);
    }
}

/* Makes a task wait on this worker, queues tasks on the worker, then occupies the worker. */
struct host {
    edo_frame();
    edo_args(struct world *world; unsigned number;);
    edo_scope scope;
    edo_task *echo, *nap;
    edo_atomic(int32_t) where;
};

edo_async(host)
{
    edo_body {
        int rc;
        world *w = self->world;
        for (;;) { // until the task waits on this worker
            self->where = 0;
            rc = edo_spawn(&self->echo, echoes, .world = w, .io = w->io[self->number],
                           .where = &self->where);
            assert_int_equal(rc, 0);
            while (!edo_load_acquire(&self->where))
                edo_await(rc, edo_yield());
            w = self->world;
            if (self->where == (int32_t)self->number + 1) break;
            edo_task_cancel(self->echo);
            edo_await(rc, edo_join(self->echo));
            w = self->world;
        }
        for (;;) {
            self->where = 0;
            rc = edo_spawn(&self->nap, naps, .world = w, .where = &self->where);
            assert_int_equal(rc, 0);
            while (!edo_load_acquire(&self->where))
                edo_await(rc, edo_yield());
            w = self->world;
            if (self->where == (int32_t)self->number + 1) break;
            edo_task_cancel(self->nap);
            edo_await(rc, edo_join(self->nap));
            w = self->world;
        }
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < QUICK; i++) // the last task is in the slot
            assert_int_equal(edo_scope_spawn(&self->scope, counts, .count = &w->quick), 0);
        spin(w, self->number);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_await(rc, edo_join(self->echo));
        edo_await(rc, edo_join(self->nap));
        edo_return(0);
    }
}

static edo_task *start_host(world *w, unsigned number)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = w->runtime, .pinned = number + 1 };
    assert_int_equal(edo_spawn_with(&task, &options, host, .world = w, .number = number), 0);
    return task;
}

/* ---- the world ---- */

static const edo_config two_workers = { .workers = WORKERS, .stall_limit = EDO_NEVER };

static void open_world(world *w, const edo_config *config)
{
    *w = (world){ 0 };
    flag_init(&w->foreign);
    assert_int_equal(edo_runtime_create(config, &w->runtime), 0);
    for (int i = 0; i < WORKERS; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(edo_io_from_fd(pair[0], &w->io[i]), 0);
        w->peer[i] = pair[1];
    }
}

static void close_world(world *w)
{
    for (int i = 0; i < WORKERS; i++) {
        edo_close(w->io[i]);
        close(w->peer[i]);
    }
    assert_int_equal(edo_runtime_destroy(w->runtime), 0);
}

static void stop(world *w, unsigned number)
{
    edo_store_release(&w->stopped[number], 1);
}

static void join(world *w, edo_task *task)
{
    assert_int_equal(result_of(w->runtime, task), 0);
}

static edo_task *start_spinner(world *w, unsigned number, int *ret_index)
{
    edo_task *task;
    uint32_t before = edo_load_acquire(&w->begun);
    edo_spawn_options options = { .runtime = w->runtime };
    assert_int_equal(edo_spawn_with(&task, &options, spins, .world = w, .number = number,
                                    .ret_index = ret_index),
                     0);
    await_count(&w->begun, before + 1); // the spinner may have been stopped already
    return task;
}

static void spawn_quick(world *w)
{
    edo_spawn_options options = { .runtime = w->runtime };
    assert_int_equal(edo_spawn_with(NULL, &options, counts, .count = &w->quick), 0);
}

/* ---- all workers are occupied ---- */

static void expect_echoes(world *w)
{
    char answer[MESSAGE];
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(write(w->peer[i], "a stitch", MESSAGE), MESSAGE);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(recv(w->peer[i], answer, MESSAGE, MSG_WAITALL), MESSAGE);
        assert_memory_equal(answer, "a stitch", MESSAGE);
    }
}

clean_test(all_is_served_while_all_spin)
{
    world w;
    edo_task *hosts[WORKERS], *waiter;
    open_world(&w, &two_workers);
    edo_spawn_options options = { .runtime = w.runtime };
    assert_int_equal(edo_spawn_with(&waiter, &options, wait_for_flag, .flag = &w.foreign), 0);
    for (unsigned i = 0; i < WORKERS; i++)
        hosts[i] = start_host(&w, i);
    await_count(&w.spinning, WORKERS);
    expect_echoes(&w);
    await_count(&w.echoes, WORKERS);
    await_count(&w.naps, WORKERS);
    await_count(&w.quick, WORKERS * QUICK);
    spawn_quick(&w); // from a plain thread
    await_count(&w.quick, WORKERS * QUICK + 1);
    flag_set(&w.foreign);
    join(&w, waiter);
    assert_int_equal(w.spinning, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++)
        stop(&w, i);
    for (unsigned i = 0; i < WORKERS; i++)
        join(&w, hosts[i]);
    close_world(&w);
}

/* Number of tasks, more than the ring of a worker holds. */
enum { HOARD = 1000 };

struct hoards {
    edo_frame();
    edo_args(struct world *world; unsigned number;);
};

edo_async(hoards)
{
    edo_body {
        for (int i = 0; i < HOARD; i++)
            insist(edo_go(counts, .count = &self->world->quick) == 0);
        spin(self->world, self->number);
        edo_return(0);
    }
}

/* Tasks beyond the worker's ring are served. The spare worker has no other tasks, and helps the
 * only worker. */
clean_test(what_overflows_is_served)
{
    world w;
    edo_task *task;
    edo_config config = { .workers = 1, .max_spare = 1, .stall_limit = EDO_NEVER };
    open_world(&w, &config);
    edo_spawn_options options = { .runtime = w.runtime, .pinned = 1 };
    assert_int_equal(edo_spawn_with(&task, &options, hoards, .world = &w), 0);
    await_count(&w.quick, HOARD);
    stop(&w, 0);
    join(&w, task);
    close_world(&w);
}

/* ---- helpers that are occupied too ---- */

clean_test(a_helper_may_be_kept_too)
{
    world w;
    edo_task *tasks[4];
    int index[4];
    open_world(&w, &two_workers);
    for (unsigned i = 0; i < 4; i++)
        tasks[i] = start_spinner(&w, i, &index[i]);
    spawn_quick(&w);
    await_count(&w.quick, 1);
    assert_int_equal(w.spinning, 4);
    for (unsigned i = 0; i < 4; i++)
        stop(&w, i);
    for (unsigned i = 0; i < 4; i++)
        join(&w, tasks[i]);
    unsigned spare = 0;
    for (unsigned i = 0; i < 4; i++)
        spare += index[i] >= WORKERS;
    assert_in_range(spare, 2, 4); // helpers need not wait for a worker
    close_world(&w);
}

/* Checks the limit on helpers. The first released worker serves the other tasks. */
static void expect_limit(int32_t max_spare, uint32_t workers)
{
    world w;
    edo_task *tasks[4];
    edo_config config = two_workers;
    config.max_spare = max_spare;
    open_world(&w, &config);
    for (unsigned i = 0; i < workers; i++)
        tasks[i] = start_spinner(&w, i, NULL);
    spawn_quick(&w);
    stop(&w, 0);
    join(&w, tasks[0]);
    await_count(&w.quick, 1);
    assert_int_equal(w.spinning, workers - 1);
    assert_int_equal(edo__worker_total(w.runtime), workers);
    for (unsigned i = 1; i < workers; i++) {
        stop(&w, i);
        join(&w, tasks[i]);
    }
    close_world(&w);
}

clean_test(no_more_than_max_spare)
{
    expect_limit(1, WORKERS + 1);
}

clean_test(none_when_none_are_wanted)
{
    expect_limit(-1, WORKERS);
}

/* ---- edo_block_in_place ---- */

static int64_t spin_in_place(void *arg)
{
    insist(edo_worker_index() == -1);
    insist(!edo_current_task());
    await_count(arg, 2 * QUICK);
    return 7;
}

struct blocks_in_place {
    edo_frame();
    edo_args(struct world *world;);
    edo_scope scope;
};

edo_async(blocks_in_place)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 2 * QUICK; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, counts, .count = &self->world->quick),
                             0);
        rc = (int)edo_block_in_place(spin_in_place, &self->world->quick);
        assert_int_equal(rc, 7);
        assert_true(edo_worker_index() >= 0);
        assert_non_null(edo_current_task());
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

/* A block in place ends only when the tasks that are queued behind it have run. */
clean_test(block_in_place)
{
    world w;
    edo_config one = { .workers = 1, .stall_limit = EDO_NEVER };
    open_world(&w, &one);
    assert_int_equal(edo_block_on(w.runtime, blocks_in_place, .world = &w), 0);
    close_world(&w);
}

clean_test(block_in_place_elsewhere_is_a_call)
{
    edo_atomic(uint32_t) count = 2 * QUICK;
    assert_int_equal(edo_block_in_place(spin_in_place, &count), 7);
}

/* ---- reports of the task ---- */

typedef struct told {
    world *world;
    const char *culprit;
    char runtime[16], task[16], line[16], function[32];
    size_t lines, stack;
    int64_t duration;
    unsigned calls, others;
} told;

/* Other tasks may be reported as well, on a busy machine. */
static void note_stall(void *user, const edo_stall *stall)
{
    told *t = user;
    if (strcmp(stall->task_name, t->culprit) != 0) {
        t->others++;
        return;
    }
    snprintf(t->runtime, sizeof t->runtime, "%s", stall->runtime);
    snprintf(t->task, sizeof t->task, "%s", stall->task_name);
    snprintf(t->function, sizeof t->function, "%s", stall->task_site->function);
    snprintf(t->line, sizeof t->line, "%s", stall->line_count ? stall->lines[0].name : "");
    t->lines = stall->line_count;
    t->stack = stall->stack_count;
    t->duration = stall->duration;
    t->calls++;
    stop(t->world, 0);
}

clean_test(the_culprit_is_named)
{
    world w;
    told t = { .world = &w, .culprit = "spins" };
    edo_hooks inner = { .user = &t, .stall = note_stall }, outer = { .next = &inner };
    edo_config config = {
        .name = "named", .workers = WORKERS, .stall_limit = edo_ms(10), .hooks = &outer
    };
    log_capture();
    open_world(&w, &config);
    join(&w, start_spinner(&w, 0, NULL)); // ends when the stall is reported
    close_world(&w);
    assert_int_equal(t.calls, 1);
    assert_string_equal(t.runtime, "named");
    assert_string_equal(t.task, "spins");
    assert_string_equal(t.function, "start_spinner");
    assert_string_equal(t.line, "spins");
    assert_true(t.lines >= 1 && t.stack >= 1);
    assert_true(t.duration >= edo_ms(10));
    assert_int_equal(log_lines("named: task 'spins' #"), 1);
    assert_true(log_lines("test_workers_stuck.c:") >= 1); // the report names the place of the spawn
    assert_int_equal(log_lines("and its thread in"), 1 + t.others);
    log_release();
}

/* Blocks the signal for some time, as some system calls do. */
struct hides {
    edo_frame();
    edo_args(struct world *world; bool *shows;);
};

static void mask_all(int how)
{
    sigset_t set;
    sigfillset(&set);
    insist(pthread_sigmask(how, &set, NULL) == 0);
}

edo_async(hides)
{
    edo_body {
        mask_all(SIG_BLOCK);
        while (!edo_load_acquire(self->shows))
            sched_yield();
        mask_all(SIG_UNBLOCK);
        spin(self->world, 0);
        edo_return(0);
    }
}

clean_test(the_culprit_is_named_later)
{
    world w;
    told t = { .world = &w, .culprit = "hides" };
    bool shows = false;
    edo_task *task;
    edo_hooks hooks = { .user = &t, .stall = note_stall };
    edo_config config = { .workers = WORKERS, .stall_limit = edo_ms(10), .hooks = &hooks };
    log_capture();
    open_world(&w, &config);
    edo_spawn_options options = { .runtime = w.runtime };
    assert_int_equal(edo_spawn_with(&task, &options, hides, .world = &w, .shows = &shows), 0);
    while (log_lines("its thread does not report which") == 0)
        sched_yield();
    assert_int_equal(log_lines("task 'hides' #"), 0);
    edo_store_release(&shows, true);
    join(&w, task);
    close_world(&w);
    assert_int_equal(t.calls, 1);
    assert_int_equal(log_lines("task 'hides' #"), 1);
    log_release();
}
