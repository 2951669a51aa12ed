/* Inherited sockets. */
#include <edo/inherit.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/inherit.h"
#include "sys/sys.h"

enum { FIRST = 3 }; // first descriptor of socket activation; sd_listen_fds(3)

/* ---- reading the environment ---- */

/* Reads a number from 0 to INT_MAX. Returns: the number; -EINVAL if the text is anything else. */
static int64_t number_of(const char *text, char **ret_end)
{
    char *end;
    if (*text < '0' || *text > '9') return -EINVAL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || value > INT32_MAX || (!ret_end && *end)) return -EINVAL;
    if (ret_end) *ret_end = end;
    return value;
}

/* Copies a name, which ends at a colon or at the end of the text. Returns: the text after the
 * colon; NULL if there is no colon. */
static const char *take_name(const char *text, char name[EDO_INHERITED_NAME])
{
    const char *colon = strchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (length > EDO_INHERITED_NAME - 1) length = EDO_INHERITED_NAME - 1;
    memcpy(name, text, length);
    name[length] = '\0';
    return colon ? colon + 1 : NULL;
}

/* Reads LISTEN_FDS and LISTEN_FDNAMES. */
static int read_activation(const char *count_text, edo_inherited *sockets, size_t capacity)
{
    const char *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
    if (!pid || number_of(pid, NULL) != edo__sys_process_id()) return 0;
    int64_t count = number_of(count_text, NULL);
    if (count < 0 || count > INT32_MAX - FIRST) return -EINVAL;
    if ((uint64_t)count > capacity) return -ENOSPC;
    for (int i = 0; i < count; i++) {
        sockets[i] = (edo_inherited){ NULL, FIRST + i, "unknown" };
        if (names) names = take_name(names, sockets[i].name);
    }
    return (int)count;
}

static bool has_descriptor(const edo_inherited *sockets, size_t count, int64_t fd)
{
    while (count > 0)
        if (sockets[--count].fd == fd) return true;
    return false;
}

/* Reads EDO_LISTENERS, for example "3=http:4=admin". */
static int read_listeners(const char *text, edo_inherited *sockets, size_t capacity)
{
    size_t count = 0;
    for (; text && *text; count++) {
        char *end;
        int64_t fd = number_of(text, &end);
        if (fd < 0 || *end != '=') return -EINVAL;
        if (has_descriptor(sockets, count, fd)) return -EINVAL;
        if (count == capacity) return -ENOSPC;
        sockets[count] = (edo_inherited){ NULL, (edo_fd)fd, "" };
        text = take_name(end + 1, sockets[count].name);
    }
    return (int)count;
}

static int read_environment(edo_inherited *sockets, size_t capacity)
{
    const char *listeners = getenv("EDO_LISTENERS"), *count = getenv("LISTEN_FDS");
    if (listeners) return read_listeners(listeners, sockets, capacity);
    return count ? read_activation(count, sockets, capacity) : 0;
}

static void clear_environment(void)
{
    unsetenv("EDO_LISTENERS");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

/* ---- taking over ---- */

/* Sets close-on-exec on all descriptors. Returns: 0; -EBADF: one of them is not open, and no flag
 * was changed. */
static int set_close_on_exec(const edo_inherited *sockets, int count)
{
    for (int i = 0; i < count; i++) {
        int rc = edo__sys_set_inheritable(sockets[i].fd, false);
        if (rc == 0) continue;
        while (i > 0)
            edo__sys_set_inheritable(sockets[--i].fd, true);
        return rc;
    }
    return 0;
}

static void close_all(edo_inherited *sockets, int count)
{
    for (int i = 0; i < count; i++) {
        if (sockets[i].listener)
            edo_listener_close(sockets[i].listener);
        else
            edo__sys_close(sockets[i].fd);
    }
}

/* Makes a listener for each socket that listens. */
static int wrap_all(edo_inherited *sockets, int count)
{
    for (int i = 0; i < count; i++) {
        if (edo_listener_from_fd(sockets[i].fd, &sockets[i].listener) != -ENOMEM) continue;
        close_all(sockets, count);
        return -ENOMEM;
    }
    return count;
}

int edo_listeners_from_env(edo_inherited *ret_sockets, size_t capacity)
{
    if (!ret_sockets && capacity) return -EINVAL;
    int count = read_environment(ret_sockets, capacity);
    int rc = count < 0 ? count : set_close_on_exec(ret_sockets, count);
    if (rc < 0) return rc;
    clear_environment();
    return wrap_all(ret_sockets, count);
}

/* ---- handing over ---- */

int edo_listener_set_inheritable(edo_listener *listener, bool on)
{
    edo_fd fd = edo_listener_fd(listener);
    return fd < 0 ? fd : edo__sys_set_inheritable(fd, on);
}

int edo_listeners_to_env(const edo_inherited *sockets, size_t count, char *buffer, size_t size)
{
    size_t length = 0;
    if (!sockets || !buffer || !size) return -EINVAL;
    buffer[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        edo_fd fd = sockets[i].listener ? edo_listener_fd(sockets[i].listener) : sockets[i].fd;
        if (strpbrk(sockets[i].name, ":=")) return -EINVAL;
        int n = snprintf(buffer + length, size - length, "%s%d=%s", i ? ":" : "", fd,
                         sockets[i].name);
        if (n < 0 || (size_t)n >= size - length) return -ENOSPC;
        length += (size_t)n;
        int rc = edo__sys_set_inheritable(fd, true);
        if (rc < 0) return rc;
    }
    return (int)length;
}
