/* A job runner. Workers take jobs from a channel. A job, the checksum of a file, has a time limit
 * and is tried again after a pause. One task prints the results.
 * Usage: jobs FILE... */
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

struct worker {
    edo_frame();
    edo_args(job_receiver jobs; job_sender results;);
    struct job job;
};

edo_async(worker)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_await_recv(rc, &self->jobs, &self->job);
            if (rc <= 0) break;
            do {
                self->job.tries++;
                edo_await_for(rc, edo_s(LIMIT), edo_blocking(checksum, &self->job));
                self->job.result = rc;
                if (!is_brief(rc) || self->job.tries == TRIES) break;
                edo_await(rc, edo_sleep(self->job.tries * edo_ms(PAUSE)));
            } while (rc >= 0);
            if (rc == -ECANCELED) break;
            edo_await_send(rc, &self->results, &self->job);
            if (rc < 0) break;
        }
        edo_receiver_close(&self->jobs);
        edo_sender_close(&self->results);
        edo_return(rc);
    }
}

struct feeder {
    edo_frame();
    edo_args(job_sender jobs; char **paths;);
    struct job job;
};

edo_async(feeder)
{
    edo_body {
        int64_t rc = 0;
        for (; *self->paths; self->paths++) {
            self->job = (struct job){ .path = *self->paths };
            edo_await_send(rc, &self->jobs, &self->job);
            if (rc < 0) break;
        }
        edo_sender_close(&self->jobs);
        edo_return(rc);
    }
}

/* Returns: 0; -EIO when a job has failed. */
struct print {
    edo_frame();
    edo_args(job_receiver *results;);
    struct job job;
    int failures;
};

edo_async(print)
{
    edo_body {
        int64_t rc;
        for (self->failures = 0;;) {
            edo_await_recv(rc, self->results, &self->job);
            if (rc <= 0) break;
            if (self->job.result < 0)
                printf("%s: %s, %d tries\n", self->job.path, edo_strerror(self->job.result),
                       self->job.tries);
            else
                printf("%s: %08x\n", self->job.path, (unsigned)self->job.sum);
            self->failures += self->job.result < 0;
        }
        edo_receiver_close(self->results);
        edo_return(rc < 0 ? rc : self->failures ? -EIO : 0);
    }
}

struct run_jobs {
    edo_frame(struct print print;);
    edo_args(char **paths;);
    job_sender jobs_in, results_in;
    job_receiver jobs, results;
    edo_scope team;
    int64_t result;
};

/* Starts the feeder and the workers. */
static int start(struct run_jobs *self)
{
    int rc = edo_scope_spawn(&self->team, feeder, .jobs = self->jobs_in, .paths = self->paths);
    for (int i = 0; i < WORKERS && rc == 0; i++)
        rc = edo_scope_spawn(&self->team, worker, .jobs = edo_receiver_clone(&self->jobs),
                             .results = edo_sender_clone(&self->results_in));
    edo_receiver_close(&self->jobs);
    edo_sender_close(&self->results_in);
    if (rc < 0) edo_scope_cancel(&self->team);
    return rc;
}

edo_async(run_jobs)
{
    edo_body {
        int64_t rc = edo_mpmc_create(&self->jobs_in, &self->jobs, QUEUE);
        if (rc == 0) rc = edo_mpsc_create(&self->results_in, &self->results, QUEUE);
        if (rc < 0) edo_return(rc); // the program ends
        edo_scope_open(&self->team, 0);
        self->result = start(self);
        edo_call(rc, print, .results = &self->results);
        if (self->result >= 0) self->result = rc;
        edo_await(rc, edo_scope_join(&self->team));
        edo_return(rc < 0 ? rc : self->result);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    return edo_run(run_jobs, .paths = argv + 1);
}
