/* Second closes, in every build: the line names the call, and the memory of the first close is not
 * another stream's. With a sanitizer, the sanitizer reports the second close. */
#include "support/streams.h"

#include <edo/mock.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/inspect/maker.h"

static edo_io *a_stream, *another;
static edo_file *a_file;
static edo_dir *a_dir;
static edo_walk *a_walk;
static edo_watcher *a_watcher;
static edo_listener *a_listener;
static edo_udp *a_socket;
static edo_process *a_process;
static edo_signal *a_signal;
static edo_terminal_sizes *the_sizes;
static edo_mock *a_mock;
static int a_peer;

static edo_op done(int rc)
{
    if (rc < 0) abort();
    return edo_yield();
}

/* ---- opening; each returns an operation, which may do the opening ---- */

static edo_op open_socket(void)
{
    a_stream = open_stream(UNIX_STREAM, &a_peer);
    return edo_yield();
}

static edo_op open_file(void)
{
    return edo_file_open("/etc/passwd", EDO_OPEN_READ, &a_file);
}

static edo_op open_dir(void)
{
    return edo_dir_open("/", &a_dir);
}

static edo_op open_walk(void)
{
    return edo_walk_open("/proc/self/fdinfo", 0, 0, &a_walk);
}

static edo_op open_watcher(void)
{
    return done(edo_watcher_create(&a_watcher));
}

static edo_op open_listener(void)
{
    return edo_tcp_listen("127.0.0.1:0", &a_listener);
}

static edo_op open_udp(void)
{
    return done(edo_udp_bind_text("127.0.0.1:0", NULL, &a_socket));
}

static edo_op open_process(void)
{
    static const char *const args[] = { "true", NULL };
    static edo_command command = { .argv = args };
    return edo_command_start(&command, &a_process);
}

static edo_op open_signal(void)
{
    return done(edo_signal_open(SIGHUP, &a_signal));
}

static edo_op open_sizes(void)
{
    static edo_pty pty;
    if (edo_pty_open(&pty, 0, 0) < 0) abort();
    return done(edo_terminal_sizes_open(pty.io, &the_sizes));
}

static edo_op open_duplex(void)
{
    return done(edo_duplex(1024, &a_stream, &another));
}

static edo_op open_null(void)
{
    return done(edo_io_null(&a_stream));
}

static edo_op open_limit(void)
{
    edo_io *io = open_stream(UNIX_STREAM, &a_peer);
    return done(edo_io_limit(io, 1, 1, &a_stream));
}

static edo_op open_half(void)
{
    edo_io *io = open_stream(UNIX_STREAM, &a_peer);
    return done(edo_io_split(io, &a_stream, &another));
}

static edo_op open_mock(void)
{
    return done(edo_mock_create("mock", &a_mock, &a_stream));
}

/* ---- closing, and uses after the close ---- */

static void close_stream(void)
{
    edo_close(a_stream);
}

static void close_both_streams(void)
{
    edo_close(a_stream);
    edo_close(another);
}

static void unsplit(void)
{
    if (edo_io_unsplit(a_stream, another, &a_stream) == 0) return;
    edo_close(another);
}

static void close_file(void)
{
    edo_file_close(a_file);
}

static void ask_file_for_fd(void)
{
    (void)edo_file_fd(a_file);
}

static void close_dir(void)
{
    edo_dir_close(a_dir);
}

static void ask_dir_for_file(void)
{
    (void)edo_dir_file(a_dir);
}

static void close_file_of_dir(void)
{
    edo_file_close(edo_dir_file(a_dir));
}

static void close_walk(void)
{
    edo_walk_close(a_walk);
}

static void skip_walk(void)
{
    (void)edo_walk_skip(a_walk);
}

static void close_watcher(void)
{
    edo_watcher_close(a_watcher);
}

static void close_listener(void)
{
    edo_listener_close(a_listener);
}

static void close_udp(void)
{
    edo_udp_close(a_socket);
}

static void give_up_udp(void)
{
    close(edo_udp_into_fd(a_socket));
}

static void close_process(void)
{
    edo_process_close(a_process);
}

static void take_from_process(void)
{
    (void)edo_process_take(a_process, 0);
}

static void close_signal(void)
{
    edo_signal_close(a_signal);
}

static void close_sizes(void)
{
    edo_terminal_sizes_close(the_sizes);
}

static void destroy_mock(void)
{
    edo_close(a_stream);
    edo_mock_destroy(a_mock);
}

static void destroy_mock_again(void)
{
    edo_mock_destroy(a_mock);
}

/* ---- the runs ---- */

struct mistake {
    const char *pattern;
    edo_op (*open)(void);
    void (*close)(void);
    void (*use)(void); // after the close
};

struct misused {
    edo_frame();
    edo_args(const struct mistake *mistake;);
    int64_t n;
};

/* Closes some streams, which would reuse the memory of a closed stream. */
static void close_others(void)
{
    edo_io *others[4];
    int peers[4];
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
        others[i] = open_stream(UNIX_STREAM, &peers[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        edo_close(others[i]);
        close(peers[i]);
    }
}

edo_async(misused)
{
    edo_body {
        edo_await(self->n, self->mistake->open());
        if (self->n < 0) edo_return(self->n);
        self->mistake->close();
        close_others();
        self->mistake->use();
        edo_return(0);
    }
}

static void run_misused(void *arg)
{
    edo_runtime *runtime;
    if (create_runtime(&(edo_config){ .test_clock = true }, &runtime) < 0) return;
    edo_block_on(runtime, misused, .mistake = arg);
}

test(closed_twice)
{
    if (!EDO__KEEPS_CLOSED) skip(); // the memory is freed: a sanitizer reports the use
    static const struct mistake mistakes[] = {
        { "edo_close: the stream was closed before.*task 'misused'", open_socket, close_stream,
          close_stream },
        { "edo_file_close: the stream was closed before", open_file, close_file, close_file },
        { "edo_file_fd: the file was closed before", open_file, close_file, ask_file_for_fd },
        { "edo_dir_close: the handle was closed before", open_dir, close_dir, close_dir },
        { "edo_dir_file: the handle was closed before", open_dir, close_dir, ask_dir_for_file },
        { "edo_dir_close: the stream was closed before", open_dir, close_file_of_dir, close_dir },
        { "edo_walk_close: the handle was closed before", open_walk, close_walk, close_walk },
        { "edo_walk_skip: the handle was closed before", open_walk, close_walk, skip_walk },
        { "edo_watcher_close: the handle was closed before", open_watcher, close_watcher,
          close_watcher },
        { "edo_listener_close: the listener was closed before", open_listener, close_listener,
          close_listener },
        { "edo_udp_close: the socket was closed before", open_udp, close_udp, close_udp },
        { "edo_udp_close: the socket was closed before", open_udp, give_up_udp, close_udp },
        { "edo_process_close: the handle was closed before", open_process, close_process,
          close_process },
        { "edo_process_take: the handle was closed before", open_process, close_process,
          take_from_process },
        { "edo_signal_close: the handle was closed before", open_signal, close_signal,
          close_signal },
        { "edo_terminal_sizes_close: the stream was closed before", open_sizes, close_sizes,
          close_sizes },
        { "edo_close: the stream was closed before", open_duplex, close_both_streams,
          close_both_streams },
        { "edo_close: the stream was closed before", open_duplex, close_stream, close_stream },
        { "edo_close: the stream was closed before", open_null, close_stream, close_stream },
        { "edo_close: the stream was closed before", open_limit, close_stream, close_stream },
        { "edo_close: the stream was closed before", open_half, close_both_streams,
          close_both_streams },
        { "edo_close: the stream was closed before", open_half, unsplit, close_both_streams },
        { "edo_mock_destroy: the mock was destroyed before", open_mock, destroy_mock,
          destroy_mock_again },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(mistakes); i++) {
        struct mistake mistake = mistakes[i];
        expect_abort(run_misused, &mistake, mistake.pattern);
    }
}

/* ---- closed while an operation still holds the object: the second close names its call ---- */

struct held {
    edo_frame();
    edo_args(const struct mistake *mistake; edo_op (*wait)(void););
    edo_task *waiter;
    int64_t n;
};

edo_async(held)
{
    edo_body {
        edo_await(self->n, self->mistake->open());
        self->n = edo_spawn_on(&self->waiter, 0, run_op, .op = self->wait());
        settle();
        self->mistake->close();
        self->mistake->use();
        edo_return(self->n);
    }
}

struct holding {
    struct mistake mistake;
    edo_op (*wait)(void);
};

static void run_held(void *arg)
{
    const struct holding *holding = arg;
    edo_runtime *runtime;
    edo_task *task;
    if (create_runtime(&(edo_config){ .test_clock = true }, &runtime) < 0) return;
    edo_spawn_options options = { .runtime = runtime, .pinned = 1 };
    if (edo_spawn_with(&task, &options, held, .mistake = &holding->mistake, .wait = holding->wait) <
        0)
        return;
    edo_block_on(runtime, run_op, .op = edo_join(task));
}

static edo_op open_sleeper(void)
{
    static const char *const args[] = { "sleep", "1000", NULL };
    static edo_command command = { .argv = args, .on_close = EDO_PROCESS_KILL };
    return edo_command_start(&command, &a_process);
}

static edo_op next_signal(void)
{
    static edo_signal_event event;
    return edo_signal_next(a_signal, &event);
}

static edo_op wait_for_process(void)
{
    return edo_process_wait(a_process, NULL);
}

static edo_op receive(void)
{
    static char byte;
    return edo_udp_recv(a_socket, &byte, 1);
}

static edo_op accept_one(void)
{
    return edo_accept(a_listener, &a_stream);
}

test(closed_twice_while_held)
{
    static const struct holding all[] = {
        { { "edo_signal_close: the handle", open_signal, close_signal, close_signal },
          next_signal },
        { { "edo_process_close: the handle", open_sleeper, close_process, close_process },
          wait_for_process },
        { { "edo_udp_close: the socket", open_udp, close_udp, close_udp }, receive },
        { { "edo_listener_close: the listener", open_listener, close_listener, close_listener },
          accept_one },
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        struct holding one = all[i];
        expect_abort(run_held, &one, one.mistake.pattern);
    }
}
