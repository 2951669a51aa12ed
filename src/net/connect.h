/* Internals of connecting. */
#pragma once

#include "net/lookup.h"

/* Connects to one address. local may be NULL; both addresses must outlive the operation. Result and
 * Cancel as edo_tcp_connect(). */
edo_op edo__connect_to(const edo__address *address, const edo__address *local, edo_io **ret_conn);

/* ---- to a name: all of its addresses, the first to connect wins (happy eyeballs) ---- */

typedef struct edo__race edo__race;

/* local may be NULL; delay: ns between two attempts. text must outlive the first poll. Returns:
 * NULL without memory. */
edo__race *edo__race_create(const char *text, const edo__address *local, int64_t delay);

/* Polls the race like a leaf, under the fate of its operation.
 * Result, once it is EDO_READY: 0 with *ret_conn, or a negative errno. */
edo_poll edo__race_poll(edo__race *race, edo_cx *cx, int64_t *ret_result, edo_io **ret_conn);

/* Frees a race that is ready. */
void edo__race_destroy(edo__race *race);
