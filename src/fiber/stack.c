/* Stacks of fibers.
 *
 * Each thread keeps the stacks of ended fibers with their memory, because that memory is warm in
 * the caches. A thread with too many stacks moves half of its stacks to the pools of the process.
 * These pools keep only the uppermost page of a stack in memory. If a thread makes fibers that end
 * on another thread, their stacks return to the first thread through these pools. When a thread
 * ends, it unmaps the stacks that it keeps. */
#include "fiber/stack.h"

#include <errno.h>

#include "base/atomic.h"
#include "base/base.h"
#include "base/lock.h"
#include "sys/sys.h"
#include "task/cx.h"

enum {
    LEAST = 32 << 10,     // bytes of a stack of kind 0; each next kind has twice the size
    DEFAULT = 64 << 10,   // default size of a stack; bytes of address space, with the guard
    LINE = 64,            // bytes of a cache line
    COLORS = 24,          // number of start offsets; few enough that a parked fiber uses one page
    LEAST_LENT = 8 << 10, // least size of a stack that the user lends; bytes
    KEPT_ROOM = 64 << 20, // bytes of address space that a thread keeps per kind
    SHARED_FACTOR = 4,    // capacity of a pool of the process / capacity of a thread's pool
};

typedef struct list {
    edo__stack *first;
    edo_atomic(uint32_t) count;
} list;

typedef struct pool {
    list kinds[EDO__STACK_KINDS];
    void *signal_stack; // stack for signal handlers of this thread, or NULL
    edo__stack *left;   // stack of the fiber that ended last on this thread; not yet in a pool
    bool is_known;      // a thread-exit handler empties the pool
} pool;

static _Thread_local pool own __attribute__((tls_model("initial-exec")));
_Thread_local bool edo__stack_is_prepared;

static edo__lock lock;
static list shared[EDO__STACK_KINDS]; // guarded by the lock
static uint32_t generation;           // fork generation of the process that filled `shared`

static size_t size_of_kind(uint32_t kind)
{
    return (size_t)LEAST << kind;
}

static uint32_t most_kept(uint32_t kind)
{
    return (uint32_t)(KEPT_ROOM / size_of_kind(kind));
}

/* Changes the count of a list. The store is atomic, because the count of a shared list is read
 * without the lock. */
static void add_to_count(list *of, uint32_t change)
{
    edo_store_relaxed(&of->count, of->count + change);
}

static void push(list *to, edo__stack *stack)
{
    stack->next = to->first;
    to->first = stack;
    add_to_count(to, 1);
}

static edo__stack *pop(list *from)
{
    edo__stack *stack = from->first;
    if (!stack) return NULL;
    from->first = stack->next;
    add_to_count(from, (uint32_t)-1);
    return stack;
}

/* ---- mapping ---- */

/* Returns: the offset in a page at which the next stack starts. With equal offsets, all stacks
 * would share a few sets of the caches, and a thousand yielding fibers would cost ten times as
 * much. */
static uintptr_t next_color(void)
{
    static edo_atomic(uint32_t) count;
    return (uintptr_t)(edo_add_relaxed(&count, 1) % COLORS) * LINE;
}

static edo__stack *stack_in(const edo__stack_memory *memory, uint32_t kind)
{
    uintptr_t end = (uintptr_t)(memory->base + memory->size) & ~(uintptr_t)(LINE - 1);
    if (kind != EDO__STACK_LENT) end -= next_color();
    edo__stack *stack = (edo__stack *)(end - sizeof(edo__stack));
    *stack = (edo__stack){ .memory = *memory, .kind = kind };
    return stack;
}

static int map(size_t size, bool guarded, uint32_t kind, edo__stack **ret_stack)
{
    edo__stack_memory memory;
    int rc = edo__sys_stack_map(size, guarded, &memory);
    if (rc == 0) *ret_stack = stack_in(&memory, kind);
    return rc;
}

/* Unmaps a stack. Copies the description first, because the stack's header is in the memory that is
 * unmapped. */
static void unmap(edo__stack *stack)
{
    edo__stack_memory memory = stack->memory;
    edo__sys_stack_unmap(&memory);
}

static void unmap_all(edo__stack *first)
{
    for (edo__stack *next; first; first = next) {
        next = first->next;
        unmap(first);
    }
}

/* ---- the pools of the process ---- */

/* Takes the lock. In the child of a fork, the first call empties the pools: the fork may have
 * copied the links of the pools while another thread changed them. The stacks of these pools stay
 * mapped in the child. */
static void lock_shared(void)
{
    edo__lock_take(&lock);
    uint32_t mine = edo__sys_fork_generation();
    if (generation == mine) return;
    for (uint32_t kind = 0; kind < EDO__STACK_KINDS; kind++) {
        shared[kind].first = NULL;
        edo_store_relaxed(&shared[kind].count, 0);
    }
    generation = mine;
}

static void trim(edo__stack *stack)
{
    edo__sys_stack_trim(stack->memory.base + stack->memory.guard, (char *)stack);
}

/* Moves half of a thread's stacks to the pool of the process, and releases their pages. Only the
 * uppermost page of each stack stays in memory, because it has the link of the list. Stacks for
 * which the pool has no room are unmapped. */
static void share(list *from, uint32_t kind)
{
    uint32_t most = SHARED_FACTOR * most_kept(kind), half = from->count / 2;
    edo__stack *rest = NULL;
    for (uint32_t i = 0; i < half; i++) {
        edo__stack *stack = pop(from);
        trim(stack);
        lock_shared();
        bool fits = shared[kind].count < most;
        if (fits) push(&shared[kind], stack);
        edo__lock_give(&lock);
        if (fits) continue;
        stack->next = rest;
        rest = stack;
    }
    unmap_all(rest);
}

static void take_shared(list *to, uint32_t kind)
{
    enum { AT_ONCE = 32 };
    if (!edo_load_relaxed(&shared[kind].count)) return;
    lock_shared();
    for (uint32_t i = 0; i < AT_ONCE && shared[kind].first; i++)
        push(to, pop(&shared[kind]));
    edo__lock_give(&lock);
}

/* ---- the pools of a thread ---- */

static edo_atomic(uint32_t) key; // thread-specific key plus 1; 0: no key yet

static void drop(list *from)
{
    edo__stack *first = from->first;
    *from = (list){ NULL, 0 };
    unmap_all(first);
}

static void close_signal_stack(pool *mine)
{
    edo__sys_signal_stack_close(mine->signal_stack);
    mine->signal_stack = NULL;
    edo__stack_is_prepared = false;
}

static void give_left(pool *mine);

static void leave_thread(void *memory)
{
    pool *mine = memory;
    give_left(mine);
    for (uint32_t kind = 0; kind < EDO__STACK_KINDS; kind++)
        drop(&mine->kinds[kind]);
    close_signal_stack(mine);
    mine->is_known = false;
}

void edo__stack_drop_kept(void)
{
    pool *mine = &own;
    give_left(mine);
    for (uint32_t kind = 0; kind < EDO__STACK_KINDS; kind++) {
        lock_shared();
        list kept = shared[kind];
        shared[kind].first = NULL;
        edo_store_relaxed(&shared[kind].count, 0);
        edo__lock_give(&lock);
        drop(&kept);
        drop(&mine->kinds[kind]);
    }
    if (!edo__self.on_stack) close_signal_stack(mine);
}

/* Registers the thread's pool with a handler that empties the pool when the thread ends. Returns:
 * whether the pool is registered. If false, the thread keeps no stacks. */
static bool make_known(pool *mine)
{
    uint32_t made, none = 0;
    if (mine->is_known) return true;
    if (!edo_load_relaxed(&key)) {
        if (edo__sys_key_create(&made, leave_thread) < 0) return false;
        if (!edo_cas_relaxed(&key, &none, made + 1)) edo__sys_key_destroy(made);
    }
    mine->is_known = edo__sys_key_set(edo_load_relaxed(&key) - 1, mine) == 0;
    return mine->is_known;
}

void edo__stack_prepare_this_thread(void)
{
    pool *mine = &own;
    edo__stack_is_prepared = true;
    if (make_known(mine)) mine->signal_stack = edo__sys_signal_stack_open();
}

static size_t rounded(size_t size)
{
    if (!size) size = DEFAULT;
    size_t least = edo__sys_stack_least(), unit = edo__sys_stack_guard();
    if (size < least) size = least;
    return size > SIZE_MAX - unit ? size : (size + unit - 1) / unit * unit;
}

/* Finds the kind of stack for a size. Returns: the index of the kind's list in the pools;
 * EDO__STACK_UNPOOLED if the size is larger than the stacks of all kinds. */
static uint32_t kind_for(size_t size)
{
    uint32_t kind = 0;
    while (kind < EDO__STACK_KINDS && size_of_kind(kind) < size)
        kind++;
    return kind;
}

/* Finds the kind of stack for a size from the options. The search for the default size (0) is made
 * only once. */
static uint32_t kind_of(size_t size)
{
    static edo_atomic(uint32_t) usual; // kind of the default size, plus 1; 0: not known yet
    if (size) return kind_for(rounded(size));
    uint32_t kind = edo_load_relaxed(&usual);
    if (edo__unlikely(!kind)) edo_store_relaxed(&usual, kind = kind_for(rounded(0)) + 1);
    return kind - 1;
}

static void give_left(pool *mine)
{
    edo__stack *stack = mine->left;
    if (edo__likely(!stack)) return;
    mine->left = NULL;
    edo__stack_give(stack);
}

int edo__stack_take(size_t size, bool guarded, edo__stack **ret_stack)
{
    give_left(&own);
    uint32_t kind = guarded ? kind_of(size) : EDO__STACK_UNPOOLED;
    if (kind == EDO__STACK_UNPOOLED) return map(rounded(size), guarded, kind, ret_stack);
    list *mine = &own.kinds[kind];
    if (!mine->first) take_shared(mine, kind);
    edo__stack *stack = pop(mine);
    if (!stack) return map(size_of_kind(kind), true, kind, ret_stack);
    *ret_stack = stack;
    return 0;
}

int edo__stack_lend(void *memory, size_t size, edo__stack **ret_stack)
{
    edo__stack_memory lent = { .base = memory, .size = size };
    if (size < LEAST_LENT) return -EINVAL;
    edo__sys_stack_watch(&lent);
    *ret_stack = stack_in(&lent, EDO__STACK_LENT);
    return 0;
}

void edo__stack_give(edo__stack *stack)
{
    uint32_t kind = stack->kind;
    if (kind == EDO__STACK_LENT) {
        edo__sys_stack_unwatch(&stack->memory);
    } else if (kind == EDO__STACK_UNPOOLED || !make_known(&own)) {
        unmap(stack);
    } else {
        push(&own.kinds[kind], stack);
        if (own.kinds[kind].count > most_kept(kind)) share(&own.kinds[kind], kind);
    }
}

/* Releases the current stack. Lent memory belongs to the user again when the task has ended. So
 * this module keeps no pointer to a lent stack. */
void edo__stack_give_last(edo__stack *stack)
{
    give_left(&own);
    if (stack->kind == EDO__STACK_LENT)
        edo__sys_stack_unwatch(&stack->memory);
    else
        own.left = stack;
}
