#include "load_internal.h"
#include "load_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FAILURES_SHOWN = 5, // a dead server fails every connection alike
    EVENTS = 256,           // per turn
};

static const char *const failure_names[LOAD_FAILURES] = {
    [LOAD_CONNECT_FAILED] = "cannot connect",
    [LOAD_LOST] = "lost",
    [LOAD_MISMATCH] = "MISMATCH",
    [LOAD_STALLED] = "stalled",
};

uint64_t load_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * LOAD_NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

uint64_t load_nanoseconds(double seconds)
{
    return (uint64_t)(seconds * LOAD_NS_PER_SECOND);
}

unsigned load_index(const struct load_client *client, const struct load_conn *conn)
{
    return (unsigned)(conn - client->conns);
}

int load_client_init(struct load_client *client, const struct load_options *options, unsigned count)
{
    uint64_t now = load_now();
    *client = (struct load_client){
        .options = options,
        .count = count,
        .phase = "connecting",
        .begun = now,
        .last_heard = now,
        .next_report = now + LOAD_NS_PER_SECOND,
    };
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client->epoll < 0) return -errno;
    client->conns = calloc(count, sizeof *client->conns);
    client->started = calloc((size_t)count * options->pipeline, sizeof *client->started);
    if (client->conns == NULL || client->started == NULL) {
        load_client_deinit(client);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        client->conns[i].fd = -1;
        client->conns[i].key = load_stream_key(options->seed, i);
        client->conns[i].started = client->started + (size_t)i * options->pipeline;
    }
    return 0;
}

void load_drop(struct load_client *client, struct load_conn *conn)
{
    if (conn->state == LOAD_CONNECTING || conn->state == LOAD_GREETING)
        client->connecting--;
    else if (conn->state == LOAD_OPEN || conn->state == LOAD_FINISHING)
        client->open--;
    client->outstanding -= conn->allowed - conn->received;
    conn->allowed = conn->received;
    conn->state = LOAD_CLOSED;
    if (conn->fd >= 0) close(conn->fd);
    conn->fd = -1;
}

void load_client_deinit(struct load_client *client)
{
    for (unsigned i = 0; client->conns != NULL && i < client->count; i++)
        load_drop(client, &client->conns[i]);
    free(client->conns);
    free(client->started);
    close(client->epoll);
}

void load_fail(struct load_client *client, struct load_conn *conn, enum load_failure failure,
               const char *format, ...)
{
    client->failures[failure]++;
    if (client->failures_shown < MAX_FAILURES_SHOWN) {
        va_list arguments;
        va_start(arguments, format);
        fprintf(stderr, "edo-load: %s: connection %u: ", failure_names[failure],
                load_index(client, conn));
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
        if (++client->failures_shown == MAX_FAILURES_SHOWN)
            fputs("edo-load: further failures are only counted\n", stderr);
    }
    if (failure == LOAD_MISMATCH) client->stopped = true;
    load_drop(client, conn);
}

void load_fail_lost(struct load_client *client, struct load_conn *conn, int error)
{
    load_fail(client, conn, LOAD_LOST, "%s after %" PRIu64 " bytes sent and %" PRIu64 " received",
              strerror(error), conn->sent, conn->received);
}

void load_watch(struct load_client *client, struct load_conn *conn, uint32_t events)
{
    if (conn->events == events) return;
    struct epoll_event event = { .events = events, .data.ptr = conn };
    int operation = conn->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    conn->events = events;
    if (epoll_ctl(client->epoll, operation, conn->fd, &event) < 0)
        load_fail_lost(client, conn, errno);
}

static void take_input(struct load_client *client)
{
    char ignored[BUFSIZ];
    if (read(STDIN_FILENO, ignored, sizeof ignored) > 0) return;
    client->input_ended = true;
    epoll_ctl(client->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
}

void load_client_watch_input(struct load_client *client)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) < 0)
        client->input_ended = true; // closed, or a file such as /dev/null: nothing to wait for
}

static void serve(struct load_client *client, const struct epoll_event *event)
{
    struct load_conn *conn = event->data.ptr;
    if (conn == NULL) {
        take_input(client);
        return;
    }
    if (conn->state == LOAD_CONNECTING) {
        load_end_connect(client, conn);
        return;
    }
    if (conn->state != LOAD_CLOSED && (event->events & EPOLLOUT)) load_send_allowed(client, conn);
    if (conn->state != LOAD_CLOSED && (event->events & ~(uint32_t)EPOLLOUT))
        load_receive(client, conn);
}

static void report_progress(struct load_client *client, uint64_t now)
{
    uint64_t since = client->next_report - LOAD_NS_PER_SECOND;
    double rate = (double)(client->requests - client->reported_requests) /
                  ((double)(now - since) / LOAD_NS_PER_SECOND);
    if (client->options->progress)
        fprintf(stderr, "edo-load: %3.0f s  %-10s %6u connections %9.0f requests/s\n",
                (double)(now - client->begun) / LOAD_NS_PER_SECOND, client->phase, client->open,
                rate);
    client->reported_requests = client->requests;
    client->next_report = now + LOAD_NS_PER_SECOND;
}

/* Whether the server owes a connect, bytes or its end of stream. */
static bool awaits_server(const struct load_client *client)
{
    return client->connecting > 0 || client->outstanding > 0 ||
           (client->finishing && client->open > 0);
}

/* What the server owes on this connection; NULL if nothing. */
static const char *owed(const struct load_conn *conn)
{
    if (conn->state == LOAD_CONNECTING) return "no answer to connect";
    if (conn->state == LOAD_FINISHING) return "no end of stream after ours";
    return conn->received < conn->allowed ? "not all was echoed" : NULL;
}

static void give_up(struct load_client *client)
{
    for (unsigned i = 0; i < client->count; i++) {
        struct load_conn *conn = &client->conns[i];
        const char *what = owed(conn);
        if (what != NULL)
            load_fail(client, conn, LOAD_STALLED,
                      "%s: %" PRIu64 " bytes sent, %" PRIu64 " received", what, conn->sent,
                      conn->received);
    }
}

static int milliseconds_until(uint64_t until)
{
    uint64_t now = load_now();
    if (until <= now) return 0;
    uint64_t left = (until - now + LOAD_NS_PER_MS - 1) / LOAD_NS_PER_MS;
    return left < INT32_MAX ? (int)left : INT32_MAX;
}

void load_client_turn(struct load_client *client, uint64_t until)
{
    struct epoll_event events[EVENTS];
    uint64_t patience = load_nanoseconds(client->options->timeout);
    uint64_t wake = until < client->next_report ? until : client->next_report;

    int count = epoll_wait(client->epoll, events, EVENTS, milliseconds_until(wake));
    for (int i = 0; i < count; i++)
        serve(client, &events[i]);

    uint64_t now = load_now();
    if (!awaits_server(client))
        client->last_heard = now;
    else if (now - client->last_heard > patience)
        give_up(client);
    if (now >= client->next_report) report_progress(client, now);
}

bool load_client_alive(const struct load_client *client)
{
    return client->open > 0 && !client->stopped;
}

void load_client_reset(struct load_client *client, struct load_conn *conn)
{
    const struct linger abort_at_close = { .l_onoff = 1, .l_linger = 0 };
    if (setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close) < 0)
        load_fail_lost(client, conn, errno);
    else
        load_drop(client, conn);
}

void load_client_finish(struct load_client *client)
{
    client->renew = false;
    client->finishing = true;
    for (unsigned i = 0; i < client->count; i++)
        load_finish_if_idle(client, &client->conns[i]);
    while (load_client_alive(client))
        load_client_turn(client, LOAD_FOREVER);
}

uint64_t load_client_failures(const struct load_client *client)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LOAD_FAILURES; i++)
        sum += client->failures[i];
    return sum;
}
