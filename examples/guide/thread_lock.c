/* A counter shared by tasks and plain threads, behind a lock for threads. */
#include <pthread.h>
#include <stdio.h>

#include <edo/edo.h>

enum { TIMES = 1000 };

/* region: counter */
struct counter {
    edo_thread_mutex mutex;
    edo_thread_cond grown;
    int value;
};

static void counter_add(struct counter *counter)
{
    edo_thread_mutex_lock(&counter->mutex);
    counter->value++;
    edo_thread_mutex_unlock(&counter->mutex);
    edo_thread_cond_notify_all(&counter->grown);
}

/* For plain threads: blocks the calling thread. */
static int counter_wait_for(struct counter *counter, int value, int64_t deadline)
{
    int rc = 0;
    edo_thread_mutex_lock(&counter->mutex);
    while (counter->value < value && rc == 0)
        rc = edo_thread_cond_wait_until(&counter->grown, &counter->mutex, deadline);
    edo_thread_mutex_unlock(&counter->mutex);
    return rc;
}
/* end: counter */

static void *watch(void *counter)
{
    int rc = counter_wait_for(counter, TIMES, edo_now() + edo_s(60));
    printf("%d: %s\n", TIMES, edo_strerror(rc));
    return NULL;
}

/* region: task */
struct count {
    edo_frame();
    edo_args(struct counter *counter;);
    int i;
};

edo_async(count)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < TIMES && rc == 0; self->i++) {
            counter_add(self->counter); // no await inside
            edo_await(rc, edo_yield());
        }
        edo_return(rc);
    }
}
/* end: task */

int main(void)
{
    struct counter counter = { EDO_THREAD_MUTEX_INIT, EDO_THREAD_COND_INIT, 0 };
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, &counter) != 0) return 1;
    int status = edo_run(count, .counter = &counter);
    pthread_join(thread, NULL);
    return status;
}
