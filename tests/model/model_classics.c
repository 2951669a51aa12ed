/* Known algorithms: the broken ones must be reported, the correct ones must pass. Each broken one
 * differs from its correct form in the line named by the model.
 */
#include "model/atomic.h"
#include "model/model.h"

/* Marked accesses of plain memory. */
#define READ(x)     (edo_plain_read(&(x)), (x))
#define WRITE(x, v) (edo_plain_write(&(x)), (void)((x) = (v)))

/* ---- Dekker's mutual exclusion: each thread sets its flag, then reads the other's ---- */

static struct {
    uint32_t wants[2];
    unsigned inside;
} * dekker;

#define DEKKER(id, STORE, LOAD)                                                                    \
    static void id##_enter(int self)                                                               \
    {                                                                                              \
        STORE(&dekker->wants[self], 1);                                                            \
        if (!LOAD(&dekker->wants[1 - self])) WRITE(dekker->inside, (unsigned)self);                \
    }                                                                                              \
    THREAD(id##_other)                                                                             \
    {                                                                                              \
        id##_enter(1);                                                                             \
    }                                                                                              \
    static void id##_run(void)                                                                     \
    {                                                                                              \
        dekker = model_alloc_static(sizeof *dekker);                                               \
        dekker->wants[0] = dekker->wants[1] = 0;                                                   \
        int other = model_start(id##_other, NULL);                                                 \
        id##_enter(0);                                                                             \
        model_join(other);                                                                         \
    }

DEKKER(dekker_good, edo_store_seq_cst, edo_load_seq_cst)
DEKKER(dekker_bad, edo_store_release, edo_load_acquire)

MODEL(dekker_seq_cst, "Dekker: at most one is inside")
{
    dekker_good_run();
}

MODEL_BROKEN(dekker_acq_rel, "Dekker without seq_cst: both may be inside", "data race")
{
    dekker_bad_run();
}

/* ---- double-checked locking ---- */

static struct {
    uint32_t lock;
    int *object;
    int value;
} * once;

#define ONCE(id, LOAD, STORE)                                                                      \
    static int id##_get(void)                                                                      \
    {                                                                                              \
        int *object = LOAD(&once->object);                                                         \
        if (!object) {                                                                             \
            model_lock(&once->lock, MODEL_HERE);                                                   \
            object = edo_load_relaxed(&once->object);                                              \
            if (!object) {                                                                         \
                object = &once->value;                                                             \
                WRITE(*object, 42);                                                                \
                STORE(&once->object, object);                                                      \
            }                                                                                      \
            model_unlock(&once->lock, MODEL_HERE);                                                 \
        }                                                                                          \
        return READ(*object);                                                                      \
    }                                                                                              \
    THREAD(id##_other)                                                                             \
    {                                                                                              \
        model_assert(id##_get() == 42);                                                            \
    }                                                                                              \
    static void id##_run(void)                                                                     \
    {                                                                                              \
        once = model_alloc_static(sizeof *once);                                                   \
        once->lock = 0;                                                                            \
        once->object = NULL;                                                                       \
        int other = model_start(id##_other, NULL);                                                 \
        model_assert(id##_get() == 42);                                                            \
        model_join(other);                                                                         \
    }

ONCE(once_good, edo_load_acquire, edo_store_release)
ONCE(once_bad, edo_load_relaxed, edo_store_relaxed)

MODEL(double_checked_lock, "double-checked locking: the object is whole when it is seen")
{
    once_good_run();
}

MODEL_BROKEN(double_checked_relaxed, "double-checked locking with relaxed orders", "data race")
{
    once_bad_run();
}

/* ---- Treiber's stack, and ABA ---- */

typedef struct node {
    struct node *next;
    unsigned popped;
} node;

static struct {
    node *top;
    node nodes[3];
} * stack;

static void push(node *n)
{
    node *top = edo_load_relaxed(&stack->top);
    do {
        edo_store_relaxed(&n->next, top);
    } while (!edo_cas_release(&stack->top, &top, n));
}

static node *pop(void)
{
    node *top = edo_load_acquire(&stack->top);
    while (top && !edo_cas_acq_rel(&stack->top, &top, edo_load_relaxed(&top->next)))
        continue;
    return top;
}

static void stack_set_up(unsigned count)
{
    stack = model_alloc_static(sizeof *stack);
    stack->top = NULL;
    for (unsigned i = 0; i < 3; i++)
        stack->nodes[i] = (node){ 0 };
    for (unsigned i = 0; i < count; i++)
        push(&stack->nodes[i]);
}

THREAD(stack_pop_two_push_one)
{
    node *a = pop(), *b = pop();
    if (a && b) {
        WRITE(b->popped, b->popped + 1);
        push(a); // the same top again, above another node
    }
}

MODEL_BROKEN(stack_aba, "a stack with pop: the same top does not mean the same stack (ABA)",
             "assertion failed")
{
    stack_set_up(2);
    int other = model_start(stack_pop_two_push_one, NULL);
    node *a = pop(), *b = pop();
    if (a && b) WRITE(b->popped, b->popped + 1);
    model_join(other);
    model_assert(stack->nodes[0].popped + stack->nodes[1].popped <= 1);
}

THREAD(stack_push)
{
    WRITE(stack->nodes[0].popped, 7);
    push(&stack->nodes[0]);
}

MODEL(stack_push_swap, "a stack that is emptied as a whole: nothing is lost, all is seen")
{
    stack_set_up(0);
    int other = model_start(stack_push, NULL);
    WRITE(stack->nodes[1].popped, 7);
    push(&stack->nodes[1]);
    unsigned count = 0;
    for (int round = 0; round < 2; round++) {
        node *n = edo_swap_acquire(&stack->top, NULL);
        for (; n; n = edo_load_relaxed(&n->next), count++)
            model_assert(READ(n->popped) == 7);
        if (round == 0) model_join(other);
    }
    model_assert(count == 2);
}

/* ---- a lost wake-up between the check and the sleep ---- */

static struct {
    uint32_t ready, parked;
    model_event event;
} * park;

static void park_set_up(void)
{
    park = model_alloc_static(sizeof *park);
    *park = (typeof(*park)){ 0 };
}

THREAD(wake_if_parked)
{
    edo_store_seq_cst(&park->ready, 1);
    if (edo_load_seq_cst(&park->parked)) model_post(&park->event);
}

MODEL(park_check_again, "says that it parks, then checks again: no wake is lost")
{
    park_set_up();
    int other = model_start(wake_if_parked, NULL);
    edo_store_seq_cst(&park->parked, 1);
    if (!edo_load_seq_cst(&park->ready)) model_wait(&park->event);
    model_join(other);
}

MODEL_BROKEN(park_check_before, "checks, then says that it parks: a wake in between is lost",
             "deadlock")
{
    park_set_up();
    int other = model_start(wake_if_parked, NULL);
    if (!edo_load_seq_cst(&park->ready)) {
        edo_store_seq_cst(&park->parked, 1);
        model_wait(&park->event);
    }
    model_join(other);
}

/* ---- a seqlock (Boehm, "Can Seqlocks Get Along with Programming Language Memory Models?", 2012) ---- */

static struct {
    uint32_t sequence, a, b;
} * seq;

#define SEQLOCK(id, WRITER_FENCE, READER_FENCE)                                                    \
    THREAD(id##_writer)                                                                            \
    {                                                                                              \
        edo_store_relaxed(&seq->sequence, 1);                                                      \
        WRITER_FENCE;                                                                              \
        edo_store_relaxed(&seq->a, 1);                                                             \
        edo_store_relaxed(&seq->b, 1);                                                             \
        edo_store_release(&seq->sequence, 2);                                                      \
    }                                                                                              \
    static void id##_run(void)                                                                     \
    {                                                                                              \
        seq = model_alloc_static(sizeof *seq);                                                     \
        *seq = (typeof(*seq)){ 0 };                                                                \
        int other = model_start(id##_writer, NULL);                                                \
        uint32_t before = edo_load_acquire(&seq->sequence);                                        \
        uint32_t a = edo_load_relaxed(&seq->a), b = edo_load_relaxed(&seq->b);                     \
        READER_FENCE;                                                                              \
        uint32_t after = edo_load_relaxed(&seq->sequence);                                         \
        if (before == after && before % 2 == 0) model_assert(a == b);                              \
        model_join(other);                                                                         \
    }

SEQLOCK(seqlock_good, model_fence(MODEL_RELEASE, MODEL_HERE),
        model_fence(MODEL_ACQUIRE, MODEL_HERE))
SEQLOCK(seqlock_bad_reader, model_fence(MODEL_RELEASE, MODEL_HERE), (void)0)
SEQLOCK(seqlock_bad_writer, (void)0, model_fence(MODEL_ACQUIRE, MODEL_HERE))

MODEL(seqlock_fences, "a seqlock: a reader that saw no change has a whole picture")
{
    seqlock_good_run();
}

MODEL_BROKEN(seqlock_no_reader_fence, "a seqlock whose reader lacks its fence", "assertion failed")
{
    seqlock_bad_reader_run();
}

MODEL_BROKEN(seqlock_no_writer_fence, "a seqlock whose writer lacks its fence", "assertion failed")
{
    seqlock_bad_writer_run();
}

/* ---- the Chase-Lev deque (Le, Pop, Cohen, Zappa Nardelli, "Correct and Efficient Work-Stealing for
 * Weak Memory Models", PPoPP 2013), without growth ---- */

enum { DEQUE_SIZE = 4 };

static struct {
    int64_t top, bottom;
    uint32_t items[DEQUE_SIZE];
    unsigned taken[DEQUE_SIZE + 1];
} * deque;

static void deque_push(uint32_t item)
{
    int64_t bottom = edo_load_relaxed(&deque->bottom);
    edo_store_relaxed(&deque->items[bottom % DEQUE_SIZE], item);
    model_fence(MODEL_RELEASE, MODEL_HERE);
    edo_store_relaxed(&deque->bottom, bottom + 1);
}

#define DEQUE_TAKE(id, FENCE)                                                                      \
    static uint32_t id(void)                                                                       \
    {                                                                                              \
        int64_t bottom = edo_load_relaxed(&deque->bottom) - 1;                                     \
        edo_store_relaxed(&deque->bottom, bottom);                                                 \
        FENCE;                                                                                     \
        int64_t top = edo_load_relaxed(&deque->top);                                               \
        if (top > bottom) {                                                                        \
            edo_store_relaxed(&deque->bottom, bottom + 1);                                         \
            return 0;                                                                              \
        }                                                                                          \
        uint32_t item = edo_load_relaxed(&deque->items[bottom % DEQUE_SIZE]);                      \
        if (top < bottom) return item;                                                             \
        bool won = edo_cas_acq_rel(&deque->top, &top, top + 1);                                    \
        edo_store_relaxed(&deque->bottom, bottom + 1);                                             \
        return won ? item : 0;                                                                     \
    }

#define DEQUE_STEAL(id, FENCE)                                                                     \
    static uint32_t id(void)                                                                       \
    {                                                                                              \
        int64_t top = edo_load_acquire(&deque->top);                                               \
        FENCE;                                                                                     \
        int64_t bottom = edo_load_acquire(&deque->bottom);                                         \
        if (top >= bottom) return 0;                                                               \
        uint32_t item = edo_load_relaxed(&deque->items[top % DEQUE_SIZE]);                         \
        return edo_cas_acq_rel(&deque->top, &top, top + 1) ? item : 0;                             \
    }

#define SEQ_CST_FENCE model_fence(MODEL_SEQ_CST, MODEL_HERE)
DEQUE_TAKE(deque_take, SEQ_CST_FENCE)
DEQUE_TAKE(deque_take_weak, model_fence(MODEL_ACQ_REL, MODEL_HERE))
DEQUE_STEAL(deque_steal, SEQ_CST_FENCE)

static void deque_took(uint32_t item)
{
    if (item) edo_plain_write(&deque->taken[item]); // taking the same item twice is a race
}

THREAD(deque_thief)
{
    deque_took(deque_steal());
    deque_took(deque_steal());
}

#define DEQUE(TAKE)                                                                                \
    do {                                                                                           \
        deque = model_alloc_static(sizeof *deque);                                                 \
        *deque = (typeof(*deque)){ 0 };                                                            \
        deque_push(1);                                                                             \
        deque_push(2);                                                                             \
        int thief = model_start(deque_thief, NULL);                                                \
        deque_took(TAKE());                                                                        \
        deque_took(TAKE());                                                                        \
        model_join(thief);                                                                         \
    } while (0)

MODEL(chase_lev, "the Chase-Lev deque: no item is taken twice")
{
    DEQUE(deque_take);
}

MODEL_BROKEN(chase_lev_weak_take, "the same with acq_rel for the seq_cst fence of the owner",
             "data race")
{
    DEQUE(deque_take_weak);
}

/* ---- a reference count ---- */

static struct counted {
    uint32_t refs, value;
} * counted;

#define COUNTED(id, SUB)                                                                           \
    static void id##_drop(void)                                                                    \
    {                                                                                              \
        struct counted *c = counted;                                                               \
        (void)READ(c->value);                                                                      \
        if (SUB(&c->refs, 1) == 1) model_free(c);                                                  \
    }                                                                                              \
    THREAD(id##_other)                                                                             \
    {                                                                                              \
        id##_drop();                                                                               \
    }                                                                                              \
    static void id##_run(void)                                                                     \
    {                                                                                              \
        counted = model_alloc(sizeof *counted);                                                    \
        *counted = (struct counted){ .refs = 2 };                                                  \
        int other = model_start(id##_other, NULL);                                                 \
        id##_drop();                                                                               \
        model_join(other);                                                                         \
    }

COUNTED(counted_good, edo_sub_acq_rel)
COUNTED(counted_bad, edo_sub_release)

MODEL(reference_count, "the last one frees, after all others have let go")
{
    counted_good_run();
}

MODEL_BROKEN(reference_count_no_acquire, "the last one frees without having seen the others",
             "use after free")
{
    counted_bad_run();
}

/* ---- other mistakes that must be reported ---- */

THREAD(spin_for_flag)
{
    while (!edo_load_relaxed(&park->ready))
        model_yield(MODEL_HERE);
}

MODEL_BROKEN(spin_for_ever, "two threads that wait for each other by spinning", "endless spinning")
{
    park_set_up();
    int other = model_start(spin_for_flag, NULL);
    while (!edo_load_relaxed(&park->parked))
        model_yield(MODEL_HERE);
    model_join(other);
}

THREAD(set_flag)
{
    edo_store_relaxed(&park->ready, 1);
}

MODEL(spin_ends, "a thread that spins sees the store in the end")
{
    park_set_up();
    int other = model_start(set_flag, NULL);
    while (!edo_load_relaxed(&park->ready))
        model_yield(MODEL_HERE);
    model_join(other);
}

MODEL_BROKEN(leak, "memory that nobody frees", "leak")
{
    model_alloc(1);
}

MODEL_BROKEN(double_free, "memory that is freed twice", "double free")
{
    void *memory = model_alloc(1);
    model_free(memory);
    model_free(memory);
}

static struct {
    uint32_t a, b;
} * locks;

THREAD(lock_other_way)
{
    model_lock(&locks->b, MODEL_HERE);
    model_lock(&locks->a, MODEL_HERE);
    model_unlock(&locks->a, MODEL_HERE);
    model_unlock(&locks->b, MODEL_HERE);
}

MODEL_BROKEN(lock_order, "two locks taken in both orders", "deadlock")
{
    locks = model_alloc_static(sizeof *locks);
    locks->a = locks->b = 0;
    int other = model_start(lock_other_way, NULL);
    model_lock(&locks->a, MODEL_HERE);
    model_lock(&locks->b, MODEL_HERE);
    model_unlock(&locks->b, MODEL_HERE);
    model_unlock(&locks->a, MODEL_HERE);
    model_join(other);
}
