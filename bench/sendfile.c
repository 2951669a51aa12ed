/* A server that answers every HTTP request with one file, by edo_send_file(). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"

enum { REQUEST_SIZE = 2048 }; // bytes; larger requests end the connection

static int file;
static uint64_t file_size;
static char head[128];

struct send_file {
    edo_frame();
    edo_args(edo_io *conn;);
    edo_file_range range;
    size_t got;
    char request[REQUEST_SIZE];
};

/* The length of the request at the front of the buffer, with its empty line; 0: incomplete. */
static size_t request_length(struct send_file *self)
{
    self->request[self->got] = '\0';
    const char *end = strstr(self->request, "\r\n\r\n");
    return end ? (size_t)(end - self->request) + 4 : 0;
}

static void drop_request(struct send_file *self, size_t length)
{
    self->got -= length;
    memmove(self->request, self->request + length, self->got);
}

edo_async(send_file)
{
    edo_body {
        int64_t n = 0;
        self->got = 0;
        while (self->got < REQUEST_SIZE - 1) {
            edo_await(
                n, edo_read(self->conn, self->request + self->got, REQUEST_SIZE - 1 - self->got));
            if (n <= 0) break;
            self->got += (size_t)n;
            for (size_t length; (length = request_length(self));) {
                drop_request(self, length);
                self->range = (edo_file_range){ .file = file, .size = file_size };
                edo_await(n, edo_write_all(self->conn, head, strlen(head)));
                if (n > 0) edo_await(n, edo_send_file(self->conn, &self->range));
                if (n < 0) break;
            }
            if (n < 0) break;
        }
        edo_close(self->conn);
        edo_return(n);
    }
}

static int handle(edo_io *conn)
{
    edo_tcp_set_nodelay(conn, true);
    return edo_go(send_file, .conn = conn);
}

int bench_sendfile(edo_runtime *runtime, int argc, char **argv)
{
    struct stat about;
    bench_require(argc == 2 ? 0 : -EINVAL, "usage: sendfile PORT FILE");
    file = open(argv[1], O_RDONLY | O_CLOEXEC);
    bench_require(file < 0 || fstat(file, &about) < 0 ? -errno : 0, argv[1]);
    file_size = (uint64_t)about.st_size;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n",
             (unsigned long long)file_size);
    return bench_serve(runtime, argv[0], handle);
}
