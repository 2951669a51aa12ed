/* Threads as coroutines on one OS thread, and one execution of a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "model/engine.h"

execution model_run;
static jmp_buf scheduler;
static bool stopped; // this execution has ended: failed, or covered by others
static char *stacks[MODEL_THREADS];

static void enter_scheduler(void)
{
    if (!_setjmp(thread_now()->context)) _longjmp(scheduler, 1);
}

static void run_thread(void)
{
    thread *self = thread_now();
    self->run(self->argument);
    self->state = THREAD_ENDED;
    model_run.progress++;
    enter_scheduler();
}

static char *stack_of(int number)
{
    if (!stacks[number])
        stacks[number] = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              -1, 0);
    return stacks[number];
}

/* The first entry by ucontext, all others by longjmp, which makes no system call. */
static void prepare_context(thread *t, int number)
{
    getcontext(&t->origin);
    t->stack = stack_of(number);
    t->origin.uc_stack.ss_sp = t->stack;
    t->origin.uc_stack.ss_size = STACK_SIZE;
    t->origin.uc_link = NULL;
    makecontext(&t->origin, run_thread, 0);
}

static int new_thread(void (*run)(void *), void *argument)
{
    if (model_run.thread_count == MODEL_THREADS) model_fail("more than %d threads", MODEL_THREADS);
    int number = model_run.thread_count++;
    thread *t = &model_run.threads[number];
    memset(t, 0, sizeof *t);
    t->run = run;
    t->argument = argument;
    t->deadline = INT64_MAX;
    t->next = (step){ .kind = STEP_START, .location = NO_STORE };
    prepare_context(t, number);
    t->state = THREAD_READY;
    return number;
}

/* Runs a thread: it makes the step announced last, and goes on until it announces the next. */
static void resume(int number)
{
    static bool fresh;
    thread *t = &model_run.threads[number];
    model_run.current = number;
    t->waits_for_progress = 0;
    fresh = t->next.kind == STEP_START;
    if (_setjmp(scheduler)) return;
    if (fresh) {
        t->next.kind = STEP_FENCE; // entered
        setcontext(&t->origin);
    }
    _longjmp(t->context, 1);
}

int model_start(void (*run)(void *), void *argument)
{
    int parent = model_run.current;
    int number = new_thread(run, argument);
    memory_start_thread(parent, number);
    return number;
}

int model_self(void)
{
    return model_run.current;
}

void *model_self_memory(void)
{
    return thread_now()->self;
}

void engine_step(step next)
{
    thread_now()->next = next;
    enter_scheduler();
}

/* ---- one execution ---- */

static uint32_t enabled_threads(void)
{
    uint32_t enabled = 0;
    for (int i = 0; i < model_run.thread_count; i++)
        if (model_run.threads[i].state == THREAD_READY && memory_is_enabled(i))
            enabled |= UINT32_C(1) << i;
    return enabled;
}

/* The thread whose wait ends first. Time passes only when no thread can go on. */
static uint32_t first_in_time(void)
{
    int first = -1;
    for (int i = 0; i < model_run.thread_count; i++) {
        const thread *t = &model_run.threads[i];
        if (t->state != THREAD_READY || t->deadline == INT64_MAX) continue;
        if (first < 0 || t->deadline < model_run.threads[first].deadline) first = i;
    }
    return first < 0 ? 0 : UINT32_C(1) << first;
}

static bool all_ended(void)
{
    for (int i = 0; i < model_run.thread_count; i++)
        if (model_run.threads[i].state != THREAD_ENDED) return false;
    return true;
}

static bool anybody_spins(void)
{
    for (int i = 0; i < model_run.thread_count; i++)
        if (model_run.threads[i].state == THREAD_READY && model_run.threads[i].waits_for_progress)
            return true;
    return false;
}

static void record_step(int number)
{
    if (model_run.step_count == MAX_STEPS) model_fail("endless: more than %d steps", MAX_STEPS);
    int index = model_run.step_count++;
    model_run.steps[index].what = model_run.threads[number].next;
    model_run.steps[index].thread = number;
    model_run.steps[index].from = NO_STORE;
    model_run.steps[index].failed = false;
}

void engine_note(uint64_t value, uint64_t other, int from, bool failed)
{
    int index = model_run.step_count - 1;
    model_run.steps[index].value = value;
    model_run.steps[index].other = other;
    model_run.steps[index].from = from;
    model_run.steps[index].failed = failed;
}

/* Runs new threads to their first steps at once: code before that affects no other thread. */
static void run_to_first_steps(void)
{
    for (int i = 0; i < model_run.thread_count && !stopped; i++)
        if (model_run.threads[i].state == THREAD_READY &&
            model_run.threads[i].next.kind == STEP_START)
            resume(i);
}

static void run_all(void)
{
    run_to_first_steps();
    while (!stopped && !all_ended()) {
        uint32_t enabled = enabled_threads();
        if (!enabled) enabled = first_in_time();
        if (!enabled)
            model_fail(anybody_spins() ? "endless spinning: all threads wait for each other"
                                       : "deadlock: no thread can go on");
        int number = explore_thread(enabled);
        if (number < 0) return;
        step made = model_run.threads[number].next;
        record_step(number);
        explore_stepped(number, &made, model_run.step_count - 1);
        resume(number);
        run_to_first_steps();
    }
    if (!stopped) memory_end_execution();
}

static jmp_buf abandon;

/* Runs one execution. Returns: whether it ran to its end. */
bool engine_execute(void (*run)(void *))
{
    memset(&model_run.outcome, 0, sizeof model_run.outcome);
    model_run.thread_count = model_run.location_count = model_run.store_count = 0;
    model_run.step_count = 0;
    model_run.progress = 1;
    model_run.failed = stopped = false;
    memory_reset();
    explore_reset();
    if (!_setjmp(abandon)) {
        model_run.current = 0;
        new_thread(run, NULL);
        memory_start_thread(0, 0);
        run_all();
    }
    memory_restore();
    return !model_run.failed;
}

void model_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_failure(format, args);
    va_end(args);
    model_run.failed = stopped = true;
    _longjmp(abandon, 1); // the stacks of the coroutines are abandoned
}
