/* A plain thread starts a task in a runtime that another thread turns. */
#include <pthread.h>
#include <stdio.h>

#include <edo/edo.h>

struct greet {
    edo_frame();
    edo_args(const char *whom;);
};

edo_async(greet)
{
    edo_body {
        edo_try(edo_yield());
        printf("hello, %s\n", self->whom);
        edo_return(0);
    }
}

/* region: thread */
static void *plain_thread(void *argument)
{
    edo_runtime *runtime = argument; // a reference of our own
    edo_spawn_options options = { .runtime = runtime };
    int rc = edo_spawn_with(NULL, &options, greet, .whom = "from a thread");
    if (rc < 0) fprintf(stderr, "not spawned: %s\n", edo_strerror(rc));
    edo_runtime_unref(runtime);
    return NULL;
}
/* end: thread */

int main(void)
{
    edo_runtime *runtime;
    int rc = edo_runtime_create(NULL, &runtime);
    if (rc < 0) return 1;
    pthread_t thread;
    rc = -pthread_create(&thread, NULL, plain_thread, edo_runtime_ref(runtime));
    if (rc == 0) {
        pthread_join(thread, NULL);
        while (rc >= 0 && edo_runtime_task_count(runtime))
            rc = edo_turn(runtime, EDO_NEVER);
    } else {
        edo_runtime_unref(runtime);
    }
    int ended = edo_runtime_destroy(runtime);
    return rc < 0 || ended < 0;
}
