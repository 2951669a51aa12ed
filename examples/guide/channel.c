/* Workers that take jobs from one channel and send their results to another. */
#include <stdio.h>

#include <edo/edo.h>

/* region: types */
struct job {
    int number;
};

struct result {
    int number;
    int square; // or a negative errno
};

typedef edo_sender(struct job) job_sender;
typedef edo_receiver(struct job) job_receiver;
typedef edo_sender(struct result) result_sender;
typedef edo_receiver(struct result) result_receiver;
/* end: types */

/* region: worker */
struct worker {
    edo_frame();
    edo_args(job_receiver jobs; result_sender results;);
    struct job job;
    struct result result;
};

edo_async(worker)
{
    edo_body {
        int rc;
        for (;;) {
            edo_await_recv(rc, &self->jobs, &self->job);
            if (rc != 1) break; // 0: no more jobs; < 0: cancelled
            self->result = (struct result){ self->job.number, self->job.number * self->job.number };
            if (self->job.number == 4) self->result.square = -EDOM; // a failure is a result
            edo_await_send(rc, &self->results, &self->result);
            if (rc < 0) break;
        }
        edo_receiver_close(&self->jobs);
        edo_sender_close(&self->results);
        edo_return(rc);
    }
}
/* end: worker */

/* region: collector */
struct collector {
    edo_frame();
    edo_args(result_receiver results;);
    struct result result;
    int sum, failures;
};

edo_async(collector)
{
    edo_body {
        int rc;
        self->sum = self->failures = 0;
        for (;;) {
            edo_await_recv(rc, &self->results, &self->result);
            if (rc != 1) break;
            if (self->result.square < 0) {
                printf("job %d: %s\n", self->result.number, edo_strerror(self->result.square));
                self->failures++;
            } else {
                self->sum += self->result.square;
            }
        }
        edo_receiver_close(&self->results);
        printf("sum %d, %d failed\n", self->sum, self->failures);
        edo_return(rc);
    }
}
/* end: collector */

/* region: main */
struct program {
    edo_frame(struct collector collector;);
    edo_args();
    edo_scope workers;
    job_sender jobs;
    job_receiver queue;
    result_sender results;
    result_receiver collected;
    edo_task *collector;
    struct job job;
};

/* Arguments of a task are owned by the task, ends too. After a failed spawn they are closed
 * here. */
static int start_worker(struct program *self)
{
    job_receiver jobs = edo_receiver_clone(&self->queue);
    result_sender results = edo_sender_clone(&self->results);
    int rc = edo_scope_spawn(&self->workers, worker, .jobs = jobs, .results = results);
    if (rc == 0) return 0;
    edo_receiver_close(&jobs);
    edo_sender_close(&results);
    return rc;
}

edo_async(program)
{
    edo_body {
        int rc;
        edo_check(edo_mpmc_create(&self->jobs, &self->queue, 8)); // several receivers
        edo_check(edo_mpsc_create(&self->results, &self->collected, 8));
        edo_check(edo_spawn(&self->collector, collector, .results = self->collected));
        edo_scope_open(&self->workers, 0);
        for (int i = 0; i < 3; i++)
            edo_check_or(join, start_worker(self));
        for (self->job.number = 1; self->job.number <= 100; self->job.number++) {
            edo_await_send(rc, &self->jobs, &self->job); // waits while all places are taken
            edo_check_or(join, rc);
        }
join:
        edo_sender_close(&self->jobs); // the workers end after the last job,
        edo_receiver_close(&self->queue);
        edo_await_void(edo_scope_join(&self->workers));
        edo_sender_close(&self->results); // and the collector after the last result
        edo_await_void(edo_join(self->collector));
        edo_return(edo_failure());
    }
}
/* end: main */

int main(void)
{
    return edo_run(program);
}
