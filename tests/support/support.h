/* What tests share. It brings cmocka and its headers; include it first.
 *
 * Whatever goes wrong in here fails the test that calls it. Nothing in here sleeps.
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

/* ---- children: what must not happen in this process ---- */

typedef void child_fn(void *arg);

/* Runs fn in a forked child, without core dumps and with a time limit. In there a failed assertion
 * ends the child with SIGABRT.
 * stderr_text: what it wrote to stderr goes there, cut to size - 1 bytes; may be NULL.
 * Returns: the status that waitpid() tells; exit status 0 if fn returned. */
int run_in_child(child_fn *fn, void *arg, char *stderr_text, size_t size);

/* Expects that fn ends with SIGABRT and a line on stderr that holds the pattern, as it stands or as
 * an extended regular expression. */
void expect_abort(child_fn *fn, void *arg, const char *pattern);

/* Expects that fn returns. Its child has descriptors, limits and signals of its own. */
void expect_success_in_child(child_fn *fn, void *arg);

/* Starts a child that runs beside this process, with the same stderr and no time limit of its own;
 * it is killed when this process dies.
 * Returns: its id. */
int start_child(child_fn *fn, void *arg);

/* Waits for its end. Returns: the status that waitpid() tells. */
int await_child(int child);

/* ---- memory: hooks that count, check and fail on purpose ---- */

/* Puts the hooks in force; edo must hold no memory. They check sizes and alignments, at the free
 * also those that were told, and fill memory with garbage before and after its use. Any thread may
 * allocate. */
void test_allocator_install(void);

/* Sets the default hooks back; fails the test if anything is still allocated. */
void test_allocator_remove(void);

/* From now on the n-th allocation fails (1: the next one), once; 0: none. */
void test_allocator_fail_at(uint64_t n);

/* From now on the n-th allocation and all after it fail; 0: none. */
void test_allocator_fail_from(uint64_t n);

/* Whether an allocation was made to fail since the last of the two calls above. */
bool test_allocator_has_failed(void);

size_t test_allocator_live_bytes(void);
size_t test_allocator_live_count(void); // of blocks
uint64_t test_allocator_calls(void);    // of alloc, since the installation

/* Calls fn with the hooks in force, again and again: first the first allocation fails, then the
 * second, and so on until fn has met none that fails. After each call nothing may be allocated.
 * Returns: how many calls had a failure. */
uint64_t with_each_allocation_failing(void (*fn)(void *arg), void *arg);

/* ---- the process and the system ---- */

/* Descriptors that are open in this process. */
size_t open_descriptors(void);

enum { TEMP_PATH_SIZE = 64 };

/* Makes a fresh directory; returns path. */
char *make_temp_dir(char path[TEMP_PATH_SIZE]);

/* Removes it with all that is in it. */
void remove_tree(const char *path);

/* A TCP port of the loopback that nobody uses at the moment. family: AF_INET or AF_INET6. */
uint16_t free_port(int family);

/* The same, which nobody can use, and where nobody listens, until the descriptor is closed.
 * Returns: that. */
int reserve_port(int family, uint16_t *ret_port);

/* Whether the machine has IPv6 on its loopback; tests that need it skip() without. */
bool has_ipv6(void);

/* Runs body(0 .. count - 1, arg) on so many threads, which begin together, and joins them. A failed
 * assertion in there ends the process: cmocka's belong to the main thread. */
void run_threads(unsigned count, void (*body)(unsigned index, void *arg), void *arg);

/* ---- runtimes: each suite runs on a current-thread runtime, and on workers ---- */

/* Workers that the environment gives to tests; 0: their runtimes are current-thread ones. */
unsigned test_workers(void);

/* edo_runtime_create(), with these workers unless the configuration has its own. They have no spare
 * helpers: so one worker runs one task at a time, and a slow machine opens no more descriptors. */
int create_runtime(const struct edo_config *config, struct edo_runtime **ret_runtime);

/* One edo_turn(). Workers turn by themselves: there it lets other threads run.
 * Returns: 0 when all tasks wait, else 1. */
int turn_runtime(struct edo_runtime *runtime, int64_t timeout);

/* ---- chance: reproducible ---- */

/* The seed of this process: EDO_TEST_SEED, or one of its own, printed on stderr when it is first
 * asked for. */
uint64_t test_seed(void);

typedef struct test_random {
    uint64_t state;
} test_random;

/* A sequence of its own for each stream number of the seed. */
test_random test_random_make(uint64_t stream);
uint64_t test_random_next(test_random *random);
uint64_t test_random_below(test_random *random, uint64_t limit);

/* Bytes that tell their place: byte offset + i of the stream that is called id. */
void fill_pattern(void *buffer, size_t size, uint64_t id, uint64_t offset);

/* Whether the bytes are those. */
bool is_pattern(const void *buffer, size_t size, uint64_t id, uint64_t offset);

/* ---- the log of edo ---- */

/* Collects edo's log instead of printing it, until log_release(). */
void log_capture(void);
void log_release(void);

/* Lines collected so far that contain the text; NULL: all. */
size_t log_lines(const char *text);

#include "support/cases.h"
