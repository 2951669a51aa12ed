/* The contract with the operating system: what edo asks of it beside its drivers (driver/driver.h).
 * One folder beside this file implements it. Every call is for any thread unless it says
 * otherwise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <edo/base.h>

/* Nanoseconds of the monotonic clock. */
int64_t edo__sys_now(void);

/* Unpredictable bits, for seeds. */
uint64_t edo__sys_random(void);

/* Sleeps while *word == value; may return early. */
void edo__sys_futex_wait(uint32_t *word, uint32_t value);
void edo__sys_futex_wake(uint32_t *word); // one sleeper

/* The same until a moment of edo__sys_now(); INT64_MAX: for ever. */
void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline);

/* One try more of a loop that waits for a few instructions of another thread: offers the processor,
 * and from the EDO__BRIEF_TRIES-th on sleeps, each time for longer, at most a millisecond. A thread of
 * a higher priority than the other one, on the same processor, would else keep it from ever coming to
 * these instructions. *tries: of this loop; begins at 0. */
void edo__sys_wait_briefly(uint32_t *tries);

enum { EDO__BRIEF_TRIES = 8 };

typedef uintptr_t edo__sys_thread;

/* Starts a thread that runs run(arg) and must be joined or detached.
 * stack_size: at least so many bytes; 0: the system's default. *ret_thread may be written after the
 * thread has begun to run; it has edo__sys_thread_self(). Returns: 0, or why not: -EAGAIN. */
int edo__sys_thread_start(void *(*run)(void *arg), void *arg, size_t stack_size,
                          edo__sys_thread *ret_thread);
edo__sys_thread edo__sys_thread_self(void);

void edo__sys_thread_join(edo__sys_thread thread);
void edo__sys_thread_detach(edo__sys_thread thread);

/* Bytes of the calling thread's stack that may still be used; SIZE_MAX where it is not known, as on a
 * stack that the program has made itself. A share is kept for signal handlers, and for functions that
 * do not ask. */
size_t edo__sys_stack_room(void);

/* The calling thread's number, as the system and debuggers have it; never 0. Async-signal-safe. */
uint32_t edo__sys_thread_id(void);

/* Names the calling thread, for debuggers and lists of threads; cut to what the system takes. */
void edo__sys_thread_name(const char *name);

/* Has the calling thread run on one processor only, if it is there. */
void edo__sys_thread_pin(int cpu);

/* Processors that this process may use. */
uint32_t edo__sys_cpu_count(void);

/* Has the thread of that number run call(context) in a signal handler, and waits for it. Not for the
 * calling thread.
 * Returns: 0; -ETIMEDOUT: it did not get to it, and will not any more; -ESRCH: it has ended;
 * -ENOMEM. */
int edo__sys_interrupt(uint32_t thread, void (*call)(void *context), void *context,
                       int64_t deadline);

/* In the child of a fork: who had asked, and who was asked, are not there. */
void edo__sys_forget_interrupt(void);

/* The return addresses on this thread's stack. Also in edo__sys_interrupt's call. */
size_t edo__sys_backtrace(void **stack, size_t max);

/* "function+0x12 (program)". */
void edo__sys_describe_code(const void *address, char *text, size_t size);

/* Grows in every child of fork(). 0: there is no memory to notice forks. */
uint32_t edo__sys_fork_generation(void);

/* Writes a line to stderr, without blocking and without SIGPIPE. patience: nanoseconds to wait for a
 * reader that is behind. Returns: whether it was written. */
bool edo__sys_write_stderr(const char *text, size_t size, int64_t patience);

/* A slot per thread. destroy: called at the end of a thread with its value, unless that is NULL.
 * Returns: 0, or why there is none: -EAGAIN, -ENOMEM. */
int edo__sys_key_create(uint32_t *ret_key, void (*destroy)(void *value));
void edo__sys_key_destroy(uint32_t key);
int edo__sys_key_set(uint32_t key, void *value); // 0; -ENOMEM
void *edo__sys_key_get(uint32_t key);            // NULL: not set

/* The text of an errno, in static storage; NULL for an unknown one. */
const char *edo__sys_error_text(int error);

/* Ends the process at once: neither its exit handlers nor its destructors run. */
_Noreturn void edo__sys_exit_now(int status);

/* Memory from the C library; NULL when there is none. */
void *edo__sys_alloc(size_t size, size_t align);

/* A timer descriptor that becomes readable at a moment; when == INT64_MAX disarms it. */
edo_fd edo__sys_timer_open(void);
void edo__sys_timer_set(edo_fd fd, int64_t when);

void edo__sys_close(edo_fd fd); // a negative one is ignored

/* Ends the process with one line: the call that waits, or that ends a wait, fails for good. Nobody
 * would ever wake up, or sleep, again. */
_Noreturn void edo__sys_wait_failed(const char *call, int error);

/* Adds one to an eventfd. Any thread; async-signal-safe. */
void edo__sys_event_set(edo_fd event);

/* Makes an eventfd, or a timer descriptor, unreadable if it is readable. */
void edo__sys_event_clear(edo_fd event);
