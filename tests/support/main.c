/* main() of test programs that do not define it.
 *
 * usage: PROGRAM [PATTERN] PATTERN selects tests by their names; * and ? are as in file names. */
#include "support/cases.h"

int main(int argc, char **argv)
{
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return run_all_tests();
}
