// expect-gcc: (?s)ignoring return value of 'edo_runtime_create'.*'edo_pool_create'.*'edo_io_from_fd'
// expect-clang: (?s)(ignoring return value of function.*){3}
/* A call that fails leaves its ret_* unset, so its result must be checked. */
#include <edo/edo.h>

void make(edo_runtime **runtime, edo_pool **pool, edo_io **io);
void make(edo_runtime **runtime, edo_pool **pool, edo_io **io)
{
    edo_runtime_create(NULL, runtime);
    edo_pool_create(NULL, pool);
    edo_io_from_fd(0, io);
}
