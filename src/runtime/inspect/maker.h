/* Makers of streams and listeners, for edo_config.report_leaks. A maker is the function and line
 * that made a stream or listener. Also the quarantine for the memory of closed streams and
 * listeners. Thread: any.
 *
 * A stale pointer to a closed stream may point to memory of another stream, and a call would act on
 * that stream. So the memory of an ended stream, listener or handle stays in the quarantine until
 * EDO__CLOSED_BLOCKS further objects have ended. In this memory, the word with the claims
 * (edo__source.state) still shows that the stream was closed. The quarantine of a release build is
 * small enough for the first-level cache of a core. Sanitizer builds have no quarantine, because
 * the sanitizer checks freed memory itself, and the quarantine's lock would hide races from the
 * sanitizer. */
#pragma once

#include "runtime/runtime.h"
#include "task/memory.h"

#if EDO__ASAN || EDO__TSAN
#define EDO__KEEPS_CLOSED 0
#else
#define EDO__KEEPS_CLOSED 1
#endif

enum {
    EDO__CLOSED_BLOCKS = EDO_DEBUG ? 512 : 32,     // blocks
    EDO__CLOSED_SIZE = EDO_DEBUG ? 1 << 30 : 4096, // most bytes of a block
};

/* Maker of one stream or listener. A maker is in the list of all makers until its stream or
 * listener ends. */
typedef struct edo__maker edo__maker;

#ifdef EDO_MODEL

static inline edo__maker *edo__maker_create(const char *kind, int fd)
{
    (void)kind;
    (void)fd;
    return NULL;
}
static inline void edo__maker_destroy(edo__maker *maker)
{
    (void)maker;
}
static inline void edo__free_closed(void *memory, size_t size)
{
    edo__free(memory, size);
}
static inline void edo__free_closed_in(void *memory, size_t size, bool in_heap)
{
    edo__worker_free(memory, size, in_heap);
}
static inline void edo__makers_report(const edo_runtime *runtime)
{
    (void)runtime;
}
static inline void edo__free_all_closed(void) {}

#else

/* Creates the maker of a stream or listener that the current task makes. `kind` is "stream",
 * "listener" or "socket". Returns: NULL outside of a task, if report_leaks is off, or if out of
 * memory. */
edo__maker *edo__maker_create(const char *kind, int fd);

/* Frees the maker of an ended stream or listener. NULL is ignored. */
void edo__maker_destroy(edo__maker *maker);

/* Logs the streams and listeners that the tasks of a runtime have made and not closed. */
void edo__makers_report(const edo_runtime *runtime);

/* Frees the memory of an ended stream, listener or handle, by way of the quarantine. */
void edo__free_closed(void *memory, size_t size);

/* Does the same for memory from edo__worker_alloc(). */
void edo__free_closed_in(void *memory, size_t size, bool in_heap);

/* Frees all memory in the quarantine, of all runtimes. */
void edo__free_all_closed(void);

#endif
