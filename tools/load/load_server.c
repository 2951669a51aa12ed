#include "load_server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_SIZE = 64,
    TEXT_SIZE = 4096, // /proc/PID/stat is a few hundred bytes
    NS_PER_SECOND = 1000000000,
};

static int read_text(pid_t pid, const char *name, char text[TEXT_SIZE])
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    ssize_t size = read(fd, text, TEXT_SIZE - 1);
    int error = size < 0 ? -errno : 0;
    close(fd);
    if (error == 0) text[size] = '\0';
    return error;
}

/* The second field is the program's name in parentheses, which may hold anything: count from the
 * last parenthesis. utime and stime are fields 14 and 15 (proc(5)). */
static int parse_cpu(const char *stat, uint64_t *ret_ns)
{
    uint64_t user, system;
    const char *rest = strrchr(stat, ')');
    if (rest == NULL ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user,
               &system) != 2)
        return -EPROTO;
    *ret_ns = (user + system) * (NS_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
    return 0;
}

static int parse_rss(const char *statm, uint64_t *ret_bytes)
{
    uint64_t pages;
    if (sscanf(statm, "%*u %" SCNu64, &pages) != 1) return -EPROTO;
    *ret_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int load_server_measure(pid_t pid, struct load_server_sample *ret_sample)
{
    char text[TEXT_SIZE];
    struct load_server_sample sample;

    int error = read_text(pid, "stat", text);
    if (error == 0) error = parse_cpu(text, &sample.cpu_ns);
    if (error == 0) error = read_text(pid, "statm", text);
    if (error == 0) error = parse_rss(text, &sample.rss_bytes);
    if (error == 0) *ret_sample = sample;
    return error;
}
