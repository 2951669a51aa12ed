/* Internals of connecting. */
#pragma once

#include "net/lookup.h"

/* Connects to one address. local and tcp may be NULL. The addresses and options must outlive the
 * operation. Result and Cancel: as edo_tcp_connect(). */
edo_op edo__connect_to(const edo__address *address, const edo__address *local,
                       const edo_tcp_options *tcp, edo_io **ret_conn);

/* ---- races (happy eyeballs): attempts at all addresses of a name; the first success wins ---- */

typedef struct edo__race edo__race;

/* Makes a race for the addresses of a name. text: must remain valid until the first poll. local:
 * may be NULL. tcp: may be NULL; must outlive the race. delay: ns between two attempts. Returns:
 * NULL if out of memory. */
edo__race *edo__race_create(const char *text, const edo__address *local, const edo_tcp_options *tcp,
                            int64_t delay);

/* Polls the race. Called by the poll of the operation that made the race, with that operation's
 * fate in cx. Returns: EDO_PENDING; or EDO_READY with the result in *ret_result: 0 with the
 * connection in *ret_conn, or a negative errno. */
edo_poll edo__race_poll(edo__race *race, edo_cx *cx, int64_t *ret_result, edo_io **ret_conn);

/* Frees a race that is ready. */
void edo__race_destroy(edo__race *race);
