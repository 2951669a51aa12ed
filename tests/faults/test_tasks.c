/* Tasks, scopes and combinators, with each request failing. */
#include "faults/sweep.h"

struct answer {
    edo_frame();
    edo_args(int64_t result;);
};

edo_async(answer)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_return(rc < 0 ? rc : self->result);
    }
}

/* ---- spawn and join, more tasks than a slab of the heap holds ---- */

enum { MANY = 400 };

struct spawns {
    edo_frame();
    edo_args();
    edo_task *tasks[MANY];
    size_t count;
    int64_t result;
};

edo_async(spawns)
{
    edo_body {
        int64_t rc;
        self->result = 0;
        for (self->count = 0; self->count < MANY; self->count++) {
            rc = edo_spawn(&self->tasks[self->count], answer, .result = 0);
            self->result = first_failure(self->result, rc);
            if (rc < 0) break;
        }
        while (self->count) {
            edo_await(rc, edo_join(self->tasks[--self->count]));
            self->result = first_failure(self->result, rc);
        }
        rc = edo_go(answer, .result = 0);
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t spawn_and_join(void)
{
    return on_runtime(spawns);
}
fault_test(spawn_and_join)

/* ---- frames larger than the blocks of the heap ---- */

struct large {
    edo_frame();
    edo_args();
    char memory[20000];
};

edo_async(large)
{
    edo_body {
        int rc;
        fill_pattern(self->memory, sizeof self->memory, 0, 0);
        edo_await(rc, edo_yield());
        edo_return(is_pattern(self->memory, sizeof self->memory, 0, 0) ? rc : -EPROTO);
    }
}

static int64_t large_frame(void)
{
    return on_runtime(large);
}
fault_test(large_frame)

/* ---- scopes ---- */

enum { MEMBERS = 40 };

struct scoped {
    edo_frame();
    edo_args(uint32_t flags;);
    edo_scope scope;
    edo_member member;
    int64_t result;
    unsigned count;
};

edo_async(scoped)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->scope, self->flags);
        self->result = 0;
        for (self->count = 0; self->count < MEMBERS && self->result == 0; self->count++)
            self->result = edo_scope_spawn(&self->scope, answer, .result = 0);
        if (self->result < 0) edo_scope_cancel(&self->scope);
        do {
            if (!(self->flags & EDO_SCOPE_RESULTS)) break;
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
        } while (rc == 1);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t scope_fail_fast(void)
{
    return on_runtime(scoped, .flags = EDO_SCOPE_FAIL_FAST);
}
fault_test(scope_fail_fast)

static int64_t scope_results(void)
{
    return on_runtime(scoped, .flags = EDO_SCOPE_RESULTS);
}
fault_test(scope_results)

/* ---- contexts ---- */

struct contexts {
    edo_frame();
    edo_args();
    edo_context *context;
    edo_task *task;
};

edo_async(contexts)
{
    edo_body {
        int64_t rc = edo_context_create(&(edo_context_values){ .deadline = edo_now() + edo_s(1) },
                                        &self->context);
        if (rc < 0) edo_return(rc);
        edo_set_context(self->context);
        edo_context_unref(self->context);
        rc = edo_spawn(&self->task, answer, .result = 0);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static int64_t context(void)
{
    return on_runtime(contexts);
}
fault_test(context)

/* ---- frames on the heap ---- */

struct deep {
    edo_frame();
    edo_args(unsigned depth;);
};

edo_async(deep)
{
    edo_body {
        int64_t rc = 0;
        edo_await(rc, edo_yield());
        if (self->depth == 0) edo_return(rc);
        edo_call_boxed(rc, deep, .depth = self->depth - 1);
        edo_return(rc);
    }
}

static int64_t boxed(void)
{
    return on_runtime(deep, .depth = 8);
}
fault_test(boxed)

/* ---- several at once, with limits ---- */

struct together {
    edo_frame(struct deep deep;);
    edo_args();
    struct deep left, right;
    int64_t result;
};

edo_async(together)
{
    edo_body {
        int64_t rc;
        edo_init(&self->left, deep, .depth = 3);
        edo_init(&self->right, deep, .depth = 5);
        edo_all(&self->left.base, &self->right.base);
        self->result = first_failure(self->left.base.result, self->right.base.result);
        edo_init(&self->left, deep, .depth = 3);
        edo_init(&self->right, deep, .depth = 5);
        edo_try_all(rc, &self->left.base, &self->right.base);
        self->result = first_failure(self->result, rc == -ECANCELED ? 0 : rc);
        edo_call_for(rc, edo_ms(1), deep, .depth = 4);
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t combined(void)
{
    return on_runtime(together);
}
fault_test(combined)

/* The loser is cancelled while it is somewhere in its boxed calls. The winner may be a failure. */
struct race {
    edo_frame();
    edo_args();
    struct deep left, right;
    unsigned winner;
};

edo_async(race)
{
    edo_body {
        int rc;
        edo_init(&self->left, deep, .depth = 2);
        edo_init(&self->right, deep, .depth = 9);
        edo_select(rc, &self->left.base, &self->right.base);
        if (rc < 0) edo_return(rc);
        self->winner = (unsigned)rc;
        edo_return(self->winner == 0 ? self->left.base.result : self->right.base.result);
    }
}

struct kept_race {
    edo_frame();
    edo_args();
    struct deep left, right;
};

edo_async(kept_race)
{
    edo_body {
        int rc;
        edo_init(&self->left, deep, .depth = 2);
        edo_init(&self->right, deep, .depth = 9);
        edo_any(rc, &self->left.base, &self->right.base);
        if (rc < 0) edo_return(rc);
        edo_return(rc == 0 ? self->left.base.result : self->right.base.result);
    }
}

static int64_t selected(void)
{
    return first_failure(on_runtime(race), on_runtime(kept_race));
}
fault_test(selected)

/* ---- tasks that are cancelled, aborted and kept by wakers ---- */

struct stopped {
    edo_frame();
    edo_args();
    edo_task *task;
    edo_wakeable *waker;
    int64_t result;
};

struct patient {
    edo_frame();
    edo_args();
};

edo_async(patient)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_sleep(EDO_NEVER));
        edo_shield();
        edo_call_boxed(rc, answer, .result = 0); // clean-up that needs memory
        edo_return(rc);
    }
}

edo_async(stopped)
{
    edo_body {
        int64_t rc = edo_spawn(&self->task, patient);
        if (rc < 0) edo_return(rc);
        self->waker = edo_task_waker(self->task);
        edo_await(rc, edo_yield());
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        self->result = rc;
        edo_wake(self->waker);
        edo_waker_unref(self->waker);
        rc = edo_spawn(&self->task, patient);
        if (rc < 0) edo_return(first_failure(self->result, rc));
        edo_task_abort(self->task);
        edo_await(rc, edo_join(self->task));
        if (rc == -ECANCELED) rc = 0;
        edo_return(first_failure(self->result, rc));
    }
}

static int64_t cancelled(void)
{
    return on_runtime(stopped);
}
fault_test(cancelled)
