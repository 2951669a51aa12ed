/* A load shedder: requests above a limit are refused at once, and the limit follows the latency. */
#include <stdio.h>

#include <edo/edo.h>

/* region: shed */
/* The limit grows by one after each round of good requests, and is halved when one was slow: the
 * rule by which TCP finds its share (additive increase, multiplicative decrease). One thread. */
struct shedder {
    int64_t slow; // ns; a request that takes longer is slow
    int limit, most;
    int running, good;
};

static int shed_enter(struct shedder *shedder)
{
    if (shedder->running >= shedder->limit) return -EBUSY; // "503", at once
    shedder->running++;
    return 0;
}

static void shed_leave(struct shedder *shedder, int64_t took)
{
    shedder->running--;
    if (took > shedder->slow) {
        shedder->limit = shedder->limit > 1 ? shedder->limit / 2 : 1;
        shedder->good = 0;
    } else if (++shedder->good >= shedder->limit) {
        if (shedder->limit < shedder->most) shedder->limit++;
        shedder->good = 0;
    }
}
/* end: shed */

/* A server that works on four requests at a time. */
struct request {
    edo_frame();
    edo_args(struct shedder *shedder; edo_semaphore *cores;);
    int64_t began;
};

edo_async(request)
{
    edo_body {
        int rc;
        edo_check(shed_enter(self->shedder));
        self->began = edo_now();
        edo_acquire(rc, self->cores, 1);
        edo_check_or(end, rc);
        edo_await_void(edo_sleep(edo_ms(2)));
        edo_semaphore_release(self->cores, 1);
end:
        shed_leave(self->shedder, edo_now() - self->began);
        edo_return(edo_failure());
    }
}

struct load {
    edo_frame();
    edo_args();
    struct shedder shedder;
    edo_semaphore cores;
    edo_scope requests;
    edo_member ended;
    int i, served, refused;
};

edo_async(load)
{
    edo_body {
        int rc;
        self->shedder = (struct shedder){ .slow = edo_ms(20), .limit = 64, .most = 1000 };
        self->served = self->refused = 0;
        edo_semaphore_init(&self->cores, 4);
        edo_scope_open(&self->requests, EDO_SCOPE_RESULTS | EDO_SCOPE_IGNORE);
        for (self->i = 0; self->i < 200; self->i++) {
            rc = edo_scope_spawn(&self->requests, request, &self->shedder, .cores = &self->cores);
            if (rc < 0) break;
        }
        for (;;) {
            edo_await(rc, edo_scope_next(&self->requests, &self->ended));
            if (rc != 1) break;
            self->served += self->ended.result == 0;
            self->refused += self->ended.result == -EBUSY;
        }
        printf("answered: %d, some refused: %s, lower limit: %s\n", self->served + self->refused,
               self->refused ? "yes" : "no", self->shedder.limit < 64 ? "yes" : "no");
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(load);
}
