/* Runtimes, programs and plain threads, with each request failing. */
#include "faults/sweep.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- making one, and two in one process ---- */

static int64_t two_runtimes(void)
{
    edo_runtime *first, *second;
    int rc = edo_runtime_create(NULL, &first);
    if (rc < 0) return rc;
    rc = edo_runtime_create(&(edo_config){ .driver = "epoll" }, &second);
    if (rc == 0) assert_int_equal(edo_runtime_destroy(second), 0);
    assert_int_equal(edo_runtime_destroy(first), 0);
    return rc;
}
fault_test(two_runtimes)

/* ---- tasks that are alive when their runtime ends ---- */

struct sleeper {
    edo_frame();
    edo_args();
};

edo_async(sleeper)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_return(rc);
    }
}

static int64_t drain(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return rc;
    edo_spawn_options options = { .runtime = runtime };
    edo_task *task;
    rc = edo_spawn_with(&task, &options, sleeper);
    if (rc == 0) {
        edo_turn(runtime, 0);
        edo_detach(task);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return rc;
}
fault_test(drain)

/* ---- a foreign loop ---- */

struct short_nap {
    edo_frame();
    edo_args();
};

edo_async(short_nap)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_us(100)));
        edo_return(rc);
    }
}

static int64_t turn_in_loop(edo_runtime *runtime)
{
    edo_spawn_options options = { .runtime = runtime };
    struct pollfd loop = { .fd = edo_runtime_fd(runtime), .events = POLLIN };
    if (loop.fd < 0) return loop.fd;
    edo_task *task;
    int rc = edo_spawn_with(&task, &options, short_nap);
    if (rc < 0) return rc;
    while (!edo_task_is_done(task)) {
        assert_int_equal(poll(&loop, 1, -1), 1);
        while (edo_turn(runtime, 0) > 0)
            continue;
    }
    edo_detach(task);
    return 0;
}

static int64_t foreign_loop(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return rc;
    int64_t result = turn_in_loop(runtime);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return result;
}
fault_test(foreign_loop)

/* ---- a plain thread that waits ---- */

static void *wait_twice(void *arg)
{
    int64_t *result = arg;
    *result = edo_wait(edo_sleep(1));
    if (*result == 0) *result = edo_wait(edo_yield());
    return NULL;
}

static int64_t wait_on_a_thread(void)
{
    pthread_t thread;
    int64_t result = 1;
    assert_int_equal(pthread_create(&thread, NULL, wait_twice, &result), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return result;
}
fault_test(wait_on_a_thread)

/* ---- spawning from another thread ---- */

struct foreign {
    edo_runtime *runtime;
    edo_task *task;
    int rc;
};

static void *spawn_from_there(void *arg)
{
    struct foreign *foreign = arg;
    edo_spawn_options options = { .runtime = foreign->runtime };
    foreign->rc = edo_spawn_with(&foreign->task, &options, short_nap);
    edo_runtime_unref(foreign->runtime);
    return NULL;
}

static int64_t foreign_spawn(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return rc;
    struct foreign foreign = { .runtime = edo_runtime_ref(runtime) };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, spawn_from_there, &foreign), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (foreign.rc == 0) {
        while (!edo_task_is_done(foreign.task))
            edo_turn(runtime, EDO_NEVER);
        edo_detach(foreign.task);
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return foreign.rc;
}
fault_test(foreign_spawn)

/* ---- with threads of its own, beside the workers ---- */

static int64_t on_quit(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(&(edo_config){ .stall_limit = edo_s(1), .dump_on_quit = true },
                                &runtime);
    if (rc < 0) return rc;
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return 0;
}
fault_test(on_quit)

/* ---- whole programs: the errno is not in the status, but in the line on stderr ---- */

static int64_t program(void)
{
    int status = edo_run(short_nap);
    if (status == EXIT_SUCCESS) return 0;
    assert_int_equal(status, EXIT_FAILURE);
    assert_true(faults_hit());
    return 0;
}
fault_test(program)

/* ---- after fork: the child has a runtime of its own ---- */

static int64_t in_forked(edo_runtime *inherited)
{
    if (edo_turn(inherited, 0) != -ESTALE) return -EPROTO;
    int64_t rc = on_runtime(short_nap);
    edo_runtime_destroy(inherited);
    return rc;
}

static int64_t forked(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return rc;
    pid_t child = quiet_fork();
    assert_return_code(child, errno);
    if (child == 0) _exit((int)-in_forked(runtime));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return -WEXITSTATUS(status);
}
fault_test(forked)
