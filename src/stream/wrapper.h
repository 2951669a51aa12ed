/* Common parts of streams around other streams. Each kind of wrapper embeds an edo__wrapper as its
 * first member. The edo__io_ops of a kind contain the kind's own functions, or those below. */
#pragma once

#include <edo/streams.h>

#include "io/io.h"
#include "stream/inner.h"

enum { EDO__SCRAP = 512 }; // bytes per drop

typedef struct edo__wrapper {
    edo_io io;
    edo_atomic(uint32_t) claims;
    uint32_t size;             // bytes of the kind's struct
    edo_io *inner[EDO__SIDES]; // for reads and for writes; NULL: the side does not exist
    edo_io *owned[2];          // closed with the wrapper; NULL: none
    edo_op ops[EDO__SIDES];    // operations on the inner streams; guarded by the claim of the side
    char scrap[EDO__SCRAP];    // target of dropped bytes; guarded by the claim of the read side
} edo__wrapper;

static inline edo__wrapper *edo__wrapper_of(const edo_io *io)
{
    return (edo__wrapper *)(uintptr_t)io;
}

/* Makes a wrapper that owns the streams. The members after the edo__wrapper are zero. second:
 * another stream, or NULL. Returns: NULL: out of memory. */
void *edo__wrapper_create(const edo__io_ops *ops, size_t size, edo_io *first, edo_io *second);

/* Performs one step of a request of any kind. Begins or continues the operation on the inner
 * stream. most: largest number of bytes, > 0. */
edo_poll edo__wrapper_move(edo_io *io, edo_op *op, edo_cx *cx, uint64_t most);

/* Common functions for the edo__io_ops of wrappers. */
edo_poll edo__wrapper_step(edo_io *io, edo_op *op, edo_cx *cx); // for drops as well
int edo__wrapper_shutdown_write(edo_io *io);
void edo__wrapper_hang_up(edo_io *io);
void edo__wrapper_release(edo_io *io);

#define EDO__WRAPPER_SLOTS                                                                         \
    .claims = offsetof(edo__wrapper, claims), .drop = edo__wrapper_step,                           \
    .shutdown_write = edo__wrapper_shutdown_write, .hang_up = edo__wrapper_hang_up,                \
    .release = edo__wrapper_release
