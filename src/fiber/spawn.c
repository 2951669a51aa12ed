/* Fibers as tasks, as whole programs, and as callees of async functions. */
#include <stdlib.h>

#include <edo/test.h>

#include "base/base.h"
#include "fiber/fiber.h"

static const edo_spawn_options *task_options(const edo_fiber_options *options)
{
    return options ? &options->task : NULL;
}

int edo__fiber_spawn(edo_task **ret_task, const edo_fiber_options *options, const edo_site *site,
                     const edo__fiber_start *start)
{
    edo__fiber *fiber;
    int rc = edo__fiber_create(options, site, start, &fiber);
    if (rc < 0) return rc;
    rc = edo__spawn(ret_task, task_options(options), site, &fiber);
    if (rc < 0) edo__fiber_destroy(fiber);
    return rc;
}

int edo__fiber_scope_spawn(edo_scope *scope, const edo_fiber_options *options, const edo_site *site,
                           const edo__fiber_start *start)
{
    edo__fiber *fiber;
    int rc = edo__fiber_create(options, site, start, &fiber);
    if (rc < 0) return rc;
    rc = edo__scope_spawn(scope, task_options(options), site, &fiber);
    if (rc < 0) edo__fiber_destroy(fiber);
    return rc;
}

int edo__fiber_on(edo_task **ret_task, unsigned worker, const edo_site *site,
                  const edo__fiber_start *start)
{
    if (worker >= UINT16_MAX) return -EINVAL;
    edo_fiber_options options = { .task = { .pinned = worker + 1 } };
    return edo__fiber_spawn(ret_task, &options, site, start);
}

int edo__fiber_init(struct edo_fiber_frame *frame, const edo_fiber_options *options,
                    const edo_site *site, const edo__fiber_start *start)
{
    edo__fiber *fiber;
    int rc = edo__fiber_create(options, site, start, &fiber);
    if (rc < 0) return rc;
    edo__frame_init(frame, site->ops);
    frame->fiber = fiber;
    return 0;
}

/* ---- fibers that the caller waits for ---- */

/* Creates a fiber for a caller that will wait until the fiber has ended. The fiber sets *is_begun
 * at its first run. When the wait is over, *is_begun tells the caller what happened:
 * - false: the spawn has failed, and the caller destroys the fiber.
 * - true: the fiber has ended, or was given up. */
static int create_awaited(const edo_fiber_options *options, const edo_site *site,
                          const edo__fiber_start *start, bool *is_begun, edo__fiber **ret_fiber)
{
    int rc = edo__fiber_create(options, site, start, ret_fiber);
    *is_begun = false;
    if (rc == 0) (*ret_fiber)->is_begun = is_begun;
    return rc;
}

int edo__fiber_run(const edo_config *config, const edo_fiber_options *options, const edo_site *site,
                   const edo__fiber_start *start)
{
    edo__fiber *fiber;
    bool is_begun;
    int rc = create_awaited(options, site, start, &is_begun, &fiber);
    if (rc < 0) {
        edo__print_patiently("edo: %s: %s\n", site->ops->name, edo_strerror(rc));
        return EXIT_FAILURE;
    }
    int status = edo__run(config, site, &fiber);
    if (!is_begun) edo__fiber_destroy(fiber);
    return status;
}

int64_t edo__fiber_block_on(edo_runtime *runtime, const edo_fiber_options *options,
                            const edo_site *site, const edo__fiber_start *start)
{
    edo__fiber *fiber;
    bool is_begun;
    int64_t rc = create_awaited(options, site, start, &is_begun, &fiber);
    if (rc < 0) return rc;
    rc = edo__block_on(runtime, site, &fiber);
    if (!is_begun) edo__fiber_destroy(fiber);
    return rc;
}

void edo__fiber_run_test(const edo_site *site, const edo__fiber_start *start)
{
    edo__fiber *fiber;
    int rc = edo__fiber_create(NULL, site, start, &fiber);
    if (rc < 0) edo__misuse("edo_fiber_test", "no stack: %s", edo_strerror(rc));
    edo__run_test(site, &fiber);
}
