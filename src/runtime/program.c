/* edo_run() for whole programs, the runner of tests, and edo_wait() for plain threads. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/push.h"
#include "runtime/run.h"
#include "runtime/runtime.h"
#include "runtime/time/clock.h"
#include "sys/signals.h"
#include "sys/sys.h"

#include <edo/test.h>
#include <edo/wait.h>

/* ---- edo_run ---- */

/* State of edo_run(). Workers may run the root as soon as it is spawned, and the signals must be
 * subscribed by then. So the signals are subscribed before the spawn, and a handler may run before
 * `root` is set. The handler writes `waiter.word`, and then reads `root`. The spawner writes
 * `root`, and then reads `waiter.word`. Both have a seq_cst fence between the write and the read.
 * So at least one of the two sees the write of the other, and cancels the root. */
typedef struct program {
    edo_atomic(edo_task *) root;
    edo__waiter waiter;        // waiter.word shows whether a signal has arrived
    edo_atomic(bool) is_asked; // whether a handler has run
    edo__signal_subscriber signals[2];
} program;

static bool is_interrupted(const program *p)
{
    return edo_load_relaxed(&p->waiter.word) & EDO__WAITER_INTERRUPTED;
}

/* Cancels the root. Called in a signal handler. If the root is already queued, it is not pushed
 * again, so no push wakes the worker. The thread of a current-thread runtime could then sleep with
 * a limit that it computed before the cancellation (next_limit in run.c). So this function always
 * notifies the worker of a current-thread runtime. The worker's thread then does not sleep before
 * it has computed the limit again. */
static void cancel_root(program *p)
{
    edo__waiter_interrupt(&p->waiter);
    edo_fence_seq_cst();
    edo_task *root = edo_load_acquire(&p->root);
    if (!root) return;
    if (edo__task_ask(root, EDO__CANCELLED)) edo__runtime_push_foreign(root->runtime, root);
    if (!root->runtime->has_threads) edo__worker_notify(root->runtime->workers[0]);
}

/* Handles SIGINT and SIGTERM. The first signal cancels the root, and the second signal ends the
 * process. While the program has a stream of the signal (edo/signal.h), this function is not
 * called, because its subscription has the flag EDO__SIGNAL_LAST. */
static edo__signal_answer interrupt(void *context, const edo_signal_event *event)
{
    (void)event;
    program *p = context;
    if (edo_swap_acq_rel(&p->is_asked, true)) return EDO__SIGNAL_DEFAULT;
    cancel_root(p);
    return EDO__SIGNAL_TAKEN;
}

static int subscribe(program *p)
{
    static const int kinds[] = { EDO__SIGNAL_INTERRUPT, EDO__SIGNAL_TERMINATE };
    int rc = 0;
    for (unsigned i = 0; i < 2; i++) {
        p->signals[i] = (edo__signal_subscriber){
            .signal = kinds[i],
            .flags = EDO__SIGNAL_ALONE | EDO__SIGNAL_UNLESS_IGNORED | EDO__SIGNAL_LAST,
            .notify = interrupt,
            .context = p,
        };
        if (rc == 0) rc = edo__signal_subscribe(&p->signals[i]);
    }
    return rc;
}

static void unsubscribe(program *p)
{
    for (unsigned i = 0; i < 2; i++)
        edo__signal_unsubscribe(&p->signals[i]);
}

static int64_t run_until_end(edo_runtime *runtime, program *p, edo_task *root)
{
    edo_store_release(&p->root, root);
    edo_fence_seq_cst();
    if (is_interrupted(p)) edo_task_cancel(root);
    int rc = edo__run_until(runtime, root, &p->waiter);
    runtime->is_root_lost = rc == -ETIMEDOUT;
    return runtime->is_root_lost ? rc : edo__task_result(root);
}

static int64_t run_root(edo_runtime *runtime, const edo_site *site, const void *args, program *p)
{
    edo_task *root = NULL;
    bool signals = !runtime->config.ignore_signals;
    int64_t result = signals ? subscribe(p) : 0;
    if (result == 0)
        result = edo__spawn(&root, &(edo_spawn_options){ .runtime = runtime }, site, args);
    if (result == 0) result = run_until_end(runtime, p, root);
    if (signals) unsubscribe(p);
    edo_detach(root);
    return result;
}

static int exit_status(const char *name, int64_t result, bool interrupted)
{
    if (result >= 0 || (interrupted && result == -ECANCELED)) return EXIT_SUCCESS;
    edo__print_patiently("edo: %s: %s\n", name, edo_strerror(result));
    return EXIT_FAILURE;
}

int edo__run(const edo_config *config, const edo_site *site, const void *args)
{
    if (edo__in_task()) edo__misuse("edo_run", "called inside a task; spawn the function instead");
    edo_runtime *runtime;
    program p = { 0 };
    edo__sys_open_standard();
    int64_t result = edo_runtime_create(config, &runtime);
    if (result < 0) return exit_status(site->ops->name, result, false);
    result = run_root(runtime, site, args, &p);
    int64_t failure = edo_runtime_failure(runtime); // failure of another task, see edo_on_failure
    int status = EXIT_FAILURE;                      // edo_runtime_destroy() logs a lost root
    if (failure)
        status = exit_status(site->ops->name, failure, false);
    else if (!runtime->is_root_lost)
        status = exit_status(site->ops->name, result, is_interrupted(&p));
    if (edo_runtime_destroy(runtime) == -ETIMEDOUT) {
        fflush(NULL);
        edo__sys_exit_now(EXIT_FAILURE); // exit handlers could free memory of leaked tasks
    }
    return status;
}

/* ---- tests ---- */

static _Noreturn void fail_test(const edo_site *site, const char *what, int64_t error)
{
    fprintf(stderr, "edo: test %s: %s: %s\n", site->ops->name, what, edo_strerror(error));
    abort();
}

static int32_t test_workers(void)
{
    const char *text = getenv("EDO_TEST_WORKERS");
    return text ? atoi(text) : 0;
}

void edo__run_test(const edo_site *site, const void *args)
{
    edo_runtime *runtime;
    edo_config config = {
        .name = site->ops->name, .test_clock = true, .workers = test_workers(), .max_spare = -1
    };
    edo__self = (struct edo__thread){ 0 }; // an earlier test may have left its poll by longjmp()
    int64_t rc = edo_runtime_create(&config, &runtime);
    if (rc < 0) fail_test(site, "no runtime", rc);
    rc = edo__block_on(runtime, site, args);
    if (rc < 0) fail_test(site, "result", rc);
    rc = edo_runtime_destroy(runtime);
    if (rc < 0) fail_test(site, "its runtime could not be ended", rc);
}

/* ---- edo_wait: each plain thread that calls edo_wait() has its own runtime ---- */

struct wait {
    edo_frame();
    edo_args(const edo__waiting *waiting;);
};

edo_async(wait)
{
    edo_body {
        edo__note_line();
        edo__waiting_begin(self->waiting, (struct edo_any_frame *)(void *)self);
        edo__suspend_until(self->waiting->poll(self, cx));
        edo_return(edo__waiting_end(self->waiting, (struct edo_any_frame *)(void *)self));
    }
}

static edo_atomic(uint32_t) waiter_key; // key + 1; 0: the key is not made yet

static void destroy_waiter(void *runtime)
{
    edo_runtime_destroy(runtime);
}

/* Makes the key, unless the key exists. After a failure the next call tries again. */
static int make_waiter_key(void)
{
    uint32_t key, none = 0;
    if (edo_load_relaxed(&waiter_key)) return 0;
    int rc = edo__sys_key_create(&key, destroy_waiter);
    if (rc == 0 && !edo_cas_relaxed(&waiter_key, &none, key + 1)) edo__sys_key_destroy(key);
    return rc;
}

static uint32_t key_of_waiters(void)
{
    return edo_load_relaxed(&waiter_key) - 1;
}

static int waiter_create(edo_runtime **ret_runtime)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(&(edo_config){ .name = "edo_wait" }, &runtime);
    if (rc < 0) return rc;
    rc = edo__sys_key_set(key_of_waiters(), runtime);
    if (rc < 0)
        edo_runtime_destroy(runtime);
    else
        *ret_runtime = runtime;
    return rc;
}

static int waiter_of_this_thread(edo_runtime **ret_runtime)
{
    int rc = make_waiter_key();
    if (rc < 0) return rc;
    edo_runtime *runtime = edo__sys_key_get(key_of_waiters());
    if (runtime && !edo__runtime_is_stale(runtime)) {
        *ret_runtime = runtime;
        return 0;
    }
    rc = waiter_create(ret_runtime);
    if (rc == 0) edo_runtime_destroy(runtime); // the parent's runtime after a fork, or NULL
    return rc;
}

static int64_t block(const edo__waiting *waiting)
{
    if (edo__in_task())
        edo__misuse(
            "edo_wait",
            "called inside a task, whose thread it would block; await the operation instead");
    edo_runtime *runtime;
    int rc = waiter_of_this_thread(&runtime);
    if (rc < 0) return rc;
    edo__clock_follow(runtime); // deadlines of the operation are in the time of this thread's clock
    edo__self.waits = true;
    int64_t result = edo_block_on(runtime, wait, .waiting = waiting);
    edo__self.waits = false;
    return result;
}

/* Finds the parker of the fiber that this thread runs. Returns: NULL on a plain thread. In the
 * child of a fork that a fiber made, edo__self.parker is still set. But edo__in_task() is false
 * there, so this function returns NULL. */
static edo__parker *parker_here(void)
{
    return edo__self.parker && edo__in_task() ? edo__self.parker : NULL;
}

static int64_t wait_for(const edo__waiting *waiting)
{
    edo__parker *parker = parker_here();
    return parker ? parker->wait_together(parker, waiting) : block(waiting);
}

static __attribute__((noinline)) int64_t block_for(edo_future *future)
{
    return block(&(edo__waiting){ .poll = edo__poll_one, .children = &future, .count = 1 });
}

/* Keeps a function that parks from being inlined, even by link-time optimisation. After the wait,
 * the fiber may run on another thread. If the function were inlined, the compiler could compute the
 * address of a thread-local variable before the wait and use it after the wait. */
#define PARKS __attribute__((noinline))

/* This function makes only tail calls, because a tail call needs no return. After a switch of
 * stacks, the processor mispredicts each return, so each return that is saved speeds up the resumed
 * fiber. */
PARKS int64_t edo__wait(edo_future *future, const char *file, uint32_t line)
{
    edo__parker *parker = parker_here();
    return edo__likely(parker != NULL) ? parker->wait(parker, future, file, line)
                                       : block_for(future);
}

PARKS int64_t edo__wait_until(edo_future *future, int64_t deadline, const char *file, uint32_t line)
{
    return wait_for(&(edo__waiting){ .poll = edo__poll_limited,
                                     .children = &future,
                                     .count = 1,
                                     .begin = deadline,
                                     .file = file,
                                     .line = line });
}

static edo_poll (*const polls[EDO__WAITS])(void *, edo_cx *) = {
    [EDO__WAIT_ALL] = edo__poll_all,       [EDO__WAIT_TRY_ALL] = edo__poll_try_all,
    [EDO__WAIT_SELECT] = edo__poll_select, [EDO__WAIT_SELECT_BIASED] = edo__poll_select_biased,
    [EDO__WAIT_ANY] = edo__poll_any,
};

static bool is_choice(uint32_t way)
{
    return way >= EDO__WAIT_SELECT;
}

PARKS int64_t edo__wait_together(uint32_t way, edo_future *const *children, size_t count,
                                 const char *file, uint32_t line)
{
    return wait_for(&(edo__waiting){ .poll = polls[way],
                                     .children = children,
                                     .count = count,
                                     .begin = is_choice(way) ? -1 : 0,
                                     .file = file,
                                     .line = line });
}

PARKS int64_t edo__wait_array(uint32_t way, edo_future *first, size_t count, size_t stride,
                              const char *file, uint32_t line)
{
    if (!count) return is_choice(way) ? -EINVAL : 0;
    return wait_for(&(edo__waiting){ .poll = polls[way],
                                     .array = first,
                                     .stride = stride,
                                     .count = count,
                                     .begin = is_choice(way) ? -1 : 0,
                                     .file = file,
                                     .line = line });
}
