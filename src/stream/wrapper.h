/* Streams around others: what they have in common. A kind embeds an edo__wrapper as its first member,
 * and has a table of slots that are these functions, except those where it differs. */
#pragma once

#include <edo/streams.h>

#include "io/io.h"
#include "stream/inner.h"

enum { EDO__SCRAP = 512 }; // bytes; of one drop

typedef struct edo__wrapper {
    edo_io io;
    edo_atomic(uint32_t) claims;
    uint32_t size;             // of the kind's struct
    edo_io *inner[EDO__SIDES]; // for reads and for writes; NULL: there is no such side
    edo_io *owned[2];          // close with the wrapper; NULL: none
    edo_op ops[EDO__SIDES];    // on the inner streams; the claim of the side
    char scrap[EDO__SCRAP];    // of drops; the claim of the read side
} edo__wrapper;

static inline edo__wrapper *edo__wrapper_of(const edo_io *io)
{
    return (edo__wrapper *)(uintptr_t)io;
}

/* Makes one, zeroed behind the head. The streams are its own; second: NULL, or another one.
 * NULL: out of memory. */
void *edo__wrapper_create(const edo__io_ops *ops, size_t size, edo_io *first, edo_io *second);

/* One step of any request, of at most so many bytes (> 0): begins the operation on the inner stream,
 * or goes on with it. */
edo_poll edo__wrapper_move(edo_io *io, edo_op *op, edo_cx *cx, uint64_t most);

/* The slots. */
edo_poll edo__wrapper_step(edo_io *io, edo_op *op, edo_cx *cx); // also that of drops
int edo__wrapper_shutdown_write(edo_io *io);
void edo__wrapper_hang_up(edo_io *io);
void edo__wrapper_release(edo_io *io);

#define EDO__WRAPPER_SLOTS                                                                         \
    .claims = offsetof(edo__wrapper, claims), .drop = edo__wrapper_step,                           \
    .shutdown_write = edo__wrapper_shutdown_write, .hang_up = edo__wrapper_hang_up,                \
    .release = edo__wrapper_release
