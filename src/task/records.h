/* Records shared by holders.c and holders_text.c, see holders.h. Guarded by the lock of the
 * records. */
#pragma once

#include "task/holders.h"

enum { EDO__RECORDS = 1024, EDO__CYCLE = 16 };

typedef struct edo__record {
    const void *object; // NULL: unused
    edo_op *op;         // operation of a waiter; NULL: the record of a holder
    edo_task *task;     // task that waits; NULL: a plain thread, or a holder
    uint64_t id;        // edo_task_id(); EDO__RECORD_THREAD | the thread's id; EDO__RECORD_PASSED
    const edo_runtime *runtime;
    const char *name, *function, *file; // static; may be NULL
    uint32_t line, kind, count;
    bool is_stuck;    // the task waits only for this operation
    bool is_reported; // a report was made: the waiter was woken, but not polled within the limit
    bool has_ended;   // the task has ended
    int64_t since;    // ns of edo__sys_now(); start of the wait or hold
    int64_t woken_at; // ns; time when the wake was first observed; 0: not yet
    uint64_t search;  // number of the last search for a cycle that has followed this waiter
    size_t depth;     // depth at which that search has followed the waiter
} edo__record;

#define EDO__RECORD_THREAD (UINT64_C(1) << 63)

/* Id of the record of permits that were passed on. A semaphore has one such record, for all of its
 * passed permits, because their next holder is unknown. No task and no thread has this id, so the
 * record never closes a cycle. */
#define EDO__RECORD_PASSED UINT64_MAX

/* The record of a waiter, and the record of the holder for which it waits. */
typedef struct edo__record_edge {
    edo__record waiter, holder;
} edo__record_edge;

/* Returns: the next record in use after `record`, or NULL at the end. If `record` is NULL, the
 * search begins with the first record. */
edo__record *edo__record_next(edo__record *record);

#define edo__each_record(record)                                                                   \
    edo__record *record = edo__record_next(NULL);                                                  \
    record;                                                                                        \
    record = edo__record_next(record)

/* Copies the records of an object's holders, at most `room` records. Returns: the number of all
 * holders. Takes the lock. */
size_t edo__records_of_holders(const void *object, edo__record *holders, size_t room);

/* Searches for a waiter of the runtime, beginning at position *at. Copies the waiter's record, and
 * advances *at. Returns: whether a waiter was found. Takes the lock. */
bool edo__records_next_waiter(const edo_runtime *runtime, size_t *at, edo__record *ret_waiter);

/* ---- text; called without the lock ---- */

enum { EDO__RECORD_TEXT = 512 };

/* Write a description into `text`, and return `text`. Examples of who: "task 'x' #5", "thread 77".
 * Example of an object: "mutex 0x12". Examples of a place: ", in 'f' at f.c:7", "". */
const char *edo__record_describe_who(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_object(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_place(const edo__record *record, char text[EDO__RECORD_TEXT]);

/* Logs a cycle, and the backtraces of its tasks. The caller holds a reference to the task of each
 * waiter in `edges`. This function drops these references. */
void edo__record_report_cycle(edo__record_edge *edges, size_t count);
