/* Makers of streams and listeners, for edo_config.report_leaks. A maker is the function and line
 * that made a stream or listener. This file also has the quarantine, which keeps the memory of
 * closed streams and listeners for a while. Thread: any.
 *
 * Without the quarantine, the memory of a closed stream could soon be reused for another stream. A
 * call with a stale pointer to the closed stream would then act on the other stream. So the memory
 * of an ended stream, listener or handle stays in the quarantine until EDO__CLOSED_BLOCKS further
 * objects have ended. A call with a stale pointer then finds the word with the claims
 * (edo__source.state), which still shows that the stream was closed.
 *
 * In a release build, the quarantine has so few blocks that they usually fit into the first-level
 * cache of a core. Sanitizer builds have no quarantine, for two reasons: the sanitizer checks freed
 * memory itself, and the quarantine's lock would hide races from the sanitizer. */
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
 * "listener" or "socket". Returns: the maker; NULL outside of a task, if report_leaks is off, or if
 * out of memory. */
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
