/* Listeners that share an address, and the pauses of accepts. */
#include "support/streams.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTENERS = 3, CLIENTS = 48 };

/* ---- groups ---- */

struct greeter {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
    int count;
};

/* Greets each connection with a byte. Result: number of connections. */
edo_async(greeter)
{
    edo_body {
        int64_t rc;
        for (self->count = 0;; self->count++) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc < 0) break;
            edo_await(rc, edo_write_all(self->conn, "x", 1));
            assert_int_equal(rc, 1);
            edo_close(self->conn);
        }
        assert_int_equal(rc, -ECANCELED);
        edo_return(self->count);
    }
}

async_test(a_group_shares_an_address,
    edo_listener *listeners[LISTENERS];
    edo_task *tasks[LISTENERS];
    char text[2][EDO_ADDRESS_SIZE], byte;
    edo_io *clients[CLIENTS];
    int i, sum, busy;)
{
    edo_body {
        int64_t rc;
        self->sum = self->busy = 0;
        edo_await(rc, edo_tcp_listen_group("127.0.0.1:0", (edo_listen_options){ 0 },
                                           self->listeners, LISTENERS));
        assert_int_equal(rc, 0);
        for (int i = 0; i < LISTENERS; i++) {
            edo_listener_address(self->listeners[i], self->text[i > 0], EDO_ADDRESS_SIZE);
            assert_string_equal(self->text[0], self->text[i > 0]);
            rc = edo_spawn(&self->tasks[i], greeter, .listener = self->listeners[i]);
            assert_int_equal(rc, 0);
        }
        for (int i = 0; i < CLIENTS; i++)
            self->clients[i] = wrap(connect_plainly(self->listeners[0]));
        for (self->i = 0; self->i < CLIENTS; self->i++) {
            edo_await(rc, edo_read(self->clients[self->i], &self->byte, 1));
            assert_int_equal(rc, 1);
            edo_close(self->clients[self->i]);
        }
        settle(); // all greeters accept again, because an accept after the close would be misuse
        for (int i = 0; i < LISTENERS; i++)
            edo_listener_close(self->listeners[i]);
        for (self->i = 0; self->i < LISTENERS; self->i++) {
            edo_await(rc, edo_join(self->tasks[self->i]));
            self->sum += (int)rc;
            self->busy += rc > 0;
        }
        assert_int_equal(self->sum, CLIENTS);
        assert_true(self->busy > 1);
        edo_return(0);
    }
}

async_test(a_group_is_made_whole_or_not_at_all,
    edo_listener *listeners[LISTENERS], *other;
    char text[EDO_ADDRESS_SIZE];
    size_t before;)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->other)); // without reuse_port
        assert_int_equal(rc, 0);
        edo_listener_address(self->other, self->text, sizeof self->text);
        self->before = open_descriptors();
        edo_await(rc, edo_tcp_listen_group(self->text, (edo_listen_options){ 0 }, self->listeners,
                                           LISTENERS));
        assert_int_equal(rc, -EADDRINUSE);
        edo_await(
            rc, edo_tcp_listen_group("127.0.0.1:0", (edo_listen_options){ 0 }, self->listeners, 0));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_tcp_listen_group("127.0.0.1:0", (edo_listen_options){ 0 },
                                           self->listeners, SIZE_MAX));
        assert_int_equal(rc, -EINVAL);
        assert_int_equal(open_descriptors(), self->before);
        edo_listener_close(self->other);
        edo_return(0);
    }
}

/* With descriptors for some of the listeners only. */
async_test(a_group_without_descriptors,
    edo_listener *listeners[LISTENERS];
    struct rlimit limit;
    int next;)
{
    edo_body {
        int rc;
        getrlimit(RLIMIT_NOFILE, &self->limit);
        self->next = dup(STDERR_FILENO);
        close(self->next);
        rlim_t most = (rlim_t)self->next + LISTENERS - 1;
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ most, self->limit.rlim_max });
        edo_await(rc, edo_tcp_listen_group("127.0.0.1:0", (edo_listen_options){ 0 },
                                           self->listeners, LISTENERS));
        setrlimit(RLIMIT_NOFILE, &self->limit);
        assert_int_equal(rc, -EMFILE);
        int again = dup(STDERR_FILENO);
        assert_int_equal(again, self->next); // all were closed
        close(again);
        edo_return(0);
    }
}

/* ---- pauses ---- */

struct short_of_descriptors {
    edo_frame();
    edo_args(int64_t first; int64_t longest; int64_t limit;);
    edo_listener *listener;
    edo_io *conn;
    struct rlimit limits;
    int client;
    int64_t began;
};

/* Accepts while there are no descriptors, for a limited time. Result: as the accept's. */
edo_async(short_of_descriptors)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_listener_set_pauses(self->listener, self->first, self->longest), 0);
        getrlimit(RLIMIT_NOFILE, &self->limits);
        self->client = connect_plainly(self->listener);
        await_connection(self->listener);
        int next = dup(STDERR_FILENO);
        close(next);
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){ (rlim_t)next, self->limits.rlim_max });
        edo_await_for(rc, self->limit, edo_accept(self->listener, &self->conn));
        setrlimit(RLIMIT_NOFILE, &self->limits);
        if (rc == -ETIMEDOUT) {
            self->began = edo_now();
            edo_await(rc, edo_accept(self->listener, &self->conn));
            assert_int_equal(rc, 0);
            edo_close(self->conn);
            rc = -ETIMEDOUT;
        }
        close(self->client);
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

current_thread_only("other threads may need descriptors")
async_test(no_pauses_make_a_shortage_the_result, edo_callees(struct short_of_descriptors callee;))
{
    edo_body {
        int64_t rc;
        edo_call(rc, short_of_descriptors, .first = 0, .longest = 0, .limit = edo_s(10));
        assert_int_equal(rc, -EMFILE);
        edo_call(rc, short_of_descriptors, .first = edo_ms(1), .longest = edo_ms(1),
                 .limit = edo_s(1));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_return(0);
    }
}

async_test(bad_pauses, edo_listener *listener;)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_listener_set_pauses(self->listener, -1, 5), -EINVAL);
        assert_int_equal(edo_listener_set_pauses(self->listener, 6, 5), -EINVAL);
        assert_int_equal(edo_listener_set_pauses(self->listener, 5, 5), 0);
        assert_int_equal(edo_listener_set_pauses(NULL, 5, 5), -EINVAL);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}
