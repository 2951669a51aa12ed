/* Creation of Unix listeners.
 *
 * The replacement of a dead socket could race with other processes in two ways. First, the test
 * "does anybody listen?" and the removal both use the path, and another process may bind the path
 * between these two steps. Second, a socket that is bound but does not listen yet looks dead. So
 * with the option replace_stale, the whole sequence (examine, remove, bind, listen) runs under a
 * lock on the directory. The sequence makes no pause, so the lock is held for microseconds. */
#include <string.h>

#include "io/pause.h"
#include "net/listener.h"
#include "net/unix.h"
#include "sys/sockets.h"
#include "sys/sys.h"

enum { DEFAULT_BACKLOG = 1024 };

/* Flags in edo_op.detail. */
enum { UNLINK_AT_CLOSE = 1, REPLACE_STALE = 2, SEQPACKET = 4, CREDENTIALS = 8 };

typedef struct EDO__OVERLAY listen_op {
    edo_future base;
    const char *address;
    edo_listener **ret_listener;
    uint32_t owner_plus_1, group_plus_1;
    uint64_t progress;
    int64_t paused_until; // ns of the runtime's clock
    int32_t backlog;
    uint16_t mode;
    uint16_t pause; // ms; 0: no pause yet
    edo__op_state state;
} listen_op;

EDO__OVERLAY_FITS(listen_op);

static listen_op *listen_of(const edo_op *op)
{
    return (listen_op *)(uintptr_t)op;
}

static edo_unix_type type_of(const listen_op *op)
{
    return op->state.detail & SEQPACKET ? EDO_UNIX_SEQPACKET : EDO_UNIX_STREAM;
}

/* Records the path for its removal at the close of the listener. */
static int note_path(const edo_address *address, edo__listener_path **ret_path)
{
    char path[EDO__LOCAL_PATH_SIZE], absolute[EDO__LOCAL_ABSOLUTE_SIZE];
    edo__file_id id = { 0 };
    int rc = edo__local_path(address, path) ? edo__local_identify(path, &id) : -EINVAL;
    if (rc == 0) rc = edo__local_absolute(path, absolute);
    if (rc < 0) return rc;
    size_t size = strlen(absolute) + 1;
    edo__listener_path *noted = edo__alloc(sizeof *noted + size);
    if (!noted) return -ENOMEM;
    *noted = (edo__listener_path){ id, edo__sys_fork_generation(), size };
    memcpy(noted->text, absolute, size);
    *ret_path = noted;
    return 0;
}

/* Removes the path of a socket that was bound but cannot be used. */
static void undo_bind(const edo_address *address)
{
    char path[EDO__LOCAL_PATH_SIZE];
    edo__file_id id = { 0 };
    if (edo__local_path(address, path) && edo__local_identify(path, &id) == 0)
        edo__local_remove(path, &id);
}

/* Makes the listener of a bound socket. */
static int finish_listener(const listen_op *op, edo_fd fd, const edo_address *address,
                           bool owns_path)
{
    edo__listener_path *path = NULL;
    int rc = edo__socket_listen(fd, op->backlog);
    if (rc == 0 && owns_path) rc = note_path(address, &path);
    if (rc < 0) return rc;
    edo_listener *listener = edo__listener_create(
        fd, edo__unix_traits(type_of(op), op->state.detail & CREDENTIALS));
    if (!listener) {
        if (path) edo__free(path, sizeof *path + path->size);
        return -ENOMEM;
    }
    edo__listener_own_path(listener, path);
    *op->ret_listener = listener;
    return 0;
}

static int open_listener(const listen_op *op, const edo_address *address)
{
    char path[EDO__LOCAL_PATH_SIZE];
    edo__local_rights rights = { op->mode, op->owner_plus_1, op->group_plus_1 };
    edo_fd fd = edo__socket_make(EDO__FAMILY_UNIX, edo__unix_type(type_of(op)));
    if (fd < 0) return fd;
    int rc = edo__unix_prepare(fd, type_of(op), op->state.detail & CREDENTIALS);
    if (rc == 0) rc = edo__local_bind(fd, address, &rights);
    if (rc == 0) {
        bool owns_path = (op->state.detail & UNLINK_AT_CLOSE) && edo__local_path(address, path);
        rc = finish_listener(op, fd, address, owns_path);
        if (rc < 0) undo_bind(address);
    }
    if (rc < 0) edo__sys_close(fd);
    return rc;
}

/* Replaces a dead socket, and opens the listener. Called under the lock of the directory. */
static int replace_and_open(const listen_op *op, const edo_address *address, const char *path)
{
    edo__file_id id = { 0 };
    int rc = edo__local_is_stale(address);
    if (rc < 0 && rc != -ENOENT) return rc;
    if (rc == 0 && edo__local_identify(path, &id) == 0) edo__local_remove(path, &id);
    return open_listener(op, address);
}

/* Locks the directory, and opens the listener. Returns: as open_listener(); or -EAGAIN: another
 * process has locked the directory. */
static int open_locked(const listen_op *op, const edo_address *address, const char *path)
{
    edo_fd lock = edo__local_lock_directory(path);
    if (lock < 0) return lock;
    int rc = replace_and_open(op, address, path);
    edo__sys_close(lock);
    return rc;
}

static int try_open(const edo_op *op)
{
    edo_address address;
    char path[EDO__LOCAL_PATH_SIZE];
    int rc = edo__unix_parse(listen_of(op)->address, &address);
    if (rc < 0) return rc;
    bool locks = (op->detail & REPLACE_STALE) && edo__local_path(&address, path);
    return locks ? open_locked(listen_of(op), &address, path)
                 : open_listener(listen_of(op), &address);
}

static edo_poll listen_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
    listen_op *self = listen_of(op);
    if (edo__is_paused(cx, self->paused_until)) return EDO_PENDING;
    int rc = try_open(op);
    if (rc != -EAGAIN) return edo__op_finish(op, cx, rc);
    self->pause = (uint16_t)edo__pause(cx, self->pause, &self->paused_until);
    return EDO_PENDING;
}

static const edo_future_ops listen_ops = { .name = "edo_unix_listen", .poll = listen_poll };

edo_op edo_unix_listen_with(const char *address, edo_unix_listen_options options,
                            edo_listener **ret_listener)
{
    edo__check_memory("edo_unix_listen", address, "address");
    edo__check_memory("edo_unix_listen", ret_listener, "output");
    if (!ret_listener || (unsigned)options.type > EDO_UNIX_SEQPACKET)
        return edo__op_refuse(-EINVAL);
    uint32_t detail = (options.unlink_at_close ? UNLINK_AT_CLOSE : 0u) |
                      (options.replace_stale ? REPLACE_STALE : 0u) |
                      (options.type == EDO_UNIX_SEQPACKET ? SEQPACKET : 0u) |
                      (options.credentials ? CREDENTIALS : 0u);
    edo_op op = edo__op(&listen_ops, NULL, NULL, 0, detail);
    listen_op *self = listen_of(&op);
    self->address = address;
    self->ret_listener = ret_listener;
    self->owner_plus_1 = options.owner_plus_1;
    self->group_plus_1 = options.group_plus_1;
    self->backlog = options.backlog > 0 ? options.backlog : DEFAULT_BACKLOG;
    self->mode = (uint16_t)options.mode;
    self->paused_until = 0;
    self->pause = 0;
    return op;
}

edo_op edo_unix_listen(const char *address, edo_listener **ret_listener)
{
    return edo_unix_listen_with(address, (edo_unix_listen_options){ 0 }, ret_listener);
}
