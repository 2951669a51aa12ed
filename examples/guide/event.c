/* An operation of one's own: waits for a value that any thread may give. */
#include <pthread.h>
#include <stdio.h>

#include <edo/edo.h>

/* region: operation */
typedef struct event {
    pthread_mutex_t lock;
    bool is_set;
    int64_t value;        // >= 0, or a negative errno
    edo_wakeable *waiter; // the task that waits, or NULL
} event;

/* The operation: a struct that begins with an edo_future. */
typedef struct event_wait {
    edo_future base;
    event *event;
} event_wait;

static bool is_ready(event *e, edo_cx *cx, int64_t *ret_result)
{
    if (e->is_set)
        *ret_result = e->value; // a result wins over a cancellation
    else if (edo_cx_fate(cx) != EDO_LIVE)
        *ret_result = -ECANCELED;
    else
        return false;
    return edo_cx_charge(cx); // false: the task has had its turn and is queued again
}

static edo_poll event_wait_poll(edo_future *future, edo_cx *cx)
{
    event_wait *wait = (event_wait *)(void *)future;
    event *e = wait->event;
    pthread_mutex_lock(&e->lock);
    bool ready = is_ready(e, cx, &wait->base.result);
    e->waiter = ready ? NULL : edo_cx_waker(cx);
    pthread_mutex_unlock(&e->lock);
    return ready ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops event_wait_ops = { .name = "event_wait", .poll = event_wait_poll };

static event_wait event_to_be_set(event *e)
{
    return (event_wait){ .base.ops = &event_wait_ops, .event = e };
}

/* Any thread. The waiter cannot end meanwhile: its last poll takes the lock too. */
static void event_set(event *e, int64_t value)
{
    pthread_mutex_lock(&e->lock);
    e->value = value;
    e->is_set = true;
    if (e->waiter) edo_wake(e->waiter);
    pthread_mutex_unlock(&e->lock);
}
/* end: operation */

static event answer = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void *compute(void *argument)
{
    (void)argument;
    event_set(&answer, 42);
    return NULL;
}

/* region: use */
struct program {
    edo_frame();
    edo_args();
    event_wait wait;
};

edo_async(program)
{
    edo_body {
        int64_t value;
        self->wait = event_to_be_set(&answer);
        edo_await_on(value, &self->wait.base);
        if (value < 0) edo_return(value);
        printf("the answer is %d\n", (int)value);
        edo_return(0);
    }
}
/* end: use */

int main(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, compute, NULL) != 0) return 1;
    int status = edo_run(program);
    pthread_join(thread, NULL);
    return status;
}
