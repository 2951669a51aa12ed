/* Any descriptor that can be polled is a stream. */
#include <stdio.h>
#include <unistd.h>

#include <edo/edo.h>

struct talk {
    edo_frame();
    edo_args(edo_io *out;);
};

edo_async(talk)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_write_all(self->out, "through a pipe\n", 15));
        edo_close(self->out); // the reader sees the end
        edo_return(n);
    }
}

/* region: pipe */
static int open_pipe(edo_io **ret_in, edo_io **ret_out)
{
    int fds[2];
    if (pipe(fds) < 0) return -errno;
    int rc = edo_io_from_fd(fds[0], ret_in);
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        return rc;
    }
    rc = edo_io_from_fd(fds[1], ret_out);
    if (rc < 0) {
        edo_close(*ret_in);
        close(fds[1]);
    }
    return rc;
}
/* end: pipe */

struct listen_to {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    char text[64];
};

edo_async(listen_to)
{
    edo_body {
        int64_t n;
        n = open_pipe(&self->in, &self->out);
        if (n < 0) edo_return(n);
        n = edo_go(talk, .out = self->out);
        if (n < 0) edo_close(self->out);
        while (n >= 0) {
            edo_await(n, edo_read(self->in, self->text, sizeof self->text));
            if (n <= 0) break;
            fwrite(self->text, 1, (size_t)n, stdout);
        }
        edo_close(self->in);
        edo_return(n);
    }
}

int main(void)
{
    return edo_run(listen_to);
}
