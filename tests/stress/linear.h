/* Declarations shared by stress_linear and its subjects. A subject is an object of edo with a specification and a
 * plan: which calls actors make. Actors are tasks of a runtime with workers, and plain threads. */
#pragma once

#include "runtime/fixture.h"

#include "stress/options.h"
#include "support/linear.h"

#include <edo/edo.h>

enum {
    TASKS = 3,
    THREADS = 2,
    ACTORS = TASKS + THREADS, // the tasks come first
    CALLS_EACH = 6,
    FINAL = ACTORS, // the calls that the main thread makes in the end, alone
    MOST_FINAL = 32,
};

/* How a round's calls are chosen. Where calls wait, one that fails at once may fail because others
 * wait: so it need not be explained. In a round without waits it must be. */
typedef struct round_rules {
    bool waits;   // calls may wait
    bool limits;  // those of tasks for a short time at most
    bool is_last; // the actor gives back what it holds, and begins nothing
} round_rules;

typedef struct subject {
    linear_spec spec;

    /* A fresh object for a round, and its end. */
    void (*set_up)(test_random *random);
    void (*tear_down)(void);

    /* Chooses the actor's next call; last: its call before, or NULL.
     * Returns: false when it has none any more. */
    bool (*plan)(test_random *random, const round_rules *rules, const linear_call *last,
                 linear_call *ret_call);

    /* The call, if it waits; else op.ops is NULL. */
    edo_op (*begin)(linear_call *call);
    int64_t (*now)(linear_call *call); // the others

    /* A second effect of a call, as a call of its own in the history. Returns: whether there is one.
     * May be NULL. */
    bool (*second)(const linear_call *call, linear_call *ret_second);

    /* The number-th call of the main thread in the end; last: the one before. Returns: whether there
     * is one. May be NULL. */
    bool (*end)(unsigned number, const linear_call *last, linear_call *ret_call);
} subject;

static inline bool is_thread(unsigned actor)
{
    return actor >= TASKS;
}
