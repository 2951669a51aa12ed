/* A copy from the inside. The task that owns it. */
#pragma once

#include <edo/copy.h>

#include "stream/inner.h"

/* edo_copier.splice: whether the two ends can be spliced is found out when there is much. */
enum { EDO__SPLICE_UNKNOWN, EDO__SPLICE_NEVER, EDO__SPLICE_OFF, EDO__SPLICE_ON };

/* Before the first poll of an operation: forgets how an earlier one ended. */
void edo__copier_begin(edo_copier *copier);

/* Copies on. EDO_READY with *ret_result: bytes that reached the target, or a negative errno; nothing is
 * in flight then. */
edo_poll edo__copier_poll(edo_copier *copier, edo_cx *cx, int64_t *ret_result);

/* Nothing new begins; what is in flight ends, and the polls that follow answer -ECANCELED, unless the
 * copy had ended. Inside a poll. */
void edo__copier_stop(edo_copier *copier);
