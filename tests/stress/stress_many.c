/* 10,000 connections, held, echoed and checked; a half of them reset at random meanwhile.
 * usage: stress_many --seconds N --seed S [--connections N] */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/time.h>

#include "support/many.h"

static many_options options = { .connections = 10000 };

test(many)
{
    run_many(options);
}

static int read_arguments(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seconds"))
            options.duration = edo_s(atoi(argv[i + 1]));
        else if (!strcmp(argv[i], "--connections"))
            options.connections = (unsigned)atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--seed"))
            setenv("EDO_TEST_SEED", argv[i + 1], 1);
        else
            return -1;
    }
    return argc % 2 ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (read_arguments(argc, argv) < 0) {
        fprintf(stderr, "usage: stress_many --seconds N --seed S [--connections N]\n");
        return EXIT_FAILURE;
    }
    return run_all_tests();
}
