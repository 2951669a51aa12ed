#include "server.h"

#include <stdio.h>
#include <unistd.h>

#include "aof.h"
#include "blocked.h"
#include "config.h"
#include "connection.h"
#include "hand_over.h"

enum {
    DRAIN_LIMIT = 3,      // s, for the clients at the end
    EXPIRE_PERIOD = 50,   // ms between two walks over the shards
    EXPIRE_AT_ONCE = 256, // keys of a shard, before others get its lock
};

struct server *the_server;

void server_stop(void)
{
    edo_notify_one(&the_server->stops);
}

void server_cancel_client(uint64_t task_id)
{
    (void)edo_scope_cancel_member(&the_server->clients, task_id);
}

void server_slot_free(void)
{
    edo_semaphore_release(&the_server->slots, 1);
}

/* ---- expiry ---- */

/* Removes expired keys that nobody asks for. */
edo_async(expirer)
{
    edo_body {
        edo_interval_init(&self->interval, edo_ms(EXPIRE_PERIOD), EDO_MISSED_DELAY);
        for (;;) {
            edo_try(edo_interval_next(&self->interval, NULL));
            for (self->shard = 0; self->shard < SHARDS; self->shard++)
                while (shard_expire(self->shard, wall_ms(), EXPIRE_AT_ONCE) <= wall_ms())
                    edo_try(edo_yield());
        }
    }
}

/* ---- listeners ---- */

/* A connection is accepted when there is a place for it; others wait in the system's queue. */
edo_async(acceptor)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_acquire(rc, &the_server->slots, 1);
            if (rc < 0) break;
            edo_semaphore_pass_on(&the_server->slots, 1); // to the connection
            edo_await(rc, edo_accept(self->listener, &self->conn));
            if (rc == 0)
                rc = edo_scope_spawn(&the_server->clients, connection, .conn = self->conn,
                                     .is_unix = self->is_unix);
            else
                self->conn = NULL;
            if (rc == 0) continue;
            edo_close(self->conn);
            server_slot_free();
            if (rc != -ENOMEM) break;
        }
        edo_return(rc);
    }
}

edo_async(open_listeners)
{
    edo_body {
        struct server *server = self->server;
        if (!server->tcp && config.port) {
            snprintf(self->address, sizeof self->address, "%s:%d", config.bind, (int)config.port);
            edo_try(edo_tcp_listen(self->address, &self->server->tcp));
        }
        if (!self->server->unix_listener && config.unixsocket[0])
            edo_try(edo_unix_listen_with(
                config.unixsocket,
                (edo_unix_listen_options){ .replace_stale = true, .unlink_at_close = true },
                &self->server->unix_listener));
        edo_return(0);
    }
}

static int take_client(struct server *self, edo_fd fd, bool is_unix, bool is_resp3)
{
    edo_io *conn = NULL;
    int rc = edo_semaphore_try_acquire(&self->slots, 1);
    if (rc < 0) goto close_fd;
    edo_semaphore_pass_on(&self->slots, 1);
    rc = edo_io_from_fd(fd, &conn);
    if (rc < 0) goto release;
    rc = edo_scope_spawn(&self->clients, connection, .conn = conn, .is_unix = is_unix,
                         .is_resp3 = is_resp3);
    if (rc == 0) return 0;
    edo_close(conn);
    fd = -1;
release:
    server_slot_free();
close_fd:
    if (fd >= 0) close(fd);
    return rc;
}

/* Continues with the clients of the program that has executed this one. */
static void take_clients(struct server *self)
{
    edo_fd fd;
    bool is_unix, is_resp3;
    while (hand_over_next(&fd, &is_unix, &is_resp3)) {
        int rc = take_client(self, fd, is_unix, is_resp3);
        if (rc < 0) fprintf(stderr, "mini-redis: a client is lost: %s\n", edo_strerror(rc));
    }
}

static void close_listener(edo_listener *listener, bool is_unix)
{
    if (hand_over_is_on())
        hand_over_listener(listener, is_unix);
    else
        edo_listener_close(listener);
}

static void announce(const struct server *self)
{
    char address[EDO_ADDRESS_SIZE] = "(none)";
    if (self->tcp) (void)edo_listener_address(self->tcp, address, sizeof address);
    printf("mini-redis: ready on %s%s%s, %lld workers, log %s, process %d\n", address,
           config.unixsocket[0] ? " and " : "", config.unixsocket, (long long)config.workers,
           aof_is_on() ? fsync_name(config.appendfsync) : "off", (int)getpid());
    fflush(stdout);
}

/* ---- the server ---- */

static int start_helpers(struct server *self)
{
    int rc = hand_over_open();
    if (rc == 0) rc = edo_scope_spawn(&self->acceptors, hand_over_waiter);
    if (rc == 0) rc = edo_scope_spawn(&self->acceptors, expirer);
    if (rc == 0 && self->tcp)
        rc = edo_scope_spawn(&self->acceptors, acceptor, .listener = self->tcp);
    if (rc == 0 && self->unix_listener)
        rc = edo_scope_spawn(&self->acceptors, acceptor, .listener = self->unix_listener,
                             .is_unix = true);
    if (!aof_is_on()) return rc;
    if (rc == 0) rc = edo_scope_spawn(&self->log, aof_writer);
    if (rc == 0) rc = edo_scope_spawn(&self->log, aof_syncer);
    if (rc == 0) rc = edo_scope_spawn(&self->log, aof_rewriter);
    return rc;
}

static void open_scopes(struct server *self)
{
    edo_scope_open(&self->log, EDO_SCOPE_IGNORE);
    edo_scope_open(&self->clients, EDO_SCOPE_IGNORE);
    edo_scope_open(&self->acceptors, EDO_SCOPE_IGNORE);
    self->stops = (edo_notify)EDO_NOTIFY_INIT;
    (void)edo_semaphore_init(&self->slots, (uint32_t)config.maxclients);
    self->started = wall_ms();
    the_server = self;
}

/* The end: no further clients; then the clients, with the replies to what they have sent; then the
 * log, with all that they have changed. */
edo_async_extern(server)
{
    edo_body {
        int64_t rc;
        open_scopes(self);
        edo_call(rc, open_listeners, .server = self);
        edo_check_or(end, rc);
        edo_check_or(end, start_helpers(self));
        take_clients(self);
        announce(self);
        edo_await(rc, edo_notified(&self->stops)); // or a signal: -ECANCELED
end:
        edo_shield();
        edo_scope_cancel(&self->acceptors);
        edo_await(rc, edo_scope_join(&self->acceptors));
        close_listener(self->tcp, false);
        close_listener(self->unix_listener, true);
        edo_scope_cancel(&self->clients);
        edo_await_for(rc, edo_s(DRAIN_LIMIT), edo_scope_join(&self->clients));
        edo_scope_cancel(&self->log);
        edo_await(rc, edo_scope_join(&self->log));
        rc = aof_end();
        edo_return(edo_failure() < 0 ? edo_failure() : rc);
    }
}
