// expect: ok
// flags-gcc: -Wpedantic
// flags-clang: -Wpedantic
/* Every public header and every macro that C++ may use. */
#include <edo/async.h>
#include <edo/base.h>
#include <edo/blocking.h>
#include <edo/dump.h>
#include <edo/edo.h>
#include <edo/io.h>
#include <edo/metrics.h>
#include <edo/net.h>
#include <edo/runtime.h>
#include <edo/scope.h>
#include <edo/task.h>
#include <edo/test.h>
#include <edo/time.h>
#include <edo/version.h>

struct none {
    edo_frame();
    edo_args();
};

struct leaf {
    edo_frame(struct none none;);
    edo_args(int n; const char *text;);
};

EDO_BEGIN_DECLS
edo_declare_async(none);
edo_declare_async(leaf);
EDO_END_DECLS

int64_t job(void *arg);
int64_t spawns(edo_task **task, edo_scope *scope, struct leaf *child);
int64_t spawns(edo_task **task, edo_scope *scope, struct leaf *child)
{
    int rc = edo_go(none);
    if (rc == 0) rc = edo_go(leaf, .n = 1, .text = "");
    if (rc == 0) rc = edo_spawn(task, none);
    if (rc == 0) rc = edo_spawn(task, leaf, .n = 1, .text = "");
    if (rc == 0) rc = edo_spawn_with(task, NULL, none);
    if (rc == 0) rc = edo_spawn_with(task, NULL, leaf, .n = 1, .text = "");
    if (rc == 0) rc = edo_spawn_on(task, 0, leaf, .n = 1, .text = "");
    if (rc == 0) rc = edo_spawn_blocking(task, job, NULL);
    if (rc == 0) rc = edo_scope_spawn(scope, none);
    if (rc == 0) rc = edo_scope_spawn(scope, leaf, .n = 1, .text = "");
    if (rc == 0) rc = edo_scope_spawn_with(scope, NULL, leaf, .n = 1, .text = "");
    return rc < 0 ? rc : child->n;
}

int64_t enter(edo_runtime *runtime);
int64_t enter(edo_runtime *runtime)
{
    int64_t result = edo_wait(edo_sleep(1));
    result += edo_block_on(runtime, none) + edo_block_on(runtime, leaf, .n = 1, .text = "");
    result += edo_run(none) + edo_run(leaf, .n = 1, .text = "");
    return result + edo_run_with(NULL, none) + edo_run_with(NULL, leaf, .n = 1, .text = "");
}
