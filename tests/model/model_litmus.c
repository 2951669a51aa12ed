/* Litmus tests with known answers: each outcome that C11 allows is found, and no other.
 */
#include "model/model.h"

/* Two locations and four results, reset for every execution. */
static struct {
    uint32_t x, y, z;
    unsigned a, b, c, d;
} * s;

#define LOAD(p, order)     ((unsigned)model_load_as((p), (order)))
#define STORE(p, v, order) model_store_as((p), (v), (order))
#define RELAXED            MODEL_RELAXED
#define ACQUIRE            MODEL_ACQUIRE
#define RELEASE            MODEL_RELEASE
#define ACQ_REL            MODEL_ACQ_REL
#define SEQ_CST            MODEL_SEQ_CST

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    s->x = s->y = s->z = 0;
    s->a = s->b = s->c = s->d = 9;
}

static void run(void (*first)(void *), void (*second)(void *), void (*third)(void *),
                void (*fourth)(void *))
{
    void (*threads[])(void *) = { first, second, third, fourth };
    int numbers[4], count = 0;
    for (int i = 0; i < 4 && threads[i]; i++)
        numbers[count++] = model_start(threads[i], NULL);
    for (int i = 0; i < count; i++)
        model_join(numbers[i]);
}

#define STEPS(name, ...)                                                                           \
    THREAD(name)                                                                                   \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* ---- store buffering: Dekker's heart ---- */

#define STORE_BUFFERING(id, store_order, fence, load_order, outcomes)                              \
    STEPS(id##_1, STORE(&s->x, 1, store_order); fence; s->a = LOAD(&s->y, load_order);)            \
    STEPS(id##_2, STORE(&s->y, 1, store_order); fence; s->b = LOAD(&s->x, load_order);)            \
    MODEL_LITMUS(id, "store buffering: stores " #store_order ", loads " #load_order, outcomes)     \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, NULL, NULL);                                                           \
        model_outcome("a=%u b=%u", s->a, s->b);                                                    \
    }

STORE_BUFFERING(sb_relaxed, RELAXED, (void)0, RELAXED, "a=0 b=0\na=0 b=1\na=1 b=0\na=1 b=1\n")
STORE_BUFFERING(sb_acq_rel, RELEASE, (void)0, ACQUIRE, "a=0 b=0\na=0 b=1\na=1 b=0\na=1 b=1\n")
STORE_BUFFERING(sb_seq_cst, SEQ_CST, (void)0, SEQ_CST, "a=0 b=1\na=1 b=0\na=1 b=1\n")
STORE_BUFFERING(sb_fences, RELAXED, model_fence(SEQ_CST, MODEL_HERE), RELAXED,
                "a=0 b=1\na=1 b=0\na=1 b=1\n")

/* ---- message passing ---- */

#define MESSAGE_PASSING(id, store_order, load_order, before, after, outcomes)                      \
    STEPS(id##_1, STORE(&s->x, 1, RELAXED); before; STORE(&s->y, 1, store_order);)                 \
    STEPS(id##_2, s->a = LOAD(&s->y, load_order); after; s->b = LOAD(&s->x, RELAXED);)             \
    MODEL_LITMUS(id, "message passing: store " #store_order ", load " #load_order, outcomes)       \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, NULL, NULL);                                                           \
        model_outcome("a=%u b=%u", s->a, s->b);                                                    \
    }

#define ALL_FOUR     "a=0 b=0\na=0 b=1\na=1 b=0\na=1 b=1\n"
#define NOT_BOTH     "a=0 b=1\na=1 b=0\na=1 b=1\n"
#define NOT_LOST     "a=0 b=0\na=0 b=1\na=1 b=1\n"
#define FENCE(order) model_fence(order, MODEL_HERE)

MESSAGE_PASSING(mp_relaxed, RELAXED, RELAXED, (void)0, (void)0, ALL_FOUR)
MESSAGE_PASSING(mp_release_only, RELEASE, RELAXED, (void)0, (void)0, ALL_FOUR)
MESSAGE_PASSING(mp_acquire_only, RELAXED, ACQUIRE, (void)0, (void)0, ALL_FOUR)
MESSAGE_PASSING(mp_acq_rel, RELEASE, ACQUIRE, (void)0, (void)0, NOT_LOST)
MESSAGE_PASSING(mp_fences, RELAXED, RELAXED, FENCE(RELEASE), FENCE(ACQUIRE), NOT_LOST)
MESSAGE_PASSING(mp_release_fence_acquire, RELAXED, ACQUIRE, FENCE(RELEASE), (void)0, NOT_LOST)
MESSAGE_PASSING(mp_release_acquire_fence, RELEASE, RELAXED, (void)0, FENCE(ACQUIRE), NOT_LOST)
MESSAGE_PASSING(mp_one_fence, RELAXED, RELAXED, FENCE(RELEASE), (void)0, ALL_FOUR)

/* ---- independent reads of independent writes ---- */

#define IRIW(id, store_order, load_order, fence, outcomes)                                         \
    STEPS(id##_1, STORE(&s->x, 1, store_order);)                                                   \
    STEPS(id##_2, STORE(&s->y, 1, store_order);)                                                   \
    STEPS(id##_3, s->a = LOAD(&s->x, load_order); fence; s->b = LOAD(&s->y, load_order);)          \
    STEPS(id##_4, s->c = LOAD(&s->y, load_order); fence; s->d = LOAD(&s->x, load_order);)          \
    MODEL_LITMUS(id,                                                                               \
                 "independent reads of independent writes (IRIW): stores " #store_order            \
                 ", loads " #load_order,                                                           \
                 outcomes)                                                                         \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, id##_3, id##_4);                                                       \
        bool split = s->a == 1 && s->b == 0 && s->c == 1 && s->d == 0;                             \
        model_outcome(split ? "orders differ" : "one order");                                      \
    }

IRIW(iriw_relaxed, RELAXED, RELAXED, (void)0, "one order\norders differ\n")
IRIW(iriw_acq_rel, RELEASE, ACQUIRE, (void)0, "one order\norders differ\n")
IRIW(iriw_seq_cst, SEQ_CST, SEQ_CST, (void)0, "one order\n")
IRIW(iriw_fences, RELAXED, RELAXED, FENCE(SEQ_CST), "one order\n")

/* ---- 2+2W ---- */
#define TWO_WRITES(id, order, outcomes)                                                            \
    STEPS(id##_1, STORE(&s->x, 1, order); STORE(&s->y, 2, order);)                                 \
    STEPS(id##_2, STORE(&s->y, 1, order); STORE(&s->x, 2, order);)                                 \
    MODEL_LITMUS(id, "two writes each (2+2W): " #order, outcomes)                                  \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, NULL, NULL);                                                           \
        s->a = LOAD(&s->x, RELAXED);                                                               \
        s->b = LOAD(&s->y, RELAXED);                                                               \
        model_outcome("x=%u y=%u", s->a, s->b);                                                    \
    }

TWO_WRITES(two_writes_relaxed, RELAXED, "x=1 y=1\nx=1 y=2\nx=2 y=1\nx=2 y=2\n")
TWO_WRITES(two_writes_acq_rel, RELEASE, "x=1 y=1\nx=1 y=2\nx=2 y=1\nx=2 y=2\n")
TWO_WRITES(two_writes_seq_cst, SEQ_CST, "x=1 y=2\nx=2 y=1\nx=2 y=2\n")

/* ---- coherence of one location ---- */

STEPS(corr_writer, STORE(&s->x, 1, RELAXED); STORE(&s->x, 2, RELAXED);)
STEPS(corr_reader, s->a = LOAD(&s->x, RELAXED); s->b = LOAD(&s->x, RELAXED);)

MODEL_LITMUS(corr, "two reads never go backwards",
             "a=0 b=0\na=0 b=1\na=0 b=2\na=1 b=1\na=1 b=2\na=2 b=2\n")
{
    set_up();
    run(corr_writer, corr_reader, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

STEPS(corr2_first, STORE(&s->x, 1, RELAXED);)
STEPS(corr2_second, STORE(&s->x, 2, RELAXED);)
STEPS(corr2_third, s->a = LOAD(&s->x, RELAXED); s->b = LOAD(&s->x, RELAXED);)
STEPS(corr2_fourth, s->c = LOAD(&s->x, RELAXED); s->d = LOAD(&s->x, RELAXED);)

MODEL_LITMUS(corr2, "two readers agree on the order of two writes", "one order\n")
{
    set_up();
    run(corr2_first, corr2_second, corr2_third, corr2_fourth);
    bool differ = s->a == 1 && s->b == 2 && s->c == 2 && s->d == 1;
    model_outcome(differ ? "orders differ" : "one order");
}

STEPS(cowr_first, STORE(&s->x, 1, RELAXED); s->a = LOAD(&s->x, RELAXED);)
STEPS(cowr_second, STORE(&s->x, 2, RELAXED);)

MODEL_LITMUS(cowr, "a read after a write of one's own never sees what came before it", "a=1\na=2\n")
{
    set_up();
    run(cowr_first, cowr_second, NULL, NULL);
    model_outcome("a=%u", s->a);
}

STEPS(corw_first, s->a = LOAD(&s->x, RELAXED); STORE(&s->x, 1, RELAXED);)
STEPS(corw_second, STORE(&s->x, 2, RELAXED);)

MODEL_LITMUS(corw, "a write after a read comes after what was read", "a=0 x=1\na=0 x=2\na=2 x=1\n")
{
    set_up();
    run(corw_first, corw_second, NULL, NULL);
    s->b = LOAD(&s->x, RELAXED);
    model_outcome("a=%u x=%u", s->a, s->b);
}

STEPS(coww_first, STORE(&s->x, 1, RELAXED); STORE(&s->x, 2, RELAXED);)

MODEL_LITMUS(coww, "two writes of one thread keep their order", "x=2\n")
{
    set_up();
    run(coww_first, NULL, NULL, NULL);
    model_outcome("x=%u", LOAD(&s->x, RELAXED));
}

/* ---- read-modify-writes ---- */

#define ADD(p, order) ((unsigned)model_modify_as((p), MODEL_ADD, 1, (order)))

STEPS(rmw_add, s->a = ADD(&s->x, RELAXED);)
STEPS(rmw_add_too, s->b = ADD(&s->x, RELAXED);)

MODEL_LITMUS(rmw_atomic, "two increments are never lost, however relaxed",
             "a=0 b=1 x=2\na=1 b=0 x=2\n")
{
    set_up();
    run(rmw_add, rmw_add_too, NULL, NULL);
    model_outcome("a=%u b=%u x=%u", s->a, s->b, LOAD(&s->x, RELAXED));
}

#define TRY_CAS(p, from, to, order)                                                                \
    (__extension__({                                                                               \
        uint32_t expected_ = (from);                                                               \
        model_cas_as((p), &expected_, (to), (order), RELAXED);                                     \
    }))

STEPS(cas_first, s->a = TRY_CAS(&s->x, 0, 1, RELAXED);)
STEPS(cas_second, s->b = TRY_CAS(&s->x, 0, 2, RELAXED);)

MODEL_LITMUS(cas_one_wins, "of two compare-and-swaps from one value exactly one wins",
             "a=0 b=1 x=2\na=1 b=0 x=1\n")
{
    set_up();
    run(cas_first, cas_second, NULL, NULL);
    model_outcome("a=%u b=%u x=%u", s->a, s->b, LOAD(&s->x, RELAXED));
}

/* ---- release sequences ---- */

#define RELEASE_SEQUENCE(id, middle, outcomes)                                                     \
    STEPS(id##_1, STORE(&s->x, 1, RELAXED); STORE(&s->y, 1, RELEASE);)                             \
    STEPS(id##_2, middle;)                                                                         \
    STEPS(id##_3, s->a = LOAD(&s->y, ACQUIRE); s->b = LOAD(&s->x, RELAXED);)                       \
    MODEL_LITMUS(id, "release sequence", outcomes)                                                 \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, id##_3, NULL);                                                         \
        bool lost = s->a == 2 && s->b == 0;                                                        \
        model_outcome(lost ? "message lost" : "message seen, or none");                            \
    }

/* y becomes 2 only by the increment of the released 1, which continues the release sequence. */
RELEASE_SEQUENCE(release_sequence_rmw, (void)ADD(&s->y, RELAXED), "message seen, or none\n")
RELEASE_SEQUENCE(release_sequence_store, STORE(&s->y, 2, RELAXED),
                 "message lost\nmessage seen, or none\n")

/* In C11, later relaxed stores of the releasing thread continue the release sequence; C++20 removed
 * that. The checker follows C++20: it allows more outcomes, and so demands more of the code. */
STEPS(same_thread_1, STORE(&s->x, 1, RELAXED); STORE(&s->y, 1, RELEASE); STORE(&s->y, 2, RELAXED);)
STEPS(same_thread_2, s->a = LOAD(&s->y, ACQUIRE); s->b = LOAD(&s->x, RELAXED);)

MODEL_LITMUS(release_sequence_same_thread,
             "a relaxed store of the releasing thread ends the sequence",
             "a=0 b=0\na=0 b=1\na=1 b=1\na=2 b=0\na=2 b=1\n")
{
    set_up();
    run(same_thread_1, same_thread_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

/* ---- causality over three threads ---- */

#define CAUSALITY(id, store_order, load_order, outcomes)                                           \
    STEPS(id##_1, STORE(&s->x, 1, store_order);)                                                   \
    STEPS(id##_2, if (LOAD(&s->x, load_order)) STORE(&s->y, 1, store_order);)                      \
    STEPS(id##_3, s->a = LOAD(&s->y, load_order); s->b = LOAD(&s->x, RELAXED);)                    \
    MODEL_LITMUS(id, "write-to-read causality", outcomes)                                          \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, id##_3, NULL);                                                         \
        model_outcome(s->a == 1 && s->b == 0 ? "cause unseen" : "cause seen");                     \
    }

CAUSALITY(wrc_relaxed, RELAXED, RELAXED, "cause seen\ncause unseen\n")
CAUSALITY(wrc_acq_rel, RELEASE, ACQUIRE, "cause seen\n")

/* ---- mixes with seq_cst ---- */

STEPS(mix_sb_1, STORE(&s->x, 1, SEQ_CST); s->a = LOAD(&s->y, SEQ_CST);)
STEPS(mix_sb_2, STORE(&s->y, 1, SEQ_CST); s->b = LOAD(&s->x, ACQUIRE);)

MODEL_LITMUS(sb_one_weak_load, "store buffering with one weaker load: both may miss", ALL_FOUR)
{
    set_up();
    run(mix_sb_1, mix_sb_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

STEPS(mix_fence_1, STORE(&s->x, 1, RELAXED); FENCE(SEQ_CST); s->a = LOAD(&s->y, RELAXED);)
STEPS(mix_fence_2, STORE(&s->y, 1, SEQ_CST); s->b = LOAD(&s->x, SEQ_CST);)

MODEL_LITMUS(sb_fence_and_access,
             "a seq_cst fence here, seq_cst accesses there: one sees the other",
             "a=0 b=1\na=1 b=0\na=1 b=1\n")
{
    set_up();
    run(mix_fence_1, mix_fence_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

STEPS(mix_one_fence_1, STORE(&s->x, 1, RELAXED); FENCE(SEQ_CST); s->a = LOAD(&s->y, RELAXED);)
STEPS(mix_one_fence_2, STORE(&s->y, 1, RELAXED); FENCE(ACQ_REL); s->b = LOAD(&s->x, RELAXED);)

MODEL_LITMUS(sb_one_fence_weak, "one of the two fences weaker: both may miss", ALL_FOUR)
{
    set_up();
    run(mix_one_fence_1, mix_one_fence_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

STEPS(mix_rmw_1, (void)ADD(&s->x, SEQ_CST); s->a = LOAD(&s->y, SEQ_CST);)
STEPS(mix_rmw_2, (void)ADD(&s->y, SEQ_CST); s->b = LOAD(&s->x, SEQ_CST);)

MODEL_LITMUS(sb_rmw, "store buffering with seq_cst increments", NOT_BOTH)
{
    set_up();
    run(mix_rmw_1, mix_rmw_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

STEPS(mix_iriw_1, STORE(&s->x, 1, RELAXED);)
STEPS(mix_iriw_2, STORE(&s->y, 1, RELAXED);)
STEPS(mix_iriw_3, s->a = LOAD(&s->x, SEQ_CST); s->b = LOAD(&s->y, SEQ_CST);)
STEPS(mix_iriw_4, s->c = LOAD(&s->y, SEQ_CST); s->d = LOAD(&s->x, SEQ_CST);)

/* C11, 7.17.3: a seq_cst load may read a store that is not seq_cst, in no order with the others. */
MODEL_LITMUS(iriw_seq_cst_loads, "seq_cst loads of relaxed stores: the readers may differ",
             "one order\norders differ\n")
{
    set_up();
    run(mix_iriw_1, mix_iriw_2, mix_iriw_3, mix_iriw_4);
    bool split = s->a == 1 && s->b == 0 && s->c == 1 && s->d == 0;
    model_outcome(split ? "orders differ" : "one order");
}

/* ---- load buffering, which the checker leaves out: C11 allows a=1 b=1 for relaxed orders ---- */

STEPS(lb_1, s->a = LOAD(&s->x, RELAXED); STORE(&s->y, 1, RELAXED);)
STEPS(lb_2, s->b = LOAD(&s->y, RELAXED); STORE(&s->x, 1, RELAXED);)

MODEL_LITMUS(load_buffering_left_out, "load buffering is not explored, as the page says",
             "a=0 b=0\na=0 b=1\na=1 b=0\n")
{
    set_up();
    run(lb_1, lb_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}

/* ---- hand-over by other means ---- */

static uint32_t lock_word;

STEPS(locked_1, model_lock(&lock_word, MODEL_HERE); STORE(&s->x, 1, RELAXED);
      STORE(&s->y, 1, RELAXED); model_unlock(&lock_word, MODEL_HERE);)
STEPS(locked_2, model_lock(&lock_word, MODEL_HERE); s->a = LOAD(&s->x, RELAXED);
      s->b = LOAD(&s->y, RELAXED); model_unlock(&lock_word, MODEL_HERE);)

MODEL_LITMUS(locked, "what a lock guards is seen as a whole", "a=0 b=0\na=1 b=1\n")
{
    set_up();
    run(locked_1, locked_2, NULL, NULL);
    model_outcome("a=%u b=%u", s->a, s->b);
}
