/* Replacements of atomics, locks, plain shared memory and the system, for -DEDO_MODEL. Included by
 * base/atomic.h and by models. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum model_order {
    MODEL_RELAXED,
    MODEL_ACQUIRE = 1,
    MODEL_RELEASE = 2,
    MODEL_ACQ_REL = 3,
    MODEL_SEQ_CST = 7,
} model_order;

typedef enum model_rmw {
    MODEL_SWAP,
    MODEL_ADD,
    MODEL_SUB,
    MODEL_OR,
    MODEL_AND,
    MODEL_XOR,
} model_rmw;

typedef struct model_place {
    const char *file;
    int line;
} model_place;

#define MODEL_HERE ((model_place){ __FILE__, __LINE__ })

uint64_t model_load(const void *address, size_t size, model_order order, model_place place);
void model_store(void *address, size_t size, uint64_t value, model_order order, model_place place);
uint64_t model_modify(void *address, size_t size, model_rmw rmw, uint64_t operand,
                      model_order order, model_place place);
bool model_cas(void *address, size_t size, uint64_t *expected, uint64_t value, model_order success,
               model_order failure, model_place place);
void model_fence(model_order order, model_place place);

/* Fails unless this thread knows all stores to the word, so that a plain read is right. */
void model_own(const void *address, model_place place);

/* Plain memory that threads share: checked for races and for use after free. */
void model_plain(const void *address, size_t size, bool write, model_place place);

/* A lock, as one object. */
void model_lock(uint32_t *lock, model_place place);
bool model_lock_try(uint32_t *lock, model_place place);
void model_unlock(uint32_t *lock, model_place place);

/* futex(2). */
void model_futex_wait(uint32_t *word, uint32_t value, model_place place);

/* Returns: false at the deadline. Time passes only when no thread can go on. */
bool model_futex_wait_until(uint32_t *word, uint32_t value, int64_t deadline, model_place place);

/* Return: whether a thread slept there. */
bool model_futex_wake(uint32_t *word, model_place place);
bool model_futex_wake_all(uint32_t *word, model_place place);

/* The thread waits for a step of another thread; it does not run before another has made
 * progress. */
void model_yield(model_place place);

#define MODEL_BITS(v)        ((uint64_t)(uintptr_t)(v))
#define MODEL_TYPED(p, bits) ((__typeof__(*(p) + 0))(uintptr_t)(bits))

#define model_load_as(p, order) MODEL_TYPED(p, model_load((p), sizeof *(p), (order), MODEL_HERE))
#define model_store_as(p, v, order)                                                                \
    model_store((p), sizeof *(p), MODEL_BITS(v), (order), MODEL_HERE)
#define model_modify_as(p, rmw, v, order)                                                          \
    MODEL_TYPED(p, model_modify((p), sizeof *(p), (rmw), MODEL_BITS(v), (order), MODEL_HERE))
#define model_cas_as(p, expected, v, success, failure)                                             \
    (__extension__({                                                                               \
        __typeof__(*(p)) *model_expected_ = (expected);                                            \
        uint64_t model_bits_ = MODEL_BITS(*model_expected_);                                       \
        bool model_done_ = model_cas((p), sizeof *(p), &model_bits_, MODEL_BITS(v), (success),     \
                                     (failure), MODEL_HERE);                                       \
        if (!model_done_) *model_expected_ = (__typeof__(*(p)))(uintptr_t)model_bits_;             \
        model_done_;                                                                               \
    }))
