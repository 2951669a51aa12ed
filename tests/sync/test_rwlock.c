/* Readers-writer locks: exclusion, the order of service, downgrade, cancellation at every point,
 * misuse. */
#include "sync/steps.h"

static void assert_word(const edo_rwlock *rwlock, uint64_t word)
{
    assert_int_equal(rwlock->word, word);
    assert_int_equal(rwlock->lock, 0);
    assert_null(rwlock->waiters);
}

#define assert_untouched(rwlock) assert_word((rwlock), 0)

/* ---- without waits ---- */

test(all_zero_is_a_free_one)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT, zero;
    memset(&zero, 0, sizeof zero);
    assert_memory_equal(&rwlock, &zero, sizeof zero);
    assert_true(sizeof rwlock <= 24);
}

test(readers_share)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    for (int i = 0; i < 5; i++)
        assert_int_equal(edo_rwlock_try_read(&rwlock), 0);
    assert_int_equal(edo_rwlock_try_write(&rwlock), -EAGAIN);
    for (int i = 0; i < 4; i++)
        edo_rwlock_unlock_read(&rwlock);
    assert_int_equal(edo_rwlock_try_write(&rwlock), -EAGAIN);
    edo_rwlock_unlock_read(&rwlock);
    assert_int_equal(edo_rwlock_try_write(&rwlock), 0);
    edo_rwlock_unlock_write(&rwlock);
    assert_untouched(&rwlock);
}

test(a_writer_is_alone)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    assert_int_equal(edo_rwlock_try_write(&rwlock), 0);
    assert_int_equal(edo_rwlock_try_write(&rwlock), -EAGAIN);
    assert_int_equal(edo_rwlock_try_read(&rwlock), -EAGAIN);
    edo_rwlock_unlock_write(&rwlock);
    assert_int_equal(edo_rwlock_try_read(&rwlock), 0);
    edo_rwlock_unlock_read(&rwlock);
    assert_untouched(&rwlock);
    edo_rwlock_deinit(&rwlock);
}

test(a_writer_becomes_a_reader)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    assert_int_equal(edo_rwlock_try_write(&rwlock), 0);
    edo_rwlock_downgrade(&rwlock);
    assert_int_equal(edo_rwlock_try_write(&rwlock), -EAGAIN);
    assert_int_equal(edo_rwlock_try_read(&rwlock), 0);
    edo_rwlock_unlock_read(&rwlock);
    edo_rwlock_unlock_read(&rwlock);
    assert_untouched(&rwlock);
}

static void lock_once(unsigned index, void *arg)
{
    (void)index;
    insist(edo_wait(edo_rwlock_read(arg)) == 0);
    edo_rwlock_unlock_read(arg);
    insist(edo_wait(edo_rwlock_write(arg)) == 0);
    edo_rwlock_unlock_write(arg);
}

test(a_plain_thread_waits_by_edo_wait)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    run_threads(1, lock_once, &rwlock);
    assert_untouched(&rwlock);
}

async_test(a_free_one_is_had_at_once, edo_rwlock rwlock; edo_op a, b, c;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        self->a = edo_rwlock_read(&self->rwlock);
        self->b = edo_rwlock_read(&self->rwlock);
        assert_untouched(&self->rwlock); // inert
        assert_ends(&self->a, 0);
        assert_ends(&self->b, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        edo_rwlock_unlock_read(&self->rwlock);
        self->c = edo_rwlock_write(&self->rwlock);
        assert_ends(&self->c, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        edo_read_lock(rc, &self->rwlock);
        assert_int_equal(rc, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        edo_write_lock(rc, &self->rwlock);
        assert_int_equal(rc, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

/* ---- the order of service ---- */

#define CROWD                                                                                      \
    edo_rwlock rwlock;                                                                             \
    edo_op first, second, third, fourth;

async_test(a_writer_waits_for_all_readers, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), 0);
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_waits(&self->first);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), -EAGAIN); // granted
        assert_ends(&self->first, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(a_reader_behind_a_waiting_writer_waits, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), -EAGAIN);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_waits(&self->second);
        assert_ends(&self->first, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_ends(&self->second, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(readers_that_stand_together_come_in_together, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_read(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        self->third = edo_rwlock_write(&self->rwlock);
        self->fourth = edo_rwlock_read(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_waits(&self->third);
        assert_waits(&self->fourth);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_ends(&self->second, 0);
        assert_ends(&self->first, 0);
        assert_waits(&self->third);
        assert_waits(&self->fourth);
        edo_rwlock_unlock_read(&self->rwlock);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_waits(&self->fourth);
        assert_ends(&self->third, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_ends(&self->fourth, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(writers_come_one_after_the_other, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        self->second = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_waits(&self->second);
        assert_ends(&self->first, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_ends(&self->second, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(who_reads_and_reads_again_behind_a_writer_times_out, CROWD)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        edo_read_lock(rc, &self->rwlock);
        assert_int_equal(rc, 0);
        self->first = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        edo_await_for(rc, edo_ms(100), edo_rwlock_read(&self->rwlock));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_waits(&self->first);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_ends(&self->first, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

/* ---- downgrade ---- */

async_test(a_downgrade_lets_the_readers_in_that_wait_first, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_read(&self->rwlock);
        self->second = edo_rwlock_write(&self->rwlock);
        self->third = edo_rwlock_read(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_waits(&self->third);
        edo_rwlock_downgrade(&self->rwlock);
        assert_ends(&self->first, 0);
        assert_waits(&self->second);
        assert_waits(&self->third);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_waits(&self->second);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_ends(&self->second, 0);
        assert_waits(&self->third);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_ends(&self->third, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(no_writer_comes_between_a_write_and_its_downgrade, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        edo_rwlock_downgrade(&self->rwlock);
        assert_waits(&self->first);
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), -EAGAIN); // behind the writer
        edo_rwlock_unlock_read(&self->rwlock);
        assert_ends(&self->first, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

/* ---- cancellation ---- */

async_test(a_cancelled_writer_lets_readers_in, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_read(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        self->third = edo_rwlock_read(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_waits(&self->third);
        assert_cancelled(&self->first);
        assert_ends(&self->second, 0);
        assert_ends(&self->third, 0);
        assert_word(&self->rwlock, 3 * EDO__RWLOCK_READER);
        for (int i = 0; i < 3; i++)
            edo_rwlock_unlock_read(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(a_cancelled_waiter_leaves_no_trace, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_cancelled(&self->second);
        assert_cancelled(&self->first);
        assert_word(&self->rwlock, EDO__RWLOCK_WRITER);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(a_writer_that_was_granted_and_is_cancelled_passes_it_on, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_write(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        self->third = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_waits(&self->third);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_waits(&self->second);
        assert_cancelled(&self->first);
        assert_waits(&self->third);
        assert_cancelled(&self->second); // granted as well
        assert_ends(&self->third, 0);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(a_reader_that_was_granted_and_is_cancelled_lets_a_writer_in, CROWD)
{
    edo_body {
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        assert_int_equal(edo_rwlock_try_write(&self->rwlock), 0);
        self->first = edo_rwlock_read(&self->rwlock);
        self->second = edo_rwlock_read(&self->rwlock);
        self->third = edo_rwlock_write(&self->rwlock);
        assert_waits(&self->first);
        assert_waits(&self->second);
        assert_waits(&self->third);
        edo_rwlock_unlock_write(&self->rwlock);
        assert_cancelled(&self->first);
        assert_waits(&self->third);
        assert_ends(&self->second, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        assert_cancelled(&self->third); // granted; no waiter remains
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

async_test(without_budget_nothing_is_taken, edo_rwlock rwlock; edo_op read;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        self->read = edo_rwlock_read(&self->rwlock);
        spend_budget();
        assert_waits(&self->read);
        assert_untouched(&self->rwlock);
        edo_await_on(rc, &self->read.base);
        assert_int_equal(rc, 0);
        edo_rwlock_unlock_read(&self->rwlock);
        edo_return(0);
    }
}

struct late {
    edo_frame();
    edo_args(edo_rwlock *rwlock; bool spends;);
};

edo_async(late)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(60)));
        if (self->spends) spend_budget();
        edo_read_lock(rc, self->rwlock);
        assert_int_equal(rc, -ECANCELED);
        edo_write_lock(rc, self->rwlock);
        assert_int_equal(rc, -ECANCELED);
        edo_await(rc, edo_rwlock_read(self->rwlock));
        assert_int_equal(rc, -ECANCELED);
        edo_shield();
        edo_write_lock(rc, self->rwlock);
        assert_int_equal(rc, 0);
        edo_rwlock_unlock_write(self->rwlock);
        edo_return(1);
    }
}

async_test(in_a_cancelled_function_nothing_is_locked, edo_rwlock rwlock; edo_task *task; int i;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        for (self->i = 0; self->i < 2; self->i++) {
            assert_int_equal(edo_spawn(&self->task, late, &self->rwlock, self->i), 0);
            edo_await(rc, settle());
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 1);
        }
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

/* ---- many ---- */

enum { TASKS = 8, ROUNDS = 400, THREADS = 4 };

struct world {
    edo_rwlock rwlock;
    uint64_t here, there; // equal, except under a writer
    uint64_t writes;      // expected number
};

static void check(struct world *world)
{
    insist(world->here == world->there);
}

struct user {
    edo_frame();
    edo_args(struct world *world; uint64_t seed; bool hurries;);
    test_random random;
    uint64_t choice;
    int i;
};

edo_async(user)
{
    edo_body {
        int rc;
        self->random = test_random_make(self->seed);
        for (self->i = 0; self->i < ROUNDS; self->i++) {
            self->choice = test_random_below(&self->random, 8);
            if (self->choice < 2) {
                if (self->hurries)
                    edo_await_for(rc, (int64_t)test_random_below(&self->random, 4),
                                  edo_rwlock_write(&self->world->rwlock));
                else
                    edo_write_lock(rc, &self->world->rwlock);
                if (rc < 0) continue;
                self->world->here++;
                edo_await_void(edo_yield());
                self->world->there++;
                edo_add_relaxed(&self->world->writes, 1);
                if (self->choice == 0) {
                    edo_rwlock_unlock_write(&self->world->rwlock);
                    continue;
                }
                edo_rwlock_downgrade(&self->world->rwlock);
            } else {
                if (self->hurries)
                    edo_await_for(rc, (int64_t)test_random_below(&self->random, 4),
                                  edo_rwlock_read(&self->world->rwlock));
                else
                    edo_read_lock(rc, &self->world->rwlock);
                if (rc < 0) continue;
            }
            check(self->world);
            if (self->choice % 2)
                edo_await_void(edo_yield());
            else if (self->hurries)
                edo_await_void(edo_sleep((int64_t)test_random_below(&self->random, 4)));
            check(self->world);
            edo_rwlock_unlock_read(&self->world->rwlock);
        }
        edo_return(0);
    }
}

static void assert_written(const struct world *world)
{
    assert_int_equal(world->here, world->writes);
    assert_int_equal(world->there, world->writes);
    assert_untouched(&world->rwlock);
}

async_test(writers_exclude_all_others, struct world world; edo_scope scope; unsigned i;)
{
    edo_body {
        int rc;
        self->world = (struct world){ .rwlock = EDO_RWLOCK_INIT };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, user, &self->world, self->i, false), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_written(&self->world);
        edo_return(0);
    }
}

async_test(limits_at_random_lose_nothing, struct world world; edo_scope scope; unsigned i;)
{
    edo_body {
        int rc;
        self->world = (struct world){ .rwlock = EDO_RWLOCK_INIT };
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < TASKS; self->i++)
            assert_int_equal(edo_scope_spawn(&self->scope, user, &self->world, self->i, true), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_written(&self->world);
        edo_return(0);
    }
}

static void meet(unsigned index, void *arg)
{
    struct world *world = arg;
    if (index < 2) {
        edo_runtime *runtime;
        insist(create_runtime(NULL, &runtime) == 0);
        insist(edo_block_on(runtime, user, world, index, false) == 0);
        insist(edo_runtime_destroy(runtime) == 0);
        return;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        bool writes = i % 5 == 0;
        insist(edo_wait(writes ? edo_rwlock_write(&world->rwlock)
                               : edo_rwlock_read(&world->rwlock)) == 0);
        check(world);
        if (writes) {
            world->here++;
            world->there++;
            edo_add_relaxed(&world->writes, 1);
            edo_rwlock_unlock_write(&world->rwlock);
        } else {
            edo_rwlock_unlock_read(&world->rwlock);
        }
    }
}

test(threads_and_runtimes)
{
    struct world world = { .rwlock = EDO_RWLOCK_INIT };
    run_threads(THREADS, meet, &world);
    assert_written(&world);
}

struct loops {
    edo_frame();
    edo_args(edo_rwlock *rwlock; bool *stop;);
};

edo_async(loops)
{
    edo_body {
        int rc;
        while (!edo_load_relaxed(self->stop)) {
            edo_read_lock(rc, self->rwlock);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield());
            edo_rwlock_unlock_read(self->rwlock);
        }
        edo_return(0);
    }
}

async_test(readers_keep_no_writer_out, edo_rwlock rwlock; edo_scope scope; bool stop; int i;)
{
    edo_body {
        int rc;
        self->rwlock = (edo_rwlock)EDO_RWLOCK_INIT;
        self->stop = false;
        edo_scope_open(&self->scope, 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, loops, &self->rwlock, &self->stop), 0);
        for (self->i = 0; self->i < 100; self->i++) {
            edo_write_lock(rc, &self->rwlock);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_yield());
            edo_rwlock_unlock_write(&self->rwlock);
        }
        edo_store_relaxed(&self->stop, true);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_untouched(&self->rwlock);
        edo_return(0);
    }
}

/* ---- the last user frees it ---- */

struct counted {
    edo_rwlock rwlock;
    uint32_t references;
};

struct last_frees {
    edo_frame();
    edo_args(struct counted *counted;);
};

/* The last user locks for writing; so all others have unlocked. */
edo_async(last_frees)
{
    edo_body {
        int rc;
        edo_read_lock(rc, &self->counted->rwlock);
        assert_int_equal(rc, 0);
        edo_await_void(edo_yield());
        if (edo_sub_relaxed(&self->counted->references, 1) > 1) {
            edo_rwlock_unlock_read(&self->counted->rwlock);
            edo_return(0);
        }
        edo_rwlock_unlock_read(&self->counted->rwlock);
        edo_await_for(rc, 0, edo_rwlock_write(&self->counted->rwlock)); // may time out
        if (rc < 0) edo_write_lock(rc, &self->counted->rwlock);
        assert_int_equal(rc, 0);
        edo_rwlock_unlock_write(&self->counted->rwlock);
        edo_rwlock_deinit(&self->counted->rwlock);
        memset(self->counted, 0xee, sizeof *self->counted);
        free(self->counted);
        edo_return(0);
    }
}

async_test(the_last_writer_may_free_it, edo_scope scope; struct counted *counted; int i;)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < 100; self->i++) {
            self->counted = malloc(sizeof *self->counted);
            *self->counted = (struct counted){ EDO_RWLOCK_INIT, 4 };
            for (int i = 0; i < 4; i++)
                assert_int_equal(edo_scope_spawn(&self->scope, last_frees, self->counted), 0);
            edo_await(rc, edo_scope_join(&self->scope));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

/* ---- misuse ---- */

static void unlock_read_of_free(void *arg)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    (void)arg;
    edo_rwlock_unlock_read(&rwlock);
}

static void unlock_read_of_written(void *arg)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    (void)arg;
    insist(edo_rwlock_try_write(&rwlock) == 0);
    edo_rwlock_unlock_read(&rwlock);
}

static void unlock_write_of_read(void *arg)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    (void)arg;
    insist(edo_rwlock_try_read(&rwlock) == 0);
    edo_rwlock_unlock_write(&rwlock);
}

static void downgrade_of_read(void *arg)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    (void)arg;
    insist(edo_rwlock_try_read(&rwlock) == 0);
    edo_rwlock_downgrade(&rwlock);
}

static void end_of_read(void *arg)
{
    edo_rwlock rwlock = EDO_RWLOCK_INIT;
    (void)arg;
    insist(edo_rwlock_try_read(&rwlock) == 0);
    edo_rwlock_deinit(&rwlock);
}

test(misuse_is_named)
{
    expect_abort(unlock_read_of_free, NULL, "edo_rwlock_unlock_read: the lock is not held for re");
    expect_abort(unlock_read_of_written, NULL, "edo_rwlock_unlock_read: the lock is not held for");
    expect_abort(unlock_write_of_read, NULL, "edo_rwlock_unlock_write: the lock is not held for w");
    expect_abort(downgrade_of_read, NULL, "edo_rwlock_downgrade: the lock is not held for writing");
    expect_abort(end_of_read, NULL, "edo_rwlock_deinit: still in use");
}
