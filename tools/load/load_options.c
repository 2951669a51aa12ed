#include "load_options.h"

#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum {
    DEFAULT_CONNECTIONS = 50,
    DEFAULT_MESSAGE_BYTES = 64,
    DEFAULT_SECONDS = 5,
    DEFAULT_RESET_SECONDS = 2,
    DEFAULT_TIMEOUT_SECONDS = 10,

    MAX_CONNECTIONS = 1 << 24,
    MAX_MESSAGE_BYTES = 1 << 30,
    MAX_PIPELINE = 1 << 16,
    MAX_SECONDS = 7 * 24 * 3600, // a week, far from any overflow of nanoseconds
    MAX_HOST = 256,              // longer than any DNS name (253)

    EXIT_USAGE = 2,
    DECIMAL = 10,
};

#define DEFAULT_WARMUP_SECONDS 0.5

static const char usage_text[] =
    "Usage: edo-load [OPTIONS] HOST:PORT | PATH\n"
    "Drives an echo server in a closed loop and judges it from outside.\n"
    "\n"
    "  -c, --connections N    connections (50)\n"
    "  -s, --size BYTES       bytes of a message (64)\n"
    "  -p, --pipeline N       messages in flight on each connection (1)\n"
    "  -d, --seconds S        length of the measured window (5)\n"
    "      --warmup S         time before it, not counted (0.5)\n"
    "      --idle             echo one byte on each connection, then hold them until\n"
    "                         standard input ends\n"
    "      --verify           check every byte received\n"
    "      --reset N          after the window, end N random connections with an RST\n"
    "                         while the others go on echoing\n"
    "      --reset-seconds S  how long they go on (2)\n"
    "      --seed N           of the bytes sent and of the choice for --reset (1)\n"
    "      --wait S           retry for so long until the server accepts (0)\n"
    "      --timeout S        give up when no byte arrives for so long (10)\n"
    "      --server-pid PID   measure that process: CPU per request, memory per connection\n"
    "      --progress         a line a second on standard error\n"
    "      --json             print the result as one JSON object\n"
    "  -h, --help             print this text\n"
    "\n"
    "HOST is a name, an IPv4 address or an IPv6 address in brackets. A PATH is that of a Unix\n"
    "socket, and contains a slash. The exit status is 0 if nothing failed but what edo-load\n"
    "reset itself, 1 if something did, 2 on wrong usage.\n";

/* Long options without a letter. */
enum {
    OPTION_WARMUP = 256, // above every char
    OPTION_IDLE,
    OPTION_VERIFY,
    OPTION_RESET,
    OPTION_RESET_SECONDS,
    OPTION_SEED,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_SERVER_PID,
    OPTION_PROGRESS,
    OPTION_JSON,
};

static const struct option long_options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "size", required_argument, NULL, 's' },
    { "pipeline", required_argument, NULL, 'p' },
    { "seconds", required_argument, NULL, 'd' },
    { "warmup", required_argument, NULL, OPTION_WARMUP },
    { "idle", no_argument, NULL, OPTION_IDLE },
    { "verify", no_argument, NULL, OPTION_VERIFY },
    { "reset", required_argument, NULL, OPTION_RESET },
    { "reset-seconds", required_argument, NULL, OPTION_RESET_SECONDS },
    { "seed", required_argument, NULL, OPTION_SEED },
    { "wait", required_argument, NULL, OPTION_WAIT },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "server-pid", required_argument, NULL, OPTION_SERVER_PID },
    { "progress", no_argument, NULL, OPTION_PROGRESS },
    { "json", no_argument, NULL, OPTION_JSON },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("edo-load: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(" (edo-load --help)\n", stderr);
    va_end(arguments);
    exit(EXIT_USAGE);
}

static uint64_t parse_count(const char *what, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    unsigned long long value = strtoull(text, &end, DECIMAL);
    if (end == text || *end != '\0' || text[0] == '-' || value < least || value > most)
        fail_usage("%s must be a whole number from %llu to %llu, not '%s'", what,
                   (unsigned long long)least, (unsigned long long)most, text);
    return value;
}

static double parse_seconds(const char *what, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < 0 || value > MAX_SECONDS)
        fail_usage("%s must be a number of seconds from 0 to %d, not '%s'", what, MAX_SECONDS,
                   text);
    return value;
}

/* Splits HOST:PORT or [HOST]:PORT; answers the port, which ends the text. */
static const char *split_target(const char *target, char host[MAX_HOST])
{
    const char *colon = strrchr(target, ':');
    if (colon == NULL || colon[1] == '\0') fail_usage("'%s' is not HOST:PORT", target);

    const char *start = target;
    size_t length = (size_t)(colon - target);
    if (length >= 2 && start[0] == '[' && start[length - 1] == ']') {
        start++;
        length -= 2;
    } else if (memchr(start, ':', length) != NULL) {
        fail_usage("an IPv6 address needs brackets: '[%.*s]:%s'", (int)length, start, colon + 1);
    }
    if (length == 0 || length >= MAX_HOST) fail_usage("'%s' has no usable host", target);
    memcpy(host, start, length);
    host[length] = '\0';
    return colon + 1;
}

static void resolve_path(struct load_options *options)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(options->target);
    if (length >= sizeof address.sun_path) fail_usage("'%s' is too long", options->target);
    memcpy(address.sun_path, options->target, length);
    memcpy(&options->address, &address, sizeof address);
    options->address_size = sizeof address;
}

static void resolve(struct load_options *options)
{
    char host[MAX_HOST];
    const char *port = split_target(options->target, host);
    parse_count("the port", port, 1, UINT16_MAX);

    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) fail_usage("cannot resolve '%s': %s", host, gai_strerror(error));
    memcpy(&options->address, found->ai_addr, found->ai_addrlen);
    options->address_size = found->ai_addrlen;
    freeaddrinfo(found);
}

static bool parse_flag(struct load_options *options, int option)
{
    switch (option) {
    case OPTION_IDLE: options->idle = true; return true;
    case OPTION_VERIFY: options->verify = true; return true;
    case OPTION_PROGRESS: options->progress = true; return true;
    case OPTION_JSON: options->json = true; return true;
    case 'h': fputs(usage_text, stdout); exit(EXIT_SUCCESS);
    default: return false;
    }
}

static bool parse_duration(struct load_options *options, int option, const char *text)
{
    switch (option) {
    case 'd': options->seconds = parse_seconds("--seconds", text); return true;
    case OPTION_WARMUP: options->warmup = parse_seconds("--warmup", text); return true;
    case OPTION_RESET_SECONDS:
        options->reset_seconds = parse_seconds("--reset-seconds", text);
        return true;
    case OPTION_WAIT: options->wait = parse_seconds("--wait", text); return true;
    case OPTION_TIMEOUT: options->timeout = parse_seconds("--timeout", text); return true;
    default: return false;
    }
}

static bool parse_number(struct load_options *options, int option, const char *text)
{
    switch (option) {
    case 'c':
        options->connections = (unsigned)parse_count("--connections", text, 1, MAX_CONNECTIONS);
        return true;
    case 's':
        options->message_bytes = parse_count("--size", text, 1, MAX_MESSAGE_BYTES);
        return true;
    case 'p':
        options->pipeline = (unsigned)parse_count("--pipeline", text, 1, MAX_PIPELINE);
        return true;
    case OPTION_RESET:
        options->resets = (unsigned)parse_count("--reset", text, 0, MAX_CONNECTIONS);
        return true;
    case OPTION_SEED: options->seed = parse_count("--seed", text, 0, UINT64_MAX); return true;
    case OPTION_SERVER_PID:
        options->server_pid = (pid_t)parse_count("--server-pid", text, 1, INT32_MAX);
        return true;
    default: return false;
    }
}

/* An idle connection carries one message of one byte, and that byte is always checked. */
static void apply_idle(struct load_options *options)
{
    options->message_bytes = 1;
    options->pipeline = 1;
    options->resets = 0;
    options->verify = true;
}

void load_options_parse(int argc, char **argv, struct load_options *ret_options)
{
    struct load_options options = {
        .connections = DEFAULT_CONNECTIONS,
        .message_bytes = DEFAULT_MESSAGE_BYTES,
        .pipeline = 1,
        .seconds = DEFAULT_SECONDS,
        .warmup = DEFAULT_WARMUP_SECONDS,
        .reset_seconds = DEFAULT_RESET_SECONDS,
        .timeout = DEFAULT_TIMEOUT_SECONDS,
        .seed = 1,
    };

    int option;
    while ((option = getopt_long(argc, argv, "c:s:p:d:h", long_options, NULL)) != -1) {
        if (!parse_flag(&options, option) && !parse_duration(&options, option, optarg) &&
            !parse_number(&options, option, optarg))
            exit(EXIT_USAGE); // getopt has said why
    }
    if (optind + 1 != argc) fail_usage("exactly one HOST:PORT is needed");
    options.target = argv[optind];
    if (strchr(options.target, '/'))
        resolve_path(&options);
    else
        resolve(&options);
    if (options.idle) apply_idle(&options);
    *ret_options = options;
}
