/* What the client's files share: load_client.c (life and turn), load_connect.c (connecting) and
 * load_transfer.c (sending and receiving). */
#ifndef LOAD_INTERNAL_H
#define LOAD_INTERNAL_H

#include "load_client.h"

unsigned load_index(const struct load_client *client, const struct load_conn *conn);

/* Closes the descriptor and takes the connection out of every count. */
void load_drop(struct load_client *client, struct load_conn *conn);

/* Counts a failure, tells about it unless there were many, and drops the connection. */
__attribute__((format(printf, 4, 5))) void load_fail(struct load_client *client,
                                                     struct load_conn *conn,
                                                     enum load_failure failure, const char *format,
                                                     ...);

/* The same for an errno from the socket. */
void load_fail_lost(struct load_client *client, struct load_conn *conn, int error);

/* Sets the events that epoll watches. May drop the connection. */
void load_watch(struct load_client *client, struct load_conn *conn, uint32_t events);

/* The socket of a connecting connection has become writable. */
void load_end_connect(struct load_client *client, struct load_conn *conn);

/* Starts that many messages. */
void load_start_messages(struct load_client *client, struct load_conn *conn, unsigned count);

/* Sends what is allowed until the socket is full; then epoll tells when to go on. */
void load_send_allowed(struct load_client *client, struct load_conn *conn);

/* The socket of a connection has bytes, its end of stream or an error. */
void load_receive(struct load_client *client, struct load_conn *conn);

/* Sends the end of stream if nothing is in flight. */
void load_finish_if_idle(struct load_client *client, struct load_conn *conn);

#endif
