/* edo-test: ct, it makes its own workers. Forks under load: the child closes what it has inherited,
 * whatever the parent's threads were doing to it. */
#include "runtime/fork_load.h"

enum { FORKS = 250 };

clean_test(closing_under_load)
{
    start_load();
    for (int i = 0; i < FORKS; i++)
        fork_once(i);
    end_load();
}
