/* Litmus tests with known answers: each outcome that C11 allows is found, and no other. */
#include "model/model.h"

int main(int argc, char **argv)
{
    return model_main(argc, argv);
}

/* Two locations and four results, set anew for every execution. */
static struct {
    uint32_t x, y, z;
    unsigned a, b, c, d;
} * s;

#define LOAD(p, order)     ((unsigned)model_load_as((p), (order)))
#define STORE(p, v, order) model_store_as((p), (v), (order))
#define RELAXED            MODEL_RELAXED
#define ACQUIRE            MODEL_ACQUIRE
#define RELEASE            MODEL_RELEASE
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

#define THREAD(name, ...)                                                                          \
    static void name(void *argument)                                                               \
    {                                                                                              \
        (void)argument;                                                                            \
        __VA_ARGS__                                                                                \
    }

/* ---- store buffering: Dekker's heart ---- */

#define STORE_BUFFERING(id, store_order, fence, load_order, outcomes)                              \
    THREAD(id##_1, STORE(&s->x, 1, store_order); fence; s->a = LOAD(&s->y, load_order);)           \
    THREAD(id##_2, STORE(&s->y, 1, store_order); fence; s->b = LOAD(&s->x, load_order);)           \
    MODEL_LITMUS(id, "store buffering", outcomes)                                                  \
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
    THREAD(id##_1, STORE(&s->x, 1, RELAXED); before; STORE(&s->y, 1, store_order);)                \
    THREAD(id##_2, s->a = LOAD(&s->y, load_order); after; s->b = LOAD(&s->x, RELAXED);)            \
    MODEL_LITMUS(id, "message passing", outcomes)                                                  \
    {                                                                                              \
        set_up();                                                                                  \
        run(id##_1, id##_2, NULL, NULL);                                                           \
        model_outcome("a=%u b=%u", s->a, s->b);                                                    \
    }

#define ALL_FOUR     "a=0 b=0\na=0 b=1\na=1 b=0\na=1 b=1\n"
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
    THREAD(id##_1, STORE(&s->x, 1, store_order);)                                                  \
    THREAD(id##_2, STORE(&s->y, 1, store_order);)                                                  \
    THREAD(id##_3, s->a = LOAD(&s->x, load_order); fence; s->b = LOAD(&s->y, load_order);)         \
    THREAD(id##_4, s->c = LOAD(&s->y, load_order); fence; s->d = LOAD(&s->x, load_order);)         \
    MODEL_LITMUS(id, "independent reads of independent writes", outcomes)                          \
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
    THREAD(id##_1, STORE(&s->x, 1, order); STORE(&s->y, 2, order);)                                \
    THREAD(id##_2, STORE(&s->y, 1, order); STORE(&s->x, 2, order);)                                \
    MODEL_LITMUS(id, "two writes each (2+2W)", outcomes)                                           \
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
