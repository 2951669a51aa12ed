/* Contract with the operating system: time, threads, memory, forks. The other contracts are
 * sockets.h, signals.h and driver/driver.h. One folder per system implements them. Any thread may
 * make every call, except where a comment names the thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <edo/clocks.h>

#include "base/atomic.h"

/* Nanoseconds of the monotonic clock. */
int64_t edo__sys_now(void);

/* Unpredictable bits, for seeds. */
uint64_t edo__sys_random(void);

/* Sleeps while *word == value; may return early. */
void edo__sys_futex_wait(uint32_t *word, uint32_t value);

/* Wakes one sleeper, or all sleepers.
 * Returns: whether there was a sleeper; false on a system that does not report that. */
bool edo__sys_futex_wake(uint32_t *word);
bool edo__sys_futex_wake_all(uint32_t *word);

/* Sleeps while *word == value, at most until a deadline of edo__sys_now(). INT64_MAX: no limit. May
 * return early. */
void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline);

/* Body of a loop that waits until another thread has run a few instructions. The first calls yield
 * the processor. From the EDO__BRIEF_TRIES-th call on, each call sleeps, longer each time, up to a
 * millisecond. Without the sleep, a waiter of higher priority on the same processor would prevent
 * the other thread from running.
 * *tries: number of calls in this loop; begins at 0. */
void edo__sys_wait_briefly(uint32_t *tries);

enum { EDO__BRIEF_TRIES = 8 };

typedef uintptr_t edo__sys_thread;

/* Starts a thread that runs run(arg). The caller must join or detach the thread.
 * stack_size: bytes, at least; 0: the system's default. *ret_thread may be written after the thread
 * has begun to run, so the thread itself uses edo__sys_thread_self(). Returns: 0; -EAGAIN. */
int edo__sys_thread_start(void *(*run)(void *arg), void *arg, size_t stack_size,
                          edo__sys_thread *ret_thread);
edo__sys_thread edo__sys_thread_self(void);

void edo__sys_thread_join(edo__sys_thread thread);
void edo__sys_thread_detach(edo__sys_thread thread);

/* Bytes left on the calling thread's stack, minus a reserve for signal handlers and for functions
 * that do not check. Returns: SIZE_MAX for an unknown stack, such as one that the program has
 * made. */
size_t edo__sys_stack_room(void);

/* Number of the calling thread, as debuggers show it; never 0. Async-signal-safe. */
uint32_t edo__sys_thread_id(void);

/* Names the calling thread, for debuggers and lists of threads. Long names are cut. */
void edo__sys_thread_name(const char *name);

/* The name of the calling thread, cut to size - 1 bytes. */
void edo__sys_thread_own_name(char *name, size_t size);

/* Binds the calling thread to one processor. No effect if the processor does not exist. */
void edo__sys_thread_pin(int cpu);

/* Number of processors that this process may use. */
uint32_t edo__sys_cpu_count(void);

/* Makes another thread, named by its number, run call(context) in a signal handler, and waits for
 * the end of that call.
 * Returns: 0; -ETIMEDOUT: the call has not begun by the deadline, and never will; -ESRCH: the
 * thread has ended; -ENOMEM. */
int edo__sys_interrupt(uint32_t thread, void (*call)(void *context), void *context,
                       int64_t deadline);

/* Drops a pending request of the parent. Called in the child of a fork. */
void edo__sys_forget_interrupt(void);

/* Stores the return addresses on the calling thread's stack. May also be called inside a call of
 * edo__sys_interrupt(). */
size_t edo__sys_backtrace(void **stack, size_t max);

/* Writes the place of a code address as text: "function+0x12 (program)". */
void edo__sys_describe_code(const void *address, char *text, size_t size);

/* Number that is higher in every child of fork(). 0: forks are not detected, for lack of memory. */
uint32_t edo__sys_fork_generation(void);

/* The fork generation, to be read without a call after edo__sys_fork_generation() was called
 * once. */
extern edo_atomic(uint32_t) edo__sys_forks;

/* Opens the system's null device in place of each standard descriptor that is closed. Otherwise the
 * next file or socket that is opened would become the program's input or output. */
void edo__sys_open_standard(void);

/* Writes a line to stderr, without SIGPIPE. Waits at most `patience` nanoseconds for a slow reader.
 * Returns: whether the line was written. */
bool edo__sys_write_stderr(const char *text, size_t size, int64_t patience);

/* Creates a key, under which each thread stores a value of its own. destroy: called at the end of a
 * thread with that thread's value, unless the value is NULL. Returns: 0; -EAGAIN; -ENOMEM. */
int edo__sys_key_create(uint32_t *ret_key, void (*destroy)(void *value));
void edo__sys_key_destroy(uint32_t key);
int edo__sys_key_set(uint32_t key, void *value); // 0; -ENOMEM
void *edo__sys_key_get(uint32_t key);            // NULL: not set

/* The text of an errno, in static storage; NULL for an unknown errno. */
const char *edo__sys_error_text(int error);

/* Ends the process at once: neither its exit handlers nor its destructors run. Restores terminals
 * and the status of shared files before. */
_Noreturn void edo__sys_exit_now(int status);

/* Allocates memory from the C library. NULL: out of memory. */
void *edo__sys_alloc(size_t size, size_t align);

/* Opens a timer descriptor. The descriptor becomes readable at the moment `when`; INT64_MAX:
 * never. */
edo_fd edo__sys_timer_open(void);
void edo__sys_timer_set(edo_fd fd, int64_t when);

/* The time of a clock, in nanoseconds, and timer descriptors for that clock. A descriptor of the
 * wall clock also becomes readable when that clock is set; the caller then sets the timer again. */
int64_t edo__sys_clock_now(edo_clock clock);
edo_fd edo__sys_clock_open(edo_clock clock);
void edo__sys_clock_set(edo_fd fd, int64_t when);

void edo__sys_close(edo_fd fd); // ignores a negative number

/* Ends the process with one line on stderr. Used if a wait or a wake fails permanently, so that
 * threads could no longer sleep or be woken. */
_Noreturn void edo__sys_wait_failed(const char *call, int error);

/* Opens an eventfd, non-blocking and closed by exec. Returns: the descriptor; a negative errno. */
edo_fd edo__sys_event_open(void);

/* Adds one to an eventfd. Thread: any. Async-signal-safe. */
void edo__sys_event_set(edo_fd event);

/* Resets a readable eventfd or timer descriptor. No effect if the descriptor is not readable. */
void edo__sys_event_clear(edo_fd event);
