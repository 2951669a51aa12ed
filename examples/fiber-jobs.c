/* A job runner: jobs.c in the other style. Workers take jobs from a channel. A job, the checksum of
 * a file, has a time limit and is tried again after a pause. One fiber prints the results.
 * Usage: fiber-jobs FILE... */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

enum { WORKERS = 4, TRIES = 3, QUEUE = 16, LIMIT = 10 /* s, per try */, PAUSE = 100 /* ms */ };

struct job {
    const char *path;
    uint32_t sum;
    int tries;
    int64_t result;
};

typedef edo_sender(struct job) job_sender;
typedef edo_receiver(struct job) job_receiver;

/* The job itself, on a thread for blocking work: FNV-1a of the file. */
static int64_t checksum(void *arg)
{
    struct job *job = arg;
    FILE *file = fopen(job->path, "rb");
    if (!file) return -errno;
    job->sum = 2166136261;
    for (int byte; (byte = getc(file)) != EOF;)
        job->sum = (job->sum ^ (uint32_t)byte) * 16777619;
    int64_t rc = ferror(file) ? -EIO : 0;
    fclose(file);
    return rc;
}

/* Whether a failure may pass. */
static bool is_brief(int64_t rc)
{
    return rc == -ETIMEDOUT || rc == -EAGAIN || rc == -EMFILE || rc == -ENFILE;
}

static int64_t run(struct job *job)
{
    for (;;) {
        job->tries++;
        job->result = edo_wait_for(edo_s(LIMIT), edo_blocking(checksum, job));
        if (!is_brief(job->result) || job->tries == TRIES) return 0;
        int64_t rc = edo_wait(edo_sleep(job->tries * edo_ms(PAUSE)));
        if (rc < 0) return rc;
    }
}

struct worker {
    job_receiver jobs;
    job_sender results;
};

edo_fiber(worker)
{
    struct job job;
    int64_t rc;
    while ((rc = edo_wait(edo_recv(&self->jobs, &job))) > 0) {
        rc = run(&job);
        if (rc >= 0) rc = edo_wait(edo_send(&self->results, &job));
        if (rc < 0) break;
    }
    edo_receiver_close(&self->jobs);
    edo_sender_close(&self->results);
    return rc;
}

struct feeder {
    job_sender jobs;
    char **paths;
};

edo_fiber(feeder)
{
    int64_t rc = 0;
    for (; *self->paths && rc >= 0; self->paths++) {
        struct job job = { .path = *self->paths };
        rc = edo_wait(edo_send(&self->jobs, &job));
    }
    edo_sender_close(&self->jobs);
    return rc;
}

/* Returns: 0; -EIO when a job has failed. */
static int64_t print(job_receiver *results)
{
    struct job job;
    int64_t rc, failures = 0;
    while ((rc = edo_wait(edo_recv(results, &job))) > 0) {
        if (job.result < 0)
            printf("%s: %s, %d tries\n", job.path, edo_strerror(job.result), job.tries);
        else
            printf("%s: %08x\n", job.path, (unsigned)job.sum);
        failures += job.result < 0;
    }
    edo_receiver_close(results);
    return rc < 0 ? rc : failures ? -EIO : 0;
}

static int64_t run_jobs(void *arg)
{
    job_sender jobs_in = { NULL }, results_in = { NULL };
    job_receiver jobs = { NULL }, results = { NULL };
    int64_t rc = edo_mpmc_create(&jobs_in, &jobs, QUEUE);
    if (rc == 0) rc = edo_mpsc_create(&results_in, &results, QUEUE);
    if (rc < 0) return rc; // the program ends
    edo_fiber_scope(team, 0);
    rc = edo_fiber_scope_spawn_args(&team, NULL, feeder, .jobs = jobs_in, .paths = arg);
    for (int i = 0; i < WORKERS && rc == 0; i++)
        rc = edo_fiber_scope_spawn_args(&team, NULL, worker, .jobs = edo_receiver_clone(&jobs),
                                        .results = edo_sender_clone(&results_in));
    edo_receiver_close(&jobs);
    edo_sender_close(&results_in);
    if (rc < 0) edo_scope_cancel(&team);
    int64_t printed = print(&results), joined = edo_wait(edo_scope_join(&team));
    return rc < 0 ? rc : joined < 0 ? joined : printed;
}

int main(int argc, char **argv)
{
    (void)argc;
    return edo_fiber_run(run_jobs, argv + 1);
}
