#include "runtime/runtimes.h"

edo__runtimes_list edo__runtimes = { .list = { &edo__runtimes.list, &edo__runtimes.list } };

/* A fork may copy the lock while another thread of the parent has it; then its holder is of an
 * earlier generation, and will never give it back here. So it is taken from it, and the list, which
 * holds the parent's runtimes, perhaps half linked, begins anew. */
void edo__runtimes_lock(void)
{
    uint32_t mine = edo__sys_fork_generation(), holder = 0;
    while (!edo_cas_acquire(&edo__runtimes.holder, &holder, mine)) {
        if (holder != mine) continue;
        holder = 0;
        edo__sys_yield_thread();
    }
    if (edo__runtimes.generation == mine) return;
    edo__runtimes.generation = mine;
    edo__list_init(&edo__runtimes.list);
}

void edo__runtimes_unlock(void)
{
    edo_store_release(&edo__runtimes.holder, 0); // partner: the next edo__runtimes_lock
}

void edo__runtimes_add(edo_runtime *runtime)
{
    edo__dump_read_environment();
    edo_store_relaxed(&edo__at_misuse, edo__dump_at_abort); // by any thread, always the same
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
