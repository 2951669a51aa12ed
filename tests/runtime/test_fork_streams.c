/* edo-test: ct, it makes its own workers. Forks under load. The child closes the inherited streams,
 * in any state that the parent's threads left. */
#include "runtime/fork_load.h"

enum { FORKS = 250 };

clean_test(closing_under_load)
{
    start_load();
    for (int i = 0; i < FORKS; i++)
        fork_once(i);
    end_load();
}
