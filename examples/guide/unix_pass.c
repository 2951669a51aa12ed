/* A server hands an open file to its clients. */
#include <stdio.h>
#include <unistd.h>

#include <edo/edo.h>

/* region: give */
/* A message, and room for one descriptor beside it. */
struct parcel {
    edo_message message;
    edo_slice slice;
    edo_control control;
    char text[16];
    _Alignas(8) char room[EDO_CONTROL_FDS_SIZE(1)];
};

static void parcel_init(struct parcel *parcel, size_t size)
{
    parcel->slice = (edo_slice){ parcel->text, size };
    parcel->control = (edo_control){ parcel->room, sizeof parcel->room, 0 };
    parcel->message = (edo_message){ .slices = &parcel->slice,
                                     .slice_count = 1,
                                     .control = &parcel->control };
}

struct give {
    edo_frame();
    edo_args(edo_listener *listener; edo_fd file;);
    edo_io *conn;
    edo_unix_peer peer;
    struct parcel parcel;
};

edo_async(give)
{
    edo_body {
        edo_try(edo_accept(self->listener, &self->conn));
        edo_check_or(close, edo_unix_peer_credentials(self->conn, &self->peer));
        if (self->peer.uid != getuid()) goto close; // only this user's processes
        int size = snprintf(self->parcel.text, sizeof self->parcel.text, "a file");
        parcel_init(&self->parcel, (size_t)size);
        edo_check_or(close, edo_control_add_fds(&self->parcel.control, &self->file, 1));
        edo_try_or(close, edo_unix_send_message(self->conn, &self->parcel.message));
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: give */

/* region: take */
struct take {
    edo_frame();
    edo_args(const char *address;);
    edo_io *conn;
    struct parcel parcel;
};

edo_async(take)
{
    edo_body {
        int64_t n;
        edo_fd file;
        char line[32];
        edo_try(edo_unix_connect(self->address, &self->conn));
        parcel_init(&self->parcel, sizeof self->parcel.text);
        edo_try_or(close, n, edo_unix_recv_message(self->conn, &self->parcel.message));
        if (edo_control_take_fds(&self->parcel.control, &file, 1) == 1) {
            n = pread(file, line, sizeof line, 0);
            printf("%.*s: %.*s\n", (int)self->parcel.message.size, self->parcel.text,
                   n > 0 ? (int)n : 0, line);
            close(file); // it is ours
        }
close:
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: take */

struct meet {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_task *giver;
    struct take take;
    FILE *file;
    char address[EDO_ADDRESS_TEXT_SIZE];
};

edo_async(meet)
{
    edo_body {
        int rc;
        self->file = tmpfile();
        if (!self->file) edo_return(-errno);
        fputs("hello", self->file);
        fflush(self->file);
        edo_try(edo_unix_listen("unix:", &self->listener)); // any name
        edo_listener_address(self->listener, self->address, sizeof self->address);
        edo_check(
            edo_spawn(&self->giver, give, .listener = self->listener, .file = fileno(self->file)));
        edo_init(&self->take, take, .address = self->address);
        edo_await_on(rc, &self->take.base);
        edo_check(rc);
        edo_await(rc, edo_join(self->giver));
        edo_listener_close(self->listener);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(meet);
}
