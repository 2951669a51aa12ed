/* Memory allocation, the log and fatal misuse, for all of edo. Thread: any. */
#pragma once

#include <edo/base.h>

/* Allocates memory through the memory hooks, aligned for any type. Returns: NULL if out of
 * memory. */
void *edo__alloc(size_t size);
void *edo__alloc_zeroed(size_t size);
void edo__free(void *memory, size_t size); // NULL is ignored

/* Allocate and free memory of a given alignment. */
void *edo__alloc_aligned(size_t size, size_t align);
void edo__free_aligned(void *memory, size_t size, size_t align);

void edo__log(edo_log_level level, const char *format, ...) EDO_PRINTF(2, 3);

/* Logs a line that a caller has explicitly requested. May wait for a slow reader of stderr. */
void edo__log_patiently(edo_log_level level, const char *line);

/* Writes a line to stderr. Waits for room for at most a second, then drops the line. */
void edo__print_patiently(const char *format, ...) EDO_PRINTF(1, 2);

/* Reads the log level for stderr from the environment. If this function was not called, the first
 * log line reads the environment. */
void edo__log_read_environment(void);

/* Reports a misuse that cannot be returned as an error. Writes one line that names the call, the
 * broken rule and the task that is being polled, then aborts the process. */
_Noreturn void edo__misuse(const char *call, const char *format, ...) EDO_PRINTF(2, 3);

/* Describes the task that the calling thread polls. Set by the runtime. */
extern const char *(*edo__describe_current)(char *buffer, size_t size);

/* Function that edo__misuse() calls last, before it aborts. Set by the runtime. */
extern void (*edo__at_misuse)(void);

#define edo__likely(x)   __builtin_expect(!!(x), 1)
#define edo__unlikely(x) __builtin_expect(!!(x), 0)

#define edo__always_inline inline __attribute__((always_inline))

/* 1 in debug builds. Debug builds make additional checks that cost time. */
#if defined NDEBUG || defined EDO_MODEL
#define EDO_DEBUG 0
#else
#define EDO_DEBUG 1
#endif

/* Whether the library itself is built with a sanitizer. */
#ifndef __has_feature
#define __has_feature(feature) 0 // for gcc, which defines __SANITIZE_* instead
#endif
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define EDO__ASAN 1
#else
#define EDO__ASAN 0
#endif
#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
#define EDO__TSAN 1
#else
#define EDO__TSAN 0
#endif

#ifdef NDEBUG
#define edo__debug_assert(condition) ((void)0)
#else
#define edo__debug_assert(condition)                                                               \
    ((condition) ? (void)0 : edo__misuse(__func__, "assertion failed: %s", #condition))
#endif
