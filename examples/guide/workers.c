/* A runtime with threads of its own: what tasks share, where they run, and what may take long. */
#include <pthread.h>
#include <stdio.h>

#include <edo/edo.h>

enum { REQUESTS = 1000 };

/* region: shared */
/* Tasks run at the same time: what they share they share as threads do. */
struct totals {
    pthread_mutex_t lock;
    int requests;
    int64_t sum;
};

static void count_request(struct totals *totals, int64_t value)
{
    pthread_mutex_lock(&totals->lock); // for a moment, and never across an await
    totals->requests++;
    totals->sum += value;
    pthread_mutex_unlock(&totals->lock);
}

struct request {
    edo_frame();
    edo_args(struct totals *totals; int64_t value;);
};

edo_async(request)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(edo_ms(1))); // behind it this may be another thread
        if (rc < 0) edo_return(rc);
        count_request(self->totals, self->value);
        edo_return(0);
    }
}
/* end: shared */

/* region: pinned */
static int books; // only tasks on worker 0 touch it: one at a time, without a lock

struct book {
    edo_frame();
    edo_args();
};

edo_async(book)
{
    edo_body {
        int rc;
        books++;
        edo_await(rc, edo_yield());
        books++; // still worker 0, but others may have run there meanwhile
        edo_return(rc);
    }
}

struct library {
    edo_frame();
    edo_args();
    edo_task *first, *second;
};

edo_async(library)
{
    edo_body {
        int rc;
        rc = edo_spawn_on(&self->first, 0, book);
        if (rc < 0) edo_return(rc);
        rc = edo_spawn_on(&self->second, 0, book);
        if (rc < 0) edo_detach(self->first);
        if (rc < 0) edo_return(rc);
        edo_shield();
        edo_await(rc, edo_join(self->first));
        edo_await(rc, edo_join(self->second));
        printf("%d books\n", books); // a join shows what the task has done
        edo_return(rc);
    }
}
/* end: pinned */

/* region: in_place */
static int64_t checksum(void *arg)
{
    const struct totals *totals = arg;
    int64_t sum = 0;
    for (int64_t i = 0; i < 1000 * 1000; i++)
        sum = (sum * 31 + totals->sum) % 65521;
    return sum;
}

struct audit {
    edo_frame();
    edo_args(struct totals *totals;);
};

edo_async(audit)
{
    edo_body {
        int64_t sum;
        sum = edo_block_in_place(checksum,
                                 self->totals); // on this thread, which others stand in for
        printf("audited: %s\n", sum >= 0 ? "yes" : "no");
        edo_return(0);
    }
}
/* end: in_place */

struct root {
    edo_frame(struct library library; struct audit audit;);
    edo_args(struct totals *totals;);
    edo_scope scope;
    int i;
};

edo_async(root)
{
    edo_body {
        int rc;
        edo_scope_open(&self->scope, EDO_SCOPE_FAIL_FAST);
        for (self->i = 0; self->i < REQUESTS; self->i++) {
            rc = edo_scope_spawn(&self->scope, request, .totals = self->totals, .value = self->i);
            if (rc < 0) break;
        }
        edo_await(rc, edo_scope_join(&self->scope));
        if (rc < 0) edo_return(rc);
        printf("%d requests, in all %lld\n", self->totals->requests, (long long)self->totals->sum);
        edo_call(rc, library);
        if (rc < 0) edo_return(rc);
        edo_call(rc, audit, .totals = self->totals);
        edo_return(rc);
    }
}

/* region: main */
static void tell_operator(void *user, const edo_stall *stall)
{
    (void)user;
    fprintf(stderr, "%s computes for %lld ms already\n", stall->task_name,
            (long long)(stall->duration / edo_ms(1)));
}

int main(void)
{
    static const edo_hooks hooks = { .stall = tell_operator };
    struct totals totals = { .lock = PTHREAD_MUTEX_INITIALIZER };
    edo_config config = { .workers = EDO_WORKERS_AUTO, .hooks = &hooks };
    return edo_run_with(&config, root, .totals = &totals);
}
/* end: main */
