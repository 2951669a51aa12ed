/* The process, its files and threads. */
#include "support/support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <edo/time.h>

#include "sys/sys.h"

size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    size_t count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 3; // ".", ".." and the directory's own
}

int64_t rounds_end(int seconds)
{
    return edo__sys_now() + edo_s(seconds);
}

bool is_late(int64_t end)
{
    return edo__sys_now() > end;
}

/* ---- directories ---- */

char *make_temp_dir(char path[TEMP_PATH_SIZE])
{
    static unsigned count;
    const char *parent = getenv("TMPDIR");
    enum { ROOM = 32 }; // bytes for the name
    if (!parent || strlen(parent) + ROOM > TEMP_PATH_SIZE) parent = "/tmp";
    do {
        snprintf(path, TEMP_PATH_SIZE, "%s/edo-test-%d-%u", parent, (int)getpid(), count++);
    } while (mkdir(path, S_IRWXU) < 0 && errno == EEXIST);
    assert_return_code(access(path, W_OK), errno);
    return path;
}

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *place)
{
    (void)file;
    (void)type;
    (void)place;
    return remove(path);
}

void remove_tree(const char *path)
{
    enum { DESCRIPTORS = 8 };
    assert_int_equal(nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- ports ---- */

static struct sockaddr_storage loopback(int family, socklen_t *ret_size)
{
    struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
        *ret_size = sizeof(struct sockaddr_in6);
    } else {
        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        *ret_size = sizeof(struct sockaddr_in);
    }
    return address;
}

/* Returns: a socket bound to a port that the system chose, or -1. */
static int bind_loopback(int family)
{
    socklen_t size;
    struct sockaddr_storage address = loopback(family, &size);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

int reserve_port(int family, uint16_t *ret_port)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    int fd = bind_loopback(family);
    assert_return_code(fd, errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    *ret_port = ntohs(
        ((struct sockaddr_in *)&address)->sin_port); // at the same offset for both families
    return fd;
}

uint16_t free_port(int family)
{
    uint16_t port;
    close(reserve_port(family, &port));
    return port;
}

bool has_ipv6(void)
{
    int fd = bind_loopback(AF_INET6);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* ---- threads ---- */

struct worker {
    pthread_t thread;
    unsigned index;
    void (*body)(unsigned, void *);
    void *arg;
    pthread_barrier_t *start;
};

static void *run_worker(void *arg)
{
    struct worker *worker = arg;
    pthread_barrier_wait(worker->start);
    worker->body(worker->index, worker->arg);
    return NULL;
}

void run_threads(unsigned count, void (*body)(unsigned index, void *arg), void *arg)
{
    pthread_barrier_t start;
    struct worker *workers = calloc(count, sizeof *workers);
    assert_non_null(workers);
    assert_int_equal(pthread_barrier_init(&start, NULL, count), 0);
    for (unsigned i = 0; i < count; i++) {
        workers[i] = (struct worker){ .index = i, .body = body, .arg = arg, .start = &start };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    pthread_barrier_destroy(&start);
    free(workers);
}
