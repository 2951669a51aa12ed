/* Blocking pools: threads that start and end; jobs that are submitted, cancelled and run. The pool
 * is the real code. Tasks are threads of the model that sleep on an event, and a wait with a
 * deadline times out whenever the checker chooses.
 *
 * model-sources: runtime/pool/pool.c task/wait_list.c
 */
#include <string.h>

#include "model/model.h"
#include "runtime/pool/pool.h"
#include "task/task.h"

/* ---- the system: threads, and waits that time out ---- */

enum { JOBS = 3 };

typedef struct waiter {
    edo_task task; // head: the waker; wakes are chained through queue_next
    model_event event;
} waiter;

static struct {
    edo_pool *pool;
    struct {
        void *(*run)(void *);
        void *arg;
    } starts[MODEL_THREADS];
    int64_t now[MODEL_THREADS]; // clock per thread; only the thread's own waits move it
    int start_count, refusals;  // starts of threads; number of starts that may fail
    bool refuses_all;
    void (*while_refused)(void); // runs while a start is refused; may be NULL

    edo_op jobs[JOBS];
    waiter waiters[JOBS];
    bool ran[JOBS];
    model_event met;
    unsigned released;
} * s;

static int64_t pool_now(void)
{
    return s->now[model_self()];
}

static void wait_until(uint32_t *word, uint32_t value, int64_t deadline)
{
    if (deadline != EDO_NEVER && model_choose(2))
        s->now[model_self()] = deadline;
    else
        model_futex_wait(word, value, MODEL_HERE);
}

#define edo__sys_now              pool_now
#define edo__sys_futex_wait_until wait_until
#include "runtime/pool/pool_thread.c"
#undef edo__sys_now
#undef edo__sys_futex_wait_until

static void begin_thread(void *start)
{
    int index = (int)(intptr_t)start;
    s->starts[index].run(s->starts[index].arg);
}

int edo__sys_thread_start(void *(*run)(void *), void *arg, size_t stack_size,
                          edo__sys_thread *ret_thread)
{
    (void)stack_size;
    if (s->refuses_all && s->while_refused) s->while_refused();
    if (s->refuses_all) return -EAGAIN;
    if (s->refusals && model_choose(2)) {
        s->refusals--;
        return -EAGAIN;
    }
    int index = s->start_count++;
    s->starts[index].run = run;
    s->starts[index].arg = arg;
    *ret_thread = (edo__sys_thread)model_start(begin_thread, (void *)(intptr_t)index);
    return 0;
}

edo__sys_thread edo__sys_thread_self(void)
{
    return (edo__sys_thread)model_self();
}

void edo__sys_thread_join(edo__sys_thread thread)
{
    model_join((int)thread);
}

void edo__sys_thread_detach(edo__sys_thread thread)
{
    (void)thread;
}

void edo__sys_thread_name(const char *name)
{
    (void)name;
}

/* ---- tasks ---- */

edo_wakeable *edo__wake_prepare(edo_wakeable *waker)
{
    return waker;
}

void edo__wake_commit(edo_wakeable *waker)
{
    if (waker) model_post(&((waiter *)(void *)waker)->event);
}

void edo__task_push_chain(edo_task *chain)
{
    while (chain) {
        edo_task *next = chain->queue_next;
        edo__wake_commit(&chain->head);
        chain = next;
    }
}

static void set_up(const edo_pool_config *config)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    model_assert(edo_pool_create(config, &s->pool) == 0);
}

static int64_t run(void *arg)
{
    int i = (int)(intptr_t)arg;
    edo_plain_write(&s->ran[i]);
    s->ran[i] = true;
    return i;
}

static int submit_fn(int i, edo_blocking_fn fn)
{
    s->jobs[i] = edo__op(NULL, s->pool, (void *)(intptr_t)i, (uintptr_t)fn, EDO__JOB_NEW);
    return edo__pool_submit(s->pool, &s->jobs[i], &s->waiters[i].task.head);
}

static int submit(int i)
{
    return submit_fn(i, run);
}

static edo_cx cx_of(int i, edo_fate fate)
{
    return (edo_cx){ .fate = (uint8_t)fate, .waker = &s->waiters[i].task.head };
}

/* Polls with this fate to the end: a fate is sticky. */
static int64_t end_of(int i, edo_fate fate)
{
    bool gone;
    edo_cx cx = cx_of(i, fate);
    while (edo__pool_poll(s->pool, &s->jobs[i], &cx, &gone) == EDO_PENDING)
        model_wait(&s->waiters[i].event);
    return s->jobs[i].base.result;
}

static void check_ran(int i)
{
    model_assert(end_of(i, EDO_LIVE) == i);
    edo_plain_read(&s->ran[i]);
    model_assert(s->ran[i]);
}

static void run_one(void *arg)
{
    int i = (int)(intptr_t)arg;
    model_assert(submit(i) == 0);
    check_ran(i);
}

/* ---- models ---- */

static const edo_pool_config lasting = { .max_threads = 1, .keep_alive = EDO_NEVER };
static const edo_pool_config fleeting = { .max_threads = 1, .keep_alive = 1 };
static const edo_pool_config pair = { .max_threads = 2, .keep_alive = EDO_NEVER };

MODEL(hand_over_or_time_out, "a job reaches a thread that falls asleep, sleeps, or ends")
{
    set_up(&fleeting);
    run_one((void *)0);
    run_one((void *)1);
    edo_pool_destroy(s->pool);
}

MODEL(two_at_the_limit, "no job is left behind when all threads are busy")
{
    set_up(&lasting);
    int other = model_start(run_one, (void *)1);
    run_one((void *)0);
    model_join(other);
    edo_pool_destroy(s->pool);
}

MODEL(queue_at_the_limit, "nor where some wait for a place in the queue")
{
    set_up(&(edo_pool_config){ .max_threads = 1, .max_queue = 1, .keep_alive = EDO_NEVER });
    for (int i = 0; i < JOBS; i++)
        model_assert(submit(i) == 0);
    for (int i = 0; i < JOBS; i++)
        check_ran(i);
    edo_pool_destroy(s->pool);
}

static int submit_room(int i)
{
    s->jobs[i] = edo__op(NULL, s->pool, NULL, 0, EDO__JOB_ROOM);
    return edo__pool_submit(s->pool, &s->jobs[i], &s->waiters[i].task.head);
}

MODEL(room_in_line,
      "who waits for room is told, before a job behind, and also when one is cancelled")
{
    set_up(&(edo_pool_config){ .max_threads = 1, .max_queue = 1, .keep_alive = EDO_NEVER });
    model_assert(submit(0) == 0);
    model_assert(submit_room(1) == 0);
    model_assert(submit(2) == 0);
    int64_t result = end_of(0, EDO_CANCELLED);
    model_assert(result == 0 || result == -ECANCELED);
    model_assert(end_of(1, EDO_LIVE) == 0);
    check_ran(2);
    edo_pool_destroy(s->pool);
}

MODEL(room_is_told, "who waits for room sleeps until a thread takes a job")
{
    set_up(&(edo_pool_config){ .max_threads = 1, .max_queue = 1, .keep_alive = EDO_NEVER });
    model_assert(submit(0) == 0);
    model_assert(submit_room(1) == 0);
    model_assert(end_of(1, EDO_LIVE) == 0);
    check_ran(0);
    edo_pool_destroy(s->pool);
}

/* A job that ends only when two of them run. */
static int64_t meet(void *arg)
{
    model_event *own = &s->waiters[2].event, *others = &s->met;
    bool first = arg == NULL;
    model_post(first ? own : others);
    model_wait(first ? others : own);
    return (int64_t)(intptr_t)arg;
}

MODEL(jobs_that_need_each_other, "as many threads come as there are jobs, one calling the next")
{
    set_up(&pair);
    model_assert(submit_fn(0, meet) == 0);
    model_assert(submit_fn(1, meet) == 0);
    model_assert(end_of(0, EDO_LIVE) == 0);
    model_assert(end_of(1, EDO_LIVE) == 1);
    edo_pool_destroy(s->pool);
}

MODEL(cancel_against_start, "a cancelled job was not run, or it answers its result")
{
    set_up(&lasting);
    edo_pool_stats stats;
    model_assert(submit(0) == 0);
    int64_t result = end_of(0, EDO_CANCELLED);
    model_assert(result == 0 || result == -ECANCELED);
    edo_pool_read(s->pool, &stats);
    model_assert(stats.threads == 1 && stats.queued == 0);
    edo_pool_destroy(s->pool);
    model_assert(s->ran[0] == (result == 0));
}

static void submit_late(void *arg)
{
    (void)arg;
    int rc = submit(0);
    int64_t result = rc == 0 ? end_of(0, EDO_LIVE) : rc;
    model_assert(result == -ESHUTDOWN || (result == 0 && s->ran[0]));
    edo__pool_unref(s->pool);
}

MODEL(submit_against_end, "a job that races with the end of its pool runs, or is refused")
{
    set_up(&lasting);
    edo__pool_ref(s->pool);
    int other = model_start(submit_late, NULL);
    edo_pool_destroy(s->pool);
    model_join(other);
}

static void submit_one(void *arg)
{
    (void)arg;
    int rc = submit(1);
    model_assert(rc == 0 || rc == -ESHUTDOWN);
    edo__pool_unref(s->pool);
}

MODEL(call_against_end, "a thread is not freed before the end of the call that woke it")
{
    set_up(&lasting);
    run_one((void *)0);
    edo__pool_ref(s->pool);
    int other = model_start(submit_one, NULL);
    edo_pool_destroy(s->pool);
    model_join(other);
}

MODEL(end_with_jobs, "the end of a pool finds jobs and threads in every state")
{
    set_up(&fleeting);
    edo__pool_ref(s->pool);
    model_assert(submit(0) == 0);
    model_assert(submit(1) == 0);
    edo_pool_destroy(s->pool);
    for (int i = 0; i < 2; i++) {
        int64_t result = end_of(i, EDO_LIVE);
        model_assert(s->ran[i] ? result == i : result == -ESHUTDOWN);
    }
    edo__pool_unref(s->pool);
}

/* ---- threads that are refused ---- */

MODEL(refused_thread, "without a thread a job fails, and the next one tries anew")
{
    set_up(&lasting);
    s->refusals = 1;
    model_assert(submit(0) == 0);
    model_assert(submit(1) == 0);
    for (int i = 0; i < 2; i++) {
        int64_t result = end_of(i, EDO_LIVE);
        model_assert(s->ran[i] ? result == i : result == -EAGAIN);
    }
    edo_pool_destroy(s->pool);
}

MODEL(refused_second_thread, "with a thread, jobs wait for that one")
{
    set_up(&pair);
    run_one((void *)0);
    s->refuses_all = true;
    model_assert(submit(1) == 0);
    model_assert(submit(2) == 0);
    check_ran(1);
    check_ran(2);
    edo_pool_destroy(s->pool);
}

/* Ends the jobs of the first thread, which becomes idle, and then submits another job. */
static void submit_to_idle(void)
{
    model_post(&s->met);
    model_assert(end_of(0, EDO_LIVE) == 0);
    check_ran(1);
    model_assert(submit(2) == 0);
}

MODEL(refused_beside_idle, "a job that comes while a start is refused reaches an idle thread")
{
    set_up(&pair);
    model_assert(submit_fn(0, meet) == 0);
    model_wait(&s->waiters[2].event); // the first thread runs the job
    s->refuses_all = true;
    s->while_refused = submit_to_idle;
    model_assert(submit(1) == 0);
    check_ran(2);
    edo_pool_destroy(s->pool);
}

/* ---- detached jobs ---- */

typedef struct detached {
    edo__detached head;
    int64_t found;
} detached;

static int64_t find(void *arg)
{
    detached *job = arg;
    edo_plain_write(&job->found);
    job->found = 1;
    return 0;
}

static void release(edo__detached *job)
{
    edo_plain_write(&((detached *)job)->found);
    s->released++;
    edo__free(job, sizeof(detached));
}

MODEL(detached_against_end, "an abandoned job is freed once, when it has ended or at once")
{
    bool gone;
    set_up(&lasting);
    detached *job = edo__alloc(sizeof *job);
    *job = (detached){ .head.release = release };
    job->head.op = edo__op(NULL, NULL, job, (uintptr_t)find, EDO__JOB_DETACHED);
    model_assert(edo__pool_submit(s->pool, &job->head.op, &s->waiters[0].task.head) == 0);
    edo_cx cx = cx_of(0, EDO_CANCELLED);
    model_assert(edo__pool_poll(s->pool, &job->head.op, &cx, &gone) == EDO_READY);
    if (!gone) release(&job->head);
    edo__pool_close(s->pool, false); // its thread may be detached while it runs the job
    edo__pool_unref(s->pool);
}
