/* The list of a program's tests, and the run of the list by cmocka. */
#include "support/cases.h"

#include <stdio.h>
#include <stdlib.h>

static struct test_entry *entries; // sorted by place
static size_t test_count;

/* Adds a test. The list is sorted, because the compiler chooses the order of constructors. */
void test_register(struct test_entry *entry)
{
    struct test_entry **at = &entries;
    while (*at && (*at)->place < entry->place)
        at = &(*at)->next;
    entry->next = *at;
    *at = entry;
    if (entry->run) test_count++;
}

static void skip_test(void **state)
{
    print_message("not on workers: %s\n", (const char *)*state);
    skip();
}

static void add_need(struct test_entry *needs, const struct test_entry *entry)
{
    if (entry->set_up) needs->set_up = entry->set_up;
    if (entry->tear_down) needs->tear_down = entry->tear_down;
    if (entry->reason) {
        needs->max_workers = entry->max_workers;
        needs->reason = entry->reason;
    }
}

static struct CMUnitTest make_test(const struct test_entry *entry, const struct test_entry *needs)
{
    if (needs->reason && test_workers() > needs->max_workers)
        return (struct CMUnitTest){ entry->name, skip_test, NULL, NULL, (void *)needs->reason };
    return (struct CMUnitTest){ entry->name, entry->run, needs->set_up, needs->tear_down, NULL };
}

static void collect_tests(struct CMUnitTest *ret_tests)
{
    struct test_entry needs = { 0 };
    for (const struct test_entry *entry = entries; entry; entry = entry->next) {
        if (!entry->run) {
            add_need(&needs, entry);
            continue;
        }
        *ret_tests++ = make_test(entry, &needs);
        needs = (struct test_entry){ 0 };
    }
}

int run_all_tests_as(const char *name)
{
    struct CMUnitTest *tests = calloc(test_count ? test_count : 1, sizeof *tests);
    if (!test_count || !tests) {
        fprintf(stderr, "no tests\n");
        return EXIT_FAILURE;
    }
    collect_tests(tests);
    // The number of failures cannot be the exit status: 77 would mean "skipped", 256 "passed".
    int failures = _cmocka_run_group_tests(name, tests, test_count, NULL, NULL);
    free(tests);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int run_all_tests(void)
{
    return run_all_tests_as("tests");
}
