/* Records of holders and waiters: deadlocks, locks of ended tasks, waiters that were woken and
 * not polled, unlocks by others; and lines of dumps. */
#include "sync/steps.h"

#include <pthread.h>

#include <edo/dump.h>
#include <edo/events.h>

#include "task/holders.h"

enum { LIMIT = 2 }; // ms from a wake to a poll

/* Before the first runtime. */
__attribute__((constructor)) static void turn_on(void)
{
    setenv("EDO_LOCK_TRACE", "2", 1);
}

static int capture(void **state)
{
    (void)state;
    log_capture();
    return 0;
}

static int release(void **state)
{
    (void)state;
    log_release();
    return 0;
}

#define log_test(...)                                                                              \
    fixture(capture, release)                                                                      \
    async_test(__VA_ARGS__)

/* ---- cycles ---- */

/* Locks one mutex, then, when the other task holds the second, that one. */
struct crosses {
    edo_frame();
    edo_args(edo_mutex *first, *second; edo_barrier *meeting; int64_t limit;);
};

edo_async(crosses)
{
    edo_body {
        int rc;
        edo_lock(rc, self->first);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_barrier_wait(self->meeting));
        assert_true(rc >= 0);
        edo_await_for(rc, self->limit, edo_mutex_lock(self->second));
        if (rc == 0) edo_mutex_unlock(self->second);
        edo_mutex_unlock(self->first);
        edo_return(0);
    }
}

log_test(two_that_wait_for_each_other_are_reported, edo_mutex a, b; edo_barrier meeting;
         edo_scope scope;)
{
    edo_body {
        int rc;
        self->a = self->b = (edo_mutex)EDO_MUTEX_INIT;
        self->meeting = (edo_barrier)EDO_BARRIER_INIT(2);
        edo_scope_open(&self->scope, 0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, crosses, &self->a, &self->b, &self->meeting, edo_ms(5)),
            0);
        assert_int_equal(
            edo_scope_spawn(&self->scope, crosses, &self->b, &self->a, &self->meeting, edo_s(3600)),
            0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(log_lines("deadlock: task 'crosses' #"), 2);
        assert_true(log_lines("waits for mutex 0x") >= 2);
        assert_true(log_lines("edo_mutex_lock") >= 2); // the ends of two backtraces
        edo_return(0);
    }
}

/* A plain thread holds one mutex, and waits for the other one. */
struct crossing {
    edo_mutex a, b;
    edo_event a_is_locked, b_is_locked;
};

static void *cross_in_thread(void *arg)
{
    struct crossing *crossing = arg;
    insist(edo_wait(edo_mutex_lock(&crossing->a)) == 0);
    edo_event_set(&crossing->a_is_locked);
    insist(edo_wait(edo_event_wait(&crossing->b_is_locked)) == 0);
    insist(edo_wait(edo_mutex_lock(&crossing->b)) == 0);
    edo_mutex_unlock(&crossing->b);
    edo_mutex_unlock(&crossing->a);
    return NULL;
}

struct crosses_thread {
    edo_frame();
    edo_args(struct crossing *crossing;);
};

edo_async(crosses_thread)
{
    edo_body {
        int rc;
        edo_lock(rc, &self->crossing->b);
        assert_int_equal(rc, 0);
        edo_event_set(&self->crossing->b_is_locked);
        edo_await(rc, edo_event_wait(&self->crossing->a_is_locked));
        edo_await(rc, edo_mutex_lock(&self->crossing->a));
        assert_int_equal(rc, -ECANCELED);
        edo_mutex_unlock(&self->crossing->b);
        edo_return(0);
    }
}

log_test(a_thread_and_a_task_that_wait_for_each_other_are_reported, struct crossing crossing;
         edo_scope scope; pthread_t thread;)
{
    edo_body {
        int rc;
        self->crossing = (struct crossing){ EDO_MUTEX_INIT, EDO_MUTEX_INIT, EDO_EVENT_INIT,
                                            EDO_EVENT_INIT };
        edo_scope_open(&self->scope, 0);
        insist(pthread_create(&self->thread, NULL, cross_in_thread, &self->crossing) == 0);
        assert_int_equal(edo_scope_spawn(&self->scope, crosses_thread, &self->crossing), 0);
        while (log_lines("deadlock: ") < 2)
            edo_await(rc, edo_sleep(edo_ms(1)));
        assert_int_equal(log_lines("deadlock: task 'crosses_thread' #"), 1);
        assert_int_equal(log_lines("deadlock: thread "), 1);
        assert_true(log_lines("edo_mutex_lock") >= 1); // the other one may be polled just now
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        insist(pthread_join(self->thread, NULL) == 0);
        edo_return(0);
    }
}

enum { RING = 5 };

log_test(a_ring_of_five, edo_mutex mutexes[RING]; edo_barrier meeting; edo_scope scope; int i;)
{
    edo_body {
        int rc;
        memset(self->mutexes, 0, sizeof self->mutexes);
        self->meeting = (edo_barrier)EDO_BARRIER_INIT(RING);
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < RING; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, crosses, &self->mutexes[self->i],
                                             &self->mutexes[(self->i + 1) % RING], &self->meeting,
                                             self->i ? edo_s(3600) : edo_ms(5)),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(log_lines("deadlock: "), RING);
        edo_return(0);
    }
}

log_test(without_a_cycle_nothing_is_reported, edo_mutex a, b; edo_barrier meeting; edo_scope scope;)
{
    edo_body {
        int rc;
        self->a = self->b = (edo_mutex)EDO_MUTEX_INIT;
        self->meeting = (edo_barrier)EDO_BARRIER_INIT(1);
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, crosses, &self->a, &self->b,
                                             &self->meeting, edo_s(3600)),
                             0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(log_lines("deadlock: "), 0); // a machine may be slow after a wake
        edo_return(0);
    }
}

log_test(one_that_locks_twice_is_reported, edo_mutex mutex;)
{
    edo_body {
        int rc;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        edo_lock(rc, &self->mutex);
        edo_await_for(rc, edo_ms(1), edo_mutex_lock(&self->mutex));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_mutex_unlock(&self->mutex);
        assert_int_equal(log_lines("deadlock: task 'one_that_locks_twice_is_reported' #"), 1);
        edo_return(0);
    }
}

log_test(one_that_reads_twice_behind_a_writer_is_reported, edo_rwlock rwlock; edo_op write;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        edo_read_lock(rc, &self->rwlock);
        self->write = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->write);
        assert_int_equal(log_lines(NULL), 0); // this task does not wait for it
        edo_await_for(rc, edo_ms(1), edo_rwlock_read(&self->rwlock));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines("deadlock: "), 1);
        assert_cancelled(&self->write);
        edo_rwlock_unlock_read(&self->rwlock);
        edo_return(0);
    }
}

enum { READERS = 40 };

struct reads_then_locks {
    edo_frame();
    edo_args(edo_rwlock *rwlock; edo_mutex *mutex; edo_barrier *meeting;);
};

edo_async(reads_then_locks)
{
    edo_body {
        int rc;
        edo_read_lock(rc, self->rwlock);
        assert_int_equal(rc, 0);
        edo_await(rc, edo_barrier_wait(self->meeting));
        edo_await_for(rc, edo_ms(50), edo_mutex_lock(self->mutex));
        if (rc == 0) edo_mutex_unlock(self->mutex);
        edo_rwlock_unlock_read(self->rwlock);
        edo_return(0);
    }
}

struct asks_later {
    edo_frame();
    edo_args(edo_mutex *mutex;);
};

edo_async(asks_later)
{
    edo_body {
        int rc;
        edo_await_void(edo_sleep(edo_ms(10)));
        edo_await_for(rc, edo_ms(10), edo_mutex_lock(self->mutex));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

/* The readers and this task wait for each other. A search for a cycle of the task that asks later
 * does not follow each of the many paths between them: it would not end. */
log_test(a_search_follows_each_waiter_once, edo_rwlock rwlock; edo_mutex mutex; edo_barrier meeting;
         edo_scope scope; int i;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        self->meeting = (edo_barrier)EDO_BARRIER_INIT(READERS + 1);
        edo_lock(rc, &self->mutex);
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < READERS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, reads_then_locks, &self->rwlock,
                                             &self->mutex, &self->meeting),
                             0);
        assert_int_equal(edo_scope_spawn(&self->scope, asks_later, &self->mutex), 0);
        edo_await(rc, edo_barrier_wait(&self->meeting));
        edo_await_for(rc, edo_ms(40), edo_rwlock_write(&self->rwlock));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_mutex_unlock(&self->mutex);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_true(log_lines("deadlock: ") >= 2);
        assert_int_equal(log_lines("deadlock: task 'asks_later'"), 0);
        edo_return(0);
    }
}

struct locks_again {
    edo_frame();
    edo_args(edo_mutex *mutex; bool first;);
};

edo_async(locks_again)
{
    edo_body {
        int rc;
        edo_lock(rc, self->mutex);
        assert_int_equal(rc, 0);
        if (self->first) edo_await_void(edo_sleep(edo_ms(5)));
        edo_mutex_unlock(self->mutex);
        edo_return(0);
    }
}

log_test(siblings_of_one_task_may_wait_for_each_other, edo_mutex mutex; struct locks_again a, b;)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        edo_init(&self->a, locks_again, &self->mutex, true);
        edo_init(&self->b, locks_again, &self->mutex, false);
        edo_all(&self->a.base, &self->b.base);
        assert_int_equal(log_lines("deadlock: "), 0); // a machine may be slow after a wake
        edo_return(0);
    }
}

log_test(a_semaphore_that_one_task_holds, edo_semaphore semaphore;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        edo_acquire(rc, &self->semaphore, 2);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines("deadlock: "), 1);
        edo_semaphore_release(&self->semaphore, 2);
        edo_return(0);
    }
}

/* ---- without a cycle ---- */

log_test(permits_that_are_passed_on, edo_semaphore semaphore;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        edo_acquire(rc, &self->semaphore, 2);
        edo_semaphore_pass_on(&self->semaphore, 2);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines(NULL), 0);
        edo_semaphore_release(&self->semaphore, 2);
        assert_int_equal(edo_semaphore_available(&self->semaphore), 2);
        edo_return(0);
    }
}

struct takes_and_passes_on {
    edo_frame();
    edo_args(edo_semaphore *semaphore;);
};

edo_async(takes_and_passes_on)
{
    edo_body {
        int rc;
        edo_acquire(rc, self->semaphore, 1);
        edo_semaphore_pass_on(self->semaphore, 1);
        edo_return(rc);
    }
}

struct gives {
    edo_frame();
    edo_args(edo_semaphore *semaphore; bool passes_on;);
};

edo_async(gives)
{
    edo_body {
        if (self->passes_on)
            edo_semaphore_pass_on(self->semaphore, 1);
        else
            edo_semaphore_release(self->semaphore, 1);
        edo_return(0);
    }
}

#define run_task(rc, ...)                                                                          \
    do {                                                                                           \
        assert_int_equal(edo_spawn(&self->task, __VA_ARGS__), 0);                                  \
        edo_await(rc, edo_join(self->task));                                                       \
        assert_int_equal(rc, 0);                                                                   \
    } while (0)

/* The permit that was passed on will come back, so the holder of the other one does not wait for
 * itself alone. After the release it does. */
log_test(a_holder_beside_permits_that_were_passed_on, edo_semaphore semaphore; edo_task * task;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(2);
        edo_acquire(rc, &self->semaphore, 1);
        run_task(rc, takes_and_passes_on, &self->semaphore);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines(NULL), 0);
        run_task(rc, gives, &self->semaphore, false);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 2));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines("deadlock: "), 1);
        run_task(rc, takes_and_passes_on, &self->semaphore);
        edo_semaphore_release(&self->semaphore, 2); // an own one, and the one that was passed on
        edo_acquire(rc, &self->semaphore, 1);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 2));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines("deadlock: "), 2);
        edo_semaphore_release(&self->semaphore, 1);
        edo_semaphore_deinit(&self->semaphore);
        edo_return(0);
    }
}

log_test(only_own_permits_are_passed_on, edo_semaphore semaphore; edo_task * task;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(1);
        edo_acquire(rc, &self->semaphore, 1);
        run_task(rc, gives, &self->semaphore, true);
        edo_await_for(rc, edo_ms(1), edo_semaphore_acquire(&self->semaphore, 1));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(log_lines("deadlock: "), 1);
        edo_semaphore_release(&self->semaphore, 1);
        edo_return(0);
    }
}

struct leaves_locked {
    edo_frame();
    edo_args(edo_mutex *mutex; edo_semaphore *semaphore;);
};

edo_async(leaves_locked)
{
    edo_body {
        int rc;
        edo_lock(rc, self->mutex);
        edo_acquire(rc, self->semaphore, 1);
        edo_return(rc);
    }
}

static edo_mutex left = EDO_MUTEX_INIT; // never unlocked

log_test(a_lock_of_a_task_that_has_ended_is_reported, edo_semaphore semaphore; edo_task * task;)
{
    edo_body {
        int rc;
        self->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(1);
        assert_int_equal(edo_spawn(&self->task, leaves_locked, &left, &self->semaphore), 0);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(log_lines("task 'leaves_locked' #"), 1);
        assert_int_equal(log_lines("has ended and holds mutex 0x"), 1);
        edo_semaphore_release(&self->semaphore, 1); // any task may release permits
        edo_return(0);
    }
}

static void spin_for(int64_t time)
{
    for (int64_t end = edo__sys_now() + time; edo__sys_now() < end;)
        continue;
}

log_test(a_waiter_that_is_woken_and_not_polled_is_reported, edo_mutex mutex; edo_op op;)
{
    edo_body {
        self->mutex = (edo_mutex)EDO_MUTEX_INIT;
        assert_int_equal(edo_mutex_try_lock(&self->mutex), 0);
        self->op = edo_mutex_lock(&self->mutex);
        assert_waits(&self->op);
        spin_for(edo_ms(2 * LIMIT));
        edo__holders_check();
        assert_int_equal(log_lines(NULL), 0);
        edo_mutex_unlock(&self->mutex);
        edo__holders_check();
        spin_for(edo_ms(2 * LIMIT));
        edo__holders_check();
        edo__holders_check();
        assert_int_equal(log_lines("was woken for mutex 0x"), 1);
        assert_ends(&self->op, 0);
        edo_mutex_unlock(&self->mutex);
        edo_return(0);
    }
}

/* ---- dumps ---- */

static void count_lines(void *context, const char *line)
{
    int *counts = context;
    counts[0] += strstr(line, "has waited ") && strstr(line, "for rwlock 0x") &&
                 strstr(line, "task 'writes' #");
    counts[1] += strstr(line, "task 'reads' #") && strstr(line, "held by ") &&
                 strstr(line, "test_lock_trace.c:");
}

struct reads {
    edo_frame();
    edo_args(edo_rwlock *rwlock; edo_event *stop;);
};

edo_async(reads)
{
    edo_body {
        int rc;
        edo_read_lock(rc, self->rwlock);
        edo_await(rc, edo_event_wait(self->stop));
        edo_rwlock_unlock_read(self->rwlock);
        edo_return(rc);
    }
}

struct writes {
    edo_frame();
    edo_args(edo_rwlock *rwlock;);
};

edo_async(writes)
{
    edo_body {
        int rc;
        edo_write_lock(rc, self->rwlock);
        edo_rwlock_unlock_write(self->rwlock);
        edo_return(rc);
    }
}

log_test(a_dump_shows_who_waits_for_whom, edo_rwlock rwlock; edo_event stop; edo_scope scope;
         int counts[2];)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        self->stop = (edo_event)EDO_EVENT_INIT;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 2; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, reads, &self->rwlock, &self->stop), 0);
        edo_await(rc, edo_sleep(1));
        assert_int_equal(edo_scope_spawn(&self->scope, writes, &self->rwlock), 0);
        edo_await(rc, edo_sleep(1));
        memset(self->counts, 0, sizeof self->counts);
        assert_int_equal(edo_dump(edo_current_runtime(), count_lines, self->counts), 0);
        assert_int_equal(self->counts[0], 1);
        assert_int_equal(self->counts[1], 2);
        edo_event_set(&self->stop);
        edo_await(rc, edo_scope_join(&self->scope));
        memset(self->counts, 0, sizeof self->counts);
        assert_int_equal(edo_dump(edo_current_runtime(), count_lines, self->counts), 0);
        assert_int_equal(self->counts[0] + self->counts[1], 0);
        edo_return(0);
    }
}

/* ---- unlocks by others ---- */

struct locks_and_sleeps {
    edo_frame();
    edo_args(edo_mutex *mutex; edo_rwlock *rwlock;);
};

edo_async(locks_and_sleeps)
{
    edo_body {
        int rc;
        if (self->mutex) edo_lock(rc, self->mutex);
        if (self->rwlock) edo_write_lock(rc, self->rwlock);
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

struct unlocks {
    edo_frame();
    edo_args(bool mutex;);
    edo_mutex locked;
    edo_rwlock written;
};

edo_async(unlocks)
{
    edo_body {
        int rc;
        self->locked = (edo_mutex)EDO_MUTEX_INIT;
        self->written = (edo_rwlock)EDO_RWLOCK_INIT;
        insist(edo_go(locks_and_sleeps, self->mutex ? &self->locked : NULL,
                      self->mutex ? NULL : &self->written) == 0);
        edo_await(rc, edo_sleep(edo_ms(5)));
        if (self->mutex)
            edo_mutex_unlock(&self->locked);
        else
            edo_rwlock_unlock_write(&self->written);
        edo_return(rc);
    }
}

static void unlock_another(void *arg)
{
    edo_runtime *runtime;
    insist(edo_runtime_create(NULL, &runtime) == 0);
    edo_block_on(runtime, unlocks, .mutex = arg != NULL);
}

test(another_that_unlocks_aborts)
{
    expect_abort(unlock_another, "", "edo_mutex_unlock: held by another: task 'locks_and_sleeps'");
    expect_abort(unlock_another, NULL,
                 "edo_rwlock_unlock_write: held by another: task 'locks_and_sleeps'");
}

static void unlock_in_child(void *mutex)
{
    edo_mutex_unlock(mutex);
    insist(edo_wait(edo_mutex_lock(mutex)) == 0);
    edo_mutex_unlock(mutex);
}

/* The thread has another number in the child of a fork, where no record of the parent counts. */
current_thread_only("a sanitizer has no runtime after a fork beside threads")
test(the_child_of_a_fork_may_unlock)
{
    edo_mutex mutex = EDO_MUTEX_INIT;
    insist(edo_wait(edo_mutex_lock(&mutex)) == 0);
    expect_success_in_child(unlock_in_child, &mutex);
    edo_mutex_unlock(&mutex);
}
