/* edo-test: once
 * Stacks of fibers: sizes, pools, guards, overflows, memory of the user. */
#include "support/fibers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fiber/stack.h"

enum { TEXT_SIZE = 4096 };

/* ---- sizes ---- */

static int64_t tells_room(void *arg)
{
    (void)arg;
    return (int64_t)edo_fiber_stack_room();
}

static int64_t room_of(const edo_fiber_options *options)
{
    edo_task *task;
    int rc = edo_fiber_spawn(&task, options, tells_room, NULL);
    return rc < 0 ? rc : edo_wait(edo_join(task));
}

fiber_test(the_size_is_an_option)
{
    int64_t usual = room_of(NULL);
    assert_in_range(usual, 44 << 10, 48 << 10);
    assert_in_range(room_of(&(edo_fiber_options){ .stack_size = 256 << 10 }), 236 << 10, 240 << 10);
    assert_in_range(room_of(&(edo_fiber_options){ .stack_size = 1 }), 12 << 10, 16 << 10);
    assert_in_range(room_of(&(edo_fiber_options){ .stack_size = 16 << 20 }), 15 << 20, 16 << 20);
    assert_in_range(room_of(&(edo_fiber_options){ .flags = EDO_FIBER_UNGUARDED }), 60 << 10,
                    64 << 10);
    assert_int_equal(room_of(&(edo_fiber_options){ .stack_size = SIZE_MAX }), -ENOMEM);
}

/* Not inlined: its memory would be that of its caller, which goes on. */
static __attribute__((noinline)) int64_t uses_much(void *arg)
{
    char memory[200 << 10];
    memset(memory, (int)(intptr_t)arg, sizeof memory);
    __asm__ volatile("" : : "r"(memory) : "memory");
    return edo_wait(edo_yield());
}

fiber_test(a_larger_stack_can_be_used)
{
    edo_task *task;
    edo_fiber_options options = { .stack_size = 256 << 10 };
    assert_int_equal(edo_fiber_spawn(&task, &options, uses_much, NULL), 0);
    assert_int_equal(edo_wait(edo_join(task)), 0);
}

/* ---- memory of the user's ---- */

static int64_t tells_place(void *arg)
{
    *(char **)arg = __builtin_frame_address(0);
    return edo_wait(edo_yield());
}

fiber_test(a_stack_may_be_the_users_own)
{
    enum { SIZE = 32 << 10 };
    char *memory = malloc(SIZE), *place = NULL;
    edo_task *task;
    edo_fiber_options options = { .stack = memory, .stack_size = SIZE };
    for (int i = 0; i < 3; i++) {
        assert_int_equal(edo_fiber_spawn(&task, &options, tells_place, &place), 0);
        assert_int_equal(edo_wait(edo_join(task)), 0);
        assert_true(place > memory && place < memory + SIZE);
    }
    options.stack_size = 1024;
    assert_int_equal(edo_fiber_spawn(&task, &options, tells_place, &place), -EINVAL);
    free(memory);
}

/* ---- pools ---- */

enum { COUNTED = 256 << 10 };

/* Number of pages that are in memory, of the COUNTED bytes of the stack below this call. The
 * process's own figure is not exact on all kernels. */
static size_t resident_pages(void)
{
    unsigned char resident[COUNTED / 4096];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t end = (uintptr_t)__builtin_frame_address(0) & ~(page - 1);
    assert_return_code(mincore((void *)(end - COUNTED), COUNTED, resident), errno);
    size_t count = 0;
    for (size_t i = 0; i < COUNTED / page; i++)
        count += resident[i] & 1;
    return count;
}

static int64_t yields(void *arg)
{
    (void)arg;
    return edo_wait(edo_yield());
}

static void run_many(int count)
{
    static edo_task *tasks[5000];
    for (int i = 0; i < count; i++)
        assert_int_equal(edo_fiber_spawn(&tasks[i], NULL, yields, NULL), 0);
    for (int i = 0; i < count; i++)
        assert_int_equal(edo_wait(edo_join(tasks[i])), 0);
}

static size_t mapped_bytes(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

fiber_test(stacks_are_used_again)
{
    run_many(5000);
    size_t before = mapped_bytes();
    for (int i = 0; i < 5; i++)
        run_many(5000);
    assert_in_range(mapped_bytes(), 0, before + (32 << 20));
}

static int64_t trims(void *arg)
{
    size_t *pages = arg;
    uses_much(NULL);
    size_t peak = edo_fiber_stack_peak();
    if (peak < 200 << 10 || peak > 230 << 10) return -ERANGE;
    pages[0] = resident_pages();
    edo_fiber_trim();
    pages[1] = resident_pages();
    return edo_fiber_stack_peak() < 20 << 10 ? 0 : -ERANGE;
}

fiber_test(a_fiber_gives_back_what_it_does_not_use)
{
    edo_task *task;
    size_t pages[2];
    edo_fiber_options options = { .stack_size = 512 << 10 };
    assert_int_equal(edo_fiber_spawn(&task, &options, trims, pages), 0);
    assert_int_equal(edo_wait(edo_join(task)), 0);
    assert_true(pages[0] > pages[1] + 30); // of some 50
}

/* ---- recursion of async functions, whose first polls lie on the fiber's stack ---- */

struct deep {
    edo_frame();
    edo_args(int depth;);
};

edo_async(deep)
{
    edo_body {
        int64_t below;
        if (self->depth == 0) edo_return(0);
        edo_call_boxed(below, deep, .depth = self->depth - 1);
        edo_return(below < 0 ? below : below + 1);
    }
}

fiber_test(boxed_calls_go_as_deep_as_the_stack_of_the_fiber)
{
    log_capture();
    assert_int_equal(edo_wait_call(deep, .depth = 20), 20);
    assert_int_equal(log_lines(NULL), 0);
    assert_int_equal(edo_wait_call(deep, .depth = 1000000), -ENOMEM);
    assert_int_equal(log_lines("edo_call_boxed: -ENOMEM"), 1);
    log_release();
}

/* ---- overflows: the guard, and the line ---- */

static __attribute__((noinline)) int64_t recurse(int64_t depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

static int64_t overflows(void *arg)
{
    (void)arg;
    return recurse(0);
}

static void overflow(void *arg)
{
    signal(SIGSEGV, SIG_DFL); // cmocka's handler would jump away
    edo_runtime *runtime;
    edo_config config = { .workers = arg ? *(int *)arg : 0 };
    if (edo_runtime_create(&config, &runtime) < 0) return;
    edo_fiber_block_on(runtime, overflows, NULL);
}

static void expect_overflow(child_fn *fn, void *arg, const char *pattern)
{
    char text[TEXT_SIZE];
    int status = run_in_child(fn, arg, text, sizeof text);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV || !strstr(text, pattern))
        fail_msg("status %#x, stderr: %s", status, text);
}

static bool is_sanitized(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    return true;
#else
    return false;
#endif
}

test(an_overflow_names_the_fiber)
{
    int workers = 3;
    if (is_sanitized()) skip(); // it reports the fault itself
    expect_overflow(overflow, NULL, "edo: fiber 'overflows' (");
    expect_overflow(overflow, NULL,
                    ": its stack has overflowed: 49152 bytes, and a guard of 16384");
    expect_overflow(overflow, &workers, "edo: fiber 'overflows' (");
}

/* Larger than guard and stack together; the file is compiled with -fstack-clash-protection. */
static __attribute__((noinline)) int64_t has_large_frame(void *arg)
{
    char frame[256 << 10];
    frame[0] = 1;
    __asm__ volatile("" : : "r"(frame), "r"(arg) : "memory"); // compilers keep all of it
    return frame[0];
}

static void overflow_with_large_frame(void *arg)
{
    signal(SIGSEGV, SIG_DFL);
    edo_runtime *runtime;
    edo_task *task;
    edo_config config = { .workers = 4 };
    if (edo_runtime_create(&config, &runtime) < 0) return;
    edo_fiber_options options = { .task = { .runtime = runtime, .pinned = 3 + 1 } };
    if (edo_fiber_spawn(&task, &options, has_large_frame, arg) == 0) edo_wait(edo_join(task));
}

test(a_large_frame_touches_the_guard_on_any_worker)
{
    if (is_sanitized()) skip();
    expect_overflow(overflow_with_large_frame, NULL, "edo: fiber 'has_large_frame' (");
}

static void earlier(int number)
{
    (void)!write(STDERR_FILENO, "earlier\n", 8);
    _exit(number);
}

static void overflow_with_handler(void *arg)
{
    stack_t stack = { .ss_sp = malloc(64 << 10), .ss_size = 64 << 10 };
    struct sigaction action = { .sa_handler = earlier, .sa_flags = SA_ONSTACK };
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    edo_runtime *runtime;
    if (edo_runtime_create(NULL, &runtime) == 0) edo_fiber_block_on(runtime, overflows, arg);
}

test(an_earlier_handler_of_the_program_follows)
{
    char text[TEXT_SIZE];
    if (is_sanitized()) skip();
    int status = run_in_child(overflow_with_handler, NULL, text, sizeof text);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SIGSEGV);
    assert_non_null(strstr(text, "overflowed"));
    assert_non_null(strstr(text, "earlier"));
}

static int64_t reads_null(void *arg)
{
    return *(volatile char *)arg;
}

static void fault_elsewhere(void *arg)
{
    signal(SIGSEGV, SIG_DFL);
    edo_runtime *runtime;
    if (edo_runtime_create(NULL, &runtime) == 0) edo_fiber_block_on(runtime, reads_null, arg);
}

test(another_fault_ends_the_process_without_the_line)
{
    char text[TEXT_SIZE];
    if (is_sanitized()) skip();
    int status = run_in_child(fault_elsewhere, NULL, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_null(strstr(text, "overflowed"));
}

/* ---- shortage ---- */

static int64_t exhausts(void *arg)
{
    enum { MANY = 100000 };
    int rc = 0, count = 0;
    edo_fiber_scope(scope, EDO_SCOPE_IGNORE);
    for (; count < MANY && rc == 0; count += rc == 0)
        rc = edo_fiber_scope_spawn(&scope, NULL, yields, arg);
    if (edo_wait(edo_scope_join(&scope)) < 0) return -EPROTO;
    if (rc != -ENOMEM || count < 100) return -ERANGE;
    return edo_fiber_go(yields, arg); // there is room again
}

static void exhaust(void *arg)
{
    struct rlimit limit = { .rlim_cur = 512 << 20, .rlim_max = 512 << 20 };
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    edo_runtime *runtime;
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_fiber_block_on(runtime, exhausts, arg), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(without_address_space_a_spawn_is_refused_with_its_reason)
{
    char text[TEXT_SIZE];
    if (is_sanitized()) skip(); // needs address space itself
    int status = run_in_child(exhaust, NULL, text, sizeof text);
    if (status) fail_msg("status %#x, stderr: %s", status, text);
    assert_non_null(strstr(text, "stack of a fiber, 65536 bytes: -ENOMEM: no mapping"));
    char *second = strstr(strstr(text, "-ENOMEM") + 1, "-ENOMEM");
    assert_null(second); // one line for all
}

/* ---- the stacks that the threads of a process share ---- */

enum { MORE_THAN_KEPT = 1025 }; // default stacks; one more than a thread keeps

static edo__stack *given[MORE_THAN_KEPT];

/* Gives more stacks than a thread keeps. Half of them go to the pool of the process, and the others
 * are unmapped at the thread's end. */
static void *give_many(void *arg)
{
    for (int i = 0; i < MORE_THAN_KEPT; i++)
        if (edo__stack_take(0, true, &given[i]) < 0) return arg;
    for (int i = 0; i < MORE_THAN_KEPT; i++)
        edo__stack_give(given[i]);
    return NULL;
}

static bool is_mapped(const edo__stack *stack)
{
    unsigned char resident;
    uintptr_t page = (uintptr_t)stack & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1);
    return mincore((void *)page, 1, &resident) == 0;
}

static void take_in_child(void *arg)
{
    const bool *shared = arg;
    edo__stack *stack;
    assert_int_equal(edo__stack_take(0, true, &stack), 0);
    for (int i = 0; i < MORE_THAN_KEPT; i++)
        assert_false(shared[i] && stack == given[i]);
    edo__stack_give(stack);
}

test(the_child_of_a_fork_takes_no_shared_stack)
{
    static bool shared[MORE_THAN_KEPT];
    pthread_t thread;
    void *failed;
    int count = 0;
    edo__stack_drop_kept();
    assert_int_equal(pthread_create(&thread, NULL, give_many, given), 0);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    for (int i = 0; i < MORE_THAN_KEPT; i++)
        count += shared[i] = is_mapped(given[i]);
    assert_int_equal(count, MORE_THAN_KEPT / 2);
    expect_success_in_child(take_in_child, shared);
    edo__stack_drop_kept();
    for (int i = 0; i < MORE_THAN_KEPT; i++)
        assert_false(is_mapped(given[i]));
}
