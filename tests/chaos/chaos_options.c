/* Options of the chaos driver as text. A program that fails prints them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chaos/chaos.h"

const chaos_options chaos_defaults = { .seed = 1, .late = 3, .bytes = 1, .spurious = 10 };

enum { MAX_ERRNO = 133, MAX_NAME = 16 }; // EHWPOISON is the greatest of Linux

static int parse_errno(const char *name, int *ret_error)
{
    for (int error = 1; error <= MAX_ERRNO; error++) {
        const char *known = strerrorname_np(error);
        if (!known || strcmp(known, name) != 0) continue;
        *ret_error = error;
        return 0;
    }
    return -EINVAL;
}

/* Parses a fault, such as "12:ECONNRESET". */
static int parse_fault(const char *value, chaos_options *options)
{
    char name[MAX_NAME];
    if (sscanf(value, "%u:%15s", &options->fault_at, name) != 2) return -EINVAL;
    return parse_errno(name, &options->fault);
}

static int parse_number(const char *value, uint32_t *ret_number)
{
    char *end;
    unsigned long number = strtoul(value, &end, 0);
    if (*end || end == value || number > UINT32_MAX) return -EINVAL;
    *ret_number = (uint32_t)number;
    return 0;
}

static int parse_one(const char *name, const char *value, chaos_options *options)
{
    uint32_t seed;
    if (!strcmp(name, "late")) return parse_number(value, &options->late);
    if (!strcmp(name, "bytes")) return parse_number(value, &options->bytes);
    if (!strcmp(name, "spurious")) return parse_number(value, &options->spurious);
    if (!strcmp(name, "fault")) return parse_fault(value, options);
    if (strcmp(name, "seed") != 0 || parse_number(value, &seed) < 0) return -EINVAL;
    options->seed = seed;
    return 0;
}

int chaos_options_parse(const char *text, chaos_options *options)
{
    char name[MAX_NAME], value[32];
    while (text && *text) {
        int length = 0;
        if (sscanf(text, "%15[a-z]=%31[^,]%n", name, value, &length) != 2) return -EINVAL;
        int rc = parse_one(name, value, options);
        if (rc < 0) return rc;
        text += length;
        if (*text == ',') text++;
    }
    return 0;
}

/* ---- printing them ---- */

static char announcement[128]; // written once
static pthread_once_t announce_once = PTHREAD_ONCE_INIT;

static void tell(void)
{
    ssize_t n = write(STDERR_FILENO, announcement, strlen(announcement));
    (void)n; // an error of this write is ignored
}

static void on_exit_status(int status, void *arg)
{
    (void)arg;
    if (status != 0) tell();
}

/* Prints the options. The signal's handler was reset (SA_RESETHAND), so this function can raise the
 * signal again. */
static void on_abort(int number)
{
    tell();
    raise(number);
}

static void watch_the_end(void)
{
    struct sigaction action = { .sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND };
    on_exit(on_exit_status, NULL);
    sigaction(SIGABRT, &action, NULL);
}

void chaos_options_announce(const chaos_options *options)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    const char *fault = options->fault ? strerrorname_np(options->fault) : "0";
    pthread_mutex_lock(&lock);
    snprintf(announcement, sizeof announcement,
             "chaos: seed=%llu,late=%u,bytes=%u,spurious=%u,fault=%u:%s\n",
             (unsigned long long)options->seed, options->late, options->bytes, options->spurious,
             options->fault_at, fault);
    pthread_mutex_unlock(&lock);
    pthread_once(&announce_once, watch_the_end);
}
