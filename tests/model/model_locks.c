/* Mutex, semaphore, readers-writer lock and notify: exclusion, lost wakes, cancellation against
 * grants, and objects that end with their last user.
 *
 * model-sources: @runtime sync/queue.c sync/mutex.c sync/semaphore.c sync/rwlock.c sync/notify.c
 */
#include <edo/locks.h>
#include <edo/notify.h>

#include "model/one_wait.h"
#include "model/runner.h"

#include "task/task.h"

enum { RUNNERS = 4 };

static struct {
    edo_mutex *mutex;
    edo_semaphore *semaphore;
    edo_rwlock *rwlock;
    edo_notify *notify;
    runner runners[RUNNERS];
    int plain; // guarded by the lock of the model
    int references;
    int64_t results[RUNNERS];
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->mutex = model_alloc(sizeof *s->mutex);
    s->semaphore = model_alloc(sizeof *s->semaphore);
    s->rwlock = model_alloc(sizeof *s->rwlock);
    s->notify = model_alloc(sizeof *s->notify);
    *s->mutex = (edo_mutex)EDO_MUTEX_INIT;
    *s->semaphore = (edo_semaphore)EDO_SEMAPHORE_INIT(0);
    *s->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
    *s->notify = (edo_notify)EDO_NOTIFY_INIT;
}

static void free_all(void)
{
    model_free(s->mutex);
    model_free(s->semaphore);
    model_free(s->rwlock);
    model_free(s->notify);
}

/* Everything is as it was made. */
static void tear_down(uint32_t permits)
{
    model_assert(s->mutex->word == 0 && !s->mutex->waiters);
    model_assert(s->semaphore->word == (uint64_t)permits * EDO__SEMAPHORE_PERMIT);
    model_assert(!s->semaphore->waiters);
    model_assert(s->rwlock->word == 0 && !s->rwlock->waiters);
    model_assert(s->notify->permit == 0 && !s->notify->waiters);
    free_all();
}

static void touch(void)
{
    runner_touch(&s->plain);
}

#define runner_of(argument) (&s->runners[index_of(argument)])

/* ---- mutex ---- */

THREAD(lock_and_touch)
{
    model_assert(run_op(runner_of(argument), edo_mutex_lock(s->mutex)) == 0);
    touch();
    edo_mutex_unlock(s->mutex);
}

THREAD(try_and_touch)
{
    if (edo_mutex_try_lock(s->mutex) < 0) return;
    touch();
    edo_mutex_unlock(s->mutex);
}

MODEL(mutex_excludes, "two that lock are never inside together, and each comes in")
{
    set_up();
    int other = model_start(lock_and_touch, number(1));
    lock_and_touch(number(0));
    model_join(other);
    model_assert(s->plain == 2);
    tear_down(0);
}

MODEL(mutex_of_three, "one waits, another comes between its wake and its poll: both come in")
{
    set_up();
    int second = model_start(lock_and_touch, number(1));
    int third = model_start(try_and_touch, number(2));
    lock_and_touch(number(0));
    model_join(second);
    model_join(third);
    model_assert(s->plain >= 2);
    tear_down(0);
}

/* A waiter that stands in the queue, made by the model's own thread. */
static void queue_up(int i, edo_op op)
{
    model_assert(!runner_begin(&s->runners[i], op));
}

THREAD(unlock)
{
    touch();
    edo_mutex_unlock(s->mutex);
}

THREAD(cancel_it)
{
    int64_t rc = runner_cancel(runner_of(argument));
    s->results[index_of(argument)] = rc;
}

THREAD(finish_and_unlock)
{
    model_assert(runner_finish(runner_of(argument)) == 0);
    touch();
    edo_mutex_unlock(s->mutex);
}

MODEL(mutex_cancel_against_unlock, "a waiter that is cancelled as it is woken passes the wake on")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    queue_up(1, edo_mutex_lock(s->mutex));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_and_unlock, number(1));
    unlock(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->results[0] == -ECANCELED && s->plain == 2);
    tear_down(0);
}

MODEL(mutex_cancel_against_overtaker, "the same while another one comes between")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    queue_up(1, edo_mutex_lock(s->mutex));
    edo_mutex_unlock(s->mutex); // wakes the first
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_and_unlock, number(1));
    try_and_touch(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->plain >= 1);
    tear_down(0);
}

/* The first waiter was overtaken: the next unlock hands it over. */
static void hand_over_next(void)
{
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    queue_up(1, edo_mutex_lock(s->mutex));
    edo_mutex_unlock(s->mutex);
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    model_wait(&s->runners[0].woken);
    model_assert(runner_poll(&s->runners[0], EDO_LIVE) == EDO_PENDING);
}

MODEL(mutex_hand_over, "one that was overtaken is handed the mutex, with what was done under it")
{
    set_up();
    hand_over_next();
    int first = model_start(finish_and_unlock, number(0));
    int second = model_start(finish_and_unlock, number(1));
    unlock(NULL);
    model_join(first);
    model_join(second);
    model_assert(s->plain == 3);
    tear_down(0);
}

MODEL(mutex_cancel_against_hand_over, "one that is cancelled as it is handed the mutex hands it on")
{
    set_up();
    hand_over_next();
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_and_unlock, number(1));
    unlock(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->plain == 2);
    tear_down(0);
}

MODEL(mutex_cancel_both, "two waiters that give up at an unlock leave a free mutex")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    queue_up(1, edo_mutex_lock(s->mutex));
    int first = model_start(cancel_it, number(0));
    int second = model_start(cancel_it, number(1));
    unlock(NULL);
    model_join(first);
    model_join(second);
    tear_down(0);
}

MODEL(mutex_try_is_right, "an attempt fails only while somebody has it")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    queue_up(1, edo_mutex_lock(s->mutex));
    edo_mutex_unlock(s->mutex);
    int first = model_start(cancel_it, number(0));
    int second = model_start(cancel_it, number(1));
    int rc = edo_mutex_try_lock(s->mutex); // the canceller may have it, to pass it on
    if (rc == 0) edo_mutex_unlock(s->mutex);
    model_join(first);
    model_join(second);
    tear_down(0);
}

THREAD(leave_for_good)
{
    int64_t rc = run_op_impatiently(runner_of(argument), edo_mutex_lock(s->mutex));
    if (rc < 0) rc = run_op(runner_of(argument), edo_mutex_lock(s->mutex));
    model_assert(rc == 0);
    bool is_last = --s->references == 0;
    edo_mutex_unlock(s->mutex);
    if (!is_last) return;
    edo_mutex_deinit(s->mutex);
    model_free(s->mutex);
}

MODEL(mutex_last_frees, "the last one that unlocks may free the mutex")
{
    set_up();
    s->references = 2;
    int other = model_start(leave_for_good, number(1));
    leave_for_good(number(0));
    model_join(other);
    model_free(s->semaphore);
    model_free(s->rwlock);
    model_free(s->notify);
}

/* ---- semaphore ---- */

THREAD(acquire_and_touch)
{
    model_assert(run_op(runner_of(argument), edo_semaphore_acquire(s->semaphore, 1)) == 0);
    touch();
    edo_semaphore_release(s->semaphore, 1);
}

MODEL(semaphore_excludes, "one permit: two are never inside together, and each comes in")
{
    set_up();
    edo_semaphore_release(s->semaphore, 1);
    int other = model_start(acquire_and_touch, number(1));
    acquire_and_touch(number(0));
    model_join(other);
    model_assert(s->plain == 2);
    tear_down(1);
}

THREAD(release_one)
{
    edo_semaphore_release(s->semaphore, 1);
}

THREAD(acquire_two)
{
    model_assert(run_op(runner_of(argument), edo_semaphore_acquire(s->semaphore, 2)) == 0);
}

MODEL(semaphore_of_many, "permits that come from two sides make one request whole")
{
    set_up();
    int first = model_start(release_one, NULL);
    int second = model_start(release_one, NULL);
    acquire_two(number(0));
    model_join(first);
    model_join(second);
    tear_down(0);
}

THREAD(publish)
{
    touch();
    edo_semaphore_release(s->semaphore, 1);
}

THREAD(acquire_inline)
{
    while (edo_semaphore_try_acquire(s->semaphore, 1) == -EAGAIN)
        model_yield(MODEL_HERE);
    touch();
}

MODEL(semaphore_hands_over, "what was done before a release is seen by the one who gets the permit")
{
    set_up();
    int first = model_start(publish, NULL);
    acquire_inline(NULL);
    model_join(first);
    model_assert(s->plain == 2);
    tear_down(0);
}

THREAD(finish_it)
{
    s->results[index_of(argument)] = runner_finish(runner_of(argument));
}

MODEL(semaphore_cancel_against_release, "a cancelled request has passed its permits on")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 1));
    queue_up(1, edo_semaphore_acquire(s->semaphore, 1));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_it, number(1));
    release_one(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->results[1] == 0);
    tear_down(0);
}

MODEL(semaphore_cancel_of_big_head, "a big request that is cancelled lets a small one go")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 3));
    queue_up(1, edo_semaphore_acquire(s->semaphore, 1));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_it, number(1));
    release_one(NULL);
    release_one(NULL);
    model_join(canceller);
    model_join(waiter);
    model_assert(s->results[0] == -ECANCELED && s->results[1] == 0);
    tear_down(1);
}

MODEL(semaphore_cancels, "two requests that are cancelled at a release leave the permit")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 1));
    queue_up(1, edo_semaphore_acquire(s->semaphore, 1));
    int first = model_start(cancel_it, number(0));
    int second = model_start(cancel_it, number(1));
    release_one(NULL);
    model_join(first);
    model_join(second);
    tear_down(1);
}

THREAD(close_it)
{
    touch();
    edo_semaphore_close(s->semaphore);
}

THREAD(acquire_or_closed)
{
    int64_t rc = run_op(runner_of(argument), edo_semaphore_acquire(s->semaphore, 1));
    model_assert(rc == 0 || rc == -EPIPE);
    if (rc == -EPIPE) edo_plain_read(&s->plain);
    s->results[index_of(argument)] = rc;
}

MODEL(semaphore_close_against_acquire, "a request is answered when the semaphore closes")
{
    set_up();
    int closer = model_start(close_it, NULL);
    acquire_or_closed(number(0));
    model_join(closer);
    model_assert(s->results[0] == -EPIPE);
    model_assert(s->semaphore->word == EDO__SEMAPHORE_CLOSED);
    free_all();
}

MODEL(semaphore_close_against_release, "of a close and a release one answers the request")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 1));
    int closer = model_start(close_it, NULL);
    int waiter = model_start(finish_it, number(0));
    release_one(NULL);
    model_join(closer);
    model_join(waiter);
    uint64_t left = s->results[0] == 0 ? 0 : EDO__SEMAPHORE_PERMIT;
    model_assert(s->semaphore->word == (EDO__SEMAPHORE_CLOSED | left));
    free_all();
}

MODEL(semaphore_close_against_cancel, "a request that is cancelled and closed at once is answered")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 1));
    int closer = model_start(close_it, NULL);
    cancel_it(number(0));
    model_join(closer);
    model_assert(s->results[0] == -ECANCELED || s->results[0] == -EPIPE);
    free_all();
}

MODEL(semaphore_forget, "what is forgotten is not acquired too")
{
    set_up();
    edo_semaphore_release(s->semaphore, 1);
    int releaser = model_start(release_one, NULL);
    uint32_t forgotten = edo_semaphore_forget(s->semaphore, 2);
    model_join(releaser);
    model_assert(edo_semaphore_available(s->semaphore) == 2 - forgotten);
    edo_semaphore_forget(s->semaphore, 2);
    tear_down(0);
}

THREAD(forget_one)
{
    s->results[1] = edo_semaphore_forget(s->semaphore, 1);
}

MODEL(semaphore_forget_before_waiters, "what is forgotten is not granted to one that waits")
{
    set_up();
    edo_semaphore_release(s->semaphore, 2);
    queue_up(0, edo_semaphore_acquire(s->semaphore, 3));
    int forgetter = model_start(forget_one, NULL);
    int releaser = model_start(release_one, NULL);
    model_join(forgetter);
    release_one(NULL);
    model_join(releaser);
    model_assert(runner_finish(&s->runners[0]) == 0);
    model_assert(edo_semaphore_forget(s->semaphore, 2) == 1 - s->results[1]);
    tear_down(0);
}

THREAD(publish_closing)
{
    touch();
    edo_semaphore_close(s->semaphore);
}

MODEL(semaphore_is_closed, "one that sees it closed sees what came before the close")
{
    set_up();
    int closer = model_start(publish_closing, NULL);
    if (edo_semaphore_is_closed(s->semaphore)) touch();
    model_join(closer);
    free_all();
}

MODEL(semaphore_hands_over_late, "the same for a release that found a waiter, which gives up")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 2));
    int canceller = model_start(cancel_it, number(0));
    int publisher = model_start(publish, NULL);
    acquire_inline(NULL);
    model_join(canceller);
    model_join(publisher);
    tear_down(0);
}

/* A frame that waits for two others, one by one, gives up once, and ends. */
MODEL(semaphore_in_a_frame, "when the last permit is had, no releaser touches the semaphore")
{
    set_up();
    int first = model_start(release_one, NULL);
    int second = model_start(release_one, NULL);
    for (int left = 2; left;)
        left -= run_op_impatiently(&s->runners[0], edo_semaphore_acquire(s->semaphore, 1)) == 0 ||
                run_op(&s->runners[0], edo_semaphore_acquire(s->semaphore, 1)) == 0;
    edo_semaphore_deinit(s->semaphore);
    model_free(s->semaphore);
    model_join(first);
    model_join(second);
    model_free(s->mutex);
    model_free(s->rwlock);
    model_free(s->notify);
}

/* ---- readers-writer lock ---- */

THREAD(read)
{
    model_assert(run_op(runner_of(argument), edo_rwlock_read(s->rwlock)) == 0);
    edo_plain_read(&s->plain);
    edo_rwlock_unlock_read(s->rwlock);
}

THREAD(write)
{
    model_assert(run_op(runner_of(argument), edo_rwlock_write(s->rwlock)) == 0);
    touch();
    edo_rwlock_unlock_write(s->rwlock);
}

MODEL(rwlock_writers, "two writers are never inside together, and each comes in")
{
    set_up();
    int other = model_start(write, number(1));
    write(number(0));
    model_join(other);
    model_assert(s->plain == 2);
    tear_down(0);
}

MODEL(rwlock_reader_and_writer, "a reader and a writer are never inside together")
{
    set_up();
    int other = model_start(read, number(1));
    write(number(0));
    model_join(other);
    tear_down(0);
}

THREAD(leave_reading)
{
    edo_plain_read(&s->plain);
    edo_rwlock_unlock_read(s->rwlock);
}

THREAD(finish_write)
{
    model_assert(runner_finish(runner_of(argument)) == 0);
    touch();
    edo_rwlock_unlock_write(s->rwlock);
}

THREAD(finish_read)
{
    model_assert(runner_finish(runner_of(argument)) == 0);
    edo_plain_read(&s->plain);
    edo_rwlock_unlock_read(s->rwlock);
}

MODEL(rwlock_last_reader, "of two readers that leave the last one lets the writer in")
{
    set_up();
    model_assert(edo_rwlock_try_read(s->rwlock) == 0);
    model_assert(edo_rwlock_try_read(s->rwlock) == 0);
    queue_up(0, edo_rwlock_write(s->rwlock));
    int other = model_start(leave_reading, NULL);
    int writer = model_start(finish_write, number(0));
    leave_reading(NULL);
    model_join(other);
    model_join(writer);
    tear_down(0);
}

MODEL(rwlock_cancelled_writer, "a writer that is cancelled as readers leave lets a reader in")
{
    set_up();
    model_assert(edo_rwlock_try_read(s->rwlock) == 0);
    queue_up(0, edo_rwlock_write(s->rwlock));
    queue_up(1, edo_rwlock_read(s->rwlock));
    int canceller = model_start(cancel_it, number(0));
    int reader = model_start(finish_read, number(1));
    leave_reading(NULL);
    model_join(canceller);
    model_join(reader);
    tear_down(0);
}

THREAD(write_and_downgrade)
{
    model_assert(run_op(runner_of(argument), edo_rwlock_write(s->rwlock)) == 0);
    touch();
    edo_rwlock_downgrade(s->rwlock);
    edo_plain_read(&s->plain);
    model_assert(s->plain % 2 == 1); // no writer came between
    edo_rwlock_unlock_read(s->rwlock);
}

THREAD(write_twice)
{
    model_assert(run_op(runner_of(argument), edo_rwlock_write(s->rwlock)) == 0);
    touch();
    touch();
    edo_rwlock_unlock_write(s->rwlock);
}

MODEL(rwlock_downgrade, "a writer that becomes a reader sees what it wrote; others read with it")
{
    set_up();
    int writer = model_start(write_twice, number(1));
    write_and_downgrade(number(0));
    model_join(writer);
    tear_down(0);
}

MODEL(rwlock_downgrade_lets_in, "readers that wait come in when a writer becomes a reader")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    queue_up(0, edo_rwlock_read(s->rwlock));
    queue_up(1, edo_rwlock_write(s->rwlock));
    int reader = model_start(finish_read, number(0));
    int writer = model_start(finish_write, number(1));
    touch();
    edo_rwlock_downgrade(s->rwlock);
    edo_plain_read(&s->plain);
    model_join(reader);
    edo_rwlock_unlock_read(s->rwlock);
    model_join(writer);
    tear_down(0);
}

THREAD(unlock_write)
{
    touch();
    edo_rwlock_unlock_write(s->rwlock);
}

MODEL(rwlock_cancelled_grant,
      "a reader that is cancelled as it is let in leaves the lock to the writer")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    queue_up(0, edo_rwlock_read(s->rwlock));
    queue_up(1, edo_rwlock_write(s->rwlock));
    int canceller = model_start(cancel_it, number(0));
    int writer = model_start(finish_write, number(1));
    unlock_write(NULL);
    model_join(canceller);
    model_join(writer);
    tear_down(0);
}

static void write_inline(void)
{
    while (edo_rwlock_try_write(s->rwlock) < 0)
        model_yield(MODEL_HERE);
}

static void read_inline(void)
{
    while (edo_rwlock_try_read(s->rwlock) < 0)
        model_yield(MODEL_HERE);
}

MODEL(rwlock_hands_over_late, "a write that found a waiter, which gives up, is seen by the next")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    queue_up(0, edo_rwlock_write(s->rwlock));
    int canceller = model_start(cancel_it, number(0));
    int writer = model_start(unlock_write, NULL);
    write_inline();
    touch();
    edo_rwlock_unlock_write(s->rwlock);
    model_join(canceller);
    model_join(writer);
    tear_down(0);
}

THREAD(downgrade)
{
    touch();
    edo_rwlock_downgrade(s->rwlock);
    edo_rwlock_unlock_read(s->rwlock);
}

MODEL(rwlock_downgrade_is_seen, "one that reads beside a former writer sees what that wrote")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    int writer = model_start(downgrade, NULL);
    read_inline();
    edo_plain_read(&s->plain);
    edo_rwlock_unlock_read(s->rwlock);
    model_join(writer);
    tear_down(0);
}

/* The last user writes; a waiter that gives up has it be seen as free early. */
MODEL(rwlock_last_writer_frees, "a writer that comes after the last reader may free the lock")
{
    set_up();
    model_assert(edo_rwlock_try_read(s->rwlock) == 0);
    int reader = model_start(leave_reading, NULL);
    if (run_op_impatiently(&s->runners[0], edo_rwlock_write(s->rwlock)) < 0) write_inline();
    touch();
    edo_rwlock_unlock_write(s->rwlock);
    edo_rwlock_deinit(s->rwlock);
    model_free(s->rwlock);
    model_join(reader);
    model_free(s->mutex);
    model_free(s->semaphore);
    model_free(s->notify);
}

/* ---- notify ---- */

THREAD(notify_one)
{
    touch();
    edo_notify_one(s->notify);
}

THREAD(notify_last)
{
    edo_notify_last(s->notify);
}

THREAD(notify_all)
{
    edo_notify_waiters(s->notify);
}

THREAD(await_notified)
{
    model_assert(run_op(runner_of(argument), edo_notified(s->notify)) == 0);
}

MODEL(notify_reaches, "a notification is never lost, and brings what was done before it")
{
    set_up();
    int notifier = model_start(notify_one, NULL);
    await_notified(number(0));
    touch();
    model_join(notifier);
    tear_down(0);
}

MODEL(notify_twice, "two notifications reach two that wait")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    queue_up(1, edo_notified(s->notify));
    int first = model_start(finish_it, number(0));
    int second = model_start(finish_it, number(1));
    int notifier = model_start(notify_last, NULL);
    edo_notify_one(s->notify);
    model_join(first);
    model_join(second);
    model_join(notifier);
    tear_down(0);
}

THREAD(try_to_take)
{
    s->results[index_of(argument)] = edo_try_notified(s->notify);
}

MODEL(notify_permit_is_one, "one permit is taken by one")
{
    set_up();
    edo_notify_one(s->notify);
    int other = model_start(try_to_take, number(1));
    try_to_take(number(0));
    model_join(other);
    model_assert((s->results[0] == 0) != (s->results[1] == 0));
    tear_down(0);
}

THREAD(notify_and_say)
{
    touch();
    edo_notify_one(s->notify);
    edo_store_relaxed(&s->references, 1); // orders nothing
}

MODEL(notify_void, "a notification that finds a permit brings what came before it too")
{
    set_up();
    edo_notify_one(s->notify);
    int notifier = model_start(notify_and_say, NULL);
    bool was_said = edo_load_relaxed(&s->references);
    model_assert(edo_try_notified(s->notify) == 0);
    if (was_said) touch();
    model_join(notifier);
    edo_try_notified(s->notify);
    tear_down(0);
}

MODEL(notify_cancel_against_one, "a chosen one that is cancelled passes it on")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    queue_up(1, edo_notified(s->notify));
    int canceller = model_start(cancel_it, number(0));
    int waiter = model_start(finish_it, number(1));
    edo_notify_one(s->notify);
    model_join(canceller);
    model_join(waiter);
    tear_down(0);
}

MODEL(notify_cancel_leaves_permit,
      "a chosen one that is cancelled leaves the permit to one that comes")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    int canceller = model_start(cancel_it, number(0));
    int late = model_start(await_notified, number(1));
    edo_notify_one(s->notify);
    model_join(canceller);
    model_join(late);
    tear_down(0);
}

MODEL(notify_all_reaches_earlier, "all that were made before are reached, polled or not")
{
    set_up();
    edo_op made = edo_notified(s->notify);
    int notifier = model_start(notify_all, NULL);
    model_assert(run_op(&s->runners[0], made) == 0);
    model_join(notifier);
    tear_down(0);
}

MODEL(notify_all_reaches_no_later, "none that is made after is reached, and no permit is left")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    int waiter = model_start(finish_it, number(0));
    edo_notify_waiters(s->notify);
    queue_up(1, edo_notified(s->notify));
    model_join(waiter);
    model_assert(s->results[0] == 0);
    model_assert(runner_cancel(&s->runners[1]) == -ECANCELED);
    tear_down(0);
}

THREAD(set_and_notify)
{
    edo_store_relaxed(&s->references, 1);
    edo_notify_waiters(s->notify);
}

MODEL(notify_all_and_condition,
      "an operation is made, then a condition tested: one of both is in time")
{
    set_up();
    int notifier = model_start(set_and_notify, NULL);
    edo_op op = edo_notified(s->notify);
    if (!edo_load_relaxed(&s->references)) model_assert(run_op(&s->runners[0], op) == 0);
    model_join(notifier);
    tear_down(0);
}

MODEL(notify_all_is_one_step, "two that wait are both reached by one call, or both not yet")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    queue_up(1, edo_notified(s->notify));
    int notifier = model_start(notify_all, NULL);
    s->results[0] = runner_poll(&s->runners[0], EDO_LIVE);
    s->results[1] = runner_poll(&s->runners[1], EDO_LIVE);
    model_assert(s->results[0] == EDO_PENDING || s->results[1] == EDO_READY);
    if (s->results[0] == EDO_PENDING) model_assert(runner_finish(&s->runners[0]) == 0);
    if (s->results[1] == EDO_PENDING) model_assert(runner_finish(&s->runners[1]) == 0);
    model_join(notifier);
    tear_down(0);
}

MODEL(notify_one_against_all,
      "one and all at once: two that wait are reached, and at most a permit is left")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    queue_up(1, edo_notified(s->notify));
    int first = model_start(finish_it, number(0));
    int second = model_start(finish_it, number(1));
    int notifier = model_start(notify_one, NULL);
    edo_notify_waiters(s->notify);
    model_join(first);
    model_join(second);
    model_join(notifier);
    edo_try_notified(s->notify);
    tear_down(0);
}

MODEL(notify_cancel_against_all, "one that all reached, and that is cancelled, passes nothing on")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    int notifier = model_start(notify_all, NULL);
    cancel_it(number(0));
    model_join(notifier);
    model_assert(edo_try_notified(s->notify) == -EAGAIN);
    tear_down(0);
}

MODEL(notify_in_a_frame, "one that was notified may free it")
{
    set_up();
    int notifier = model_start(notify_one, NULL);
    if (run_op_impatiently(&s->runners[0], edo_notified(s->notify)) < 0)
        while (edo_try_notified(s->notify) < 0)
            model_yield(MODEL_HERE);
    touch();
    edo_notify_deinit(s->notify);
    model_free(s->notify);
    model_join(notifier);
    model_free(s->mutex);
    model_free(s->semaphore);
    model_free(s->rwlock);
}

/* ---- with tasks: each call that serves pushes those it has woken ---- */

/* A task that waits for an operation is woken by the thread, and ends. */
static void serve_task(edo_op op, void (*give)(void *), int64_t expected)
{
    edo_runtime *runtime = fake_runtime_create();
    edo_task *task = spawn_one_wait(runtime, op);
    edo_turn(runtime, 0); // it waits
    int giver = model_start(give, number(0));
    while (!edo_task_is_done(task))
        edo_turn(runtime, EDO_NEVER);
    model_join(giver);
    model_assert(edo__task_result(task) == expected);
    edo_detach(task);
    model_assert(edo_runtime_destroy(runtime) == 0);
}

MODEL(mutex_wakes_task, "an unlock has the task polled that waits")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    serve_task(edo_mutex_lock(s->mutex), unlock, 0);
    edo_mutex_unlock(s->mutex);
    tear_down(0);
}

MODEL(mutex_cancel_wakes_task, "so does a waiter that passes it on")
{
    set_up();
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    queue_up(0, edo_mutex_lock(s->mutex));
    edo_mutex_unlock(s->mutex);
    model_assert(edo_mutex_try_lock(s->mutex) == 0);
    model_assert(runner_poll(&s->runners[0], EDO_LIVE) == EDO_PENDING);
    queue_up(1, edo_mutex_lock(s->mutex)); // the task comes behind, so this one leaves
    runner_cancel(&s->runners[1]);
    edo_mutex_unlock(s->mutex); // handed to the first
    serve_task(edo_mutex_lock(s->mutex), cancel_it, 0);
    edo_mutex_unlock(s->mutex);
    tear_down(0);
}

MODEL(semaphore_wakes_task, "a release has the task polled that waits")
{
    set_up();
    serve_task(edo_semaphore_acquire(s->semaphore, 1), release_one, 0);
    tear_down(0);
}

MODEL(semaphore_close_wakes_task, "so does a close")
{
    set_up();
    serve_task(edo_semaphore_acquire(s->semaphore, 1), close_it, -EPIPE);
    free_all();
}

MODEL(semaphore_cancel_wakes_task, "so does a waiter that passes its permit on")
{
    set_up();
    queue_up(0, edo_semaphore_acquire(s->semaphore, 1));
    release_one(NULL);
    serve_task(edo_semaphore_acquire(s->semaphore, 1), cancel_it, 0);
    tear_down(0);
}

MODEL(rwlock_read_wakes_task, "the last reader has the task polled that wants to write")
{
    set_up();
    model_assert(edo_rwlock_try_read(s->rwlock) == 0);
    serve_task(edo_rwlock_write(s->rwlock), leave_reading, 0);
    edo_rwlock_unlock_write(s->rwlock);
    tear_down(0);
}

MODEL(rwlock_write_wakes_task, "a writer that leaves has the task polled that waits")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    serve_task(edo_rwlock_read(s->rwlock), unlock_write, 0);
    edo_rwlock_unlock_read(s->rwlock);
    tear_down(0);
}

THREAD(only_downgrade)
{
    edo_rwlock_downgrade(s->rwlock);
}

MODEL(rwlock_downgrade_wakes_task, "so does one that becomes a reader")
{
    set_up();
    model_assert(edo_rwlock_try_write(s->rwlock) == 0);
    serve_task(edo_rwlock_read(s->rwlock), only_downgrade, 0);
    edo_rwlock_unlock_read(s->rwlock);
    edo_rwlock_unlock_read(s->rwlock);
    tear_down(0);
}

MODEL(notify_wakes_task, "a notification has the task polled that waits")
{
    set_up();
    serve_task(edo_notified(s->notify), notify_one, 0);
    tear_down(0);
}

MODEL(notify_all_wakes_task, "so does one of all")
{
    set_up();
    serve_task(edo_notified(s->notify), notify_all, 0);
    tear_down(0);
}

MODEL(notify_cancel_wakes_task, "so does one that passes it on")
{
    set_up();
    queue_up(0, edo_notified(s->notify));
    edo_notify_one(s->notify);
    serve_task(edo_notified(s->notify), cancel_it, 0);
    tear_down(0);
}
