/* edo-test: once
 * Guards of stacks where the kernel has no MADV_GUARD_INSTALL: this file stands before that
 * call. */
#include "support/fibers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_SIZE = 4096, INSTALL_GUARD = 102 };

int madvise(void *address, size_t size, int advice)
{
    if (advice == INSTALL_GUARD) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, address, size, advice);
}

static bool is_sanitized(void)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    return true; // they have mappings of their own
#else
    return false;
#endif
}

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

static void run(void *fn)
{
    edo_runtime *runtime;
    int64_t (*function)(void *) = *(int64_t(**)(void *))fn;
    signal(SIGSEGV, SIG_DFL);
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(edo_fiber_block_on(runtime, function, NULL), 0);
}

test(a_page_without_access_is_the_guard)
{
    int64_t (*fn)(void *) = overflows;
    char text[TEXT_SIZE];
    if (is_sanitized()) skip();
    int status = run_in_child(run, &fn, text, sizeof text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(text, "its stack has overflowed: 49152 bytes, and a guard of 16384"));
}

/* ---- vm.max_map_count ---- */

static int64_t yields(void *arg)
{
    (void)arg;
    return edo_wait(edo_yield());
}

enum { MOST = 70000, LEAST = 1000, MORE = 1000 };

static int64_t exhausts_mappings(void *arg)
{
    edo_fiber_options open = { .flags = EDO_FIBER_UNGUARDED };
    int rc = 0, count = 0;
    edo_fiber_scope(scope, 0);
    while (count < MOST && (rc = edo_fiber_scope_spawn(&scope, NULL, yields, arg)) == 0)
        count++;
    if (count == MOST) return 0; // this system has a higher limit than 65530, or none
    if (rc != -ENOMEM || count < LEAST) return -EPROTO;
    if (edo_wait(edo_scope_join(&scope)) < 0) return -EPROTO;
    for (int i = 0; i < MORE && rc == -ENOMEM; i++) // mappings side by side are one
        if (edo_fiber_scope_spawn(&scope, &open, yields, arg) < 0) rc = -ERANGE;
    int64_t joined = edo_wait(edo_scope_join(&scope));
    return joined < 0 ? joined : rc == -ENOMEM ? 0 : rc;
}

test(the_limit_of_mappings_is_an_error_with_its_reason)
{
    int64_t (*fn)(void *) = exhausts_mappings;
    char text[TEXT_SIZE];
    if (is_sanitized()) skip();
    int status = run_in_child(run, &fn, text, sizeof text);
    if (status) fail_msg("status %#x, stderr: %s", status, text);
    if (!*text) skip(); // the limit is higher
    assert_non_null(strstr(text, "-ENOMEM: no "));
    assert_non_null(strstr(text, "vm.max_map_count"));
}
