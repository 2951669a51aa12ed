/* The reaper. The reaper's thread starts with the first child, and ends when the list is empty. The
 * thread does not end any more once it has been asked to make a child with a parent-death signal,
 * or to watch a child without a descriptor.
 *
 * The thread polls the descriptors of the children and the bell, which is an eventfd. Other threads
 * set the bell when they change the list. Only the reaper's thread removes entries, and other
 * threads add entries only at the end. So the n-th polled descriptor belongs to the n-th entry,
 * even after the lock was released for the poll.
 *
 * A child without a descriptor is checked at each SIGCHLD. It is also checked every 100 ms, because
 * the program may replace the handler of SIGCHLD. The reaper waits for each child by its pid, never
 * for any child.
 *
 * If a child has ended while a tracer holds it, its descriptor is readable, but there is no status
 * yet. The descriptor is then no longer polled, and the child is checked after pauses. */
#include "process/reaper.h"

#include <string.h>

#include "base/base.h"
#include "base/duration.h"
#include "io/pause.h"
#include "sys/signals.h"
#include "sys/sys.h"

#define BLIND_PERIOD edo_ms(100) // time between two checks of children without a descriptor
#define POOR_PERIOD  edo_ms(10)  // time between two checks if memory or the bell is missing

typedef struct request {
    struct request *next;
    const edo__spawn_plan *plan;
    edo__spawned *ret_child;
    edo_spawn_step *ret_step;
    int result;
    edo_atomic(uint32_t) is_done; // a futex
} request;

static edo__lock lock;

/* Guarded by the lock. */
static struct {
    uint32_t generation; // fork generation of the members below
    edo__node children;
    size_t count, blind; // count: number of children; blind: number of them without a descriptor
    request *requests;
    edo_atomic(edo_fd) bell; // eventfd, or -1; a signal handler reads `bell` once `stays` is set
    bool runs;               // there is a thread
    bool stays;              // the thread never ends
    bool hears;              // SIGCHLD sets the bell
} reaper;

/* Sets the bell. Called under the lock, or once `stays` is set. */
static void ring(void)
{
    edo_fd fd = edo_load_acquire(&reaper.bell);
    if (fd >= 0) edo__sys_event_set(fd);
}

static edo__signal_answer on_child(void *context, const edo_signal_event *event)
{
    (void)context;
    (void)event;
    ring();
    return EDO__SIGNAL_PASSED;
}

static edo__signal_subscriber subscriber = { .signal = EDO__SIGNAL_CHILD, .notify = on_child };

/* Initialises the members at the first call. In the child of a fork, forgets the parent's children.
 * Called under the lock. */
static void prepare(void)
{
    uint32_t mine = edo__sys_fork_generation();
    if (reaper.generation == mine && reaper.children.next) return;
    memset(&reaper, 0, sizeof reaper);
    edo__list_init(&reaper.children);
    reaper.bell = -1;
    reaper.generation = mine;
}

/* ---- the thread ---- */

static edo_process *of(edo__node *node)
{
    return edo__container(node, edo_process, reaped);
}

/* The descriptors that the thread polls. */
typedef struct polled {
    edo__polled *all;
    size_t capacity, count; // number of entries, including the bell
    uint32_t pause;         // ms; limit of the next wait if a tracer holds a child, else 0
} polled;

/* Makes room for `needed` entries. If out of memory, the array keeps its size. */
static void reserve(polled *p, size_t needed)
{
    size_t capacity = needed * 2;
    if (p->capacity >= needed) return;
    edo__polled *all = edo__alloc(capacity * sizeof *all);
    if (!all) return;
    edo__free(p->all, p->capacity * sizeof *all);
    *p = (polled){ .all = all, .capacity = capacity, .pause = p->pause };
}

/* Fills the array with the bell and as many children as fit. Called under the lock. Returns: time
 * of the next SIGKILL, or EDO_NEVER. */
static int64_t fill(polled *p)
{
    int64_t next = EDO_NEVER;
    p->count = 0;
    if (p->capacity) p->all[p->count++] = (edo__polled){ reaper.bell, EDO_READABLE, 0 };
    for (edo__node *node = reaper.children.next; node != &reaper.children; node = node->next) {
        edo_process *process = of(node);
        if (p->count < p->capacity)
            p->all[p->count++] = (edo__polled){ process->is_held ? -1 : process->fd, EDO_READABLE,
                                                0 };
        if (process->kill_at < next) next = process->kill_at;
    }
    return next;
}

/* Whether the array lacks a child or the bell. Called under the lock. */
static bool is_poor(const polled *p)
{
    return p->count < reaper.count + 1 || reaper.bell < 0;
}

/* Returns: length of the next wait, in ns. next: time of the next SIGKILL. Called under the
 * lock. */
static int64_t period(const polled *p, int64_t next)
{
    int64_t left = next == EDO_NEVER ? EDO_NEVER : next - edo__sys_now();
    int64_t most = reaper.blind ? BLIND_PERIOD : EDO_NEVER;
    if (is_poor(p)) most = POOR_PERIOD;
    if (p->pause && most > edo_ms((int64_t)p->pause)) most = edo_ms((int64_t)p->pause);
    if (left < 0) left = 0;
    return left < most ? left : most;
}

/* Wakes the tasks that wait for a child without a descriptor. */
static void announce(const edo_process *process)
{
    if (process->bell >= 0) edo__sys_event_set(process->bell);
}

/* Moves a child that has ended to the list `ended`. Called under the lock. */
static void remove_child(edo_process *process, edo__node *ended)
{
    edo__list_remove(&process->reaped);
    edo__list_push(ended, &process->reaped);
    reaper.count--;
    if (process->fd < 0) reaper.blind--;
}

/* Returns: whether the child stays in the list. Called under the lock. */
static bool check_child(edo_process *process, bool is_ready, edo__node *ended)
{
    if ((is_ready || process->fd < 0) && edo__process_collect(process) != 0) {
        remove_child(process, ended);
        return false;
    }
    if (edo__sys_now() < process->kill_at) return true;
    process->kill_at = EDO_NEVER;
    edo__process_signal(process, EDO__SIGNAL_NUMBER_KILL);
    return true;
}

/* Checks the first `entries` children, which were in the list before the wait. Children for which
 * the array had no room count as ready. A child whose descriptor is readable gets `is_held`, which
 * lasts until its status is taken. The status is taken at once, unless a tracer holds the child.
 * Called under the lock. */
static void check_children(polled *p, size_t entries, edo__node *ended)
{
    edo__node *node = reaper.children.next, *next;
    bool holds = false;
    for (size_t i = 1; i <= entries; i++, node = next) {
        next = node->next;
        edo_process *process = of(node);
        if (i < p->count && p->all[i].ready) process->is_held = true;
        if (check_child(process, i >= p->count || process->is_held, ended))
            holds |= process->is_held;
    }
    p->pause = holds ? edo__next_pause(p->pause) : 0;
}

static void release_all(edo__node *ended)
{
    for (edo__node *node = ended->next, *next; node != ended; node = next) {
        next = node->next;
        announce(of(node));
        edo__process_unref(of(node));
    }
}

static void serve(request *one)
{
    one->result = edo__sys_spawn(one->plan, one->ret_child, one->ret_step);
    edo_store_release(&one->is_done, 1);
    edo__sys_futex_wake(&one->is_done);
}

/* Takes a request. If there is none, no child is left, and the thread may end, ends the thread.
 * Called under the lock. Returns: whether the thread continues. */
static bool take_request(request **ret_request)
{
    *ret_request = reaper.requests;
    if (*ret_request) reaper.requests = (*ret_request)->next;
    if (*ret_request || reaper.count || reaper.stays) return true;
    reaper.runs = false;
    edo__sys_close(reaper.bell);
    reaper.bell = -1;
    return false;
}

static void wait_for_children(polled *p)
{
    edo__node ended;
    edo__list_init(&ended);
    edo__lock_take(&lock);
    size_t entries = reaper.count;
    edo__lock_give(&lock);
    reserve(p, entries + 1);
    edo__lock_take(&lock);
    int64_t wait = period(p, fill(p));
    entries = reaper.count;
    edo__lock_give(&lock);
    edo__sys_poll_many(p->all, p->count, wait);
    edo__lock_take(&lock);
    if (p->count && p->all[0].ready) edo__sys_event_clear(p->all[0].fd);
    check_children(p, entries, &ended);
    edo__lock_give(&lock);
    release_all(&ended);
}

static void *run(void *argument)
{
    polled p = { 0 };
    edo__sys_thread_name("edo-reaper");
    edo__sys_block_signals();
    for (;;) {
        request *one;
        edo__lock_take(&lock);
        bool goes_on = take_request(&one);
        edo__lock_give(&lock);
        if (!goes_on) break;
        if (one)
            serve(one);
        else
            wait_for_children(&p);
    }
    edo__free(p.all, p.capacity * sizeof *p.all);
    return argument;
}

/* ---- from other threads ---- */

/* Starts the thread if there is no thread, and opens the bell. Called under the lock. */
static int start(void)
{
    edo__sys_thread thread;
    if (reaper.bell < 0) edo_store_release(&reaper.bell, edo__sys_event_open());
    if (reaper.runs) return 0;
    int rc = edo__sys_thread_start(run, NULL, 0, &thread);
    if (rc < 0) return rc;
    edo__sys_thread_detach(thread);
    reaper.runs = true;
    return 0;
}

/* Subscribes to SIGCHLD, once. After that the thread never ends, so the bell is never closed. */
static void hear_of_children(void)
{
    edo__lock_take(&lock);
    bool begins = !reaper.hears;
    reaper.hears = reaper.stays = true;
    edo__lock_give(&lock);
    if (begins) edo__signal_subscribe(&subscriber);
}

/* If the thread cannot be started, the child remains in the list, and the next call tries again. */
void edo__reaper_add(edo_process *process)
{
    edo__lock_take(&lock);
    prepare();
    edo__list_push(&reaper.children, &process->reaped);
    reaper.count++;
    if (process->fd < 0) reaper.blind++;
    start();
    ring();
    edo__lock_give(&lock);
    if (process->fd < 0) hear_of_children();
}

void edo__reaper_kill_at(edo_process *process, int64_t when)
{
    edo__lock_take(&lock);
    process->kill_at = when;
    ring();
    edo__lock_give(&lock);
}

int edo__reaper_spawn(const edo__spawn_plan *plan, edo__spawned *ret_child,
                      edo_spawn_step *ret_step)
{
    request mine = { .plan = plan, .ret_child = ret_child, .ret_step = ret_step };
    edo__lock_take(&lock);
    prepare();
    int rc = start();
    if (rc == 0) {
        reaper.stays = true;
        mine.next = reaper.requests;
        reaper.requests = &mine;
        ring();
    }
    edo__lock_give(&lock);
    if (rc < 0) return rc;
    while (!edo_load_acquire(&mine.is_done))
        edo__sys_futex_wait(&mine.is_done, 0);
    return mine.result;
}
