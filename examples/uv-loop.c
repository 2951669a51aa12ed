// pkg-config: libuv
/* A runtime inside a libuv loop: libuv waits, edo runs when its descriptor is readable. The task below
 * and a timer of libuv's take turns on one thread. */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include <edo/edo.h>

/* ---- what runs on edo ---- */

struct ping {
    edo_frame();
    edo_args(int times; uv_timer_t *pong;);
    int i;
};

static void pong(uv_timer_t *timer);

edo_async(ping)
{
    edo_body {
        for (self->i = 0; self->i < self->times; self->i++) {
            edo_try(edo_sleep(edo_ms(5)));
            printf("ping, from a task\n");
            if (uv_timer_start(self->pong, pong, 1, 0) < 0) edo_return(-EIO);
            edo_try(edo_sleep(edo_ms(50)));
        }
        edo_return(0);
    }
}

/* ---- the bridge ---- */

typedef struct bridge {
    uv_poll_t poll;
    edo_runtime *runtime;
    uv_timer_t timer;
} bridge;

static void turn(uv_poll_t *poll, int status, int events)
{
    (void)events;
    bridge *b = poll->data;
    int rc = status < 0 ? status : edo_turn(b->runtime, 0);
    if (rc < 0) fprintf(stderr, "uv-loop: %s\n", edo_strerror(rc));
    if (rc < 0 || edo_runtime_task_count(b->runtime) == 0) {
        uv_close((uv_handle_t *)&b->poll, NULL); // nothing is left to do
        uv_close((uv_handle_t *)&b->timer, NULL);
    }
}

static int open_bridge(bridge *b, uv_loop_t *loop)
{
    int rc = edo_runtime_create(NULL, &b->runtime);
    if (rc < 0) return rc;
    int fd = edo_runtime_fd(b->runtime);
    rc = fd < 0 ? fd : uv_poll_init(loop, &b->poll, fd);
    if (rc == 0) rc = uv_timer_init(loop, &b->timer);
    if (rc == 0) rc = uv_poll_start(&b->poll, UV_READABLE, turn);
    b->poll.data = b;
    return rc;
}

static void pong(uv_timer_t *timer)
{
    (void)timer;
    printf("pong, from libuv\n");
}

static int run(bridge *b, uv_loop_t *loop)
{
    edo_spawn_options options = { .runtime = b->runtime };
    int rc = edo_spawn_with(NULL, &options, ping, .times = 3, .pong = &b->timer);
    if (rc == 0) rc = uv_run(loop, UV_RUN_DEFAULT);
    int ended = edo_runtime_destroy(b->runtime);
    return rc < 0 ? rc : ended;
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    bridge b = { .runtime = NULL };
    int rc = open_bridge(&b, loop);
    if (rc == 0) rc = run(&b, loop);
    if (rc < 0) fprintf(stderr, "uv-loop: %s\n", edo_strerror(rc));
    uv_loop_close(loop);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
