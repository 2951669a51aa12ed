/* base/atomic.h for the checker. It also has the weaker operations that mutants use. */
#pragma once

#include "model/shim.h"

#define edo_load_relaxed(p) model_load_as(p, MODEL_RELAXED)
#define edo_load_acquire(p) model_load_as(p, MODEL_ACQUIRE)
#define edo_load_seq_cst(p) model_load_as(p, MODEL_SEQ_CST)

#define edo_store_relaxed(p, v) model_store_as(p, v, MODEL_RELAXED)
#define edo_store_release(p, v) model_store_as(p, v, MODEL_RELEASE)
#define edo_store_seq_cst(p, v) model_store_as(p, v, MODEL_SEQ_CST)

#define edo_swap_relaxed(p, v) model_modify_as(p, MODEL_SWAP, v, MODEL_RELAXED)
#define edo_swap_acquire(p, v) model_modify_as(p, MODEL_SWAP, v, MODEL_ACQUIRE)
#define edo_swap_release(p, v) model_modify_as(p, MODEL_SWAP, v, MODEL_RELEASE)
#define edo_swap_acq_rel(p, v) model_modify_as(p, MODEL_SWAP, v, MODEL_ACQ_REL)

#define edo_add_relaxed(p, v) model_modify_as(p, MODEL_ADD, v, MODEL_RELAXED)
#define edo_add_acquire(p, v) model_modify_as(p, MODEL_ADD, v, MODEL_ACQUIRE)
#define edo_add_release(p, v) model_modify_as(p, MODEL_ADD, v, MODEL_RELEASE)
#define edo_add_acq_rel(p, v) model_modify_as(p, MODEL_ADD, v, MODEL_ACQ_REL)

#define edo_sub_relaxed(p, v) model_modify_as(p, MODEL_SUB, v, MODEL_RELAXED)
#define edo_sub_acquire(p, v) model_modify_as(p, MODEL_SUB, v, MODEL_ACQUIRE)
#define edo_sub_release(p, v) model_modify_as(p, MODEL_SUB, v, MODEL_RELEASE)
#define edo_sub_acq_rel(p, v) model_modify_as(p, MODEL_SUB, v, MODEL_ACQ_REL)

#define edo_or_relaxed(p, v) model_modify_as(p, MODEL_OR, v, MODEL_RELAXED)
#define edo_or_acquire(p, v) model_modify_as(p, MODEL_OR, v, MODEL_ACQUIRE)
#define edo_or_release(p, v) model_modify_as(p, MODEL_OR, v, MODEL_RELEASE)
#define edo_or_acq_rel(p, v) model_modify_as(p, MODEL_OR, v, MODEL_ACQ_REL)

#define edo_and_relaxed(p, v) model_modify_as(p, MODEL_AND, v, MODEL_RELAXED)
#define edo_and_acquire(p, v) model_modify_as(p, MODEL_AND, v, MODEL_ACQUIRE)
#define edo_and_release(p, v) model_modify_as(p, MODEL_AND, v, MODEL_RELEASE)
#define edo_and_acq_rel(p, v) model_modify_as(p, MODEL_AND, v, MODEL_ACQ_REL)

#define edo_xor_relaxed(p, v) model_modify_as(p, MODEL_XOR, v, MODEL_RELAXED)
#define edo_xor_acq_rel(p, v) model_modify_as(p, MODEL_XOR, v, MODEL_ACQ_REL)

#define edo_cas_relaxed(p, expected, v) model_cas_as(p, expected, v, MODEL_RELAXED, MODEL_RELAXED)
#define edo_cas_acquire(p, expected, v) model_cas_as(p, expected, v, MODEL_ACQUIRE, MODEL_RELAXED)
#define edo_cas_release(p, expected, v) model_cas_as(p, expected, v, MODEL_RELEASE, MODEL_RELAXED)
#define edo_cas_acq_rel(p, expected, v) model_cas_as(p, expected, v, MODEL_ACQ_REL, MODEL_ACQUIRE)

#define edo_load_own(p) (model_own((p), MODEL_HERE), *(p))

#ifdef EDO_MODEL_FIGURES
#define edo_load_figure(p)     edo_load_relaxed(p)
#define edo_store_figure(p, v) edo_store_relaxed((p), (v))
#define edo_add_figure(p, v)   edo_add_relaxed((p), (v))
#else
#define edo_load_figure(p)     (*(p))
#define edo_store_figure(p, v) ((void)(*(p) = (v)))
#define edo_add_figure(p, v)   ((void)(*(p) += (v)))
#endif

#define edo_fence_seq_cst() model_fence(MODEL_SEQ_CST, MODEL_HERE)

#define edo_fence_signal() ((void)0) // models have no handlers

#define edo_plain_read(p)  model_plain((p), sizeof *(p), false, MODEL_HERE)
#define edo_plain_write(p) model_plain((p), sizeof *(p), true, MODEL_HERE)
