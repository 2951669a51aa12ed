/* Most functions of sys/sys.h on Linux. */
#include "sys/sys.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/lock.h"
#include "sys/linux/status.h"
#include "sys/signals.h"
#include "sys/terminals.h"

enum { NANOSECONDS = 1000000000 };

int64_t edo__sys_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

uint64_t edo__sys_random(void)
{
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) != (ssize_t)sizeof bits)
        bits = (uint64_t)edo__sys_now() * 0x9E3779B97F4A7C15u; // early in boot; the factor is 2^64
                                                               // divided by the golden ratio
    return bits;
}

/* Ends the process if a wait has failed permanently. Callers repeat a wait that has returned, so
 * they would spin if the wait always failed. */
static void check_futex(long rc)
{
    if (rc < 0 && errno != EAGAIN && errno != EINTR && errno != ETIMEDOUT)
        edo__sys_wait_failed("futex", -errno);
}

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1 // the macro of gcc
#endif
#endif

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer runs the handler of a signal only in the next call that it intercepts. It does
 * not intercept syscall(). So a thread that sleeps in syscall() wakes from time to time, and makes
 * a call that is intercepted. */
void edo__sys_futex_wait(uint32_t *word, uint32_t value)
{
    const struct timespec a_while = { .tv_nsec = NANOSECONDS / 10 }, none = { 0 };
    check_futex(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &a_while, NULL, 0));
    nanosleep(&none, NULL);
}
#else
void edo__sys_futex_wait(uint32_t *word, uint32_t value)
{
    check_futex(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0));
}
#endif

static bool wake(uint32_t *word, int most)
{
    return syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, most, NULL, NULL, 0) > 0;
}

bool edo__sys_futex_wake(uint32_t *word)
{
    return wake(word, 1);
}

bool edo__sys_futex_wake_all(uint32_t *word)
{
    return wake(word, INT_MAX);
}

/* Uses FUTEX_WAIT_BITSET, because it takes an absolute deadline. With all bits set, any wake ends
 * the wait. */
void edo__sys_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline)
{
    if (deadline < 0) deadline = 0;
    struct timespec until = { .tv_sec = deadline / NANOSECONDS, .tv_nsec = deadline % NANOSECONDS };
    check_futex(syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
                        deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY));
}

enum { FIRST_PAUSE = 20000, LAST_PAUSE = 1000000 }; // nanoseconds

/* Sleeps on a word that no thread wakes, so the sleep ends at the deadline. */
void edo__sys_wait_briefly(uint32_t *tries)
{
    uint32_t nobody = 0, sleeps = (*tries)++;
    if (sleeps < EDO__BRIEF_TRIES) {
        sched_yield();
        return;
    }
    sleeps -= EDO__BRIEF_TRIES;
    int64_t pause = sleeps < 6 ? FIRST_PAUSE << sleeps : LAST_PAUSE;
    edo__sys_futex_wait_until(&nobody, 0, edo__sys_now() + pause);
}

void edo__sys_close(edo_fd fd)
{
    if (fd >= 0) close(fd);
}

const char *edo__sys_error_text(int error)
{
    return strerrordesc_np(error);
}

void edo__sys_exit_now(int status)
{
    edo__terminals_restore();
    edo__status_put_back();
    _exit(status);
}

void *edo__sys_alloc(size_t size, size_t align)
{
    void *memory = NULL;
    if (align <= _Alignof(max_align_t)) return malloc(size);
    return posix_memalign(&memory, align, size) == 0 ? memory : NULL;
}

/* ---- threads ---- */

/* Rounds up to a size that the system accepts. The system rejects stacks below a minimum. Some
 * systems reject sizes that are not a multiple of a page. */
static size_t rounded_stack(size_t size)
{
    size_t least = (size_t)sysconf(_SC_THREAD_STACK_MIN), page = (size_t)sysconf(_SC_PAGESIZE);
    if (size < least) size = least;
    return size > SIZE_MAX - page ? size : (size + page - 1) / page * page;
}

int edo__sys_thread_start(void *(*run)(void *), void *arg, size_t stack_size,
                          edo__sys_thread *ret_thread)
{
    pthread_attr_t attributes;
    pthread_t thread = 0;
    int rc = pthread_attr_init(&attributes);
    if (rc) return -rc;
    if (stack_size) rc = pthread_attr_setstacksize(&attributes, rounded_stack(stack_size));
    if (!rc) rc = pthread_create(&thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    if (!rc) *ret_thread = (edo__sys_thread)thread;
    return -rc;
}

edo__sys_thread edo__sys_thread_self(void)
{
    return (edo__sys_thread)pthread_self();
}

void edo__sys_thread_join(edo__sys_thread thread)
{
    pthread_join((pthread_t)thread, NULL);
}

void edo__sys_thread_detach(edo__sys_thread thread)
{
    pthread_detach((pthread_t)thread);
}

enum { STACK_SHARE = 4, MAX_STACK_RESERVE = 64 << 10 }; // reserve: 1/4 of the stack, at most 64 KiB

typedef struct stack {
    uintptr_t first, size; // size 0: not known yet
} stack;

static _Thread_local stack own_stack __attribute__((tls_model("initial-exec")));

static void find_stack(stack *ret_stack)
{
    void *address = NULL;
    size_t size = 0;
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
    size_t reserve = size / STACK_SHARE < MAX_STACK_RESERVE ? size / STACK_SHARE
                                                            : MAX_STACK_RESERVE;
    *ret_stack = (stack){ (uintptr_t)address + reserve, size - reserve };
}

size_t edo__sys_stack_room(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (!own_stack.size) find_stack(&own_stack);
    if (here < own_stack.first) return 0;
    uintptr_t room = here - own_stack.first;
    return room < own_stack.size ? room : SIZE_MAX;
}

static _Thread_local uint32_t thread_id __attribute__((tls_model("initial-exec")));

uint32_t edo__sys_thread_id(void)
{
    if (!thread_id) thread_id = (uint32_t)gettid();
    return thread_id;
}

uint64_t edo__sys_preemptions(void)
{
    struct rusage usage = { 0 };
    getrusage(RUSAGE_THREAD, &usage);
    return (uint64_t)usage.ru_nivcsw;
}

enum { THREAD_NAME_SIZE = 16 }; // the kernel's TASK_COMM_LEN

void edo__sys_thread_name(const char *name)
{
    char cut[THREAD_NAME_SIZE];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(pthread_self(), cut);
}

void edo__sys_thread_own_name(char *name, size_t size)
{
    char text[THREAD_NAME_SIZE] = "";
    pthread_getname_np(pthread_self(), text, sizeof text);
    snprintf(name, size, "%s", text);
}

/* ---- slots per thread ---- */

_Static_assert(sizeof(pthread_key_t) == sizeof(uint32_t), "a key is a number");

int edo__sys_key_create(uint32_t *ret_key, void (*destroy)(void *value))
{
    return -pthread_key_create(ret_key, destroy);
}

void edo__sys_key_destroy(uint32_t key)
{
    pthread_key_delete(key);
}

int edo__sys_key_set(uint32_t key, void *value)
{
    return -pthread_setspecific(key, value);
}

void *edo__sys_key_get(uint32_t key)
{
    return pthread_getspecific(key);
}

/* ---- fork ---- */

enum { NOT_WATCHED }; // 0, because generations count from 1

edo_atomic(uint32_t) edo__sys_forks = NOT_WATCHED;

static void count_fork(void)
{
    thread_id = 0; // the child's thread has another number
    edo__signals_leave_parent();
    edo__sys_forget_interrupt();
    edo__locks_leave_parent();
    edo__status_forget();
    edo_add_relaxed(&edo__sys_forks, 1);
}

/* Registers the fork handler. Two threads may register the handler at the same time. In that case
 * each fork is counted twice, which is harmless. */
static uint32_t watch_forks(void)
{
    uint32_t generation = NOT_WATCHED;
    if (pthread_atfork(NULL, NULL, count_fork) != 0) return NOT_WATCHED;
    edo_cas_relaxed(&edo__sys_forks, &generation, 1);
    return edo_load_relaxed(&edo__sys_forks);
}

uint32_t edo__sys_fork_generation(void)
{
    uint32_t generation = edo_load_relaxed(&edo__sys_forks);
    return generation != NOT_WATCHED ? generation : watch_forks();
}

/* ---- timers ---- */

int edo__sys_timer_open(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static struct itimerspec spec_of(int64_t when)
{
    struct itimerspec spec = { 0 };
    if (when == INT64_MAX) return spec;
    spec.it_value.tv_sec = when / NANOSECONDS;
    spec.it_value.tv_nsec = when % NANOSECONDS;
    if (when <= 0) spec.it_value = (struct timespec){ 0, 1 }; // zero would disarm the timer
    return spec;
}

void edo__sys_timer_set(int fd, int64_t when)
{
    struct itimerspec spec = spec_of(when);
    if (timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
        edo__sys_wait_failed("timerfd_settime", -errno);
}

/* ---- other clocks ---- */

static clockid_t id_of(edo_clock clock)
{
    return clock == EDO_CLOCK_WALL ? CLOCK_REALTIME : CLOCK_BOOTTIME;
}

int64_t edo__sys_clock_now(edo_clock clock)
{
    struct timespec now;
    clock_gettime(id_of(clock), &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}

edo_fd edo__sys_clock_open(edo_clock clock)
{
    int fd = timerfd_create(id_of(clock), TFD_NONBLOCK | TFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* TFD_TIMER_CANCEL_ON_SET has no effect on clocks other than the wall clock. The call fails with
 * ECANCELED if the clock was changed just before, but the timer is armed nevertheless. */
void edo__sys_clock_set(edo_fd fd, int64_t when)
{
    struct itimerspec spec = spec_of(when);
    int flags = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
    if (timerfd_settime(fd, flags, &spec, NULL) < 0 && errno != ECANCELED)
        edo__sys_wait_failed("timerfd_settime", -errno);
}
