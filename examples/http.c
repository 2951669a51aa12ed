/* Fetches pages and prints their status and size, eight at once.
 * Usage: http URL...        (http http://127.0.0.1:8000/index.html) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <edo/edo.h>

enum { AT_ONCE = 8, LIMIT = 10 /* s, per page */ };

/* Splits "http://HOST[:PORT][/PATH]". Returns: the path, without its slash; NULL: no such URL. */
static const char *parse_url(const char *url, char *ret_address, size_t size)
{
    if (strncmp(url, "http://", 7) != 0) return NULL;
    int length = (int)strcspn(url + 7, "/");
    bool has_port = memchr(url + 7, ':', (size_t)length);
    snprintf(ret_address, size, "%.*s%s", length, url + 7, has_port ? "" : ":80");
    return url + 7 + length + (url[7 + length] == '/');
}

/* Reads status and headers. Returns: the status, or a negative errno. */
struct read_head {
    edo_frame();
    edo_args(edo_reader *in;);
    edo_slice line;
    int status;
};

edo_async(read_head)
{
    edo_body {
        int64_t n;
        self->status = 0;
        edo_await(n, edo_read_line(self->in, &self->line));
        if (n > 0 && self->line.size > 9) self->status = atoi((const char *)self->line.data + 9);
        while (n > 0 && self->line.size > 0)
            edo_await(n, edo_read_line(self->in, &self->line));
        if (n < 0) edo_return(n);
        edo_return(n > 0 && self->status ? self->status : -EPROTO);
    }
}

struct converse {
    edo_frame(struct read_head read_head;);
    edo_args(edo_io *conn; const char *address, *path; size_t *ret_size;);
    char text[1024], memory[EDO_BUFFERED_SIZE], page[4096];
    edo_reader in;
    int64_t status;
};

edo_async(converse)
{
    edo_body {
        int64_t n;
        edo_reader_init(&self->in, self->conn, self->memory, sizeof self->memory);
        int length = snprintf(self->text, sizeof self->text,
                              "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
                              self->path, self->address);
        if (length >= (int)sizeof self->text) edo_return(-EMSGSIZE);
        edo_await(n, edo_write_all(self->conn, self->text, (size_t)length));
        if (n < 0) edo_return(n);
        edo_call(self->status, read_head, .in = &self->in);
        if (self->status < 0) edo_return(self->status);
        do {
            edo_await(n, edo_reader_read(&self->in, self->page, sizeof self->page));
            if (n > 0) *self->ret_size += (size_t)n;
        } while (n > 0);
        edo_return(n < 0 ? n : self->status);
    }
}

struct fetch {
    edo_frame(struct converse converse;);
    edo_args(const char *url; size_t *ret_size;);
    char address[256];
    const char *path;
    edo_io *conn;
};

edo_async(fetch)
{
    edo_body {
        int64_t rc;
        self->path = parse_url(self->url, self->address, sizeof self->address);
        if (!self->path) edo_return(-EINVAL);
        edo_await(rc, edo_tcp_connect(self->address, &self->conn));
        if (rc < 0) edo_return(rc);
        edo_call(rc, converse, .conn = self->conn, .address = self->address, .path = self->path,
                 .ret_size = self->ret_size);
        edo_close(self->conn);
        edo_return(rc);
    }
}

struct report {
    edo_frame(struct fetch fetch;);
    edo_args(const char *url;);
    size_t size;
};

edo_async(report)
{
    edo_body {
        int64_t rc;
        self->size = 0;
        edo_call_for(rc, edo_s(LIMIT), fetch, .url = self->url, .ret_size = &self->size);
        if (rc < 0)
            printf("%s: %s\n", self->url, edo_strerror(rc));
        else
            printf("%s: %d, %zu bytes\n", self->url, (int)rc, self->size);
        edo_return(rc == -ECANCELED ? rc : 0);
    }
}

struct fetch_all {
    edo_frame();
    edo_args(char **url;);
    edo_scope pages;
    edo_member ended;
    int64_t result;
};

edo_async(fetch_all)
{
    edo_body {
        int64_t rc;
        edo_scope_open(&self->pages, EDO_SCOPE_RESULTS);
        for (self->result = 0; *self->url && self->result >= 0; self->url++) {
            self->result = edo_scope_spawn(&self->pages, report, .url = *self->url);
            if (self->result == 0 && edo_scope_count(&self->pages) >= AT_ONCE)
                edo_await(self->result, edo_scope_next(&self->pages, &self->ended));
        }
        edo_await(rc, edo_scope_join(&self->pages));
        edo_return(self->result < 0 ? self->result : rc);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    return edo_run(fetch_all, .url = argv + 1);
}
