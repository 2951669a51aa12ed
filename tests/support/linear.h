/* Linearizability: whether a history of calls, made by several threads and tasks at the same time, can
 * be put into an order that a sequential object allows, in which no call comes before one that had
 * ended when it began (Herlihy and Wing, "Linearizability", 1990).
 *
 * The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993), with a
 * memory of the pairs of done calls and state that it has failed from (Lowe, "Testing for
 * Linearizability", 2017). Histories are short: at most LINEAR_CALLS calls. */
#pragma once

#include "support/support.h"

enum { LINEAR_CALLS = 128, LINEAR_STATE = 64 };

/* A call. The specification knows what its members mean, except begin and end. */
typedef struct linear_call {
    uint32_t kind, actor;
    bool lenient; // it need not be explained why it has failed
    bool limited; // it waits for a short time at most
    int64_t argument, value, result;
    uint64_t begin, end; // stamps of one counter, taken before and after
} linear_call;

typedef struct linear_spec {
    const char *name;
    const char *const *kinds; // names, for the report

    /* Zeroed memory of LINEAR_STATE bytes becomes the object's first state. May be NULL. */
    void (*init)(void *state);

    /* Makes the call, if the object allows its result.
     * variant: 0 .. variants - 1, for results that may come about in several ways.
     * Returns: whether it does; the state is of no use then. */
    bool (*apply)(void *state, const linear_call *call, unsigned variant);
    unsigned variants; // 0: one
} linear_spec;

/* Whether there is such an order. */
bool linear_check(const linear_spec *spec, const linear_call *calls, size_t count);

/* Writes a history to stderr, in the order of its beginnings. */
void linear_print(const linear_spec *spec, const linear_call *calls, size_t count);
