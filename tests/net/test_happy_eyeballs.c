/* Connecting to names: the order and moments of attempts, the winner, and that nothing is left of
 * the losers. With the test clock every delay is exact and takes no time. */
#include "support/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/lookup.h"

/* ---- the order ---- */

/* Each letter is an address: 4 or 6. */
static void expect_order(const char *given, const char *expected)
{
    edo__address items[8] = { 0 };
    const edo__address *order[8];
    bool seen[8] = { false };
    size_t count = strlen(given);
    for (size_t i = 0; i < count; i++)
        items[i].family = given[i] == '4' ? EDO__FAMILY_V4 : EDO__FAMILY_V6;
    edo__addresses_interleave(&(edo_addresses){ .items = items, .count = count }, order);
    const edo__address *last[2] = { NULL, NULL };
    for (size_t i = 0; i < count; i++) {
        bool v4 = order[i]->family == EDO__FAMILY_V4;
        assert_int_equal(v4 ? '4' : '6', expected[i]);
        assert_false(seen[order[i] - items]);
        seen[order[i] - items] = true;
        assert_true(!last[v4] || last[v4] < order[i]); // the order within a family is kept
        last[v4] = order[i];
    }
}

test(order)
{
    expect_order("4", "4");
    expect_order("6", "6");
    expect_order("64", "64");
    expect_order("46", "46");
    expect_order("6644", "6464");
    expect_order("4466", "4646");
    expect_order("666644", "646466");
    expect_order("644444", "644444");
    expect_order("466664", "464666");
    expect_order("666", "666");
}

/* ---- listeners that answer, refuse, or are silent ---- */

enum { CLIENTS = 8 };

/* A listener with a full queue: Linux drops further connections, like those of an unreachable
 * host. */
struct silent {
    int fd, clients[CLIENTS];
    char text[EDO_ADDRESS_SIZE];
};

static void open_silent(struct silent *silent)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    silent->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(bind(silent->fd, (struct sockaddr *)&address, size), errno);
    assert_return_code(listen(silent->fd, 0), errno);
    assert_return_code(getsockname(silent->fd, (struct sockaddr *)&address, &size), errno);
    snprintf(silent->text, sizeof silent->text, "127.0.0.1:%u", ntohs(address.sin_port));
    for (int i = 0; i < CLIENTS; i++) {
        silent->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(silent->clients[i], (struct sockaddr *)&address, size) < 0)
            assert_int_equal(errno, EINPROGRESS);
    }
}

static void close_silent(struct silent *silent)
{
    for (int i = 0; i < CLIENTS; i++)
        close(silent->clients[i]);
    close(silent->fd);
}

/* A port without a listener. */
struct refusing {
    int fd;
    char text[EDO_ADDRESS_SIZE];
};

static void open_refusing(struct refusing *refusing)
{
    uint16_t port;
    refusing->fd = reserve_port(AF_INET, &port);
    snprintf(refusing->text, sizeof refusing->text, "127.0.0.1:%u", port);
}

/* No TCP connection leads to a multicast address: -ENETUNREACH, with and without a network. */
#define NO_WAY "224.0.0.1:80"

/* A listener that answers. */
#define open_answering(listener, text)                                                             \
    do {                                                                                           \
        int opened_;                                                                               \
        edo_await(opened_, edo_tcp_listen("127.0.0.1:0", &(listener)));                            \
        assert_int_equal(opened_, 0);                                                              \
        edo_listener_address((listener), (text), EDO_ADDRESS_SIZE);                                \
    } while (0)

/* Listeners for one test. */
struct world {
    struct silent silent;
    struct refusing refusing;
    char text[EDO_ADDRESS_SIZE];
    size_t before;
    int64_t began;
};

static void open_world(struct world *world)
{
    names_install();
    open_silent(&world->silent);
    open_refusing(&world->refusing);
}

static void mark(struct world *world)
{
    world->before = open_descriptors();
    world->began = edo_now();
}

static void expect_nothing_left(const struct world *world)
{
    assert_int_equal(open_descriptors(), world->before);
}

static void close_world(struct world *world)
{
    close_silent(&world->silent);
    close(world->refusing.fd);
    names_remove();
}

/* ---- the first to connect wins ---- */

/* Expects that a connect to the name reaches the listener after the given time, and leaves one
 * descriptor. */
struct expect_connected {
    edo_frame();
    edo_args(const char *name; struct world * world; edo_connect_options options; int64_t after;);
    edo_io *conn;
    char text[EDO_ADDRESS_SIZE];
};

edo_async(expect_connected)
{
    edo_body {
        int rc;
        self->conn = NULL;
        mark(self->world);
        edo_await_for(rc, edo_minutes(1),
                      edo_tcp_connect_with(self->name, self->options, &self->conn));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_now() - self->world->began, self->after);
        edo_tcp_peer_address(self->conn, self->text, sizeof self->text);
        assert_string_equal(self->text, self->world->text);
        edo_close(self->conn);
        settle();
        expect_nothing_left(self->world);
        edo_return(0);
    }
}

async_test(winners,
    edo_callees(struct expect_connected expect_connected;)
    struct world world;
    edo_listener *listener;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        open_answering(self->listener, self->world.text);
        names_add("alone.test", self->world.text);
        names_add("refused.test", self->world.refusing.text);
        names_add("refused.test", NO_WAY);
        names_add("refused.test", self->world.text);
        names_add("silent.test", self->world.silent.text);
        names_add("silent.test", self->world.text);
        names_add("slow.test", self->world.silent.text);
        names_add("slow.test", self->world.silent.text);
        names_add("slow.test", self->world.silent.text);
        names_add("slow.test", self->world.text);
        names_add("slow.test", self->world.silent.text);
        names_add("mixed.test", self->world.silent.text);
        names_add("mixed.test", self->world.refusing.text);
        names_add("mixed.test", self->world.text);
        edo_call(rc, expect_connected, .name = "alone.test:80", .world = &self->world);
        edo_call(rc, expect_connected, .name = "refused.test:80", .world = &self->world);
        edo_call(rc, expect_connected, .name = "silent.test:80", .world = &self->world,
                 .after = edo_ms(250));
        edo_call(rc, expect_connected, .name = "slow.test:80", .world = &self->world,
                 .after = edo_ms(750));
        edo_call(rc, expect_connected, .name = "mixed.test:80", .world = &self->world,
                 .after = edo_ms(250));
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(rc);
    }
}

static const int64_t delays[][2] = {
    // requested delay, used delay
    { 300000000, 300000000 },   { 1, 10000000 },           { -1, 10000000 }, { 10000000, 10000000 },
    { 2000000000, 2000000000 }, { INT64_MAX, 2000000000 },
};

async_test(delay,
    edo_callees(struct expect_connected expect_connected;)
    struct world world;
    edo_listener *listener;
    edo_connect_options options;
    size_t i;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        open_answering(self->listener, self->world.text);
        names_add("silent.test", self->world.silent.text);
        names_add("silent.test", self->world.text);
        for (self->i = 0; self->i < ARRAY_LENGTH(delays); self->i++) {
            self->options = (edo_connect_options){ .attempt_delay = delays[self->i][0] };
            edo_call(rc, expect_connected, .name = "silent.test:80", .world = &self->world,
                     .options = self->options, .after = delays[self->i][1]);
            assert_int_equal(rc, 0);
        }
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(0);
    }
}

/* The families alternate: two silent addresses of one family delay the other by one attempt
 * only. */
async_test(families,
    edo_callees(struct expect_connected expect_connected;)
    struct world world;
    edo_listener *listener;)
{
    edo_body {
        int rc;
        if (!has_ipv6()) edo_return(0);
        open_world(&self->world);
        edo_await(rc, edo_tcp_listen("[::1]:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->world.text, EDO_ADDRESS_SIZE);
        names_add("both.test", self->world.silent.text);
        names_add("both.test", self->world.silent.text);
        names_add("both.test", self->world.text);
        edo_call(rc, expect_connected, .name = "both.test:80", .world = &self->world,
                 .after = edo_ms(250));
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(rc);
    }
}

/* ---- several connect at once; the chaos driver delays some, and lets cancelled ones succeed
 * ---- */

struct advance {
    edo_frame();
    edo_args();
};

edo_async(advance)
{
    edo_body {
        int rc;
        edo_clock_advance(edo_s(1));
        edo_await(rc, edo_yield());
        edo_return(rc);
    }
}

async_test(crowd,
    struct world world;
    edo_listener *listener;
    edo_task *task;
    edo_io *conn;
    unsigned i;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        open_answering(self->listener, self->world.text);
        for (self->i = 0; self->i < 5; self->i++)
            names_add("crowd.test", self->world.text);
        for (self->i = 0; self->i < 20; self->i++) {
            mark(&self->world);
            rc = edo_spawn(&self->task, advance);
            assert_int_equal(rc, 0);
            edo_await(rc, edo_tcp_connect("crowd.test:80", &self->conn));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, 0);
            assert_int_equal(open_descriptors(), self->world.before + 1);
            edo_close(self->conn);
            settle();
        }
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(0);
    }
}

/* ---- none connects ---- */

async_test(losers, struct world world; edo_io *conn;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        names_add("refused.test", self->world.refusing.text);
        names_add("no-way.test", NO_WAY);
        names_add("first.test", self->world.refusing.text);
        names_add("first.test", NO_WAY);
        names_add("last.test", NO_WAY);
        names_add("last.test", self->world.refusing.text);
        names_add("::", "[::]:80");
        names_add("equal.test", "[fe80::1]:80"); // a link-local address without its link: -EINVAL
        names_add("equal.test", self->world.refusing.text);
        self->conn = NULL;
        mark(&self->world);
        edo_await(rc, edo_tcp_connect("refused.test:80", &self->conn));
        assert_int_equal(rc, -ECONNREFUSED);
        edo_await(rc, edo_tcp_connect("no-way.test:80", &self->conn));
        assert_int_equal(rc, -ENETUNREACH);
        edo_await(rc, edo_tcp_connect("first.test:80", &self->conn));
        assert_int_equal(rc, -ECONNREFUSED); // a refusal outweighs a missing route
        edo_await(rc, edo_tcp_connect("last.test:80", &self->conn));
        assert_int_equal(rc, -ECONNREFUSED);
        edo_await(rc, edo_tcp_connect_from("192.0.2.1:0", "last.test:80", &self->conn));
        assert_int_equal(rc, -EADDRNOTAVAIL); // the same for both addresses
        edo_await(rc, edo_tcp_connect("equal.test:80", &self->conn));
        assert_int_equal(rc, has_ipv6() ? -EINVAL : -ECONNREFUSED); // the first
        edo_await(rc, edo_tcp_connect("nobody.test:80", &self->conn));
        assert_int_equal(rc, -ENOENT);
        edo_await(rc, edo_tcp_connect("no body.test:80", &self->conn));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_connect(":http", &self->conn)); // no host to connect to
        assert_int_equal(rc, -EINVAL);
        names_fail(-EAGAIN);
        edo_await(rc, edo_tcp_connect("refused.test:80", &self->conn));
        assert_int_equal(rc, -EAGAIN);
        assert_null(self->conn);
        assert_int_equal(edo_now(), self->world.began);
        expect_nothing_left(&self->world);
        close_world(&self->world);
        edo_return(0);
    }
}

/* ---- cancelled, at every point ---- */

/* Limits that pass at each stage of the race. */
static const int64_t limits[] = { 1, 249999999, 250000000, 250000001, 499999999, 500000001 };

edo_async_test(cancelled, struct world world; edo_op op; edo_task *task; edo_io *conn; size_t i;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        names_add("silent.test", self->world.silent.text);
        names_add("silent.test", self->world.silent.text);
        self->conn = NULL;
        mark(&self->world);
        self->op = edo_tcp_connect("silent.test:80", &self->conn); // before its first poll
        edo_cancel(&self->op.base);
        edo_await_on(rc, &self->op.base);
        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(names_calls(), 0);

        names_hold(); // during the look-up
        rc = edo_spawn(&self->task, run_op, .op = edo_tcp_connect("silent.test:80", &self->conn));
        assert_int_equal(rc, 0);
        names_await_held(self->task, 1);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        names_release();
        names_settle();

        for (self->i = 0; self->i < ARRAY_LENGTH(limits); self->i++) {
            mark(&self->world);
            edo_await_for(rc, limits[self->i], edo_tcp_connect("silent.test:80", &self->conn));
            assert_int_equal(rc, -ETIMEDOUT);
            assert_int_equal(edo_now() - self->world.began, limits[self->i]);
            settle();
            expect_nothing_left(&self->world);
        }
        assert_null(self->conn);
        close_world(&self->world);
        edo_return(0);
    }
}

test(cancelled_at_each_stage)
{
    test_allocator_install();
    cancelled_test(state);
    test_allocator_remove();
}

/* A look-up that has ended when the cancellation comes answers its addresses, but none is connected
 * to or listened on. */
one_worker_only("the task is not to be polled while the test waits")
async_test(too_late,
    struct world world;
    edo_listener *listener, *untouched;
    edo_addresses *found;
    edo_op ops[3];
    edo_task *task;
    edo_io *conn;
    unsigned i;)
{
    edo_body {
        int rc;
        open_world(&self->world);
        open_answering(self->listener, self->world.text);
        names_add("host.test", self->world.text);
        names_add("here.test", "127.0.0.1:0");
        self->conn = NULL;
        self->untouched = NULL;
        self->found = NULL;
        mark(&self->world);
        self->ops[0] = edo_tcp_connect("host.test:80", &self->conn);
        self->ops[1] = edo_tcp_listen("here.test:80", &self->untouched);
        self->ops[2] = edo_lookup("host.test:80", &self->found);
        for (self->i = 0; self->i < 3; self->i++) {
            names_hold();
            rc = edo_spawn(&self->task, run_op, .op = self->ops[self->i]);
            assert_int_equal(rc, 0);
            names_await_held(self->task, 1);
            names_release();
            names_await_end();
            edo_task_cancel(self->task);
            edo_await(rc, edo_join(self->task));
            assert_int_equal(rc, self->i < 2 ? -ECANCELED : 0);
        }
        assert_int_equal(edo_addresses_count(self->found), 1);
        edo_addresses_destroy(self->found);
        expect_nothing_left(&self->world);
        edo_await_for(rc, edo_ms(1), edo_accept(self->listener, &self->conn));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_null(self->conn);
        assert_null(self->untouched);
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(0);
    }
}

/* ---- from a local address: only its family is tried ---- */

async_test(from,
    struct world world;
    edo_listener *listener;
    edo_io *conn;
    char local[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        open_world(&self->world);
        open_answering(self->listener, self->world.text);
        names_add("both.test", "[::1]:1");
        names_add("both.test", self->world.text);
        edo_await(rc, edo_tcp_connect_from("127.0.0.2:0", "both.test:80", &self->conn));
        assert_int_equal(rc, 0);
        assert_int_equal(names_last_family(), EDO__FAMILY_V4);
        edo_tcp_local_address(self->conn, self->local, sizeof self->local);
        assert_int_equal(strncmp(self->local, "127.0.0.2:", 10), 0);
        edo_close(self->conn);
        edo_await(rc, edo_tcp_connect_from(":0", "both.test:80", &self->conn));
        assert_int_equal(rc, 0);
        assert_int_equal(names_last_family(), EDO__FAMILY_ANY);
        edo_close(self->conn);
        edo_await(rc, edo_tcp_connect_from(":0", self->world.text, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_await(rc, edo_tcp_connect_from("local.test:0", "both.test:80", &self->conn));
        assert_int_equal(rc, -EINVAL); // a local address must be numeric
        edo_listener_close(self->listener);
        close_world(&self->world);
        edo_return(0);
    }
}

/* ---- listening on a name ---- */

async_test(listening,
    struct world world;
    edo_listener *listener;
    edo_task *task;
    edo_io *conn;
    char text[EDO_ADDRESS_SIZE], port[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        open_world(&self->world);
        names_add("here.test", "192.0.2.1:0"); // TEST-NET-1, not ours
        names_add("here.test", "127.0.0.1:0");
        names_add("here.test", "127.0.0.2:0");
        names_add("elsewhere.test", "127.0.0.1:1");
        names_add("elsewhere.test", "192.0.2.1:0");
        names_add("taken.test", "192.0.2.1:0");
        names_add("taken.test", self->world.silent.text);
        names_add("::", "[::]:0");
        mark(&self->world);
        edo_await(rc, edo_tcp_listen("here.test:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        assert_int_equal(strncmp(self->text, "127.0.0.1:", 10), 0);
        edo_listener_close(self->listener);
        edo_await(rc, edo_tcp_listen_with(":http", (edo_listen_options){ .only_v6 = true },
                                          &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        snprintf(self->port, sizeof self->port, "127.0.0.1%s", strrchr(self->text, ':'));
        edo_await(rc, edo_tcp_connect(self->port, &self->conn));
        assert_int_equal(rc, 0); // both families, as with a numeric port
        edo_close(self->conn);
        edo_listener_close(self->listener);
        self->listener = NULL;
        edo_await(rc, edo_tcp_listen("taken.test:0", &self->listener));
        assert_int_equal(rc, -EADDRINUSE); // error of the last address
        edo_await(rc, edo_tcp_listen("nobody.test:0", &self->listener));
        assert_int_equal(rc, -ENOENT);
        edo_await(rc, edo_tcp_listen("no body.test:0", &self->listener));
        assert_int_equal(rc, -EINVAL);
        names_hold();
        rc = edo_spawn(&self->task, run_op, .op = edo_tcp_listen("here.test:0", &self->listener));
        assert_int_equal(rc, 0);
        names_await_held(self->task, 1);
        edo_task_cancel(self->task);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        names_release();
        names_settle();
        settle();
        assert_null(self->listener);
        expect_nothing_left(&self->world);
        close_world(&self->world);
        edo_return(0);
    }
}

/* ---- out of memory, out of descriptors ---- */

struct scarce {
    edo_frame();
    edo_args(const char *text;);
    edo_listener *listener;
    edo_io *conn;
};

edo_async(scarce)
{
    edo_body {
        int rc;
        self->conn = NULL;
        self->listener = NULL;
        edo_await(rc, edo_tcp_connect("crowd.test:80", &self->conn));
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(rc == 0, self->conn != NULL);
        edo_close(self->conn);
        edo_await(rc, edo_tcp_listen("here.test:80", &self->listener));
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(rc == 0, self->listener != NULL);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

static void run_scarce(void *arg)
{
    (void)arg;
    edo_runtime *runtime;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t rc = edo_block_on(runtime, scarce);
    assert_true(rc == 0 || rc == -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(no_memory)
{
    struct silent answering; // its queue has room
    struct refusing refusing;
    names_install();
    open_silent(&answering);
    open_refusing(&refusing);
    assert_return_code(listen(answering.fd, 1000), errno);
    names_add("crowd.test", refusing.text);
    names_add("crowd.test", answering.text);
    names_add("here.test", "127.0.0.1:0");
    size_t before = open_descriptors();
    log_capture();
    assert_true(with_each_allocation_failing(run_scarce, NULL) >= 10);
    log_release();
    assert_int_equal(open_descriptors(), before);
    close(refusing.fd);
    close_silent(&answering);
    names_remove();
}

static void connect_without_descriptors(void *arg)
{
    edo_io *conn;
    edo_listener *listener;
    (void)arg;
    assert_int_equal(edo_wait(edo_yield()), 0); // edo_wait() has its descriptors from now on
    names_install();
    names_add("two.test", "127.0.0.1:0");
    names_add("two.test", "127.0.0.1:0");
    int last = dup(STDERR_FILENO);
    close(last);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)last, (rlim_t)last });
    assert_int_equal(edo_wait(edo_tcp_connect("two.test:80", &conn)), -EMFILE);
    assert_int_equal(edo_wait(edo_tcp_listen("two.test:80", &listener)), -EMFILE);
}

test(no_descriptors)
{
    expect_success_in_child(connect_without_descriptors, NULL);
}

/* ---- names of the system ---- */

async_test(localhost,
    edo_listener *listener;
    edo_io *conn, *peer;
    char text[EDO_ADDRESS_SIZE], name[EDO_ADDRESS_SIZE];)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("localhost:0", &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_address(self->listener, self->text, sizeof self->text);
        assert_true(strncmp(self->text, "127.", 4) == 0 || strncmp(self->text, "[::1]", 5) == 0);
        snprintf(self->name, sizeof self->name, "localhost%s", strrchr(self->text, ':'));
        edo_await(rc, edo_tcp_connect(self->name, &self->conn));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_accept(self->listener, &self->peer));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_close(self->peer);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}
