/* edo-test: ct, it makes its own workers. Forks under load: the child closes the inherited streams,
 * in whatever state the parent's threads left them. */
#include "runtime/fork_load.h"

#include <stdlib.h>
#include <string.h>

enum { FORKS = 250 };

/* (The chaos driver is one of the tests, and its close knows nothing of forks.) */
clean_test(closing_under_load)
{
    const char *driver = getenv("EDO_DRIVER");
    if (driver && !strcmp(driver, "chaos")) skip();
    start_load();
    for (int i = 0; i < FORKS; i++)
        fork_once(i);
    end_load();
}
