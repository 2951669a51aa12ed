/* Atomic operations, with the memory order in the name. All atomic accesses use the operations of
 * this file, so that the model checker can replace them. Atomic objects are plain integers and
 * pointers that are declared with edo_atomic(). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define edo_atomic(type) type

#ifdef EDO_MODEL
#include "model/atomic.h"
#else

#define edo_load_relaxed(p)     __atomic_load_n((p), __ATOMIC_RELAXED)
#define edo_load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define edo_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define edo_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define edo_swap_relaxed(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_RELAXED)
#define edo_swap_acquire(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define edo_swap_release(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_RELEASE)
#define edo_swap_acq_rel(p, v)  __atomic_exchange_n((p), (v), __ATOMIC_ACQ_REL)
#define edo_add_relaxed(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_RELAXED)
#define edo_add_acquire(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_ACQUIRE)
#define edo_add_release(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_RELEASE)
#define edo_add_acq_rel(p, v)   __atomic_fetch_add((p), (v), __ATOMIC_ACQ_REL)
#define edo_sub_relaxed(p, v)   __atomic_fetch_sub((p), (v), __ATOMIC_RELAXED)
#define edo_sub_release(p, v)   __atomic_fetch_sub((p), (v), __ATOMIC_RELEASE)
#define edo_sub_acq_rel(p, v)   __atomic_fetch_sub((p), (v), __ATOMIC_ACQ_REL)
#define edo_or_relaxed(p, v)    __atomic_fetch_or((p), (v), __ATOMIC_RELAXED)
#define edo_or_release(p, v)    __atomic_fetch_or((p), (v), __ATOMIC_RELEASE)
#define edo_or_acq_rel(p, v)    __atomic_fetch_or((p), (v), __ATOMIC_ACQ_REL)
#define edo_and_relaxed(p, v)   __atomic_fetch_and((p), (v), __ATOMIC_RELAXED)
#define edo_and_acq_rel(p, v)   __atomic_fetch_and((p), (v), __ATOMIC_ACQ_REL)
#define edo_and_release(p, v)   __atomic_fetch_and((p), (v), __ATOMIC_RELEASE)

/* Loads a word that only the calling thread writes. No other thread can change the value meanwhile,
 * so the load is not a step of a model. */
#define edo_load_own(p)         edo_load_relaxed(p)

/* Figures: counters for inspection, and hints. A figure publishes no memory, and an old value is
 * harmless. So the model checker does not explore accesses to figures. Only models built with
 * EDO_MODEL_FIGURES explore them, to test the code that reads figures. */
#define edo_load_figure(p)      edo_load_relaxed(p)
#define edo_store_figure(p, v)  edo_store_relaxed((p), (v))
#define edo_add_figure(p, v)    edo_add_relaxed((p), (v))

/* Compare and swap. On failure *expected receives the value found. The _acq_rel variant reads that
 * value with acquire; the other variants read the value relaxed. */
#define edo_cas_acq_rel(p, expected, v)                                                            \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define edo_cas_relaxed(p, expected, v)                                                            \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define edo_cas_release(p, expected, v)                                                            \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define edo_cas_acquire(p, expected, v)                                                            \
    __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)

/* A full fence. On x86-64, gcc compiles __atomic_thread_fence() to a locked instruction, and clang
 * compiles it to mfence. mfence costs three times as much as the locked instruction, and orders
 * nothing more here. So for clang, the locked instruction is written out.
 *
 * gcc warns that ThreadSanitizer does not see fences. The warning is turned off here, because the
 * fences of edo order only atomic words, never plain memory. */
static inline void edo_fence_seq_cst(void)
{
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
#if defined __clang__ && defined __x86_64__ && defined __LP64__
    __asm__ volatile("lock orl $0, (%%rsp)" ::: "memory", "cc");
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic pop
#endif
}

/* Orders the accesses of a thread relative to the accesses of signal handlers that run on the same
 * thread. */
#define edo_fence_signal() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* Report an access to plain memory to the model checker. The checker verifies that atomic
 * operations order the access against the accesses of other threads. */
#define edo_plain_read(p)  ((void)0)
#define edo_plain_write(p) ((void)0)

#endif

/* Pauses the processor briefly, inside a loop that waits for another processor. */
static inline void edo__relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Adds to a counter. Only one thread at a time may add; any thread may read. */
#define edo_add_counter(counter, n) edo_store_figure((counter), edo_load_figure(counter) + (n))
