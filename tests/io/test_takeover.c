/* Streams that move between runtimes and threads: their drivers must neither lose nor free them too
 * early. */
#include "support/streams.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"

static edo_runtime *new_runtime(void)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    return runtime;
}

static void check(bool condition)
{
    if (!condition) abort(); // cmocka asserts work on the main thread only
}

/* ---- the child of a fork uses its copy ---- */

/* Has the driver register the stream. */
struct meet {
    edo_frame();
    edo_args(edo_io *io;);
    char byte;
};

edo_async(meet)
{
    edo_body {
        int64_t n;
        edo_await_for(n, 0, edo_read(self->io, &self->byte, 1));
        edo_return(n == -ETIMEDOUT ? 0 : -EPROTO);
    }
}

/* Reads a byte that is sent once the read waits; with a limit, so that a lost byte is no hang. */
struct read_late {
    edo_frame();
    edo_args(edo_io *io; int peer;);
    edo_task *reader;
    char byte;
};

edo_async(read_late)
{
    edo_body {
        int64_t n;
        n = edo_spawn(&self->reader, run_op, .op = edo_read(self->io, &self->byte, 1));
        if (n < 0) edo_return(n);
        edo_await(n, edo_sleep(edo_ms(1)));
        fd_write_all(self->peer, "x", 1);
        edo_await_for(n, edo_s(20), edo_join(self->reader));
        edo_return(n);
    }
}

static void run_child_of_fork(edo_runtime *runtime, edo_io *io, bool closes)
{
    int status;
    pid_t child = quiet_fork();
    if (child == 0) {
        if (closes) edo_close(io);
        _exit(edo_runtime_destroy(runtime) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

test(child_does_not_take_the_parents_streams)
{
    for (int closes = 0; closes < 2; closes++) {
        int peer;
        edo_runtime *runtime = new_runtime();
        edo_io *io = open_stream(UNIX_STREAM, &peer);
        assert_int_equal(edo_block_on(runtime, meet, .io = io), 0);
        run_child_of_fork(runtime, io, closes);
        assert_int_equal(edo_block_on(runtime, read_late, .io = io, .peer = peer), 1);
        edo_close(io);
        close(peer);
        assert_int_equal(edo_runtime_destroy(runtime), 0);
    }
}

/* ---- one side on each of two runtimes ---- */

static edo_task *start(edo_runtime *runtime, edo_op op)
{
    edo_task *task;
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(edo_spawn_with(&task, &options, run_op, .op = op), 0);
    for (int i = 0; i < 10; i++)
        while (turn_runtime(runtime, 0) > 0)
            continue;
    assert_false(edo_task_is_done(task));
    return task;
}

static int64_t finish_within(edo_runtime *runtime, edo_task *task, int64_t limit)
{
    int64_t end = edo_now() + limit;
    while (!edo_task_is_done(task) && edo_now() < end)
        turn_runtime(runtime, edo_ms(10));
    assert_true(edo_task_is_done(task));
    return edo_wait(edo_join(task));
}

/* The runtime that came first ends, and the other's operation goes on. */
test(first_of_two_runtimes_ends)
{
    enum { SIZE = 64 << 10 };
    char *data = calloc(1, SIZE), *sink = malloc(SIZE), byte;
    int peer;
    edo_io *io = open_stream(UNIX_STREAM, &peer);
    shrink_buffer(edo_io_fd(io));
    edo_runtime *first = new_runtime(), *second = new_runtime();
    edo_task *reader = start(first, edo_read(io, &byte, 1));
    edo_task *writer = start(second, edo_write_all(io, data, SIZE));
    fd_write_all(peer, "x", 1);
    assert_int_equal(finish_within(first, reader, edo_s(20)), 1);
    assert_int_equal(edo_runtime_destroy(first), 0);
    while (!edo_task_is_done(writer)) {
        while (read(peer, sink, SIZE) > 0)
            continue;
        turn_runtime(second, edo_ms(10));
    }
    assert_int_equal(finish_within(second, writer, edo_s(20)), SIZE);
    edo_close(io);
    close(peer);
    free(data);
    free(sink);
    assert_int_equal(edo_runtime_destroy(second), 0);
}

/* ---- a listener takes several accepts, of one runtime at a time ---- */

test(accepts_of_two_runtimes)
{
    edo_runtime *first = new_runtime(), *second = new_runtime();
    edo_listener *listener;
    assert_int_equal(edo_wait(edo_tcp_listen("127.0.0.1:0", &listener)), 0);
    edo_io *conns[3] = { NULL, NULL, NULL };
    edo_task *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = start(first, edo_accept(listener, &conns[i]));
    int64_t n = edo_block_on(second, run_op, .op = edo_accept(listener, &conns[2]));
    assert_int_equal(n, -EXDEV);
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = connect_plainly(listener);
    for (int i = 0; i < 2; i++)
        assert_int_equal(finish_within(first, tasks[i], edo_s(20)), 0);
    n = edo_block_on(second, run_op,
                     .op = edo_accept(listener, &conns[2])); // no accept waits in the first runtime
    assert_int_equal(n, 0);
    for (int i = 0; i < 3; i++) {
        edo_close(conns[i]);
        close(clients[i]);
    }
    edo_listener_close(listener);
    assert_int_equal(edo_runtime_destroy(first), 0);
    assert_int_equal(edo_runtime_destroy(second), 0);
}

/* ---- a stream that goes back and forth between threads that sleep in their drivers ---- */

/* Threads that wait for each other take long beside other programs. After this time a test makes no
 * further rounds. */
#define ENOUGH edo_s(3)

enum { LAPS = 3000, SPINS = 2000 };

static const char ball = 'b', last_ball = 'l';

struct court {
    edo_io *ball, *in[2], *out[2];
    int peer;
    edo_atomic(uint32_t) served, wanted;
};

/* Passes on what it gets, until that is the last ball. */
static void play(struct court *court, unsigned me)
{
    char byte;
    for (uint32_t lap = me;; lap += 2) {
        check(edo_wait(edo_read(court->in[me], &byte, 1)) == 1);
        if (byte == last_ball) break;
        edo_store_release(&court->wanted, lap + 1);
        check(edo_wait(edo_read(court->ball, &byte, 1)) == 1);
        check(edo_wait(edo_write(court->out[1 - me], &byte, 1)) == 1);
        if (byte == last_ball) break;
    }
}

/* Sends the byte at about the moment when the stream moves to the other thread. */
static void serve(struct court *court)
{
    test_random random = test_random_make(1);
    int64_t end = edo_now() + ENOUGH;
    bool is_last = false;
    for (uint32_t lap = 0; !is_last; lap++) {
        while (edo_load_acquire(&court->wanted) != lap + 1)
            sched_yield();
        uint64_t spins = test_random_below(&random, SPINS);
        for (uint64_t i = 0; i < spins; i++)
            edo_load_acquire(&court->wanted);
        is_last = lap + 1 == LAPS || edo_now() > end;
        check(write(court->peer, is_last ? &last_ball : &ball, 1) == 1);
    }
}

static void take_part(unsigned index, void *arg)
{
    if (index == 2)
        serve(arg);
    else
        play(arg, index);
}

test(taken_over_while_events_come)
{
    struct court court = { .wanted = 0 };
    court.ball = open_stream(UNIX_STREAM, &court.peer);
    for (int i = 0; i < 2; i++)
        open_streams(PIPE_STREAM, &court.in[i], &court.out[i]);
    assert_int_equal(edo_wait(edo_write(court.out[0], &ball, 1)), 1);
    run_threads(3, take_part, &court);
    edo_close(court.ball);
    for (int i = 0; i < 2; i++) {
        edo_close(court.in[i]);
        edo_close(court.out[i]);
    }
    close(court.peer);
}

/* ---- a thread ends, and its runtime with it, while another uses or closes the stream ---- */

struct relay {
    edo_io *io;
    int peer;
    edo_atomic(uint32_t) passed;
};

static void *leave_stream(void *arg)
{
    struct relay *relay = arg;
    char byte;
    int64_t n;
    do { // the other thread checks for this read by a read of its own
        n = edo_wait(edo_read(relay->io, &byte, 1));
    } while (n == -EBUSY);
    check(n == 1);
    edo_store_release(&relay->passed, 1);
    return NULL; // the runtime of edo_wait ends now
}

enum { ROUNDS = 300, FEWEST_ROUNDS = 10 };

test(runtime_ends_while_another_takes_over)
{
    int64_t end = edo_now() + ENOUGH;
    for (int round = 0; round < FEWEST_ROUNDS || (round < ROUNDS && edo_now() < end); round++) {
        struct relay relay = { .passed = 0 };
        pthread_t thread;
        char byte;
        relay.io = open_stream(UNIX_STREAM, &relay.peer);
        assert_int_equal(pthread_create(&thread, NULL, leave_stream, &relay), 0);
        while (edo_wait(edo_read(relay.io, &byte, 0)) != -EBUSY) // until its read waits
            sched_yield();
        fd_write_all(relay.peer, "x", 1);
        while (!edo_load_acquire(&relay.passed))
            sched_yield();
        if (round % 2) {
            fd_write_all(relay.peer, "y", 1);
            assert_int_equal(edo_wait(edo_read_exact(relay.io, &byte, 1)), 1);
        }
        edo_close(relay.io);
        assert_int_equal(pthread_join(thread, NULL), 0);
        close(relay.peer);
    }
}
