/* Names, with each request failing: looked up, listened on, connected to. */
#include "faults/sweep.h"

#include <stdio.h>
#include <string.h>

struct lookup {
    edo_frame();
    edo_args();
    edo_addresses *found;
};

edo_async(lookup)
{
    edo_body {
        int rc;
        edo_await(rc, edo_lookup("localhost:80", &self->found));
        if (rc < 0) edo_return(rc);
        edo_addresses_destroy(self->found);
        edo_return(0);
    }
}

static int64_t look_up(void)
{
    return on_runtime(lookup);
}
fault_test(look_up)

struct service {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    char address[EDO_ADDRESS_SIZE], name[EDO_ADDRESS_SIZE];
};

edo_async(service)
{
    edo_body {
        int rc;
        edo_await(rc, edo_tcp_listen("localhost:0", &self->listener));
        if (rc < 0) edo_return(rc);
        edo_listener_address(self->listener, self->address, sizeof self->address);
        snprintf(self->name, sizeof self->name, "localhost%s", strrchr(self->address, ':'));
        edo_await(rc, edo_tcp_connect(self->name, &self->conn));
        if (rc == 0) edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

static int64_t connect_by_name(void)
{
    return on_runtime(service);
}
fault_test(connect_by_name)
