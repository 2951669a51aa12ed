/* Helpers for all tests. Includes cmocka and the headers that cmocka needs, so a test includes this
 * header first.
 *
 * An error in a helper fails the test that calls it. No helper sleeps.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct edo_config;
struct edo_runtime;

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof *(array))

/* ---- children: for code that must not run in this process ---- */

typedef void child_fn(void *arg);

/* Runs fn in a forked child, without core dumps and with a time limit. A failed assertion ends the
 * child with SIGABRT.
 * stderr_text: receives the child's stderr, cut to size - 1 bytes; may be NULL.
 * Returns: the status of waitpid(); exit status 0 if fn returned. */
int run_in_child(child_fn *fn, void *arg, char *stderr_text, size_t size);

/* Expects that fn ends with SIGABRT, and that stderr contains the pattern, literally or as an
 * extended regular expression. */
void expect_abort(child_fn *fn, void *arg, const char *pattern);

/* Expects that fn returns. Its child has descriptors, limits and signals of its own. */
void expect_success_in_child(child_fn *fn, void *arg);

/* Starts a child that runs beside this process. The child has the same stderr and no time limit of
 * its own. The child is killed when this process dies.
 * Returns: its id. */
int start_child(child_fn *fn, void *arg);

/* Does the same while the other threads work. */
int start_child_at_once(child_fn *fn, void *arg);

/* Forks. With AddressSanitizer, waits first until each other thread sleeps or is seen to spin. */
int quiet_fork(void);

/* Whether the thread, a kernel's id of this process, sleeps in the kernel or has ended. */
bool thread_sleeps(int thread);

/* Waits for the child's end. Returns: the status of waitpid(). */
int await_child(int child);

/* ---- memory: hooks that count, check and fail on purpose ---- */

/* Installs the hooks; edo must hold no memory. The hooks check sizes and alignments, also at each
 * free, and fill memory with garbage before and after its use. Any thread may allocate. */
void test_allocator_install(void);

/* Restores the default hooks; fails the test if memory is still allocated. */
void test_allocator_remove(void);

/* Has the next test run under the hooks. */
#define allocator_fixture() fixture(test_allocator_set_up, test_allocator_tear_down)
int test_allocator_set_up(void **unused);
int test_allocator_tear_down(void **unused);

/* Makes the n-th allocation from now fail, once. 1: the next allocation; 0: none. */
void test_allocator_fail_at(uint64_t n);

/* Makes the n-th allocation from now and all later allocations fail. 0: none. */
void test_allocator_fail_from(uint64_t n);

/* Whether an allocation has failed on purpose since the last of the two calls above. */
bool test_allocator_has_failed(void);

size_t test_allocator_live_bytes(void);
size_t test_allocator_live_count(void); // of blocks
uint64_t test_allocator_calls(void);    // of alloc, since the installation

/* Calls fn repeatedly with the hooks: first with the first allocation failing, then with the second
 * failing, and so on until no allocation of a call fails. After each call no memory may be
 * allocated. Returns: the number of calls with a failure. */
uint64_t with_each_allocation_failing(void (*fn)(void *arg), void *arg);

/* ---- the process and the system ---- */

/* Number of descriptors that are open in this process. */
size_t open_descriptors(void);

enum { TEMP_PATH_SIZE = 64 };

/* Makes a fresh directory; returns path. */
char *make_temp_dir(char path[TEMP_PATH_SIZE]);

/* Removes a directory with its contents. */
void remove_tree(const char *path);

/* A currently unused TCP port of the loopback. family: AF_INET or AF_INET6. */
uint16_t free_port(int family);

/* Finds an unused port and occupies the port, without a listener, until the descriptor is closed.
 * Returns: the descriptor. */
int reserve_port(int family, uint16_t *ret_port);

/* Whether the machine has IPv6 on its loopback. Tests that need IPv6 skip() otherwise. */
bool has_ipv6(void);

/* Runs body(0 .. count - 1, arg) on `count` threads, which begin together, and joins the threads. A
 * failed assertion on such a thread ends the process, because cmocka's assertions work on the main
 * thread only. */
void run_threads(unsigned count, void (*body)(unsigned index, void *arg), void *arg);

/* Loops in which threads take turns: on a busy machine each turn takes long, so such a loop ends
 * early when its time is up. */
int64_t rounds_end(int seconds); // the moment, for is_late()
bool is_late(int64_t end);

/* ---- runtimes: each suite runs on a current-thread runtime, and on workers ---- */

/* Number of workers by EDO_TEST_WORKERS; 0: current-thread runtimes. */
unsigned test_workers(void);

/* edo_runtime_create(), with test_workers() workers unless the configuration sets another number.
 * There are no spare workers. So one worker runs one task at a time, and no further descriptors are
 * opened on a slow machine. Stalls are not reported either, as without workers: a slow machine would
 * add lines to the log. */
int create_runtime(const struct edo_config *config, struct edo_runtime **ret_runtime);

/* Makes one edo_turn(). With workers, only yields the processor, because workers turn their drivers
 * themselves. Returns: 0 when all tasks wait, else 1. */
int turn_runtime(struct edo_runtime *runtime, int64_t timeout);

/* ---- reproducible random numbers ---- */

/* The seed of this process: EDO_TEST_SEED, or a random one, printed on stderr at the first call. */
uint64_t test_seed(void);

typedef struct test_random {
    uint64_t state;
} test_random;

/* Makes a generator. Each number `stream` has its own sequence. */
test_random test_random_make(uint64_t stream);
uint64_t test_random_next(test_random *random);
uint64_t test_random_below(test_random *random, uint64_t limit);

/* Fills with bytes that identify their position: byte offset + i of stream `id`. */
void fill_pattern(void *buffer, size_t size, uint64_t id, uint64_t offset);

/* Whether the bytes are those of fill_pattern(). */
bool is_pattern(const void *buffer, size_t size, uint64_t id, uint64_t offset);

/* ---- the log of edo ---- */

/* Collects edo's log instead of printing it, until log_release(). */
void log_capture(void);
void log_release(void);

/* Number of lines collected so far that contain the text; NULL: of all lines. */
size_t log_lines(const char *text);

#include "support/cases.h"
