/* Copies that are parts of other operations. Thread: the one that polls the owner's task. */
#pragma once

#include <edo/copy.h>

#include "stream/inner.h"

/* States of edo_copier.splice. The state is UNKNOWN until a read has filled the memory. Only then
 * is it found out whether both streams support splices. */
enum { EDO__SPLICE_UNKNOWN, EDO__SPLICE_NEVER, EDO__SPLICE_OFF, EDO__SPLICE_ON };

/* Clears the result of an earlier operation, before the first poll of an operation. */
void edo__copier_begin(edo_copier *copier);

/* Continues the copy. Returns: EDO_PENDING; or EDO_READY with the result in *ret_result: the number
 * of bytes that have reached the target, or a negative errno. After EDO_READY no inner operation is
 * in flight. */
edo_poll edo__copier_poll(edo_copier *copier, edo_cx *cx, int64_t *ret_result);

/* Stops a copy. No further inner operation begins, and the inner operations in flight are
 * cancelled. If the copy had not ended before, its next polls lead to the result -ECANCELED. Called
 * inside a poll. */
void edo__copier_stop(edo_copier *copier);
