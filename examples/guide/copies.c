/* A relay in memory: half-closes, counts, and a limit on silence. */
#include <stdio.h>

#include <edo/edo.h>

/* region: relay */
struct relay {
    edo_frame();
    edo_args(edo_io *client, *server;);
    edo_relay copy;
    char memory[EDO_COPY_SIZE];
};

edo_async(relay)
{
    edo_body {
        int rc;
        edo_relay_init(&self->copy, self->client, self->server, self->memory, sizeof self->memory);
        self->copy.idle = edo_minutes(10);
        self->copy.idle_half = edo_s(60); // once one direction has ended
        edo_await(rc, edo_copy_both(&self->copy));
        printf("up %llu, down %llu, %s\n", (unsigned long long)self->copy.ways[0].given,
               (unsigned long long)self->copy.ways[1].given, edo_strerror(rc));
        edo_relay_deinit(&self->copy);
        edo_close(self->client);
        edo_close(self->server);
        edo_return(rc);
    }
}
/* end: relay */

struct both_ends {
    edo_frame();
    edo_args();
    edo_io *client, *client_end, *server, *server_end;
    edo_task *task;
    char text[32];
};

edo_async(both_ends)
{
    edo_body {
        int64_t n;
        edo_check(edo_duplex(4096, &self->client, &self->client_end));
        n = edo_duplex(4096, &self->server_end, &self->server);
        if (n < 0) edo_close(self->client);
        if (n < 0) edo_close(self->client_end);
        edo_check(n);
        n = edo_spawn(&self->task, relay, .client = self->client_end, .server = self->server_end);
        edo_check(n);
        edo_await(n, edo_write_all(self->client, "a question", 10));
        edo_await(n, edo_shutdown_write(self->client)); // and no more
        edo_await(n, edo_read_exact(self->server, self->text, 10));
        edo_await(n, edo_read(self->server, self->text, sizeof self->text));
        printf("the server reads the end: %lld\n", (long long)n);
        edo_await(n, edo_write_all(self->server, "a late answer", 13));
        edo_close(self->server);
        edo_await(n, edo_read_exact(self->client, self->text, 13));
        edo_close(self->client);
        edo_await(n, edo_join(self->task));
        printf("the client has read %.13s\n", self->text);
        edo_return(n);
    }
}

int main(void)
{
    return edo_run(both_ends);
}
