/* What can go wrong has a name. */
#include <stdio.h>

#include <edo/edo.h>

/* region: errors */
struct attempt {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
};

edo_async(attempt)
{
    edo_body {
        int rc;
        edo_await_for(rc, edo_s(5), edo_tcp_connect(self->address, &self->conn));
        if (rc < 0) {
            printf("%s: %s\n", self->address, edo_strerror(rc));
            edo_return(0);
        }
        edo_close(self->conn);
        edo_return(0);
    }
}
/* end: errors */

struct attempts {
    edo_frame();
    edo_args();
    struct attempt refused, wrong;
};

edo_async(attempts)
{
    edo_body {
        edo_init(&self->refused, attempt, .address = "127.0.0.1:1");
        edo_init(&self->wrong, attempt, .address = "127.0.0.1");
        edo_all(&self->wrong.base, &self->refused.base);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(attempts);
}
