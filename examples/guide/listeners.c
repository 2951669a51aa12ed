/* Listeners: from the service manager, or a group with one listener per worker. */
#include <stdio.h>

#include <edo/edo.h>

enum { WORKERS = 2 };

/* region: accept */
struct greet {
    edo_frame();
    edo_args(edo_listener *listener;);
    edo_io *conn;
};

/* One of these runs on each worker. The kernel divides the connections among them. */
edo_async(greet)
{
    edo_body {
        for (;;) {
            edo_try(edo_accept(self->listener, &self->conn));
            edo_await_void(edo_write_all(self->conn, "hello\n", 6));
            edo_close(self->conn);
        }
    }
}
/* end: accept */

/* region: listen */
struct server {
    edo_frame();
    edo_args(edo_inherited *inherited; int count;);
    edo_tcp_options tcp;
    edo_listen_options options;
    edo_listener *listeners[WORKERS];
    edo_task *tasks[WORKERS];
    char address[EDO_ADDRESS_SIZE], answer[6];
    edo_io *client;
    int used, i;
};

/* Listens, unless the service manager has done so already. */
edo_async(server)
{
    edo_body {
        int64_t rc;
        self->tcp = (edo_tcp_options){ .nodelay = true, .user_timeout = 30000 };
        self->options = (edo_listen_options){ .tcp = &self->tcp };
        if (self->count)
            self->listeners[0] = self->inherited[0].listener;
        else
            edo_try(edo_tcp_listen_group("127.0.0.1:0", self->options, self->listeners, WORKERS));
        self->used = self->count ? 1 : WORKERS;
        for (int i = 0; i < self->used; i++) {
            rc = edo_spawn_on(&self->tasks[i], (unsigned)i, greet, .listener = self->listeners[i]);
            if (rc < 0) edo_return(rc);
        }
        /* end: listen */
        edo_listener_address(self->listeners[0], self->address, sizeof self->address);
        edo_try(edo_tcp_connect(self->address, &self->client));
        edo_await(rc, edo_read_exact(self->client, self->answer, 6));
        printf("%.6s", self->answer);
        edo_close(self->client);
        for (self->i = 0; self->i < self->used; self->i++) {
            edo_task_cancel(self->tasks[self->i]);
            edo_await_void(edo_join(self->tasks[self->i]));
            edo_listener_close(self->listeners[self->i]); // no task uses it any more
        }
        edo_return(0);
    }
}

/* region: main */
int main(void)
{
    edo_inherited inherited[1];
    edo_runtime *runtime;
    int count = edo_listeners_from_env(inherited, 1); // before there are threads
    if (count < 0) return 1;
    if (edo_runtime_create(&(edo_config){ .workers = WORKERS }, &runtime) < 0) return 1;
    int64_t rc = edo_block_on(runtime, server, .inherited = inherited, .count = count);
    edo_runtime_destroy(runtime);
    return rc < 0;
}
/* end: main */
