/* Terminals: modes that are restored whatever happens, sizes, the end of a master's input. */
#include "support/pty.h"
#include "support/streams.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static bool has_echo(int fd)
{
    return modes_of(fd).c_lflag & ECHO;
}

static bool has_lines(int fd)
{
    return modes_of(fd).c_lflag & ICANON;
}

static bool is_like(int fd, struct termios before)
{
    struct termios now = modes_of(fd);
    return !memcmp(&now, &before, sizeof now);
}

/* ---- modes ---- */

test(modes_and_back)
{
    edo_terminal_mode mode = { 0 };
    int master, slave;
    open_pty(&master, &slave);
    edo_io *io = wrap(open_slave_again(master));
    struct termios before = modes_of(slave);
    assert_true(edo_is_terminal(io));
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_RAW, 0), 0);
    assert_false(has_echo(slave) || has_lines(slave) || (modes_of(slave).c_lflag & ISIG));
    assert_false(modes_of(slave).c_oflag & OPOST);
    edo_terminal_leave(&mode);
    assert_true(is_like(slave, before));
    edo_terminal_leave(&mode); // does nothing
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_KEYS, 0), 0);
    assert_false(has_echo(slave) || has_lines(slave));
    assert_true(modes_of(slave).c_lflag & ISIG);
    assert_true(modes_of(slave).c_oflag & OPOST);
    edo_terminal_leave(&mode);
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_NO_ECHO, 0), 0);
    assert_false(has_echo(slave));
    assert_true(has_lines(slave));
    edo_close(io); // before the mode is left
    edo_terminal_leave(&mode);
    assert_true(is_like(slave, before));
    close(master);
    close(slave);
}

/* Left in each order, the terminal has the modes of those that are left over. */
test(nested)
{
    edo_terminal_mode modes[3];
    int master, slave;
    open_pty(&master, &slave);
    edo_io *io = wrap(open_slave_again(master));
    struct termios before = modes_of(slave);
    static const int orders[][3] = { { 2, 1, 0 }, { 0, 1, 2 }, { 1, 0, 2 },
                                     { 1, 2, 0 }, { 0, 2, 1 }, { 2, 0, 1 } };
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        assert_int_equal(edo_terminal_enter(&modes[0], io, EDO_TERMINAL_NO_ECHO, 0), 0);
        assert_int_equal(edo_terminal_enter(&modes[1], io, EDO_TERMINAL_KEYS, 0), 0);
        struct termios two = modes_of(slave);
        assert_int_equal(edo_terminal_enter(&modes[2], io, EDO_TERMINAL_RAW, 0), 0);
        struct termios three = modes_of(slave);
        edo_terminal_leave(&modes[orders[i][0]]);
        assert_true(is_like(slave, orders[i][0] == 2 ? two : three));
        edo_terminal_leave(&modes[orders[i][1]]);
        if (orders[i][1] == 2 && orders[i][0] == 1) assert_true(has_lines(slave));
        edo_terminal_leave(&modes[orders[i][2]]);
        assert_true(is_like(slave, before));
    }
    edo_close(io);
    close(master);
    close(slave);
}

test(a_mode_is_entered_once)
{
    edo_terminal_mode mode;
    int master, slave;
    open_pty(&master, &slave);
    edo_io *io = wrap(open_slave_again(master));
    struct termios before = modes_of(slave);
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_RAW, 0), 0);
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_RAW, 0), -EBUSY);
    edo_terminal_leave(&mode);
    assert_true(is_like(slave, before));
    edo_close(io);
    close(master);
    close(slave);
}

enum { MOST_TERMINALS = 8 };

test(many_terminals)
{
    edo_terminal_mode modes[MOST_TERMINALS + 1];
    edo_io *ios[MOST_TERMINALS + 1];
    int masters[MOST_TERMINALS + 1], slave;
    for (int i = 0; i <= MOST_TERMINALS; i++) {
        open_pty(&masters[i], &slave);
        ios[i] = wrap(slave);
        int expected = i < MOST_TERMINALS ? 0 : -ENOSPC;
        assert_int_equal(edo_terminal_enter(&modes[i], ios[i], EDO_TERMINAL_RAW, 0), expected);
    }
    for (int i = 0; i <= MOST_TERMINALS; i++) {
        if (i < MOST_TERMINALS) edo_terminal_leave(&modes[i]);
        edo_close(ios[i]);
        close(masters[i]);
    }
}

test(no_terminal)
{
    edo_terminal_mode mode;
    edo_terminal_size size;
    edo_terminal_sizes *sizes;
    edo_io *ends[2];
    assert_int_equal(edo_unix_pair(&ends[0], &ends[1]), 0);
    assert_false(edo_is_terminal(NULL) || edo_is_terminal(ends[0]));
    assert_int_equal(edo_terminal_enter(&mode, ends[0], EDO_TERMINAL_RAW, 0), -ENOTTY);
    assert_int_equal(edo_terminal_enter(NULL, ends[0], EDO_TERMINAL_RAW, 0), -EINVAL);
    assert_int_equal(edo_terminal_enter(&mode, NULL, EDO_TERMINAL_RAW, 0), -EINVAL);
    assert_int_equal(edo_terminal_enter(&mode, ends[0], EDO_TERMINAL_RAW, 2), -EINVAL);
    assert_int_equal(edo_terminal_enter(&mode, ends[0], (edo_terminal_setting)3, 0), -EINVAL);
    assert_int_equal(edo_terminal_get_size(ends[0], &size), -ENOTTY);
    assert_int_equal(edo_terminal_get_size(ends[0], NULL), -EINVAL);
    assert_int_equal(edo_terminal_set_size(ends[0], (edo_terminal_size){ 0 }), -ENOTTY);
    assert_int_equal(edo_terminal_sizes_open(ends[0], &sizes), -ENOTTY);
    assert_int_equal(edo_terminal_sizes_open(NULL, &sizes), -EINVAL);
    assert_int_equal(edo_terminal_sizes_open(ends[0], NULL), -EINVAL);
    edo_close(ends[0]);
    edo_close(ends[1]);
    edo_terminal_leave(NULL);
    edo_terminal_sizes_close(NULL);
}

/* ---- the end of the process ---- */

static struct {
    int master, slave, flags, signal;
    bool has_handler;
} end;

static edo_terminal_mode kept;

static void own_handler(int number)
{
    (void)number;
    _exit(7);
}

/* Changes the modes, closes the stream, and ends without leaving the modes. */
static void end_in_raw_mode(void *arg)
{
    (void)arg;
    if (end.has_handler) signal(end.signal, own_handler);
    edo_io *io = wrap(open_slave_again(end.master));
    assert_int_equal(edo_terminal_enter(&kept, io, EDO_TERMINAL_RAW, end.flags), 0);
    edo_close(io);
    assert_false(has_echo(end.slave));
    if (end.signal == SIGABRT) abort();
    if (end.signal) raise(end.signal);
    exit(0);
}

static int status_of_end(int flags, int number)
{
    end.flags = flags;
    end.signal = number;
    open_pty(&end.master, &end.slave);
    return await_child(start_child(end_in_raw_mode, NULL));
}

static void close_pty(void)
{
    close(end.master);
    close(end.slave);
}

test(restored_at_exit)
{
    assert_int_equal(status_of_end(0, 0), 0);
    assert_true(has_echo(end.slave) && has_lines(end.slave));
    close_pty();
}

test(restored_by_signals)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGABRT, SIGSEGV };
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        int status = status_of_end(EDO_TERMINAL_ON_SIGNALS, numbers[i]);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_true(has_echo(end.slave) && has_lines(end.slave));
        close_pty();
    }
    int status = status_of_end(0, SIGTERM);
    assert_true(WIFSIGNALED(status));
    assert_false(has_echo(end.slave)); // it was not asked for
    close_pty();
}

test(the_programs_handler_runs)
{
    end.has_handler = true;
    int status = status_of_end(EDO_TERMINAL_ON_SIGNALS, SIGTERM);
    end.has_handler = false;
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_true(has_echo(end.slave));
    close_pty();
}

/* edo_run() takes the first signal: the terminal stays as it is until the program ends. */
struct draining {
    edo_frame();
    edo_args(int signals;);
    edo_io *io;
};

edo_async(draining)
{
    edo_body {
        int rc;
        self->io = wrap(open_slave_again(end.master));
        assert_int_equal(
            edo_terminal_enter(&kept, self->io, EDO_TERMINAL_RAW, EDO_TERMINAL_ON_SIGNALS), 0);
        raise(SIGTERM);
        edo_await(rc, edo_sleep(edo_s(1000)));
        assert_int_equal(rc, -ECANCELED);
        assert_false(has_echo(end.slave));
        if (self->signals > 1) raise(SIGTERM); // ends the process
        edo_close(self->io);
        edo_return(0);
    }
}

static void be_draining(void *arg)
{
    exit(edo_run(draining, .signals = *(int *)arg));
}

test(a_program_that_drains)
{
    for (int signals = 1; signals <= 2; signals++) {
        open_pty(&end.master, &end.slave);
        int status = await_child(start_child(be_draining, &signals));
        assert_int_equal(WIFSIGNALED(status), signals > 1);
        assert_true(has_echo(end.slave));
        close_pty();
    }
}

static void exit_at_once(void *arg)
{
    edo_terminal_leave(arg); // the parent's: ignored
    exit(0);
}

/* The exit of a child does not end the parent's modes. */
test(a_child_restores_nothing)
{
    edo_terminal_mode mode;
    int master, slave;
    open_pty(&master, &slave);
    edo_io *io = wrap(open_slave_again(master));
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_RAW, EDO_TERMINAL_ON_SIGNALS), 0);
    assert_int_equal(await_child(start_child(exit_at_once, &mode)), 0);
    assert_false(has_echo(slave));
    edo_terminals_restore(); // as in a handler of the program
    assert_true(has_echo(slave));
    edo_terminal_leave(&mode);
    assert_true(has_echo(slave));
    edo_close(io);
    close(master);
    close(slave);
}

/* A process in the background of its terminal is not stopped. */
static void be_in_background(void *arg)
{
    edo_terminal_mode mode;
    (void)arg;
    assert_return_code(setpgid(0, 0), errno);
    assert_int_not_equal(tcgetpgrp(end.slave), getpgrp());
    edo_io *io = wrap(open_slave_again(end.master));
    assert_int_equal(edo_terminal_enter(&mode, io, EDO_TERMINAL_RAW, 0), 0);
    edo_terminal_leave(&mode);
    edo_close(io);
    exit(0);
}

static void lead_session(void *arg)
{
    int status;
    (void)arg;
    assert_return_code(setsid(), errno);
    assert_return_code(ioctl(end.slave, TIOCSCTTY, 0), errno);
    int child = start_child(be_in_background, NULL);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status)) kill(child, SIGKILL);
    assert_false(WIFSTOPPED(status));
    assert_int_equal(status, 0);
}

test(in_the_background)
{
    open_pty(&end.master, &end.slave);
    expect_success_in_child(lead_session, NULL);
    close_pty();
}

/* ---- passwords ---- */

async_test(no_echo, edo_terminal_mode mode; edo_io *master, *slave; char line[16], shown[16];)
{
    edo_body {
        int64_t n;
        int fds[2];
        open_pty(&fds[0], &fds[1]);
        self->master = wrap(fds[0]);
        self->slave = wrap(fds[1]);
        n = edo_terminal_enter(&self->mode, self->slave, EDO_TERMINAL_NO_ECHO, 0);
        assert_int_equal(n, 0);
        edo_await(n, edo_write_all(self->master, "secret\n", 7));
        edo_await(n, edo_read_exact(self->slave, self->line, 7));
        assert_int_equal(n, 7);
        assert_memory_equal(self->line, "secret\n", 7);
        edo_await(n, edo_read_exact(self->master, self->shown, 2));
        assert_memory_equal(self->shown, "\r\n", 2);
        edo_terminal_leave(&self->mode);
        edo_close(self->slave);
        edo_await(n, edo_read(self->master, self->shown, 1));
        assert_int_equal(n, 0); // nothing else was shown
        edo_close(self->master);
        edo_return(0);
    }
}

/* ---- the end of a master's input ---- */

async_test(all_output_then_the_end,
    edo_terminal_mode mode; edo_io *master, *slave; edo_task *task; char *sent, *got; size_t size;)
{
    edo_body {
        int64_t n;
        int fds[2];
        open_pty(&fds[0], &fds[1]);
        self->master = wrap(fds[0]);
        self->slave = wrap(fds[1]);
        n = edo_terminal_enter(&self->mode, self->slave, EDO_TERMINAL_RAW, 0);
        assert_int_equal(n, 0);
        self->size = driver_is("chaos") ? 1000 : 100000;
        self->sent = malloc(self->size);
        self->got = malloc(self->size);
        fill_pattern(self->sent, self->size, 1, 0);
        n = edo_spawn(&self->task, run_op,
                      .op = edo_write_all(self->slave, self->sent, self->size));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_exact(self->master, self->got, self->size / 2));
        assert_int_equal(n, self->size / 2);
        edo_await(n,
                  edo_read_exact(self->master, self->got + self->size / 2, self->size / 2 - 100));
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, self->size);
        edo_terminal_leave(&self->mode);
        edo_close(self->slave);
        edo_await(n, edo_read_exact(self->master, self->got + self->size - 100, 100));
        assert_int_equal(n, 100);
        assert_true(is_pattern(self->got, self->size, 1, 0));
        edo_await(n, edo_read(self->master, self->got, 1));
        assert_int_equal(n, 0);
        edo_close(self->master);
        free(self->sent);
        free(self->got);
        edo_return(0);
    }
}

/* A parked read of the master learns of the end. */
async_test(the_slave_goes, edo_io *master; edo_task *task; int slave; char byte;)
{
    edo_body {
        int64_t n;
        int fd;
        open_pty(&fd, &self->slave);
        self->master = wrap(fd);
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->master, &self->byte, 1));
        assert_int_equal(n, 0);
        settle();
        assert_false(edo_task_is_done(self->task));
        close(self->slave);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 0);
        edo_close(self->master);
        edo_return(0);
    }
}

/* ---- sizes ---- */

static bool size_is(edo_terminal_size size, int rows, int columns)
{
    return size.rows == rows && size.columns == columns;
}

async_test(sizes,
    edo_io *master, *slave; edo_terminal_sizes *sizes; edo_terminal_size first, size; edo_task *task; int i;)
{
    edo_body {
        int64_t n;
        int fds[2];
        open_pty(&fds[0], &fds[1]);
        self->master = wrap(fds[0]);
        self->slave = wrap(fds[1]);
        self->first = (edo_terminal_size){ 24, 80, 800, 600 };
        assert_int_equal(edo_terminal_set_size(self->slave, self->first), 0);
        assert_int_equal(edo_terminal_get_size(self->master, &self->size), 0);
        assert_memory_equal(&self->size, &self->first, sizeof self->first);
        assert_int_equal(edo_terminal_sizes_open(self->slave, &self->sizes), 0);
        edo_close(self->slave);
        self->size = (edo_terminal_size){ 0 };
        edo_await(n, edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, 1);
        assert_memory_equal(&self->size, &self->first, sizeof self->first);
        edo_await_for(n, edo_ms(1), edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, -ETIMEDOUT);
        n = edo_spawn(&self->task, run_op, .op = edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, 0);
        settle();
        edo_await(n, edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, -EBUSY);
        kill(getpid(), SIGWINCH); // without a change
        settle();
        assert_false(edo_task_is_done(self->task));
        for (int i = 1; i <= 3; i++) {
            edo_terminal_set_size(self->master,
                                  (edo_terminal_size){ .rows = (uint16_t)(24 + i), .columns = 90 });
            kill(getpid(), SIGWINCH);
        }
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, 1);
        while (!size_is(self->size, 27, 90)) {
            edo_await(n, edo_terminal_next_size(self->sizes, &self->size));
            assert_int_equal(n, 1);
        }
        n = edo_spawn(&self->task, run_op, .op = edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, 0);
        settle();
        edo_terminal_sizes_close(self->sizes);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        edo_close(self->master);
        edo_return(0);
    }
}

async_test(the_terminal_hangs_up, edo_terminal_sizes *sizes; edo_terminal_size size; int master;)
{
    edo_body {
        int64_t n;
        int slave;
        open_pty(&self->master, &slave);
        edo_io *io = wrap(slave);
        assert_int_equal(edo_terminal_sizes_open(io, &self->sizes), 0);
        edo_close(io);
        close(self->master);
        edo_await(n, edo_terminal_next_size(self->sizes, &self->size));
        assert_int_equal(n, -EIO);
        edo_terminal_sizes_close(self->sizes);
        edo_return(0);
    }
}
