/* Handling of a failed assertion on a thread of a runtime. cmocka would end the process without a
 * message. */
#include "support/support.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef void fail_fn(const char *file, int line);

static bool is_main_thread(void)
{
    return gettid() == getpid();
}

/* Replaces the function of cmocka that all its assertions call. */
__attribute__((noreturn, visibility("default"))) void _fail(const char *const file, const int line)
{
    fail_fn *next = (fail_fn *)dlsym(RTLD_NEXT, "_fail");
    if (is_main_thread() && next) next(file, line);
    fprintf(stderr, "%s:%d: an assertion failed on a thread of its own\n", file, line);
    abort();
}
