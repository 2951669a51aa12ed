/* Fates of futures, and futures kept by frames. All functions are called in a poll, unless they say
 * otherwise. */
#pragma once

#include "task/cx.h"

static inline void edo__raise_fate(edo_future *future, edo_fate fate)
{
    if (future->fate < (uint8_t)fate) future->fate = (uint8_t)fate;
}

/* Sets the fate, shield and limits that a function passes to its children. Called in a poll of the
 * function. */
void edo__give_fates(const edo_future *function, edo_cx *cx);

/* Aborts when the memory of a kept future has been reused. */
void edo__check_kept(const edo_future *future);

/* Low bits of the future's address, in units of its alignment. */
static inline uint32_t edo__place_of(const edo_future *future)
{
    return (uint32_t)((uintptr_t)future / _Alignof(edo_future));
}

/* Whether a kept future has moved since edo_any() kept it. */
static inline bool edo__has_moved(const edo_future *future)
{
    if (future->ops->kind == EDO_KIND_SCOPE || future->ops->kind == EDO_KIND_LIMIT) return false;
    if (future->ops->kind != EDO_KIND_ASYNC) return future->line != edo__place_of(future);
    return ((const struct edo_any_frame *)(const void *)future)->edo_head.home != future;
}
