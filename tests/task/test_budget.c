/* Rule 7, fairness: one poll ends at most a budget of operations, or as many as fit into the time
 * slice; then other tasks run. */
#include "task/probe.h"

#include <pthread.h>
#include <unistd.h>

#include "sys/sys.h"

/* ---- each leaf that is ready uses one unit ---- */

enum kind { SLEEP, CANCELLED_SLEEP, NO_JOIN, SCOPE_JOIN, SCOPE_NEXT, USERS_OWN, READ, CALL, KINDS };

enum { BUDGET = 10, OVERDRAFT = 16, OPERATIONS = 1000 };

struct one_sleep {
    edo_frame();
    edo_args();
};

edo_async(one_sleep)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(0));
        edo_return(rc);
    }
}

struct busy {
    edo_frame(struct one_sleep one_sleep;);
    edo_args(enum kind kind; unsigned *count; unsigned limit; edo_io *io;);
    edo_scope scope;
    edo_member member;
    struct gate gate;
    edo_op op;
    char byte;
};

edo_async(busy)
{
    edo_body {
        int64_t result;
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        while (*self->count < self->limit) {
            switch (self->kind) {
            case SLEEP: edo_await(result, edo_sleep(0)); break;
            case CANCELLED_SLEEP:
                self->op = edo_sleep(edo_s(1));
                edo_cancel(&self->op.base);
                edo_await_on(result, &self->op.base);
                break;
            case NO_JOIN: edo_await(result, edo_join(NULL)); break;
            case SCOPE_JOIN: edo_await(result, edo_scope_join(&self->scope)); break;
            case SCOPE_NEXT: edo_await(result, edo_scope_next(&self->scope, &self->member)); break;
            case USERS_OWN:
                self->gate = gate_make_open(0);
                edo_await_on(result, &self->gate.base);
                break;
            case READ: edo_await(result, edo_read(self->io, &self->byte, 1)); break;
            default: edo_call(result, one_sleep);
            }
            ++*self->count;
        }
        edo_return(0);
    }
}

/* Runs once per round of the queue, and reads the progress of the busy task. */
struct watcher {
    edo_frame();
    edo_args(const unsigned *count; unsigned limit; unsigned *ret_most;);
    unsigned before;
};

edo_async(watcher)
{
    edo_body {
        int rc;
        *self->ret_most = 0;
        while (*self->count < self->limit) {
            self->before = *self->count;
            edo_await(rc, edo_yield());
            unsigned step = *self->count - self->before;
            if (step > *self->ret_most) *self->ret_most = step;
        }
        edo_return(0);
    }
}

struct watch {
    edo_frame();
    edo_args(enum kind kind; unsigned operations, *ret_most; edo_io *io;);
    edo_scope scope;
    unsigned count;
};

edo_async(watch)
{
    edo_body {
        int rc;
        self->count = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, busy, .kind = self->kind,
                                         .count = &self->count, .limit = self->operations,
                                         .io = self->io),
                         0);
        assert_int_equal(edo_scope_spawn(&self->scope, watcher, .count = &self->count,
                                         .limit = self->operations, .ret_most = self->ret_most),
                         0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static edo_io *full_pipe(int *ret_other_end)
{
    int fds[2];
    char bytes[OPERATIONS] = { 0 };
    edo_io *io;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(edo_io_from_fd(fds[0], &io), 0);
    *ret_other_end = fds[1];
    return io;
}

static unsigned most_in_a_poll(const edo_config *config, enum kind kind)
{
    edo_runtime *runtime;
    unsigned most;
    int other_end;
    edo_io *io = full_pipe(&other_end);
    assert_int_equal(create_runtime(config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, watch, .kind = kind, .operations = OPERATIONS,
                                  .ret_most = &most, .io = io),
                     0);
    edo_close(io);
    close(other_end);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return most;
}

current_thread_only("a watcher takes turns with the busy task; workers queue long polls apart")
test(each_operation_uses_one_unit)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        unsigned most = most_in_a_poll(
            &(edo_config){ .budget = BUDGET, .time_slice = EDO_NEVER, .test_clock = true }, kind);
        if (kind == READ)
            assert_in_range(most, 1, BUDGET); // the driver may delay operations
        else
            assert_int_equal(most, kind == CANCELLED_SLEEP ? BUDGET + OVERDRAFT : BUDGET);
    }
}

current_thread_only("a watcher takes turns with the busy task; workers queue long polls apart")
test(by_default_there_are_128_units)
{
    assert_int_equal(
        most_in_a_poll(&(edo_config){ .time_slice = EDO_NEVER, .test_clock = true }, SLEEP), 128);
}

current_thread_only("a watcher takes turns with the busy task; workers queue long polls apart")
test(a_budget_of_one_still_makes_progress)
{
    assert_int_equal(
        most_in_a_poll(&(edo_config){ .budget = 1, .time_slice = EDO_NEVER, .test_clock = true },
                       SLEEP),
        1);
}

/* ---- a user's own leaf ---- */

struct charges {
    edo_future base;
    unsigned charged;
    bool refused;
};

/* Always ready, but charges the budget. */
static edo_poll charges_poll(edo_future *future, edo_cx *cx)
{
    struct charges *charges = (struct charges *)(void *)future;
    if (charges->refused) {
        future->result = edo_cx_charge(cx) ? 0 : -EPROTO;
        return EDO_READY;
    }
    while (edo_cx_charge(cx))
        charges->charged++;
    charges->refused = true;
    return EDO_PENDING; // the runtime requeues the task
}

static const edo_future_ops charges_ops = { .name = "charges", .poll = charges_poll };

struct charges_all_it_can {
    edo_frame();
    edo_args();
    struct charges charges;
};

edo_async(charges_all_it_can)
{
    edo_body {
        int rc;
        self->charges = (struct charges){ .base.ops = &charges_ops };
        edo_await_on(rc, &self->charges.base);
        assert_true(self->charges.refused);
        assert_int_equal(self->charges.charged, 128);
        edo_return(rc);
    }
}

test(charging_ends_with_the_budget_and_the_task_is_queued)
{
    run_unhurried(charges_all_it_can);
}

/* ---- the slice of time ---- */

enum { SLICE_CHECKS = 16 }; // operations between two reads of the clock

enum { SLICE = 200000 }; // nanoseconds

static void burn(int64_t duration)
{
    for (int64_t end = edo__sys_now() + duration; edo__sys_now() < end;)
        continue;
}

/* Each operation costs a slice. */
struct burns {
    edo_frame();
    edo_args(unsigned *count; unsigned limit;);
    struct gate gate;
};

edo_async(burns)
{
    edo_body {
        int rc;
        while (*self->count < self->limit) {
            burn(SLICE);
            self->gate = gate_make_open(0);
            edo_await_on(rc, &self->gate.base);
            ++*self->count;
        }
        edo_return(0);
    }
}

struct watch_slice {
    edo_frame();
    edo_args(unsigned *ret_most;);
    edo_scope scope;
    unsigned count;
};

edo_async(watch_slice)
{
    edo_body {
        int rc;
        enum { LIMIT = 128 };
        self->count = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, burns, .count = &self->count, .limit = LIMIT), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, watcher, .count = &self->count,
                                         .limit = LIMIT, .ret_most = self->ret_most),
                         0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static const edo_config short_slices = { .budget = 1024, .time_slice = SLICE };

/* The first read of the clock begins the slice, the second finds it used up; the budget is not used
 * up. */
current_thread_only("a watcher takes turns with the busy task, and no helper comes")
test(slow_operations_end_with_the_slice)
{
    edo_runtime *runtime;
    unsigned most;
    assert_int_equal(create_runtime(&short_slices, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, watch_slice, .ret_most = &most), 0);
    assert_int_equal(most, 2 * SLICE_CHECKS);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* A deadline that passes within one poll of a slow task. */
struct sleeps_beside_a_slow_one {
    edo_frame();
    edo_args();
    edo_task *task;
    unsigned count;
};

edo_async(sleeps_beside_a_slow_one)
{
    edo_body {
        int rc;
        self->count = 0;
        assert_int_equal(edo_spawn(&self->task, burns, .count = &self->count, .limit = 100000), 0);
        edo_await(rc, edo_sleep(SLICE));
        assert_in_range(self->count, 2 * SLICE_CHECKS, 3 * 2 * SLICE_CHECKS);
        self->count = 100000;
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

current_thread_only("helpers come to the rest of a slow worker")
test(behind_a_spent_slice_the_runtime_looks_at_its_timers)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(&short_slices, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, sleeps_beside_a_slow_one), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* ---- limits ---- */

enum { INTERVAL = 61 }; // polls per turn, by default

/* Always ready: only the limit ends it. */
struct busy_until_cancelled {
    edo_frame();
    edo_args(unsigned *count;);
};

edo_async(busy_until_cancelled)
{
    edo_body {
        int rc;
        do {
            edo_await(rc, edo_sleep(0));
            edo_add_relaxed(self->count, 1);
        } while (!edo_is_cancelled());
        edo_return(-ECANCELED);
    }
}

struct limits_it {
    edo_frame(struct busy_until_cancelled busy_until_cancelled;);
    edo_args(unsigned *count;);
};

edo_async(limits_it)
{
    edo_body {
        int rc;
        edo_call_for(rc, edo_ms(1), busy_until_cancelled, .count = self->count);
        edo_return(rc);
    }
}

/* On several workers the busy task may run any number of times before the limit is checked. */
struct limits_a_busy_one {
    edo_frame();
    edo_args();
    unsigned count, before;
    edo_task *task;
};

edo_async(limits_a_busy_one)
{
    edo_body {
        int rc;
        self->count = 0;
        assert_int_equal(edo_spawn(&self->task, limits_it, .count = &self->count), 0);
        edo_await(rc, edo_yield());
        edo_await(rc, edo_yield());
        while (test_workers() > 1 && edo_load_relaxed(&self->count) < 128)
            edo_await(rc, edo_yield());
        if (test_workers() <= 1) assert_in_range(self->count, 128, 3 * 128);
        assert_int_equal(edo_clock_advance(edo_ms(2)), 0);
        self->before = test_workers() > 1 ? edo_load_relaxed(&self->count) : 0;
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_true(self->count >= 128);
        assert_in_range(self->count - self->before, 0, (2 * INTERVAL + 8) * 128);
        edo_return(0);
    }
}

test(a_limit_is_not_starved)
{
    run_unhurried(limits_a_busy_one);
}

/* ---- among tasks ---- */

enum { PLAYERS = 3 };

struct compares_busy_tasks {
    edo_frame();
    edo_args();
    edo_scope scope;
    unsigned counts[PLAYERS];
    int i;
};

edo_async(compares_busy_tasks)
{
    edo_body {
        int rc;
        memset(self->counts, 0, sizeof self->counts);
        edo_scope_open(&self->scope, 0);
        for (int k = 0; k < PLAYERS; k++)
            assert_int_equal(edo_scope_spawn(&self->scope, busy, .kind = SLEEP,
                                             .count = &self->counts[k], .limit = 100 * 128),
                             0);
        for (self->i = 0; self->i < 90; self->i++) {
            edo_await(rc, edo_yield());
            for (int k = 1; k < PLAYERS; k++)
                assert_int_equal(self->counts[k], self->counts[0]);
        }
        assert_int_equal(self->counts[0], 90 * 128);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

current_thread_only("rounds are those of one queue; workers queue long polls apart")
test(tasks_that_are_busy_get_the_same)
{
    run_unhurried(compares_busy_tasks);
}

struct notes_its_turn {
    edo_frame();
    edo_args(char letter; char *log;);
    int i;
};

edo_async(notes_its_turn)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 3; self->i++) {
            strncat(self->log, &self->letter, 1);
            edo_await(rc, edo_yield());
        }
        edo_return(0);
    }
}

current_thread_only("the order in one queue")
async_test(to_yield_is_to_go_behind_the_others, edo_scope scope; char log[32];)
{
    edo_body {
        int rc;
        self->log[0] = '\0';
        edo_scope_open(&self->scope, 0);
        for (char letter = 'a'; letter <= 'c'; letter++)
            assert_int_equal(
                edo_scope_spawn(&self->scope, notes_its_turn, .letter = letter, .log = self->log),
                0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_string_equal(self->log, "abcabcabc");
        edo_return(rc);
    }
}

/* A yield that is polled twice in one poll of its task, as a combinator may do, still waits. */
async_test(a_yield_waits_for_another_poll_of_its_task, edo_op yield;)
{
    edo_body {
        int rc;
        self->yield = edo_yield();
        assert_int_equal(edo_poll_future(&self->yield.base, cx), EDO_PENDING);
        assert_int_equal(edo_poll_future(&self->yield.base, cx), EDO_PENDING);
        edo_await_on(rc, &self->yield.base);
        edo_return(rc);
    }
}

/* ---- events from outside ---- */

struct spins {
    edo_frame();
    edo_args(const int *stop;);
};

edo_async(spins)
{
    edo_body {
        int rc;
        while (!__atomic_load_n(self->stop, __ATOMIC_ACQUIRE))
            edo_await(rc, edo_yield());
        edo_return(0);
    }
}

struct stops_later {
    edo_frame();
    edo_args(int *stop;);
};

edo_async(stops_later)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1)));
        *self->stop = 1;
        edo_return(rc);
    }
}

struct timers_fire_while_tasks_are_busy {
    edo_frame();
    edo_args();
    edo_scope scope;
    int stop;
};

edo_async(timers_fire_while_tasks_are_busy)
{
    edo_body {
        int rc;
        self->stop = 0;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, spins, .stop = &self->stop), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, stops_later, .stop = &self->stop), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

test(timers_fire_while_all_are_busy)
{
    assert_int_equal(edo_run(timers_fire_while_tasks_are_busy), 0);
}

/* Input that comes while tasks are busy. */
struct reads_one {
    edo_frame();
    edo_args(edo_io *io; int *stop;);
    char byte;
};

edo_async(reads_one)
{
    edo_body {
        ssize_t n;
        edo_await(n, edo_read(self->io, &self->byte, 1));
        *self->stop = 1;
        edo_return(n);
    }
}

struct reads_beside_spinners {
    edo_frame();
    edo_args(edo_io *io; int fd;);
    edo_scope scope;
    int stop;
};

edo_async(reads_beside_spinners)
{
    edo_body {
        int rc;
        self->stop = 0;
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, reads_one, .io = self->io, .stop = &self->stop), 0);
        assert_int_equal(edo_scope_spawn(&self->scope, spins, .stop = &self->stop), 0);
        edo_await(rc, edo_yield());
        edo_await(rc, edo_yield()); // the read waits now
        assert_int_equal(write(self->fd, "x", 1), 1);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

test(input_comes_in_while_a_task_is_busy)
{
    int fds[2];
    edo_io *io;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(edo_io_from_fd(fds[0], &io), 0);
    assert_int_equal(edo_run(reads_beside_spinners, .io = io, .fd = fds[1]), 0);
    edo_close(io);
    close(fds[1]);
}

static void *stop_from_a_thread(void *arg)
{
    __atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Spawned from another thread while the runtime is busy. */
struct stops {
    edo_frame();
    edo_args(int *stop;);
};

edo_async(stops)
{
    edo_body {
        stop_from_a_thread(self->stop);
        edo_return(0);
    }
}

struct handed_over {
    edo_runtime *runtime;
    int stop;
};

static void *spawn_from_a_thread(void *arg)
{
    struct handed_over *over = arg;
    edo_spawn_options options = { .runtime = over->runtime };
    int rc = edo_spawn_with(NULL, &options, stops, .stop = &over->stop);
    edo_runtime_unref(over->runtime);
    return (void *)(intptr_t)rc;
}

test(spawns_from_a_thread_come_in_while_a_task_is_busy)
{
    struct handed_over over = { 0 };
    edo_runtime *runtime;
    pthread_t thread;
    void *rc;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    over.runtime = edo_runtime_ref(runtime);
    assert_int_equal(pthread_create(&thread, NULL, spawn_from_a_thread, &over), 0);
    assert_int_equal(edo_block_on(runtime, spins, .stop = &over.stop), 0);
    assert_int_equal(pthread_join(thread, &rc), 0);
    assert_null(rc);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}
