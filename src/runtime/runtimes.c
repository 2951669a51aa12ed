#include "runtime/runtimes.h"

edo__runtimes_list edo__runtimes = { .list = { &edo__runtimes.list, &edo__runtimes.list } };

/* Takes the lock of the list. The first call in the child of a fork empties the list, for two
 * reasons: the list has the parent's runtimes, and the fork may have copied it in the middle of a
 * change. Returns: whether a runtime exists. */
bool edo__runtimes_lock(void)
{
    uint32_t mine = edo__sys_fork_generation();
    edo__lock_take(&edo__runtimes.lock);
    if (edo__runtimes.generation != mine) edo__list_init(&edo__runtimes.list);
    edo__runtimes.generation = mine;
    return !edo__list_is_empty(&edo__runtimes.list);
}

void edo__runtimes_unlock(void)
{
    edo__lock_give(&edo__runtimes.lock);
}

void edo__runtimes_add(edo_runtime *runtime)
{
    edo__runtimes_lock();
    runtime->serial = ++edo__runtimes.last_serial;
    edo__list_push(&edo__runtimes.list, &runtime->all);
    edo__runtimes_unlock();
}

void edo__runtimes_remove(edo_runtime *runtime)
{
    edo__runtimes_lock();
    edo__list_remove(&runtime->all);
    edo__runtimes_unlock();
}

edo_runtime *edo__runtimes_next(uint64_t *serial)
{
    edo_runtime *next = NULL;
    edo__runtimes_lock();
    edo__list_each(&edo__runtimes.list, node) { // in the order of their serials
        edo_runtime *runtime = edo__container(node, edo_runtime, all);
        if (runtime->serial <= *serial) continue;
        next = edo_runtime_ref(runtime);
        *serial = runtime->serial;
        break;
    }
    edo__runtimes_unlock();
    return next;
}
