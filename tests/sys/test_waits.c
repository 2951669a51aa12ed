/* edo-test: once. Waits that fail: the call is denied, or its descriptor is closed. A permanent
 * failure ends the process with one line, instead of spinning or sleeping for ever. */
#include "runtime/fixture.h"

#include <edo/features.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include "runtime/runtime.h"
#include "support/refusal.h"
#include "support/streams.h"

enum { LIMIT = 60 }; // seconds until a hang is a failure

static char epoll_name[] = "epoll", io_uring_name[] = "io_uring";

/* ---- a call that is denied ---- */

struct reads_with_limit {
    edo_frame();
    edo_args();
    edo_runtime *runtime;
    edo_io *io;
    pthread_t writer;
    int peer;
    char byte;
};

static void await_parked(const edo_runtime *runtime)
{
    while (edo_load_acquire(&runtime->workers[0]->park) != EDO__PARKED)
        sched_yield();
}

/* From outside, once the runtime sleeps. */
static void *write_later(void *arg)
{
    struct reads_with_limit *reader = arg;
    await_parked(reader->runtime);
    fd_write_all(reader->peer, "x", 1);
    return NULL;
}

edo_async(reads_with_limit)
{
    edo_body {
        int64_t n;
        self->io = open_stream(PIPE_STREAM, &self->peer);
        self->runtime = edo_current_runtime();
        insist(pthread_create(&self->writer, NULL, write_later, self) == 0);
        edo_await_for(n, edo_s(LIMIT), edo_read(self->io, &self->byte, 1));
        insist(pthread_join(self->writer, NULL) == 0);
        edo_close(self->io);
        close(self->peer);
        edo_return(n);
    }
}

static void read_under_filter(void *error)
{
    edo_runtime *runtime;
    insist(edo_runtime_create(&(edo_config){ .driver = "epoll" }, &runtime) == 0);
    refuse_call(SYS_epoll_pwait2, *(int *)error);
    insist(edo_block_on(runtime, reads_with_limit) == 1);
    insist(edo_runtime_destroy(runtime) == 0);
}

test(newer_call_is_denied)
{
    int errors[] = { EPERM, EACCES, ENOSYS, EINVAL };
    for (size_t i = 0; i < ARRAY_LENGTH(errors); i++)
        expect_success_in_child(read_under_filter, &errors[i]);
}

static void sleep_under_filter(void *call)
{
    edo_runtime *runtime;
    alarm(LIMIT);
    const char *driver = *(long *)call == SYS_io_uring_enter ? "io_uring" : "epoll";
    insist(edo_runtime_create(&(edo_config){ .driver = driver }, &runtime) == 0);
    refuse_call(*(long *)call, EPERM);
    edo_block_on(runtime, reads_with_limit);
}

test(wait_itself_is_denied)
{
    long enter = SYS_io_uring_enter;
#ifdef SYS_epoll_wait
    long wait = SYS_epoll_wait;
    expect_abort(sleep_under_filter, &wait, "edo: epoll_wait: .*can no longer wait");
#endif
    if (EDO_HAS_IO_URING)
        expect_abort(sleep_under_filter, &enter, "edo: io_uring: .*can no longer wait");
}

/* ---- the program closes all descriptors that it does not know ---- */

static void close_all(void)
{
    if (syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
    for (int fd = 3; fd < 1024; fd++) // a kernel before 5.9
        close(fd);
}

struct closes_all {
    edo_frame();
    edo_args();
};

edo_async(closes_all)
{
    edo_body {
        int rc;
        close_all();
        edo_await(rc, edo_sleep(edo_ms(2)));
        edo_return(rc);
    }
}

static void close_all_in_task(void *driver)
{
    edo_runtime *runtime;
    alarm(LIMIT);
    insist(edo_runtime_create(&(edo_config){ .driver = driver }, &runtime) == 0);
    edo_block_on(runtime, closes_all);
}

test(descriptors_closed_by_task)
{
    expect_abort(close_all_in_task, epoll_name, "edo: epoll_wait: .*can no longer wait");
}

/* The worker sleeps, and could not be woken for a task. */
static void close_all_beside_worker(void *driver)
{
    edo_runtime *runtime;
    alarm(LIMIT);
    edo_config config = { .driver = driver, .workers = 1, .max_spare = -1 };
    insist(edo_runtime_create(&config, &runtime) == 0);
    await_parked(runtime);
    while (!thread_sleeps((int)edo_load_relaxed(&runtime->workers[0]->thread_id)))
        sched_yield(); // until the wait has begun, which would name a closed descriptor
    close_all();
    edo_block_on(runtime, closes_all);
}

test(descriptors_closed_beside_workers)
{
    expect_abort(close_all_beside_worker, epoll_name,
                 "edo: eventfd: a runtime can no longer be woken");
    if (!EDO_HAS_IO_URING) return;
    expect_abort(close_all_beside_worker, io_uring_name,
                 "edo: eventfd: a runtime can no longer be woken");
}

/* ---- a foreign loop ---- */

static void close_timer(void *driver)
{
    edo_runtime *runtime;
    insist(edo_runtime_create(&(edo_config){ .driver = driver }, &runtime) == 0);
    insist(edo_runtime_fd(runtime) >= 0);
    close(runtime->timer_fd);
    edo_turn(runtime, 0);
}

test(timer_of_a_foreign_loop)
{
    expect_abort(close_timer, epoll_name, "edo: timerfd_settime: .*can no longer wait");
    if (!EDO_HAS_IO_URING) return;
    expect_abort(close_timer, io_uring_name, "edo: timerfd_settime: .*can no longer wait");
}
