/* Operations from a plain thread, which they block. */
#include <stdio.h>
#include <unistd.h>

#include <edo/edo.h>

/* region: wait */
static int64_t greet_over(int fds[2])
{
    edo_io *out, *in;
    char text[16];
    int64_t rc = edo_io_from_fd(fds[1], &out);
    if (rc < 0) return rc;
    rc = edo_io_from_fd(fds[0], &in);
    if (rc == 0) {
        rc = edo_wait(edo_write_all(out, "hello", 5));
        if (rc > 0) rc = edo_wait(edo_read_exact(in, text, 5));
        if (rc > 0) printf("%.*s\n", (int)rc, text);
        edo_close(in);
    }
    edo_close(out);
    return rc;
}
/* end: wait */

int main(void)
{
    int fds[2];
    if (pipe(fds) < 0) return 1;
    int64_t rc = greet_over(fds);
    if (rc < 0) fprintf(stderr, "%s\n", edo_strerror(rc));
    return rc < 0;
}
