#include "hand_over.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "aof.h"
#include "server.h"

enum {
    MOST_SOCKETS = 4096,
    VALUE_SIZE = 120 * 1024, // bytes; Linux's limit of one variable is 128 KiB
};

static edo_inherited *sockets; // the lock
static int count, next;        // the lock
static edo_thread_mutex lock;
static bool is_on; // atomic
static edo_signal *request;
static int first_directory = -1; // to which argv[0] and --dir may be relative

int hand_over_open(void)
{
    return edo_signal_open(SIGUSR2, &request);
}

bool hand_over_is_on(void)
{
    return __atomic_load_n(&is_on, __ATOMIC_RELAXED);
}

edo_async_extern(hand_over_waiter)
{
    edo_body {
        do {
            edo_try_or(end, edo_signal_next(request, NULL));
        } while (!aof_is_on());
        __atomic_store_n(&is_on, true, __ATOMIC_RELAXED);
        server_stop();
end:
        edo_signal_close(request);
        edo_return(edo_failure());
    }
}

/* ---- the old program ---- */

static bool keep(edo_listener *listener, edo_fd fd, const char *name)
{
    bool has_room = false;
    edo_thread_mutex_lock(&lock);
    if (!sockets) sockets = must_alloc(MOST_SOCKETS * sizeof *sockets);
    if (count < MOST_SOCKETS) {
        has_room = true;
        sockets[count].listener = listener;
        sockets[count].fd = fd;
        snprintf(sockets[count].name, sizeof sockets[count].name, "%s", name);
        count++;
    }
    edo_thread_mutex_unlock(&lock);
    return has_room;
}

static const char *name_of(const struct client *client)
{
    if (client->is_unix) return client->reply.is_resp3 ? HAND_OVER_LOCAL3 : HAND_OVER_LOCAL;
    return client->reply.is_resp3 ? HAND_OVER_CLIENT3 : HAND_OVER_CLIENT;
}

bool hand_over_client(struct client *client)
{
    if (client->closes || client->shown.is_killed || client->mailbox.is_full) return false;
    if (client->in_multi || client->watches.count || client_has_mail_on(client)) return false;
    if (client->input.size || client->reply.bytes.size || client->waiter.client) return false;
    clients_lock(); // CLIENT LIST shows the descriptor
    edo_fd fd = edo_io_into_fd(client->conn);
    if (fd >= 0) client->conn = NULL;
    clients_unlock();
    if (fd < 0) return false;
    if (keep(NULL, fd, name_of(client))) return true;
    close(fd);
    return true;
}

void hand_over_listener(edo_listener *listener, bool is_unix)
{
    if (!listener) return;
    if (is_unix) edo_unix_keep_path(listener);
    (void)keep(listener, -1, is_unix ? HAND_OVER_UNIX : HAND_OVER_TCP);
}

void hand_over_execute(char **argv)
{
    char *value = must_alloc(VALUE_SIZE);
    int rc = edo_listeners_to_env(sockets, (size_t)count, value, VALUE_SIZE);
    if (rc >= 0 && setenv("EDO_LISTENERS", value, true) == 0) {
        fprintf(stderr, "mini-redis: handing over %d sockets\n", count);
        rc = first_directory < 0 ? 0 : fchdir(first_directory);
        if (rc == 0) execvp(argv[0], argv);
        rc = -errno;
    }
    fprintf(stderr, "mini-redis: hand-over: %s\n", edo_strerror(rc));
}

/* ---- the new program ---- */

int hand_over_inherit(edo_listener **ret_tcp, edo_listener **ret_unix)
{
    *ret_tcp = *ret_unix = NULL;
    first_directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    sockets = must_alloc(MOST_SOCKETS * sizeof *sockets);
    int found = edo_listeners_from_env(sockets, MOST_SOCKETS);
    if (found < 0) return found;
    for (int i = 0; i < found; i++) {
        if (strcmp(sockets[i].name, HAND_OVER_TCP) == 0)
            *ret_tcp = sockets[i].listener;
        else if (strcmp(sockets[i].name, HAND_OVER_UNIX) == 0)
            *ret_unix = sockets[i].listener;
        else if (!sockets[i].listener)
            sockets[count++] = sockets[i]; // clients: to the front
    }
    return 0;
}

bool hand_over_next(edo_fd *ret_fd, bool *ret_unix, bool *ret_resp3)
{
    if (next == count) {
        free(sockets);
        sockets = NULL;
        count = next = 0;
        return false;
    }
    const edo_inherited *socket = &sockets[next++];
    *ret_fd = socket->fd;
    *ret_unix = strncmp(socket->name, HAND_OVER_LOCAL, sizeof HAND_OVER_LOCAL - 1) == 0;
    *ret_resp3 = strstr(socket->name, "resp3") != NULL;
    return true;
}
