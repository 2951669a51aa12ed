/* Joining and scopes across two runtimes, each on its thread.
 *
 * model-sources: @runtime
 */
#include <string.h>

#include "model/fake_sys.h"

static struct {
    edo_runtime *here, *there; // runtimes of thread 0 and of the other thread
    edo_task *task, *joiner;
    int64_t joined;
    unsigned ends;
    bool cancelled, member_waits;
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    s->here = fake_runtime_create();
    s->there = fake_runtime_create();
}

/* Turns a runtime to the end of all tasks, then destroys it, on its own thread. */
static void run_out(edo_runtime *runtime)
{
    while (edo_runtime_task_count(runtime))
        edo_turn(runtime, EDO_NEVER);
    model_assert(edo_runtime_destroy(runtime) == 0);
}

/* ---- tasks ---- */

struct worker {
    edo_frame();
    edo_args(int64_t answer;);
};

edo_async(worker)
{
    edo_body {
        edo_plain_write(&self->answer); // last use of the frame
        s->ends++;
        edo_return(self->answer);
    }
}

/* Ends only when it is cancelled. */
struct waiter {
    edo_frame();
    edo_args(int64_t answer;);
};

static edo_poll waiter_poll(edo_future *future, edo_cx *cx)
{
    future->result = -ECANCELED;
    return edo_cx_fate(cx) == EDO_LIVE ? EDO_PENDING : EDO_READY;
}

POLLED(waiter);

struct joiner {
    edo_frame();
    edo_args(edo_task *task;);
};

edo_async(joiner)
{
    edo_body {
        int64_t result;
        edo_await(result, edo_join(self->task));
        s->joined = result;
        if (result == -ECANCELED) edo_detach(self->task);
        edo_return(0);
    }
}

static void spawn_both(bool handle)
{
    edo_spawn_options there = { .runtime = s->there }, here = { .runtime = s->here };
    int rc = edo_spawn_with(&s->task, &there, worker, .answer = 5);
    model_assert(rc == 0);
    rc = edo_spawn_with(handle ? &s->joiner : NULL, &here, joiner, .task = s->task);
    model_assert(rc == 0);
}

THREAD(run_there)
{
    run_out(s->there);
}

/* ---- joining ---- */

MODEL(join_against_end, "a join from another runtime is answered, after the function has ended")
{
    set_up();
    spawn_both(false);
    int other = model_start(run_there, NULL);
    run_out(s->here);
    model_join(other);
    model_assert(s->joined == 5 && s->ends == 1);
}

THREAD(cancel_joiner)
{
    edo_task_cancel(s->joiner);
    edo_detach(s->joiner);
}

MODEL(join_cancelled,
      "a join that is cancelled answers the result or leaves the handle, never both")
{
    set_up();
    spawn_both(true);
    edo_turn(s->here, 0); // the join waits, which keeps the model small
    int other = model_start(run_there, NULL);
    int canceller = model_start(cancel_joiner, NULL);
    run_out(s->here);
    model_join(other);
    model_join(canceller);
    model_assert(s->joined == 5 || s->joined == -ECANCELED);
}

/* ---- a join whose waker changes, as when another task polls it ---- */

typedef struct poller {
    edo_user_wakeable wakeable;
    model_event woken;
    edo_cx cx;
} poller;

static void wake_poller(edo_user_wakeable *wakeable)
{
    model_post(&((poller *)(void *)wakeable)->woken);
}

static poller *poller_create(void)
{
    poller *p = model_alloc(sizeof *p);
    memset(p, 0, sizeof *p);
    edo_user_wakeable_init(&p->wakeable, wake_poller);
    p->cx = (edo_cx){ .runtime = s->there, .waker = &p->wakeable.head, .budget = 100 };
    return p;
}

MODEL(join_other_waker, "a join tells the waker of its last poll, and lets go of the one before")
{
    set_up();
    edo_spawn_options there = { .runtime = s->there };
    model_assert(edo_spawn_with(&s->task, &there, worker, .answer = 5) == 0);
    int other = model_start(run_there, NULL);
    poller *first = poller_create(), *second = poller_create();
    edo_op *op = model_alloc(sizeof *op);
    *op = edo_join(s->task);
    edo_poll poll = edo_poll_future(&op->base, &first->cx);
    if (poll == EDO_PENDING) poll = edo_poll_future(&op->base, &second->cx);
    model_free(first);
    if (poll == EDO_PENDING) {
        model_wait(&second->woken);
        poll = edo_poll_future(&op->base, &second->cx);
    }
    model_assert(poll == EDO_READY && op->base.result == 5);
    model_free(second);
    model_free(op);
    model_join(other);
    run_out(s->here);
}

/* ---- scopes: the owner here, its members there ---- */

struct owner {
    edo_frame();
    edo_args(uint32_t flags; int64_t first, second; bool waits;);
    edo_scope scope;
    edo_spawn_options there;
    edo_member member;
    int members;
};

edo_async(owner)
{
    edo_body {
        int rc;
        self->there = (edo_spawn_options){ .runtime = s->there };
        edo_scope_open(&self->scope, self->flags);
        if (self->waits) {
            rc = edo_scope_spawn_with(&self->scope, &self->there, waiter, .answer = 0);
            model_assert(rc == 0);
        }
        rc = edo_scope_spawn_with(&self->scope, &self->there, worker, .answer = self->first);
        model_assert(rc == 0);
        if (self->second) {
            rc = edo_scope_spawn_with(&self->scope, &self->there, worker, .answer = self->second);
            model_assert(rc == 0 || (rc == -ECANCELED && self->first < 0));
        }
        self->members = 0;
        while (self->flags & EDO_SCOPE_RESULTS) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc <= 0) break;
            model_assert(self->member.result == 5);
            self->members++;
        }
        edo_await(rc, edo_scope_join(&self->scope));
        s->joined = rc;
        edo_return(self->members);
    }
}

MODEL(scope_join, "the owner of a scope goes on when the last member has ended, and not before")
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    int rc = edo_spawn_with(NULL, &here, owner, .first = 5);
    model_assert(rc == 0);
    edo_turn(s->here, 0); // the member was polled
    int other = model_start(run_there, NULL);
    run_out(s->here);
    model_join(other);
    model_assert(s->joined == 0 && s->ends == 1);
}

MODEL(scope_fail_fast, "a member that fails cancels the others and is what the join answers")
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    int rc = edo_spawn_with(NULL, &here, owner, .flags = EDO_SCOPE_FAIL_FAST, .first = -EIO,
                            .second = 5);
    model_assert(rc == 0);
    edo_turn(s->here, 0);
    int other = model_start(run_there, NULL);
    run_out(s->here);
    model_join(other);
    model_assert(s->joined == -EIO);
}

MODEL(scope_next, "each member that ended is told once, and its memory is given back")
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    int rc = edo_spawn_with(&s->joiner, &here, owner, .flags = EDO_SCOPE_RESULTS, .first = 5,
                            .second = 5);
    model_assert(rc == 0);
    edo_turn(s->here, 0);
    int other = model_start(run_there, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(edo__task_frame(s->joiner)->result == 2);
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

/* ---- one member there, then one here: under one key, or in order ---- */

struct pair_owner {
    edo_frame();
    edo_args(uint32_t flags; bool keyed;);
    edo_scope scope;
    edo_spawn_options there;
    edo_member member;
    int members;
};

edo_async(pair_owner)
{
    edo_body {
        int rc;
        self->there = (edo_spawn_options){ .runtime = s->there };
        edo_scope_open(&self->scope, self->flags);
        rc = edo__scope_spawn_key(&self->scope, (void *)1, &self->there, edo__site_of(worker),
                                  edo__args_of(worker, .answer = 1));
        model_assert(rc == 0);
        edo_await(rc, edo_yield());
        rc = edo_scope_spawn_key(&self->scope, self->keyed ? 1 : 2, worker, .answer = 2);
        model_assert(rc == 0);
        for (self->members = 0;; self->members++) {
            edo_await(rc, edo_scope_next(&self->scope, &self->member));
            if (rc <= 0) break;
            model_assert(self->member.result == (self->keyed ? 2 : self->members + 1));
        }
        edo_return(self->members);
    }
}

static void own_pair(uint32_t flags, bool keyed)
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, pair_owner, .flags = flags, .keyed = keyed) ==
                 0);
    edo_turn(s->here, 0);
    int other = model_start(run_there, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(edo__task_frame(s->joiner)->result == (keyed ? 1 : 2));
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

MODEL(scope_key_replaced, "a member that is replaced as it ends is never answered, and given back")
{
    own_pair(EDO_SCOPE_RESULTS, true);
}

MODEL(scope_key_replaced_in_order, "the same in a scope whose ended members keep their places")
{
    own_pair(EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER, true);
}

MODEL(scope_in_order, "the member that was spawned first is answered first, whichever ends first")
{
    own_pair(EDO_SCOPE_RESULTS | EDO_SCOPE_IN_ORDER, false);
}

/* ---- a member there that waits: by its key it is replaced, or cancelled ---- */

enum { BY_REPLACING, BY_KEY, BY_ID };

struct ender {
    edo_frame();
    edo_args(int way;);
    edo_scope scope;
    edo_spawn_options there;
    uint64_t id;
};

edo_async(ender)
{
    edo_body {
        int rc;
        self->there = (edo_spawn_options){ .runtime = s->there, .user = (void *)1 };
        edo_scope_open(&self->scope, 0);
        rc = edo__scope_spawn_member(&self->id, &self->scope, &self->there, edo__site_of(waiter),
                                     edo__args_of(waiter));
        model_assert(rc == 0);
        while (!s->member_waits)
            edo_await(rc, edo_yield());
        model_assert(edo_scope_count_key(&self->scope, 1) == 1);
        if (self->way == BY_REPLACING)
            rc = edo_scope_spawn_key(&self->scope, 1, worker, .answer = 2);
        else if (self->way == BY_KEY)
            rc = edo_scope_cancel_key(&self->scope, 1) == 1 ? 0 : -ESRCH;
        else
            rc = edo_scope_cancel_member(&self->scope, self->id);
        model_assert(rc == 0);
        edo_scope_close(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

static void end_waiting(int way)
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, ender, .way = way) == 0);
    edo_turn(s->here, 0);
    edo_turn(s->there, 0);
    s->member_waits = true;
    int other = model_start(run_there, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(edo__task_frame(s->joiner)->result == 0);
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

MODEL(scope_key_wakes_replaced, "a member that waits is woken when another takes its key")
{
    end_waiting(BY_REPLACING);
}

MODEL(scope_key_cancels, "a member that waits is woken when its key is cancelled")
{
    end_waiting(BY_KEY);
}

MODEL(scope_id_cancels, "a member that waits is woken when it is cancelled by its id")
{
    end_waiting(BY_ID);
}

/* ---- a member that its runtime refuses ---- */

struct refused {
    edo_frame();
    edo_args(int unused;);
    edo_scope scope;
    edo_spawn_options there;
    int spawned;
};

edo_async(refused)
{
    edo_body {
        int rc;
        self->there = (edo_spawn_options){ .runtime = s->there };
        edo_scope_open(&self->scope, 0);
        self->spawned = edo_scope_spawn_with(&self->scope, &self->there, worker, .answer = 5);
        edo_await(rc, edo_scope_join(&self->scope));
        model_assert(rc == 0);
        edo_return(self->spawned);
    }
}

THREAD(destroy_there)
{
    model_assert(edo_runtime_destroy(s->there) == 0);
}

MODEL(scope_spawn_refused, "a member that is refused, as its runtime ends, does not hold the scope")
{
    set_up();
    edo_runtime_ref(s->there);
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, refused, .unused = 0) == 0);
    int other = model_start(destroy_there, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    int64_t spawned = edo__task_frame(s->joiner)->result;
    model_assert(spawned == (s->ends ? 0 : -ESHUTDOWN));
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
    edo_runtime_unref(s->there);
}

/* ---- cancelling ---- */

THREAD(cancel_owner)
{
    edo_task_cancel(s->joiner);
}

MODEL(scope_cancelled, "an owner that is cancelled cancels its members and waits for their ends")
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, owner, .first = 5) == 0);
    edo_turn(s->here, 0);
    int other = model_start(run_there, NULL);
    int canceller = model_start(cancel_owner, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(s->joined == 0 || s->joined == -ECANCELED);
    model_assert(s->ends == 1);
    model_join(canceller);
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

MODEL(scope_cancels_waiting,
      "a member that waits is woken by the failure of another, or by the owner's cancel")
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, owner, .flags = EDO_SCOPE_FAIL_FAST,
                                .first = -EIO, .waits = true) == 0);
    edo_turn(s->here, 0);
    int other = model_start(run_there, NULL);
    edo_task_cancel(s->joiner);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(s->joined == -EIO || s->joined == -ECANCELED);
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

/* The member already waits; only the owner's cancellation wakes it. */
static void until_joined(int64_t joined)
{
    int other = model_start(run_there, NULL);
    while (!edo_task_is_done(s->joiner))
        edo_turn(s->here, EDO_NEVER);
    model_assert(s->joined == joined);
    edo_detach(s->joiner);
    run_out(s->here);
    model_join(other);
}

static void spawn_owner(int64_t first)
{
    set_up();
    edo_spawn_options here = { .runtime = s->here };
    model_assert(edo_spawn_with(&s->joiner, &here, owner, .flags = EDO_SCOPE_FAIL_FAST,
                                .first = first, .waits = true) == 0);
}

MODEL(scope_failure_wakes, "a member that fails wakes one that waits, from its own thread")
{
    spawn_owner(-EIO);
    edo_turn(s->here, 0);
    until_joined(-EIO);
}

MODEL(scope_cancel_wakes, "a scope that is cancelled wakes a member that waits")
{
    spawn_owner(5);
    edo_turn(s->here, 0);
    edo_turn(s->there, 0); // the member waits
    edo_scope_cancel(&((struct owner *)(void *)edo__task_frame(s->joiner))->scope);
    until_joined(0);
}

MODEL(scope_owner_cancelled_wakes, "an owner that is cancelled while it joins wakes who waits")
{
    spawn_owner(5);
    edo_turn(s->here, 0);
    edo_turn(s->there, 0); // the member waits
    edo_task_cancel(s->joiner);
    until_joined(-ECANCELED);
}
