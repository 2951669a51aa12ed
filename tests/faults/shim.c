/* Replacements for the functions in symbols.txt: they count calls, and fail those that the plan
 * names. */
#include "faults/shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <edo/base.h>

#include "faults/ring.h"

const char *const fault_names[FAULT_KINDS] = { "alloc", "fd", "thread", "map", "watch" };
const int fault_errors[FAULT_KINDS] = { ENOMEM, EMFILE, EAGAIN, ENOMEM, ENOMEM };

static struct {
    fault_kind kind;
    bool and_all_after;
    uint64_t n;
} plan; // written while edo is idle

static struct requests {
    uint64_t counts[FAULT_KINDS], hits;
} * requests; // atomic; of this process and all its children

static faults_held held; // atomic

#define add(variable, value) __atomic_add_fetch(&(variable), (value), __ATOMIC_RELAXED)
#define load(variable)       __atomic_load_n(&(variable), __ATOMIC_RELAXED)

void faults_plan(fault_kind kind, uint64_t n, bool and_all_after)
{
    plan.kind = kind;
    plan.n = n;
    plan.and_all_after = and_all_after;
    *requests = (struct requests){ 0 };
}

bool faults_hit(void)
{
    return load(requests->hits) > 0;
}

bool faults_persist(void)
{
    return plan.n && plan.and_all_after;
}

uint64_t faults_count(fault_kind kind)
{
    return load(requests->counts[kind]);
}

faults_held faults_held_now(void)
{
    return (faults_held){ load(held.blocks), load(held.threads), load(held.maps) };
}

/* Counts one request. Returns: whether it fails, with errno set. */
bool faults_fails(fault_kind kind)
{
    uint64_t count = add(requests->counts[kind], 1);
    if (kind != plan.kind || plan.n == 0) return false;
    if (plan.and_all_after ? count < plan.n : count != plan.n) return false;
    add(requests->hits, 1);
    errno = fault_errors[kind];
    return true;
}

/* ---- the environment ---- */

static void report(void)
{
    const char *path = getenv("EDO_FAULT_REPORT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    for (unsigned i = 0; i < FAULT_KINDS; i++)
        fprintf(file, "%s %llu\n", fault_names[i], (unsigned long long)load(requests->counts[i]));
    fprintf(file, "hits %llu\n", (unsigned long long)load(requests->hits));
    fclose(file);
}

static _Noreturn void refuse(const char *text)
{
    fprintf(stderr, "EDO_FAULT=%s: expected KIND:N or KIND:N+\n", text);
    exit(EXIT_FAILURE);
}

static void read_plan(const char *text)
{
    const char *colon = strchr(text, ':');
    for (unsigned i = 0; colon && i < FAULT_KINDS; i++) {
        size_t length = strlen(fault_names[i]);
        if (length != (size_t)(colon - text) || strncmp(text, fault_names[i], length) != 0)
            continue;
        char *end;
        unsigned long long n = strtoull(colon + 1, &end, 10);
        if (n == 0 || (*end && strcmp(end, "+") != 0)) break;
        faults_plan((fault_kind)i, n, *end == '+');
        return;
    }
    refuse(text);
}

/* Runs before other constructors that may use edo. */
__attribute__((constructor(101))) static void begin(void)
{
    const char *text = getenv("EDO_FAULT");
    void *shared = mmap(NULL, sizeof *requests, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                        -1, 0);
    if (shared == MAP_FAILED) abort();
    requests = shared;
    if (text) {
        read_plan(text);
        setvbuf(stdout, NULL, _IOLBF, 0); // output is not lost when the run is killed
    }
    atexit(report);
}

/* ---- memory ---- */

static void *counted(void *memory)
{
    if (memory) add(held.blocks, 1);
    return memory;
}

void *edo_faulty_malloc(size_t size)
{
    return faults_fails(FAULT_ALLOC) ? NULL : counted(malloc(size));
}

int edo_faulty_posix_memalign(void **ret_memory, size_t align, size_t size)
{
    if (faults_fails(FAULT_ALLOC)) return ENOMEM;
    int rc = posix_memalign(ret_memory, align, size);
    if (rc == 0) counted(*ret_memory);
    return rc;
}

void *edo_faulty_calloc(size_t count, size_t size)
{
    return faults_fails(FAULT_ALLOC) ? NULL : counted(calloc(count, size));
}

void *edo_faulty_realloc(void *memory, size_t size)
{
    if (faults_fails(FAULT_ALLOC)) return NULL;
    return memory ? realloc(memory, size) : counted(malloc(size));
}

char *edo_faulty_strdup(const char *text)
{
    return faults_fails(FAULT_ALLOC) ? NULL : counted(strdup(text));
}

void edo_faulty_free(void *memory)
{
    if (memory) add(held.blocks, -1);
    free(memory);
}

int edo_faulty_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                           struct addrinfo **ret_list)
{
    if (faults_fails(FAULT_ALLOC)) return EAI_MEMORY;
    int rc = getaddrinfo(host, service, hints, ret_list);
    if (rc == 0) counted(*ret_list);
    return rc;
}

void edo_faulty_freeaddrinfo(struct addrinfo *list)
{
    add(held.blocks, -1);
    freeaddrinfo(list);
}

int edo_faulty_pthread_key_create(pthread_key_t *ret_key, void (*destroy)(void *))
{
    return faults_fails(FAULT_ALLOC) ? ENOMEM : pthread_key_create(ret_key, destroy);
}

/* Setting NULL needs no memory, so it never fails. */
int edo_faulty_pthread_setspecific(pthread_key_t key, const void *value)
{
    return value && faults_fails(FAULT_ALLOC) ? ENOMEM : pthread_setspecific(key, value);
}

int edo_faulty_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return faults_fails(FAULT_ALLOC) ? ENOMEM : pthread_atfork(prepare, parent, child);
}

int edo_faulty_pthread_attr_init(pthread_attr_t *attributes)
{
    return faults_fails(FAULT_ALLOC) ? ENOMEM : pthread_attr_init(attributes);
}

/* ---- hooks of a test, behind the plan ---- */

int edo__faulty_set_allocator(const edo_allocator *allocator); // the library's

static edo_allocator hooks;

static void *hooked_alloc(void *context, size_t size, size_t align)
{
    if (faults_fails(FAULT_ALLOC)) return NULL;
    return counted(((edo_allocator *)context)->alloc(hooks.context, size, align));
}

static void hooked_free(void *context, void *memory, size_t size, size_t align)
{
    add(held.blocks, -1);
    ((edo_allocator *)context)->free(hooks.context, memory, size, align);
}

int edo_set_allocator(const edo_allocator *allocator)
{
    if (!allocator || !allocator->alloc || !allocator->free)
        return edo__faulty_set_allocator(allocator);
    if (edo_memory_in_use()) return -EBUSY; // before the current hooks are replaced
    hooks = *allocator;
    return edo__faulty_set_allocator(&(edo_allocator){ hooked_alloc, hooked_free, &hooks });
}

/* ---- calls on files ---- */

static faults_file_fn *file_hook; // atomic

void faults_on_file_calls(faults_file_fn *fn)
{
    __atomic_store_n(&file_hook, fn, __ATOMIC_RELEASE);
}

/* Returns: whether the call fails, with errno set. */
static bool hook_fails(const char *call, int fd)
{
    faults_file_fn *hook = __atomic_load_n(&file_hook, __ATOMIC_ACQUIRE);
    int error = hook ? hook(call, fd) : 0;
    if (error) errno = error;
    return error != 0;
}

static long after_open(long result)
{
    int error = errno;
    bool fails = hook_fails("openat2", (int)result);
    if (!fails) errno = error;
    if (fails && result >= 0) close((int)result);
    return fails ? -1 : result;
}

ssize_t edo_faulty_readv(int fd, const struct iovec *vector, int count)
{
    return hook_fails("readv", fd) ? -1 : readv(fd, vector, count);
}

ssize_t edo_faulty_preadv(int fd, const struct iovec *vector, int count, off_t offset)
{
    return hook_fails("preadv", fd) ? -1 : preadv(fd, vector, count, offset);
}

ssize_t edo_faulty_preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return hook_fails("preadv2", fd) ? -1 : preadv2(fd, vector, count, offset, flags);
}

ssize_t edo_faulty_writev(int fd, const struct iovec *vector, int count)
{
    return hook_fails("writev", fd) ? -1 : writev(fd, vector, count);
}

ssize_t edo_faulty_pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    return hook_fails("pwritev", fd) ? -1 : pwritev(fd, vector, count, offset);
}

int edo_faulty_fsync(int fd)
{
    return hook_fails("fsync", fd) ? -1 : fsync(fd);
}

int edo_faulty_fdatasync(int fd)
{
    return hook_fails("fdatasync", fd) ? -1 : fdatasync(fd);
}

int edo_faulty_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
    return hook_fails("inotify_add_watch", fd) ? -1 : inotify_add_watch(fd, path, mask);
}

/* ---- descriptors ---- */

int edo_faulty_socket(int domain, int type, int protocol)
{
    return faults_fails(FAULT_FD) ? -1 : socket(domain, type, protocol);
}

int edo_faulty_socketpair(int domain, int type, int protocol, int fds[2])
{
    return faults_fails(FAULT_FD) ? -1 : socketpair(domain, type, protocol, fds);
}

/* A failed accept leaves the connection in the queue. */
int edo_faulty_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return faults_fails(FAULT_FD) ? -1 : accept4(fd, address, size, flags);
}

int edo_faulty_epoll_create1(int flags)
{
    return faults_fails(FAULT_FD) ? -1 : epoll_create1(flags);
}

int edo_faulty_eventfd(unsigned count, int flags)
{
    return faults_fails(FAULT_FD) ? -1 : eventfd(count, flags);
}

int edo_faulty_timerfd_create(int clock, int flags)
{
    return faults_fails(FAULT_FD) ? -1 : timerfd_create(clock, flags);
}

int edo_faulty_signalfd(int fd, const sigset_t *mask, int flags)
{
    return fd < 0 && faults_fails(FAULT_FD) ? -1 : signalfd(fd, mask, flags);
}

int edo_faulty_pipe2(int fds[2], int flags)
{
    return faults_fails(FAULT_FD) ? -1 : pipe2(fds, flags);
}

int edo_faulty_dup3(int old_fd, int new_fd, int flags);
int edo_faulty_dup3(int old_fd, int new_fd, int flags)
{
    return faults_fails(FAULT_FD) ? -1 : dup3(old_fd, new_fd, flags);
}

int edo_faulty_dup(int fd)
{
    return faults_fails(FAULT_FD) ? -1 : dup(fd);
}

/* In edo's calls the third argument is a pointer for locks; for others it is an int, or missing. */
int edo_faulty_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    bool is_lock = command == F_OFD_SETLK;
    void *lock = is_lock ? va_arg(arguments, void *) : NULL;
    int argument = is_lock ? 0 : va_arg(arguments, int);
    va_end(arguments);
    if (is_lock) return fcntl(fd, command, lock);
    bool makes_one = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
    return makes_one && faults_fails(FAULT_FD) ? -1 : fcntl(fd, command, argument);
}

int edo_faulty_openat(int directory, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (faults_fails(FAULT_FD) || hook_fails("openat", directory)) return -1;
    return openat(directory, path, flags, mode);
}

int edo_faulty_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, mode_t);
    va_end(arguments);
    return faults_fails(FAULT_FD) ? -1 : open(path, flags, mode);
}

/* A system call has six argument words, used or not. */
static bool hides_kinds;

void faults_hide_kinds(bool hide)
{
    __atomic_store_n(&hides_kinds, hide, __ATOMIC_RELEASE);
}

/* Clears the kinds in a list of getdents64(). */
static void hide_kinds(char *list, long size)
{
    for (long at = 0; at < size;) {
        struct dirent64 *entry = (struct dirent64 *)(void *)(list + at);
        entry->d_type = DT_UNKNOWN;
        at += entry->d_reclen;
    }
}

long edo_faulty_syscall(long number, ...)
{
    long words[6];
    va_list arguments;
    va_start(arguments, number);
    for (unsigned i = 0; i < 6; i++)
        words[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == __NR_openat2 && faults_fails(FAULT_FD)) return -1;
    long result = faults_ring_call(number, words);
    if (number == __NR_getdents64 && __atomic_load_n(&hides_kinds, __ATOMIC_ACQUIRE))
        hide_kinds((char *)words[1], result);
    return number == __NR_openat2 ? after_open(result) : result;
}

int edo_faulty_inotify_init1(int flags)
{
    return faults_fails(FAULT_FD) ? -1 : inotify_init1(flags);
}

int edo_faulty_epoll_ctl(int epoll, int command, int fd, struct epoll_event *event)
{
    if (command == EPOLL_CTL_ADD && faults_fails(FAULT_WATCH)) return -1;
    return epoll_ctl(epoll, command, fd, event);
}

/* ---- threads ---- */

int edo_faulty_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes,
                              void *(*fn)(void *), void *arg)
{
    if (faults_fails(FAULT_THREAD)) return EAGAIN;
    int rc = pthread_create(ret_thread, attributes, fn, arg);
    if (rc == 0) add(held.threads, 1);
    return rc;
}

int edo_faulty_pthread_join(pthread_t thread, void **ret_result)
{
    int rc = pthread_join(thread, ret_result);
    if (rc == 0) add(held.threads, -1);
    return rc;
}

int edo_faulty_pthread_detach(pthread_t thread)
{
    int rc = pthread_detach(thread);
    if (rc == 0) add(held.threads, -1);
    return rc;
}

/* ---- mappings ---- */

void *edo_faulty_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (faults_fails(FAULT_MAP)) return MAP_FAILED;
    void *memory = mmap(address, size, protection, flags, fd, offset);
    if (memory == MAP_FAILED) return MAP_FAILED;
    add(held.maps, 1);
    faults_ring_mapped(fd, offset, memory);
    return memory;
}

int edo_faulty_munmap(void *memory, size_t size)
{
    add(held.maps, -1);
    return munmap(memory, size);
}
