/* Datagrams and records: boundaries, ends, addresses, full queues, credentials. */
#include "support/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- boundaries ---- */

/* Also through records of no bytes, up to the end. */
enum { LARGE = 100000 };

async_test(records, edo_io *ends[2]; edo_task *task; letter out, in; char *sent, *got; int i;)
{
    static const size_t sizes[] = { 0, 10, LARGE, 0 };
    edo_body {
        int64_t n;
        self->sent = malloc(LARGE);
        self->got = malloc(LARGE);
        fill_pattern(self->sent, LARGE, 1, 0);
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->ends[0], &self->ends[1]), 0);
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(sizes); self->i++) {
            edo_await(n, edo_unix_send_message(self->ends[0],
                                               prepare(&self->out, self->sent, sizes[self->i], 0)));
            assert_int_equal(n, sizes[self->i]);
        }
        edo_close(self->ends[0]);
        for (self->i = 0; self->i < (int)ARRAY_LENGTH(sizes); self->i++) {
            edo_await(
                n, edo_unix_recv_message(self->ends[1], prepare(&self->in, self->got, LARGE, 0)));
            assert_int_equal(n, 1);
            assert_int_equal(self->in.message.size, sizes[self->i]);
            assert_int_equal(self->in.message.flags & EDO_MESSAGE_TRUNCATED, 0);
            assert_true(is_pattern(self->got, sizes[self->i], 1, 0));
        }
        edo_await(n, edo_unix_recv_message(self->ends[1], prepare(&self->in, self->got, LARGE, 0)));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_recv_message(self->ends[1], prepare(&self->in, self->got, LARGE,
                                                                  sizeof self->in.room)));
        assert_int_equal(n, 0);
        edo_close(self->ends[1]);
        free(self->sent);
        free(self->got);
        edo_return(0);
    }
}

/* A socket that the program has made: descriptors without room are not left open, and an empty
 * record is not the end if credentials are on. */
async_test(records_of_a_foreign_socket, edo_io *ends[2]; letter out, in; char byte; size_t before;)
{
    edo_body {
        int64_t n;
        int fds[2], sent = STDERR_FILENO;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(edo_io_from_fd(fds[0], &self->ends[0]), 0);
        assert_int_equal(edo_io_from_fd(fds[1], &self->ends[1]), 0);
        self->before = open_descriptors();
        prepare_with_fds(&self->out, "x", 1, &sent, 1);
        edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 1);
        edo_await(n, edo_unix_recv_message(self->ends[1], prepare(&self->in, &self->byte, 1, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(self->byte, 'x');
        assert_int_equal(open_descriptors(), self->before);
        assert_int_equal(edo_unix_set_credentials(self->ends[1], true), 0);
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "", 0, 0)));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_recv_message(self->ends[1], prepare(&self->in, &self->byte, 1, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 0);
        edo_close(self->ends[0]);
        edo_await(n, edo_unix_recv_message(self->ends[1], prepare(&self->in, &self->byte, 1, 0)));
        assert_int_equal(n, 0);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A control of EDO_CONTROL_FDS_SIZE has room for its descriptors, although records come with
 * credentials; more descriptors are closed. */
enum { MOST_SENT = 5 };

async_test(descriptors_of_records, edo_io *ends[2]; letter out, in; char byte; size_t before, room;)
{
    edo_body {
        int64_t n;
        int fds[MOST_SENT], got[MOST_SENT];
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->ends[0], &self->ends[1]), 0);
        self->before = open_descriptors();
        for (self->room = 1; self->room <= MOST_SENT; self->room++) {
            for (int i = 0; i < MOST_SENT; i++)
                fds[i] = STDERR_FILENO;
            prepare_with_fds(&self->out, "x", 1, fds, MOST_SENT);
            edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
            assert_int_equal(n, 1);
            prepare(&self->in, &self->byte, 1, EDO_CONTROL_FDS_SIZE(self->room));
            edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
            assert_int_equal(n, 1);
            n = (int64_t)edo_control_take_fds(&self->in.control, got, MOST_SENT);
            assert_in_range(n, (int64_t)self->room, MOST_SENT);
            assert_int_equal(open_descriptors(), self->before + (size_t)n);
            if (n < MOST_SENT) assert_true(self->in.message.flags & EDO_MESSAGE_CONTROL_TRUNCATED);
            while (n > 0)
                close(got[--n]);
            assert_int_equal(open_descriptors(), self->before);
        }
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* A record that waits is told from the end, too. */
async_test(the_end_of_records, edo_io *ends[2]; edo_task *task; letter out, in; char byte;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_SEQPACKET, &self->ends[0], &self->ends[1]), 0);
        n = edo_spawn(
            &self->task, run_op,
            .op = edo_unix_recv_message(self->ends[1], prepare(&self->in, &self->byte, 1, 0)));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "", 0, 0)));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 0);
        n = edo_spawn(
            &self->task, run_op,
            .op = edo_unix_recv_message(self->ends[1], prepare(&self->in, &self->byte, 1, 0)));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_shutdown_write(self->ends[0]));
        assert_int_equal(n, 0);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

struct cut {
    edo_frame();
    edo_args(edo_unix_type type;);
    edo_io *ends[2];
    letter out, in;
    char sent[100], got[10];
};

edo_async(cut)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair_of(self->type, &self->ends[0], &self->ends[1]), 0);
        fill_pattern(self->sent, sizeof self->sent, 1, 0);
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, self->sent, 100, 0)));
        assert_int_equal(n, 100);
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "next", 4, 0)));
        assert_int_equal(n, 4);
        prepare(&self->in, self->got, sizeof self->got, 0)->options = EDO_MESSAGE_PEEK;
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 100);
        prepare(&self->in, self->got, sizeof self->got, 0);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 100);
        assert_true(self->in.message.flags & EDO_MESSAGE_TRUNCATED);
        assert_true(is_pattern(self->got, sizeof self->got, 1, 0));
        prepare(&self->in, self->got, sizeof self->got, 0);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 4);
        assert_memory_equal(self->got, "next", 4);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

async_test(cut_messages, edo_callees(struct cut callee;))
{
    edo_body {
        int rc;
        edo_call(rc, cut, .type = EDO_UNIX_DATAGRAM);
        edo_call(rc, cut, .type = EDO_UNIX_SEQPACKET);
        edo_return(rc);
    }
}

/* ---- a listener of records ---- */

async_test(accepted_records,
    edo_listener *listener; edo_io *client, *server; letter out, in; char name[32], got[8];)
{
    edo_body {
        int64_t n;
        edo_unix_listen_options options = { .type = EDO_UNIX_SEQPACKET };
        snprintf(self->name, sizeof self->name, "@edo-records-%d", getpid());
        edo_await(n, edo_unix_listen_with(self->name, options, &self->listener));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_connect(self->name, &self->client)); // a stream
        assert_int_equal(n, -ECONNREFUSED);
        edo_await(n, edo_unix_connect_with(self->name,
                                           (edo_unix_connect_options){ .type = EDO_UNIX_SEQPACKET },
                                           &self->client));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_send_message(self->client, prepare(&self->out, "", 0, 0)));
        edo_await(n, edo_unix_send_message(self->client, prepare(&self->out, "record", 6, 0)));
        edo_close(self->client);
        edo_await(n, edo_accept(self->listener, &self->server));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_recv_message(self->server, prepare(&self->in, self->got, 8, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 0);
        edo_await(n, edo_unix_recv_message(self->server, prepare(&self->in, self->got, 8, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 6);
        edo_await(n, edo_unix_recv_message(self->server, prepare(&self->in, self->got, 8, 0)));
        assert_int_equal(n, 0);
        edo_await(n, edo_finish(self->server));
        assert_int_equal(n, 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- datagrams ---- */

async_test(datagrams_and_replies,
    edo_io *server, *client; letter out, in; edo_address from; char names[2][32], got[8];)
{
    edo_body {
        int64_t n;
        snprintf(self->names[0], sizeof self->names[0], "@edo-server-%d", getpid());
        assert_int_equal(edo_unix_datagram(self->names[0], 0, &self->server), 0);
        assert_int_equal(edo_unix_datagram(self->names[0], 0, &self->client), -EADDRINUSE);
        assert_int_equal(edo_unix_datagram("unix:", 0, &self->client), 0);
        prepare(&self->out, "question", 8, 0);
        n = edo_address_unix_abstract(self->names[0] + 1, strlen(self->names[0]) - 1,
                                      &self->out.message.address);
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_send_message(self->client, &self->out.message));
        assert_int_equal(n, 8);
        edo_await(n, edo_unix_recv_message(self->server, prepare(&self->in, self->got, 8, 0)));
        assert_int_equal(n, 1);
        assert_memory_equal(self->got, "question", 8);
        self->from = self->in.message.address;
        prepare(&self->out, "reply", 5, 0)->address = self->from;
        edo_await(n, edo_unix_send_message(self->server, &self->out.message));
        assert_int_equal(n, 5);
        edo_await(n, edo_unix_recv_message(self->client, prepare(&self->in, self->got, 8, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(self->in.message.size, 5);
        edo_close(self->client);
        prepare(&self->out, "reply", 5, 0)->address = self->from;
        edo_await(n, edo_unix_send_message(self->server, &self->out.message));
        assert_int_equal(n, -ECONNREFUSED);
        edo_await(n, edo_unix_send_message(self->server, prepare(&self->out, "x", 1, 0)));
        assert_int_equal(n, -ENOTCONN); // no address and no peer
        edo_await(n, edo_shutdown_write(self->server));
        assert_int_equal(n, -ENOTSUP);
        edo_await(n, edo_finish(self->server)); // has no end to wait for
        assert_int_equal(n, 0);
        edo_return(0);
    }
}

async_test(peers, edo_io *server, *clients[2]; letter out, in; char name[32], got[8]; int i;)
{
    edo_body {
        int64_t n;
        snprintf(self->name, sizeof self->name, "@edo-peer-%d", getpid());
        assert_int_equal(edo_unix_datagram(self->name, 0, &self->server), 0);
        assert_int_equal(edo_unix_datagram(NULL, 0, &self->clients[0]), 0);
        assert_int_equal(edo_unix_datagram_connect(self->clients[0], self->name), 0);
        edo_await(n, edo_unix_connect_with(self->name,
                                           (edo_unix_connect_options){ .type = EDO_UNIX_DATAGRAM },
                                           &self->clients[1]));
        assert_int_equal(n, 0);
        for (self->i = 0; self->i < 2; self->i++) {
            edo_await(n, edo_write(self->clients[self->i], "abc", 3));
            assert_true(n > 0); // a driver may write less
            edo_await(n, edo_unix_recv_message(self->server, prepare(&self->in, self->got, 8, 0)));
            assert_int_equal(n, 1);
            assert_int_equal(edo_address_family_of(&self->in.message.address), EDO_ADDRESS_NONE);
        }
        assert_int_equal(edo_unix_datagram_connect(self->clients[0], NULL), 0);
        edo_await(n, edo_unix_send_message(self->clients[0], prepare(&self->out, "x", 1, 0)));
        assert_int_equal(n, -ENOTCONN);
        edo_close(self->server);
        assert_int_equal(edo_unix_datagram_connect(self->clients[0], self->name), -ECONNREFUSED);
        edo_await(n, edo_unix_send_message(self->clients[1], prepare(&self->out, "x", 1, 0)));
        assert_int_equal(n, -ECONNREFUSED);
        edo_close(self->clients[0]);
        edo_close(self->clients[1]);
        edo_return(0);
    }
}

/* ---- full queues ---- */

enum { MANY = 1000 };

/* Sends numbered datagrams, with an address or to the peer. */
struct sender {
    edo_frame();
    edo_args(edo_io *io; const edo_address *to;);
    letter out;
    int i;
};

edo_async(sender)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < MANY; self->i++) {
            prepare(&self->out, &self->i, sizeof self->i, 0);
            if (self->to) self->out.message.address = *self->to;
            edo_await(n, edo_unix_send_message(self->io, &self->out.message));
            if (n < 0) edo_return(n);
        }
        edo_return(0);
    }
}

struct fill {
    edo_frame();
    edo_args(bool connects, reads;); // reads: a receive has registered the client before
    edo_io *server, *client;
    edo_task *task, *reader;
    edo_address to;
    letter in, answer;
    char name[32];
    int got, i;
};

edo_async(fill)
{
    edo_body {
        int64_t n;
        snprintf(self->name, sizeof self->name, "@edo-fill-%d", getpid());
        assert_int_equal(edo_unix_datagram(self->name, 0, &self->server), 0);
        assert_int_equal(edo_unix_datagram(NULL, 0, &self->client), 0);
        if (self->connects)
            assert_int_equal(edo_unix_datagram_connect(self->client, self->name), 0);
        n = edo_address_unix_abstract(self->name + 1, strlen(self->name) - 1, &self->to);
        assert_int_equal(n, 0);
        if (self->reads) {
            n = edo_spawn(
                &self->reader, run_op,
                .op = edo_unix_recv_message(self->client, prepare(&self->answer, &self->i, 1, 0)));
            assert_int_equal(n, 0);
            settle();
        }
        n = edo_spawn(&self->task, sender, .io = self->client,
                      .to = self->connects ? NULL : &self->to);
        assert_int_equal(n, 0);
        edo_await(n, edo_sleep(edo_s(1)));
        assert_false(edo_task_is_done(self->task)); // the queue is full
        for (self->i = 0; self->i < MANY; self->i++) {
            edo_await(n, edo_unix_recv_message(
                             self->server, prepare(&self->in, &self->got, sizeof self->got, 0)));
            assert_int_equal(n, 1);
            assert_int_equal(self->got, self->i);
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        if (self->reads) {
            edo_task_cancel(self->reader);
            edo_await(n, edo_join(self->reader));
            assert_int_equal(n, -ECANCELED);
        }
        edo_close(self->server);
        edo_close(self->client);
        edo_return(0);
    }
}

/* The sender sleeps, and loses nothing. */
async_test(full_queues, edo_callees(struct fill callee;))
{
    edo_body {
        int rc;
        edo_call(rc, fill, .connects = true);
        edo_call(rc, fill, .connects = true, .reads = true);
        edo_call(rc, fill, .connects = false);
        edo_return(rc);
    }
}

/* A waiting send is cancelled, in both ways of waiting. */
async_test(cancelled_sends, edo_io *server, *client; letter out; char name[32]; int round;)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < 2; self->round++) {
            snprintf(self->name, sizeof self->name, "@edo-cancel-%d", getpid());
            assert_int_equal(edo_unix_datagram(self->name, 0, &self->server), 0);
            assert_int_equal(edo_unix_datagram(NULL, 0, &self->client), 0);
            if (self->round)
                assert_int_equal(edo_unix_datagram_connect(self->client, self->name), 0);
            do {
                prepare(&self->out, "x", 1, 0);
                if (!self->round) {
                    n = edo_address_unix_abstract(self->name + 1, strlen(self->name) - 1,
                                                  &self->out.message.address);
                    assert_int_equal(n, 0);
                }
                edo_await_for(n, edo_s(1), edo_unix_send_message(self->client, &self->out.message));
            } while (n == 1);
            assert_int_equal(n, -ETIMEDOUT);
            edo_close(self->server);
            edo_close(self->client);
        }
        edo_return(0);
    }
}

/* ---- credentials ---- */

static int child_fd;

static void write_as_child(void *arg)
{
    (void)arg;
    assert_int_equal(write(child_fd, "c", 1), 1);
}

/* Of the process that writes, not of the one that has connected. */
current_thread_only("it forks")
async_test(credentials,
    edo_listener *listener; edo_io *client, *server; letter in; edo_unix_peer from; char name[32], byte;
    int child;)
{
    edo_body {
        int64_t n;
        edo_unix_listen_options options = { .credentials = true };
        snprintf(self->name, sizeof self->name, "@edo-ids-%d", getpid());
        edo_await(n, edo_unix_listen_with(self->name, options, &self->listener));
        assert_int_equal(n, 0);
        edo_await(n, edo_unix_connect(self->name, &self->client));
        assert_int_equal(n, 0);
        child_fd = edo_io_fd(self->client);
        self->child = start_child(write_as_child, NULL);
        assert_int_equal(await_child(self->child), 0);
        edo_await(n, edo_accept(self->listener, &self->server));
        assert_int_equal(n, 0);
        assert_int_equal(edo_unix_peer_credentials(self->server, &self->from), 0);
        assert_int_equal(self->from.pid, getpid());
        prepare(&self->in, &self->byte, 1, EDO_CONTROL_CREDENTIALS_SIZE);
        edo_await(n, edo_unix_recv_message(self->server, &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(edo_control_credentials(&self->in.control, &self->from), 0);
        assert_int_equal(self->from.pid, self->child);
        assert_int_equal(self->from.uid, getuid());
        edo_close(self->client);
        edo_close(self->server);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

async_test(early_messages, edo_io *ends[2]; letter out, in; edo_unix_peer from; char byte;)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_unix_pair_of(EDO_UNIX_DATAGRAM, &self->ends[0], &self->ends[1]), 0);
        self->from = (edo_unix_peer){ .pid = 7 };
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->out, "x", 1, 0)));
        assert_int_equal(n, 1);
        assert_int_equal(edo_unix_set_credentials(self->ends[1], true), 0);
        prepare(&self->in, &self->byte, 1, sizeof self->in.room);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(edo_control_credentials(&self->in.control, &self->from), -ENODATA);
        assert_int_equal(self->from.pid, 7);
        prepare(&self->out, "x", 1, sizeof self->out.room);
        edo_unix_peer own = { .pid = getpid(), .uid = getuid(), .gid = getgid() };
        assert_int_equal(edo_control_add_credentials(&self->out.control, &own), 0);
        edo_await(n, edo_unix_send_message(self->ends[0], &self->out.message));
        assert_int_equal(n, 1);
        prepare(&self->in, &self->byte, 1, sizeof self->in.room);
        edo_await(n, edo_unix_recv_message(self->ends[1], &self->in.message));
        assert_int_equal(n, 1);
        assert_int_equal(edo_control_credentials(&self->in.control, &self->from), 0);
        assert_int_equal(self->from.pid, getpid());
        assert_int_equal(edo_unix_set_credentials(NULL, true), -EINVAL);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

/* ---- misuse ---- */

async_test(refused, edo_io *ends[2], *pipe[2]; letter a, b; edo_task *task; char byte;)
{
    edo_body {
        int64_t n;
        int fd;
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_pipe(&self->pipe[0], &self->pipe[1]), 0);
        assert_int_equal(edo_unix_pair_of((edo_unix_type)3, &self->ends[0], &self->ends[1]),
                         -EINVAL);
        edo_await(n, edo_unix_recv_message(NULL, prepare(&self->a, &self->byte, 1, 0)));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_unix_recv_message(self->ends[0], NULL));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_unix_recv_message(self->pipe[0], prepare(&self->a, &self->byte, 1, 0)));
        assert_int_equal(n, -ENOTSUP);
        edo_await(n, edo_unix_recv_message(self->ends[0], prepare(&self->a, &self->byte, 0, 0)));
        assert_int_equal(n, -EINVAL); // 0 bytes would look like the end
        fd = STDERR_FILENO;
        edo_await(n,
                  edo_unix_send_message(self->ends[0], prepare_with_fds(&self->a, "", 0, &fd, 1)));
        assert_int_equal(n, -EINVAL); // would be lost
        edo_await(n, edo_unix_send_message(self->ends[0], prepare(&self->a, "", 0, 0)));
        assert_int_equal(n, 0);
        n = edo_spawn(
            &self->task, run_op,
            .op = edo_unix_recv_message(self->ends[0], prepare(&self->a, &self->byte, 1, 0)));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_unix_recv_message(self->ends[0], prepare(&self->b, &self->byte, 1, 0)));
        assert_int_equal(n, -EBUSY);
        edo_await(n, edo_read(self->ends[0], &self->byte, 1));
        assert_int_equal(n, -EBUSY);
        edo_close(self->ends[0]);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_await(n, edo_unix_send_message(self->ends[1], prepare(&self->b, "x", 1, 0)));
        assert_int_equal(n, -EPIPE);
        assert_int_equal(edo_unix_datagram_connect(self->ends[1], "@x"), -ENOTSUP);
        assert_int_equal(edo_unix_datagram("", 0, &self->ends[0]), -EINVAL);
        assert_int_equal(edo_unix_datagram("x", 0, NULL), -EINVAL);
        edo_await(
            n, edo_unix_connect_with("x", (edo_unix_connect_options){ .type = 3 }, &self->ends[0]));
        assert_int_equal(n, -EINVAL);

        edo_close(self->ends[1]);
        edo_close(self->pipe[0]);
        edo_close(self->pipe[1]);
        edo_return(0);
    }
}
