/* A protocol of lines, with a buffer for each direction. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: server */
/* Answers each line with its length, until the client ends. */
struct measure {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_reader in;
    edo_writer out;
    edo_slice line;
    char memory[2][EDO_BUFFERED_SIZE];
};

edo_async(measure)
{
    edo_body {
        int64_t n;
        edo_reader_init(&self->in, self->conn, self->memory[0], EDO_BUFFERED_SIZE);
        edo_writer_init(&self->out, self->conn, self->memory[1], EDO_BUFFERED_SIZE);
        for (;;) {
            edo_try_or(close, n, edo_read_line(&self->in, &self->line));
            if (n == 0) break; // the end of the input
            edo_try_or(close, edo_printf(&self->out, "%zu\n", self->line.size));
            if (edo_reader_ahead(&self->in).size) continue; // more to answer: one write for all
            edo_try_or(close, edo_flush(&self->out));
        }
        edo_try_or(close, edo_flush(&self->out));
close:
        edo_writer_deinit(&self->out);
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: server */

struct client {
    edo_frame();
    edo_args();
    edo_io *near, *far;
    edo_task *server;
    edo_reader in;
    edo_slice line;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(client)
{
    edo_body {
        int64_t n;
        edo_check(edo_duplex(4096, &self->near, &self->far));
        n = edo_spawn(&self->server, measure, .conn = self->far);
        edo_check(n);
        edo_await(n, edo_write_all(self->near, "one\nthree\r\n\nlast", 16));
        edo_await(n, edo_shutdown_write(self->near));
        edo_reader_init(&self->in, self->near, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(n, edo_read_line(&self->in, &self->line));
            if (n <= 0) break;
            printf("%.*s\n", (int)self->line.size, (const char *)self->line.data);
        }
        edo_close(self->near);
        edo_await(n, edo_join(self->server));
        edo_return(n);
    }
}

int main(void)
{
    return edo_run(client);
}
