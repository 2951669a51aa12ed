/* Listeners, and the accept operation. */
#include "net/listener.h"

#include <edo/time.h>

#include "base/duration.h"
#include "io/io.h"
#include "net/address.h"
#include "net/unix.h"
#include "runtime/inspect/maker.h"
#include "sys/sys.h"

#define FIRST_PAUSE edo_ms(10) // default of first_pause
#define LAST_PAUSE  edo_s(1)   // default of last_pause

struct edo_listener {
    edo__source source;
    edo_atomic(int64_t) pause; // length of the last pause; ns; 0: none since the last connection
    edo__wait_list pausing;    // accept operations in a pause; guarded by the source's lock

    /* Lengths of the first pause after a shortage, and of the longest pause; ns. Each pause is
     * twice as long as the previous one. If first_pause is 0, an accept does not pause, and ends
     * with the error of the shortage. Guarded by the source's lock. */
    int64_t first_pause, last_pause;
    uint32_t conn_traits;     // traits of the accepted connections
    edo__listener_path *path; // path to remove at the close, or NULL
};

/* Resets a connection for which there is no memory, so that the peer gets an error. */
static void drop_connection(edo_fd fd)
{
    edo__socket_reset_at_close(fd);
    edo__sys_close(fd);
}

static void release(edo__source *source)
{
    edo_listener *listener = edo__container(source, edo_listener, source);
    edo__free_closed(listener, sizeof *listener);
}

static const edo__source_ops source_ops = { .release = release };

edo_listener *edo__listener_create(edo_fd fd, uint32_t conn_traits)
{
    edo_listener *listener = edo__alloc(sizeof *listener);
    if (!listener) return NULL;
    edo__source_init(&listener->source, fd,
                     EDO__SOURCE_SOCKET | EDO__SOURCE_LISTENER | EDO__SOURCE_SEVERAL, &source_ops);
    listener->pause = 0;
    listener->pausing = (edo__wait_list){ NULL };
    listener->first_pause = FIRST_PAUSE;
    listener->last_pause = LAST_PAUSE;
    listener->conn_traits = EDO__SOURCE_SOCKET | conn_traits;
    listener->path = NULL;
    edo__source_note_maker(&listener->source, "listener");
    return listener;
}

/* Traits of the connections that a listener accepts. Plain TCP connections get the trait MADE, like
 * connections that this library has made. MPTCP connections do not get MADE, because their read
 * calls behave differently. */
static uint32_t conn_traits_of(const edo__socket_kind *kind)
{
    if (kind->is_plain_tcp) return EDO__SOURCE_TCP | EDO__SOURCE_MADE;
    return kind->is_tcp ? EDO__SOURCE_TCP : edo__socket_type_traits(kind->type);
}

/* Wraps a listening socket of any kind. TCP options work only on TCP connections. */
int edo_listener_from_fd(edo_fd fd, edo_listener **ret_listener)
{
    edo__socket_kind kind;
    if (!ret_listener) return -EINVAL;
    int rc = edo__socket_describe(fd, &kind);
    if (rc < 0) return rc;
    if (!kind.listens) return -EINVAL;
    edo_listener *listener = edo__listener_create(fd, conn_traits_of(&kind));
    if (!listener) return -ENOMEM;
    listener->source.traits |= EDO__SOURCE_WRAPPED;
    *ret_listener = listener;
    return 0;
}

edo_fd edo_listener_fd(const edo_listener *listener)
{
    if (!listener) return -EINVAL;
    edo__source_check(&listener->source, "edo_listener_fd");
    return listener->source.fd;
}

int edo_listener_address(const edo_listener *listener, char *buffer, size_t size)
{
    if (!listener) return -EINVAL;
    edo__source_check(&listener->source, "edo_listener_address");
    int rc = edo__address_of_socket(listener->source.fd, false, buffer, size);
    return rc == -EAFNOSUPPORT ? edo__unix_address_of(listener->source.fd, false, buffer, size)
                               : rc;
}

/* ---- the end ---- */

void edo__listener_own_path(edo_listener *listener, edo__listener_path *path)
{
    listener->path = path;
}

static void forget_path(edo_listener *listener)
{
    if (listener->path) edo__free(listener->path, sizeof *listener->path + listener->path->size);
    listener->path = NULL;
}

void edo_unix_keep_path(edo_listener *listener)
{
    if (!listener) return;
    edo__source_check(&listener->source, "edo_unix_keep_path");
    forget_path(listener);
}

/* Removes the path while the socket still listens. Until the path is removed, a process that
 * replaces dead sockets finds this socket alive, and does not replace it. So no other socket can be
 * bound to the path between the check of the path's identity and the removal. */
static void remove_path(edo_listener *listener)
{
    const edo__listener_path *path = listener->path;
    if (path && path->generation == edo__sys_fork_generation())
        edo__local_remove(path->text, &path->id);
    forget_path(listener);
}

int edo_listener_set_pauses(edo_listener *listener, int64_t first, int64_t longest)
{
    if (!listener || first < 0 || longest < first) return -EINVAL;
    edo__source_check(&listener->source, "edo_listener_set_pauses");
    edo__lock_take(&listener->source.lock);
    listener->first_pause = first;
    listener->last_pause = longest;
    edo__lock_give(&listener->source.lock);
    return 0;
}

static void repoll_pausing(edo_listener *listener)
{
    edo__wakes wakes = { NULL, NULL };
    edo__lock_take(&listener->source.lock);
    edo__wait_repoll_all(&listener->pausing, &wakes);
    edo__lock_give(&listener->source.lock);
    edo__wakes_commit(&wakes);
}

/* Closes a listener. A claim keeps the listener in memory during the close. */
void edo_listener_close(edo_listener *listener)
{
    if (!listener) return;
    edo__source *source = &listener->source;
    edo__source_check_open(source, "edo_listener_close");
    remove_path(listener);
    int rc = edo__source_claim(source, EDO__SOURCE_WRITING);
    edo__source_close(source, "edo_listener_close");
    if (rc < 0) return;
    repoll_pausing(listener);
    edo__source_leave(source, EDO__SOURCE_WRITING);
}

/* ---- accepting ---- */

static bool is_shortage(int64_t error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

/* Whether an error belongs to a connection that broke while it was queued. The manual page of
 * accept(2) recommends a retry after most of these errors. */
static bool is_broken_connection(int64_t error)
{
    switch (-error) {
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: return true;
    default: return false;
    }
}

typedef struct EDO__OVERLAY accept_op {
    edo_future base;
    edo_listener *listener;
    edo_io **ret_conn;
    int64_t paused_until; // end of the pause; ns of the runtime's clock; 0: no pause
    uint64_t progress;
    edo__op_wait wait;
} accept_op;

EDO__OVERLAY_FITS(accept_op);

static accept_op *accept_of(const edo_op *op)
{
    return (accept_op *)(uintptr_t)op;
}

/* Sets the length of the next pause. After a connection, this is first_pause. After a pause, it is
 * twice the last length, at most last_pause. While other accepts are in a pause, the length remains
 * the same. Returns: whether this is the first pause since the last connection. Called under the
 * source's lock. */
static bool lengthen_pause(edo_listener *listener)
{
    int64_t pause = edo_load_relaxed(&listener->pause);
    if (pause && !edo__wait_list_is_empty(&listener->pausing)) return false;
    int64_t next = pause ? edo__later(pause, pause) : listener->first_pause;
    edo_store_relaxed(&listener->pause, next < listener->last_pause ? next : listener->last_pause);
    return !pause;
}

/* Begins a pause of an accept. Returns: false if the listener is set to make no pauses. */
static bool begin_pause(edo_listener *listener, edo_op *op, edo_wakeable *waker)
{
    int64_t error = op->base.result;
    edo__lock_take(&listener->source.lock);
    bool pauses = listener->first_pause, first = pauses && lengthen_pause(listener);
    if (pauses) {
        accept_of(op)->paused_until = edo__deadline_after(edo_load_relaxed(&listener->pause));
        edo__wait_enqueue(&listener->pausing, op, waker);
    }
    edo__lock_give(&listener->source.lock);
    if (first)
        edo__log(EDO_LOG_WARN, "edo_accept: %s; retrying after a pause", edo_strerror(error));
    return pauses;
}

static edo_poll leave(edo_listener *listener, edo_op *op, edo_cx *cx, int64_t result)
{
    if (op->detail & EDO__DETAIL_CLAIMED) edo__source_leave(&listener->source, EDO__SOURCE_READING);
    return edo__op_finish(op, cx, result);
}

/* Makes the stream of a new connection. Resets the connection if there is no memory for the
 * stream. */
static edo_poll take_connection(edo_listener *listener, edo_op *op, edo_cx *cx, edo_fd fd)
{
    edo_io *io = edo__fd_io_create(fd, listener->conn_traits);
    if (!io) {
        drop_connection(fd);
        return leave(listener, op, cx, -ENOMEM);
    }
    if (edo_load_relaxed(&listener->pause)) edo_store_relaxed(&listener->pause, 0);
    *accept_of(op)->ret_conn = io;
    return leave(listener, op, cx, 0);
}

static int enter(edo_listener *listener, edo_op *op, const edo_cx *cx)
{
    if (cx->fate != EDO_LIVE) return -ECANCELED;
    int rc = edo__source_claim(&listener->source, EDO__SOURCE_READING);
    if (rc == 0) op->detail |= EDO__DETAIL_CLAIMED;
    if (rc == -ECANCELED) edo__source_check(&listener->source, op->base.ops->name);
    return rc;
}

/* Whether the pause continues. This poll checks for CLOSED under the lock, with the operation in
 * the list. The closer sets CLOSED before it takes the lock and wakes the tasks of the operations
 * in the list. So either this poll finds CLOSED, or the closer comes later and wakes this
 * operation's task. */
static bool goes_on_pausing(edo_listener *listener, edo_op *op, const edo_cx *cx)
{
    edo__lock_take(&listener->source.lock);
    bool pauses = cx->fate == EDO_LIVE && cx->now < accept_of(op)->paused_until &&
                  !edo__source_is_closed(&listener->source);
    if (pauses)
        edo__wait_goes_on(op, cx->waker);
    else
        edo__wait_leave(&listener->pausing, op);
    edo__lock_give(&listener->source.lock);
    return pauses;
}

static bool is_pausing(edo_listener *listener, edo_op *op, edo_cx *cx)
{
    if (accept_of(op)->paused_until == 0) return false;
    if (goes_on_pausing(listener, op, cx)) {
        edo_cx_deadline(cx, accept_of(op)->paused_until);
        return true;
    }
    accept_of(op)->paused_until = 0;
    return false;
}

static edo_poll accept_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    edo_listener *listener = accept_of(op)->listener;
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!(op->detail & EDO__DETAIL_CLAIMED)) {
        int rc = enter(listener, op, cx);
        if (rc < 0) return leave(listener, op, cx, rc);
    }
    while (!is_pausing(listener, op, cx) &&
           edo__source_drive(&listener->source, op, cx) == EDO_READY) {
        int64_t result = op->base.result;
        if (result >= 0) return take_connection(listener, op, cx, (int)result);
        bool pauses = is_shortage(result) && begin_pause(listener, op, cx->waker);
        if (!pauses && !is_broken_connection(result)) return leave(listener, op, cx, result);
        edo__use_budget(cx);
        if (!edo__has_budget(cx)) break;
    }
    return EDO_PENDING;
}

static const edo_future_ops accept_ops = { .name = "edo_accept", .poll = accept_poll };

edo_op edo_accept(edo_listener *listener, edo_io **ret_conn)
{
    edo__check_memory("edo_accept", ret_conn, "output");
    if (!listener || !ret_conn) return edo__op_refuse(-EINVAL);
    return edo__op(&accept_ops, listener, ret_conn, 0, EDO__ACCEPT);
}
