/* The io_uring driver: the ring, turns and completions. uring_op.c contains operations,
 * uring_cancel.c their cancellation, and uring_call.c calls on files.
 *
 * SQEs are prepared while tasks are polled. A turn submits all of them in one system call.
 *
 * The ring of a current-thread runtime is owned by one thread: the thread that enables the ring, in
 * the first poll or turn. The kernel refuses all other threads. Only the owner prepares SQEs and
 * takes completions, so queues and completions need no lock. Another thread may close a source. The
 * close wakes the task of each waiting operation, and the task's poll cancels the operation.
 * Another thread may also poll an operation that the owner has started. If the operation has a
 * result, that poll takes the result. Otherwise the poll changes the waker, or requests a cancel
 * from the owner. The source's lock orders these accesses.
 *
 * A worker's ring is shared. Any thread may prepare SQEs, under the driver's lock. So a poll that
 * cancels an operation prepares the cancel itself, and needs no request to an owner. One thread at
 * a time, the turner, takes completions. The turner takes `turning` before it submits, and holds it
 * until it has handled the completions.
 *
 *     thread            action                                       under
 *     a poll            prepares; submits if `asleep`                source's lock, driver's lock
 *     the turner        arms watches, publishes, sets `asleep`       turning, driver's lock
 *                       submits the published SQEs; sleeps           turning
 *                       clears `asleep`, takes completions           turning
 *                       handles a completion, may prepare            turning, source's, driver's
 *
 * Every SQE is submitted:
 * - An SQE prepared before the turner publishes is submitted by the turner.
 * - An SQE prepared while the turner sleeps is submitted by the thread that prepared the SQE.
 * - An SQE prepared while no turner sleeps is submitted by the next turn. There always is a next
 *   turn, because a worker turns its ring before it sleeps, and a helper turns the ring of a stuck
 *   worker.
 * `asleep` is set under the lock, together with the publishing. `asleep` is cleared without the
 * lock. A thread that still reads true only makes a useless system call. If the kernel takes no SQE
 * while the turner sleeps, the turner is unparked and tries again. */
#include "driver/uring/uring.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "driver/drivers.h"
#include "sys/sys.h"

/* Number of SQEs. The SQEs take 16 KiB, and their 1024 completions take 16 KiB more. A full queue
 * costs a system call. */
enum { ENTRIES = 256 };

/* ---- the owner ---- */

/* Returns: an address that identifies the thread among all living threads. */
static const void *this_thread(void)
{
    static _Thread_local char here;
    return &here;
}

bool edo__uring_is_owner(const edo__uring *driver)
{
    return !driver->shared && edo_load_relaxed(&driver->owner) == this_thread();
}

bool edo__uring_is_inherited(const edo__uring *driver)
{
    return driver->fork_generation != edo__sys_fork_generation();
}

/* ---- the runtime's own descriptors ---- */

static void arm(edo__uring *driver, unsigned number)
{
    edo__uring_watch *watch = &driver->watches[number - 1];
    struct io_uring_sqe *sqe = edo__ring_sqe(&driver->ring);
    if (!sqe) return;
    if (!watch->once && (driver->ring.can & EDO__RING_CAN_MULTI_POLL))
        edo__sqe_poll_multishot(sqe, watch->fd, POLLIN);
    else
        edo__sqe_poll(sqe, watch->fd, POLLIN);
    edo__sqe_tag(sqe, (uint64_t)number << EDO__TAG_SHIFT | EDO__TAG_OWN);
    watch->armed = true;
}

/* Arms the watches. Returns: whether all watches are armed. There may be no SQE for a watch, and a
 * `once` watch is armed only for a sleep. */
static bool arm_watches(edo__uring *driver, bool sleeps)
{
    bool all = true;
    for (unsigned i = 0; i < driver->watch_count; i++) {
        const edo__uring_watch *watch = &driver->watches[i];
        if (!watch->armed && (sleeps || !watch->once)) arm(driver, i + 1);
        all = all && watch->armed;
    }
    return all;
}

static void add_watch(edo__uring *driver, int fd, bool once)
{
    driver->watches[driver->watch_count++] = (edo__uring_watch){ .fd = fd, .once = once };
}

static void enable(edo__uring *driver)
{
    int rc = edo__ring_enable(&driver->ring);
    if (rc < 0) edo__misuse("io_uring", "the ring cannot be enabled: %s", edo_strerror(rc));
    edo_store_relaxed(&driver->owner, this_thread());
    arm_watches(driver, false);
}

static void be_enabled(edo__uring *driver)
{
    if (edo__unlikely(!edo_load_relaxed(&driver->owner))) enable(driver);
}

/* Submits the prepared SQEs if the turner sleeps. Returns: false when the kernel did not take all
 * SQEs. The caller must then wake the turner, which tries again. */
static bool submit_for_sleeper(edo__uring *driver)
{
    if (!edo_load_relaxed(&driver->asleep) || !edo__ring_pending(&driver->ring)) return true;
    return edo__ring_submit(&driver->ring) == 0;
}

void edo__uring_end_shared(edo__uring *driver)
{
    bool done = submit_for_sleeper(driver);
    edo__lock_give(&driver->lock);
    if (!done) driver->base.ops->unpark(&driver->base);
}

struct io_uring_sqe *edo__uring_sqe(edo__uring *driver)
{
    be_enabled(driver);
    return edo__ring_sqe(&driver->ring);
}

/* ---- completions ---- */

/* Records the end of a watch's poll. On kernels without multishot polls, the poll ends after each
 * event. The next turn arms the watch again. Before that, the event must be consumed, because a new
 * poll of a readable descriptor would end at once. */
static void note_watch(edo__uring *driver, uint64_t number, int result, uint32_t flags)
{
    if (number == 0 || (flags & IORING_CQE_F_MORE)) return;
    if (result == -EBADF || result == -EINVAL) edo__sys_wait_failed("io_uring", result);
    edo__uring_watch *watch = &driver->watches[number - 1];
    edo__sys_event_clear(watch->fd);
    edo__uring_begin(driver);
    watch->armed = false;
    edo__uring_end(driver);
}

static edo_op *op_of(uint64_t tag)
{
    return (edo_op *)(uintptr_t)(tag & ~(uint64_t)EDO__TAG_BITS); // NOLINT: the op's address
}

static void handle(edo__uring *driver, uint64_t tag, int result, uint32_t flags)
{
    unsigned kind = tag & EDO__TAG_BITS;
    if (kind == EDO__TAG_OWN)
        note_watch(driver, tag >> EDO__TAG_SHIFT, result, flags);
    else if (kind == EDO__TAG_CALL)
        edo__uring_complete_call(driver, op_of(tag), result);
    else
        edo__uring_complete(driver, op_of(tag), result, flags);
}

/* Whether a completion is a report of an operation's poll, which goes on. */
static bool is_report(uint64_t tag, uint32_t flags)
{
    return (flags & IORING_CQE_F_MORE) && (tag & EDO__TAG_BITS) == EDO__TAG_OP;
}

/* Handles a report. Returns: false if there was no SQE. */
static bool handle_report(edo__uring *driver, uint64_t tag, int result)
{
    bool done = edo__uring_note_report(driver, op_of(tag), result);
    driver->is_refused = !done;
    return done;
}

/* Handles completions. Each completion is returned to the kernel before its handler is called, so
 * that the handler may also reap.
 *
 * Reports are an exception: a report is returned to the kernel after its handler was called. The
 * handler may need an SQE to end the poll. The poll makes no second report of the same event. So if
 * there is no SQE, the report remains in the queue, with all completions behind it. The ring does
 * not sleep while the queue has completions. So the next turn comes soon. It submits SQEs, which
 * makes room, and handles the report again. The completions in the queue cannot block these
 * submissions, because kernels that have multishot polls refuse an SQE only while they are short of
 * memory. */
int edo__uring_reap(edo__uring *driver)
{
    struct io_uring_cqe *first;
    uint64_t ready = 0;
    int count = 0, limit = (int)edo__ring_ready(&driver->ring);
    if (driver->shared) edo__ring_see_submitters(&driver->ring);
    for (; count < limit && edo__ring_peek(&driver->ring, &first); count++) {
        uint64_t tag = first->user_data;
        int result = first->res;
        uint32_t flags = first->flags;
        bool reports = is_report(tag, flags);
        if (edo__unlikely(reports) && !handle_report(driver, tag, result)) break;
        edo__ring_advance(&driver->ring, 1);
        if (!reports) handle(driver, tag, result, flags);
        ready += (tag & EDO__TAG_BITS) != EDO__TAG_OWN;
    }
    edo_add_counter(&driver->base.counters.ready, ready);
    return count;
}

/* Called after a turn that its caller has allowed to sleep. If there was no SQE for a watch, for a
 * requested cancel or for a report, waits briefly. Each of these prevents the sleep until there is
 * an SQE, so without this wait the turns would spin. */
static void pause_if_refused(edo__uring *driver, bool could_sleep)
{
    if (edo__likely(could_sleep && !driver->is_refused))
        driver->refusals = 0;
    else
        edo__sys_wait_briefly(&driver->refusals);
}

/* ---- turning ---- */

static _Noreturn void give_up(int error)
{
    if (error == -EEXIST)
        edo__misuse("io_uring", "a runtime belongs to the thread that turned it first");
    edo__sys_wait_failed("io_uring", error);
}

/* Whether there is work that the turn has not seen. Called after the eventfd `signal` was cleared.
 * Work that arrives after this check sets `signal` by itself. */
static bool is_more_to_do(edo__uring *driver)
{
    return edo__ring_pending(&driver->ring) || edo__ring_ready(&driver->ring) ||
           edo__ring_has_work(&driver->ring) || edo_load_acquire(&driver->requests);
}

static void settle_signal(edo__uring *driver)
{
    edo__sys_event_clear(driver->signal);
    if (is_more_to_do(driver)) edo__sys_event_set(driver->signal);
}

/* Submits SQEs that were prepared while completions were handled. They cannot be left to the next
 * turn, because a foreign loop may sleep before that turn. */
static void submit_rest(edo__uring *driver)
{
    if (edo__unlikely(edo__ring_pending(&driver->ring))) edo__ring_submit(&driver->ring);
}

/* Prepares the SQEs that a sleep needs. Returns: whether the turn can sleep. There are two reasons
 * not to sleep:
 * - A watch is not armed. An unpark would then not end the sleep.
 * - A request for a cancel is in the list. The load may miss a new request, but the unpark that
 *   follows the request ends the sleep. */
static bool prepare_sleep(edo__uring *driver, bool sleeps)
{
    edo__uring_serve_requests(driver);
    bool all_armed = arm_watches(driver, sleeps);
    return all_armed && !edo_load_relaxed(&driver->requests);
}

/* Turns an owned ring. timeout: as for edo__ring_enter(). */
static int turn_owned(edo__uring *driver, bool sleeps, int64_t timeout)
{
    be_enabled(driver);
    if (edo__unlikely(!edo__uring_is_owner(driver))) give_up(-EEXIST);
    bool can_sleep = prepare_sleep(driver, sleeps);
    int rc = edo__ring_enter(&driver->ring, sleeps && can_sleep, timeout);
    if (rc < 0) give_up(rc);
    int count = edo__uring_reap(driver);
    if (sleeps) pause_if_refused(driver, can_sleep);
    arm_watches(driver, false);
    submit_rest(driver);
    if (driver->signal >= 0) settle_signal(driver);
    return count;
}

/* Publishes the prepared SQEs. *ret_can_sleep: false if the poll of a watched descriptor is not
 * armed, because an unpark would then not end the sleep. Returns: the index in the queue behind the
 * last SQE that this turn submits. */
static unsigned publish(edo__uring *driver, bool sleeps, bool *ret_can_sleep)
{
    edo__lock_take(&driver->lock);
    be_enabled(driver);
    *ret_can_sleep = arm_watches(driver, sleeps);
    unsigned end = edo__ring_publish(&driver->ring);
    edo_store_relaxed(&driver->asleep, sleeps && *ret_can_sleep);
    edo__lock_give(&driver->lock);
    return end;
}

/* Turns a shared ring. Two things are left to the next turn: it submits the SQEs that were prepared
 * while completions were handled, and arms the watches whose poll has ended. The next turn is early
 * enough, because no foreign loop sleeps between the turns of a worker. */
static int turn_shared(edo__uring *driver, bool sleeps, int64_t timeout)
{
    edo__lock_take(&driver->turning);
    bool can_sleep;
    unsigned end = publish(driver, sleeps, &can_sleep);
    int rc = edo__ring_enter_to(&driver->ring, end, sleeps && can_sleep, timeout);
    if (rc < 0) give_up(rc);
    edo_store_relaxed(&driver->asleep, false);
    int count = edo__uring_reap(driver);
    if (sleeps) pause_if_refused(driver, can_sleep);
    edo__lock_give(&driver->turning);
    return count;
}

static int uring_turn(edo_driver *base, int64_t timeout)
{
    edo__uring *driver = edo__uring_of(base);
    bool sleeps = timeout > 0;
    if (timeout == INT64_MAX) timeout = -1;
    return driver->shared ? turn_shared(driver, sleeps, timeout)
                          : turn_owned(driver, sleeps, timeout);
}

/* Ends the wait of a turn. If there is an eventfd `signal`, a foreign loop waits for it. So this
 * function sets `signal` directly, because a write to `event` would reach the loop late, through
 * the kernel. The ring has a watch of `signal` too, because the owner may sleep in the ring
 * although there is a foreign loop. If the write comes before the watch is armed, the watch reports
 * the write as soon as it is armed. */
static void uring_unpark(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    if (edo__uring_is_inherited(driver)) return; // a write would wake the parent
    int signal = edo_load_relaxed(&driver->signal);
    edo__sys_event_set(signal >= 0 ? signal : driver->event);
}

/* ---- life ---- */

static int open_event(edo__uring *driver, const char **ret_reason)
{
    *ret_reason = "no descriptor for an eventfd";
    driver->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (driver->event < 0) return -errno;
    add_watch(driver, driver->event, false);
    return 0;
}

static int open_fds(edo__uring *driver, const char **ret_reason)
{
    unsigned flags = driver->shared ? EDO__RING_SHARED : EDO__RING_OWNED;
    int rc = edo__ring_init(&driver->ring, ENTRIES, flags | IORING_SETUP_R_DISABLED, ret_reason);
    if (rc < 0) return rc;
    rc = open_event(driver, ret_reason);
    if (rc < 0) edo__ring_deinit(&driver->ring);
    return rc;
}

static int uring_open(edo_runtime *runtime, const char *argument, edo_driver **ret_driver,
                      const char **ret_reason)
{
    (void)argument;
    *ret_reason = "out of memory";
    edo__uring *driver = edo__alloc_zeroed(sizeof *driver);
    if (!driver) return -ENOMEM;
    driver->base = (edo_driver){ .ops = &edo__uring_driver, .runtime = runtime };
    driver->shared = edo_runtime_workers(runtime) != 0;
    driver->signal = -1;
    edo_store_relaxed(&driver->accepts, true);
    edo_store_relaxed(&driver->lends, true);
    driver->fork_generation = edo__sys_fork_generation();
    int rc = open_fds(driver, ret_reason);
    if (rc < 0)
        edo__free(driver, sizeof *driver);
    else
        *ret_driver = &driver->base;
    return rc;
}

static void close_fds(edo__uring *driver)
{
    edo__sys_close(driver->event);
    edo__sys_close(driver->signal);
    driver->event = -1;
    edo_store_relaxed(&driver->signal, -1);
}

/* Closes an inherited driver, in the child of a fork. The driver remains in memory, because sources
 * and operations refer to the driver. */
static void close_inherited(edo__uring *driver)
{
    edo__ring_forget(&driver->ring);
    close_fds(driver);
}

/* Closes the driver. All operations have ended. Only the polls of watches remain in the ring. They
 * use no memory of the program. */
static void uring_close(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    if (edo__uring_is_inherited(driver)) {
        close_inherited(driver);
        return;
    }
    uint32_t tries = 0;
    while (edo_load_acquire(&base->pins))
        edo__sys_wait_briefly(&tries);
    edo__ring_deinit(&driver->ring);
    edo__uring_buffers_close(driver->buffers);
    close_fds(driver);
    edo__free(driver, sizeof *driver);
}

static int open_signal(edo__uring *driver)
{
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (event < 0) return -errno;
    int rc = edo__ring_signal(&driver->ring, event);
    if (rc < 0) {
        edo__sys_close(event);
        return rc;
    }
    add_watch(driver, event, true);
    edo_store_relaxed(&driver->signal, event);
    return 0;
}

/* Returns: the descriptor for a foreign loop. The watches are submitted here, because the loop may
 * sleep before the next turn. A shared ring has no descriptor for a loop, because workers turn
 * their rings themselves. */
static int uring_fd(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    if (driver->shared) return -EOPNOTSUPP;
    be_enabled(driver);
    int rc = driver->signal < 0 ? open_signal(driver) : 0;
    if (rc == 0) rc = edo__ring_submit(&driver->ring);
    return rc < 0 ? rc : driver->signal;
}

static int uring_watch(edo_driver *base, int fd)
{
    edo__uring *driver = edo__uring_of(base);
    if (driver->shared) return -EOPNOTSUPP;
    be_enabled(driver);
    if (driver->watch_count == EDO__URING_WATCHES) return -ENOSPC;
    add_watch(driver, fd, false);
    arm_watches(driver, false);
    return edo__ring_submit(&driver->ring);
}

const edo_driver_ops edo__uring_driver = {
    .name = "io_uring",
    .waits_with_poller = true,
    .open = uring_open,
    .close = uring_close,
    .drive = edo__uring_drive,
    .resume = edo__uring_resume,
    .cancel = edo__uring_cancel,
    .call = edo__uring_call,
    .poll_call = edo__uring_poll_call,
    .turn = uring_turn,
    .unpark = uring_unpark,
    .fd = uring_fd,
    .watch = uring_watch,
};
