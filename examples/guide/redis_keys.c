/* A Redis server, step 2: GET, SET and expiry. */
#include "redis_protocol.h"

/* region: keys */
/* A key lies in a list, and in a queue of delays while it has a time to live. All tasks of this
 * program run on one thread, and no function here waits: no lock is needed. */
struct key {
    edo_delay expiry; // first, so that an expiry is its key
    struct key *next;
    char name[MAX_WORD], value[MAX_WORD];
};

static struct key *keys;
static edo_delay_queue expiries = EDO_DELAY_QUEUE_INIT;

static struct key **find(const char *name)
{
    struct key **at = &keys;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void delete_key(const char *name)
{
    struct key **at = find(name), *key = *at;
    if (!key) return;
    *at = key->next;
    edo_delay_queue_remove(&expiries, &key->expiry);
    free(key);
}

static int set_key(const char *name, const char *value, int64_t ttl)
{
    delete_key(name);
    struct key *key = calloc(1, sizeof *key);
    if (!key) return -ENOMEM;
    snprintf(key->name, sizeof key->name, "%s", name);
    snprintf(key->value, sizeof key->value, "%s", value);
    key->next = keys;
    keys = key;
    return ttl ? edo_delay_queue_insert(&expiries, &key->expiry, edo_now() + ttl) : 0;
}
/* end: keys */

/* region: expire */
/* Deletes keys when their time has come. */
struct expire {
    edo_frame();
    edo_args();
    edo_delay *due;
};

edo_async(expire)
{
    edo_body {
        for (;;) {
            edo_try(edo_delay_queue_next(&expiries, &self->due));
            delete_key(((struct key *)self->due)->name);
        }
    }
}
/* end: expire */

/* region: handle */
/* SET key value [PX milliseconds], GET key, PING. */
static edo_op handle(edo_writer *out, const struct command *command)
{
    if (is(command, "ping", 1)) return edo_printf(out, "+PONG\r\n");
    if (is(command, "set", 3)) {
        bool has_ttl = command->count == 5 && strcasecmp(command->words[3], "px") == 0;
        int64_t ttl = has_ttl ? edo_ms(atoi(command->words[4])) : 0;
        int rc = set_key(command->words[1], command->words[2], ttl);
        return rc < 0 ? edo_printf(out, "-ERR %s\r\n", edo_strerror(rc))
                      : edo_printf(out, "+OK\r\n");
    }
    if (is(command, "get", 2)) {
        struct key *key = *find(command->words[1]);
        if (!key) return edo_printf(out, "$-1\r\n");
        return edo_printf(out, "$%zu\r\n%s\r\n", strlen(key->value), key->value);
    }
    return edo_printf(out, "-ERR unknown command\r\n");
}
/* end: handle */

/* region: connection */
struct serve {
    edo_frame(struct read_command read;);
    edo_args(edo_io *conn;);
    edo_buffered io;
    struct command command;
    char memory[2048];
};

edo_async(serve)
{
    edo_body {
        int64_t n;
        edo_buffered_init(&self->io, self->conn, self->memory, sizeof self->memory);
        for (;;) {
            edo_call(n, read_command, .in = &self->io.in, .command = &self->command);
            if (n <= 0) break;
            edo_try_or(close, handle(&self->io.out, &self->command));
            if (edo_reader_ahead(&self->io.in).size == 0) // else one write for the whole pipeline
                edo_try_or(close, edo_flush(&self->io.out));
        }
close:
        edo_writer_deinit(&self->io.out);
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: connection */

struct demo {
    edo_frame(struct talk talk;);
    edo_args();
    edo_io *near, *far;
    edo_task *server, *expire;
};

edo_async(demo)
{
    static const struct exchange first[] = {
        { "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n", 1 },
        { "*2\r\n$3\r\nGET\r\n$1\r\na\r\n", 2 },
        { "*5\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n$2\r\nPX\r\n$2\r\n10\r\n", 1 },
        { "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n*1\r\n$4\r\nPING\r\n", 3 },
        { 0 },
    };
    static const struct exchange second[] = {
        { "*2\r\n$3\r\nGET\r\n$1\r\nb\r\n", 1 },
        { 0 },
    };
    edo_body {
        int64_t rc;
        edo_check(edo_clock_pause()); // the time of this program passes when all tasks wait
        edo_check(edo_spawn(&self->expire, expire));
        edo_check(edo_duplex(4096, &self->near, &self->far));
        edo_check(edo_spawn(&self->server, serve, .conn = self->far));
        edo_call(rc, talk, .conn = self->near, .script = first);
        edo_await(rc, edo_join(self->server));
        edo_await(rc, edo_sleep(edo_ms(20)));
        edo_check(edo_duplex(4096, &self->near, &self->far));
        edo_check(edo_spawn(&self->server, serve, .conn = self->far));
        edo_call(rc, talk, .conn = self->near, .script = second);
        edo_await(rc, edo_join(self->server));
        edo_task_cancel(self->expire);
        edo_await(rc, edo_join(self->expire));
        delete_key("a");
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(demo);
}
