/* An echo server on local sockets and FIFOs, and a client.
 *
 *     local stream ADDRESS       Unix streams; ADDRESS: a path or "@name"
 *     local seqpacket ADDRESS    records
 *     local datagram ADDRESS     datagrams, back to their senders
 *     local fifo PATH            from the FIFO PATH.in to PATH.out, until the writers close
 *     local stdio                from standard input to standard output
 *     local connect ADDRESS      standard input and output, connected to a Unix stream
 *
 * Ctrl-C ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/edo.h>

enum { BUFFER_SIZE = 64 * 1024 };

/* ---- bytes ---- */

struct echo {
    edo_frame();
    edo_args(edo_io *from; edo_io *to;); // the same stream, or two
    char buffer[BUFFER_SIZE];
};

edo_async(echo)
{
    edo_body {
        int64_t n;
        for (;;) {
            edo_await(n, edo_read(self->from, self->buffer, sizeof self->buffer));
            if (n <= 0) break;
            edo_await(n, edo_write_all(self->to, self->buffer, (size_t)n));
            if (n < 0) break;
        }
        if (self->to != self->from) edo_close(self->to);
        edo_close(self->from);
        edo_return(n);
    }
}

/* ---- messages ---- */

struct echo_messages {
    edo_frame();
    edo_args(edo_io *io;);
    edo_message message;
    edo_slice slice;
    char buffer[BUFFER_SIZE];
};

edo_async(echo_messages)
{
    edo_body {
        int64_t n;
        for (;;) {
            self->slice = (edo_slice){ self->buffer, sizeof self->buffer };
            self->message = (edo_message){ .slices = &self->slice, .slice_count = 1 };
            edo_await(n, edo_unix_recv_message(self->io, &self->message));
            if (n <= 0) break;
            if (self->message.flags & EDO_MESSAGE_TRUNCATED) continue; // too long for us
            self->slice.size = self->message.size;
            edo_await(n, edo_unix_send_message(self->io, &self->message)); // to its sender
            if (n == -ECANCELED || n == -EPIPE) break;
        }
        edo_close(self->io);
        edo_return(n);
    }
}

/* ---- the servers ---- */

struct serve {
    edo_frame();
    edo_args(const char *address; edo_unix_type type;);
    edo_listener *listener;
    edo_io *conn;
};

edo_async(serve)
{
    edo_body {
        int rc;
        edo_unix_listen_options options = {
            .type = self->type,
            .mode = 0600, // for this user alone
            .replace_stale = true,
            .unlink_at_close = true,
        };
        edo_try(edo_unix_listen_with(self->address, options, &self->listener));
        for (;;) {
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc < 0) break;
            rc = self->type == EDO_UNIX_STREAM ? edo_go(echo, .from = self->conn, .to = self->conn)
                                               : edo_go(echo_messages, .io = self->conn);
            if (rc < 0) edo_close(self->conn);
        }
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

struct serve_datagrams {
    edo_frame(struct echo_messages callee;);
    edo_args(const char *address;);
};

edo_async(serve_datagrams)
{
    edo_body {
        int64_t rc;
        edo_io *io;
        edo_check(edo_unix_datagram(self->address, 0600, &io));
        edo_call(rc, echo_messages, .io = io);
        remove(self->address);
        edo_return(rc);
    }
}

struct serve_fifo {
    edo_frame(struct echo callee;);
    edo_args(const char *path;);
    edo_io *in, *out;
    char name[2][256];
};

edo_async(serve_fifo)
{
    edo_body {
        int64_t rc;
        snprintf(self->name[0], sizeof self->name[0], "%s.in", self->path);
        snprintf(self->name[1], sizeof self->name[1], "%s.out", self->path);
        for (int i = 0; i < 2; i++) {
            int made = edo_fifo_make(self->name[i], 0600);
            edo_check(made == -EEXIST ? 0 : made);
        }
        edo_check(edo_fifo_open_reader(self->name[0], 0, &self->in));
        edo_await(rc, edo_fifo_open_writer(self->name[1], &self->out)); // waits for a reader
        if (rc < 0) {
            edo_close(self->in);
            edo_return(rc);
        }
        edo_call(rc, echo, .from = self->in, .to = self->out);
        edo_return(rc);
    }
}

/* ---- standard input and output ---- */

struct echo_stdio {
    edo_frame(struct echo callee;);
    edo_args();
    edo_io *in, *out;
};

edo_async(echo_stdio)
{
    edo_body {
        int64_t rc;
        edo_check(edo_stdin(&self->in));
        rc = edo_stdout(&self->out);
        if (rc < 0) {
            edo_close(self->in);
            edo_return(rc);
        }
        edo_call(rc, echo, .from = self->in, .to = self->out);
        edo_return(rc);
    }
}

struct connect_stdio {
    edo_frame();
    edo_args(const char *address;);
    edo_io *in, *out, *here, *there;
    edo_relay relay;
    char buffer[2 * BUFFER_SIZE];
};

edo_async(connect_stdio)
{
    edo_body {
        int64_t rc;
        edo_check(edo_stdin(&self->in));
        edo_check(edo_stdout(&self->out));
        edo_check(edo_io_join(self->in, self->out, &self->here));
        edo_await(rc, edo_unix_connect(self->address, &self->there));
        if (rc == 0) {
            edo_relay_init(&self->relay, self->here, self->there, self->buffer,
                           sizeof self->buffer);
            edo_await(rc, edo_copy_both(&self->relay));
            edo_relay_deinit(&self->relay);
            edo_close(self->there);
        }
        edo_close(self->here);
        edo_return(rc);
    }
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "", *address = argc > 2 ? argv[2] : NULL;
    if (!strcmp(kind, "stdio")) return edo_run(echo_stdio);
    if (!address) {
        fprintf(stderr, "usage: local KIND [ADDRESS]\n");
        return EXIT_FAILURE;
    }
    if (!strcmp(kind, "datagram")) return edo_run(serve_datagrams, .address = address);
    if (!strcmp(kind, "fifo")) return edo_run(serve_fifo, .path = address);
    if (!strcmp(kind, "connect")) return edo_run(connect_stdio, .address = address);
    edo_unix_type type = strcmp(kind, "seqpacket") ? EDO_UNIX_STREAM : EDO_UNIX_SEQPACKET;
    return edo_run(serve, .address = address, .type = type);
}
