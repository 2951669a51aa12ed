/* A listener in a shortage of descriptors: it waits with growing pauses, logs the shortage once,
 * never spins, and recovers. In a child, whose limit can be lowered. */
#include "support/streams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/runtime.h"

enum {
    CLIENTS = 3,
    RESERVE = 16,   // descriptors that test and runtime may open before the shortage begins
    WAIT = 30,      // seconds of shortage, of the test clock
    MAX_POLLS = 60, // 37 pauses make 30 s (10, 20, 40, ... ms, then 1 s each); the rest is reserve
    CHAOS_FACTOR = 10, // for the spurious wakes of chaos
};

/* Not only "edo_accept", which a stall report may contain too. */
static size_t shortages_told(void)
{
    return log_lines("edo_accept: ");
}

/* Polls of all workers: two beats per poll. */
static uint64_t polls(void)
{
    const edo_runtime *runtime = edo_current_runtime();
    uint64_t beats = 0;
    for (uint32_t i = 0; i < edo__worker_total(runtime); i++)
        beats += edo_load_relaxed(&runtime->workers[i]->beat);
    return beats / 2;
}

/* Opens all remaining descriptors, and closes them. */
struct hoard {
    int fds[64];
    size_t count;
};

/* Before a driver begins to accept, because an accept in a ring keeps the limit of its
 * submission. */
static void lower_limit(void)
{
    int last = dup(STDERR_FILENO);
    close(last);
    rlim_t limit = (rlim_t)last + RESERVE;
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ limit, limit });
}

static void take_all(struct hoard *hoard)
{
    for (hoard->count = 0; hoard->count < ARRAY_LENGTH(hoard->fds); hoard->count++) {
        int fd = dup(STDERR_FILENO);
        if (fd < 0) break;
        hoard->fds[hoard->count] = fd;
    }
    assert_int_equal(errno, EMFILE);
}

static void give_one(struct hoard *hoard)
{
    close(hoard->fds[--hoard->count]);
}

static void give_all(struct hoard *hoard)
{
    while (hoard->count)
        give_one(hoard);
}

edo_async_test(shortage,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn;
    int clients[CLIENTS];
    uint64_t polls;
    int64_t began;
    struct hoard hoard;)
{
    edo_body {
        int64_t n;
        lower_limit();
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT); // the driver has its descriptors
        for (unsigned i = 0; i < CLIENTS; i++)
            self->clients[i] = open_client();
        take_all(&self->hoard);
        for (unsigned i = 0; i < CLIENTS; i++)
            connect_client(self->clients[i], self->listener); // a driver may accept them at once
        await_connection(self->listener);
        self->polls = polls();
        self->began = edo_now();
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(WAIT)));
        assert_false(edo_task_is_done(self->accepter));
        assert_int_equal(shortages_told(), 1);
        assert_in_range(polls() - self->polls, 1,
                        driver_is("chaos") ? MAX_POLLS * CHAOS_FACTOR : MAX_POLLS);

        give_one(&self->hoard);
        self->began = edo_now();
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, 0);
        assert_true(edo_now() - self->began <= edo_s(1)); // the longest pause
        edo_await_for(n, edo_s(WAIT), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);       // a limit holds during a pause
        assert_int_equal(shortages_told(), 2); // a new shortage is logged again

        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(WAIT)));
        edo_task_cancel(self->accepter);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, -ECANCELED);

        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(WAIT)));
        give_all(&self->hoard);
        edo_await(n, edo_join(self->accepter)); // no connection was lost meanwhile
        assert_int_equal(n, 0);
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

static void run_shortage(void *arg)
{
    log_capture();
    shortage_test(arg);
}

test(shortage_in_child)
{
    expect_success_in_child(run_shortage, NULL);
}

/* The listener is closed during a pause. */
edo_async_test(close_in_pause,
    edo_listener *listener;
    edo_task *accepter;
    edo_io *conn;
    int64_t began;
    int client;
    struct hoard hoard;)
{
    edo_body {
        int64_t n;
        lower_limit();
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        self->client = open_client();
        take_all(&self->hoard);
        connect_client(self->client, self->listener);
        await_connection(self->listener);
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(WAIT)));
        self->began = edo_now();
        edo_listener_close(self->listener);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, -ECANCELED);
        assert_true(edo_now() - self->began <= edo_s(1));
        edo_return(0);
    }
}

static void run_close_in_pause(void *arg)
{
    log_capture();
    close_in_pause_test(arg);
}

test(close_in_pause_in_child)
{
    expect_success_in_child(run_close_in_pause, NULL);
}

/* The other errors of a shortage, made by the chaos driver: each causes one pause. */
struct accept_after_pause {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    int64_t began;
    int client;
};

edo_async(accept_after_pause)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        self->client = connect_plainly(self->listener);
        await_connection(self->listener);
        self->began = edo_now();
        edo_await(n, edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        assert_int_equal(edo_now() - self->began, edo_ms(10));
        edo_close(self->conn);
        edo_listener_close(self->listener);
        close(self->client);
        edo_return(0);
    }
}

current_thread_only("only the listening driver is to fail")
test(other_shortages)
{
    static const char *const drivers[] = { "chaos:fault=1:EMFILE", "chaos:fault=1:ENFILE",
                                           "chaos:fault=1:ENOBUFS", "chaos:fault=1:ENOMEM" };
    for (size_t i = 0; i < ARRAY_LENGTH(drivers); i++) {
        edo_runtime *runtime;
        edo_config config = { .driver = drivers[i], .test_clock = true };
        log_capture();
        assert_int_equal(create_runtime(&config, &runtime), 0);
        assert_int_equal(edo_block_on(runtime, accept_after_pause), 0);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
        assert_int_equal(shortages_told(), 1);
        log_release();
    }
}

/* ---- closed in a pause, at once ---- */

struct close_at_once {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    edo_task *accepter;
    int64_t began;
};

edo_async(close_at_once)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        settle();
        self->began = edo_now();
        edo_listener_close(self->listener);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, -ECANCELED);
        assert_true(edo_now() - self->began < edo_ms(1)); // not at the end of the pause
        edo_return(0);
    }
}

test(closed_in_its_first_pause)
{
    edo_runtime *runtime;
    edo_config config = { .driver = "chaos:fault=1:EMFILE,late=0", .test_clock = true };
    log_capture();
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, close_at_once), 0);
    assert_int_equal(shortages_told(), 1); // so there was a pause
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    log_release();
}
