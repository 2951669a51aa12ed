/* The io_uring driver: the ring, its turns and completions. Its operations are in uring_op.c, their
 * cancellation in uring_cancel.c.
 *
 * Entries are prepared while tasks are polled; the turn submits them all in one system call.
 *
 * The ring of a current-thread runtime is owned by the thread that enables it, by the first poll or
 * turn: the kernel refuses all others. Only that thread prepares entries and sees completions, so
 * these need no lock. Others may close a source (which wakes the task of the operation, whose poll
 * cancels it) and poll an operation that was started on the ring's thread: they take its result, if
 * it has one, and else change its waker or request that it be cancelled. All this is ordered by the
 * source's lock.
 *
 * A worker's ring is shared. Any thread prepares entries, under the driver's lock, so nobody
 * requests anything: a poll elsewhere cancels by itself. Completions are taken by one thread at a
 * time, the turner, who has `turning` from before it submits until it has handled what came.
 *
 *     who               does                                         under
 *     a poll            prepares; submits if `asleep`                source's lock, driver's lock
 *     the turner        arms watches, publishes, sets `asleep`       turning, driver's lock
 *                       submits what was published; sleeps           turning
 *                       clears `asleep`, takes completions           turning
 *                       handles one, may prepare                     turning, source's, driver's
 *
 * No entry is left behind: it is prepared before the turner publishes, and then submitted by it; or
 * after, while the turner sleeps, and then by its preparer; or while nobody sleeps, and then by the
 * next turn, for a worker turns its ring before it sleeps, and a helper does it for one that is
 * stuck. `asleep` is set under the lock, with the publishing; it is cleared without, for who sees it
 * too long makes a system call in vain. If the kernel takes nothing while the turner sleeps, it is
 * unparked, and tries again.
 */
#include "driver/uring/uring.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "driver/drivers.h"
#include "sys/sys.h"

/* 16 KiB, and as much for 1024 completions; a full queue costs a system call. */
enum { ENTRIES = 256 };

/* ---- the owner ---- */

/* An address that no other living thread has. */
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

/* ---- descriptors of the runtime's own ---- */

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

/* Returns: whether all are armed; for some there may have been no entry. */
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

/* Returns: false when the kernel did not take all, and nobody would try again. */
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

/* A watch that ended is armed anew by the turn. What made its descriptor ready is taken, for that
 * would end it at once (a single poll, on kernels without others). */
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

static void handle(edo__uring *driver, uint64_t tag, int result, uint32_t flags)
{
    unsigned kind = tag & EDO__TAG_BITS;
    edo_op *op = (edo_op *)(uintptr_t)(tag - kind); // NOLINT: that is what it was
    if (kind == EDO__TAG_OWN)
        note_watch(driver, tag >> EDO__TAG_SHIFT, result, flags);
    else
        edo__uring_complete(driver, op, result, flags);
}

/* Each completion is given back before it is handled, so that who handles one may reap, too. */
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
        edo__ring_advance(&driver->ring, 1);
        handle(driver, tag, result, flags);
        ready += (tag & EDO__TAG_BITS) != EDO__TAG_OWN;
    }
    edo_add_counter(&driver->base.counters.ready, ready);
    return count;
}

/* ---- turning ---- */

static _Noreturn void give_up(int error)
{
    if (error == -EEXIST)
        edo__misuse("io_uring", "a runtime belongs to the thread that turned it first");
    edo__sys_wait_failed("io_uring", error);
}

/* Anything that the turn has not seen. What comes later raises the signal by itself. */
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

/* What was prepared while completions were handled is not left to the next turn, for which a
 * foreign loop may wait. */
static void submit_rest(edo__uring *driver)
{
    if (edo__unlikely(edo__ring_pending(&driver->ring))) edo__ring_submit(&driver->ring);
}

/* timeout: of the ring. */
static int turn_owned(edo__uring *driver, bool sleeps, int64_t timeout)
{
    be_enabled(driver);
    if (edo__unlikely(!edo__uring_is_owner(driver))) give_up(-EEXIST);
    bool all_armed = arm_watches(driver, sleeps); // else an unpark would not end the wait
    int rc = edo__ring_enter(&driver->ring, sleeps && all_armed, timeout);
    if (rc < 0) give_up(rc);
    int count = edo__uring_reap(driver);
    edo__uring_serve_requests(driver);
    arm_watches(driver, false);
    submit_rest(driver);
    if (driver->signal >= 0) settle_signal(driver);
    return count;
}

/* Returns: where the entries end that this turn submits. Without a watch for an unpark it must not
 * sleep. */
static unsigned publish(edo__uring *driver, bool *sleeps)
{
    edo__lock_take(&driver->lock);
    be_enabled(driver);
    *sleeps = arm_watches(driver, *sleeps) && *sleeps;
    unsigned end = edo__ring_publish(&driver->ring);
    edo_store_relaxed(&driver->asleep, *sleeps);
    edo__lock_give(&driver->lock);
    return end;
}

/* What handling completions prepares, and watches that ended, are for the next turn: there is no
 * foreign loop that would wait before it. */
static int turn_shared(edo__uring *driver, bool sleeps, int64_t timeout)
{
    edo__lock_take(&driver->turning);
    unsigned end = publish(driver, &sleeps);
    int rc = edo__ring_enter_to(&driver->ring, end, sleeps, timeout);
    if (rc < 0) give_up(rc);
    edo_store_relaxed(&driver->asleep, false);
    int count = edo__uring_reap(driver);
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

/* Each write is an edge, also before the poll is armed. The kernel signals the foreign loop late
 * when one eventfd leads to another, so that loop is told at once; if the owner sleeps in the ring
 * nevertheless, it polls that descriptor too. */
static void uring_unpark(edo_driver *base)
{
    edo__uring *driver = edo__uring_of(base);
    if (edo__uring_is_inherited(driver)) return; // what it would wake is the parent
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

/* In the child of a fork. The driver stays in memory, where sources and operations refer to it. */
static void close_inherited(edo__uring *driver)
{
    edo__ring_forget(&driver->ring);
    close_fds(driver);
}

/* All operations have ended; what is left in the ring are polls, which use no memory of ours. */
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

/* The polls of what ends a wait must be in the ring before a foreign loop sleeps. Workers turn
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
    .open = uring_open,
    .close = uring_close,
    .drive = edo__uring_drive,
    .resume = edo__uring_resume,
    .cancel = edo__uring_cancel,
    .turn = uring_turn,
    .unpark = uring_unpark,
    .fd = uring_fd,
    .watch = uring_watch,
};
