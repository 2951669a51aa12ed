/* edo-test: once */
/* Calls on another thread, in a signal handler: made on that thread or not at all, and never after
 * the request has ended, however late the signal comes. */
#include "runtime/fixture.h"

#include <sched.h>
#include <signal.h>

#include "base/atomic.h"
#include "sys/sys.h"

enum { TARGETS = 2, REQUESTS = 400 };

static struct {
    edo__sys_thread targets[TARGETS];
    edo_atomic(uint32_t) numbers[TARGETS];
    edo_atomic(bool) ends;
    edo_atomic(uint32_t) calls;
} world;

typedef struct request {
    uint32_t thread;
    edo_atomic(bool) is_over;
} request;

static void note_call(void *context)
{
    request *r = context;
    insist(r->thread == edo__sys_thread_id());
    insist(!edo_load_relaxed(&r->is_over));
    edo_add_relaxed(&world.calls, 1);
}

static void *spin(void *number)
{
    edo_store_release((uint32_t *)number, edo__sys_thread_id());
    while (!edo_load_acquire(&world.ends))
        continue;
    return NULL;
}

/* Every second request has an expired deadline, so its signal comes late. */
clean_test(call_is_there_or_nowhere)
{
    static request requests[REQUESTS];
    uint32_t answered = 0;
    for (unsigned i = 0; i < TARGETS; i++) {
        assert_int_equal(edo__sys_thread_start(spin, &world.numbers[i], 0, &world.targets[i]), 0);
        while (!edo_load_acquire(&world.numbers[i]))
            sched_yield();
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        requests[i].thread = world.numbers[i % TARGETS];
        int64_t deadline = i % 2 ? edo__sys_now() + edo_s(60) : 0;
        int rc = edo__sys_interrupt(requests[i].thread, note_call, &requests[i], deadline);
        edo_store_relaxed(&requests[i].is_over, true);
        assert_true(rc == 0 || (rc == -ETIMEDOUT && i % 2 == 0));
        answered += rc == 0;
    }
    assert_int_equal(edo_load_relaxed(&world.calls), answered);
    edo_store_release(&world.ends, true);
    for (unsigned i = 0; i < TARGETS; i++)
        edo__sys_thread_join(world.targets[i]);
}

/* Blocks the signal until it is released. */
typedef struct deaf {
    request request;
    edo_atomic(uint32_t) number;
    edo_atomic(bool) is_asked, hears;
} deaf;

static void *be_deaf(void *arg)
{
    deaf *self = arg;
    sigset_t urgent, pending;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGURG);
    pthread_sigmask(SIG_BLOCK, &urgent, NULL);
    self->request.thread = edo__sys_thread_id();
    edo_store_release(&self->number, self->request.thread);
    do {
        sched_yield();
        sigpending(&pending);
    } while (!sigismember(&pending, SIGURG));
    edo_store_release(&self->is_asked, true);
    while (!edo_load_acquire(&self->hears))
        sched_yield();
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
    return NULL;
}

static void *ask_deaf(void *arg)
{
    deaf *self = arg;
    int64_t deadline = edo__sys_now() + edo_s(60);
    int rc = edo__sys_interrupt(self->number, note_call, &self->request, deadline);
    return (void *)(intptr_t)rc;
}

static void ask_in_child(void *number)
{
    int rc = edo__sys_interrupt(*(uint32_t *)number, note_call, NULL, 0);
    assert_int_equal(rc, -ESRCH); // a thread of the parent
}

clean_test(fork_amid_a_request)
{
    deaf other = { .number = 0 };
    pthread_t threads[2];
    void *result;
    assert_int_equal(pthread_create(&threads[0], NULL, be_deaf, &other), 0);
    while (!edo_load_acquire(&other.number))
        sched_yield();
    assert_int_equal(pthread_create(&threads[1], NULL, ask_deaf, &other), 0);
    while (!edo_load_acquire(&other.is_asked))
        sched_yield();
    expect_success_in_child(ask_in_child, &other.number);
    edo_store_release(&other.hears, true);
    assert_int_equal(pthread_join(threads[0], NULL), 0);
    assert_int_equal(pthread_join(threads[1], &result), 0);
    assert_null(result);
}
