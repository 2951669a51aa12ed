/* Fetches pages and prints their status and size, eight at once: http.c in the other style.
 * Usage: fiber-http URL...        (fiber-http http://127.0.0.1:8000/index.html) */
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
static int64_t read_head(edo_reader *in)
{
    edo_slice line;
    int status = 0;
    int64_t n = edo_wait(edo_read_line(in, &line));
    if (n > 0 && line.size > 9) status = atoi((const char *)line.data + 9);
    while (n > 0 && line.size > 0)
        n = edo_wait(edo_read_line(in, &line));
    if (n < 0) return n;
    return n > 0 && status ? status : -EPROTO;
}

static int64_t converse(edo_io *conn, const char *address, const char *path, size_t *ret_size)
{
    char text[1024], memory[EDO_BUFFERED_SIZE], page[4096];
    edo_reader in;
    edo_reader_init(&in, conn, memory, sizeof memory);
    int length = snprintf(text, sizeof text,
                          "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
                          address);
    if (length >= (int)sizeof text) return -EMSGSIZE;
    int64_t n = edo_wait(edo_write_all(conn, text, (size_t)length));
    if (n < 0) return n;
    int64_t status = read_head(&in);
    if (status < 0) return status;
    while ((n = edo_wait(edo_reader_read(&in, page, sizeof page))) > 0)
        *ret_size += (size_t)n;
    return n < 0 ? n : status;
}

static int64_t fetch(const char *url, size_t *ret_size)
{
    char address[256];
    edo_io *conn;
    const char *path = parse_url(url, address, sizeof address);
    int64_t rc = path ? edo_wait(edo_tcp_connect(address, &conn)) : -EINVAL;
    if (rc < 0) return rc;
    rc = converse(conn, address, path, ret_size);
    edo_close(conn);
    return rc;
}

static int64_t report(void *arg)
{
    const char *url = arg;
    size_t size = 0;
    int64_t rc = -ETIMEDOUT;
    edo_wait_within(edo_s(LIMIT))
    {
        rc = fetch(url, &size);
    }
    if (rc < 0)
        printf("%s: %s\n", url, edo_strerror(rc));
    else
        printf("%s: %d, %zu bytes\n", url, (int)rc, size);
    return rc == -ECANCELED ? rc : 0;
}

static int64_t fetch_all(void *arg)
{
    edo_member ended;
    int64_t rc = 0;
    edo_fiber_scope(pages, EDO_SCOPE_RESULTS);
    for (char **url = arg; *url && rc >= 0; url++) {
        rc = edo_fiber_scope_spawn(&pages, NULL, report, *url);
        if (rc == 0 && edo_scope_count(&pages) >= AT_ONCE)
            rc = edo_wait(edo_scope_next(&pages, &ended));
    }
    int64_t joined = edo_wait(edo_scope_join(&pages));
    return rc < 0 ? rc : joined;
}

int main(int argc, char **argv)
{
    (void)argc;
    return edo_fiber_run(fetch_all, argv + 1);
}
