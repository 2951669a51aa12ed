/* The programs of the guide's chapter 2 as fibers. */
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

/* region: call */
static int64_t count_down(int from)
{
    for (int i = from; i > 0; i--) {
        printf("%d ...\n", i);
        int64_t rc = edo_wait(edo_sleep(edo_ms(10)));
        if (rc < 0) return rc;
    }
    return from;
}

static int64_t launch(void)
{
    int64_t steps = count_down(3);
    if (steps < 0) return steps;
    printf("lift-off after %d steps\n", (int)steps);
    return 0;
}
/* end: call */

/* region: try */
static int64_t brew(int cups)
{
    int64_t rc = edo_wait(edo_sleep(edo_ms(10)));
    return rc < 0 ? rc : cups > 4 ? -ENOSPC : cups;
}

static int64_t wait_on(int cups)
{
    char *tray = cups < 1 ? NULL : malloc(64);
    if (!tray) return cups < 1 ? -EINVAL : -ENOMEM;

    int64_t rc = brew(cups);
    if (rc >= 0) rc = edo_wait(edo_sleep(edo_ms(5)));
    if (rc >= 0) printf("served\n");

    edo_fiber_shield();
    edo_wait(edo_sleep(edo_ms(1))); // what this answers does not matter
    free(tray);
    return rc < 0 ? rc : 0;
}
/* end: try */

/* region: together */
struct step {
    int64_t duration;
};

edo_fiber(step)
{
    int64_t rc = edo_wait(edo_sleep(self->duration));
    return rc < 0 ? rc : self->duration / edo_ms(1);
}

static int64_t together(void)
{
    edo_task *tasks[2]; // what runs side by side has stacks of its own
    int rc = edo_fiber_spawn_args(&tasks[0], NULL, step, .duration = edo_ms(20));
    if (rc < 0) return rc;
    rc = edo_fiber_spawn_args(&tasks[1], NULL, step, .duration = edo_ms(10));
    if (rc < 0) edo_detach(tasks[0]);
    if (rc < 0) return rc;

    edo_op first = edo_join(tasks[0]), second = edo_join(tasks[1]), pause = edo_sleep(edo_ms(5));
    edo_wait_all(&first.base, &second.base, &pause.base);
    printf("first: %d\nsecond: %d\n", (int)first.base.result, (int)second.base.result);
    return pause.base.result;
}
/* end: together */

/* region: array */
enum { MOST = 16 };

static int64_t guesses(size_t count)
{
    edo_op sleeps[MOST];
    for (size_t i = 0; i < count; i++)
        sleeps[i] = edo_sleep(edo_ms(i == 3 ? 1 : 1000));
    int64_t which = edo_wait_select_of(sleeps, count); // the others have ended too
    printf("number %d is first\n", (int)which);
    return which;
}
/* end: array */

/* region: sum */
typedef struct node {
    int value;
    const struct node *left, *right;
} node;

static int64_t sum(const node *tree)
{
    if (!tree) return edo_wait(edo_yield());
    int64_t left = sum(tree->left);
    if (left < 0) return left;
    int64_t right = sum(tree->right);
    return right < 0 ? right : left + tree->value + right;
}
/* end: sum */

/* region: measure */
static void print_stacks(void)
{
    edo_fiber_stats stats[16];
    size_t count = edo_fiber_stats_read(stats, 16);
    for (size_t i = 0; i < count && i < 16; i++)
        printf("%s: %zu bytes are enough\n", stats[i].name,
               (size_t)(stats[i].peak + stats[i].guard + 4096) / 4096 * 4096);
}
/* end: measure */

static int64_t all_of_them(void *arg)
{
    static const node left = { .value = 1 }, right = { .value = 3 };
    static const node tree = { .value = 2, .left = &left, .right = &right };
    (void)arg;
    int64_t rc = launch();
    if (rc >= 0) rc = wait_on(2);
    if (rc >= 0) rc = together();
    if (rc >= 0) rc = guesses(5);
    if (rc >= 0) rc = sum(&tree);
    printf("the sum is %d\n", (int)rc);
    return rc;
}

int main(int argc, char **argv)
{
    (void)argv;
    edo_fiber_measure(argc > 1);
    int status = edo_fiber_run(all_of_them, NULL);
    print_stacks();
    return status;
}
