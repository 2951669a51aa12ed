/* edo-test: ct, it makes its own workers. Forks under load: the child closes what it has inherited,
 * whatever the parent's threads were doing to it. */
#include "runtime/fork_load.h"

enum { FORKS = 250 };

static void test_closing_under_load(void **state)
{
    (void)state;
    start_load();
    for (int i = 0; i < FORKS; i++)
        fork_once(i);
    end_load();
}

int main(void)
{
    const struct CMUnitTest tests[] = { clean_test(test_closing_under_load) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
