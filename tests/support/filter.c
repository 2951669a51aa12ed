/* EDO_TEST_SKIP=PATTERN skips test functions by their names; * and ? are as in file names.
 * cmake/EdoEmulated.cmake sets it. */
#include "support/support.h"

#include <stdlib.h>

__attribute__((constructor)) static void set_filter(void)
{
    const char *pattern = getenv("EDO_TEST_SKIP");
    if (pattern) cmocka_set_skip_filter(pattern);
}
