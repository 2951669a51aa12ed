/* Streams of what other modules give: values of channels, connections, lines, ended members.
 *
 *     edo_op_source_of(struct job) jobs;                   // 144 bytes, in the frame
 *     ...
 *     edo_receiver_stream(&self->jobs, &self->rx);
 *     edo_for_each(rc, &self->jobs, &self->job) ...
 *
 * Each stream repeats one operation, and borrows the object of that operation: the owner closes the
 * receiver or the listener after the last use of the stream. The close of a receiver whose stream
 * was dropped in the middle ends the senders, as always.
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
#if EDO_HAS_STREAM
#include <edo/buffered.h>
#endif
#if EDO_HAS_NET
#include <edo/net.h>
#endif

EDO_BEGIN_DECLS

/* For operations that answer 0 with an item. */
static inline int64_t edo__answer_with_item(int64_t result)
{
    return result < 0 ? result : 1;
}

/* Members of a scope that have ended. The scope has the flag EDO_SCOPE_RESULTS. */
static inline edo_op edo__make_member(void *context, void *ret_item)
{
    return edo_scope_next((edo_scope *)context, (edo_member *)ret_item);
}
#define edo_scope_stream(s, scope)                                                                 \
    (edo__check_type(s, (edo_member *)0),                                                          \
     edo__op_source_init(&(s)->edo_impl, edo__make_member, NULL, (scope), edo__item_size(s)))

#if EDO_HAS_SYNC

static inline edo_op edo__make_recv(void *context, void *ret_item)
{
    return edo__recv((edo__channel *)context, ret_item, 1);
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
static inline int64_t edo__answer_broadcast(int64_t result)
{
    return result == EDO_LAGGED ? -EOVERFLOW : result;
}

/* Values of an mpsc or mpmc channel. */
#define edo_receiver_stream(s, rx)                                                                 \
    (edo__check_end(s, rx),                                                                        \
     edo__op_source_init(&(s)->edo_impl, edo__make_recv, NULL, (rx)->edo_rx, edo__item_size(s)))

/* The value of a oneshot, then the end. */
#define edo_oneshot_stream(s, rx)                                                                  \
    (edo__check_end(s, rx), (void)sizeof((rx)->edo_oneshot_rx),                                    \
     edo__op_source_init(&(s)->edo_impl, edo__make_oneshot, NULL, &(rx)->edo_core,                 \
                         edo__item_size(s)))

/* Values of a broadcast. -EOVERFLOW: edo_broadcast_missed() values were missed. */
#define edo_broadcast_stream(s, rx)                                                                \
    (edo__check_end(s, rx),                                                                        \
     edo__op_source_init(&(s)->edo_impl, edo__make_broadcast, edo__answer_broadcast,               \
                         &(rx)->edo_listening, edo__item_size(s)))

/* Values of a watch that the receiver has not seen. With edo_watch_mark_changed(rx) before, the
 * first item is the present value. */
#define edo_watch_stream(s, rx)                                                                    \
    (edo__check_end(s, rx), edo__op_source_init(&(s)->edo_impl, edo__make_watch, NULL,             \
                                                &(rx)->edo_watching, edo__item_size(s)))

#endif
#if EDO_HAS_STREAM

/* Lines of a reader, as edo_read_line(); a line is valid until the next edo_next(). */
static inline edo_op edo__make_line(void *context, void *ret_item)
{
    return edo_read_line((edo_reader *)context, (edo_slice *)ret_item);
}
#define edo_line_stream(s, reader)                                                                 \
    (edo__check_type(s, (edo_slice *)0),                                                           \
     edo__op_source_init(&(s)->edo_impl, edo__make_line, NULL, (reader), edo__item_size(s)))

#endif
#if EDO_HAS_NET

/* Connections of a listener, as edo_accept(). An error is an answer, not the end. */
static inline edo_op edo__make_accept(void *context, void *ret_item)
{
    return edo_accept((edo_listener *)context, (edo_io **)ret_item);
}
#define edo_listener_stream(s, listener)                                                           \
    (edo__check_type(s, (edo_io **)0),                                                             \
     edo__op_source_init(&(s)->edo_impl, edo__make_accept, edo__answer_with_item, (listener),      \
                         edo__item_size(s)))

#endif

EDO_END_DECLS
