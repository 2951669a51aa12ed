/* Streams over the objects of other modules: values of channels, ticks, connections, datagrams,
 * lines, entries of directories, file events, signals, ended members of scopes.
 *
 *     edo_op_source_of(struct job) jobs;                   // 152 bytes, in the frame
 *     ...
 *     edo_receiver_stream(&self->jobs, &self->rx);
 *     edo_for_each(rc, &self->jobs, &self->job) ...
 *
 * Each stream repeats one operation, and borrows the object of that operation: the receiver, the
 * listener or the directory. The owner of the object closes it after the last use of the stream,
 * even if the stream was dropped before its end.
 *
 * Thread: that of the task.
 */
#pragma once

#include <edo/features.h>

#include <edo/scope.h>
#include <edo/sequence.h>

#if EDO_HAS_SYNC
#include <edo/broadcast.h>
#include <edo/channels.h>
#include <edo/oneshot.h>
#include <edo/watch.h>
#endif
#if EDO_HAS_TIME
#include <edo/timers.h>
#endif
#if EDO_HAS_STREAM
#include <edo/buffered.h>
#endif
#if EDO_HAS_NET
#include <edo/net.h>
#include <edo/udp.h>
#endif
#if EDO_HAS_FS
#include <edo/dir.h>
#include <edo/watch_files.h>
#endif
#if EDO_HAS_PROCESS
#include <edo/signal.h>
#endif

EDO_BEGIN_DECLS

/* Converts the result of an operation that answers 0 with an item. */
static inline int64_t edo__answer_with_item(void *context, int64_t result, void *ret_item)
{
    (void)context;
    (void)ret_item;
    return result < 0 ? result : 1;
}

/* Makes a source with items of type T, from an object of type `type`. */
#define edo__source_of(s, T, make, answer, type, object)                                           \
    (edo__check_type(s, (T *)0), edo__check_pointer(type, object),                                 \
     edo__op_source_init(&(s)->edo_impl, make, answer, (object), edo__item_size(s)))
#define edo__check_pointer(type, object) ((void)sizeof((type *)0 == (object)))

/* Stream of the ended members of a scope. The scope must have the flag EDO_SCOPE_RESULTS. */
static inline edo_op edo__make_member(void *context, void *ret_item)
{
    return edo_scope_next((edo_scope *)context, (edo_member *)ret_item);
}
#define edo_scope_stream(s, scope)                                                                 \
    edo__source_of(s, edo_member, edo__make_member, NULL, edo_scope, scope)

#if EDO_HAS_SYNC

static inline edo_op edo__make_recv(void *context, void *ret_item)
{
    return edo__recv((edo__channel *)context, ret_item, 1);
}
static inline int64_t edo__now_recv(edo_cx *cx, void *context, void *ret_item)
{
    return edo__recv_now(cx, (edo__channel *)context, ret_item);
}
static inline edo_op edo__make_oneshot(void *context, void *ret_item)
{
    return edo__oneshot_recv((void **)context, ret_item);
}
static inline edo_op edo__make_broadcast(void *context, void *ret_item)
{
    return edo__broadcast_recv((edo__listening *)context, ret_item);
}
static inline edo_op edo__make_watch(void *context, void *ret_item)
{
    return edo__watch_recv((edo__watching *)context, ret_item);
}
static inline int64_t edo__answer_broadcast(void *context, int64_t result, void *ret_item)
{
    (void)context;
    (void)ret_item;
    return result == EDO_LAGGED ? -EOVERFLOW : result;
}

/* Stream of the values of an mpsc or mpmc channel. */
#define edo_receiver_stream(s, rx)                                                                 \
    (edo__check_end(s, rx),                                                                        \
     edo__op_source_init(&(s)->edo_impl, edo__make_recv, NULL, (rx)->edo_rx, edo__item_size(s)),   \
     (void)((s)->edo_impl.now = edo__now_recv))

/* Stream of one item, the value of a oneshot. */
#define edo_oneshot_stream(s, rx)                                                                  \
    (edo__check_end(s, rx), (void)sizeof((rx)->edo_oneshot_rx),                                    \
     edo__op_source_init(&(s)->edo_impl, edo__make_oneshot, NULL, &(rx)->edo_core,                 \
                         edo__item_size(s)))

/* Stream of the values of a broadcast. The answer -EOVERFLOW means that edo_broadcast_missed()
 * values were missed. */
#define edo_broadcast_stream(s, rx)                                                                \
    (edo__check_end(s, rx),                                                                        \
     edo__op_source_init(&(s)->edo_impl, edo__make_broadcast, edo__answer_broadcast,               \
                         &(rx)->edo_listening, edo__item_size(s)))

/* Stream of those values of a watch that the receiver has not seen. After
 * edo_watch_mark_changed(rx), the first item is the present value. */
#define edo_watch_stream(s, rx)                                                                    \
    (edo__check_end(s, rx), edo__op_source_init(&(s)->edo_impl, edo__make_watch, NULL,             \
                                                &(rx)->edo_watching, edo__item_size(s)))

#endif
#if EDO_HAS_TIME

/* Stream of the ticks of an interval. An item is the moment at which its tick was due. */
static inline edo_op edo__make_tick(void *context, void *ret_item)
{
    return edo_interval_next((edo_interval *)context, (int64_t *)ret_item);
}
#define edo_interval_stream(s, interval)                                                           \
    edo__source_of(s, int64_t, edo__make_tick, NULL, edo_interval, interval)

/* Stream of the items of a delay queue, as they become due, until the queue is closed and empty. */
static inline edo_op edo__make_due(void *context, void *ret_item)
{
    return edo_delay_queue_next((edo_delay_queue *)context, (edo_delay **)ret_item);
}
#define edo_delay_queue_stream(s, queue)                                                           \
    edo__source_of(s, edo_delay *, edo__make_due, NULL, edo_delay_queue, queue)

#endif
#if EDO_HAS_STREAM

/* Stream of the lines of a reader, as from edo_read_line(). A line is valid until the next
 * edo_next(). */
static inline edo_op edo__make_line(void *context, void *ret_item)
{
    return edo_read_line((edo_reader *)context, (edo_slice *)ret_item);
}
#define edo_line_stream(s, reader)                                                                 \
    edo__source_of(s, edo_slice, edo__make_line, NULL, edo_reader, reader)

#endif
#if EDO_HAS_NET

/* Stream of the connections of a listener of TCP or Unix sockets, as from edo_accept(). An error
 * does not end the stream. */
static inline edo_op edo__make_accept(void *context, void *ret_item)
{
    return edo_accept((edo_listener *)context, (edo_io **)ret_item);
}
#define edo_listener_stream(s, listener)                                                           \
    edo__source_of(s, edo_io *, edo__make_accept, edo__answer_with_item, edo_listener, listener)

typedef struct edo_datagram {
    edo_slice data; // may be empty; valid until the next edo_next()
    edo_address from;
} edo_datagram;

/* A socket, and memory for one datagram. */
typedef struct edo_datagram_inlet {
    edo_udp *socket;
    void *buffer;
    size_t size;
} edo_datagram_inlet;

static inline edo_op edo__make_datagram(void *context, void *ret_item)
{
    const edo_datagram_inlet *inlet = (const edo_datagram_inlet *)context;
    edo_address *from = &((edo_datagram *)ret_item)->from;
    return edo_udp_recv_from(inlet->socket, inlet->buffer, inlet->size, from);
}
static inline int64_t edo__answer_datagram(void *context, int64_t result, void *ret_item)
{
    edo_slice *data = &((edo_datagram *)ret_item)->data;
    if (result < 0) return result;
    data->data = ((const edo_datagram_inlet *)context)->buffer;
    data->size = (size_t)result;
    return 1;
}

/* Stream of the datagrams of a UDP socket, as from edo_udp_recv_from(), without end. An error does
 * not end the stream. If a datagram is longer than the memory, the answer is -EMSGSIZE. */
#define edo_datagram_stream(s, inlet)                                                              \
    edo__source_of(s, edo_datagram, edo__make_datagram, edo__answer_datagram, edo_datagram_inlet,  \
                   inlet)

#endif
#if EDO_HAS_FS

/* Stream of the entries of a directory, as from edo_dir_next(). A name is valid until the next
 * edo_next(). */
static inline edo_op edo__make_entry(void *context, void *ret_item)
{
    return edo_dir_next((edo_dir *)context, (edo_entry *)ret_item);
}
#define edo_dir_stream(s, dir) edo__source_of(s, edo_entry, edo__make_entry, NULL, edo_dir, dir)

/* Stream of the files of a tree, as from edo_walk_next(). */
static inline edo_op edo__make_walk(void *context, void *ret_item)
{
    return edo_walk_next((edo_walk *)context, (edo_walk_entry *)ret_item);
}
#define edo_walk_stream(s, walk)                                                                   \
    edo__source_of(s, edo_walk_entry, edo__make_walk, NULL, edo_walk, walk)

/* Stream of the events of a watcher, as from edo_watcher_next(), without end. */
static inline edo_op edo__make_file_event(void *context, void *ret_item)
{
    return edo_watcher_next((edo_watcher *)context, (edo_file_event *)ret_item);
}
#define edo_watcher_stream(s, watcher)                                                             \
    edo__source_of(s, edo_file_event, edo__make_file_event, NULL, edo_watcher, watcher)

#endif
#if EDO_HAS_PROCESS

/* Stream of the events of a signal, as from edo_signal_next(), without end. */
static inline edo_op edo__make_signal(void *context, void *ret_item)
{
    return edo_signal_next((edo_signal *)context, (edo_signal_event *)ret_item);
}
#define edo_signal_stream(s, signal)                                                               \
    edo__source_of(s, edo_signal_event, edo__make_signal, NULL, edo_signal, signal)

#endif

EDO_END_DECLS
