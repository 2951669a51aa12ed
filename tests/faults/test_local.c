/* Unix sockets, pipes, terminals and standard streams, with each request failing. */
#include "faults/sweep.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "support/messages.h"

/* ---- a listener with a path, a client, a message with a descriptor ---- */

static char directory[TEMP_PATH_SIZE];

struct pass {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *client, *server;
    letter out, in;
    char path[TEMP_PATH_SIZE + 8], byte;
    int64_t result;
};

/* A descriptor that was dropped for lack of descriptors is a shortage of this process. */
static int64_t take(letter *l)
{
    int fd;
    if (edo_control_take_fds(&l->control, &fd, 1) == 1) {
        close(fd);
        return 0;
    }
    return l->message.flags & EDO_MESSAGE_CONTROL_TRUNCATED ? -EMFILE : -EPROTO;
}

edo_async(pass)
{
    edo_body {
        int64_t rc;
        int fd;
        snprintf(self->path, sizeof self->path, "%s/s", directory);
        edo_await(rc, edo_unix_listen_with(self->path,
                                           (edo_unix_listen_options){ .mode = 0600,
                                                                      .unlink_at_close = true,
                                                                      .replace_stale = true },
                                           &self->listener));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_unix_connect(self->path, &self->client));
        if (rc < 0) goto close_listener;
        edo_await_for(rc, faults_persist() ? edo_minutes(10) : EDO_NEVER,
                      edo_accept(self->listener, &self->server));
        if (rc == -ETIMEDOUT) rc = -EMFILE; // the shortage does not end
        if (rc < 0) goto close_client;
        fd = STDERR_FILENO;
        prepare_with_fds(&self->out, "x", 1, &fd, 1);
        edo_await(rc, edo_unix_send_message(self->client, &self->out.message));
        if (rc > 0) {
            prepare(&self->in, &self->byte, 1, sizeof self->in.room);
            edo_await(rc, edo_unix_recv_message(self->server, &self->in.message));
            if (rc > 0) rc = take(&self->in);
        }
        edo_close(self->server);
close_client:
        edo_close(self->client);
close_listener:
        edo_listener_close(self->listener);
        if (rc == 0 && access(self->path, F_OK) == 0) rc = -EEXIST;
        edo_return(rc);
    }
}

static int64_t passing(void)
{
    make_temp_dir(directory);
    int64_t rc = on_runtime(pass);
    remove_tree(directory);
    return rc;
}
fault_test(passing)

/* ---- pairs, datagrams, pipes ---- */

static int64_t close_all(edo_io **ios, int64_t rc)
{
    for (int i = 0; ios[i]; i++)
        edo_close(ios[i]);
    return rc;
}

static int64_t making(void)
{
    edo_io *ios[8] = { NULL };
    int64_t rc = edo_unix_pair(&ios[0], &ios[1]);
    if (rc < 0) return close_all(ios, rc);
    rc = edo_unix_pair_of(EDO_UNIX_SEQPACKET, &ios[2], &ios[3]);
    if (rc < 0) return close_all(ios, rc);
    rc = edo_pipe(&ios[4], &ios[5]);
    if (rc < 0) return close_all(ios, rc);
    rc = edo_unix_datagram("unix:", 0, &ios[6]);
    return close_all(ios, rc);
}
fault_test(making)

/* ---- FIFOs ---- */

struct fifos {
    edo_frame();
    edo_args();
    edo_io *reader, *writer;
    char path[TEMP_PATH_SIZE + 8], byte;
};

edo_async(fifos)
{
    edo_body {
        int64_t rc;
        snprintf(self->path, sizeof self->path, "%s/f", directory);
        rc = edo_fifo_make(self->path, 0600);
        if (rc < 0) edo_return(rc);
        rc = edo_fifo_open_reader(self->path, 0, &self->reader);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_fifo_open_writer(self->path, &self->writer));
        if (rc == 0) {
            edo_await(rc, edo_write_all(self->writer, "x", 1));
            edo_close(self->writer);
            if (rc == 1) edo_await(rc, edo_read(self->reader, &self->byte, 1));
        }
        edo_close(self->reader);
        edo_return(rc < 0 ? rc : 0);
    }
}

static int64_t fifo(void)
{
    make_temp_dir(directory);
    int64_t rc = on_runtime(fifos);
    remove_tree(directory);
    return rc;
}
fault_test(fifo)

/* ---- standard streams: a file on a pool, and a pipe ---- */

struct copies {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    char buffer[64];
};

edo_async(copies)
{
    edo_body {
        int64_t rc;
        rc = edo_stdin(&self->in);
        if (rc < 0) edo_return(rc);
        rc = edo_stdout(&self->out);
        if (rc < 0) {
            edo_close(self->in);
            edo_return(rc);
        }
        edo_await(rc, edo_read(self->in, self->buffer, sizeof self->buffer));
        if (rc > 0) edo_await(rc, edo_write_all(self->out, self->buffer, (size_t)rc));
        edo_close(self->in);
        edo_close(self->out);
        edo_return(rc < 0 ? rc : 0);
    }
}

/* Every run has the standard descriptors of its own child. */
static int64_t stdio(void)
{
    char path[TEMP_PATH_SIZE + 8];
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), kept[2];
    assert_int_equal(write(file, "line\n", 5), 5);
    for (int i = 0; i < 2; i++) {
        kept[i] = dup(i);
        lseek(file, 0, SEEK_SET);
        dup2(file, i);
    }
    int64_t rc = on_runtime(copies);
    for (int i = 0; i < 2; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    close(file);
    remove_tree(directory);
    return rc;
}
fault_test(stdio)

/* ---- terminals ---- */

struct terminals {
    edo_frame();
    edo_args(edo_io *io;);
    edo_terminal_mode mode;
    edo_terminal_sizes *sizes;
    edo_terminal_size size;
};

edo_async(terminals)
{
    edo_body {
        int64_t rc;
        rc = edo_terminal_enter(&self->mode, self->io, EDO_TERMINAL_RAW, EDO_TERMINAL_ON_SIGNALS);
        if (rc < 0) edo_return(rc);
        rc = edo_terminal_sizes_open(self->io, &self->sizes);
        if (rc == 0) {
            edo_await(rc, edo_terminal_next_size(self->sizes, &self->size));
            if (rc == 1)
                edo_await_for(rc, edo_ms(1), edo_terminal_next_size(self->sizes, &self->size));
            if (rc == -ETIMEDOUT) rc = 0;
            edo_terminal_sizes_close(self->sizes);
        }
        edo_terminal_leave(&self->mode);
        edo_return(rc);
    }
}

static int64_t terminal(void)
{
    edo_io *io;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    int64_t rc = edo_io_from_fd(slave, &io);
    if (rc < 0) {
        close(slave);
    } else {
        rc = on_runtime(terminals, .io = io);
        edo_close(io);
    }
    close(master);
    return rc;
}
fault_test(terminal)
