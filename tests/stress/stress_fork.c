/* Forks beside a runtime under load; the children close the inherited streams.
 * usage: stress_fork --seconds N --seed S */
#include "runtime/fork_load.h"

#include "stress/options.h"

static unsigned seconds;

clean_test(forks)
{
    start_load();
    int64_t end = edo_now() + edo_s(seconds);
    int forks = 0;
    while (edo_now() < end)
        fork_once(forks++);
    end_load();
    printf("%d forks\n", forks);
}

int main(int argc, char **argv)
{
    seconds = read_options(argc, argv, NULL, NULL);
    expect_end_within(seconds + CHILD_PATIENCE + 60);
    return run_all_tests();
}
