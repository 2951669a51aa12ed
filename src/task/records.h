/* Records of holders.h, for its two files. All functions under the lock of the records, except
 * where stated. */
#pragma once

#include "task/holders.h"

enum { EDO__RECORDS = 1024, EDO__CYCLE = 16 };

typedef struct edo__record {
    const void *object; // NULL: unused
    edo_op *op;         // of a waiter; NULL: a holder
    edo_task *task;     // of a waiter; NULL: a plain thread, or a holder
    uint64_t id;        // edo_task_id(), or EDO__RECORD_THREAD | id of the thread
    const edo_runtime *runtime;
    const char *name, *function, *file; // static; may be NULL
    uint32_t line, kind, count;
    bool is_stuck;    // the task waits for nothing else
    bool is_reported; // as woken and not polled
    bool has_ended;   // the task
    int64_t since;    // ns of edo__sys_now()
    int64_t woken_at; // ns, first check that saw the wake; 0: none
} edo__record;

#define EDO__RECORD_THREAD (UINT64_C(1) << 63)

/* An edge of a cycle: a waiter, and a holder of its object. */
typedef struct edo__record_edge {
    edo__record waiter, holder;
} edo__record_edge;

/* The next record in use after this one (NULL: the first one). Returns: NULL: no more. */
edo__record *edo__record_next(edo__record *record);

#define edo__each_record(record)                                                                   \
    edo__record *record = edo__record_next(NULL);                                                  \
    record;                                                                                        \
    record = edo__record_next(record)

/* Copies the holders of an object, at most `room`. Returns: their number, which may be more.
 * Takes the lock. */
size_t edo__records_of_holders(const void *object, edo__record *holders, size_t room);

/* Copies the next waiter of the runtime, from the index *at on, and advances *at. Returns:
 * whether there was one. Takes the lock. */
bool edo__records_next_waiter(const edo_runtime *runtime, size_t *at, edo__record *ret_waiter);

/* ---- text; without the lock ---- */

enum { EDO__RECORD_TEXT = 512 };

/* "task 'x' #5" or "thread 77"; "mutex 0x12"; ", in 'f' at f.c:7" or "". Return text. */
const char *edo__record_describe_who(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_object(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_place(const edo__record *record, char text[EDO__RECORD_TEXT]);

/* Logs a cycle, and the backtraces of its tasks. edges: the caller has a reference to each
 * waiter's task, which is released here. */
void edo__record_report_cycle(edo__record_edge *edges, size_t count);
