/* A server that serves two connections at a time: it takes a permit before it accepts. */
#include <stdio.h>

#include <edo/edo.h>

/* region: permits */
struct server {
    edo_semaphore permits;
    int now, most; // open connections, their maximum; of one thread
};

struct session {
    edo_frame();
    edo_args(struct server *server; edo_io *conn;);
};

edo_async(session)
{
    edo_body {
        int64_t n;
        if (++self->server->now > self->server->most) self->server->most = self->server->now;
        edo_await_void(edo_sleep(edo_ms(10))); // some work
        edo_await(n, edo_write_all(self->conn, "hello", 5));
        edo_close(self->conn);
        self->server->now--;
        edo_semaphore_release(&self->server->permits, 1); // for the accept loop
        edo_return(n);
    }
}

struct serve {
    edo_frame();
    edo_args(edo_listener *listener; struct server *server;);
    edo_io *conn;
    edo_scope sessions;
};

edo_async(serve)
{
    edo_body {
        int rc;
        edo_scope_open(&self->sessions, EDO_SCOPE_IGNORE);
        for (;;) {
            edo_acquire(rc, &self->server->permits, 1); // later peers wait in the kernel's queue
            edo_check_or(end, rc);
            edo_try_or(end, edo_accept(self->listener, &self->conn));
            edo_semaphore_pass_on(&self->server->permits, 1); // the session releases it
            rc = edo_scope_spawn(&self->sessions, session, self->server, .conn = self->conn);
            if (rc == 0) continue;
            edo_close(self->conn);
            edo_semaphore_release(&self->server->permits, 1);
        }
end:
        edo_scope_cancel(&self->sessions);
        edo_shield();
        edo_await_void(edo_scope_join(&self->sessions));
        edo_return(edo_failure());
    }
}
/* end: permits */

enum { CLIENTS = 6 };

struct visit {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
    char text[5];
};

edo_async(visit)
{
    edo_body {
        edo_try(edo_tcp_connect(self->address, &self->conn));
        edo_try_or(close, edo_read_exact(self->conn, self->text, sizeof self->text));
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}

struct evening {
    edo_frame();
    edo_args();
    edo_listener *listener;
    char address[EDO_ADDRESS_SIZE];
    struct server server;
    edo_task *serving;
    edo_scope visits;
    int i, failure;
};

edo_async(evening)
{
    edo_body {
        int rc;
        self->server = (struct server){ .permits = EDO_SEMAPHORE_INIT(2) };
        edo_try(edo_tcp_listen("127.0.0.1:0", &self->listener));
        edo_check(edo_listener_address(self->listener, self->address, sizeof self->address));
        edo_check(edo_spawn(&self->serving, serve, self->listener, &self->server));
        edo_scope_open(&self->visits, 0);
        for (self->i = 0, rc = 0; self->i < CLIENTS && rc == 0; self->i++)
            rc = edo_scope_spawn(&self->visits, visit, self->address);
        edo_await(rc, edo_scope_join(&self->visits));
        self->failure = rc;
        edo_task_cancel(self->serving);
        edo_await_void(edo_join(self->serving));
        edo_listener_close(self->listener);
        printf("%s, at most %d at a time\n", edo_strerror(self->failure), self->server.most);
        edo_return(self->failure);
    }
}

int main(void)
{
    return edo_run(evening);
}
