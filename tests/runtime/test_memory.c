/* Out of memory at each allocation, and out of descriptors: an error, and nothing leaks. */
#include "runtime/fixture.h"

#include "base/atomic.h"

/* ---- making a runtime ---- */

static void create(void *arg)
{
    edo_runtime *runtime = NULL;
    int rc = create_runtime(arg, &runtime);
    if (rc < 0) {
        assert_int_equal(rc, -ENOMEM);
        assert_null(runtime);
        assert_true(test_allocator_has_failed());
        return;
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

current_thread_only("it counts the allocations")
test(create)
{
    size_t descriptors = open_descriptors();
    log_capture(); // a driver without memory is replaced
    assert_true(with_each_allocation_failing(create, NULL) >=
                5); // runtime, workers, worker, heap, driver
    edo_config epoll = { .driver = "epoll" };
    assert_int_equal(with_each_allocation_failing(create, &epoll), 5);
    log_release();
    assert_int_equal(open_descriptors(), descriptors);
}

/* ---- a function that uses all features ---- */

struct member {
    edo_frame();
    edo_args(unsigned *alive;);
};

edo_async(member)
{
    edo_body {
        int rc;
        edo_await(rc, edo_yield());
        edo_sub_relaxed(self->alive, 1);
        edo_return(rc);
    }
}

struct busy {
    edo_frame();
    edo_args(int fd;);
    edo_scope scope;
    edo_task *task;
    edo_context *context;
    unsigned alive; // atomic: number of members that were spawned and have not ended
    int64_t failure;
    char byte;
};

static int use_context(struct busy *self)
{
    int rc = edo_context_create(&(edo_context_values){ .priority = 1 }, &self->context);
    if (rc < 0) return rc;
    edo_set_context(self->context);
    edo_context_unref(self->context);
    return 0;
}

static void note_failure(struct busy *self, int64_t rc)
{
    if (rc < 0 && self->failure == 0) self->failure = rc;
}

/* Continues after each failure, so that every step runs. */
edo_async(busy)
{
    edo_body {
        int64_t rc;
        self->alive = 0;
        self->failure = 0;
        note_failure(self, use_context(self));
        edo_add_relaxed(&self->alive, 1);
        rc = edo_spawn(&self->task, member, .alive = &self->alive);
        note_failure(self, rc);
        if (rc == 0) {
            edo_await(rc, edo_join(self->task));
            note_failure(self, rc);
        } else {
            edo_sub_relaxed(&self->alive, 1); // not spawned: the arguments are still the caller's
        }
        edo_add_relaxed(&self->alive, 1);
        rc = edo_go(member, .alive = &self->alive);
        note_failure(self, rc);
        if (rc < 0) edo_sub_relaxed(&self->alive, 1);
        edo_scope_open(&self->scope, EDO_SCOPE_RESULTS);
        edo_add_relaxed(&self->alive, 1);
        rc = edo_scope_spawn(&self->scope, member, .alive = &self->alive);
        note_failure(self, rc);
        if (rc < 0) edo_sub_relaxed(&self->alive, 1);
        edo_await(rc, edo_scope_join(&self->scope));
        note_failure(self, rc);
        edo_call_boxed(rc, answer, .result = 0);
        note_failure(self, rc);
        edo_await(rc, edo_wait_fd(self->fd, EDO_READABLE));
        note_failure(self, rc);
        while (edo_load_relaxed(&self->alive))
            edo_await(rc, edo_yield());
        edo_return(self->failure);
    }
}

static void run_busy(void *arg)
{
    int *fd = arg;
    edo_runtime *runtime = NULL;
    int rc = create_runtime(NULL, &runtime);
    if (rc < 0) {
        assert_int_equal(rc, -ENOMEM);
        return;
    }
    int64_t result = edo_block_on(runtime, busy, .fd = *fd);
    if (result < 0) {
        assert_int_equal(result, -ENOMEM);
        assert_true(test_allocator_has_failed());
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(everything)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    size_t descriptors = open_descriptors();
    log_capture();
    assert_true(with_each_allocation_failing(run_busy, &fds[0]) >= 8);
    log_release();
    assert_int_equal(open_descriptors(), descriptors);
    close(fds[0]);
    close(fds[1]);
}

/* ---- a descriptor that is registered twice, as a stream of which a leak would be reported ---- */

struct twice {
    edo_frame();
    edo_args(int fd;);
    edo_io *io;
    char byte;
    edo_op ops[3];
    int64_t failure;
};

edo_async(twice)
{
    edo_body {
        int which;
        int rc = edo_io_from_fd(self->fd, &self->io);
        if (rc < 0) edo_return(rc);
        self->ops[0] = edo_read(self->io, &self->byte, 1);
        self->ops[1] = edo_wait_fd(self->fd, EDO_READABLE);
        self->ops[2] = edo_yield();
        edo_select(which, &self->ops[0].base, &self->ops[1].base, &self->ops[2].base);
        self->failure = self->ops[which].base.result;
        assert_int_equal(edo_io_into_fd(self->io), self->fd);
        edo_return(self->failure);
    }
}

static void run_twice(void *arg)
{
    int *fd = arg;
    edo_runtime *runtime = NULL;
    int rc = create_runtime(&(edo_config){ .report_leaks = true }, &runtime);
    int64_t result = rc < 0 ? rc : edo_block_on(runtime, twice, .fd = *fd);
    if (result < 0) {
        assert_int_equal(result, -ENOMEM);
        assert_true(test_allocator_has_failed());
    }
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(a_descriptor_registered_twice)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    size_t descriptors = open_descriptors();
    log_capture();
    assert_true(with_each_allocation_failing(run_twice, &fds[0]) >= 8);
    log_release();
    assert_int_equal(open_descriptors(), descriptors);
    close(fds[0]);
    close(fds[1]);
}

/* ---- a task larger than the blocks of the heap ---- */

struct large {
    edo_frame();
    edo_args();
    char buffer[20000];
};

edo_async(large)
{
    edo_body {
        int rc;
        fill_pattern(self->buffer, sizeof self->buffer, 0, 0);
        edo_await(rc, edo_yield());
        if (!is_pattern(self->buffer, sizeof self->buffer, 0, 0)) edo_return(-EPROTO);
        edo_return(rc);
    }
}

struct spawns_large {
    edo_frame();
    edo_args();
    edo_task *task;
};

edo_async(spawns_large)
{
    edo_body {
        int64_t rc = edo_spawn(&self->task, large);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static void run_large(void *arg)
{
    edo_runtime *runtime = NULL;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t rc = edo_block_on(runtime, spawns_large);
    if (rc < 0) assert_int_equal(rc, -ENOMEM);
    if (rc < 0) assert_true(test_allocator_has_failed());
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(large_frames)
{
    log_capture();
    with_each_allocation_failing(run_large, NULL);
    log_release();
}

/* ---- whole programs: in a child, because they write to stderr ---- */

static void run_program(void *arg)
{
    (void)arg;
    int status = edo_run(answer, .result = 0);
    assert_int_equal(status, test_allocator_has_failed() ? 1 : 0);
}

static void run_programs(void *arg)
{
    (void)arg;
    log_capture();
    assert_true(with_each_allocation_failing(run_program, NULL) >= 4);
}

/* The last test, because it sets the driver. */
test(run_of_programs)
{
    setenv("EDO_DRIVER", "epoll", 1); // another driver may be replaced, and then nothing fails
    expect_success_in_child(run_programs, NULL);
}

/* ---- out of descriptors ---- */

static void create_without_descriptors(void *arg)
{
    edo_runtime *runtime = NULL;
    int rc;
    (void)arg;
    test_allocator_install();
    log_capture();
    size_t before = open_descriptors();
    for (unsigned more = 0;; more++) {
        assert_in_range(more, 0, MAX_MORE);
        allow_descriptors(more);
        rc = create_runtime(NULL, &runtime);
        allow_all_descriptors();
        if (rc == 0) break;
        assert_int_equal(rc, -EMFILE);
        assert_null(runtime);
        assert_int_equal(test_allocator_live_count(), 0);
        assert_int_equal(open_descriptors(), before);
    }
    assert_true(open_descriptors() > before);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    assert_int_equal(open_descriptors(), before);
    test_allocator_remove();
}

test(no_descriptors)
{
    expect_success_in_child(create_without_descriptors, NULL);
}
