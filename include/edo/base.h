/* Definitions that every part of edo shares: visibility, errors, memory, the log.
 *
 * Errors. A call that can fail returns a value >= 0, or a negative errno. edo_strerror() gives the
 * text. Outputs are called ret_* and are untouched on failure. Some misuse cannot be reported by a
 * return value, for example a buffer that would dangle, or a scope that is left early. Such misuse
 * ends the process with one line on stderr.
 *
 * Memory. All memory of edo comes from one pair of hooks; the default is the C library. Running out
 * of memory is an error (-ENOMEM), never an abort.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <edo/version.h>

#ifdef __cplusplus
#define EDO_BEGIN_DECLS extern "C" {
#define EDO_END_DECLS   }
#else
#define EDO_BEGIN_DECLS
#define EDO_END_DECLS
#endif

#define EDO_API                        __attribute__((visibility("default")))
#define EDO_PRINTF(format_at, args_at) __attribute__((__format__(__printf__, format_at, args_at)))
#define EDO_MUST_USE                   __attribute__((warn_unused_result))

/* -EDO_EOF is the result of edo_read_exact() when the input ends too early. */
#define EDO_EOF ENODATA

EDO_BEGIN_DECLS

/* A file descriptor. A call that returns a descriptor returns a negative errno on failure. */
typedef int edo_fd;

/* A piece of memory, laid out as struct iovec on systems that have that type. */
typedef struct edo_slice {
    void *data;
    size_t size;
} edo_slice;

/* Version of the running library, in the form of EDO_VERSION.
 * Thread: any. */
EDO_API uint32_t edo_version(void);

/* The text of an error.
 * error: a negative errno (the sign is ignored); the text of 0 is "success".
 * Returns: a string of static storage, never NULL.
 * Thread: any. */
EDO_API const char *edo_strerror(int64_t error);

/* ---- memory ---- */

typedef struct edo_allocator {
    /* Allocates memory. size is above 0. align is a power of two. Returns NULL if out of memory. */
    void *(*alloc)(void *context, size_t size, size_t align);
    /* Frees memory. size and align are the values with which alloc was called. */
    void (*free)(void *context, void *memory, size_t size, size_t align);
    void *context;
} edo_allocator;

/* Sets the hooks for all memory of edo; NULL restores the default. The hooks are called from any
 * thread.
 * Returns: 0; -EBUSY while memory from the current hooks is in use; -EINVAL if a hook is missing.
 * Thread: any. */
EDO_API int edo_set_allocator(const edo_allocator *allocator);

/* Number of bytes that edo has currently allocated through the hooks.
 * Thread: any; a snapshot. */
EDO_API size_t edo_memory_in_use(void);

/* ---- the log ---- */

typedef enum edo_log_level {
    EDO_LOG_ERROR,
    EDO_LOG_WARN,
    EDO_LOG_INFO,
    EDO_LOG_DEBUG
} edo_log_level;

/* Receives one line of the log, without its newline. Called on any thread. Must not call edo. */
typedef void edo_log_fn(void *context, edo_log_level level, const char *line);

/* Sends edo's log to fn; NULL restores the default, which writes errors and warnings to stderr.
 * EDO_LOG=error, warn, info or debug in the environment sets the lowest level that is logged. If
 * stderr has no room for a line, the line is dropped, so the log does not block. Only the lines of
 * a dump (edo/dump.h) wait for room first, up to one second. The number of dropped lines is written
 * before the next line.
 * Thread: any, while no other thread is in a call of edo. */
EDO_API void edo_set_log(edo_log_fn *fn, void *context);

EDO_END_DECLS
