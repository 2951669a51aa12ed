/* edo-test: once. What only the io_uring driver does: connections that are accepted ahead, and wait
 * with their listener for whoever accepts. */
#include "sys/rings.h"

/* ---- a crowd ---- */

enum {
    CROWD = 200, // more than a queue holds back ...
    LIMIT = 64,  // ... and what it holds
    LATECOMERS = 30,
};

/* Nobody accepts: the ring takes connections until there are many, and leaves the rest to the
 * kernel; whoever accepts later gets every one, in their order, and the ring begins anew. */
struct crowd {
    edo_frame(struct accept_number callee;);
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    size_t before;
    int clients[CROWD + LATECOMERS + 1];
    unsigned i, number;
};

edo_test(crowd)
{
    edo_body {
        int64_t n;
        self->before = open_descriptors();
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT); // the ring is armed
        for (self->i = 0; self->i < CROWD; self->i++)
            self->clients[self->i] = connect_as(self->listener, self->i);
        settle();
        settle();
        assert_in_range(queued(self->listener), LIMIT, CROWD);
        self->number = queued(self->listener);
        for (; self->i < CROWD + LATECOMERS; self->i++)
            self->clients[self->i] = connect_as(self->listener, self->i);
        settle();
        assert_int_equal(queued(self->listener), self->number); // held back
        for (self->i = 0; self->i < CROWD + LATECOMERS; self->i++) {
            edo_call(n, accept_number, .listener = self->listener, .ret_number = &self->number);
            assert_int_equal(n, 0);
            assert_int_equal(self->number, self->i);
        }
        edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(n, -ETIMEDOUT);
        self->clients[self->i] = connect_as(self->listener, self->i);
        settle();
        assert_int_equal(queued(self->listener), 1); // it is armed again
        edo_listener_close(self->listener);
        for (self->i = 0; self->i < CROWD + LATECOMERS + 1; self->i++)
            close(self->clients[self->i]);
        assert_int_equal(open_descriptors(), self->before); // at once, the ring's hold too
        edo_return(0);
    }
}

static void test_crowd(void **state)
{
    need(accepts_ahead);
    crowd_test(state);
}

/* A connection that came for an accept that was cancelled is the next one's. */
struct cancelled_accept {
    edo_frame(struct accept_number callee;);
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    edo_task *task;
    int client;
    unsigned i, number;
};

edo_test(cancelled_accept)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < 20; self->i++) {
            n = edo_spawn(&self->task, run_op, .op = edo_accept(self->listener, &self->conn));
            assert_int_equal(n, 0);
            settle();
            self->client = connect_as(self->listener, self->i);
            edo_task_cancel(self->task);
            edo_await(n, edo_join(self->task));
            assert_int_equal(n, -ECANCELED);
            edo_call(n, accept_number, .listener = self->listener, .ret_number = &self->number);
            assert_int_equal(n, 0);
            assert_int_equal(self->number, self->i);
            close(self->client);
        }
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* The address is free when the listener is closed, although the ring was accepting on it. */
struct close_and_listen {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    char address[EDO_ADDRESS_SIZE];
    int i;
};

edo_test(close_and_listen)
{
    edo_body {
        int64_t n;
        strcpy(self->address, "127.0.0.1:0");
        for (self->i = 0; self->i < 5; self->i++) {
            edo_await(n, edo_tcp_listen_with(self->address,
                                             (edo_listen_options){ .no_reuse_address = true },
                                             &self->listener));
            assert_int_equal(n, 0);
            n = edo_listener_address(self->listener, self->address, sizeof self->address);
            assert_true(n > 0);
            edo_await_for(n, edo_ms(1), edo_accept(self->listener, &self->conn));
            assert_int_equal(n, -ETIMEDOUT);
            edo_listener_close(self->listener);
        }
        edo_return(0);
    }
}

/* ---- listeners of two runtimes ---- */

/* Of one thread: the second is turned and the first is not. */
static void test_listener_moves(void **state)
{
    (void)state;
    edo_listener *listener;
    unsigned number = 0;
    edo_runtime *first = new_ring(), *second = new_ring();
    assert_int_equal(edo_block_on(first, listen_armed, .ret_listener = &listener), 0);
    int clients[] = { connect_as(listener, 1), connect_as(listener, 2), connect_as(listener, 3) };
    assert_int_equal(
        edo_block_on(second, accept_number, .listener = listener, .ret_number = &number), 0);
    assert_int_equal(number, 1);
    assert_int_equal(
        edo_block_on(first, accept_number, .listener = listener, .ret_number = &number), 0);
    assert_int_equal(number, 2);
    assert_int_equal(edo_runtime_destroy(first), 0);
    assert_int_equal(
        edo_block_on(second, accept_number, .listener = listener, .ret_number = &number), 0);
    assert_int_equal(number, 3);
    edo_listener_close(listener);
    assert_int_equal(edo_runtime_destroy(second), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(clients); i++)
        close(clients[i]);
}

/* The ring of the other thread serves the listener, and our accept takes from its queue. */
static void test_listener_of_another_thread(void **state)
{
    (void)state;
    other_thread other;
    unsigned number = 0;
    start_other(&other);
    for (unsigned i = 0; i < 20; i++) {
        int client = -1;
        if (i % 2) client = connect_as(other.listener, i);
        edo_runtime *runtime = new_ring();
        edo_task *task;
        edo_spawn_options options = { .runtime = runtime };
        assert_int_equal(edo_spawn_with(&task, &options, accept_number, .listener = other.listener,
                                        .ret_number = &number),
                         0);
        edo_turn(runtime, 0); // it waits now, unless it was served
        if (client < 0) client = connect_as(other.listener, i);
        while (!edo_task_is_done(task))
            edo_turn(runtime, EDO_NEVER);
        edo_detach(task);
        assert_int_equal(number, i);
        close(client);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
    edo_listener_close(other.listener); // from here
    stop_other(&other);
}

/* What the ring has taken goes to an accept that waits at epoll, which sees nothing of it. */
static void test_queue_for_epoll(void **state)
{
    (void)state;
    need(accepts_ahead);
    edo_listener *listener;
    edo_task *task;
    unsigned number = 0;
    edo_runtime *ring = new_ring(), *other = new_runtime("epoll");
    assert_int_equal(edo_block_on(ring, listen_armed, .ret_listener = &listener), 0);
    edo_spawn_options options = { .runtime = other };
    assert_int_equal(
        edo_spawn_with(&task, &options, accept_number, .listener = listener, .ret_number = &number),
        0);
    edo_turn(other, 0); // it waits now
    int client = connect_as(listener, 7);
    while (queued(listener) == 0)
        edo_turn(ring, 0);
    while (!edo_task_is_done(task))
        edo_turn(other, EDO_NEVER);
    assert_int_equal(number, 7);
    edo_detach(task);
    close(client);
    edo_listener_close(listener);
    assert_int_equal(edo_runtime_destroy(ring), 0);
    assert_int_equal(edo_runtime_destroy(other), 0);
}

/* Those of a ring that has ended. */
static void close_orphans(void *arg)
{
    edo_listener_close(arg);
}

static void test_orphans_in_child(void **state)
{
    (void)state;
    need(accepts_ahead);
    edo_listener *listener;
    unsigned number = 0;
    edo_runtime *ring = new_ring();
    assert_int_equal(edo_block_on(ring, listen_armed, .ret_listener = &listener), 0);
    int client = connect_as(listener, 5);
    while (queued(listener) == 0)
        edo_turn(ring, 0);
    assert_int_equal(edo_runtime_destroy(ring), 0);
    expect_success_in_child(close_orphans, listener);
    ring = new_ring();
    assert_int_equal(edo_block_on(ring, accept_number, .listener = listener, .ret_number = &number),
                     0);
    assert_int_equal(number, 5);
    assert_int_equal(read(client, &number, 1), 0); // no reset
    close(client);
    edo_listener_close(listener);
    assert_int_equal(edo_runtime_destroy(ring), 0);
}

/* ---- in the child of a fork ---- */

struct child_of {
    edo_listener *listener;
    edo_runtime *runtime;
};

static void close_in_child(void *arg)
{
    const struct child_of *parent = arg;
    size_t before = open_descriptors(), was_queued = queued(parent->listener);
    edo_listener_close(parent->listener);
    assert_int_equal(open_descriptors(), before - 1 - was_queued);
    assert_int_equal(edo_runtime_destroy(parent->runtime), 0);
}

static void accept_in_child(void *arg)
{
    const struct child_of *parent = arg;
    unsigned number;
    assert_int_equal(edo_runtime_destroy(parent->runtime), 0);
    edo_runtime *runtime = new_ring();
    int client = connect_as(parent->listener, 7);
    assert_int_equal(
        edo_block_on(runtime, accept_number, .listener = parent->listener, .ret_number = &number),
        0);
    assert_int_equal(number, 7);
    close(client);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    edo_listener_close(parent->listener);
}

/* The parent's queue and ring go on; what is queued is not reset by the child. */
static void test_listener_in_child(void **state)
{
    (void)state;
    need(accepts_ahead);
    unsigned number;
    struct child_of parent = { .runtime = new_ring() };
    assert_int_equal(edo_block_on(parent.runtime, listen_armed, .ret_listener = &parent.listener),
                     0);
    int clients[] = { connect_as(parent.listener, 1), connect_as(parent.listener, 2) };
    while (queued(parent.listener) < ARRAY_LENGTH(clients))
        edo_turn(parent.runtime, 0);
    expect_success_in_child(close_in_child, &parent);
    for (unsigned i = 1; i <= ARRAY_LENGTH(clients); i++) {
        assert_int_equal(edo_block_on(parent.runtime, accept_number, .listener = parent.listener,
                                      .ret_number = &number),
                         0);
        assert_int_equal(number, i);
        close(clients[i - 1]);
    }
    assert_int_equal(edo_runtime_destroy(parent.runtime), 0);
    edo_listener_close(parent.listener);
}

/* The child takes the listener over. The parent's ring, which is not turned, comes too late, unless
 * it accepts without being turned. */
static void test_accept_in_child(void **state)
{
    (void)state;
    need(works_only_in_turns);
    struct child_of parent = { .runtime = new_ring() };
    assert_int_equal(edo_block_on(parent.runtime, listen_armed, .ret_listener = &parent.listener),
                     0);
    expect_success_in_child(accept_in_child, &parent);
    edo_listener_close(parent.listener);
    assert_int_equal(edo_runtime_destroy(parent.runtime), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(cancelled_accept_test),
        cmocka_unit_test(close_and_listen_test),
        cmocka_unit_test(test_listener_moves),
        cmocka_unit_test(test_listener_of_another_thread),
        cmocka_unit_test(test_queue_for_epoll),
        cmocka_unit_test(test_orphans_in_child),
        cmocka_unit_test(test_listener_in_child),
        cmocka_unit_test(test_accept_in_child),
    };
    setenv("EDO_DRIVER", "io_uring", 1);
    if (!has_rings()) return SKIPPED;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
