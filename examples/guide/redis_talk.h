/* The other end of a connection, for the steps of the Redis server: sends commands as a client does,
 * and prints the replies. */
#pragma once

#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

struct exchange {
    const char *text; // NULL: the end
    int lines;        // of the reply
};

struct talk {
    edo_frame();
    edo_args(edo_io *conn; const struct exchange *script;);
    edo_reader in;
    edo_slice line;
    int left;
    char memory[1024];
};

edo_async(talk)
{
    edo_body {
        int64_t rc;
        edo_reader_init(&self->in, self->conn, self->memory, sizeof self->memory);
        for (; self->script->text; self->script++) {
            edo_await(rc,
                      edo_write_all(self->conn, self->script->text, strlen(self->script->text)));
            for (self->left = self->script->lines; self->left > 0 && rc >= 0; self->left--) {
                edo_await(rc, edo_read_line(&self->in, &self->line));
                printf("%.*s\n", (int)self->line.size, (const char *)self->line.data);
            }
        }
        edo_close(self->conn);
        edo_return(0);
    }
}
