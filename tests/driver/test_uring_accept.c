/* edo-test: once. Listeners on io_uring: the ring accepts the connection for a waiting accept. In
 * several runtimes, and in the child of a fork. */
#include "driver/rings.h"

/* A connection that arrived for a cancelled accept goes to the next accept. */
async_test(cancelled_accept,
    edo_callees(struct accept_number callee;)
    edo_listener *listener;
    edo_io *conn;
    edo_task *task;
    int client;
    unsigned i, number;)
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

/* The address is free once the listener is closed, although an accept was in the ring. */
async_test(close_and_listen,
    edo_listener *listener;
    edo_io *conn;
    char address[EDO_ADDRESS_SIZE];
    int i;)
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

/* Two runtimes on one thread: the second is turned, the first is not. */
test(listener_moves)
{
    edo_listener *listener;
    unsigned number = 0;
    edo_runtime *first = new_ring(), *second = new_ring();
    assert_int_equal(edo_block_on(first, listen_once, .ret_listener = &listener), 0);
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

/* An accept in the other thread's runtime does not block one here. */
test(listener_of_another_thread)
{
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
        edo_turn(runtime, 0); // the accept waits now, unless it was served
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

/* ---- in the child of a fork ---- */

struct child_of {
    edo_listener *listener;
    edo_runtime *runtime;
};

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

/* The parent's ring does not affect the child's accept. */
test(accept_in_child)
{
    struct child_of parent = { .runtime = new_ring() };
    assert_int_equal(edo_block_on(parent.runtime, listen_once, .ret_listener = &parent.listener),
                     0);
    expect_success_in_child(accept_in_child, &parent);
    edo_listener_close(parent.listener);
    assert_int_equal(edo_runtime_destroy(parent.runtime), 0);
}

int main(void)
{
    setenv("EDO_DRIVER", "io_uring", 1);
    if (!has_rings()) return SKIPPED;
    return run_all_tests();
}
