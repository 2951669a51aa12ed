/* Linearizability of a history of calls, made by several threads and tasks at the same time. The
 * history is linearizable if there is an order of its calls with two properties: a sequential
 * object allows the order; and if call A ended before call B began, A is before B in the order
 * (Herlihy and Wing, "Linearizability", 1990).
 *
 * The search is the algorithm of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993).
 * The search records each pair of done calls and state from which it has failed (Lowe, "Testing for
 * Linearizability", 2017). Histories are short: at most LINEAR_CALLS calls. */
#pragma once

#include "support/support.h"

enum { LINEAR_CALLS = 128, LINEAR_STATE = 64 };

/* A call. The specification defines the meaning of the members, except begin and end. */
typedef struct linear_call {
    uint32_t kind, actor;
    bool lenient; // a failure of the call needs no explanation
    bool limited; // the call waits for a short time at most
    int64_t argument, value, result;
    uint64_t begin, end; // stamps of one counter, taken before and after the call
} linear_call;

typedef struct linear_spec {
    const char *name;
    const char *const *kinds; // names, for the report

    /* Zeroed memory of LINEAR_STATE bytes becomes the object's first state. May be NULL. */
    void (*init)(void *state);

    /* Applies the call to the state, if the object allows the call's result.
     * variant: 0 .. variants - 1, for results that the object may produce in several ways.
     * Returns: whether the object allows the result; if false, the state is invalid. */
    bool (*apply)(void *state, const linear_call *call, unsigned variant);
    unsigned variants; // 0: one
} linear_spec;

/* Whether the history is linearizable. */
bool linear_check(const linear_spec *spec, const linear_call *calls, size_t count);

/* Writes a history to stderr, in the order in which its calls began. */
void linear_print(const linear_spec *spec, const linear_call *calls, size_t count);
