/*
 * edo-load: a load generator for echo servers, and their judge. It knows nothing of edo: plain
 * sockets and epoll, one thread, so that what it finds is found from outside.
 */
#include "load_client.h"
#include "load_options.h"
#include "load_report.h"
#include "load_server.h"
#include "load_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* The three standard streams, the epoll descriptor, a file of /proc, and what the caller left
     * open. */
    OTHER_DESCRIPTORS = 24,
    RETRY_MS = 20,   // between two attempts to reach a server that is starting
    SETTLE_MS = 500, // until the memory of a server with idle connections is read
    EXIT_USAGE = 2,
};

/* The resets are spread over this part of their time; the rest is left to the survivors. */
#define RESET_PART 0.5

static unsigned usable_connections(const struct load_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return options->connections;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); // what counts is the limit afterwards
    getrlimit(RLIMIT_NOFILE, &limit);

    rlim_t usable = limit.rlim_cur > OTHER_DESCRIPTORS ? limit.rlim_cur - OTHER_DESCRIPTORS : 1;
    if (options->connections <= usable) return options->connections;
    fprintf(stderr, "edo-load: the limit is %ju descriptors: using %ju connections instead of %u\n",
            (uintmax_t)limit.rlim_cur, (uintmax_t)usable, options->connections);
    return (unsigned)usable;
}

/* The server, before there are connections */

static int try_connect(const struct load_options *options)
{
    int fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    const struct sockaddr *address = (const struct sockaddr *)&options->address;
    int error = connect(fd, address, options->address_size) < 0 ? -errno : 0;
    close(fd);
    return error;
}

/* Returns once the server accepts; ends the process if it does not in time. */
static void await_server(const struct load_options *options)
{
    uint64_t deadline = load_now() + load_nanoseconds(options->wait);
    int error;
    while ((error = try_connect(options)) < 0 && load_now() < deadline)
        usleep(RETRY_MS * LOAD_NS_PER_MS / 1000);
    if (error < 0) {
        fprintf(stderr, "edo-load: %s does not accept: %s\n", options->target, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

/* Leaves *ret_sample as it is when the server has gone; its connections tell of that. */
static void measure(const struct load_options *options, struct load_server_sample *ret_sample)
{
    if (options->server_pid > 0) load_server_measure(options->server_pid, ret_sample);
}

static void measure_first(const struct load_options *options, struct load_result *result)
{
    if (options->server_pid == 0) return;
    int error = load_server_measure(options->server_pid, &result->before_connecting);
    if (error < 0) {
        fprintf(stderr, "edo-load: cannot measure process %d: %s\n", (int)options->server_pid,
                strerror(-error));
        exit(EXIT_USAGE);
    }
    result->server_measured = true;
    result->window_start = result->before_connecting;
    result->window_end = result->before_connecting;
}

/* Phases */

static void run_until(struct load_client *client, uint64_t deadline)
{
    while (load_client_alive(client) && load_now() < deadline)
        load_client_turn(client, deadline);
}

static void warm_up(struct load_client *client)
{
    client->phase = "warm-up";
    client->renew = true;
    load_client_start(client);
    run_until(client, load_now() + load_nanoseconds(client->options->warmup));
}

static void run_window(struct load_client *client, struct load_result *result)
{
    const struct load_options *options = client->options;
    client->phase = "measuring";
    measure(options, &result->window_start);
    uint64_t start = load_now();
    client->measuring = true;
    run_until(client, start + load_nanoseconds(options->seconds));
    client->measuring = false;
    result->seconds = (double)(load_now() - start) / LOAD_NS_PER_SECOND;
    measure(options, &result->window_end);
}

/* Resets */

static unsigned list_open(struct load_client *client, struct load_conn **list)
{
    unsigned count = 0;
    for (unsigned i = 0; i < client->count; i++) {
        if (client->conns[i].state == LOAD_OPEN) list[count++] = &client->conns[i];
    }
    return count;
}

static void shuffle(struct load_conn **list, unsigned count, uint64_t seed)
{
    for (unsigned i = count; i > 1; i--) {
        unsigned other = (unsigned)(load_random_next(&seed) % i);
        struct load_conn *swapped = list[i - 1];
        list[i - 1] = list[other];
        list[other] = swapped;
    }
}

/* Each survivor must echo bytes that it sent after the last reset. */
static void demand_more(struct load_client *client)
{
    for (unsigned i = 0; i < client->count; i++)
        client->conns[i].owes = client->conns[i].allowed;
}

/* Resets the first `count` of the list, one after another at even distances. */
static void reset_evenly(struct load_client *client, struct load_conn **list, unsigned count,
                         uint64_t duration, struct load_result *result)
{
    uint64_t start = load_now();
    for (unsigned i = 0; i < count && load_client_alive(client); i++) {
        run_until(client, start + duration / count * i);
        if (list[i]->state != LOAD_OPEN)
            continue; // it has failed meanwhile, and is counted as that
        load_client_reset(client, list[i]);
        result->resets++;
    }
}

static void run_resets(struct load_client *client, struct load_result *result)
{
    const struct load_options *options = client->options;
    uint64_t duration = load_nanoseconds(options->reset_seconds);
    uint64_t end = load_now() + duration;
    struct load_conn **list = calloc(client->count, sizeof(struct load_conn *));
    if (list == NULL) {
        fputs("edo-load: out of memory, nothing was reset\n", stderr);
        exit(EXIT_FAILURE);
    }

    client->phase = "resetting";
    unsigned open = list_open(client, list);
    unsigned count = options->resets < open ? options->resets : open;
    shuffle(list, open, options->seed);
    reset_evenly(client, list, count, (uint64_t)((double)duration * RESET_PART), result);
    demand_more(client);
    client->phase = "surviving";
    run_until(client, end);
    free(list);
}

/* Idle */

static void hold(struct load_client *client)
{
    fflush(stdout);
    client->phase = "holding";
    load_client_watch_input(client);
    while (load_client_alive(client) && !client->input_ended)
        load_client_turn(client, LOAD_FOREVER);
}

static void settle(struct load_client *client, struct load_result *result)
{
    client->phase = "settling";
    run_until(client, load_now() + SETTLE_MS * (uint64_t)LOAD_NS_PER_MS);
    measure(client->options, &result->window_end);
}

/* The run */

static void report(const struct load_client *client, const struct load_result *result)
{
    if (client->options->json)
        load_report_json(client, result);
    else
        load_report_text(client, result);
}

/* The one byte has been echoed at connecting. The result is printed now, so that a script may wait
 * for it. */
static void run_idle(struct load_client *client, struct load_result *result)
{
    settle(client, result);
    report(client, result);
    if (!client->options->json) printf("ready %u\n", client->open);
    hold(client);
    client->phase = "finishing";
    load_client_finish(client);
}

static void run_echo(struct load_client *client, struct load_result *result)
{
    const struct load_options *options = client->options;
    warm_up(client);
    run_window(client, result);
    if (options->resets > 0) run_resets(client, result);
    if (client->open == 0 && options->resets < client->count)
        fputs("edo-load: no connection is left, the run has ended early\n", stderr);
    client->phase = "finishing";
    load_client_finish(client);
    report(client, result);
}

static void run(struct load_client *client, struct load_result *result)
{
    load_client_connect(client);
    result->connections = client->open;
    if (client->options->idle)
        run_idle(client, result);
    else
        run_echo(client, result);
}

int main(int argc, char **argv)
{
    struct load_options options;
    static struct load_client client; // the histogram is large for a stack
    struct load_result result = { 0 };

    load_options_parse(argc, argv, &options);
    if (options.wait > 0) await_server(&options);
    measure_first(&options, &result);
    int error = load_client_init(&client, &options, usable_connections(&options));
    if (error < 0) {
        fprintf(stderr, "edo-load: cannot begin: %s\n", strerror(-error));
        return EXIT_FAILURE;
    }
    run(&client, &result);

    bool good = load_client_failures(&client) == 0;
    load_client_deinit(&client);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
