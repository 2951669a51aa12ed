// expect: ok
// flags-gcc: -Wpedantic
// flags-clang: -Wpedantic
/* Every public header and every macro, in a program compiled with -Wpedantic. */
#include <edo/async.h>
#include <edo/base.h>
#include <edo/blocking.h>
#include <edo/dump.h>
#include <edo/edo.h>
#include <edo/io.h>
#include <edo/metrics.h>
#include <edo/net.h>
#include <edo/runtime.h>
#include <edo/scope.h>
#include <edo/task.h>
#include <edo/test.h>
#include <edo/time.h>
#include <edo/try.h>
#include <edo/version.h>
#include <edo/within.h>

struct none {
    edo_frame();
    edo_args();
};

edo_async(none)
{
    edo_body {
        edo_return(0);
    }
}

struct leaf {
    edo_frame();
    edo_args(int n; const char *text;);
};

edo_declare_async(leaf);
edo_async_extern(leaf)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_shield();
        edo_return(rc < 0 || edo_is_cancelled() ? rc : self->n);
    }
}

struct waits {
    edo_frame(struct none none; struct leaf leaf;);
    edo_args(edo_io *io;);
    struct leaf left, right;
    struct none third;
    char buffer[16];
};

edo_async(waits)
{
    edo_body {
        int rc;
        int64_t count;
        edo_await(count, edo_read(self->io, self->buffer, sizeof self->buffer));
        if (count < 0) edo_return(count + (int64_t)edo_op_progress(edo_last_op()));
        edo_await_for(rc, edo_ms(1), edo_sleep(edo_s(1)));
        edo_call(rc, none);
        edo_call(rc, leaf, .n = 1, .text = "");
        edo_call_for(rc, edo_us(1), none);
        edo_call_for(rc, edo_us(1), leaf, .n = 1);
        edo_call_boxed(rc, none);
        edo_call_boxed(rc, leaf, .n = 1);
        edo_init(&self->left, leaf, .n = 1);
        edo_init(&self->right, leaf, .n = 2);
        edo_init(&self->third, none);
        edo_await_on(rc, &self->third.base);
        edo_all(&self->left.base, &self->right.base);
        edo_try_all(rc, &self->left.base, &self->right.base);
        edo_select(rc, &self->left.base, &self->right.base);
        edo_select_biased(rc, &self->left.base, &self->right.base);
        edo_any(rc, &self->left.base, &self->right.base);
        edo_return(rc);
    }
}

struct tries {
    edo_frame(struct none none; struct leaf leaf;);
    edo_args(edo_io *io;);
    edo_limit limit;
    struct leaf leaves[3];
    char buffer[16];
};

edo_async(tries)
{
    edo_body {
        int rc;
        size_t count;
        edo_try(edo_sleep(1));
        edo_try(count, edo_read(self->io, self->buffer, sizeof self->buffer));
        edo_try_call(none);
        edo_try_call(leaf, .n = 1, .text = "");
        edo_await_void(edo_yield());
        edo_call_void(none);
        edo_call_void(leaf, .n = 1);
        edo_within(&self->limit, edo_ms(1)) {
            edo_try_or(out, edo_sleep(1));
            edo_try_or(out, count, edo_read(self->io, self->buffer, sizeof self->buffer));
            edo_try_call_or(out, none);
            edo_try_call_or(out, leaf, .n = 1);
            edo_check_or(out, edo_go(none));
        }
        edo_within_until(&self->limit, edo_now()) {
            edo_check(edo_go(leaf, .n = 2));
        }
        edo_all_of(self->leaves, 3);
        edo_try_all_of(rc, self->leaves, 3);
        edo_select_of(rc, self->leaves, 3);
        edo_select_biased_of(rc, self->leaves, 3);
        edo_any_of(rc, self->leaves, 3);
        edo_return(rc);
out:
        edo_return(edo_failure());
    }
}

struct spawns {
    edo_frame();
    edo_args();
    edo_scope scope;
    edo_task *task;
    uint64_t id;
};

static int64_t job(void *arg)
{
    (void)arg;
    return 0;
}

edo_async(spawns)
{
    edo_body {
        int rc = edo_go(none);
        if (rc == 0) rc = edo_go(waits, .io = NULL);
        if (rc == 0) rc = edo_spawn(&self->task, none);
        if (rc == 0) rc = edo_spawn(&self->task, leaf, .n = 1, .text = "");
        if (rc == 0) rc = edo_spawn_with(&self->task, NULL, none);
        if (rc == 0) rc = edo_spawn_with(&self->task, NULL, leaf, .n = 1);
        if (rc == 0) rc = edo_spawn_on(&self->task, 0, none);
        if (rc == 0) rc = edo_spawn_on(&self->task, 0, leaf, .n = 1);
        if (rc == 0) rc = edo_spawn_blocking(&self->task, job, NULL);
        if (rc == 0) rc = edo_spawn_blocking_with(&self->task, NULL, NULL, job, NULL);
        if (rc < 0) edo_return(rc);
        edo_scope_open(&self->scope, 0);
        rc = edo_scope_spawn(&self->scope, none);
        if (rc == 0) rc = edo_scope_spawn(&self->scope, leaf, .n = 1);
        if (rc == 0) rc = edo_scope_spawn_with(&self->scope, NULL, none);
        if (rc == 0) rc = edo_scope_spawn_with(&self->scope, NULL, leaf, .n = 1);
        if (rc == 0) rc = edo_scope_spawn_member(&self->id, &self->scope, none);
        if (rc == 0) rc = edo_scope_spawn_member(&self->id, &self->scope, leaf, .n = 1);
        edo_await(rc, edo_scope_join(&self->scope));
        edo_return(rc);
    }
}

struct trial {
    edo_frame();
    edo_args();
};

edo_test(trial)
{
    edo_body {
        edo_return(0);
    }
}

edo_async_test(trial_of_its_own, int i;)
{
    edo_body {
        edo_return(self->i);
    }
}

int64_t enter(edo_runtime *runtime);
int64_t enter(edo_runtime *runtime)
{
    trial_test(NULL);
    trial_of_its_own_test(NULL);
    int64_t result = edo_wait(edo_sleep(1));
    result += edo_block_on(runtime, none) + edo_block_on(runtime, tries, .io = NULL);
    result += edo_block_on(runtime, leaf, .n = 1);
    result += edo_run(spawns) + edo_run(leaf, .n = 1);
    return result + edo_run_with(NULL, none) + edo_run_with(NULL, leaf, .n = 1);
}

edo_main(none)
