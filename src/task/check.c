/* Memory handed to an operation must outlive it. */
#include "task/op.h"

void edo__check_memory_slow(const char *call, const void *memory, const char *what)
{
    (void)memory;
    edo__misuse(call, "the %s lies on the stack of the poll in progress: put it in the frame",
                what);
}
