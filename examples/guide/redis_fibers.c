/* A Redis server as fibers: GET, SET, PING. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <edo/edo.h>

/* region: protocol */
enum { MAX_WORDS = 8, MAX_WORD = 64 };

struct command {
    int64_t count;
    char words[MAX_WORDS][MAX_WORD];
};

/* Reads a line such as "*3" or "$5". Returns: its number; 0 at the end; a negative errno. */
static int64_t read_number(edo_reader *in, char type, int64_t most)
{
    edo_slice line;
    char digits[8] = "";
    int64_t n = edo_wait(edo_read_line(in, &line));
    if (n <= 0) return n;
    const char *text = line.data;
    if (line.size < 2 || line.size > sizeof digits || text[0] != type) return -EPROTO;
    memcpy(digits, text + 1, line.size - 1);
    return atoi(digits) >= 0 && atoi(digits) <= most ? atoi(digits) : -EPROTO;
}

/* Returns: 1; 0 at the end of the input; a negative errno. */
static int64_t read_command(edo_reader *in, struct command *command)
{
    char end[2];
    command->count = read_number(in, '*', MAX_WORDS);
    for (int64_t i = 0; i < command->count; i++) {
        int64_t size = read_number(in, '$', MAX_WORD - 1);
        if (size < 0) return size;
        command->words[i][size] = '\0';
        int64_t n = edo_wait(edo_reader_read_exact(in, command->words[i], (size_t)size));
        if (n >= 0) n = edo_wait(edo_reader_read_exact(in, end, sizeof end));
        if (n < 0) return n;
    }
    return command->count > 0 ? 1 : command->count;
}
/* end: protocol */

/* region: keys */
enum { MAX_KEYS = 100 };

static struct key {
    char name[MAX_WORD], value[MAX_WORD];
} keys[MAX_KEYS];

/* The key, or a free place for it; NULL: there is none. */
static struct key *find(const char *name)
{
    struct key *key = keys;
    while (key < keys + MAX_KEYS && key->name[0] && strcmp(key->name, name) != 0)
        key++;
    return key < keys + MAX_KEYS ? key : NULL;
}

static edo_op handle(edo_writer *out, const struct command *command)
{
    const char *name = command->words[0];
    struct key *key = command->count > 1 ? find(command->words[1]) : NULL;
    if (strcasecmp(name, "ping") == 0) return edo_printf(out, "+PONG\r\n");
    if (strcasecmp(name, "get") == 0 && command->count == 2) {
        if (!key || !key->name[0]) return edo_printf(out, "$-1\r\n");
        return edo_printf(out, "$%zu\r\n%s\r\n", strlen(key->value), key->value);
    }
    if (strcasecmp(name, "set") != 0 || command->count != 3 || !key)
        return edo_printf(out, "-ERR unknown command\r\n");
    *key = (struct key){ "", "" };
    snprintf(key->name, sizeof key->name, "%s", command->words[1]);
    snprintf(key->value, sizeof key->value, "%s", command->words[2]);
    return edo_printf(out, "+OK\r\n");
}
/* end: keys */

/* region: connection */
static int64_t serve(void *arg)
{
    edo_io *conn = arg;
    edo_buffered io;
    struct command command;
    char memory[2048];
    int64_t rc;
    edo_buffered_init(&io, conn, memory, sizeof memory);
    while ((rc = read_command(&io.in, &command)) > 0) {
        rc = edo_wait(handle(&io.out, &command));
        if (rc >= 0 && edo_reader_ahead(&io.in).size == 0) rc = edo_wait(edo_flush(&io.out));
        if (rc < 0) break;
    }
    edo_writer_deinit(&io.out);
    edo_close(conn);
    return rc;
}
/* end: connection */

static int64_t demo(void *arg)
{
    static const char script[] = "*1\r\n$4\r\nPING\r\n"
                                 "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nhello\r\n"
                                 "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n";
    static const char expected[] = "+PONG\r\n+OK\r\n$5\r\nhello\r\n$-1\r\n";
    char reply[sizeof expected] = "";
    edo_io *near, *far;
    edo_task *server;
    (void)arg;
    if (edo_duplex(4096, &near, &far) < 0) return -ENOMEM;
    if (edo_fiber_spawn(&server, NULL, serve, far) < 0) return -ENOMEM;
    int64_t n = edo_wait(edo_write_all(near, script, sizeof script - 1));
    if (n >= 0) n = edo_wait(edo_read_exact(near, reply, sizeof expected - 1));
    printf("%s", reply);
    edo_close(near);
    n = edo_wait(edo_join(server));
    return n;
}

int main(void)
{
    return edo_fiber_run(demo, NULL);
}
