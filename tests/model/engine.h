/* Internals of the checker. It runs on one OS thread, so nothing here is shared. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <ucontext.h>

#include "model/model.h"

enum {
    MAX_LOCATIONS = 192,
    MAX_STORES = 1024, // of one execution
    MAX_STEPS = 4000,  // of one execution; more count as endless
    MAX_CHOICES = 8000,
    MAX_BLOCKS = 256, // allocations of one execution
    MAX_PLAIN = 512,
    MAX_BUCKETS = 256, // of locations, by address
    STACK_SIZE = 128 * 1024,
    ARENA_SIZE = 1 << 20,
    NO_STORE = -1,
};

/* ---- knowledge: the state of a thread, passed on by release and acquire ---- */

/* clock: for each thread, the number of its steps that happen before. view: for each location, the
 * oldest store that may still be read (Kang et al., "A Promising Semantics", POPL 2017, without
 * promises). */
typedef struct knowledge {
    uint16_t clock[MODEL_THREADS];
    int16_t view[MAX_LOCATIONS];
} knowledge;

/* ---- steps ---- */

typedef enum step_kind {
    STEP_START,
    STEP_LOAD,
    STEP_STORE,
    STEP_MODIFY,
    STEP_CAS,
    STEP_FENCE,
    STEP_LOCK,
    STEP_TRY_LOCK,
    STEP_UNLOCK,
    STEP_WAIT,
    STEP_POST,
    STEP_JOIN,
    STEP_FUTEX_WAIT,
    STEP_FUTEX_WAKE,
} step_kind;

/* The next step of a thread, announced before the thread is chosen: all that determines the step's
 * dependencies. */
typedef struct step {
    step_kind kind;
    int location; // NO_STORE: none
    bool writes;
    bool fences;     // a seq_cst fence, which depends on all seq_cst steps
    bool sequential; // a seq_cst access
    int thread;      // of STEP_JOIN
    model_order order;
    const void *address;
    model_place place;
} step;

/* ---- threads ---- */

typedef enum thread_state { THREAD_FREE, THREAD_READY, THREAD_ENDED } thread_state;

typedef struct thread {
    thread_state state;
    jmp_buf context;
    ucontext_t origin;
    char *stack;
    void (*run)(void *);
    void *argument;
    step next;
    knowledge now, acquired,
        released;                // acquired: for the next acquire fence; released: of the last
                                 // release fence
    uint64_t waits_for_progress; // after a yield: not run until `progress` differs; 0: may run
    bool sleeps_on_futex, woken;
    int64_t deadline;                    // of the current wait; INT64_MAX: none
    uint16_t order_clock[MODEL_THREADS]; // steps of others that precede in every equivalent run
    char self[256];                      // the code under test's thread-local state
} thread;

/* ---- memory ---- */

typedef struct store {
    int location, next, rank; // next in modification order
    bool modifies;            // a read-modify-write: directly behind the store that it read
    int thread, step;         // -1: the initial value
    uint64_t value;
    knowledge released; // knowledge for an acquire that reads this store
} store;

typedef struct location {
    char *address;
    size_t size;
    int first, last; // stores in modification order
    uint64_t initial;
    bool outside; // not from the arena: restored after the execution
    int next_in_bucket;
    uint16_t touched[MODEL_THREADS]; // clock of each thread's last access
    uint16_t order_reads[MODEL_THREADS], order_writes[MODEL_THREADS];
    int last_step;    // last step on this location; earlier ones by execution.steps[].before
    int holder;       // of a lock: a thread or -1
    knowledge handed; // knowledge passed on by locks and events
} location;

typedef struct execution {
    thread threads[MODEL_THREADS];
    int thread_count, current;
    location locations[MAX_LOCATIONS];
    int location_count;
    store stores[MAX_STORES];
    int store_count;
    int16_t sequential[MAX_LOCATIONS]; // the view of the seq_cst order
    uint64_t progress;                 // count of stores, unlocks, posts
    int step_count;
    int last_sequential; // step
    struct {
        step what;
        int thread, choice;
        uint16_t index;        // among the steps of its thread
        int before;            // previous step on the same location
        int sequential_before; // previous step with a seq_cst order
        uint64_t value, other; // read or written; for the trace
        int from;              // the store that was read
        bool failed;           // of a CAS
    } steps[MAX_STEPS];
    bool failed;
    char outcome[256];
} execution;

extern execution model_run;

typedef struct model_options {
    bool plain;        // all interleavings, without reduction
    int preemptions;   // -1: unbounded
    bool appends_only; // stores are always last in modification order
    bool trace;
    bool samples; // choices are drawn at random, without backtracking
} model_options;

extern model_options model_options_now;

static inline thread *thread_now(void)
{
    return &model_run.threads[model_run.current];
}

/* Announces a step of the current thread, and has the explorer choose the next thread; returns when
 * this thread is chosen. */
void engine_step(step next);

/* Records the values read or written by the current step. */
void engine_note(uint64_t value, uint64_t other, int from, bool failed);

/* memory.c */
void memory_reset(void);
void memory_restore(void); // static memory as it was before the execution
void memory_start_thread(int parent, int child);
void memory_end_execution(void); // leaks
int memory_location(const void *address, size_t size);
bool memory_is_enabled(int thread);
void knowledge_join(knowledge *to, const knowledge *from);

/* explore.c */
void explore_begin(const char *replay);
void explore_reset(void);
unsigned explore_value(unsigned count); // chooses an alternative; all are explored
int explore_thread(uint32_t enabled);   // -1: other executions cover this one
void explore_stepped(int thread, const step *made, int index); // after a step was made
bool explore_advance(void); // to the next execution. Returns: whether there is one
void explore_print_choices(char *buffer, size_t size);

/* report.c */
void report_failure(const char *format, va_list args);
