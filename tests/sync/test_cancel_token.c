/* Cancellation tokens: trees, waits, scopes; destruction in any order. */
#include "sync/steps.h"

#include <edo/cancel_token.h>
#include <edo/events.h>

static edo_cancel_token *token_below(edo_cancel_token *parent)
{
    edo_cancel_token *token;
    assert_int_equal(edo_cancel_token_create(parent, &token), 0);
    return token;
}

#define clean_test(name) allocator_fixture() test(name)

#define assert_live(token) assert_false(edo_cancel_token_is_cancelled(token))
#define assert_dead(token) assert_true(edo_cancel_token_is_cancelled(token))

/* ---- one ---- */

clean_test(one_is_cancelled_once)
{
    edo_cancel_token *token = token_below(NULL);
    assert_live(token);
    edo_cancel_token_cancel(token);
    assert_dead(token);
    edo_cancel_token_cancel(token);
    assert_dead(token);
    edo_cancel_token_unref(token);
    edo_cancel_token_unref(NULL);
}

clean_test(one_that_was_never_cancelled_goes)
{
    edo_cancel_token_unref(token_below(NULL));
}

clean_test(references_are_counted)
{
    edo_cancel_token *token = token_below(NULL);
    assert_ptr_equal(edo_cancel_token_ref(token), token);
    edo_cancel_token_unref(token);
    edo_cancel_token_cancel(token);
    assert_dead(token);
    edo_cancel_token_unref(token);
}

test(without_memory_there_is_none)
{
    test_allocator_install();
    for (uint64_t n = 1; n <= 3; n++) {
        edo_cancel_token *parent = NULL, *child = NULL;
        test_allocator_fail_at(n);
        int rc = edo_cancel_token_create(NULL, &parent);
        assert_int_equal(rc, n <= 2 ? -ENOMEM : 0);
        if (rc == 0) {
            assert_int_equal(edo_cancel_token_create(parent, &child), -ENOMEM);
            assert_null(child);
        }
        test_allocator_fail_at(0);
        edo_cancel_token_unref(parent);
        assert_int_equal(test_allocator_live_count(), 0);
    }
    test_allocator_remove();
}

/* ---- trees ---- */

clean_test(a_cancelled_parent_cancels_its_children)
{
    edo_cancel_token *parent = token_below(NULL), *a = token_below(parent),
                     *b = token_below(parent);
    edo_cancel_token_cancel(parent);
    assert_dead(a);
    assert_dead(b);
    edo_cancel_token_unref(a);
    edo_cancel_token_unref(parent);
    edo_cancel_token_unref(b);
}

clean_test(a_cancelled_child_leaves_its_parent_alone)
{
    edo_cancel_token *parent = token_below(NULL), *a = token_below(parent),
                     *b = token_below(parent);
    edo_cancel_token *below = token_below(a);
    edo_cancel_token_cancel(a);
    assert_live(parent);
    assert_live(b);
    assert_dead(below);
    edo_cancel_token_cancel(parent);
    assert_dead(b);
    edo_cancel_token_unref(parent);
    edo_cancel_token_unref(below);
    edo_cancel_token_unref(a);
    edo_cancel_token_unref(b);
}

clean_test(a_child_of_a_cancelled_one_is_born_cancelled)
{
    edo_cancel_token *parent = token_below(NULL);
    edo_cancel_token_cancel(parent);
    edo_cancel_token *child = token_below(parent), *below = token_below(child);
    assert_dead(child);
    assert_dead(below);
    edo_cancel_token_unref(child);
    edo_cancel_token_unref(below);
    edo_cancel_token_unref(parent);
}

clean_test(one_that_goes_leaves_its_children_to_its_parent)
{
    edo_cancel_token *top = token_below(NULL), *middle = token_below(top);
    edo_cancel_token *a = token_below(middle), *b = token_below(middle);
    edo_cancel_token_unref(middle);
    assert_live(a);
    edo_cancel_token_cancel(top);
    assert_dead(a);
    assert_dead(b);
    edo_cancel_token_unref(b);
    edo_cancel_token_unref(top);
    edo_cancel_token_unref(a);
}

clean_test(a_child_outlives_the_top)
{
    edo_cancel_token *top = token_below(NULL), *child = token_below(top),
                     *below = token_below(child);
    edo_cancel_token_unref(top);
    assert_live(child);
    edo_cancel_token_cancel(child);
    assert_dead(below);
    edo_cancel_token_unref(child);
    edo_cancel_token_unref(below);
}

clean_test(children_of_a_lost_top_are_apart)
{
    edo_cancel_token *top = token_below(NULL), *a = token_below(top), *b = token_below(top);
    edo_cancel_token_unref(top);
    edo_cancel_token_cancel(a);
    assert_live(b);
    edo_cancel_token_unref(a);
    edo_cancel_token_unref(b);
}

enum { DEEP = 100000 };

clean_test(a_chain_as_deep_as_one_likes)
{
    edo_cancel_token **chain = malloc(DEEP * sizeof *chain);
    chain[0] = token_below(NULL);
    for (size_t i = 1; i < DEEP; i++)
        chain[i] = token_below(chain[i - 1]);
    assert_live(chain[DEEP - 1]);
    edo_cancel_token_cancel(chain[0]);
    for (size_t i = 0; i < DEEP; i++) {
        assert_dead(chain[i]);
        edo_cancel_token_unref(chain[i]);
    }
    free(chain);
}

clean_test(children_that_go_cost_nothing)
{
    edo_cancel_token *parent = token_below(NULL);
    edo_cancel_token_unref(token_below(parent));
    size_t before = test_allocator_live_bytes();
    for (int i = 0; i < 100000; i++) {
        edo_cancel_token *child = token_below(parent);
        if (i % 2) edo_cancel_token_cancel(child);
        edo_cancel_token_unref(child);
    }
    assert_int_equal(test_allocator_live_bytes(), before);
    edo_cancel_token_cancel(parent);
    edo_cancel_token_unref(parent);
}

enum { TOKENS = 40 };

/* A tree grown, cut and cancelled at random, against the rule: a token is cancelled if it was
 * cancelled itself, or if an ancestor at its creation was cancelled, before or after that. */
clean_test(trees_at_random)
{
    for (uint64_t round = 0; round < 200; round++) {
        test_random random = test_random_make(round);
        edo_cancel_token *tokens[TOKENS] = { NULL };
        int parents[TOKENS];
        bool cut[TOKENS] = { false }, cancelled[TOKENS] = { false };
        int count = 0;
        for (int i = 0; i < 3 * TOKENS; i++) {
            int one = count ? (int)test_random_below(&random, (uint64_t)count) : 0;
            uint64_t what = test_random_below(&random, 4);
            if ((what < 2 || !count) && count < TOKENS) {
                bool alone = !count || !tokens[one] || test_random_below(&random, 8) == 0;
                parents[count] = alone ? -1 : one;
                cancelled[count] = !alone && cancelled[one];
                tokens[count++] = token_below(alone ? NULL : tokens[one]);
            } else if (what == 2 && count && tokens[one]) {
                edo_cancel_token_unref(tokens[one]);
                tokens[one] = NULL;
                for (int k = 0; k < count; k++)
                    if (parents[k] == one) parents[k] = parents[one];
                cut[one] = true;
            } else if (count && tokens[one]) {
                edo_cancel_token_cancel(tokens[one]);
                cancelled[one] = true;
                for (int k = one + 1; k < count; k++)
                    if (!cut[k] && parents[k] >= 0 && cancelled[parents[k]]) cancelled[k] = true;
            }
            for (int k = 0; k < count; k++)
                if (tokens[k])
                    assert_int_equal(edo_cancel_token_is_cancelled(tokens[k]), cancelled[k]);
        }
        for (int k = 0; k < count; k++)
            edo_cancel_token_unref(tokens[k]);
        assert_int_equal(test_allocator_live_count(), 0);
    }
}

/* ---- waits ---- */

async_test(all_that_wait_are_woken, edo_cancel_token *token, *child; edo_op a, b, c;)
{
    edo_body {
        int rc;
        self->token = token_below(NULL);
        self->child = token_below(self->token);
        self->a = edo_cancel_token_wait(self->token);
        self->b = edo_cancel_token_wait(self->token);
        self->c = edo_cancel_token_wait(self->child);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_waits(&self->c);
        edo_cancel_token_cancel(self->token);
        assert_ends(&self->c, 0);
        assert_ends(&self->b, 0);
        assert_ends(&self->a, 0);
        edo_await(rc, edo_cancel_token_wait(self->child));
        assert_int_equal(rc, 0);
        edo_cancel_token_unref(self->token);
        edo_cancel_token_unref(self->child);
        edo_return(0);
    }
}

async_test(a_cancelled_wait_leaves_no_trace, edo_cancel_token *token; edo_op a, b;)
{
    edo_body {
        int rc;
        self->token = token_below(NULL);
        self->a = edo_cancel_token_wait(self->token);
        self->b = edo_cancel_token_wait(self->token);
        assert_waits(&self->a);
        assert_waits(&self->b);
        assert_cancelled(&self->a);
        edo_cancel_token_cancel(self->token);
        assert_int_equal(cancel(&self->b), 0); // cancelled too late: the token was cancelled first
        edo_cancel_token_unref(self->token);
        self->token = token_below(NULL);
        edo_await_for(rc, edo_ms(1), edo_cancel_token_wait(self->token));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_cancel_token_unref(self->token); // no waiter
        edo_return(0);
    }
}

async_test(work_until_it_is_cancelled,
    edo_cancel_token *token;
    edo_op stopped, work;
    int i;)
{
    edo_body {
        int which;
        self->token = token_below(NULL);
        for (self->i = 0; self->i < 3; self->i++) {
            self->work = edo_sleep(edo_ms(1));
            self->stopped = edo_cancel_token_wait(self->token);
            if (self->i == 2) edo_cancel_token_cancel(self->token);
            edo_select_biased(which, &self->work.base, &self->stopped.base);
            assert_int_equal(which, self->i == 2);
        }
        edo_cancel_token_unref(self->token);
        edo_return(0);
    }
}

static void cancel_or_wait(unsigned index, void *arg)
{
    edo_cancel_token *token = arg, *child;
    if (index == 0) {
        edo_cancel_token_cancel(token);
        return;
    }
    insist(edo_cancel_token_create(token, &child) == 0);
    insist(edo_wait(edo_cancel_token_wait(child)) == 0);
    insist(edo_cancel_token_is_cancelled(child));
    edo_cancel_token_unref(child);
}

test(threads_wait_for_one_that_cancels)
{
    for (int i = 0; i < 20; i++) {
        edo_cancel_token *token = token_below(NULL);
        run_threads(4, cancel_or_wait, token);
        edo_cancel_token_unref(token);
    }
}

static void grow_and_cut(unsigned index, void *arg)
{
    edo_cancel_token *top = arg;
    for (int i = 0; i < 300; i++) {
        edo_cancel_token *child, *below;
        insist(edo_cancel_token_create(top, &child) == 0);
        insist(edo_cancel_token_create(child, &below) == 0);
        if (i % 3 == 0) edo_cancel_token_cancel(child);
        edo_cancel_token_unref(child);
        if (i == 200 && index == 0) edo_cancel_token_cancel(top);
        insist(i % 3 || edo_cancel_token_is_cancelled(below));
        edo_cancel_token_unref(below);
    }
}

test(threads_grow_and_cut_one_tree)
{
    edo_cancel_token *top = token_below(NULL);
    run_threads(4, grow_and_cut, top);
    assert_dead(top);
    edo_cancel_token_unref(top);
}

/* ---- scopes ---- */

struct sleeps {
    edo_frame();
    edo_args();
};

edo_async(sleeps)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_s(3600)));
        edo_return(rc);
    }
}

struct cancels {
    edo_frame();
    edo_args(edo_cancel_token *token;);
};

edo_async(cancels)
{
    edo_body {
        edo_await_void(edo_sleep(edo_ms(1)));
        edo_cancel_token_cancel(self->token);
        edo_return(0);
    }
}

async_test(a_bound_scope_is_cancelled,
    edo_cancel_token *token, *child;
    edo_scope scope;
    edo_cancel_binding binding;
    int64_t began;)
{
    edo_body {
        int rc;
        self->token = token_below(NULL);
        self->child = token_below(self->token);
        self->began = edo_now();
        edo_scope_open(&self->scope, 0);
        edo_cancel_token_bind(self->child, &self->binding, &self->scope);
        for (int i = 0; i < 3; i++)
            assert_int_equal(edo_scope_spawn(&self->scope, sleeps), 0);
        assert_int_equal(edo_go(cancels, self->token), 0);
        edo_await(rc, edo_scope_join(&self->scope));
        assert_int_equal(rc, 0);
        assert_true(edo_now() - self->began < edo_s(3600));
        edo_cancel_token_unbind(&self->binding);
        edo_cancel_token_unref(self->child);
        edo_cancel_token_unref(self->token);
        edo_return(0);
    }
}

async_test(a_scope_that_is_bound_too_late_is_cancelled_at_once,
    edo_cancel_token *token;
    edo_scope scope;
    edo_cancel_binding binding;)
{
    edo_body {
        int rc;
        self->token = token_below(NULL);
        edo_cancel_token_cancel(self->token);
        edo_scope_open(&self->scope, 0);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeps), 0);
        edo_cancel_token_bind(self->token, &self->binding, &self->scope);
        edo_cancel_token_unref(self->token); // the binding has its own
        assert_int_equal(edo_scope_spawn(&self->scope, sleeps), -ECANCELED);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_cancel_token_unbind(&self->binding);
        edo_return(0);
    }
}

async_test(a_scope_that_was_unbound_goes_on,
    edo_cancel_token *token;
    edo_scope scope, other;
    edo_cancel_binding binding, second;)
{
    edo_body {
        int rc;
        self->token = token_below(NULL);
        edo_scope_open(&self->scope, 0);
        edo_scope_open(&self->other, 0);
        edo_cancel_token_bind(self->token, &self->binding, &self->scope);
        edo_cancel_token_bind(self->token, &self->second, &self->other);
        edo_cancel_token_unbind(&self->binding);
        edo_cancel_token_cancel(self->token);
        assert_int_equal(edo_scope_spawn(&self->other, sleeps), -ECANCELED);
        assert_int_equal(edo_scope_spawn(&self->scope, sleeps), 0);
        edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_cancel_token_unbind(&self->second);
        edo_cancel_token_unref(self->token);
        edo_return(0);
    }
}

struct elsewhere {
    edo_cancel_token *token;
    edo_event bound;
};

struct is_bound {
    edo_frame();
    edo_args(struct elsewhere *elsewhere;);
    edo_scope scope;
    edo_cancel_binding binding;
};

edo_async(is_bound)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, 0);
        edo_cancel_token_bind(self->elsewhere->token, &self->binding, &self->scope);
        for (int i = 0; i < 3; i++)
            insist(edo_scope_spawn(&self->scope, sleeps) == 0);
        edo_event_set(&self->elsewhere->bound);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_cancel_token_unbind(&self->binding);
        edo_return(rc);
    }
}

static void cancel_from_outside(unsigned index, void *arg)
{
    struct elsewhere *elsewhere = arg;
    if (index) {
        insist(edo_wait(edo_event_wait(&elsewhere->bound)) == 0);
        edo_cancel_token_cancel(elsewhere->token);
        return;
    }
    edo_runtime *runtime;
    insist(create_runtime(NULL, &runtime) == 0);
    insist(edo_block_on(runtime, is_bound, elsewhere) == 0);
    insist(edo_runtime_destroy(runtime) == 0);
}

test(a_thread_cancels_a_scope_of_a_runtime)
{
    for (int i = 0; i < 20; i++) {
        struct elsewhere elsewhere = { token_below(NULL), EDO_EVENT_INIT };
        run_threads(2, cancel_from_outside, &elsewhere);
        edo_cancel_token_unref(elsewhere.token);
    }
}

/* ---- misuse ---- */

struct goes_early {
    edo_frame();
    edo_args();
    edo_cancel_token *token;
    edo_op op;
};

edo_async(goes_early)
{
    edo_body {
        insist(edo_cancel_token_create(NULL, &self->token) == 0);
        self->op = edo_cancel_token_wait(self->token);
        assert_waits(&self->op);
        edo_cancel_token_unref(self->token);
        edo_return(0);
    }
}

static void go_early(void *arg)
{
    (void)arg;
    in_task(goes_early);
}

struct leaves_bound {
    edo_frame();
    edo_args(edo_cancel_token *token; bool opens_again;);
    edo_scope scope;
    edo_cancel_binding binding;
};

edo_async(leaves_bound)
{
    edo_body {
        edo_scope_open(&self->scope, 0);
        edo_cancel_token_bind(self->token, &self->binding, &self->scope);
        if (self->opens_again) edo_scope_open(&self->scope, 0);
        edo_return(0);
    }
}

static void run_bound(bool opens_again)
{
    edo_runtime *runtime;
    edo_cancel_token *token = token_below(NULL);
    insist(edo_runtime_create(NULL, &runtime) == 0);
    (void)edo_block_on(runtime, leaves_bound, .token = token, .opens_again = opens_again);
}

static void leave_bound(void *arg)
{
    (void)arg;
    run_bound(false);
}

static void open_bound_again(void *arg)
{
    (void)arg;
    run_bound(true);
}

static void unbind_twice(void *arg)
{
    (void)arg;
    edo_cancel_binding binding = { NULL, NULL, NULL, NULL };
    edo_cancel_token_unbind(&binding);
}

test(misuse_is_named)
{
    expect_abort(leave_bound, NULL,
                 "leaves_bound: left a scope that a cancellation token is bound to");
    expect_abort(open_bound_again, NULL, "leaves_bound: left a scope that a cancellation token is");
    expect_abort(unbind_twice, NULL, "edo_cancel_token_unbind: the binding is not bound");
    expect_abort(go_early, NULL, "edo_cancel_token_unref: the last reference was dropped while");
}
