/* Look-ups of names: results, look-ups without a thread, and limits that hold although the system
 * does not answer. tests/sys/test_resolve.c tests answers of the system. */
#include "support/names.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/lookup.h"

static void expect_text(const edo_addresses *addresses, size_t index, const char *expected)
{
    char text[EDO_ADDRESS_SIZE];
    int n = edo_addresses_text(addresses, index, text, sizeof text);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(text, expected);
}

/* ---- addresses in numbers ---- */

static const char *const literals[][2] = {
    { "127.0.0.1:80", "127.0.0.1:80" },
    { "[::1]:443", "[::1]:443" },
    { "[fe80::1%7]:1", "[fe80::1%7]:1" },
    { ":8080", "[::]:8080" },
};

async_test(no_thread, edo_addresses *addresses; size_t i;)
{
    edo_body {
        int rc;
        edo_pool_stats stats;
        names_install();
        for (self->i = 0; self->i < ARRAY_LENGTH(literals); self->i++) {
            edo_await(rc, edo_lookup(literals[self->i][0], &self->addresses));
            assert_int_equal(rc, 0);
            assert_int_equal(edo_addresses_count(self->addresses), 1);
            expect_text(self->addresses, 0, literals[self->i][1]);
            assert_int_equal(self->addresses->any, literals[self->i][0][0] == ':');
            edo_addresses_destroy(self->addresses);
        }
        edo_pool_read(names_pool(), &stats);
        assert_int_equal(stats.threads, 0);
        assert_int_equal(names_calls(), 0);
        names_remove();
        edo_addresses_destroy(NULL);
        edo_return(0);
    }
}

/* ---- names ---- */

async_test(found, edo_addresses *addresses; char text[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        names_install();
        names_add("host.test", "192.0.2.2:80");
        names_add("host.test", "[2001:db8::1]:80");
        names_add("host.test", "192.0.2.1:80");
        names_add("other.test", "192.0.2.3:80");
        snprintf(self->text, sizeof self->text, "host.test:http");
        edo_await(rc, edo_lookup(self->text, &self->addresses));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_addresses_count(self->addresses), 3);
        expect_text(self->addresses, 0, "192.0.2.2:80"); // in the order of the answer
        expect_text(self->addresses, 1, "[2001:db8::1]:80");
        expect_text(self->addresses, 2, "192.0.2.1:80");
        assert_int_equal(edo_addresses_text(self->addresses, 3, self->text, EDO_ADDRESS_SIZE),
                         -EINVAL);
        assert_int_equal(edo_addresses_text(self->addresses, 0, self->text, 4), -ENOSPC);
        edo_addresses_destroy(self->addresses);
        assert_string_equal(names_last_host(), "host.test");
        assert_string_equal(names_last_service(), "http");
        assert_int_equal(names_last_family(), EDO__FAMILY_ANY);
        assert_int_equal(names_calls(), 1);
        names_remove();
        edo_return(0);
    }
}

/* A named service needs the system even if the address is numeric. */
async_test(services, edo_addresses *addresses;)
{
    edo_body {
        int rc;
        names_install();
        names_add("127.0.0.1", "127.0.0.1:80");
        names_add("::1", "[::1]:80");
        names_add("::", "[::]:80");
        edo_await(rc, edo_lookup("127.0.0.1:http", &self->addresses));
        assert_int_equal(rc, 0);
        expect_text(self->addresses, 0, "127.0.0.1:80");
        edo_addresses_destroy(self->addresses);
        edo_await(rc, edo_lookup("[::1]:http", &self->addresses));
        assert_int_equal(rc, 0);
        expect_text(self->addresses, 0, "[::1]:80");
        edo_addresses_destroy(self->addresses);
        edo_await(rc, edo_lookup(":http", &self->addresses));
        assert_int_equal(rc, 0);
        expect_text(self->addresses, 0, "[::]:80");
        edo_addresses_destroy(self->addresses);
        names_remove();
        edo_return(0);
    }
}

/* ---- failures ---- */

static const char *const bad[] = {
    "nowhere",          "nowhere:",      "nowhere:-1",      "nowhere:65536",  "nowhere: 80",
    "256.0.0.1:80",     "127.1:80",      "1.2.3.4.:80",     "0x7f.0x1:80",    "no where:80",
    "1.0X1:80",         "nowhere:80-90", "nowhere:_",       "a..b:80",        ".a:80",
    "[nowhere]:80",     "[::1:http",     "127.0.0.1:ht tp", "127.0.0.1%lo:1", "[fe80::1%]:http",
    "nowhere:-service",
};

static const int errors[] = { -ENOENT, -EAGAIN, -EIO, -EINVAL, -ENOMEM, -EMFILE };

async_test(failures, edo_addresses *addresses; edo_op op; size_t i;)
{
    edo_body {
        int rc;
        names_install();
        self->addresses = NULL;
        for (self->i = 0; self->i < ARRAY_LENGTH(bad); self->i++) {
            edo_await(rc, edo_lookup(bad[self->i], &self->addresses));
            if (rc != -EINVAL) fail_msg("'%s' answered %d", bad[self->i], rc);
        }
        edo_await(rc, edo_lookup(NULL, &self->addresses));
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(names_calls(), 0);
        for (self->i = 0; self->i < ARRAY_LENGTH(errors); self->i++) {
            names_fail(errors[self->i]);
            edo_await(rc, edo_lookup("host.test:80", &self->addresses));
            assert_int_equal(rc, errors[self->i]);
        }
        self->op = edo_lookup("host.test:80", &self->addresses);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        self->op = edo_lookup("127.0.0.1:80", &self->addresses);
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(names_calls(), ARRAY_LENGTH(errors));
        assert_null(self->addresses);
        names_remove();
        edo_return(0);
    }
}

/* ---- a system that does not answer ---- */

struct limited {
    edo_frame();
    edo_args(const char *name; edo_addresses **ret_addresses;);
};

edo_async(limited)
{
    edo_body {
        int rc;
        edo_await_for(rc, edo_s(5), edo_lookup(self->name, self->ret_addresses));
        edo_return(rc);
    }
}

edo_async_test(stuck, edo_task *task; edo_addresses *addresses; int64_t began; char name[32];)
{
    edo_body {
        int rc;
        names_install();
        names_add("host.test", "192.0.2.2:80");
        names_hold();
        self->addresses = NULL;
        self->began = edo_now();
        snprintf(self->name, sizeof self->name, "host.test:80");
        rc = edo_spawn(&self->task, limited, .name = self->name, .ret_addresses = &self->addresses);
        assert_int_equal(rc, 0);
        names_await_held(self->task, 1);
        memset(self->name, 0, sizeof self->name); // the job has its own copy of the text
        edo_clock_advance(edo_s(5)); // the clock stands still while a task waits for a job
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_now() - self->began, edo_s(5));
        assert_int_equal(names_running(), 1); // still
        names_release();
        names_settle();
        assert_null(self->addresses);
        edo_await(rc, edo_lookup("host.test:80", &self->addresses)); // the pool still works
        assert_int_equal(rc, 0);
        edo_addresses_destroy(self->addresses);
        names_remove();
        edo_return(0);
    }
}

test(stuck_look_up)
{
    test_allocator_install(); // the result of an abandoned look-up is freed
    stuck_test(state);
    test_allocator_remove();
}

/* A cancelled look-up that waits for the only thread never begins. */
async_test(queued, edo_task *first, *second; edo_addresses *addresses, *dropped;)
{
    edo_body {
        int rc;
        edo_pool_config config = { .name = "dns", .max_threads = 1 };
        assert_int_equal(edo_runtime_add_pool(edo_current_runtime(), &config), 0);
        names_install();
        names_add("host.test", "192.0.2.2:80");
        names_hold();
        rc = edo_spawn(&self->first, run_op, .op = edo_lookup("host.test:80", &self->addresses));
        assert_int_equal(rc, 0);
        names_await_held(self->first, 1);
        rc = edo_spawn(&self->second, run_op, .op = edo_lookup("host.test:81", &self->dropped));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_yield());
        edo_task_cancel(self->second);
        edo_await(rc, edo_join(self->second));
        assert_int_equal(rc, -ECANCELED);
        names_release();
        edo_await(rc, edo_join(self->first));
        assert_int_equal(rc, 0);
        assert_int_equal(names_calls(), 1);
        edo_addresses_destroy(self->addresses);
        names_remove();
        edo_return(0);
    }
}

/* A runtime ends although the system does not answer. */
struct abandon {
    edo_frame();
    edo_args();
    edo_addresses *addresses;
};

edo_async(abandon)
{
    edo_body {
        int rc;
        edo_await(rc, edo_lookup("host.test:80", &self->addresses));
        edo_return(rc);
    }
}

test(destroyed)
{
    edo_runtime *runtime;
    size_t before = edo_memory_in_use();
    names_install();
    names_hold();
    assert_int_equal(create_runtime(NULL, &runtime), 0);
    edo_spawn_options options = { .runtime = runtime };
    edo_task *task;
    assert_int_equal(edo_spawn_with(&task, &options, abandon), 0);
    while (!names_are_held(1) && !edo_task_is_done(task))
        turn_runtime(runtime, 0);
    assert_false(edo_task_is_done(task));
    edo_detach(task);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    names_remove();
    while (edo_memory_in_use() > before) // the detached thread finishes its work
        sched_yield();
}

/* ---- out of memory ---- */

struct look {
    edo_frame();
    edo_args();
    edo_addresses *addresses;
};

edo_async(look)
{
    edo_body {
        int rc;
        self->addresses = NULL;
        edo_await(rc, edo_lookup("host.test:80", &self->addresses));
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(rc == 0, self->addresses != NULL);
        edo_addresses_destroy(self->addresses);
        self->addresses = NULL;
        edo_await(rc, edo_lookup("127.0.0.1:80", &self->addresses));
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(rc == 0, self->addresses != NULL);
        edo_addresses_destroy(self->addresses);
        edo_return(0);
    }
}

static void look_with_failures(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t rc = edo_block_on(runtime, look);
    assert_true(rc == 0 || rc == -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(no_memory)
{
    names_install();
    names_add("host.test", "192.0.2.2:80");
    log_capture();
    /* of the pool, the job, its list, the list's array; and of a numeric address */
    assert_true(with_each_allocation_failing(look_with_failures, NULL) >= 6);
    log_release();
    names_remove();
}
