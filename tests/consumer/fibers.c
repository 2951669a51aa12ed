/* Fibers of a program that has a sanitizer, with an edo that has none: many switches without a false
 * report, and a mistake in a fiber that is seen.
 * usage: fibers WORKERS [overflow | race] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/edo.h>

enum { FIBERS = 3, TURNS = 30000 };

static const char *mistake;
static int workers;
static int shared; // written by each fiber without a lock

static __attribute__((noinline)) int64_t sum(const char *text, size_t length)
{
    int64_t total = 0;
    for (size_t i = 0; i < length; i++)
        total += text[i];
    return total;
}

/* Locals of each call are on the fiber's stack, or on AddressSanitizer's own. */
static __attribute__((noinline)) int64_t visit(int depth)
{
    char text[64];
    memset(text, 1, sizeof text);
    int64_t rc = depth ? visit(depth - 1) : edo_wait(edo_yield());
    if (rc < 0) return rc;
    bool overflows = depth == 0 && mistake && strcmp(mistake, "overflow") == 0;
    return rc + sum(text, sizeof text + overflows) - (int64_t)sizeof text;
}

static int64_t turns(void *arg)
{
    int64_t rc = 0;
    bool races = mistake && strcmp(mistake, "race") == 0;
    for (int i = 0; i < TURNS && rc >= 0; i++) {
        rc = visit(i % 8);
        if (races) shared++;
    }
    return rc < 0 ? rc : *(int64_t *)arg;
}

static int64_t run(void *arg)
{
    edo_task *tasks[FIBERS];
    int64_t result = 0, *numbers = arg;
    for (int i = 0; i < FIBERS; i++) {
        edo_fiber_options options = { .stack_size = 0 };
        if (mistake && workers) options.task.pinned = (unsigned)(i % workers + 1); // on each
        numbers[i] = i;
        if (edo_fiber_spawn(&tasks[i], &options, turns, &numbers[i]) < 0) return -ENOMEM;
    }
    for (int i = 0; i < FIBERS; i++) {
        int64_t rc = edo_wait(edo_join(tasks[i]));
        if (rc != i) result = -EPROTO;
    }
    return result;
}

int main(int argc, char **argv)
{
    int64_t *numbers = malloc(FIBERS * sizeof *numbers);
    workers = argc > 1 ? atoi(argv[1]) : 0;
    edo_config config = { .workers = workers };
    mistake = argc > 2 ? argv[2] : NULL;
    int status = edo_fiber_run_with(&config, NULL, run, numbers);
    free(numbers);
    return status;
}
