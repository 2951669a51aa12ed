/* The locks for plain threads.
 *
 * model-sources: sync/thread_mutex.c sync/thread_cond.c sync/thread_rwlock.c sync/thread_once.c
 */
#include <edo/thread_locks.h>

#include "base/atomic.h"

#include "model/fake_sys.h"
#include "model/model.h"

static struct {
    edo_thread_mutex mutex;
    edo_thread_cond cond;
    edo_thread_rwlock rwlock;
    edo_thread_once once;
    model_event event, begun;
    unsigned count, calls, failures, flag; // plain
} * w;

static void set_up(void)
{
    w = model_alloc_static(sizeof *w);
    *w = (typeof(*w)){ 0 };
    fake_now = 0;
}

static void add(void)
{
    edo_plain_write(&w->count);
    w->count++;
}

static unsigned read_count(void)
{
    edo_plain_read(&w->count);
    return w->count;
}

/* The limits of the models are at 10. */
static void hold_until_limit(void)
{
    model_wait_until(&w->event, 9 + (int64_t)model_choose(3));
}

/* ---- mutex ---- */

static void locked_add(void)
{
    edo_thread_mutex_lock(&w->mutex);
    add();
    edo_thread_mutex_unlock(&w->mutex);
}

THREAD(add_once)
{
    locked_add();
}

MODEL(mutex_two, "two threads: one at a time, each sees what the other did, no sleeper is left")
{
    set_up();
    int other = model_start(add_once, NULL);
    locked_add();
    locked_add();
    model_join(other);
    model_assert(read_count() == 3);
    model_assert(edo_load_relaxed(&w->mutex.word) == EDO__THREAD_FREE);
}

MODEL(mutex_three, "three threads: a sleeper is woken although others come first")
{
    set_up();
    int first = model_start(add_once, NULL), second = model_start(add_once, NULL);
    locked_add();
    model_join(first);
    model_join(second);
    model_assert(read_count() == 3);
}

THREAD(try_to_add)
{
    if (edo_thread_mutex_try_lock(&w->mutex) < 0) return;
    add();
    edo_thread_mutex_unlock(&w->mutex);
}

MODEL(mutex_tried, "a try that succeeds sees what was done under the lock, and is a lock")
{
    set_up();
    int other = model_start(try_to_add, NULL);
    locked_add();
    model_join(other);
    model_assert(read_count() == 1 || read_count() == 2);
}

THREAD(add_with_limit)
{
    if (edo_thread_mutex_lock_until(&w->mutex, 10) == 0) {
        add();
        edo_thread_mutex_unlock(&w->mutex);
    }
    model_post(&w->event);
}

MODEL(mutex_limit, "a limit ends a wait, and takes no wake from another sleeper")
{
    set_up();
    edo_thread_mutex_lock(&w->mutex);
    int limited = model_start(add_with_limit, NULL), other = model_start(add_once, NULL);
    hold_until_limit();
    edo_thread_mutex_unlock(&w->mutex);
    model_join(limited);
    model_join(other);
    model_assert(read_count() == 1 || read_count() == 2);
}

/* ---- condition variable ---- */

static void wait_for_flag(void)
{
    edo_thread_mutex_lock(&w->mutex);
    for (;;) {
        edo_plain_read(&w->flag);
        if (w->flag) break;
        edo_thread_cond_wait(&w->cond, &w->mutex);
    }
    edo_plain_write(&w->flag);
    w->flag--;
    edo_thread_mutex_unlock(&w->mutex);
}

static void set_flag(unsigned value)
{
    edo_plain_write(&w->flag);
    w->flag = value;
}

THREAD(take_flag)
{
    wait_for_flag();
}

MODEL(cond_notified_outside,
      "a notification after the unlock reaches one that waits, or is about to")
{
    set_up();
    int waiter = model_start(take_flag, NULL);
    edo_thread_mutex_lock(&w->mutex);
    set_flag(1);
    edo_thread_mutex_unlock(&w->mutex);
    edo_thread_cond_notify_one(&w->cond);
    model_join(waiter);
}

MODEL(cond_notified_inside, "the same under the mutex")
{
    set_up();
    int waiter = model_start(take_flag, NULL);
    edo_thread_mutex_lock(&w->mutex);
    set_flag(1);
    edo_thread_cond_notify_one(&w->cond);
    edo_thread_mutex_unlock(&w->mutex);
    model_join(waiter);
}

MODEL_SAMPLED(cond_notifies_all, "all that wait are notified at once", 10000)
{
    set_up();
    int first = model_start(take_flag, NULL), second = model_start(take_flag, NULL);
    edo_thread_mutex_lock(&w->mutex);
    set_flag(2);
    edo_thread_mutex_unlock(&w->mutex);
    edo_thread_cond_notify_all(&w->cond);
    model_join(first);
    model_join(second);
}

THREAD(wait_with_limit)
{
    edo_thread_mutex_lock(&w->mutex);
    int rc = 0;
    while (rc == 0 && !w->flag) {
        rc = edo_thread_cond_wait_until(&w->cond, &w->mutex, 10);
        edo_plain_read(&w->flag);
    }
    model_assert(rc == 0 || rc == -ETIMEDOUT);
    edo_thread_mutex_unlock(&w->mutex);
    model_post(&w->event);
}

MODEL(cond_limit, "a wait with a limit ends without a notification, with the mutex")
{
    set_up();
    int waiter = model_start(wait_with_limit, NULL);
    model_wait(&w->event);
    model_join(waiter);
    model_assert(edo_load_relaxed(&w->cond.waiters) == 0);
    model_assert(fake_now == 10);
}

/* ---- readers-writer lock ---- */

static void write_once(void)
{
    edo_thread_rwlock_write(&w->rwlock);
    add();
    edo_thread_rwlock_unlock_write(&w->rwlock);
}

static void read_once(void)
{
    edo_thread_rwlock_read(&w->rwlock);
    (void)read_count();
    edo_thread_rwlock_unlock_read(&w->rwlock);
}

THREAD(writer)
{
    write_once();
}

THREAD(reader)
{
    read_once();
}

static void expect_free(unsigned count)
{
    model_assert(read_count() == count);
    model_assert((edo_load_relaxed(&w->rwlock.word) & EDO__THREAD_WRITER) == 0);
}

MODEL(rwlock_two_writers, "writers: one at a time, no sleeper is left")
{
    set_up();
    int other = model_start(writer, NULL);
    write_once();
    model_join(other);
    expect_free(2);
}

MODEL(rwlock_writer_and_reader, "a reader and a writer exclude and see each other")
{
    set_up();
    int other = model_start(writer, NULL);
    read_once();
    model_join(other);
    expect_free(1);
}

MODEL_SAMPLED(rwlock_three_writers,
              "a woken writer wakes the next, although it does not know of it", 10000)
{
    set_up();
    int first = model_start(writer, NULL), second = model_start(writer, NULL);
    write_once();
    model_join(first);
    model_join(second);
    expect_free(3);
}

MODEL_SAMPLED(rwlock_readers_behind_writer, "the writer goes first; all readers are woken after it",
              10000)
{
    set_up();
    edo_thread_rwlock_read(&w->rwlock);
    int first = model_start(writer, NULL), second = model_start(reader, NULL);
    int third = model_start(reader, NULL);
    edo_thread_rwlock_unlock_read(&w->rwlock);
    model_join(first);
    model_join(second);
    model_join(third);
    expect_free(1);
}

MODEL_SAMPLED(rwlock_mixed, "two writers, two readers: none is forgotten", 10000)
{
    set_up();
    int first = model_start(writer, NULL), second = model_start(reader, NULL);
    int third = model_start(reader, NULL);
    write_once();
    model_join(first);
    model_join(second);
    model_join(third);
    expect_free(2);
}

THREAD(read_together)
{
    edo_thread_rwlock_read(&w->rwlock);
    (void)read_count();
    model_post(&w->event);
    edo_thread_rwlock_unlock_read(&w->rwlock);
}

MODEL(rwlock_downgrade, "readers that wait come in beside the one that was the writer")
{
    set_up();
    edo_thread_rwlock_write(&w->rwlock);
    int other = model_start(read_together, NULL);
    add();
    edo_thread_rwlock_downgrade(&w->rwlock);
    model_wait(&w->event);
    edo_thread_rwlock_unlock_read(&w->rwlock);
    model_join(other);
    expect_free(1);
}

THREAD(write_with_limit)
{
    if (edo_thread_rwlock_write_until(&w->rwlock, 10) == 0)
        edo_thread_rwlock_unlock_write(&w->rwlock);
    else
        model_assert(fake_now >= 10);
}

MODEL(rwlock_writer_gives_up, "a writer whose limit passes lets in the readers that waited for it")
{
    set_up();
    edo_thread_rwlock_read(&w->rwlock);
    int limited = model_start(write_with_limit, NULL), other = model_start(read_together, NULL);
    model_wait(&w->event); // it reads beside this thread
    model_join(limited);
    edo_thread_rwlock_unlock_read(&w->rwlock);
    model_join(other);
    expect_free(0);
}

MODEL_SAMPLED(rwlock_limit_among_writers, "a writer that gives up takes no wake from another",
              10000)
{
    set_up();
    edo_thread_rwlock_write(&w->rwlock);
    int limited = model_start(write_with_limit, NULL), other = model_start(writer, NULL);
    hold_until_limit();
    edo_thread_rwlock_unlock_write(&w->rwlock);
    model_join(limited);
    model_join(other);
    expect_free(1);
}

THREAD(read_with_limit)
{
    if (edo_thread_rwlock_read_until(&w->rwlock, 10) == 0)
        edo_thread_rwlock_unlock_read(&w->rwlock);
    model_post(&w->event);
}

MODEL(rwlock_reader_gives_up, "a reader whose limit passes leaves a lock that others can take")
{
    set_up();
    edo_thread_rwlock_write(&w->rwlock);
    int limited = model_start(read_with_limit, NULL);
    hold_until_limit();
    edo_thread_rwlock_unlock_write(&w->rwlock);
    read_once();
    write_once();
    model_join(limited);
    expect_free(1);
}

THREAD(try_both)
{
    if (edo_thread_rwlock_try_write(&w->rwlock) == 0) {
        add();
        edo_thread_rwlock_unlock_write(&w->rwlock);
    }
    if (edo_thread_rwlock_try_read(&w->rwlock) == 0) {
        (void)read_count();
        edo_thread_rwlock_unlock_read(&w->rwlock);
    }
}

MODEL(rwlock_tried, "tries exclude and see each other as locks do")
{
    set_up();
    int other = model_start(try_both, NULL);
    write_once();
    model_join(other);
    model_assert(read_count() == 1 || read_count() == 2);
}

/* ---- once ---- */

static int init(void *context)
{
    (void)context;
    edo_plain_write(&w->calls);
    w->calls++;
    if (w->failures) {
        w->failures--;
        return -EIO;
    }
    edo_plain_write(&w->count);
    w->count = 42;
    return 0;
}

static void run_once(void)
{
    while (edo_thread_once_run(&w->once, init, NULL) < 0)
        ;
    model_assert(read_count() == 42);
}

THREAD(run_it)
{
    run_once();
}

MODEL(once_two, "one runs it, the other sees what that did")
{
    set_up();
    int other = model_start(run_it, NULL);
    run_once();
    model_join(other);
    model_assert(w->calls == 1);
}

MODEL_SAMPLED(once_three, "all that sleep are woken", 20000)
{
    set_up();
    int first = model_start(run_it, NULL), second = model_start(run_it, NULL);
    run_once();
    model_join(first);
    model_join(second);
    model_assert(w->calls == 1);
}

MODEL(once_fails, "after a failure the next try sees what the failed one did")
{
    set_up();
    w->failures = 1;
    int other = model_start(run_it, NULL);
    run_once();
    model_join(other);
    model_assert(w->calls == 2);
}
