/* Rule 2: pointers given to an operation must outlive it. Memory on the stack of the poll in
 * progress would not: each constructor aborts with a line. Heap, static memory, a frame, and a
 * stack further up are allowed. */
#include "task/probe.h"

#include <stdlib.h>
#include <unistd.h>

typedef void constructor(void *memory);

/* ---- the constructors that take pointers ---- */

static edo_op sink; // the built operations are dropped: they are inert before their first poll

static void read_into(void *memory)
{
    sink = edo_read(NULL, memory, 1);
}

static void read_exact_into(void *memory)
{
    sink = edo_read_exact(NULL, memory, 1);
}

static void write_from(void *memory)
{
    sink = edo_write(NULL, memory, 1);
}

static void write_all_from(void *memory)
{
    sink = edo_write_all(NULL, memory, 1);
}

static void writev_vector(void *memory)
{
    *(edo_slice *)memory = (edo_slice){ 0 };
    sink = edo_writev(NULL, memory, 1);
}

static void writev_buffer(void *memory)
{
    static edo_slice vector[2];
    vector[1] = (edo_slice){ memory, 1 };
    sink = edo_writev(NULL, vector, 2);
}

static char address[] = "127.0.0.1:1";
static edo_io *conn;
static edo_listener *listener;

static void listen_at(void *memory)
{
    sink = edo_tcp_listen(memory, &listener);
}

static void listen_into(void *memory)
{
    sink = edo_tcp_listen(address, memory);
}

static void accept_into(void *memory)
{
    sink = edo_accept(NULL, memory);
}

static void connect_to(void *memory)
{
    sink = edo_tcp_connect(memory, &conn);
}

static void connect_into(void *memory)
{
    sink = edo_tcp_connect(address, memory);
}

static void connect_from(void *memory)
{
    sink = edo_tcp_connect_from(memory, address, &conn);
}

static edo_scope results_scope = { .flags = EDO_SCOPE_RESULTS };

static void next_member(void *memory)
{
    sink = edo_scope_next(&results_scope, memory);
}

static const struct {
    constructor *build;
    const char *rule;
} constructors[] = {
    { read_into, "edo_read: the buffer lies on the stack of the poll in progress: "
                 "put it in the frame" },
    { read_exact_into, "edo_read_exact: the buffer lies on the stack" },
    { write_from, "edo_write: the buffer lies on the stack" },
    { write_all_from, "edo_write_all: the buffer lies on the stack" },
    { writev_vector, "edo_writev: the vector lies on the stack" },
    { writev_buffer, "edo_writev: the buffer lies on the stack" },
    { listen_at, "edo_tcp_listen: the address lies on the stack" },
    { listen_into, "edo_tcp_listen: the output lies on the stack" },
    { accept_into, "edo_accept: the output lies on the stack" },
    { connect_to, "edo_tcp_connect: the address lies on the stack" },
    { connect_into, "edo_tcp_connect: the output lies on the stack" },
    { connect_from, "edo_tcp_connect: the address lies on the stack" },
    { next_member, "edo_scope_next: the member lies on the stack" },
};

/* ---- pointers that abort ---- */

enum { ROOM = 64 }; // bytes for the pointers of a constructor

/* Launders a pointer, because compilers would warn about these mistakes on purpose. */
static void *launder(void *memory)
{
    __asm__("" : "+r"(memory));
    return memory;
}

struct on_the_poll_stack {
    edo_frame();
    edo_args(constructor *build;);
};

edo_async(on_the_poll_stack)
{
    edo_body {
        char local[ROOM];
        self->build(launder(local)); // edo-lint: allow(edo-local-address) this is what aborts
        edo_return(0);
    }
}

static __attribute__((noinline)) void build_from_a_helper(constructor *build)
{
    char local[ROOM];
    build(launder(local));
    launder(local);
}

static __attribute__((noinline)) void build_from_a_deep_helper(constructor *build, int depth)
{
    char room[ROOM];
    launder(room);
    if (depth > 0)
        build_from_a_deep_helper(build, depth - 1);
    else
        build_from_a_helper(build);
    launder(room);
}

struct on_the_stack_of_a_helper {
    edo_frame();
    edo_args(constructor *build;);
};

edo_async(on_the_stack_of_a_helper)
{
    edo_body {
        build_from_a_deep_helper(self->build, 5);
        edo_return(0);
    }
}

struct calls_one_that_does {
    edo_frame(struct on_the_poll_stack on_the_poll_stack;);
    edo_args(constructor *build;);
};

edo_async(calls_one_that_does)
{
    edo_body {
        int rc;
        edo_await(rc, settle()); // the rule also holds in later polls
        edo_call(rc, on_the_poll_stack, .build = self->build);
        edo_return(rc);
    }
}

static void run_on_the_poll_stack(void *arg)
{
    edo_run(on_the_poll_stack, .build = *(constructor **)arg);
}

static void run_on_the_stack_of_a_helper(void *arg)
{
    edo_run(on_the_stack_of_a_helper, .build = *(constructor **)arg);
}

static void run_a_call(void *arg)
{
    edo_run(calls_one_that_does, .build = *(constructor **)arg);
}

static void expect_all_abort(child_fn *run)
{
    for (size_t i = 0; i < ARRAY_LENGTH(constructors); i++) {
        constructor *build = constructors[i].build;
        expect_abort(run, &build, constructors[i].rule);
    }
}

test(each_constructor_aborts_for_the_stack_of_the_poll)
{
    expect_all_abort(run_on_the_poll_stack);
}

test(each_constructor_aborts_for_the_stack_of_a_helper)
{
    expect_all_abort(run_on_the_stack_of_a_helper);
}

test(each_constructor_aborts_in_a_callee_and_later_polls)
{
    expect_all_abort(run_a_call);
}

test(the_line_names_the_task)
{
    constructor *build = read_into;
    expect_abort(run_on_the_poll_stack, &build,
                 "edo_read: .*\\[task 'on_the_poll_stack' #[0-9]+, spawned at .*test_stack\\.c");
}

/* ---- futures and scopes on the stack ---- */

struct awaits_a_future_on_the_stack {
    edo_frame();
    edo_args();
};

edo_async(awaits_a_future_on_the_stack)
{
    edo_body {
        int64_t result;
        struct gate local = gate_make();
        edo_future *future = launder(&local.base);
        edo_await_on(result, future); // edo-lint: allow(edo-local-address) this is what aborts
        edo_return(result);
    }
}

struct selects_on_the_stack {
    edo_frame();
    edo_args();
    struct gate first;
};

edo_async(selects_on_the_stack)
{
    edo_body {
        int which;
        self->first = gate_make_open(0);
        struct gate local = gate_make();
        edo_future *second = launder(&local.base);
        // edo-lint: allow(edo-local-address) this is what aborts
        edo_select(which, &self->first.base, second);
        edo_return(which);
    }
}

struct opens_a_scope_on_the_stack {
    edo_frame();
    edo_args();
};

edo_async(opens_a_scope_on_the_stack)
{
    edo_body {
        edo_scope local;
        // edo-lint: allow(edo-local-address) this is what aborts
        edo_scope_open((edo_scope *)launder(&local), 0);
        edo_return(0);
    }
}

static void run_await_on(void *arg)
{
    (void)arg;
    edo_run(awaits_a_future_on_the_stack);
}

static void run_select(void *arg)
{
    (void)arg;
    edo_run(selects_on_the_stack);
}

static void run_scope(void *arg)
{
    (void)arg;
    edo_run(opens_a_scope_on_the_stack);
}

test(futures_and_scopes_on_the_stack_abort)
{
    expect_abort(run_await_on, NULL, "gate: the future lies on the stack");
    expect_abort(run_select, NULL, "gate: the future lies on the stack");
    expect_abort(run_scope, NULL, "edo_scope_open: the scope lies on the stack");
}

/* ---- pointers that are allowed ---- */

struct build_all {
    edo_frame();
    edo_args(void *memory;);
    char room[ROOM];
};

edo_async(build_all)
{
    edo_body {
        for (size_t i = 0; i < ARRAY_LENGTH(constructors); i++)
            constructors[i].build(self->memory ? self->memory : self->room);
        edo_return(0);
    }
}

static void run_build_all(void *memory)
{
    edo_runtime *runtime;
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, build_all, .memory = memory), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(memory_that_outlives_the_poll_is_all_right)
{
    static max_align_t static_room[ROOM / sizeof(max_align_t)];
    max_align_t stack_further_up[ROOM / sizeof(max_align_t)];
    void *heap = malloc(ROOM);
    run_build_all(NULL); // in the frame
    run_build_all(static_room);
    run_build_all(stack_further_up);
    run_build_all(heap);
    free(heap);
}

test(outside_of_tasks_any_stack_is_all_right)
{
    max_align_t local[ROOM / sizeof(max_align_t)];
    for (size_t i = 0; i < ARRAY_LENGTH(constructors); i++)
        constructors[i].build(local);
}

test(an_operation_from_a_plain_thread_may_use_its_stack)
{
    int fds[2];
    char byte = 0;
    edo_io *io;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(edo_io_from_fd(fds[0], &io), 0);
    assert_int_equal(edo_wait(edo_read(io, &byte, 1)), 1);
    assert_int_equal(byte, 'x');
    edo_close(io);
    close(fds[1]);
}
