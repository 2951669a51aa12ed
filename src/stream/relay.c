/* Copies in both directions. */
#include "base/duration.h"
#include "io/io.h"
#include "stream/copier.h"

void edo_relay_init(edo_relay *relay, edo_io *first, edo_io *second, void *memory, size_t size)
{
    *relay = (edo_relay){ .idle = 0 };
    edo_copier_init(&relay->ways[0], first, second, memory, size / 2);
    edo_copier_init(&relay->ways[1], second, first, (char *)memory + size / 2, size - size / 2);
}

size_t edo_relay_deinit(edo_relay *relay)
{
    return edo_copier_deinit(&relay->ways[0]) + edo_copier_deinit(&relay->ways[1]);
}

/* Shuts down the target's write side at the end of a direction. It is no error if the stream has no
 * such shutdown, or if its peer has disconnected. */
static int64_t hand_on_end(edo_copier *way, int64_t result)
{
    int rc = edo__io_shutdown_write(way->to, "edo_copy_both");
    return rc == 0 || rc == -ENOTSUP || rc == -ENOTCONN ? result : rc;
}

/* Ends a direction. The idle limit starts again, as it does after a moved byte. An error stops the
 * other direction. */
static void end_way(edo_relay *relay, unsigned i, int64_t result, const edo_cx *cx)
{
    relay->moved_at = cx->now;
    relay->done[i] = true;
    relay->status[i] = result < 0 ? result : hand_on_end(&relay->ways[i], result);
    if (relay->status[i] < 0 && !relay->done[1 - i]) edo__copier_stop(&relay->ways[1 - i]);
}

/* ---- limits ---- */

static uint64_t moved(const edo_relay *relay)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 2; i++)
        sum += relay->ways[i].taken + relay->ways[i].given;
    return sum;
}

/* Whether the idle limit has passed since the last moved byte. If not, requests a poll for the
 * moment at which the limit passes. */
static bool is_idle_too_long(edo_relay *relay, edo_cx *cx)
{
    bool is_half = relay->done[0] || relay->done[1];
    int64_t limit = is_half && relay->idle_half ? relay->idle_half : relay->idle;
    uint64_t now_moved = moved(relay);
    if (now_moved != relay->moved) relay->moved_at = cx->now;
    relay->moved = now_moved;
    if (limit <= 0) return false;
    int64_t deadline = edo__later(relay->moved_at, limit);
    if (cx->now >= deadline) return true;
    edo_cx_deadline(cx, deadline);
    return false;
}

/* ---- the operation ---- */

/* Begins an operation. A direction that has ended without error remains ended in later calls. */
static void begin(edo_relay *relay, const edo_cx *cx)
{
    for (unsigned i = 0; i < 2; i++) {
        relay->done[i] = relay->done[i] && relay->status[i] >= 0;
        edo__copier_begin(&relay->ways[i]);
    }
    relay->moved_at = cx->now;
    relay->timed_out = false;
}

/* Polls both directions. If one of them has ended, polls the other one again, because the end may
 * stop it. Returns: whether both directions are done. */
static bool go_on(edo_relay *relay, edo_cx *cx)
{
    int64_t result;
    unsigned was_done = relay->done[0] + relay->done[1];
    for (unsigned i = 0; i < 2; i++)
        if (!relay->done[i] && edo__copier_poll(&relay->ways[i], cx, &result) == EDO_READY)
            end_way(relay, i, result, cx);
    unsigned is_done = relay->done[0] + relay->done[1];
    return is_done > was_done && is_done < 2 ? go_on(relay, cx) : is_done == 2;
}

/* Result of the operation: -ETIMEDOUT after the idle limit. After an error in one direction, the
 * result is this error. The error has also stopped the other direction, which then has the result
 * -ECANCELED. So the operation ends with -ECANCELED only if there is no other error. */
static int64_t result_of(const edo_relay *relay)
{
    int64_t first = relay->status[0], second = relay->status[1];
    if (relay->timed_out) return -ETIMEDOUT;
    if (first < 0 && first != -ECANCELED) return first;
    if (second < 0) return second;
    return first < 0 ? first : 0;
}

static void time_out(edo_relay *relay)
{
    relay->timed_out = true;
    for (unsigned i = 0; i < 2; i++)
        if (!relay->done[i]) edo__copier_stop(&relay->ways[i]);
}

static edo_poll both_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_relay *relay = op->object;
    bool begins = relay->user != op;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!edo__user_enters(&relay->user, op)) return edo__op_finish(op, cx, -EBUSY);
    if (begins) begin(relay, cx);
    bool is_done = go_on(relay, cx);
    if (!is_done && !relay->timed_out && is_idle_too_long(relay, cx)) {
        time_out(relay);
        is_done = go_on(relay, cx);
    }
    if (!is_done) return EDO_PENDING;
    return edo__user_ends(&relay->user, op, cx, result_of(relay));
}

edo_op edo_copy_both(edo_relay *relay)
{
    static const edo_future_ops ops = { .name = "edo_copy_both", .poll = both_poll };
    if (!relay || !relay->ways[0].from || !relay->ways[0].to) return edo__op_refuse(-EINVAL);
    return edo__op(&ops, relay, NULL, 0, 0);
}
