/* Streams on the epoll driver against events, closing and cancelling. The driver and all layers
 * above are the real code; the kernel is simulated below: a socket that can get bytes, or room for
 * bytes, and an epoll that reports both by edges.
 *
 * model-sources: @runtime io/fd.c io/io.c io/source.c driver/parked.c driver/epoll/epoll.c
 * model-sources: driver/epoll/epoll_source.c
 * model-sources: sys/linux/sockets.c sys/linux/address.c
 */
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "driver/drivers.h"
#include "io/io.h"
#include "model/fake_sys.h"
#include "task/future.h"

/* ---- the kernel; its lock orders its steps, as in a real kernel ---- */

enum { SOCKET = 5, EPOLL = 6, EVENT = 16, EPOLLS = 2 };

typedef struct kernel_epoll {
    model_event readable;               // the ready list is not empty
    void *data;                         // of the registration of the socket
    bool registered, edge, room, event; // room: the edge of the other side
} kernel_epoll;

static struct {
    uint32_t lock;
    kernel_epoll epolls[EPOLLS];
    int epoll_count, event_count;
    bool open, full; // full: no room for what is written
    bool writes;     // room makes edges; false in models that only read, to keep them small
    unsigned bytes;

    edo_runtime *runtime, *other;
    edo_io *io;
    edo_task *task;
    edo_wakeable *waker;
    int64_t result;
    char buffer[4];
} * k;

static void kernel_enter(void)
{
    model_lock(&k->lock, MODEL_HERE);
}

static void kernel_leave(kernel_epoll *news)
{
    model_unlock(&k->lock, MODEL_HERE);
    if (news) model_post(&news->readable);
}

/* The first epoll, beginning with this one, that has the socket registered; or NULL. */
static kernel_epoll *registered(kernel_epoll *e)
{
    for (; e < k->epolls + EPOLLS; e++)
        if (e->registered) return e;
    return NULL;
}

int epoll_create1(int flags)
{
    (void)flags;
    model_assert(k->epoll_count < EPOLLS);
    return EPOLL + k->epoll_count++;
}

/* Made right after the epoll of its driver. */
int eventfd(unsigned initial, int flags)
{
    (void)initial;
    (void)flags;
    return EVENT + k->event_count++;
}

/* A descriptor that is ready when it is registered makes an edge at once. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    kernel_epoll *e = &k->epolls[epoll - EPOLL];
    if (fd != SOCKET) return 0;
    kernel_enter();
    model_assert(k->open);
    e->registered = op == EPOLL_CTL_ADD;
    e->data = e->registered ? event->data.ptr : NULL;
    e->edge = e->registered && k->bytes;
    e->room = e->registered && k->writes && !k->full;
    kernel_leave(e->edge || e->room ? e : NULL);
    return 0;
}

int epoll_wait(int epoll, struct epoll_event *events, int size, int timeout)
{
    int n = 0;
    kernel_epoll *e = &k->epolls[epoll - EPOLL];
    model_assert(size >= 2);
    if (timeout) model_wait(&e->readable);
    kernel_enter();
    uint32_t edges = (e->edge ? EPOLLIN : 0u) | (e->room ? EPOLLOUT : 0u);
    if (edges && e->registered)
        events[n++] = (struct epoll_event){ .events = edges, .data.ptr = e->data };
    if (e->event) events[n++] = (struct epoll_event){ .events = EPOLLIN };
    e->edge = e->room = e->event = false;
    kernel_leave(NULL);
    return n;
}

void edo__sys_event_set(int event)
{
    kernel_epoll *e = &k->epolls[event - EVENT];
    kernel_enter();
    e->event = true;
    kernel_leave(e);
}

void edo__sys_wait_failed(const char *call, int error)
{
    model_fail("%s: %d", call, error);
}

int edo__sys_pollable_kind(edo_fd fd)
{
    (void)fd;
    return EDO__FILE_SOCKET;
}

int64_t edo__try(edo__source *source, edo_op *op)
{
    int64_t n = -EAGAIN;
    kernel_enter();
    model_assert(source->fd == SOCKET && k->open);
    if (edo__side_of(op) == EDO__WRITE_SIDE) {
        n = k->full ? -EAGAIN : (int64_t)op->length;
    } else if (k->bytes) { // all available bytes that fit, as TCP does
        *(char *)op->data = 1;
        n = (int64_t)(k->bytes < op->length ? k->bytes : op->length);
        k->bytes -= (unsigned)n;
    }
    kernel_leave(NULL);
    return n;
}

void edo__sys_close(int fd)
{
    if (fd != SOCKET) return;
    kernel_enter();
    model_assert(k->open); // once
    k->open = false;
    for (int i = 0; i < EPOLLS; i++)
        k->epolls[i].edge = k->epolls[i].room = k->epolls[i].registered = false;
    kernel_leave(NULL);
}

static void deliver(void)
{
    kernel_enter();
    k->bytes++;
    kernel_epoll *e = registered(k->epolls);
    if (e) e->edge = true;
    kernel_leave(e);
}

/* Makes room, which all epolls report. */
static void make_room(void)
{
    kernel_epoll *last = NULL;
    kernel_enter();
    k->full = false;
    for (kernel_epoll *e = k->epolls; (e = registered(e)); e++) {
        if (last) model_post(&last->readable);
        e->room = true;
        last = e;
    }
    kernel_leave(last);
}

/* ---- a task that reads ---- */

struct reader {
    edo_frame();
    edo_args(int wanted; bool closes;);
    int64_t got;
};

edo_async(reader)
{
    edo_body {
        int64_t n;
        for (self->got = 0; self->got < self->wanted; self->got += n) {
            edo_await(n, edo_read(k->io, k->buffer, sizeof k->buffer));
            k->result = n;
            if (n < 0) break;
        }
        if (self->closes) edo_close(k->io);
        edo_return(self->got);
    }
}

static void set_up_stream(void)
{
    k = model_alloc_static(sizeof *k);
    memset(k, 0, sizeof *k);
    k->open = true;
    edo_config config = { 0 };
    fake_driver_ops = &edo__epoll_driver;
    model_assert(edo_runtime_create(&config, &k->runtime) == 0);
    k->io = edo__fd_io_create(SOCKET, EDO__SOURCE_SOCKET | EDO__SOURCE_TCP);
}

static void set_up(int wanted, bool closes)
{
    set_up_stream();
    edo_spawn_options options = { .runtime = k->runtime };
    int rc = edo_spawn_with(&k->task, &options, reader, .wanted = wanted, .closes = closes);
    model_assert(rc == 0);
}

static void run_out_tasks(edo_runtime *runtime)
{
    while (edo_runtime_task_count(runtime))
        edo_turn(runtime, EDO_NEVER);
}

/* The streams of a runtime must not be used while it is destroyed: so the other threads end
 * first. */
static void run_out(int first, int second)
{
    run_out_tasks(k->runtime);
    model_join(first);
    if (second) model_join(second);
    edo_detach(k->task);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_assert(!k->open);
}

THREAD(deliver_one)
{
    deliver();
}

MODEL(event_against_park, "bytes that come while a read parks wake it: readiness is never lost")
{
    set_up(1, true);
    int peer = model_start(deliver_one, NULL);
    run_out(peer, 0);
    model_assert(k->result == 1);
}

THREAD(deliver_two)
{
    deliver();
    deliver();
}

MODEL(short_read, "a short read takes readiness back, but not that of bytes that came since")
{
    set_up(2, true);
    int peer = model_start(deliver_two, NULL);
    run_out(peer, 0);
    model_assert(k->result > 0 && k->bytes == 0);
}

struct writer {
    edo_frame();
    edo_args(int unused;);
};

edo_async(writer)
{
    edo_body {
        edo_await(k->result, edo_write(k->io, k->buffer, 1));
        edo_close(k->io);
        edo_return(0);
    }
}

THREAD(take_out)
{
    make_room();
}

MODEL(room_against_park, "room that comes while a write parks wakes it")
{
    set_up_stream();
    k->writes = k->full = true;
    edo_spawn_options options = { .runtime = k->runtime };
    model_assert(edo_spawn_with(&k->task, &options, writer, .unused = 0) == 0);
    int peer = model_start(take_out, NULL);
    run_out(peer, 0);
    model_assert(k->result == 1);
}

THREAD(close_io)
{
    edo_close(k->io);
}

MODEL(close_against_read, "closing under a read ends it, and the descriptor goes once, after it")
{
    set_up(1, false);
    edo_turn(k->runtime, 0); // the read is in flight: nothing may start on a closed stream
    int closer = model_start(close_io, NULL);
    run_out(closer, 0);
    model_assert(k->result == -ECANCELED);
}

MODEL(close_against_event,
      "closing and an event at once: the read has its byte or none, and is woken")
{
    set_up(1, false);
    edo_turn(k->runtime, 0);
    int peer = model_start(deliver_one, NULL);
    int closer = model_start(close_io, NULL);
    run_out(closer, peer);
    model_assert(k->result == -ECANCELED || k->result == 1);
    model_assert(k->bytes == (k->result == 1 ? 0u : 1u));
}

THREAD(cancel_reader)
{
    edo_task_cancel(k->task);
}

MODEL(cancel_against_event, "a cancelled read has taken its byte and says so, or has taken none")
{
    set_up(1, true);
    int peer = model_start(deliver_one, NULL);
    int canceller = model_start(cancel_reader, NULL);
    run_out(canceller, peer);
    model_assert(k->bytes == (k->result == 1 ? 0u : 1u));
}

/* ---- one thread turns the driver, another polls the read, as workers do; operation and wakeable
 * are freed as soon as the read has ended ---- */

typedef struct far_read {
    edo_user_wakeable wakeable;
    model_event woken;
    edo_cx cx;
    edo_op op;
} far_read;

static struct {
    uint32_t done;
    int64_t results[2];
} * far;

static void wake_far(edo_user_wakeable *wakeable)
{
    far_read *read = (far_read *)(void *)wakeable;
    model_post(&read->woken);
}

static far_read *far_read_create(edo_runtime *runtime, unsigned at)
{
    far_read *read = model_alloc(sizeof *read);
    memset(read, 0, sizeof *read);
    edo_user_wakeable_init(&read->wakeable, wake_far);
    read->cx = (edo_cx){ .runtime = runtime,
                         .worker = runtime->workers[0],
                         .waker = &read->wakeable.head,
                         .budget = 100 };
    read->op = edo_read(k->io, &k->buffer[at], 1);
    return read;
}

/* Polls a read to its end. */
static int64_t run_to_end(far_read *read)
{
    for (;;) {
        if (edo_poll_future(&read->op.base, &read->cx) == EDO_READY) break;
        model_wait(&read->woken);
    }
    int64_t result = read->op.base.result;
    model_free(read);
    return result;
}

static int64_t read_to_end(unsigned at)
{
    return run_to_end(far_read_create(k->runtime, at));
}

static void end_far(void)
{
    edo_close(k->io);
    edo_store_release(&far->done, 1);
    k->runtime->workers[0]->driver->ops->unpark(k->runtime->workers[0]->driver);
}

static void set_up_far(unsigned bytes)
{
    set_up_stream();
    far = model_alloc_static(sizeof *far);
    memset(far, 0, sizeof *far);
    k->bytes = bytes;
}

/* This thread turns the driver until the reader has ended. */
static void turn_far(int first, int second)
{
    while (!edo_load_acquire(&far->done))
        k->runtime->workers[0]->driver->ops->turn(k->runtime->workers[0]->driver, EDO_NEVER);
    model_join(first);
    if (second) model_join(second);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_assert(!k->open);
}

THREAD(read_one)
{
    far->results[0] = read_to_end(0);
    end_far();
}

MODEL(far_read_against_event,
      "an event told by another thread wakes the read, and does not touch it after its end")
{
    set_up_far(0);
    int reader = model_start(read_one, NULL), peer = model_start(deliver_one, NULL);
    turn_far(reader, peer);
    model_assert(far->results[0] == 1 && k->bytes == 0);
}

THREAD(read_until_two)
{
    far->results[0] = read_to_end(0);
    far->results[1] = far->results[0] == 1 ? read_to_end(1) : 0;
    end_far();
}

MODEL(far_read_twice, "bytes that come twice: no edge is lost between two reads")
{
    set_up_far(0);
    int reader = model_start(read_until_two, NULL), peer = model_start(deliver_two, NULL);
    turn_far(reader, peer);
    model_assert(far->results[0] + far->results[1] == 2);
}

THREAD(close_far)
{
    edo_close(k->io);
}

THREAD(read_closed)
{
    far->results[0] = read_to_end(0);
    edo_store_release(&far->done, 1);
    k->runtime->workers[0]->driver->ops->unpark(k->runtime->workers[0]->driver);
}

/* The closer waits until the read is in flight: nothing may start on a closed stream. */
static void until_in_flight(void)
{
    edo__source *source = edo__io_source(k->io);
    while (!(edo_load_acquire(&source->state) & EDO__SOURCE_READING))
        model_yield(MODEL_HERE);
}

MODEL(far_read_against_close,
      "closing ends a read that another thread polls; the stream goes after both")
{
    set_up_far(0);
    int reader = model_start(read_closed, NULL);
    until_in_flight();
    int closer = model_start(close_far, NULL);
    turn_far(reader, closer);
    model_assert(far->results[0] == -ECANCELED);
}

/* ---- several waiters of one side ---- */

static far_read *waiting[2];

/* Two parked reads, of one byte each. */
static void set_up_several(void)
{
    set_up_far(0);
    edo__io_source(k->io)->traits |= EDO__SOURCE_SEVERAL;
    edo__io_source(k->io)->state = EDO__SOURCE_COUNTS;
    for (unsigned i = 0; i < 2; i++) {
        waiting[i] = far_read_create(k->runtime, i);
        edo_poll poll = edo_poll_future(&waiting[i]->op.base, &waiting[i]->cx);
        model_assert(poll == EDO_PENDING);
    }
}

static void end_one(void)
{
    edo_add_acq_rel(&far->done, 1);
    k->runtime->workers[0]->driver->ops->unpark(k->runtime->workers[0]->driver);
}

THREAD(end_first)
{
    far->results[0] = run_to_end(waiting[0]);
    end_one();
}

THREAD(end_second)
{
    far->results[1] = run_to_end(waiting[1]);
    end_one();
}

THREAD(cancel_first)
{
    edo__raise_fate(&waiting[0]->op.base, EDO_CANCELLED);
    edo_poll poll = edo_poll_future(&waiting[0]->op.base, &waiting[0]->cx);
    model_assert(poll == EDO_READY);
    far->results[0] = waiting[0]->op.base.result;
    model_free(waiting[0]);
    end_one();
}

THREAD(end_both)
{
    end_first(NULL);
    end_second(NULL);
}

static void turn_until_both(void)
{
    edo_driver *driver = k->runtime->workers[0]->driver;
    while (edo_load_acquire(&far->done) < 2)
        driver->ops->turn(driver, EDO_NEVER);
}

static void end_several(void)
{
    edo_close(k->io);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_assert(!k->open);
}

MODEL(several_by_one_event, "one event for two bytes: the first waiter wakes the second")
{
    set_up_several();
    deliver();
    deliver();
    int ender = model_start(end_both, NULL);
    turn_until_both();
    model_join(ender);
    model_assert(far->results[0] == 1 && far->results[1] == 1 && k->bytes == 0);
    end_several();
}

MODEL(several_cancel_against_wake,
      "a waiter that is cancelled, woken or not, leaves the byte to the next")
{
    set_up_several();
    deliver();
    int canceller = model_start(cancel_first, NULL);
    k->runtime->workers[0]->driver->ops->turn(k->runtime->workers[0]->driver, EDO_NEVER);
    far->results[1] = run_to_end(waiting[1]);
    model_join(canceller);
    model_assert(far->results[0] == -ECANCELED && far->results[1] == 1 && k->bytes == 0);
    end_several();
}

MODEL(several_against_close, "closing wakes all waiters")
{
    set_up_several();
    int first = model_start(end_first, NULL);
    edo_close(k->io);
    far->results[1] = run_to_end(waiting[1]);
    model_join(first);
    model_assert(far->results[0] == -ECANCELED && far->results[1] == -ECANCELED);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_assert(!k->open);
}

/* ---- claims ---- */

THREAD(read_second)
{
    far->results[1] = read_to_end(1);
}

MODEL(two_readers, "of two reads at once one is refused, or comes after the other")
{
    set_up_far(2);
    int reader = model_start(read_second, NULL);
    far->results[0] = read_to_end(0);
    model_join(reader);
    edo_close(k->io);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    for (int i = 0; i < 2; i++)
        model_assert(far->results[i] == -EBUSY || far->results[i] == 1);
    model_assert(far->results[0] == 1 || far->results[1] == 1);
}

THREAD(claim_and_touch)
{
    edo__source *source = edo__io_source(k->io);
    if (edo__source_claim(source, EDO__SOURCE_READING) < 0) return;
    edo_plain_write(&k->buffer[0]);
    edo__source_leave(source, EDO__SOURCE_READING);
}

MODEL(claim_hands_over, "what one operation did on a side comes before the next one's claim")
{
    set_up_far(0);
    int other = model_start(claim_and_touch, NULL);
    claim_and_touch(NULL);
    model_join(other);
    edo_close(k->io);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
}

THREAD(claim_closed)
{
    edo_close(k->io);
    model_assert(edo__source_claim(edo__io_source(k->io), EDO__SOURCE_WRITING) == -ECANCELED);
    edo__source_leave(edo__io_source(k->io), EDO__SOURCE_READING);
}

MODEL(claim_refused, "an operation that comes after the close is refused while another one ends")
{
    set_up_far(0);
    model_assert(edo__source_claim(edo__io_source(k->io), EDO__SOURCE_READING) == 0);
    claim_closed(NULL);
    model_assert(!k->open);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
}

MODEL_BROKEN(closed_twice, "a second close is found out while an operation still ends", "misuse")
{
    set_up_far(0);
    model_assert(edo__source_claim(edo__io_source(k->io), EDO__SOURCE_READING) == 0);
    edo_close(k->io);
    edo_close(k->io);
}

/* ---- a stream that moves to another driver, while the old one's batch may still refer to it
 * ---- */

/* Polls a read once, without data. */
static far_read *begin_read(edo_runtime *runtime)
{
    far_read *read = far_read_create(runtime, 0);
    edo_poll poll = edo_poll_future(&read->op.base, &read->cx);
    model_assert(poll == EDO_PENDING);
    return read;
}

static void cancel_read(far_read *read)
{
    edo__raise_fate(&read->op.base, EDO_CANCELLED);
    edo_poll poll = edo_poll_future(&read->op.base, &read->cx);
    model_assert(poll == EDO_READY && read->op.base.result == -ECANCELED);
    model_free(read);
}

/* The stream stays registered with the runtime. */
static void use_once(edo_runtime *runtime)
{
    cancel_read(begin_read(runtime));
}

/* An edge for bytes that were already read. */
static void false_alarm(void)
{
    kernel_epoll *e = registered(k->epolls);
    e->edge = true;
    model_post(&e->readable);
}

static void set_up_two(void)
{
    set_up_far(0);
    edo_config config = { 0 };
    fake_driver_ops = &edo__epoll_driver;
    model_assert(edo_runtime_create(&config, &k->other) == 0);
}

static void set_up_move(void)
{
    set_up_two();
    use_once(k->runtime);
    false_alarm();
}

THREAD(take_over_and_close)
{
    use_once(k->other);
    edo_close(k->io);
    model_assert(edo_runtime_destroy(k->other) == 0);
    model_assert(!k->open);
}

MODEL(move_against_batch,
      "a stream that another runtime takes, and closes, outlives the batch of the first one")
{
    set_up_move();
    int taker = model_start(take_over_and_close, NULL);
    k->runtime->workers[0]->driver->ops->turn(k->runtime->workers[0]->driver, EDO_NEVER);
    k->runtime->workers[0]->driver->ops->turn(k->runtime->workers[0]->driver, 0);
    model_join(taker);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
}

MODEL(move_against_destroy, "a stream may be taken from a runtime that ends, which waits for it")
{
    set_up_move();
    int taker = model_start(take_over_and_close, NULL);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_join(taker);
}

/* The visitor's operation is freed as soon as it has ended. */
THREAD(write_as_guest)
{
    far_read *write = far_read_create(k->other, 0);
    write->op = edo_write(k->io, k->buffer, 1);
    far->results[0] = run_to_end(write);
    edo_store_release(&far->done, 1);
    k->other->workers[0]->driver->ops->unpark(k->other->workers[0]->driver);
}

MODEL(
    guest_against_batch,
    "while a read relies on one runtime's driver, a write of another's waits as a guest with its own")
{
    set_up_two();
    k->writes = k->full = true;
    far_read *read = begin_read(k->runtime);
    int writer = model_start(write_as_guest, NULL), peer = model_start(take_out, NULL);
    while (!edo_load_acquire(&far->done))
        k->other->workers[0]->driver->ops->turn(k->other->workers[0]->driver, EDO_NEVER);
    model_join(writer);
    model_join(peer);
    model_assert(far->results[0] == 1 && !k->epolls[1].registered);
    cancel_read(read);
    edo_close(k->io);
    model_assert(edo_runtime_destroy(k->other) == 0);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_assert(!k->open);
}

MODEL(close_against_destroy, "a stream may be closed while the runtime that it was used with ends")
{
    set_up_far(0);
    use_once(k->runtime);
    int closer = model_start(close_far, NULL);
    model_assert(edo_runtime_destroy(k->runtime) == 0);
    model_join(closer);
    model_assert(!k->open);
}
