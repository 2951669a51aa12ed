/* A watch has a value, guarded by the lock of the hub, and a version. The version is the number of
 * stores. A receive first tests without the lock whether the version has changed. A receive that
 * reads an old version behaves like a receive that was made earlier. Before a receive waits, it
 * reads the version again under the lock. */
#include <edo/watch.h>

#include "runtime/runtime.h"
#include "sync/value.h"
#include "sync/hub.h"

enum { UNSEEN = 0, FIRST_VERSION = 1 };

/* Header of a watch; the value follows. */
struct edo__watch {
    edo__hub hub;
    edo_atomic(uint64_t) version; // written under the lock
    size_t size;                  // bytes of the value
} __attribute__((aligned(16)));

static void *value_of(edo__watch *watch)
{
    return watch + 1;
}

static edo__watch *watch_of(const char *call, const edo__watching *receiver)
{
    return edo__hub_of(call, receiver->watch);
}

static void free_watch(edo__hub *hub)
{
    edo__watch *watch = (edo__watch *)(void *)hub;
    edo__free(watch, sizeof *watch + watch->size);
}

int edo__watch_create(edo__watch **ret_watch, edo__watching *ret_receiver, size_t size,
                      const void *value)
{
    edo__watch *watch = edo__alloc(sizeof *watch + size);
    if (!watch) return -ENOMEM;
    edo__hub_init(&watch->hub, free_watch);
    watch->version = FIRST_VERSION;
    watch->size = size;
    edo__copy_value(value_of(watch), value, size);
    *ret_watch = watch;
    *ret_receiver = (edo__watching){ watch, FIRST_VERSION };
    return 0;
}

/* ---- senders ---- */

/* Increments the version after a store, and wakes the operations that wait to receive. Called under
 * the lock. Returns: the number of receivers. */
static uint32_t publish(edo__watch *watch, edo__wakes *wakes)
{
    edo_store_relaxed(&watch->version, edo_load_relaxed(&watch->version) + 1);
    edo__wait_wake_all(&watch->hub.waiting, wakes);
    return watch->hub.receivers;
}

static uint32_t store(edo__watch *watch, const void *value, edo__wakes *wakes)
{
    edo_plain_write(value_of(watch));
    edo__copy_value(value_of(watch), value, watch->size);
    return publish(watch, wakes);
}

uint32_t edo__watch_send(edo__watch *watch, const void *value)
{
    edo__wakes wakes = { NULL, NULL };
    edo__hub_of("edo_watch_send", watch);
    edo__brief_take(&watch->hub.lock);
    uint32_t receivers = store(watch, value, &wakes);
    edo__brief_give(&watch->hub.lock);
    edo__wakes_commit(&wakes);
    return receivers;
}

int64_t edo__watch_send_if(edo__watch *watch, const void *value, uint64_t version)
{
    edo__wakes wakes = { NULL, NULL };
    int64_t receivers = -EAGAIN;
    edo__hub_of("edo_watch_send_if", watch);
    edo__brief_take(&watch->hub.lock);
    if (edo_load_relaxed(&watch->version) == version) receivers = store(watch, value, &wakes);
    edo__brief_give(&watch->hub.lock);
    edo__wakes_commit(&wakes);
    return receivers;
}

static void exchange_bytes(char *a, char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

uint32_t edo__watch_exchange(edo__watch *watch, void *value)
{
    edo__wakes wakes = { NULL, NULL };
    edo__hub_of("edo_watch_exchange", watch);
    edo__brief_take(&watch->hub.lock);
    edo_plain_write(value_of(watch));
    exchange_bytes(value_of(watch), value, watch->size);
    uint32_t receivers = publish(watch, &wakes);
    edo__brief_give(&watch->hub.lock);
    edo__wakes_commit(&wakes);
    return receivers;
}

uint64_t edo__watch_read(edo__watch *watch, void *ret_value)
{
    edo__hub_of("edo_watch_read", watch);
    edo__brief_take(&watch->hub.lock);
    edo_plain_read(value_of(watch));
    edo__copy_value(ret_value, value_of(watch), watch->size);
    uint64_t version = edo_load_relaxed(&watch->version);
    edo__brief_give(&watch->hub.lock);
    return version;
}

uint32_t edo__watch_receivers(edo__watch *watch)
{
    edo__hub_of("edo_watch_receivers", watch);
    return edo__hub_read(&watch->hub, &watch->hub.receivers);
}

uint32_t edo__watch_senders(edo__watch *watch)
{
    edo__hub_of("edo_watch_senders", watch);
    return edo__hub_read(&watch->hub, &watch->hub.senders);
}

void *edo__watch_sender_ref(edo__watch *watch)
{
    edo__hub_of("edo_watch_sender_clone", watch);
    edo__hub_add(&watch->hub, &watch->hub.senders);
    return watch;
}

void edo__watch_sender_close(edo__watch *watch)
{
    edo__hub_close_sender(watch ? &watch->hub : NULL, "edo_watch_sender_close");
}

const edo_future_ops edo__watch_closed_ops = { .name = "edo_watch_closed",
                                               .poll = edo__hub_poll_closed };

/* ---- receivers ---- */

void edo__watch_subscribe(edo__watch *watch, edo__watching *ret_receiver)
{
    edo__hub_of("edo_watch_subscribe", watch);
    edo__hub_add(&watch->hub, &watch->hub.receivers);
    *ret_receiver = (edo__watching){ watch, edo_load_relaxed(&watch->version) };
}

void edo__watch_receiver_ref(const edo__watching *receiver, edo__watching *ret_receiver)
{
    edo__watch *watch = watch_of("edo_watch_receiver_clone", receiver);
    edo__hub_add(&watch->hub, &watch->hub.receivers);
    *ret_receiver = *receiver;
}

void edo__watch_receiver_close(edo__watching *receiver)
{
    edo__hub_close_receiver(receiver->watch ? &receiver->watch->hub : NULL);
    receiver->watch = NULL;
}

/* Copies the value. Called under the lock. If `marks` is true, the value counts as seen afterwards.
 * Returns: whether the value was unseen. */
static bool copy(edo__watching *receiver, void *ret_value, bool marks)
{
    edo__watch *watch = receiver->watch;
    uint64_t version = edo_load_relaxed(&watch->version);
    bool changed = version != receiver->seen;
    edo_plain_read(value_of(watch));
    if (ret_value) edo__copy_value(ret_value, value_of(watch), watch->size);
    if (marks) receiver->seen = version;
    return changed;
}

int edo__watch_get(edo__watching *receiver, void *ret_value, bool marks)
{
    edo__watch *watch = watch_of("edo_watch_get", receiver);
    edo__brief_take(&watch->hub.lock);
    bool changed = copy(receiver, ret_value, marks);
    edo__brief_give(&watch->hub.lock);
    return changed;
}

int edo__watch_has_changed(const edo__watching *receiver)
{
    edo__watch *watch = watch_of("edo_watch_has_changed", receiver);
    edo__brief_take(&watch->hub.lock);
    bool changed = edo_load_relaxed(&watch->version) != receiver->seen;
    bool over = watch->hub.senders == 0;
    edo__brief_give(&watch->hub.lock);
    return changed || !over ? changed : -EPIPE;
}

void edo__watch_mark(edo__watching *receiver, bool changed)
{
    edo__watch *watch = watch_of("edo_watch_mark_changed", receiver);
    receiver->seen = changed ? UNSEEN : edo_load_relaxed(&watch->version);
}

/* Takes an unseen value. Called under the lock. */
static int64_t take(edo__watching *receiver, void *ret_value)
{
    edo__watch *watch = receiver->watch;
    if (edo_load_relaxed(&watch->version) != receiver->seen) return copy(receiver, ret_value, true);
    return watch->hub.senders == 0 ? 0 : -EAGAIN;
}

int64_t edo__watch_try_recv(edo__watching *receiver, void *ret_value)
{
    edo__watch *watch = watch_of("edo_watch_try_recv", receiver);
    edo__brief_take(&watch->hub.lock);
    int64_t result = take(receiver, ret_value);
    edo__brief_give(&watch->hub.lock);
    return result;
}

int64_t edo__watch_recv_now(edo_cx *cx, edo__watching *receiver, void *ret_value)
{
    edo__watch *watch = watch_of("edo_watch_recv", receiver);
    edo__check_attempt("edo_watch_recv", ret_value);
    if (edo__unlikely(cx->asked) || !edo__has_budget(cx)) return -EAGAIN;
    if (edo_load_relaxed(&watch->version) == receiver->seen) return -EAGAIN;
    edo__use_budget(cx);
    return edo__watch_try_recv(receiver, ret_value);
}

static int64_t take_of(edo_op *op)
{
    return take(op->object, op->data);
}

static edo_poll recv_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo__watch *watch = watch_of("edo_watch_recv", op->object);
    if (!edo__may_answer(op, op->data, cx)) return EDO_PENDING;
    edo__brief_take(&watch->hub.lock);
    int64_t result = edo__hub_step(&watch->hub, op, cx, take_of);
    edo__brief_give(&watch->hub.lock);
    if (result != -EAGAIN) return edo__op_finish(op, cx, result);
    edo__check_memory("edo_watch_recv", op->object, "receiver");
    edo__check_value(op, op->data);
    return EDO_PENDING;
}

const edo_future_ops edo__watch_recv_ops = { .name = "edo_watch_recv", .poll = recv_poll };
