/* edo-test: once. The shared library, loaded by a program at run time, used and closed. Its signal
 * handler and its thread destructor remain in the process, so its code must stay mapped. */
#include "support/support.h"

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <edo/dump.h>
#include <edo/edo.h>

static void *library;

/* A function of the loaded library, not of the one linked with this program. */
#define loaded(name) ((__typeof__(&name))find(#name))

static void *find(const char *name)
{
    void *symbol = dlsym(library, name);
    if (!symbol) abort();
    return symbol;
}

static void load(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/libedo.so", getenv("EDO_BIN_DIR"));
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) fprintf(stderr, "%s\n", dlerror());
    assert_non_null(library);
}

/* ---- the end of a thread that has used edo_wait ---- */

static void *wait_then_end(void *arg)
{
    sem_t *sems = arg;
    edo_op yield = edo__op(loaded(edo__yield_ops), NULL, NULL, 0, 0);
    if (loaded(edo__wait)(&yield.base, __FILE__, __LINE__) != 0) abort();
    sem_post(&sems[0]);
    while (sem_wait(&sems[1]) < 0)
        continue;
    return NULL;
}

static void close_before_thread_ends(void *arg)
{
    pthread_t thread;
    sem_t sems[2];
    (void)arg;
    load();
    sem_init(&sems[0], 0, 0);
    sem_init(&sems[1], 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_then_end, sems), 0);
    while (sem_wait(&sems[0]) < 0)
        continue;
    assert_int_equal(dlclose(library), 0);
    sem_post(&sems[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

test(thread_ends_after_close)
{
    expect_success_in_child(close_before_thread_ends, NULL);
}

/* ---- the handler that reports the task of a running thread ---- */

static sem_t entered, let_go;

static edo_poll hold_poll(edo_future *future, edo_cx *cx)
{
    (void)cx;
    sem_post(&entered);
    while (sem_wait(&let_go) < 0)
        continue;
    future->result = 0;
    return EDO_READY;
}

static void discard(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static void close_before_signal(void *arg)
{
    static const edo_future_ops ops = { .name = "hold",
                                        .poll = hold_poll,
                                        .size = sizeof(edo_op),
                                        .args_offset = offsetof(edo_op, object),
                                        .args_size = sizeof(edo_op) - offsetof(edo_op, object) };
    static const edo_site site = { &ops, __func__, __FILE__, __LINE__, 0 };
    edo_op args = edo__op(&ops, NULL, NULL, 0, 0);
    edo_runtime *runtime;
    (void)arg;
    load();
    sem_init(&entered, 0, 0);
    sem_init(&let_go, 0, 0);
    assert_int_equal(loaded(edo_runtime_create)(&(edo_config){ .workers = 1 }, &runtime), 0);
    edo_spawn_options options = { .runtime = runtime };
    assert_int_equal(loaded(edo__spawn)(NULL, &options, &site, &args.object), 0);
    while (sem_wait(&entered) < 0)
        continue;
    assert_int_equal(loaded(edo_dump)(runtime, discard, NULL), 0);
    sem_post(&let_go);
    assert_int_equal(loaded(edo_runtime_destroy)(runtime), 0);
    assert_int_equal(dlclose(library), 0);
    raise(SIGURG);
}

test(signal_after_close)
{
    expect_success_in_child(close_before_signal, NULL);
}

int main(void)
{
    char path[4096];
    const char *build = getenv("EDO_BIN_DIR");
    snprintf(path, sizeof path, "%s/libedo.so", build ? build : "");
    if (!build || access(path, R_OK) < 0) return 77; // the library was not built
    return run_all_tests();
}
