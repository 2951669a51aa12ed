/* Channels, oneshots, watches, broadcasts: values against ends, cancellations and each other.
 *
 * model-sources: @runtime sync/channel.c sync/channel_ends.c sync/send.c sync/recv.c
 * model-sources: sync/oneshot.c sync/hub.c sync/watch.c sync/broadcast.c
 */
#include <string.h>

#include "model/fake_sys.h"
#include "runtime/schedule/wait.h"

#include <edo/sync.h>

typedef edo_sender(uint64_t) word_sender;
typedef edo_receiver(uint64_t) word_receiver;
typedef edo_permits(uint64_t) word_permits;
typedef edo_weak_sender(uint64_t) word_weak;

static struct {
    edo_runtime *runtime;
    word_sender in, second;
    word_receiver out, other;
    word_permits permits;
    word_weak weak;
    edo_task *first_task, *second_task;
    uint64_t dropped;
    int64_t rc, other_rc; // of threads
    int sends, receives;  // of tasks, that have succeeded
    int cancelled, ended; // the rest
    uint64_t sum;         // of the values that tasks received
    int closings;         // written by the receiver of a oneshot before it closes
} * s;

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
}

static void add_dropped(void *value, void *context)
{
    (void)context;
    s->dropped += *(uint64_t *)value;
}

static void make(int kind, size_t capacity)
{
    set_up();
    edo_channel_options options = { .capacity = capacity, .drop = add_dropped };
    int rc = kind == EDO__MPSC ? edo_mpsc_create_with(&s->in, &s->out, &options)
                               : edo_mpmc_create_with(&s->in, &s->out, &options);
    model_assert(rc == 0);
}

static void put(uint64_t value)
{
    int rc = edo_try_send(&s->in, &value);
    model_assert(rc == 0);
}

/* Returns: the value; 0: there is none. */
static uint64_t get(void)
{
    uint64_t value = 0;
    int64_t rc = edo_try_recv(&s->out, &value);
    model_assert(rc <= 1 && (rc == 1) == (value != 0));
    return value;
}

static void close_all(void)
{
    edo_sender_close(&s->in);
    edo_sender_close(&s->second);
    edo_receiver_close(&s->out);
    edo_receiver_close(&s->other);
}

/* ---- threads ---- */

THREAD(send_one)
{
    uint64_t one = 1;
    s->rc = edo_try_send(&s->in, &one);
}

THREAD(send_two)
{
    uint64_t two = 2;
    s->other_rc = edo_try_send(&s->in, &two);
}

THREAD(send_three_values)
{
    uint64_t values[] = { 1, 2, 3 };
    s->rc = edo_try_send_many(&s->in, values, 3);
}

THREAD(receive_one)
{
    uint64_t value = 0;
    s->rc = edo_try_recv(&s->out, &value);
    s->sum += s->rc == 1 ? value : 0;
}

THREAD(receive_two)
{
    for (int i = 0; i < 2; i++) {
        uint64_t value = 0;
        if (edo_try_recv(&s->out, &value) == 1) s->sum += value;
    }
}

THREAD(close_sender)
{
    edo_sender_close(&s->in);
}

THREAD(close_receiver)
{
    edo_receiver_close(&s->out);
}

THREAD(shut_down)
{
    edo_receiver_shutdown(&s->out);
}

THREAD(release_permits)
{
    edo_permits_release(&s->permits);
}

THREAD(send_by_permit)
{
    uint64_t five = 5;
    s->rc = edo_permits_send(&s->permits, &five);
}

THREAD(cancel_first)
{
    edo_task_cancel(s->first_task);
}

THREAD(upgrade)
{
    s->rc = edo_sender_upgrade(&s->weak, &s->second);
}

/* ---- tasks ---- */

struct sends {
    edo_frame();
    edo_args(uint64_t value;);
};

edo_async(sends)
{
    edo_body {
        int rc;
        edo_await(rc, edo_send(&s->in, &self->value));
        if (rc == 0) s->sends++;
        if (rc == -ECANCELED) s->cancelled++;
        if (rc == -EPIPE) s->ended++;
        edo_return(0);
    }
}

struct receives {
    edo_frame();
    edo_args(const word_receiver *out;);
    uint64_t value;
};

edo_async(receives)
{
    edo_body {
        int rc;
        edo_await(rc, edo_recv(self->out, &self->value));
        if (rc == 1) {
            s->receives++;
            s->sum += self->value;
        }
        if (rc == -ECANCELED) s->cancelled++;
        if (rc == 0) s->ended++;
        edo_return(0);
    }
}

struct reserves {
    edo_frame();
    edo_args(size_t count;);
};

edo_async(reserves)
{
    edo_body {
        int rc;
        edo_await(rc, edo_reserve(&s->in, &s->permits, self->count));
        if (rc == 0) s->sends++;
        if (rc == -ECANCELED) s->cancelled++;
        if (rc == -EPIPE) s->ended++;
        edo_permits_release(&s->permits);
        edo_return(0);
    }
}

struct sees_close {
    edo_frame();
    edo_args();
};

edo_async(sees_close)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sender_closed(&s->in));
        if (rc == 0) s->ended++;
        edo_return(0);
    }
}

#define spawn(ret_task, ...)                                                                       \
    do {                                                                                           \
        if (!s->runtime) s->runtime = fake_runtime_create();                                       \
        edo_spawn_options here_ = { .runtime = s->runtime };                                       \
        int rc_ = edo_spawn_with((ret_task), &here_, __VA_ARGS__);                                 \
        model_assert(rc_ == 0);                                                                    \
    } while (0)

/* Lets all tasks begin to wait. */
static void settle(void)
{
    while (edo_turn(s->runtime, 0) > 0)
        continue;
}

static void run_out(void)
{
    edo_detach(s->first_task);
    edo_detach(s->second_task);
    while (edo_runtime_task_count(s->runtime))
        edo_turn(s->runtime, EDO_NEVER);
    model_assert(edo_runtime_destroy(s->runtime) == 0);
}

/* ---- values ---- */

MODEL(channel_try_never_wrongly_empty,
      "a send that has returned is received, others being under way")
{
    make(EDO__MPSC, 0);
    int one = model_start(send_one, NULL), two = model_start(send_two, NULL);
    model_join(one);
    model_assert(s->rc == 0);
    uint64_t first = get();
    model_assert(first != 0);
    model_join(two);
    model_assert(first + get() == 3 && get() == 0);
    close_all();
}

MODEL(channel_slot_reused,
      "a slot is filled anew only after the receiver has read it without the lock")
{
    make(EDO__MPSC, 2);
    put(3);
    put(4);
    model_assert(get() == 3); // claims the other
    put(5);
    int one = model_start(send_one, NULL);
    model_assert(get() == 4);
    model_join(one);
    model_assert(get() == 5);
    model_assert(get() == (s->rc == 0 ? 1 : 0));
    close_all();
}

MODEL(channel_blocks, "values cross the ends of blocks, which are freed or used again")
{
    make(EDO__MPSC, 0);
    put(9);
    int one = model_start(send_three_values, NULL);
    uint64_t expected[] = { 9, 1, 2, 3 };
    int at = 0;
    for (int i = 0; i < 3; i++)
        if (at < 4 && get() == expected[at]) at++;
    model_join(one);
    model_assert(s->rc == 3);
    while (at < 4)
        model_assert(get() == expected[at++]);
    model_assert(get() == 0);
    close_all();
}

MODEL(channel_blocks_shared, "the same with two receivers")
{
    make(EDO__MPMC, 0);
    put(10);
    put(20);
    put(30);
    int other = model_start(receive_two, NULL);
    uint64_t mine = get();
    mine += get();
    model_join(other);
    mine += get();
    model_assert(mine + s->sum == 60 && get() == 0);
    close_all();
}

MODEL(channel_length, "the length is that of a moment")
{
    make(EDO__MPSC, 2);
    put(3);
    int one = model_start(send_one, NULL);
    size_t before = edo_receiver_stats(&s->out).length;
    model_assert(before == 1 || before == 2);
    model_assert(get() == 3);
    model_assert(edo_receiver_stats(&s->out).length <= 1);
    model_join(one);
    model_assert(edo_receiver_stats(&s->out).length == 1);
    model_assert(edo_receiver_stats(&s->out).places == 1);
    close_all();
}

/* ---- waiting ---- */

MODEL(channel_receive_against_send, "a receive that is about to wait is woken")
{
    make(EDO__MPSC, 2);
    spawn(&s->first_task, receives, .out = &s->out);
    int one = model_start(send_one, NULL);
    run_out();
    model_join(one);
    model_assert(s->receives == 1 && s->sum == 1);
    close_all();
}

MODEL(channel_send_against_take,
      "a sender that is about to wait sees a take without the lock, or is woken")
{
    make(EDO__MPSC, 2);
    put(3);
    put(4);
    model_assert(get() == 3); // claims the other
    put(5);
    spawn(&s->first_task, sends, .value = 6);
    int taker = model_start(receive_one, NULL);
    run_out();
    model_join(taker);
    model_assert(s->sum == 4 && s->sends == 1);
    model_assert(get() == 5 && get() == 6 && get() == 0);
    close_all();
}

MODEL(channel_two_senders_wait, "each place that is freed serves one of those that wait")
{
    make(EDO__MPSC, 1);
    put(1);
    spawn(&s->first_task, sends, .value = 2);
    spawn(&s->second_task, sends, .value = 4);
    settle();
    int taker = model_start(receive_two, NULL);
    while (!(edo_task_is_done(s->first_task) && (s->sum > 1 || edo_task_is_done(s->second_task)))) {
        if (edo_turn(s->runtime, 0) > 0) continue;
        if (edo_task_is_done(s->first_task)) break;
        edo_turn(s->runtime, EDO_NEVER);
    }
    model_join(taker);
    uint64_t sum = s->sum;
    while (sum < 7) {
        settle();
        uint64_t value = get();
        model_assert(value);
        sum += value;
    }
    run_out();
    model_assert(s->sends == 2);
    close_all();
}

MODEL(channel_cancel_receive, "a cancelled receive has taken nothing, whatever is sent meanwhile")
{
    make(EDO__MPSC, 1);
    spawn(&s->first_task, receives, .out = &s->out);
    settle();
    int one = model_start(send_one, NULL);
    int canceller = model_start(cancel_first, NULL);
    while (!edo_task_is_done(s->first_task))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(one);
    model_join(canceller);
    model_assert(s->receives + s->cancelled == 1);
    model_assert(s->rc == 0 && s->sum + get() == 1);
    run_out();
    close_all();
}

MODEL(channel_cancel_passes_wake, "a cancelled receiver passes its wake on")
{
    make(EDO__MPMC, 1);
    spawn(&s->first_task, receives, .out = &s->out);
    spawn(&s->second_task, receives, .out = &s->out);
    settle();
    int one = model_start(send_one, NULL);
    int canceller = model_start(cancel_first, NULL);
    while (s->receives == 0)
        edo_turn(s->runtime, EDO_NEVER);
    model_join(one);
    model_join(canceller);
    model_assert(s->receives == 1 && s->sum == 1);
    edo_sender_close(&s->in);
    run_out();
    model_assert(s->cancelled + s->ended == 1);
    close_all();
}

MODEL(channel_cancel_passes_place,
      "a cancelled sender passes its place on, and its value is not sent")
{
    make(EDO__MPSC, 1);
    put(1);
    spawn(&s->first_task, sends, .value = 2);
    spawn(&s->second_task, sends, .value = 4);
    settle();
    int taker = model_start(receive_one, NULL);
    int canceller = model_start(cancel_first, NULL);
    while (!edo_task_is_done(s->first_task))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(taker);
    model_join(canceller);
    settle();
    model_assert(s->sum == 1);
    model_assert(get() == (s->cancelled ? 4 : 2));
    if (!s->cancelled) {
        settle();
        model_assert(get() == 4);
    }
    run_out();
    model_assert(s->sends + s->cancelled == 2 && get() == 0);
    close_all();
}

MODEL(channel_cancel_big_reserve, "a cancelled reserve of many lets the next go")
{
    make(EDO__MPSC, 2);
    put(1);
    spawn(&s->first_task, reserves, .count = 2);
    spawn(&s->second_task, sends, .value = 4);
    settle();
    int canceller = model_start(cancel_first, NULL);
    int taker = model_start(receive_one, NULL);
    while (!edo_task_is_done(s->first_task) || !edo_task_is_done(s->second_task))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(canceller);
    model_join(taker);
    run_out();
    model_assert(s->sum == 1 && get() == 4 && get() == 0);
    model_assert(edo_sender_stats(&s->in).places == 2);
    close_all();
}

/* ---- ends ---- */

MODEL(channel_close_against_receive, "a receive that is about to wait sees the last sender's close")
{
    make(EDO__MPSC, 1);
    spawn(&s->first_task, receives, .out = &s->out);
    int closer = model_start(close_sender, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1);
    close_all();
}

MODEL(channel_close_behind_value, "what was sent before the close is received first")
{
    make(EDO__MPSC, 1);
    put(1);
    int closer = model_start(close_sender, NULL);
    uint64_t value = 0;
    model_assert(edo_try_recv(&s->out, &value) == 1);
    int64_t rc = edo_try_recv(&s->out, &value);
    model_assert(rc == 0 || rc == -EAGAIN);
    model_join(closer);
    model_assert(edo_try_recv(&s->out, &value) == 0);
    close_all();
}

MODEL(channel_end_wakes_all, "the end wakes all receivers, also with a value left")
{
    make(EDO__MPMC, 1);
    spawn(&s->first_task, receives, .out = &s->out);
    spawn(&s->second_task, receives, .out = &s->out);
    settle();
    put(1);
    int closer = model_start(close_sender, NULL);
    run_out();
    model_join(closer);
    model_assert(s->receives == 1 && s->ended == 1);
    close_all();
}

MODEL(channel_send_against_close, "a value is dropped by the channel, or is still the caller's")
{
    make(EDO__MPSC, 1);
    int closer = model_start(close_receiver, NULL);
    uint64_t value = 7;
    int rc = edo_try_send(&s->in, &value);
    model_assert(rc == 0 || rc == -EPIPE);
    model_join(closer);
    model_assert(s->dropped == (rc == 0 ? 7 : 0));
    close_all();
}

MODEL(channel_close_against_waiting_send, "a waiting sender is answered by the receiver's close")
{
    make(EDO__MPSC, 1);
    put(1);
    spawn(&s->first_task, sends, .value = 2);
    int closer = model_start(close_receiver, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1 && s->dropped == 1);
    close_all();
}

/* In place of a drop function that takes long. */
static void expect_woken(void *value, void *context)
{
    add_dropped(value, context);
    model_assert(edo__worker_has_work(s->runtime->workers[0]));
}

MODEL(channel_close_wakes_before_drop,
      "the same before the values are dropped, which may take long")
{
    set_up();
    edo_channel_options options = { .capacity = 1, .drop = expect_woken };
    model_assert(edo_mpsc_create_with(&s->in, &s->out, &options) == 0);
    put(1);
    spawn(&s->first_task, sends, .value = 2);
    settle();
    edo_receiver_close(&s->out);
    run_out();
    model_assert(s->ended == 1 && s->dropped == 1);
    edo_sender_close(&s->in);
}

MODEL(channel_shutdown_against_served_send,
      "a sender that was served before a shutdown sends; no other")
{
    make(EDO__MPSC, 1);
    put(1);
    spawn(&s->first_task, sends, .value = 2);
    settle();
    model_assert(get() == 1); // serves it
    int closer = model_start(shut_down, NULL);
    run_out();
    model_join(closer);
    model_assert(s->sends == 1 && get() == 2);
    uint64_t value;
    model_assert(edo_try_recv(&s->out, &value) == 0);
    close_all();
}

MODEL(channel_shutdown_wakes, "a shutdown wakes a receiver and a sender that wait, or are about to")
{
    make(EDO__MPSC, 1);
    spawn(&s->first_task, receives, .out = &s->out);
    spawn(&s->second_task, sees_close);
    int closer = model_start(shut_down, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 2);
    close_all();
}

MODEL(channel_last_permit,
      "the last permit that is given back wakes the receiver of a closed channel")
{
    make(EDO__MPSC, 2);
    model_assert(edo_try_reserve(&s->in, &s->permits, 2) == 0);
    edo_sender_close(&s->in);
    spawn(&s->first_task, receives, .out = &s->out);
    int releaser = model_start(release_permits, NULL);
    run_out();
    model_join(releaser);
    model_assert(s->ended == 1);
    close_all();
}

MODEL(channel_permit_against_shutdown,
      "a permit is good after a shutdown, and its value is received")
{
    make(EDO__MPSC, 1);
    model_assert(edo_try_reserve(&s->in, &s->permits, 1) == 0);
    spawn(&s->first_task, receives, .out = &s->out);
    int sender = model_start(send_by_permit, NULL);
    edo_receiver_shutdown(&s->out);
    run_out();
    model_join(sender);
    model_assert(s->rc == 0 && s->receives == 1 && s->sum == 5);
    close_all();
}

MODEL(channel_permit_ends_it_for_all,
      "the last permit's value is for one receiver, the end for the others")
{
    make(EDO__MPMC, 1);
    model_assert(edo_try_reserve(&s->in, &s->permits, 1) == 0);
    edo_sender_close(&s->in);
    spawn(&s->first_task, receives, .out = &s->out);
    spawn(&s->second_task, receives, .out = &s->out);
    int sender = model_start(send_by_permit, NULL);
    run_out();
    model_join(sender);
    model_assert(s->receives == 1 && s->ended == 1);
    close_all();
}

MODEL(channel_permit_against_close, "a permit without a receiver leaves the value with the caller")
{
    make(EDO__MPSC, 1);
    model_assert(edo_try_reserve(&s->in, &s->permits, 1) == 0);
    int sender = model_start(send_by_permit, NULL);
    edo_receiver_close(&s->out);
    model_join(sender);
    model_assert(s->dropped == (s->rc == 0 ? 5 : 0));
    model_assert(s->rc == 0 || s->rc == -EPIPE);
    close_all();
}

MODEL(channel_ends_go_together, "whichever end goes last frees the channel")
{
    make(EDO__MPSC, 1);
    put(3);
    int closer = model_start(close_receiver, NULL);
    edo_sender_close(&s->in);
    model_join(closer);
    model_assert(s->dropped == 3);
}

MODEL(channel_upgrade_against_close, "a weak sender becomes one, or the channel is over")
{
    make(EDO__MPSC, 1);
    edo_sender_downgrade(&s->in, &s->weak);
    int upgrader = model_start(upgrade, NULL);
    edo_sender_close(&s->in);
    model_join(upgrader);
    uint64_t value;
    model_assert(edo_try_recv(&s->out, &value) == (s->rc == 0 ? -EAGAIN : 0));
    edo_weak_sender_close(&s->weak);
    close_all();
}

MODEL(channel_sender_sees_close, "a sender that waits for the close is woken by it")
{
    make(EDO__MPSC, 1);
    spawn(&s->first_task, sees_close);
    int closer = model_start(close_receiver, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1);
    close_all();
}

/* ---- oneshot ---- */

typedef edo_oneshot_sender(uint64_t) word_reply;
typedef edo_oneshot_receiver(uint64_t) word_answer;

static struct {
    word_reply in;
    word_answer out;
} * o;

static void make_oneshot(void)
{
    set_up();
    o = model_alloc_static(sizeof *o);
    memset(o, 0, sizeof *o);
    model_assert(edo_oneshot_create_with(&o->in, &o->out, add_dropped, NULL) == 0);
}

THREAD(reply)
{
    uint64_t seven = 7;
    s->rc = edo_oneshot_send(&o->in, &seven);
}

THREAD(reply_nothing)
{
    edo_oneshot_sender_close(&o->in);
}

THREAD(close_answer)
{
    edo_plain_write(&s->closings);
    s->closings = 1;
    edo_oneshot_receiver_close(&o->out);
}

THREAD(shut_answer)
{
    edo_plain_write(&s->closings);
    s->closings = 1;
    edo_oneshot_receiver_shutdown(&o->out);
    edo_oneshot_receiver_close(&o->out);
}

struct answered {
    edo_frame();
    edo_args();
    uint64_t value;
};

edo_async(answered)
{
    edo_body {
        int rc;
        edo_await(rc, edo_oneshot_recv(&o->out, &self->value));
        if (rc == 1) s->sum += self->value;
        if (rc == 1) s->receives++;
        if (rc == 0) s->ended++;
        if (rc == -ECANCELED) s->cancelled++;
        edo_return(0);
    }
}

struct sees_closed_answer {
    edo_frame();
    edo_args();
};

edo_async(sees_closed_answer)
{
    edo_body {
        int rc;
        edo_await(rc, edo_oneshot_closed(&o->in));
        if (rc == 0) {
            edo_plain_read(&s->closings); // what came before the close
            model_assert(s->closings == 1);
            s->ended++;
        }
        if (rc == -ECANCELED) s->cancelled++;
        edo_oneshot_sender_close(&o->in);
        edo_return(0);
    }
}

MODEL(oneshot_send_against_receive,
      "a receive that is about to wait gets the value; the memory goes")
{
    make_oneshot();
    spawn(&s->first_task, answered);
    int sender = model_start(reply, NULL);
    run_out();
    model_join(sender);
    model_assert(s->rc == 0 && s->receives == 1 && s->sum == 7);
}

MODEL(oneshot_close_against_receive,
      "a receive that is about to wait sees the close; the memory goes")
{
    make_oneshot();
    spawn(&s->first_task, answered);
    int sender = model_start(reply_nothing, NULL);
    run_out();
    model_join(sender);
    model_assert(s->ended == 1);
}

MODEL(oneshot_cancel_against_send, "a cancelled receive leaves the value")
{
    make_oneshot();
    spawn(&s->first_task, answered);
    settle();
    int sender = model_start(reply, NULL);
    int canceller = model_start(cancel_first, NULL);
    while (!edo_task_is_done(s->first_task))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(canceller);
    model_assert(s->receives + s->cancelled == 1);
    edo_oneshot_receiver_close(&o->out);
    model_join(sender);
    run_out();
    model_assert(s->rc == 0 || s->rc == -EPIPE);
    model_assert(s->sum + s->dropped == (s->rc == 0 ? 7 : 0));
}

MODEL(oneshot_send_against_shutdown, "a value is received, or is still the caller's")
{
    make_oneshot();
    int sender = model_start(reply, NULL);
    uint64_t value = 0;
    edo_oneshot_receiver_shutdown(&o->out);
    int64_t rc = edo_oneshot_try_recv(&o->out, &value);
    model_join(sender);
    model_assert(rc == 0 || rc == 1);
    model_assert((rc == 1) == (s->rc == 0) && (rc == 0 || value == 7));
}

MODEL(oneshot_send_against_close, "a value is dropped by the oneshot, or is still the caller's")
{
    make_oneshot();
    int sender = model_start(reply, NULL);
    edo_oneshot_receiver_close(&o->out);
    model_join(sender);
    model_assert(s->dropped == (s->rc == 0 ? 7 : 0));
}

MODEL(oneshot_try_against_send, "a try gets the whole value, or none yet")
{
    make_oneshot();
    int sender = model_start(reply, NULL);
    uint64_t value = 0;
    int64_t rc = edo_oneshot_try_recv(&o->out, &value);
    model_assert(rc == -EAGAIN || (rc == 1 && value == 7));
    model_join(sender);
    if (rc == -EAGAIN) model_assert(edo_oneshot_try_recv(&o->out, &value) == 1 && value == 7);
}

MODEL(oneshot_looks_at_close,
      "what the receiver did before its close is seen behind the look that finds it")
{
    make_oneshot();
    int closer = model_start(close_answer, NULL);
    if (edo_oneshot_is_closed(&o->in)) {
        edo_plain_read(&s->closings);
        model_assert(s->closings == 1);
    }
    model_join(closer);
    edo_oneshot_sender_close(&o->in);
}

/* Polls an operation once, for another task to go on with, and stays until it is woken. */
struct begins {
    edo_frame();
    edo_args(edo_op *op;);
};

static edo_poll begins_poll(edo_future *future, edo_cx *cx)
{
    struct begins *self = (struct begins *)(void *)future;
    edo_op *op = self->op;
    self->op = NULL;
    if (op) return edo_poll_future(&op->base, cx); // pending: nothing was sent yet
    future->result = 0;
    return EDO_READY;
}

POLLED(begins);

struct goes_on {
    edo_frame();
    edo_args(edo_op *op;);
};

edo_async(goes_on)
{
    edo_body {
        int rc;
        edo_await_on(rc, &self->op->base);
        s->ended += rc == 1;
        edo_return(0);
    }
}

MODEL(oneshot_changes_task, "an operation that another task goes on with wakes that one")
{
    make_oneshot();
    static edo_op *op;
    static uint64_t *value;
    op = model_alloc_static(sizeof *op);
    value = model_alloc_static(sizeof *value);
    *op = edo_oneshot_recv(&o->out, value);
    spawn(&s->first_task, begins, .op = op);
    settle();
    spawn(&s->second_task, goes_on, .op = op);
    int sender = model_start(reply, NULL);
    while (!edo_task_is_done(s->second_task))
        edo_turn(s->runtime, EDO_NEVER);
    model_join(sender);
    edo_task_cancel(s->first_task);
    run_out();
    model_assert(s->rc == 0 && s->ended == 1 && *value == 7);
}

MODEL(oneshot_ends_go_together, "whichever end goes last frees the oneshot")
{
    make_oneshot();
    int closer = model_start(close_answer, NULL);
    edo_oneshot_sender_close(&o->in);
    model_join(closer);
}

MODEL(oneshot_sender_sees_close, "a sender that waits for the close is woken, and may go at once")
{
    make_oneshot();
    spawn(&s->first_task, sees_closed_answer);
    int closer = model_start(model_choose(2) ? close_answer : shut_answer, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1);
}

MODEL(oneshot_sender_cancelled_at_close, "a cancelled wait for the close leaves nothing behind")
{
    make_oneshot();
    spawn(&s->first_task, sees_closed_answer);
    settle();
    int closer = model_start(close_answer, NULL);
    edo_task_cancel(s->first_task);
    run_out();
    model_join(closer);
    model_assert(s->ended + s->cancelled == 1);
}

/* ---- watch ---- */

typedef edo_watch_sender(uint64_t) word_watched;
typedef edo_watch_receiver(uint64_t) word_watcher;

static struct {
    word_watched in, second;
    word_watcher out, other;
} * w;

static void make_watch(void)
{
    set_up();
    w = model_alloc_static(sizeof *w);
    memset(w, 0, sizeof *w);
    uint64_t one = 1;
    model_assert(edo_watch_create(&w->in, &w->out, &one) == 0);
}

static void close_watch(void)
{
    edo_watch_sender_close(&w->in);
    edo_watch_sender_close(&w->second);
    edo_watch_receiver_close(&w->out);
    edo_watch_receiver_close(&w->other);
}

THREAD(store_two_and_three)
{
    uint64_t value = 2;
    edo_watch_send(&w->in, &value);
    value = 3;
    edo_watch_send(&w->in, &value);
}

THREAD(store_and_close)
{
    uint64_t value = 2;
    edo_watch_send(&w->in, &value);
    edo_watch_sender_close(&w->in);
}

THREAD(close_second_watched)
{
    edo_watch_sender_close(&w->second);
}

THREAD(close_watcher)
{
    edo_watch_receiver_close(&w->out);
}

THREAD(store_if_first)
{
    uint64_t value = 5;
    s->rc = edo_watch_send_if(&w->in, &value, 1);
}

struct watches {
    edo_frame();
    edo_args(word_watcher *out; uint64_t until;);
    uint64_t value;
};

edo_async(watches)
{
    edo_body {
        int rc;
        for (self->value = 0; self->value < self->until;) {
            edo_await_watch(rc, self->out, &self->value);
            if (rc == 0) s->ended++;
            if (rc == -ECANCELED) s->cancelled++;
            if (rc != 1) break;
            s->receives++;
        }
        s->sum += self->value;
        edo_return(0);
    }
}

struct sees_no_watcher {
    edo_frame();
    edo_args();
};

edo_async(sees_no_watcher)
{
    edo_body {
        int rc;
        edo_await(rc, edo_watch_closed(&w->in));
        if (rc == 0) s->ended++;
        if (rc == -ECANCELED) s->cancelled++;
        edo_return(0);
    }
}

MODEL(watch_sees_the_last, "a receiver skips values, never the last one")
{
    make_watch();
    spawn(&s->first_task, watches, .out = &w->out, .until = 3);
    int sender = model_start(store_two_and_three, NULL);
    run_out();
    model_join(sender);
    model_assert(s->sum == 3 && s->receives <= 2 && s->receives >= 1);
    close_watch();
}

MODEL(watch_value_before_end, "the last value is received before the end")
{
    make_watch();
    spawn(&s->first_task, watches, .out = &w->out, .until = 9);
    int sender = model_start(store_and_close, NULL);
    run_out();
    model_join(sender);
    model_assert(s->receives == 1 && s->ended == 1);
    close_watch();
}

MODEL(watch_two_senders_close, "of two senders the last one ends it")
{
    make_watch();
    w->second = (word_watched)edo_watch_sender_clone(&w->in);
    spawn(&s->first_task, watches, .out = &w->out, .until = 9);
    int closer = model_start(close_second_watched, NULL);
    edo_watch_sender_close(&w->in);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1);
    close_watch();
}

MODEL(watch_one_store_wins, "of two stores for one version one wins")
{
    make_watch();
    int other = model_start(store_if_first, NULL);
    uint64_t value = 4;
    int64_t rc = edo_watch_send_if(&w->in, &value, 1);
    model_join(other);
    model_assert((rc == -EAGAIN) != (s->rc == -EAGAIN));
    edo_watch_get(&w->out, &value);
    model_assert(value == (rc == -EAGAIN ? 5 : 4));
    close_watch();
}

THREAD(exchange_ten)
{
    uint64_t value = 10;
    edo_watch_exchange(&w->in, &value);
    s->sum += value;
}

MODEL(watch_exchange, "of two exchanges each answers what was there, and no value is lost")
{
    make_watch();
    int other = model_start(exchange_ten, NULL);
    uint64_t value = 20, last = 0;
    edo_watch_exchange(&w->in, &value);
    edo_watch_peek(&w->out, &last);
    model_assert(last == 10 || last == 20);
    model_join(other);
    edo_watch_get(&w->out, &last);
    model_assert(s->sum + value + last == 31);
    close_watch();
}

MODEL(watch_exchange_wakes, "an exchange, and a store for a version, wake a receiver")
{
    make_watch();
    spawn(&s->first_task, watches, .out = &w->out, .until = 5);
    int other = model_start(model_choose(2) ? exchange_ten : store_if_first, NULL);
    run_out();
    model_join(other);
    model_assert(s->receives == 1);
    close_watch();
}

MODEL(watch_read, "a sender reads a whole value")
{
    make_watch();
    int other = model_start(store_two_and_three, NULL);
    uint64_t value = 0, version = edo_watch_read(&w->in, &value);
    model_assert(value == version);
    model_join(other);
    close_watch();
}

MODEL(watch_cancel, "a cancelled receive has seen nothing")
{
    make_watch();
    spawn(&s->first_task, watches, .out = &w->out, .until = 2);
    settle();
    int sender = model_start(store_and_close, NULL);
    edo_task_cancel(s->first_task);
    run_out();
    model_join(sender);
    model_assert(s->receives + s->cancelled == 1);
    model_assert(edo_watch_has_changed(&w->out) == (s->cancelled ? 1 : -EPIPE));
    close_watch();
}

MODEL(watch_closed, "a sender that waits for the last receiver's close is woken, or cancelled")
{
    make_watch();
    spawn(&s->first_task, sees_no_watcher);
    bool cancels = model_choose(2);
    if (cancels) settle();
    int closer = model_start(close_watcher, NULL);
    if (cancels) edo_task_cancel(s->first_task);
    run_out();
    model_join(closer);
    model_assert(s->ended + s->cancelled == 1 && (cancels || s->ended));
    close_watch();
}

/* ---- broadcast ---- */

typedef struct twin {
    uint64_t a, b;
} twin;
typedef edo_broadcast_sender(twin) twin_sender;
typedef edo_broadcast_receiver(twin) twin_receiver;
typedef edo_broadcast_weak_sender(twin) twin_weak;

static struct {
    twin_sender in, second;
    twin_receiver out, other;
    twin_weak weak;
} * b;

static void make_broadcast(size_t capacity)
{
    set_up();
    b = model_alloc_static(sizeof *b);
    memset(b, 0, sizeof *b);
    model_assert(edo_broadcast_create(&b->in, &b->out, capacity) == 0);
    edo_broadcast_subscribe(&b->in, &b->other);
}

static void close_broadcast(void)
{
    edo_broadcast_sender_close(&b->in);
    edo_broadcast_sender_close(&b->second);
    edo_broadcast_weak_close(&b->weak);
    edo_broadcast_receiver_close(&b->out);
    edo_broadcast_receiver_close(&b->other);
}

static void cast(uint64_t value)
{
    twin both = { value, value };
    edo_broadcast_send(&b->in, &both);
}

THREAD(cast_one)
{
    cast(1);
}

THREAD(cast_two_values)
{
    cast(2);
    cast(3);
}

THREAD(cast_and_close)
{
    cast(1);
    edo_broadcast_sender_close(&b->in);
}

THREAD(close_other_listener)
{
    edo_broadcast_receiver_close(&b->other);
}

THREAD(close_both_listeners)
{
    edo_broadcast_receiver_close(&b->other);
    edo_broadcast_receiver_close(&b->out);
}

THREAD(upgrade_broadcast)
{
    s->rc = edo_broadcast_upgrade(&b->weak, &b->second);
}

struct listens {
    edo_frame();
    edo_args(twin_receiver *out; int count;);
    twin value;
};

edo_async(listens)
{
    edo_body {
        int rc;
        while (self->count-- > 0) {
            edo_await_broadcast(rc, self->out, &self->value);
            if (rc == 0) s->ended++;
            if (rc == -ECANCELED) s->cancelled++;
            if (rc != 1) break;
            model_assert(self->value.a == self->value.b);
            s->sum += self->value.a;
            s->receives++;
        }
        edo_return(0);
    }
}

struct sees_no_listener {
    edo_frame();
    edo_args();
};

edo_async(sees_no_listener)
{
    edo_body {
        int rc;
        edo_await(rc, edo_broadcast_closed(&b->in));
        if (rc == 0) s->ended++;
        edo_return(0);
    }
}

MODEL(broadcast_wakes_all, "a value reaches every receiver, waiting or about to")
{
    make_broadcast(2);
    spawn(&s->first_task, listens, .out = &b->out, .count = 1);
    spawn(&s->second_task, listens, .out = &b->other, .count = 1);
    int sender = model_start(cast_one, NULL);
    run_out();
    model_join(sender);
    model_assert(s->receives == 2 && s->sum == 2);
    close_broadcast();
}

MODEL(broadcast_value_before_end, "a value is received before the end")
{
    make_broadcast(1);
    spawn(&s->first_task, listens, .out = &b->out, .count = 2);
    int sender = model_start(cast_and_close, NULL);
    run_out();
    model_join(sender);
    model_assert(s->receives == 1 && s->ended == 1);
    close_broadcast();
}

MODEL(broadcast_no_torn_value, "a value that is overwritten while it is read is not received")
{
    make_broadcast(1);
    cast(1);
    int sender = model_start(cast_two_values, NULL);
    twin value = { 0, 0 };
    int64_t rc = edo_broadcast_try_recv(&b->out, &value);
    model_assert(rc == 1 || rc == EDO_LAGGED);
    if (rc == 1) model_assert(value.a == value.b && value.a >= 1);
    if (rc == 1) model_assert(value.a == 1);
    model_join(sender);
    close_broadcast();
}

MODEL(broadcast_lag, "values and lags add up")
{
    make_broadcast(1);
    int sender = model_start(cast_two_values, NULL);
    uint64_t next = 2;
    for (int i = 0; i < 2; i++) {
        twin value = { 0, 0 };
        int64_t rc = edo_broadcast_try_recv(&b->out, &value);
        if (rc == EDO_LAGGED) next += edo_broadcast_missed(&b->out);
        if (rc == 1) model_assert(value.a == value.b && value.a == next++);
    }
    model_join(sender);
    for (twin value; next <= 3;) {
        int64_t rc = edo_broadcast_try_recv(&b->out, &value);
        model_assert(rc == 1 || rc == EDO_LAGGED);
        if (rc == EDO_LAGGED) next += edo_broadcast_missed(&b->out);
        if (rc == 1) model_assert(value.a == value.b && value.a == next++);
    }
    close_broadcast();
}

MODEL(broadcast_two_senders, "all receivers get the values in one order")
{
    make_broadcast(4);
    int sender = model_start(cast_one, NULL);
    cast(2);
    model_join(sender);
    twin x, y;
    for (int i = 0; i < 2; i++) {
        model_assert(edo_broadcast_try_recv(&b->out, &x) == 1);
        model_assert(edo_broadcast_try_recv(&b->other, &y) == 1);
        model_assert(x.a == y.a && x.b == y.b);
    }
    close_broadcast();
}

MODEL(broadcast_close_against_send, "receivers go while a value is sent")
{
    make_broadcast(1);
    int closer = model_start(close_other_listener, NULL);
    twin one = { 1, 1 };
    uint32_t receivers = edo_broadcast_send(&b->in, &one);
    model_assert(receivers == 1 || receivers == 2);
    model_join(closer);
    model_assert(edo_broadcast_receivers(&b->in) == 1);
    close_broadcast();
}

MODEL(broadcast_closed, "a sender that waits for the last receiver's close is woken")
{
    make_broadcast(1);
    spawn(&s->first_task, sees_no_listener);
    int closer = model_start(close_both_listeners, NULL);
    run_out();
    model_join(closer);
    model_assert(s->ended == 1);
    close_broadcast();
}

MODEL(broadcast_upgrade_against_close, "a weak sender becomes one, or it is over")
{
    make_broadcast(1);
    edo_broadcast_downgrade(&b->in, &b->weak);
    int upgrader = model_start(upgrade_broadcast, NULL);
    edo_broadcast_sender_close(&b->in);
    model_join(upgrader);
    twin value;
    model_assert(edo_broadcast_try_recv(&b->out, &value) == (s->rc == 0 ? -EAGAIN : 0));
    close_broadcast();
}
