/* edo-test: once. A runtime has one kind of driver, chosen when the runtime is made. A later helper
 * has a driver of the same kind, or is not made. */
#include "runtime/fixture.h"

#include "driver/drivers.h"

#include <edo/features.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "runtime/runtime.h"
#include "support/refusal.h"

/* ---- a driver that can be refused: epoll under another name ---- */

static struct {
    edo_driver_ops ops;
    edo_atomic(uint32_t) opened, closed, refused;
    edo_atomic(uint32_t) allowed; // drivers that may still be opened
    char argument[16];            // argument of the last open
} fickle;

static const edo_driver_ops *epoll(void)
{
    return edo__driver_named("epoll");
}

static int fickle_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                       const char **ret_reason)
{
    *ret_reason = "refused";
    strncpy(fickle.argument, argument ? argument : "none", sizeof fickle.argument - 1);
    if (!edo_load_acquire(&fickle.allowed)) {
        edo_add_acq_rel(&fickle.refused, 1);
        return -EPERM;
    }
    int rc = epoll()->open(runtime, NULL, ret_driver, ret_reason);
    insist(rc == 0);
    (*ret_driver)->ops = &fickle.ops;
    edo_sub_acq_rel(&fickle.allowed, 1);
    edo_add_acq_rel(&fickle.opened, 1);
    return 0;
}

static void fickle_close(edo_driver *driver)
{
    edo_add_acq_rel(&fickle.closed, 1);
    epoll()->close(driver);
}

static const edo_driver_ops *chaos;

static int set_up_fickle(void **state)
{
    memset(&fickle, 0, sizeof fickle);
    fickle.ops = *epoll();
    fickle.ops.name = "fickle";
    fickle.ops.open = fickle_open;
    fickle.ops.close = fickle_close;
    chaos = edo__driver_named("chaos"); // one can be registered
    edo__driver_register(&fickle.ops);
    return set_up(state);
}

static int tear_down_fickle(void **state)
{
    edo__driver_register(chaos);
    assert_int_equal(fickle.closed, fickle.opened);
    return tear_down(state);
}

#define fickle_test(name)                                                                          \
    fixture(set_up_fickle, tear_down_fickle)                                                       \
    test(name)

/* ---- tasks that occupy their workers ---- */

enum { MAX_STUCK = 3 };

typedef struct stuck {
    edo_runtime *runtime;
    edo_atomic(uint32_t) begun;
    edo_atomic(bool) may_end;
} stuck;

struct spins {
    edo_frame();
    edo_args(stuck *s;);
};

edo_async(spins)
{
    edo_body {
        edo_add_acq_rel(&self->s->begun, 1);
        while (!edo_load_acquire(&self->s->may_end))
            sched_yield();
        edo_return(0);
    }
}

static void add_spinner(stuck *s)
{
    edo_spawn_options options = { .runtime = s->runtime };
    insist(edo_spawn_with(NULL, &options, spins, .s = s) == 0);
}

static void await_begun(stuck *s, uint32_t count)
{
    while (edo_load_acquire(&s->begun) < count)
        sched_yield();
}

/* Makes the only worker stuck, then its helper. A third task begins when another helper is made. */
static void stick_worker_and_helper(stuck *s)
{
    add_spinner(s);
    await_begun(s, 1);
    add_spinner(s);
    await_begun(s, 2);
}

static void end_stuck(stuck *s)
{
    edo_store_release(&s->may_end, true);
    insist(edo_runtime_destroy(s->runtime) == 0);
}

static void expect_one_kind(const edo_runtime *runtime, const char *name)
{
    assert_string_equal(edo_runtime_driver(runtime), name);
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        assert_string_equal(runtime->workers[i]->driver->ops->name, name);
}

/* ---- when a runtime is made ---- */

static void make_with(uint32_t allowed, int32_t workers, int32_t max_spare, const char *expected)
{
    edo_runtime *runtime;
    edo_config config = {
        .driver = "fickle", .workers = workers, .max_spare = max_spare, .name = "mine"
    };
    edo_store_relaxed(&fickle.allowed, allowed);
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    expect_one_kind(runtime, expected);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

fickle_test(one_refused_at_create)
{
    enum { WORKERS = 3 };
    log_capture();
    for (uint32_t allowed = 0; allowed < WORKERS; allowed++)
        make_with(allowed, WORKERS, -1, "epoll");
    log_release();
    assert_int_equal(log_lines("mine: the fickle driver"), WORKERS); // one driver per worker
    make_with(WORKERS, WORKERS, -1, "fickle");
}

static void create_and_destroy(void *driver)
{
    edo_runtime *runtime;
    edo_config config = { .driver = driver, .workers = 2 };
    if (edo_runtime_create(&config, &runtime) < 0) return;
    expect_one_kind(runtime, edo_runtime_driver(runtime));
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(one_allocation_fails_at_create)
{
    static char io_uring[] = "io_uring";
    if (!EDO_HAS_IO_URING) skip();
    size_t before = open_descriptors();
    log_capture();
    assert_true(with_each_allocation_failing(create_and_destroy, io_uring) > 0);
    log_release();
    assert_int_equal(open_descriptors(), before);
}

/* ---- helpers ---- */

static void begin_refusal(stuck *s, const char *driver)
{
    edo_config config = { .driver = driver, .workers = 1, .max_spare = 3 };
    edo_store_relaxed(&fickle.allowed, 2); // one for the worker, one for a helper
    *s = (stuck){ 0 };
    assert_int_equal(edo_runtime_create(&config, &s->runtime), 0);
}

static void await_refusals(uint32_t count)
{
    while (edo_load_acquire(&fickle.refused) < count)
        sched_yield();
}

fickle_test(helper_is_asked_for_again)
{
    stuck s;
    begin_refusal(&s, "fickle");
    stick_worker_and_helper(&s);
    add_spinner(&s);
    await_refusals(2);
    assert_int_equal(edo_load_acquire(&s.begun), 2); // no helper was made to run it
    edo_store_release(&fickle.allowed, 1);
    await_begun(&s, 3);
    expect_one_kind(s.runtime, "fickle");
    end_stuck(&s);
}

/* The config given to create is freed before a helper is made. */
fickle_test(config_need_not_outlive_create)
{
    stuck s;
    char *driver = strdup("fickle:key=1");
    begin_refusal(&s, driver);
    memset(driver, '#', strlen(driver));
    free(driver);
    stick_worker_and_helper(&s);
    fickle.argument[0] = '\0';
    edo_store_release(&fickle.allowed, 1);
    add_spinner(&s);
    await_begun(&s, 3);
    assert_string_equal(fickle.argument, "key=1");
    expect_one_kind(s.runtime, "fickle");
    end_stuck(&s);
}

fickle_test(environment_is_read_at_create)
{
    stuck s;
    setenv("EDO_DRIVER", "fickle:key=2", 1);
    begin_refusal(&s, NULL);
    setenv("EDO_DRIVER", "epoll", 1);
    stick_worker_and_helper(&s);
    edo_store_release(&fickle.allowed, 1);
    add_spinner(&s);
    await_begun(&s, 3);
    unsetenv("EDO_DRIVER");
    assert_string_equal(fickle.argument, "key=2");
    expect_one_kind(s.runtime, "fickle");
    end_stuck(&s);
}

/* ---- a helper is needed when descriptors are short ---- */

static void help_without_descriptors(void *driver)
{
    stuck s = { 0 };
    alarm(60);
    edo_config config = { .driver = driver, .workers = 1, .max_spare = 1 };
    insist(edo_runtime_create(&config, &s.runtime) == 0);
    expect_one_kind(s.runtime, driver);
    allow_descriptors(0);
    stick_worker_and_helper(&s);
    end_stuck(&s);
}

test(descriptors_of_a_helper_are_reserved)
{
    static char epoll_name[] = "epoll", io_uring[] = "io_uring";
    expect_success_in_child(help_without_descriptors, epoll_name);
    if (EDO_HAS_IO_URING) expect_success_in_child(help_without_descriptors, io_uring);
}

/* ---- rings are refused after the runtime is made, as by a sandbox ---- */

struct serves {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    char byte;
};

edo_async(serves)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_accept(self->listener, &self->conn));
        if (n < 0) edo_return(n);
        edo_await(n, edo_read(self->conn, &self->byte, 1));
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(n);
    }
}

struct listens {
    edo_frame();
    edo_args(edo_listener **ret_listener;);
};

edo_async(listens)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", self->ret_listener));
        edo_return(rc);
    }
}

struct joins {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(joins)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_join(self->task));
        edo_return(n);
    }
}

static void connect_and_send(const edo_listener *listener)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    insist(getsockname(edo_listener_fd(listener), (struct sockaddr *)&address, &size) == 0);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    insist(fd >= 0 && connect(fd, (struct sockaddr *)&address, size) == 0);
    insist(write(fd, "x", 1) == 1);
    close(fd);
}

static void serve_without_new_rings(void *arg)
{
    (void)arg;
    enum { WORKERS = 2, HELPERS = 1 };
    stuck s = { 0 };
    edo_listener *listener;
    edo_task *server;
    edo_config config = { .driver = "io_uring", .workers = WORKERS, .max_spare = 2 };
    alarm(60);
    insist(edo_runtime_create(&config, &s.runtime) == 0);
    expect_one_kind(s.runtime, "io_uring");
    insist(edo_block_on(s.runtime, listens, .ret_listener = &listener) == 0);
    refuse_call(SYS_io_uring_setup, EPERM);
    for (unsigned i = 0; i < WORKERS + HELPERS; i++) {
        add_spinner(&s);
        await_begun(&s, i + 1);
    }
    edo_spawn_options options = { .runtime = s.runtime };
    insist(edo_spawn_with(&server, &options, serves, .listener = listener) == 0);
    connect_and_send(listener);
    edo_store_release(&s.may_end, true);
    insist(edo_block_on(s.runtime, joins, .task = server) == 1);
    expect_one_kind(s.runtime, "io_uring");
    insist(edo_runtime_destroy(s.runtime) == 0);
}

test(no_other_kind_under_a_filter)
{
    if (!EDO_HAS_IO_URING) skip();
    expect_success_in_child(serve_without_new_rings, NULL);
}
