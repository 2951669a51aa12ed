/* Locks for plain threads, each beside that of pthread in the same run: uncontended, and with two and
 * four threads; readers; two threads that notify each other. */
#include <pthread.h>

#include "bench.h"

enum { OPS = 2000000, ROUNDS = 50000, MAX_THREADS = 4, OUTSIDE = 16 };

static struct {
    edo_thread_mutex mutex;
    edo_thread_cond conds[2];
    edo_thread_rwlock rwlock;
    pthread_mutex_t their_mutex;
    pthread_cond_t their_conds[2];
    pthread_rwlock_t their_rwlock;
    pthread_barrier_t begin;
    int64_t total, turn, ops_each;
} own = { .their_mutex = PTHREAD_MUTEX_INITIALIZER,
          .their_conds = { PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER },
          .their_rwlock = PTHREAD_RWLOCK_INITIALIZER };

/* Work between two critical sections, some 20 ns. */
static void work_outside(void)
{
    for (volatile int i = 0; i < OUTSIDE; i++)
        ;
}

/* ---- bodies of threads ---- */

static void *lock_mutex(void *arg)
{
    pthread_barrier_wait(&own.begin);
    for (int64_t i = 0; i < own.ops_each; i++) {
        edo_thread_mutex_lock(&own.mutex);
        own.total++;
        edo_thread_mutex_unlock(&own.mutex);
        if (arg) work_outside();
    }
    return NULL;
}

static void *lock_their_mutex(void *arg)
{
    pthread_barrier_wait(&own.begin);
    for (int64_t i = 0; i < own.ops_each; i++) {
        pthread_mutex_lock(&own.their_mutex);
        own.total++;
        pthread_mutex_unlock(&own.their_mutex);
        if (arg) work_outside();
    }
    return NULL;
}

static void *read_rwlock(void *arg)
{
    pthread_barrier_wait(&own.begin);
    for (int64_t i = 0; i < own.ops_each; i++) {
        edo_thread_rwlock_read(&own.rwlock);
        (void)*(volatile int64_t *)&own.total;
        edo_thread_rwlock_unlock_read(&own.rwlock);
        if (arg) work_outside();
    }
    return NULL;
}

static void *read_their_rwlock(void *arg)
{
    pthread_barrier_wait(&own.begin);
    for (int64_t i = 0; i < own.ops_each; i++) {
        pthread_rwlock_rdlock(&own.their_rwlock);
        (void)*(volatile int64_t *)&own.total;
        pthread_rwlock_unlock(&own.their_rwlock);
        if (arg) work_outside();
    }
    return NULL;
}

static void *play(void *arg)
{
    int64_t mine = arg != NULL;
    pthread_barrier_wait(&own.begin);
    edo_thread_mutex_lock(&own.mutex);
    for (int64_t i = 0; i < own.ops_each; i++) {
        while (own.turn != mine)
            edo_thread_cond_wait(&own.conds[mine], &own.mutex);
        own.turn = !mine;
        edo_thread_cond_notify_one(&own.conds[!mine]);
    }
    edo_thread_mutex_unlock(&own.mutex);
    return NULL;
}

static void *play_theirs(void *arg)
{
    int64_t mine = arg != NULL;
    pthread_barrier_wait(&own.begin);
    pthread_mutex_lock(&own.their_mutex);
    for (int64_t i = 0; i < own.ops_each; i++) {
        while (own.turn != mine)
            pthread_cond_wait(&own.their_conds[mine], &own.their_mutex);
        own.turn = !mine;
        pthread_cond_signal(&own.their_conds[!mine]);
    }
    pthread_mutex_unlock(&own.their_mutex);
    return NULL;
}

/* ---- runs ---- */

/* Returns: nanoseconds per operation, of ops in all. */
static double run(void *(*body)(void *), int threads, int64_t ops)
{
    pthread_t ids[MAX_THREADS];
    own.ops_each = ops / threads;
    own.turn = 0;
    pthread_barrier_init(&own.begin, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        void *arg = body == play || body == play_theirs ? (void *)(uintptr_t)i
                                                        : (void *)(uintptr_t)(threads > 1);
        bench_require(-pthread_create(&ids[i], NULL, body, arg), "thread");
    }
    int64_t start = bench_now();
    pthread_barrier_wait(&own.begin);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    pthread_barrier_destroy(&own.begin);
    return (double)(bench_now() - start) / (double)ops;
}

static void run_for_each_count(void *(*ours)(void *), void *(*theirs)(void *), double *ret_values)
{
    for (int threads = 1; threads <= MAX_THREADS; threads *= 2) {
        *ret_values++ = run(ours, threads, OPS);
        *ret_values++ = run(theirs, threads, OPS);
    }
}

static void mutex_once(edo_runtime *runtime, double *ret_values)
{
    (void)runtime;
    run_for_each_count(lock_mutex, lock_their_mutex, ret_values);
}

static void rwlock_once(edo_runtime *runtime, double *ret_values)
{
    (void)runtime;
    run_for_each_count(read_rwlock, read_their_rwlock, ret_values);
}

static void cond_once(edo_runtime *runtime, double *ret_values)
{
    (void)runtime;
    ret_values[0] = run(play, 2, 2 * ROUNDS);
    ret_values[1] = run(play_theirs, 2, 2 * ROUNDS);
}

int bench_thread_mutex(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = {
        { "thread_mutex_1", "ns/op" }, { "pthread_mutex_1", "ns/op" },
        { "thread_mutex_2", "ns/op" }, { "pthread_mutex_2", "ns/op" },
        { "thread_mutex_4", "ns/op" }, { "pthread_mutex_4", "ns/op" },
    };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, mutex_once, lines, sizeof lines / sizeof *lines);
    return 0;
}

int bench_thread_rwlock(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = {
        { "thread_readers_1", "ns/op" }, { "pthread_readers_1", "ns/op" },
        { "thread_readers_2", "ns/op" }, { "pthread_readers_2", "ns/op" },
        { "thread_readers_4", "ns/op" }, { "pthread_readers_4", "ns/op" },
    };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, rwlock_once, lines, sizeof lines / sizeof *lines);
    return 0;
}

int bench_thread_cond(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "thread_cond_pingpong", "ns/op" },
                                        { "pthread_cond_pingpong", "ns/op" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, cond_once, lines, sizeof lines / sizeof *lines);
    return 0;
}
