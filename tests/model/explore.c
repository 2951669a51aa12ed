/* The explorer: which executions there are.
 *
 * An execution is determined by its choices: of the thread that makes the next step, and of the
 * value that a step reads. The choices form a stack. An execution repeats the choices on the stack
 * and adds new ones; then the last choice with an untried alternative is changed.
 *
 * Only some of all interleavings are run (Flanagan and Godefroid, "Dynamic Partial-Order Reduction
 * for Model Checking Software", POPL 2005), because two independent steps have the same effect in
 * either order. If an announced step depends on an earlier step of another thread, and the two are
 * not ordered, then the choice before the earlier step is also tried the other way. Sleep sets
 * (Godefroid 1996) skip steps that were explored from a sibling and are independent of all steps
 * since.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/engine.h"

typedef struct choice {
    bool is_thread;
    uint16_t taken, count;                  // choice of a value
    uint32_t enabled, wanted, done, asleep; // choice of a thread: bit sets by thread number
    step next[MODEL_THREADS];               // announced step of each thread
    uint16_t made[MODEL_THREADS];           // number of steps made by each
    int preemptions, last;                  // before this choice
} choice;

enum { NO_STEP = -1 };

static choice choices[MAX_CHOICES];
static int depth, used; // position of this execution, and size of the stack
static const char *replay_text;
static uint16_t steps_of[MODEL_THREADS];
static uint16_t fence_reads[MODEL_THREADS], fence_writes[MODEL_THREADS];
static int preemptions, last_thread;
static uint64_t drawn; // the state of a generator

model_options model_options_now = { .preemptions = -1 };

#define SEED UINT64_C(88172645463325252) // Marsaglia's, for every model

void explore_begin(const char *replay)
{
    used = 0;
    replay_text = replay;
    drawn = SEED;
}

void explore_reset(void)
{
    depth = 0;
    preemptions = 0;
    last_thread = -1;
    model_run.last_sequential = NO_STEP;
    memset(steps_of, 0, sizeof steps_of);
    memset(fence_reads, 0, sizeof fence_reads);
    memset(fence_writes, 0, sizeof fence_writes);
}

/* ---- choices that are drawn ---- */

enum {
    STAYS_OF_EIGHT = 6
}; // in so many of eight cases the same thread goes on: few switches reach deeper

/* xorshift64 (Marsaglia, "Xorshift RNGs", 2003) */
static unsigned draw(unsigned count)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (unsigned)((drawn >> 32) * count >> 32);
}

/* Draws a thread of a set, which is not empty. */
static int draw_thread(uint32_t set)
{
    if (last_thread >= 0 && (set >> last_thread & 1) && draw(8) < STAYS_OF_EIGHT)
        return last_thread;
    for (unsigned left = draw((unsigned)__builtin_popcount(set)); left > 0; left--)
        set &= set - 1;
    return __builtin_ctz(set);
}

/* Draws the newest value in half of the cases. */
static unsigned draw_value(unsigned count)
{
    return draw(2) ? 0 : draw(count);
}

/* ---- the stack ---- */

static unsigned replayed(void)
{
    char *end;
    unsigned long value = strtoul(replay_text, &end, 10);
    replay_text = *end ? end + 1 : NULL;
    return (unsigned)value;
}

static choice *next_choice(bool *ret_is_new)
{
    if (depth == MAX_CHOICES) model_fail("endless: more than %d choices", MAX_CHOICES);
    *ret_is_new = depth == used;
    if (*ret_is_new) {
        memset(&choices[used], 0, offsetof(choice, next));
        used++;
    }
    return &choices[depth++];
}

unsigned explore_value(unsigned count)
{
    bool is_new;
    if (count <= 1) return 0;
    choice *c = next_choice(&is_new);
    if (is_new) {
        c->count = (uint16_t)count;
        if (replay_text)
            c->taken = (uint16_t)replayed();
        else if (model_options_now.samples)
            c->taken = (uint16_t)draw_value(count);
    }
    return c->taken;
}

unsigned model_choose(unsigned count)
{
    return explore_value(count);
}

/* ---- what depends on what ---- */

static bool is_on_same(const step *a, const step *b)
{
    return a->location != NO_STORE && a->location == b->location && (a->writes || b->writes);
}

static bool meet_in_fences(const step *a, const step *b)
{
    return (a->fences && (b->fences || b->sequential)) || (b->fences && a->sequential);
}

static bool depend(const step *a, const step *b)
{
    return is_on_same(a, b) || meet_in_fences(a, b);
}

/* Steps that are never possible at the same time do not race: a lock is taken only after its
 * release. */
static bool may_race(const step *a, const step *b)
{
    bool lock_and_unlock = (a->kind == STEP_LOCK && b->kind == STEP_UNLOCK) ||
                           (a->kind == STEP_UNLOCK && b->kind == STEP_LOCK);
    return depend(a, b) && !lock_and_unlock;
}

static void join_clock(uint16_t *to, const uint16_t *from)
{
    for (int i = 0; i < MODEL_THREADS; i++)
        if (from[i] > to[i]) to[i] = from[i];
}

/* Orders the step after all that it depends on. */
static void order_step(int number, const step *made)
{
    thread *t = &model_run.threads[number];
    uint16_t *clock = t->order_clock;
    location *l = made->location == NO_STORE ? NULL : &model_run.locations[made->location];
    if (l) join_clock(clock, l->order_writes);
    if (l && made->writes) join_clock(clock, l->order_reads);
    if (made->fences || made->sequential) join_clock(clock, fence_writes);
    if (made->fences) join_clock(clock, fence_reads);
    if (made->kind == STEP_JOIN) join_clock(clock, model_run.threads[made->thread].order_clock);
    clock[number] = steps_of[number];
    if (l) join_clock(made->writes ? l->order_writes : l->order_reads, clock);
    if (made->fences) join_clock(fence_writes, clock);
    if (made->sequential) join_clock(fence_reads, clock);
}

static bool is_ordered_before(int index, int number)
{
    int other = model_run.steps[index].thread;
    return model_run.threads[number].order_clock[other] >= model_run.steps[index].index;
}

/* ---- backtracking ---- */

static uint32_t bit(int number)
{
    return UINT32_C(1) << number;
}

/* Threads that must run before this thread could make its step, because their later steps precede
 * it. */
static uint32_t leads_to(const choice *c, int number)
{
    const uint16_t *clock = model_run.threads[number].order_clock;
    uint32_t set = 0;
    for (int t = 0; t < model_run.thread_count; t++)
        if ((c->enabled & bit(t)) && (t == number || clock[t] > c->made[t])) set |= bit(t);
    return set;
}

static void want_before(int index, int number)
{
    choice *c = &choices[model_run.steps[index].choice];
    uint32_t able = leads_to(c, number);
    if (able & bit(number))
        c->wanted |= bit(number);
    else if (!able)
        c->wanted |= c->enabled;
    else if (!(c->wanted & able))
        c->wanted |= able & (~able + 1); // any of them: the lowest
}

/* The latest step of another thread, at or before `index`, that races with the announced step. */
static int last_race_on_location(const step *next, int index, int number)
{
    for (; index >= 0; index = model_run.steps[index].before)
        if (model_run.steps[index].thread != number &&
            may_race(&model_run.steps[index].what, next) && !is_ordered_before(index, number))
            return index;
    return NO_STEP;
}

static int last_race_of_fences(const step *next, int index, int number)
{
    for (; index >= 0; index = model_run.steps[index].sequential_before)
        if (model_run.steps[index].thread != number &&
            meet_in_fences(&model_run.steps[index].what, next) && !is_ordered_before(index, number))
            return index;
    return NO_STEP;
}

/* Adds backtracking for an announced step and the latest step that it races with. */
static void backtrack_announced(int number)
{
    const step *next = &model_run.threads[number].next;
    int race = NO_STEP, other = NO_STEP;
    if (next->location != NO_STORE)
        race = last_race_on_location(next, model_run.locations[next->location].last_step, number);
    if (next->fences || next->sequential)
        other = last_race_of_fences(next, model_run.last_sequential, number);
    if (other > race) race = other;
    if (race != NO_STEP) want_before(race, number);
}

/* ---- threads ---- */

static uint32_t still_asleep(const choice *c, int chosen)
{
    uint32_t set = 0;
    for (int t = 0; t < MODEL_THREADS; t++)
        if (((c->asleep | c->done) & bit(t)) && t != chosen &&
            !depend(&c->next[t], &c->next[chosen]))
            set |= bit(t);
    return set;
}

static const choice *last_thread_choice(void)
{
    for (int i = depth - 2; i >= 0; i--)
        if (choices[i].is_thread) return &choices[i];
    return NULL;
}

static void describe_choice(choice *c, uint32_t enabled)
{
    const choice *before = last_thread_choice();
    c->is_thread = true;
    c->enabled = enabled;
    c->preemptions = preemptions;
    c->last = last_thread;
    if (before && !model_options_now.plain && !model_options_now.samples)
        c->asleep = still_asleep(before, before->taken);
    for (int t = 0; t < model_run.thread_count; t++) {
        c->next[t] = model_run.threads[t].next;
        c->made[t] = steps_of[t];
    }
}

static bool preempts(const choice *c, int number)
{
    return c->last >= 0 && c->last != number && (c->enabled & bit(c->last));
}

static bool is_within_bound(const choice *c, int number)
{
    int bound = model_options_now.preemptions;
    return bound < 0 || !preempts(c, number) || c->preemptions < bound;
}

/* Prefers the thread that ran last: fewer switches make a trace that is easier to read. */
static int pick(choice *c)
{
    uint32_t left = c->wanted & ~c->done & ~c->asleep;
    if (c->last >= 0 && (left & bit(c->last))) return c->last;
    for (int t = 0; t < MODEL_THREADS; t++)
        if ((left & bit(t)) && is_within_bound(c, t)) return t;
    return -1;
}

static void want_first(choice *c)
{
    if (model_options_now.plain || model_options_now.preemptions >= 0) {
        c->wanted = c->enabled;
        return;
    }
    uint32_t awake = c->enabled & ~c->asleep;
    bool goes_on = c->last >= 0 && (awake & bit(c->last));
    c->wanted = goes_on ? bit(c->last) : awake & (~awake + 1);
}

static void backtrack_all(void)
{
    if (model_options_now.samples) return;
    if (model_options_now.plain || model_options_now.preemptions >= 0) return;
    for (int t = 0; t < model_run.thread_count; t++)
        if (model_run.threads[t].state == THREAD_READY) backtrack_announced(t);
}

int explore_thread(uint32_t enabled)
{
    bool is_new;
    backtrack_all();
    choice *c = next_choice(&is_new);
    if (is_new) {
        describe_choice(c, enabled);
        want_first(c);
        int number = replay_text                 ? (int)replayed()
                     : model_options_now.samples ? draw_thread(enabled)
                                                 : pick(c);
        if (number < 0) {
            used--; // all continuations from here are covered
            return -1;
        }
        if (!(enabled & bit(number))) model_fail("the choices to replay are not of this model");
        c->taken = (uint16_t)number;
    }
    int number = c->taken;
    if (preempts(c, number)) preemptions++;
    last_thread = number;
    return number;
}

/* Links the step into the lists in which later steps look for races. */
static void link_step(const step *made, int index)
{
    model_run.steps[index].before = NO_STEP;
    if (made->location != NO_STORE) {
        location *l = &model_run.locations[made->location];
        model_run.steps[index].before = l->last_step;
        l->last_step = index;
    }
    model_run.steps[index].sequential_before = model_run.last_sequential;
    if (made->fences || made->sequential) model_run.last_sequential = index;
}

void explore_stepped(int number, const step *made, int index)
{
    model_run.steps[index].choice = depth - 1;
    model_run.steps[index].index = ++steps_of[number];
    link_step(made, index);
    order_step(number, made);
}

/* ---- to the next execution ---- */

static bool advance_thread(choice *c)
{
    c->done |= bit(c->taken);
    int number = pick(c);
    if (number < 0) return false;
    c->taken = (uint16_t)number;
    return true;
}

static bool advance_value(choice *c)
{
    if (c->taken + 1 >= c->count) return false;
    c->taken++;
    return true;
}

bool explore_advance(void)
{
    if (model_options_now.samples) {
        used = 0;
        return true;
    }
    for (; used > 0; used--) {
        choice *c = &choices[used - 1];
        if (c->is_thread ? advance_thread(c) : advance_value(c)) return true;
    }
    return false;
}

void explore_print_choices(char *buffer, size_t size)
{
    size_t length = 0;
    buffer[0] = '\0';
    for (int i = 0; i < depth && length + 8 < size; i++)
        length += (size_t)snprintf(buffer + length, size - length, "%s%u", i ? "." : "",
                                   choices[i].taken);
}
