/* A task that owns a counter, and answers requests; a configuration that others follow; a slow
 * reader. */
#include <stdio.h>

#include <edo/edo.h>

/* region: request */
struct request {
    int add;
    edo_oneshot_sender(int) reply; // for the answer
};

typedef edo_sender(struct request) request_sender;
typedef edo_receiver(struct request) request_receiver;

struct counter {
    edo_frame();
    edo_args(request_receiver requests;);
    struct request request;
    int count;
};

edo_async(counter)
{
    edo_body {
        int rc;
        for (self->count = 0;;) {
            edo_await_recv(rc, &self->requests, &self->request);
            if (rc != 1) break;
            self->count += self->request.add;
            (void)!edo_oneshot_send(&self->request.reply,
                                    &self->count); // -EPIPE: not awaited any more
        }
        edo_receiver_close(&self->requests);
        edo_return(rc);
    }
}
/* end: request */

typedef edo_oneshot_receiver(int) int_answer;
typedef edo_watch_sender(int) level_sender;
typedef edo_watch_receiver(int) level_receiver;
typedef edo_broadcast_sender(int) event_sender;
typedef edo_broadcast_receiver(int) event_receiver;

/* region: ask */
struct asker {
    edo_frame();
    edo_args(request_sender *counter;);
    struct request request;
    int_answer answer;
    int count;
};

edo_async(asker)
{
    edo_body {
        int rc;
        self->request.add = 5;
        edo_check(edo_oneshot_create(&self->request.reply, &self->answer));
        edo_await_send(rc, self->counter, &self->request);
        if (rc < 0) edo_oneshot_sender_close(&self->request.reply); // not sent: still open
        edo_await_for(rc, edo_s(1), edo_oneshot_recv(&self->answer, &self->count));
        edo_oneshot_receiver_close(&self->answer);     // no effect after an answer
        if (rc != 1) edo_return(rc < 0 ? rc : -EPIPE); // 0: there will be no answer
        edo_return(self->count);
    }
}
/* end: ask */

/* region: watch */
struct follower {
    edo_frame();
    edo_args(level_receiver level;);
    int now;
};

edo_async(follower)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await_watch(rc, &self->level, &self->now); // the last value only
            if (rc != 1) break;
            printf("level %d\n", self->now);
        }
        edo_watch_receiver_close(&self->level);
        edo_return(rc);
    }
}
/* end: watch */

/* region: lag */
struct reader {
    edo_frame();
    edo_args(event_receiver events;);
    int event;
};

edo_async(reader)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await_broadcast(rc, &self->events, &self->event);
            if (rc == EDO_LAGGED) // not the end: the oldest kept value is next
                printf("missed %d\n", (int)edo_broadcast_missed(&self->events));
            else if (rc == 1)
                printf("event %d\n", self->event);
            else
                break; // 0: no more; < 0: cancelled
        }
        edo_broadcast_receiver_close(&self->events);
        edo_return(rc);
    }
}
/* end: lag */

struct program {
    edo_frame(struct asker asker;);
    edo_args();
    edo_task *counter, *follower, *reader;
    request_sender requests;
    request_receiver queue;
    level_sender level;
    level_receiver followed;
    event_sender events;
    event_receiver read;
};

static int open_all(struct program *self)
{
    int level = 0, rc = edo_mpsc_create(&self->requests, &self->queue, 4);
    if (rc == 0) rc = edo_watch_create(&self->level, &self->followed, &level);
    if (rc == 0) rc = edo_broadcast_create(&self->events, &self->read, 2);
    if (rc == 0) rc = edo_spawn(&self->counter, counter, .requests = self->queue);
    if (rc == 0) rc = edo_spawn(&self->follower, follower, .level = self->followed);
    if (rc == 0) rc = edo_spawn(&self->reader, reader, .events = self->read);
    return rc;
}

edo_async(program)
{
    edo_body {
        int rc;
        edo_check(open_all(self));
        for (int i = 1; i <= 5; i++) {
            edo_watch_send(&self->level, &i);
            edo_broadcast_send(&self->events, &i);
        }
        edo_watch_sender_close(&self->level);
        edo_broadcast_sender_close(&self->events);
        edo_await_void(edo_join(self->follower));
        edo_await_void(edo_join(self->reader));
        edo_call(rc, asker, .counter = &self->requests);
        printf("count %d\n", rc);
        edo_sender_close(&self->requests);
        edo_await_void(edo_join(self->counter));
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(program);
}
