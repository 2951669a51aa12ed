/* Operations of local sockets and FIFOs, cancelled at every point of their waits: no effect, and no
 * descriptor is left. */
#include "support/messages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>

enum { POINTS = 12, BACKLOG = 1 };

static char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8], fifo[TEMP_PATH_SIZE + 8];

static int enter_directory(void **state)
{
    (void)state;
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/s", directory);
    snprintf(fifo, sizeof fifo, "%s/f", directory);
    return edo_fifo_make(fifo, 0600);
}

static int leave_directory(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

/* Objects for which the operations wait, and the outputs of the operations. */
struct waits {
    edo_frame();
    edo_args();
    edo_listener *listener, *new_listener;
    edo_io *queue[BACKLOG + 1], *conn, *ends[2], *server, *client;
    letter in, out, addressed;
    edo_address to;
    edo_task *task;
    edo_op op;
    char byte;
    int lock, point, kind;
    size_t before;
};

typedef struct waits fixture_data;

static edo_op connect_full(fixture_data *f)
{
    return edo_unix_connect(path, &f->conn);
}

static edo_op listen_locked(fixture_data *f)
{
    static char other[sizeof directory + 8];
    snprintf(other, sizeof other, "%s/t", directory);
    return edo_unix_listen_with(other, (edo_unix_listen_options){ .replace_stale = true },
                                &f->new_listener);
}

static edo_op open_writer(fixture_data *f)
{
    return edo_fifo_open_writer(fifo, &f->conn);
}

static edo_op receive(fixture_data *f)
{
    return edo_unix_recv_message(f->ends[0], prepare(&f->in, &f->byte, 1, sizeof f->in.room));
}

static edo_op send_full(fixture_data *f)
{
    int fd = STDERR_FILENO;
    return edo_unix_send_message(f->ends[0], prepare_with_fds(&f->out, "x", 1, &fd, 1));
}

static edo_op send_to_full(fixture_data *f)
{
    prepare(&f->addressed, "x", 1, 0)->address = f->to;
    return edo_unix_send_message(f->client, &f->addressed.message);
}

static edo_op (*const operations[])(fixture_data *) = {
    connect_full, listen_locked, open_writer, receive, send_full, send_to_full,
};

/* Sends datagrams from a socket of its own until they would wait. Returns: their number. */
static int send_datagrams(const edo_address *to)
{
    size_t size;
    const void *name = edo_address_system(to, &size);
    int count = 0, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    while (sendto(fd, "x", 1, 0, name, (socklen_t)size) == 1)
        count++;
    assert_int_equal(errno, EAGAIN);
    close(fd);
    return count;
}

/* Fills everything by plain calls. The buffer of one sender may hold less than the queue of the
 * receiver (net.unix.max_dgram_qlen). */
static void fill(fixture_data *f)
{
    while (send_datagrams(&f->to) > 0)
        continue;
    fd_fill(edo_io_fd(f->ends[0]));
    f->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_return_code(flock(f->lock, LOCK_EX), errno);
}

fixture(enter_directory, leave_directory)
framed_test(waits)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_unix_listen_with(path, (edo_unix_listen_options){ .backlog = BACKLOG },
                                          &self->listener));
        assert_int_equal(n, 0);
        for (self->point = 0; self->point <= BACKLOG; self->point++) {
            edo_await(n, edo_unix_connect(path, &self->queue[self->point]));
            assert_int_equal(n, 0);
        }
        assert_int_equal(edo_unix_pair(&self->ends[0], &self->ends[1]), 0);
        assert_int_equal(edo_unix_datagram("unix:", 0, &self->server), 0);
        assert_int_equal(edo_unix_datagram(NULL, 0, &self->client), 0);
        char text[EDO_ADDRESS_TEXT_SIZE];
        assert_true(edo_unix_local_address(self->server, text, sizeof text) > 0);
        assert_int_equal(edo_address_parse(text, &self->to), 0);
        fill(self);
        self->conn = NULL;
        self->new_listener = NULL;
        edo_await_for(n, edo_ms(1), edo_read(self->ends[0], &self->byte, 1)); // registers
        self->before = open_descriptors();
        for (self->kind = 0; self->kind < (int)ARRAY_LENGTH(operations); self->kind++) {
            for (self->point = 0; self->point < POINTS; self->point++) {
                self->op = operations[self->kind](self);
                n = edo_spawn(&self->task, run_op, .op = self->op);
                assert_int_equal(n, 0);
                if (self->point) edo_await(n, edo_sleep(edo_ms(1) << self->point >> 1));
                edo_task_cancel(self->task);
                edo_await(n, edo_join(self->task));
                assert_int_equal(n, -ECANCELED);
            }
            assert_int_equal(open_descriptors(), self->before);
        }
        assert_null(self->conn);
        assert_null(self->new_listener);
        assert_int_not_equal(self->out.control.size, 0); // nothing was sent
        close(self->lock);
        for (int i = 0; i <= BACKLOG; i++)
            edo_close(self->queue[i]);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_close(self->server);
        edo_close(self->client);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}
