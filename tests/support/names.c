/* Names for tests. */
#include "support/names.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "net/address.h"
#include "sys/sockets.h"

enum { MAX_NAMES = 32 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        char host[EDO__HOST_SIZE];
        edo__address address;
    } known[MAX_NAMES];
    size_t count;
    int error;
    bool hold;
    unsigned calls, held;
    char host[EDO__HOST_SIZE], service[EDO__SERVICE_SIZE];
    edo__family family;
} names = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void note(const char *host, const char *service, edo__family family)
{
    names.calls++;
    snprintf(names.host, sizeof names.host, "%s", host);
    snprintf(names.service, sizeof names.service, "%s", service);
    names.family = family;
}

static void wait_while_held(void)
{
    names.held++;
    while (names.hold)
        pthread_cond_wait(&names.changed, &names.lock);
    names.held--;
}

static bool fits(size_t i, const char *host, edo__family family)
{
    return strcmp(names.known[i].host, host) == 0 &&
           (family == EDO__FAMILY_ANY || names.known[i].address.family == family);
}

static int find(const char *host, edo__family family, edo__address **ret_addresses)
{
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++)
        count += fits(i, host, family);
    if (count == 0) return -ENOENT;
    edo__address *next = edo__alloc(count * sizeof *next);
    if (!next) return -ENOMEM;
    *ret_addresses = next;
    for (size_t i = 0; i < names.count; i++)
        if (fits(i, host, family)) *next++ = names.known[i].address;
    return (int)count;
}

static int resolve(const char *host, const char *service, edo__family family,
                   edo__address **ret_addresses)
{
    pthread_mutex_lock(&names.lock);
    note(host, service, family);
    if (names.hold) wait_while_held();
    int rc = names.error ? names.error : find(host, family, ret_addresses);
    pthread_mutex_unlock(&names.lock);
    return rc;
}

void names_install(void)
{
    names_release();
    pthread_mutex_lock(&names.lock);
    names.count = 0;
    names.error = 0;
    names.calls = 0;
    pthread_mutex_unlock(&names.lock);
    edo__sys_set_resolver(resolve);
}

void names_remove(void)
{
    names_release();
    edo__sys_set_resolver(NULL);
}

void names_add(const char *host, const char *address)
{
    pthread_mutex_lock(&names.lock);
    assert_true(names.count < MAX_NAMES);
    snprintf(names.known[names.count].host, EDO__HOST_SIZE, "%s", host);
    assert_int_equal(edo__address_parse(address, &names.known[names.count].address), 0);
    names.count++;
    pthread_mutex_unlock(&names.lock);
}

void names_fail(int error)
{
    pthread_mutex_lock(&names.lock);
    names.error = error;
    pthread_mutex_unlock(&names.lock);
}

void names_hold(void)
{
    pthread_mutex_lock(&names.lock);
    names.hold = true;
    pthread_mutex_unlock(&names.lock);
}

void names_release(void)
{
    pthread_mutex_lock(&names.lock);
    names.hold = false;
    pthread_cond_broadcast(&names.changed);
    pthread_mutex_unlock(&names.lock);
}

bool names_are_held(unsigned count)
{
    pthread_mutex_lock(&names.lock);
    bool held = names.held >= count;
    pthread_mutex_unlock(&names.lock);
    return held;
}

unsigned names_calls(void)
{
    pthread_mutex_lock(&names.lock);
    unsigned calls = names.calls;
    pthread_mutex_unlock(&names.lock);
    return calls;
}

const char *names_last_host(void)
{
    return names.host;
}

const char *names_last_service(void)
{
    return names.service;
}

edo__family names_last_family(void)
{
    return names.family;
}

edo_pool *names_pool(void)
{
    edo_pool *pool = NULL;
    assert_int_equal(edo_runtime_pool(edo_current_runtime(), "dns", &pool), 0);
    return pool;
}

unsigned names_running(void)
{
    edo_pool_stats stats;
    edo_pool_read(names_pool(), &stats);
    return stats.running;
}

void names_await_end(void)
{
    while (names_running() > 0)
        sched_yield();
}
