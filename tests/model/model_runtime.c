/* The current-thread runtime against wakes, spawns, cancels and joins from other threads. */
#include "model/fake_sys.h"

int main(int argc, char **argv)
{
    return model_main(argc, argv);
}

/* A future that is ready once it was told so; told from another thread. */
struct told {
    edo_frame();
    edo_args(uint32_t *flag; unsigned *polls;);
};

static edo_poll told_poll(edo_future *future, edo_cx *cx)
{
    struct told *self = (struct told *)(void *)future;
    (*self->polls)++;
    future->result = edo_cx_fate(cx) == EDO_LIVE ? 7 : -ECANCELED;
    return edo_load_relaxed(self->flag) || edo_cx_fate(cx) != EDO_LIVE ? EDO_READY : EDO_PENDING;
}

static const edo_future_ops told_async = {
    .name = "told",
    .poll = told_poll,
    .size = sizeof(struct told),
    .args_offset = offsetof(struct told, args),
    .args_size = sizeof(((struct told *)0)->args),
};

static struct {
    edo_runtime *runtime;
    edo_task *task;
    edo_wakeable *waker;
    uint32_t flag;
    unsigned polls;
} *s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    s->runtime = fake_runtime_create();
    s->flag = 0;
    s->polls = 0;
    int rc = edo_spawn_with(&s->task, &(edo_spawn_options){ .runtime = s->runtime }, told,
                            .flag = &s->flag, .polls = &s->polls);
    model_assert(rc == 0);
}

static void turn_until_done(void)
{
    while (!edo_task_is_done(s->task))
        edo_turn(s->runtime, EDO_NEVER);
}

static void tell(void *argument)
{
    (void)argument;
    edo_store_relaxed(&s->flag, 1);
    edo_wake(s->waker);
    edo_waker_unref(s->waker);
}

MODEL(wake_against_park, "a wake from another thread is not lost, whatever the owner is doing")
{
    set_up();
    s->waker = edo_task_waker(s->task);
    int teller = model_start(tell, NULL);
    turn_until_done();
    model_assert(edo__task_frame(s->task)->result == 7);
    edo_detach(s->task);
    model_join(teller);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}
