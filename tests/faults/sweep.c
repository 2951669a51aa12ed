#include "faults/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

enum {
    LIMIT = 60,           // seconds until a child counts as hanging
    MAX_POINTS = 100000,  // a scenario with more requests is taken for endless
    STDERR_SIZE = 8 << 10 // bytes kept of a child's stderr
};

struct point {
    scenario_fn *fn;
    fault_kind kind;
    uint64_t n;
    bool and_all_after;
    bool *hit; // shared with the child
};

static void check_result(const struct point *point, int64_t result)
{
    if (result == 0) return;
    if (!*point->hit) fail_msg("it answered %lld, and nothing failed", (long long)result);
    if (result != -fault_errors[point->kind])
        fail_msg("it answered %lld (%s)", (long long)result, edo_strerror(result));
}

static void check_held(size_t descriptors, const char *when)
{
    faults_held held = faults_held_now();
    if (held.blocks) fail_msg("%s: %lld blocks are left", when, (long long)held.blocks);
    if (held.threads) fail_msg("%s: %lld threads are left", when, (long long)held.threads);
    if (held.maps) fail_msg("%s: %lld mappings are left", when, (long long)held.maps);
    if (edo_memory_in_use()) fail_msg("%s: memory is in use", when);
    size_t now = open_descriptors();
    if (now != descriptors) fail_msg("%s: %zu descriptors, before %zu", when, now, descriptors);
}

static void run_point(void *arg)
{
    const struct point *point = arg;
    alarm(LIMIT);
    size_t descriptors = open_descriptors();
    faults_plan(point->kind, point->n, point->and_all_after);
    int64_t result = point->fn();
    *point->hit = faults_hit();
    faults_plan(point->kind, 0, false);
    check_result(point, result);
    check_held(descriptors, "after the failure");
    result = point->fn();
    if (result < 0) fail_msg("it answers %lld ever after", (long long)result);
    check_held(descriptors, "when run again");
}

static void run_and_judge(const char *name, struct point *point)
{
    static char text[STDERR_SIZE];
    *point->hit = false;
    if (getenv("EDO_FAULT_VERBOSE"))
        print_message("%s %s:%llu%s\n", name, fault_names[point->kind],
                      (unsigned long long)point->n, point->and_all_after ? "+" : "");
    int status = run_in_child(run_point, point, text, sizeof text);
    if (status == 0) return;
    bool signaled = WIFSIGNALED(status);
    fail_msg("%s with %s:%llu%s: %s %d; it wrote:\n%s", name, fault_names[point->kind],
             (unsigned long long)point->n, point->and_all_after ? "+" : "",
             signaled ? "signal" : "status", signaled ? WTERMSIG(status) : WEXITSTATUS(status),
             text);
}

/* Fails request after request, until a run meets no failure. */
static uint64_t sweep_kind(const char *name, struct point *point)
{
    for (point->n = 1; point->n < MAX_POINTS; point->n++) {
        run_and_judge(name, point);
        if (!*point->hit) return point->n - 1;
    }
    fail_msg("%s does not come to an end", name);
    return 0;
}

void sweep(const char *name, scenario_fn *fn)
{
    void *shared = mmap(NULL, sizeof(bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                        0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    struct point point = { .fn = fn, .hit = shared };
    print_message("%s:", name);
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++) {
        point.kind = (fault_kind)kind;
        point.and_all_after = false;
        uint64_t points = sweep_kind(name, &point);
        point.and_all_after = true;
        points += sweep_kind(name, &point);
        print_message(" %s %llu", fault_names[kind], (unsigned long long)points);
    }
    print_message("\n");
    munmap(shared, sizeof(bool));
}

int64_t sweep_on_runtime(const edo_site *site, const void *args)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(&(edo_config){ .name = "faults", .test_clock = true }, &runtime);
    if (rc < 0) return rc;
    int64_t result = edo__block_on(runtime, site, args);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    return result;
}
