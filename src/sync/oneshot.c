/* Oneshots have no lock. One word holds the state of both ends.
 *
 *     sender:    no bit -- send: writes the value, then CAS -----> SENT
 *                no bit -- close --------------------------------> NO_SENDER
 *     receiver:  no bit -- shutdown -----------------------------> CLOSED
 *                no bit or CLOSED -- close ----------------------> CLOSED, NO_RECEIVER
 *     either:    no bit -- registers a waiting operation --------> RECV_WAITS or SEND_WAITS
 *
 * The sender ends by one step, which sets SENT or NO_SENDER. That step is the sender's last access
 * to the oneshot unless RECV_WAITS was set. SENT is set only while CLOSED is not set. So a value
 * either lies in the oneshot or still belongs to the sender. An end frees the oneshot if the other
 * end has ended before.
 *
 * Waking. The step that finds the WAITS bit of the other end owns the wake. The thread of this step
 * reads the operation, prepares the wake and stores EDO__OP_WOKEN. That store is the thread's last
 * access to the operation and to the oneshot. The waiting end sees the other end's step in a poll,
 * or when it clears its own bit. The waiting end then waits for the store of EDO__OP_WOKEN, which
 * follows within a few instructions. So neither the operation nor the oneshot is freed too early.
 *
 * Orders. Each step is a read-modify-write that releases the writes of its end and acquires those
 * of the other end. A load that finds the other end's step also acquires the writes before that
 * step. The step by which an end clears its own WAITS bit needs no order. If the other end has not
 * found the bit, the other end does not access the operation. If the other end has found the bit,
 * the clearing end acquires the store of EDO__OP_WOKEN. */
#include <edo/oneshot.h>

#include "base/base.h"
#include "runtime/runtime.h"
#include "runtime/schedule/worker.h"
#include "sync/value.h"
#include "task/memory.h"
#include "task/op.h"

enum {
    SENT = 1,
    NO_SENDER = 2,
    CLOSED = 4,
    NO_RECEIVER = 8,
    RECV_WAITS = 16,
    SEND_WAITS = 32,
    SENDER_DONE = SENT | NO_SENDER,
};

/* Header of a oneshot. The value follows, at the next address aligned for it. */
struct edo__oneshot {
    edo_atomic(uint32_t) word;
    uint32_t size : 31, is_in_heap : 1; // size: bytes of the value; is_in_heap: in a worker's heap
    /* Waiting operations. The receiver's end writes `receive`. The sender's end writes `closed`. */
    edo_op *receive, *closed;
    void (*drop)(void *value, void *context);
    void *context;
};

_Static_assert(sizeof(edo__oneshot) + sizeof(uint64_t) <= 64, "a oneshot of a word");

/* ---- memory ---- */

/* Offset of the value. A type aligned to 16 bytes has a size that is a multiple of 16. */
static size_t value_offset(size_t size)
{
    return size % 16 ? sizeof(edo__oneshot) : (sizeof(edo__oneshot) + 15) / 16 * 16;
}

static void *value_of(edo__oneshot *oneshot)
{
    return (char *)oneshot + value_offset(oneshot->size);
}

static edo__oneshot *allocate(size_t size)
{
    bool is_in_heap;
    edo__oneshot *oneshot = edo__worker_alloc(value_offset(size) + size, &is_in_heap);
    if (!oneshot) return NULL;
    oneshot->size = (uint32_t)size & 0x7fffffff;
    oneshot->is_in_heap = is_in_heap;
    return oneshot;
}

static void free_oneshot(edo__oneshot *oneshot)
{
    edo_plain_write(oneshot);
    size_t whole = value_offset(oneshot->size) + oneshot->size;
    edo__worker_free(oneshot, whole, oneshot->is_in_heap);
}

int edo__oneshot_create(edo__oneshot **ret_oneshot, size_t size,
                        void (*drop)(void *value, void *context), void *context)
{
    if (size >= UINT32_MAX / 2) return -ENOMEM;
    edo__oneshot *oneshot = allocate(size);
    if (!oneshot) return -ENOMEM;
    edo_store_relaxed(&oneshot->word, 0);
    oneshot->drop = drop;
    oneshot->context = context;
    *ret_oneshot = oneshot;
    return 0;
}

/* ---- waiting ---- */

/* Bits of one end in the word. */
typedef struct end_bits {
    uint32_t waits; // bit: the end waits
    uint32_t done;  // bits; if one is set, the wait is over
} end_bits;

static const end_bits receiver = { RECV_WAITS, SENDER_DONE }, sender = { SEND_WAITS, CLOSED };

static void wake(edo_op *op)
{
    edo_plain_read(&op->waker);
    edo_wakeable *prepared = edo__wake_prepare(op->waker);
    edo_store_release(&op->word, EDO__OP_WOKEN);
    edo__wake_commit(prepared);
}

static void await_waker(edo_op *op)
{
    uint32_t tries = 0;
    while (edo_load_acquire(&op->word) != EDO__OP_WOKEN)
        edo__sys_wait_briefly(&tries);
    edo_store_relaxed(&op->word, EDO__OP_IDLE);
}

/* Registers an operation as waiting. Returns: true: the operation waits; false: its wait is over
 * already. */
static bool park(edo__oneshot *oneshot, const end_bits *bits, edo_op **slot, edo_op *op, edo_cx *cx)
{
    uint32_t word = edo_load_relaxed(&oneshot->word);
    if (word & bits->waits)
        edo__misuse(op->base.ops->name, "another operation is pending at this end");
    edo_plain_write(&op->waker);
    op->waker = cx->waker;
    *slot = op;
    edo_store_relaxed(&op->word, EDO__OP_PARKED);
    do {
        if (word & bits->done) {
            edo_store_relaxed(&op->word, EDO__OP_IDLE);
            return false;
        }
    } while (!edo_cas_release(&oneshot->word, &word, word | bits->waits));
    return true;
}

/* Clears the WAITS bit. Afterwards the other end does not access the operation. Returns: whether
 * the wait was over before. */
static bool unpark(edo__oneshot *oneshot, const end_bits *bits, edo_op *op)
{
    uint32_t old = edo_and_relaxed(&oneshot->word, ~bits->waits);
    bool is_over = old & bits->done;
    if (is_over)
        await_waker(op);
    else
        edo_store_relaxed(&op->word, EDO__OP_IDLE);
    return is_over;
}

/* Polls a parked operation again. Returns: whether the operation still waits. */
static bool waits_on(edo__oneshot *oneshot, const end_bits *bits, edo_op **slot, edo_op *op,
                     edo_cx *cx)
{
    if (edo_load_relaxed(&oneshot->word) & bits->done) {
        await_waker(op);
        return false;
    }
    if (op->waker == cx->waker) return true;
    unpark(oneshot, bits, op);
    return park(oneshot, bits, slot, op, cx);
}

static bool is_parked(const edo_op *op)
{
    return edo_load_relaxed(&op->word) != EDO__OP_IDLE;
}

/* Polls an operation that is not cancelled. Returns: whether it waits. */
static bool wait(edo__oneshot *oneshot, const end_bits *bits, edo_op **slot, edo_op *op, edo_cx *cx)
{
    return is_parked(op) ? waits_on(oneshot, bits, slot, op, cx)
                         : park(oneshot, bits, slot, op, cx);
}

/* ---- the sender ---- */

static edo__oneshot *check_end(const char *call, void *core)
{
    if (!core) edo__misuse(call, "this end was consumed, closed or moved, or never created");
    return core;
}

static void check_idle(uint32_t word, const end_bits *bits, const char *call)
{
    if (edo__unlikely(word & bits->waits))
        edo__misuse(call, "an operation is still pending at this end");
}

void edo__oneshot_sender_close(edo__oneshot *oneshot)
{
    if (!oneshot) return;
    uint32_t old = edo_or_acq_rel(&oneshot->word, NO_SENDER);
    check_idle(old, &sender, "edo_oneshot_sender_close");
    if (old & NO_RECEIVER)
        free_oneshot(oneshot);
    else if (old & RECV_WAITS)
        wake(oneshot->receive);
}

int edo__oneshot_send(void **end, const void *value)
{
    edo__oneshot *oneshot = check_end("edo_oneshot_send", *end);
    *end = NULL;
    edo_plain_write(value_of(oneshot));
    edo__copy_value(value_of(oneshot), value, oneshot->size);
    uint32_t word = edo_load_relaxed(&oneshot->word);
    check_idle(word, &sender, "edo_oneshot_send");
    do {
        if (word & CLOSED) {
            edo__oneshot_sender_close(oneshot);
            return -EPIPE;
        }
    } while (!edo_cas_acq_rel(&oneshot->word, &word, word | SENT));
    if (word & RECV_WAITS) wake(oneshot->receive);
    return 0;
}

bool edo__oneshot_is_closed(const edo__oneshot *oneshot)
{
    check_end("edo_oneshot_is_closed", (void *)(uintptr_t)oneshot);
    return edo_load_acquire(&oneshot->word) & CLOSED;
}

static edo_poll closed_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__oneshot *oneshot = check_end("edo_oneshot_closed", op->object);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) {
        bool is_over = is_parked(op) && unpark(oneshot, &sender, op);
        return edo__op_finish(op, cx, is_over ? 0 : -ECANCELED);
    }
    if (wait(oneshot, &sender, &oneshot->closed, op, cx)) return EDO_PENDING;
    edo_and_acq_rel(&oneshot->word, ~(uint32_t)SEND_WAITS);
    return edo__op_finish(op, cx, 0);
}

const edo_future_ops edo__oneshot_closed_ops = { .name = "edo_oneshot_closed",
                                                 .poll = closed_poll };

/* ---- the receiver ---- */

/* Ends the receiver. Drops a value that was not received. */
static void end_receiver(edo__oneshot *oneshot, bool has_taken)
{
    uint32_t old = edo_load_acquire(&oneshot->word);
    if (!(old & SENDER_DONE)) old = edo_or_acq_rel(&oneshot->word, CLOSED | NO_RECEIVER);
    if (old & SENDER_DONE) {
        if ((old & SENT) && !has_taken && oneshot->drop)
            oneshot->drop(value_of(oneshot), oneshot->context);
        free_oneshot(oneshot);
    } else if ((old & SEND_WAITS) && !(old & CLOSED)) {
        wake(oneshot->closed);
    }
}

/* Takes the value. Returns: 1: the value was taken; 0: no value will be sent; -EAGAIN. The results
 * 1 and 0 close the receiver. */
static int64_t take(void **end, void *ret_value)
{
    edo__oneshot *oneshot = *end;
    if (!oneshot) return 0;
    uint32_t word = edo_load_acquire(&oneshot->word);
    if (!(word & (SENDER_DONE | CLOSED))) return -EAGAIN;
    *end = NULL;
    if (!(word & SENT)) {
        end_receiver(oneshot, true);
        return 0;
    }
    edo_plain_read(value_of(oneshot));
    edo__copy_value(ret_value, value_of(oneshot), oneshot->size);
    free_oneshot(oneshot);
    return 1;
}

int64_t edo__oneshot_try_recv(void **end, void *ret_value)
{
    edo__oneshot *oneshot = *end;
    if (oneshot) check_idle(edo_load_relaxed(&oneshot->word), &receiver, "edo_oneshot_try_recv");
    return take(end, ret_value);
}

int64_t edo__oneshot_recv_now(edo_cx *cx, void **end, void *ret_value)
{
    edo__check_attempt("edo_oneshot_recv", ret_value);
    if (edo__unlikely(cx->asked) || !edo__has_budget(cx)) return -EAGAIN;
    int64_t taken = edo__oneshot_try_recv(end, ret_value);
    if (taken != -EAGAIN) edo__use_budget(cx);
    return taken;
}

bool edo__oneshot_has_value(const edo__oneshot *oneshot)
{
    return oneshot && (edo_load_relaxed(&oneshot->word) & SENT);
}

void edo__oneshot_shutdown(edo__oneshot *oneshot)
{
    if (!oneshot) return;
    uint32_t old = edo_or_acq_rel(&oneshot->word, CLOSED);
    if ((old & SEND_WAITS) && !(old & (CLOSED | SENDER_DONE))) wake(oneshot->closed);
}

void edo__oneshot_receiver_close(edo__oneshot *oneshot)
{
    if (!oneshot) return;
    check_idle(edo_load_relaxed(&oneshot->word), &receiver, "edo_oneshot_receiver_close");
    end_receiver(oneshot, false);
}

static edo_poll recv_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    void **end = op->object;
    edo__oneshot *oneshot = *end;
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) {
        if (is_parked(op)) unpark(oneshot, &receiver, op);
        return edo__op_finish(op, cx, -ECANCELED);
    }
    int64_t taken = is_parked(op) ? -EAGAIN : take(end, op->data);
    if (taken == -EAGAIN && wait(oneshot, &receiver, &oneshot->receive, op, cx)) {
        edo__check_value(op, op->data);
        return EDO_PENDING;
    }
    return edo__op_finish(op, cx, taken == -EAGAIN ? take(end, op->data) : taken);
}

const edo_future_ops edo__oneshot_recv_ops = { .name = "edo_oneshot_recv", .poll = recv_poll };
