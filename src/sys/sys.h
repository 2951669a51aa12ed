/* Contract with the operating system: time, threads, memory, forks. The other headers of this
 * folder and driver/driver.h are further contracts. One folder per system implements the contracts.
 * Thread: any, except where a comment names the thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <edo/clocks.h>

#include "base/atomic.h"

/* Returns: the time of the monotonic clock, in nanoseconds. */
int64_t edo__sys_now(void);

/* Returns: unpredictable bits, for seeds. */
uint64_t edo__sys_random(void);

/* Sleeps while *word == value. May return early. */
void edo__sys_futex_wait(uint32_t *word, uint32_t value);

/* Wake one sleeper, or all sleepers. Returns: whether there was a sleeper; always false on a system
 * that does not report sleepers. */
bool edo__sys_futex_wake(uint32_t *word);
bool edo__sys_futex_wake_all(uint32_t *word);

/* Sleeps while *word == value. May return early. deadline: a time of edo__sys_now() at which the
 * sleep ends; INT64_MAX: no limit. */
void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline);

/* Waits briefly. Called in a loop that ends when another thread has run a few instructions. The
 * first EDO__BRIEF_TRIES calls in the loop yield the processor. Each later call sleeps longer than
 * the call before, up to a millisecond. Without the sleep, a waiter of higher priority on the same
 * processor would prevent the other thread from running.
 * *tries: number of calls in this loop; begins at 0. */
void edo__sys_wait_briefly(uint32_t *tries);

enum { EDO__BRIEF_TRIES = 8 };

typedef uintptr_t edo__sys_thread;

/* Starts a thread that calls run(arg). The caller must join or detach the thread. stack_size: least
 * size in bytes; 0: the system's default. *ret_thread may be written after the thread has begun to
 * run, so the new thread itself uses edo__sys_thread_self(). Returns: 0; -EAGAIN. */
int edo__sys_thread_start(void *(*run)(void *arg), void *arg, size_t stack_size,
                          edo__sys_thread *ret_thread);
edo__sys_thread edo__sys_thread_self(void);

void edo__sys_thread_join(edo__sys_thread thread);
void edo__sys_thread_detach(edo__sys_thread thread);

/* Returns: number of bytes left on the calling thread's stack. A reserve is subtracted, for signal
 * handlers and for functions that do not check the room. SIZE_MAX if the stack is unknown, for
 * example a stack that the program has made. */
size_t edo__sys_stack_room(void);

/* Returns: the number of the calling thread that debuggers show; never 0. Async-signal-safe. */
uint32_t edo__sys_thread_id(void);

/* Returns: how often the calling thread has lost its processor while it could run. */
uint64_t edo__sys_preemptions(void);

/* Names the calling thread, for debuggers and lists of threads. Long names are cut. */
void edo__sys_thread_name(const char *name);

/* Reads the name of the calling thread, cut to size - 1 bytes. */
void edo__sys_thread_own_name(char *name, size_t size);

/* Binds the calling thread to one processor. No effect if the processor does not exist. */
void edo__sys_thread_pin(int cpu);

/* Returns: number of processors that this process may use. */
uint32_t edo__sys_cpu_count(void);

/* Makes another thread run call(context) in a signal handler, and waits for the end of that call.
 * thread: number of the other thread.
 * Returns: 0; -ETIMEDOUT: the call did not begin before the deadline, and will not begin later;
 * -ESRCH: the thread has ended; -ENOMEM. */
int edo__sys_interrupt(uint32_t thread, void (*call)(void *context), void *context,
                       int64_t deadline);

/* Drops a pending request of the parent. Called in the child of a fork. */
void edo__sys_forget_interrupt(void);

/* Stores the return addresses of the calling thread's stack in `stack`, at most `max`. May also be
 * called in a function that edo__sys_interrupt() runs. Returns: number of addresses stored. */
size_t edo__sys_backtrace(void **stack, size_t max);

/* Writes the place of a code address as text: "function+0x12 (program)". */
void edo__sys_describe_code(const void *address, char *text, size_t size);

/* Returns: a number that is higher in every child of fork() than in its parent. Returns 0 if forks
 * are not detected, for lack of memory. */
uint32_t edo__sys_fork_generation(void);

/* The value of edo__sys_fork_generation(). After the first call of that function, callers may read
 * the value here. */
extern edo_atomic(uint32_t) edo__sys_forks;

/* Opens the null device in place of each standard descriptor that is closed. Without this call, the
 * next file or socket that is opened would become the program's input or output. */
void edo__sys_open_standard(void);

/* Writes a line to stderr, without SIGPIPE. Waits at most `patience` nanoseconds for a slow reader.
 * Returns: whether the line was written. */
bool edo__sys_write_stderr(const char *text, size_t size, int64_t patience);

/* Creates a key. Each thread can store a value of its own under the key. destroy: called at the end
 * of a thread with that thread's value, unless the value is NULL. Returns: 0; -EAGAIN; -ENOMEM. */
int edo__sys_key_create(uint32_t *ret_key, void (*destroy)(void *value));
void edo__sys_key_destroy(uint32_t key);
int edo__sys_key_set(uint32_t key, void *value); // 0; -ENOMEM
void *edo__sys_key_get(uint32_t key);            // NULL: not set

/* Returns: the text of an errno, in static storage; NULL for an unknown errno. */
const char *edo__sys_error_text(int error);

/* Restores terminals and the status of shared files. Then ends the process at once, without exit
 * handlers and destructors. */
_Noreturn void edo__sys_exit_now(int status);

/* Allocates memory from the C library. NULL: out of memory. */
void *edo__sys_alloc(size_t size, size_t align);

/* Open and set a timer descriptor. The descriptor becomes readable at the time `when`; INT64_MAX:
 * never. */
edo_fd edo__sys_timer_open(void);
void edo__sys_timer_set(edo_fd fd, int64_t when);

/* edo__sys_clock_now() returns the time of a clock, in nanoseconds. edo__sys_clock_open() and
 * edo__sys_clock_set() open and set a timer descriptor of a clock. A descriptor of the wall clock
 * also becomes readable when that clock is changed. The caller then sets the timer again. */
int64_t edo__sys_clock_now(edo_clock clock);
edo_fd edo__sys_clock_open(edo_clock clock);
void edo__sys_clock_set(edo_fd fd, int64_t when);

void edo__sys_close(edo_fd fd); // ignores a negative number

/* Ends the process with one line on stderr. Called if a wait or a wake fails permanently, because
 * threads could no longer sleep or be woken. */
_Noreturn void edo__sys_wait_failed(const char *call, int error);

/* Opens an eventfd, non-blocking and closed by exec. Returns: the descriptor or a negative
 * errno. */
edo_fd edo__sys_event_open(void);

/* Adds one to an eventfd. Thread: any. Async-signal-safe. */
void edo__sys_event_set(edo_fd event);

/* Resets a readable eventfd or timer descriptor. No effect if the descriptor is not readable. */
void edo__sys_event_clear(edo_fd event);
