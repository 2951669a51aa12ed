/* Makers of streams and listeners, and their memory after the end: for the reports of debug builds
 * and of edo_config.report_leaks. Any thread.
 *
 * A pointer to a closed stream may point to memory of another stream by then, and would act on that
 * one. So in debug builds the memory is not used again soon: it lies in a quarantine, where the word
 * of the source still says that it was closed. Under a sanitizer nothing lies there: freed memory is
 * the sanitizer's matter, and the lock of the quarantine would hide races from it.
 */
#pragma once

#include "runtime/runtime.h"

#if EDO__ASAN || EDO__TSAN || !EDO_DEBUG
#define EDO__KEEPS_CLOSED 0
#else
#define EDO__KEEPS_CLOSED 1
#endif

/* Of one stream or listener, from its making until its end; in the list of all. */
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
static inline void edo__makers_report(const edo_runtime *runtime)
{
    (void)runtime;
}
static inline void edo__free_all_closed(void) {}

#else

/* Notes the stream or listener that the current task makes. kind: "stream" or "listener". NULL outside of
 * tasks, without report_leaks and without memory. */
edo__maker *edo__maker_create(const char *kind, int fd);

/* It has ended. NULL is ignored. */
void edo__maker_destroy(edo__maker *maker);

/* Logs what a runtime's tasks made and nobody ended. */
void edo__makers_report(const edo_runtime *runtime);

/* Frees the memory of a stream or a listener that has ended, perhaps later. */
void edo__free_closed(void *memory, size_t size);

/* Frees what waits for that, of all runtimes. */
void edo__free_all_closed(void);

#endif
