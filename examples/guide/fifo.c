/* Lines from a FIFO to standard output. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <edo/edo.h>

/* region: print */
/* Prints what any number of writers put into the FIFO, up to a number of bytes. */
struct print {
    edo_frame();
    edo_args(const char *path; size_t size;);
    edo_io *fifo, *out;
    char buffer[256];
};

edo_async(print)
{
    edo_body {
        int64_t n;
        edo_check(edo_fifo_open_reader(self->path, EDO_FIFO_KEEP_OPEN, &self->fifo));
        edo_check_or(close, edo_stdout(&self->out));
        do {
            edo_await(n, edo_read(self->fifo, self->buffer, sizeof self->buffer));
            if (n > 0) edo_await(n, edo_write_all(self->out, self->buffer, (size_t)n));
            if (n > 0) self->size -= (size_t)n;
        } while (n > 0 && self->size);
        edo_close(self->out);
close:
        edo_close(self->fifo);
        edo_return(edo_failure());
    }
}
/* end: print */

/* region: say */
struct say {
    edo_frame();
    edo_args(const char *path; const char *line; size_t size;);
    edo_io *fifo;
};

edo_async(say)
{
    edo_body {
        int64_t n;
        edo_await_for(n, edo_s(5), edo_fifo_open_writer(self->path, &self->fifo)); // for a reader
        edo_check(n);
        edo_await(n, edo_write_all(self->fifo, self->line, self->size)); // short: in one piece
        edo_close(self->fifo);
        edo_return(n);
    }
}
/* end: say */

struct play {
    edo_frame(struct say say;);
    edo_args(const char *path;);
    edo_task *printer;
};

edo_async(play)
{
    edo_body {
        int64_t rc;
        edo_check(edo_fifo_make(self->path, 0600));
        edo_check(edo_spawn(&self->printer, print, .path = self->path, .size = 8));
        edo_call(rc, say, .path = self->path, .line = "one\n", .size = 4);
        edo_check(rc);
        edo_call(rc, say, .path = self->path, .line = "two\n", .size = 4);
        edo_check(rc);
        edo_await(rc, edo_join(self->printer));
        edo_return(0);
    }
}

int main(void)
{
    char directory[] = "/tmp/edo-fifo-XXXXXX", path[64];
    if (!mkdtemp(directory)) return EXIT_FAILURE;
    snprintf(path, sizeof path, "%s/lines", directory);
    int status = edo_run(play, .path = path);
    unlink(path);
    rmdir(directory);
    return status;
}
