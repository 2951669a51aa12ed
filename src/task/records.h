/* Records of holders.h, for its two files. All under the lock of the records. */
#pragma once

#include "task/holders.h"

enum { EDO__RECORDS = 1024, EDO__CYCLE = 16 };

typedef struct edo__record {
    const void *object; // NULL: unused
    edo_op *op;         // of a waiter; NULL: it holds the object
    edo_task *task;     // that waits; NULL: a plain thread, or it holds
    uint64_t id;        // edo_task_id(), or EDO__RECORD_THREAD and that of the thread
    const edo_runtime *runtime;
    const char *name, *function, *file; // static; may be NULL
    uint32_t line, kind, count;
    bool is_stuck;    // its task waits for nothing else
    bool is_reported; // was woken, and not polled for long
    bool has_ended;   // its task
    int64_t since;    // ns of edo__sys_now()
    int64_t woken_at; // as far as it was observed; 0: not yet
} edo__record;

#define EDO__RECORD_THREAD (UINT64_C(1) << 63)

/* Of a waiter, and of the one that holds what it waits for. */
typedef struct edo__record_edge {
    edo__record waiter, holder;
} edo__record_edge;

/* The next that is in use, behind this one (NULL: the first); NULL: no more. */
edo__record *edo__record_next(edo__record *record);

#define edo__each_record(record)                                                                   \
    edo__record *record = edo__record_next(NULL);                                                  \
    record;                                                                                        \
    record = edo__record_next(record)

/* Copies the holders of an object, as many as there is room for. Returns: how many there are. Takes
 * the lock. */
size_t edo__records_of_holders(const void *object, edo__record *holders, size_t room);

/* Copies the next waiter of the runtime behind the place *at, which moves on. Returns: whether there
 * was one. Takes the lock. */
bool edo__records_next_waiter(const edo_runtime *runtime, size_t *at, edo__record *ret_waiter);

/* ---- text; without the lock ---- */

enum { EDO__RECORD_TEXT = 512 };

/* "task 'x' #5" or "thread 77"; "mutex 0x12"; ", in 'f' at f.c:7" or "". Return text. */
const char *edo__record_describe_who(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_object(const edo__record *record, char text[EDO__RECORD_TEXT]);
const char *edo__record_describe_place(const edo__record *record, char text[EDO__RECORD_TEXT]);

/* Logs a cycle, and the backtraces of its tasks. edges: each waiter's task is counted, and given
 * back here. */
void edo__record_report_cycle(edo__record_edge *edges, size_t count);
