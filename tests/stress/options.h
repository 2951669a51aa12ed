/* Shared by the long runs: options, and an alarm that reports a hang. */
#pragma once

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/support.h"

/* Reads --seconds N, --seed S and perhaps one more option with a number (NULL: none).
 * Returns: the seconds. Ends the process with status 2 for any other argument. */
static inline unsigned read_options(int argc, char **argv, const char *more, int32_t *ret_more)
{
    const struct option options[] = { { "seconds", required_argument, NULL, 'n' },
                                      { "seed", required_argument, NULL, 's' },
                                      { more, required_argument, NULL, 'm' },
                                      { NULL, 0, NULL, 0 } };
    unsigned seconds = 5;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'n') seconds = (unsigned)atoi(optarg);
        if (c == 's') setenv("EDO_TEST_SEED", optarg, 1);
        if (c == 'm') *ret_more = atoi(optarg);
        if (c == '?') exit(2);
    }
    return seconds;
}

static inline void tell_hang(int number)
{
    static const char text[] = "nothing moves any more\n";
    (void)number;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

/* Ends the process with SIGABRT if it runs longer. */
static inline void expect_end_within(unsigned seconds)
{
    signal(SIGALRM, tell_hang);
    alarm(seconds);
}

static inline unsigned below(test_random *random, unsigned limit)
{
    return (unsigned)test_random_below(random, limit);
}

static inline bool one_in(test_random *random, unsigned n)
{
    return below(random, n) == 0;
}
