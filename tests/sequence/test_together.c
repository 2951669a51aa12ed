/* Streams with several things in flight: merges, maps, zips, generators, buffered calls. */
#include <string.h>

#include "sequence/cut.h"

typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;
typedef edo_stream_of(int) int_stream;
typedef edo_stream_of(int64_t) number_stream;

/* ---- merge ---- */

enum { ENDLESS = 5, PULLS = 10000 };

async_test(a_merge_shares_out_equally, edo_merge_of(int, ENDLESS) merge;
           edo_array_of(int) in[ENDLESS]; int values[ENDLESS]; int item; int i;
           int shares[ENDLESS];)
{
    edo_body {
        int rc;
        edo_merge_init(&self->merge);
        for (self->i = 0; self->i < ENDLESS; self->i++) {
            self->shares[self->i] = 0;
            self->values[self->i] = self->i;
            edo_repeat_init(&self->in[self->i], &self->values[self->i]);
            edo_merge_add(&self->merge, &self->in[self->i]);
        }
        for (self->i = 0; self->i < PULLS; self->i++) {
            edo_await_next(rc, &self->merge, &self->item);
            assert_int_equal(rc, 1);
            assert_int_equal(edo_merge_which(&self->merge), self->item);
            self->shares[self->item]++;
        }
        for (self->i = 0; self->i < ENDLESS; self->i++)
            assert_int_equal(self->shares[self->i], PULLS / ENDLESS);
        edo_return(0);
    }
}

/* A stream that yields: wakes itself, and waits; ends at its last turn. */
typedef struct yielding {
    edo_stream stream;
    int turns, left;
} yielding;

static int64_t yielding_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    yielding *source = (yielding *)(void *)stream;
    (void)ret_item;
    source->turns++;
    if (source->left-- == 0) return 0;
    edo_wake(edo_cx_waker(cx));
    return EDO_NEXT_WAITS;
}

struct note_turns {
    edo_frame();
    edo_args(const yielding *in; int *seen;);
};

edo_async(note_turns)
{
    edo_body {
        *self->seen = self->in->turns;
        edo_return(0);
    }
}

/* Inputs that are woken in each pull do not hold the thread: another task is polled meanwhile. */
current_thread_only("it counts the pulls of one poll")
async_test(a_merge_gives_way_while_its_inputs_are_woken, edo_merge_of(int, 2) merge; yielding in[2];
           edo_task *task; int item, seen; unsigned i;)
{
    static const edo_stream_ops ops = { .name = "yielding", .next = yielding_next };
    edo_body {
        int rc;
        edo_merge_init(&self->merge);
        for (self->i = 0; self->i < 2; self->i++) {
            self->in[self->i] = (yielding){ .stream = EDO_STREAM_INIT(&ops, sizeof(int)),
                                            .left = PULLS };
            edo_merge_add(&self->merge, (int_stream *)(void *)&self->in[self->i]);
        }
        edo_check(edo_spawn(&self->task, note_turns, .in = self->in, .seen = &self->seen));
        edo_await(rc, edo_next(&self->merge, &self->item));
        assert_int_equal(rc, 0);
        assert_int_equal(self->in[1].turns, PULLS + 1);
        edo_await(rc, edo_join(self->task));
        assert_in_range(self->seen, 1, PULLS / 10);
        edo_return(0);
    }
}

/* A stream whose operation is slow to end once it is cancelled, or uses budget to end at once. */
typedef struct stubborn {
    edo_stream stream;
    const bool *may_end;
    edo_wakeable *waker;
    int cancelled_pulls;
    bool ends_at_once, has_ended;
} stubborn;

static int64_t stubborn_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    stubborn *source = (stubborn *)(void *)stream;
    (void)ret_item;
    source->waker = edo_cx_waker(cx);
    if (edo_cx_fate(cx) == EDO_LIVE) return EDO_NEXT_WAITS;
    source->cancelled_pulls++;
    bool ends = source->ends_at_once ? edo_cx_charge(cx) : *source->may_end;
    if (!ends) return EDO_NEXT_WAITS;
    source->has_ended = true;
    return -ECANCELED;
}

enum { STUBBORN = 200, TURNS = 100, FEW_POLLS = 4 }; // STUBBORN: more than the budget of a poll

struct pull_stubborn {
    edo_frame();
    edo_args(stubborn *in;);
    edo_merge_of(int, STUBBORN) merge;
    int item, i;
};

edo_async(pull_stubborn)
{
    edo_body {
        int rc;
        edo_merge_init(&self->merge);
        for (self->i = 0; self->i < STUBBORN; self->i++)
            edo_merge_add(&self->merge, (int_stream *)(void *)&self->in[self->i]);
        edo_await(rc, edo_next(&self->merge, &self->item));
        edo_return(rc);
    }
}

/* A cancel reaches all inputs in one poll, and the task does not spin while inputs are slow to end. */
current_thread_only("it counts the polls of a task")
async_test(a_cancel_reaches_more_inputs_than_a_budget, stubborn in[STUBBORN]; edo_task *task; int i;
           bool may_end;)
{
    static const edo_stream_ops ops = { .name = "stubborn", .next = stubborn_next };
    edo_body {
        int64_t rc;
        self->may_end = false;
        for (self->i = 0; self->i < STUBBORN; self->i++)
            self->in[self->i] = (stubborn){ .stream = EDO_STREAM_INIT(&ops, sizeof(int)),
                                            .may_end = &self->may_end,
                                            .ends_at_once = self->i == 0 };
        edo_check(edo_spawn(&self->task, pull_stubborn, .in = self->in));
        while (!self->in[STUBBORN - 1].waker || !self->in[0].waker)
            edo_await_void(edo_yield());
        edo_task_cancel(self->task);
        for (self->i = 0; self->i < TURNS; self->i++)
            edo_await_void(edo_yield());
        assert_in_range(self->in[1].cancelled_pulls, 1, FEW_POLLS);
        assert_true(self->in[0].has_ended);
        self->may_end = true;
        for (self->i = 1; self->i < STUBBORN; self->i++)
            edo_wake(self->in[self->i].waker);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, -ECANCELED);
        assert_in_range(self->in[1].cancelled_pulls, 1, 2 * FEW_POLLS);
        edo_return(0);
    }
}

async_test(a_merge_waits_for_the_slow_and_ends_with_the_last, edo_merge_of(int64_t, 3) merge;
           edo_interval interval; edo_op_source_of(int64_t) ticks; edo_step_of(int64_t) two; edo_range none, range; int64_t item;
           int64_t count;)
{
    edo_body {
        int64_t rc;
        edo_interval_init(&self->interval, edo_ms(10), EDO_MISSED_SKIP);
        edo_interval_stream(&self->ticks, &self->interval);
        edo_take_init(&self->two, &self->ticks, 3);
        edo_range_init(&self->none, 0, 0, 1);
        edo_range_init(&self->range, 0, 5, 1);
        edo_merge_init(&self->merge);
        edo_merge_add(&self->merge, &self->two);
        edo_merge_add(&self->merge, &self->none);
        edo_merge_add(&self->merge, &self->range);
        self->count = 0;
        edo_for_each(rc, &self->merge, &self->item)
            self->count++;
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, 8);
        for (self->count = 0; self->count < 3; self->count++) {
            edo_await(rc, edo_next(&self->merge, &self->item));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

struct send_all {
    edo_frame();
    edo_args(int_sender tx; int first; int count; int64_t pause;);
    int i;
};

edo_async(send_all)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < self->count; self->i++) {
            int value = self->first + self->i;
            rc = edo_try_send(&self->tx, &value);
            if (rc == -EPIPE) break;
            if (rc == -EAGAIN) self->i--;
            edo_await(rc, edo_sleep(self->pause));
            if (rc < 0) break;
        }
        edo_sender_close(&self->tx);
        edo_return(rc);
    }
}

enum { SENDERS = 3, EACH = 300 };

/* Items are neither lost nor doubled, although pulls are cancelled, on any number of workers. */
async_test(a_cancelled_merge_loses_nothing, edo_merge_of(int, SENDERS) merge;
           edo_op_source_of(int) in[SENDERS]; int_receiver rx[SENDERS]; int_sender tx; int item, i;
           bool seen[SENDERS * EACH]; cut cut; edo_scope scope;)
{
    edo_body {
        int rc;
        memset(self->seen, 0, sizeof self->seen);
        edo_scope_open(&self->scope, 0);
        edo_merge_init(&self->merge);
        for (self->i = 0; self->i < SENDERS; self->i++) {
            edo_check(edo_mpsc_create(&self->tx, &self->rx[self->i], 2));
            edo_receiver_stream(&self->in[self->i], &self->rx[self->i]);
            edo_merge_add(&self->merge, &self->in[self->i]);
            rc = edo_scope_spawn(&self->scope, send_all, .tx = self->tx, .first = self->i * EACH,
                                 .count = EACH, .pause = self->i + 1);
            assert_int_equal(rc, 0);
        }
        for (self->i = 0;; self->i++) {
            cut_init(&self->cut, edo_next(&self->merge, &self->item), (uint64_t)self->i % 3);
            edo_await_on(rc, &self->cut.base);
            if (rc == 0) break;
            if (rc == -ECANCELED) {
                edo_await_void(edo_sleep(1));
                continue;
            }
            assert_false(self->seen[self->item]);
            self->seen[self->item] = true;
        }
        for (self->i = 0; self->i < SENDERS * EACH; self->i++)
            assert_true(self->seen[self->i]);
        edo_await(rc, edo_scope_join(&self->scope));
        for (self->i = 0; self->i < SENDERS; self->i++)
            edo_receiver_close(&self->rx[self->i]);
        edo_return(rc);
    }
}

static void count_drop(void *context, void *item)
{
    *(int *)context += *(const int *)item;
}

/* Leaves a merge with a parked receive and an item that was taken ahead. */
struct abandon {
    edo_frame();
    edo_args(int_receiver *rx; int *dropped;);
    edo_merge_of(int, 2) merge;
    edo_op_source_of(int) in[2];
    int item;
};

edo_async(abandon)
{
    edo_body {
        int rc;
        edo_merge_init(&self->merge);
        edo_drop_items(&self->merge, count_drop, self->dropped);
        edo_receiver_stream(&self->in[0], &self->rx[0]);
        edo_receiver_stream(&self->in[1], &self->rx[1]);
        edo_merge_add(&self->merge, &self->in[0]);
        edo_merge_add(&self->merge, &self->in[1]);
        edo_await(rc, edo_next(&self->merge, &self->item));
        assert_int_equal(rc, 1);
        edo_await_void(edo_sleep(edo_ms(5)));
        edo_return(self->item);
    }
}

async_test(an_abandoned_merge_ends_with_its_function, edo_callees(struct abandon abandon;)
           int_sender tx[2]; int_receiver rx[2]; edo_task *task; int value, dropped;)
{
    edo_body {
        int64_t rc;
        self->dropped = 0;
        edo_check(edo_mpsc_create(&self->tx[0], &self->rx[0], 4));
        edo_check(edo_mpsc_create(&self->tx[1], &self->rx[1], 4));
        rc = edo_spawn(&self->task, abandon, .rx = self->rx, .dropped = &self->dropped);
        assert_int_equal(rc, 0);
        edo_await_void(edo_sleep(1)); // both receives wait
        self->value = 7;
        edo_await(rc, edo_send(&self->tx[1], &self->value));
        edo_await_void(edo_sleep(1)); // the merge has answered
        self->value = 30;
        edo_await(rc, edo_send(&self->tx[0], &self->value));
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 7);
        assert_true(self->dropped == 30 || edo_receiver_stats(&self->rx[0]).length == 1);
        for (int i = 0; i < 2; i++) {
            edo_sender_close(&self->tx[i]);
            edo_receiver_close(&self->rx[i]);
        }
        edo_return(0);
    }
}

/* ---- maps of streams ---- */

async_test(streams_leave_a_map_inside_of_a_loop, edo_stream_map_of(int) map;
           edo_stream_entry_of(int) entries[4]; edo_array_of(int) in[4]; int values[4]; int item, i;
           int last; int seen[4];)
{
    edo_body {
        int64_t rc;
        memset(self->seen, 0, sizeof self->seen);
        edo_stream_map_init(&self->map, false);
        for (self->i = 0; self->i < 4; self->i++) {
            self->values[self->i] = self->i;
            edo_array_init(&self->in[self->i], &self->values[self->i], UINT64_MAX);
            edo_stream_map_insert(&self->map, &self->entries[self->i], &self->in[self->i],
                                  (uint64_t)self->i + 100);
        }
        edo_for_each(rc, &self->map, &self->item) {
            assert_int_equal(edo_stream_map_key(&self->map), self->item + 100);
            self->seen[self->item]++;
            if (self->seen[self->item] < 3) continue;
            /* itself, then the next one */
            edo_await(rc,
                      edo_stream_map_remove(&self->map, &self->entries[self->item], &self->last));
            assert_int_equal(rc, 0);
            assert_false(edo_stream_map_has(&self->map, (uint64_t)self->item + 100));
            edo_await(rc,
                      edo_stream_map_remove(&self->map, &self->entries[self->item], &self->last));
            assert_int_equal(rc, -ENOENT);
        }
        assert_int_equal(rc, 0);
        for (self->i = 0; self->i < 4; self->i++)
            assert_int_equal(self->seen[self->i], 3);
        assert_int_equal(edo_stream_map_count(&self->map), 0);
        edo_return(0);
    }
}

struct pulls_and_removes {
    edo_frame();
    edo_args();
    edo_stream_map_of(int) map;
    edo_stream_entry_of(int) entry;
    edo_merge_of(int, 1) merge;
    edo_stream_of(int) in;
    edo_op next, remove;
    int item, removed;
    bool merges;
};

/* The last stream is removed while a pull in another branch waits, of the map itself, or of a merge
 * around the map. */
edo_async(pulls_and_removes)
{
    edo_body {
        for (self->merges = false;; self->merges = true) {
            edo_stream_map_init(&self->map, false);
            edo_never_init(&self->in);
            edo_stream_map_insert(&self->map, &self->entry, &self->in, 1);
            edo_merge_init(&self->merge);
            edo_merge_add(&self->merge, &self->map);
            self->next = self->merges ? edo_next(&self->merge, &self->item)
                                      : edo_next(&self->map, &self->item);
            self->remove = edo_stream_map_remove(&self->map, &self->entry, &self->removed);
            edo_all(&self->next.base, &self->remove.base);
            assert_int_equal(self->remove.base.result, 0);
            if (self->next.base.result != 0) edo_return(self->next.base.result);
            if (self->merges) edo_return(0);
        }
    }
}

async_test(the_removal_of_the_last_stream_ends_a_waiting_pull,
           edo_callees(struct pulls_and_removes pulls_and_removes;))
{
    edo_body {
        int64_t rc;
        edo_call_for(rc, edo_s(1), pulls_and_removes);
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(removal_ends_what_is_in_flight, edo_stream_map_of(int) map;
           edo_stream_entry_of(int) entry; edo_op_source_of(int) in; int_sender tx;
           int_receiver rx; int item;)
{
    edo_body {
        int64_t rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 4));
        edo_stream_map_init(&self->map, true);
        edo_receiver_stream(&self->in, &self->rx);
        edo_stream_map_insert(&self->map, &self->entry, &self->in, 1);
        edo_await_for(rc, edo_ms(1), edo_next(&self->map, &self->item));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_stream_map_remove(&self->map, &self->entry, &self->item));
        assert_int_equal(rc, 0);
        memset(&self->entry, 0xa5, sizeof self->entry);
        self->item = 5;
        edo_await(rc, edo_send(&self->tx, &self->item));
        edo_await(rc, edo_recv(&self->rx, &self->item));
        assert_int_equal(rc, 1);
        edo_await_for(rc, edo_ms(1), edo_next(&self->map, &self->item));
        assert_int_equal(rc, -ETIMEDOUT); // an open map without streams waits
        edo_sender_close(&self->tx);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}

/* ---- zip ---- */

static int64_t multiply(void *context, const void *left, const void *right, void *ret_item)
{
    (void)context;
    *(int64_t *)ret_item = *(const int64_t *)left * *(const int *)right;
    return *(const int *)right != 3;
}

async_test(a_zip_pairs_items_in_order, edo_zip_of(int64_t, int, int64_t) zip;
           edo_range left; edo_array_of(int) right; int64_t item; int64_t sum;)
{
    static const int factors[] = { 1, 2, 3, 4 };
    edo_body {
        int rc;
        edo_range_init(&self->left, 10, 100, 1);
        edo_array_init(&self->right, factors, 4);
        edo_zip_init(&self->zip, &self->left, &self->right, multiply, NULL);
        self->sum = 0;
        edo_for_each(rc, &self->zip, &self->item)
            self->sum += self->item;
        assert_int_equal(rc, 0);
        assert_int_equal(self->sum, 10 + 22 + 52);
        edo_return(0);
    }
}

/* ---- generators ---- */

typedef edo_emitter_of(int) int_emitter;

struct numbers {
    edo_frame();
    edo_args(int_emitter *out; int end; int64_t pause; int64_t result; int *ended;);
    int i;
};

edo_async(numbers)
{
    edo_body {
        int rc = 0;
        for (self->i = 0; self->i < self->end; self->i++) {
            edo_await(rc, edo_sleep(self->pause));
            if (rc < 0) break;
            edo_await(rc, edo_emit(self->out, &self->i));
            if (rc < 0) break;
        }
        *self->ended = 1;
        edo_return(rc < 0 ? rc : self->result);
    }
}

async_test(a_generator_gives_what_its_function_emits, edo_generator_of(int, numbers) in; int item;
           int next; int ended;)
{
    edo_body {
        int rc;
        self->next = self->ended = 0;
        edo_generator_init(&self->in, numbers, .end = 5, .result = -EBADF, .ended = &self->ended);
        edo_for_each(rc, &self->in, &self->item)
            assert_int_equal(self->item, self->next++);
        assert_int_equal(rc, -EBADF);
        assert_int_equal(self->next, 5);
        edo_await(rc, edo_next(&self->in, &self->item));
        assert_int_equal(rc, 0);
        edo_return(0);
    }
}

async_test(a_cancelled_pull_does_not_cancel_a_generator, edo_generator_of(int, numbers) in;
           int item; int next; int ended; cut cut;)
{
    edo_body {
        int rc;
        self->next = self->ended = 0;
        edo_generator_init(&self->in, numbers, .end = 20, .pause = edo_us(1),
                           .ended = &self->ended);
        for (;;) {
            cut_init(&self->cut, edo_next(&self->in, &self->item), 1);
            edo_await_on(rc, &self->cut.base);
            if (rc == 0) break;
            if (rc == 1) assert_int_equal(self->item, self->next++);
            if (rc == -ECANCELED) edo_await_void(edo_sleep(edo_us(3)));
        }
        assert_int_equal(self->next, 20);
        edo_return(0);
    }
}

struct leave_generator {
    edo_frame();
    edo_args(int *ended; int pulls;);
    edo_generator_of(int, numbers) in;
    int item;
};

edo_async(leave_generator)
{
    edo_body {
        int rc;
        edo_generator_init(&self->in, numbers, .end = 20, .pause = 1, .ended = self->ended);
        for (; self->pulls; self->pulls--)
            edo_await(rc, edo_next(&self->in, &self->item));
        edo_return(0);
    }
}

async_test(an_abandoned_generator_runs_to_its_end, edo_callees(struct leave_generator leave;)
           int ended; int pulls;)
{
    edo_body {
        int rc;
        for (self->pulls = 0; self->pulls < 3; self->pulls++) {
            self->ended = 0;
            edo_call(rc, leave_generator, .ended = &self->ended, .pulls = self->pulls);
            assert_int_equal(rc, 0);
            assert_int_equal(self->ended, 1);
        }
        edo_return(0);
    }
}

/* ---- buffered calls ---- */

struct state {
    int running, most, ended;
};

struct triple {
    edo_frame();
    edo_item_args(int64_t, int);
    struct state *state;
    int64_t number;
};

edo_async(triple)
{
    edo_body {
        int rc;
        self->state = self->context;
        self->number = *self->item;
        int now = __atomic_add_fetch(&self->state->running, 1, __ATOMIC_SEQ_CST);
        if (now > self->state->most) self->state->most = now;
        edo_await(rc, edo_sleep(edo_ms(10 - self->number % 7)));
        __atomic_sub_fetch(&self->state->running, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&self->state->ended, 1, __ATOMIC_SEQ_CST);
        if (rc < 0) edo_return(rc);
        *self->ret_item = (int)self->number * 3;
        edo_return(self->number == 13 ? -EBADMSG : 0);
    }
}

async_test(buffered_results_come_in_order, edo_buffered_of(int64_t, int, 4) calls; edo_range in;
           int item; int next; int failures; struct state state;)
{
    edo_body {
        int rc;
        memset(&self->state, 0, sizeof self->state);
        self->next = self->failures = 0;
        edo_range_init(&self->in, 0, 40, 1);
        edo_buffer_ordered_init(&self->calls, &self->in, triple, &self->state);
        for (;;) {
            edo_await_next(rc, &self->calls, &self->item);
            if (rc == 0) break;
            if (rc == 1) assert_int_equal(self->item, self->next * 3);
            if (rc < 0) assert_int_equal(self->next, 13);
            self->failures += rc < 0;
            self->next++;
        }
        assert_int_equal(self->next, 40);
        assert_int_equal(self->failures, 1);
        assert_int_equal(self->state.running, 0);
        assert_true(self->state.most <= 4 && self->state.most >= 2);
        edo_return(0);
    }
}

async_test(unordered_results_come_as_the_calls_end, edo_buffered_of(int64_t, int, 8) calls;
           edo_range in; int item; int64_t sum; struct state state; cut cut; uint64_t i;)
{
    edo_body {
        int64_t rc;
        memset(&self->state, 0, sizeof self->state);
        self->sum = 0;
        edo_range_init(&self->in, 0, 40, 1);
        edo_buffer_unordered_init(&self->calls, &self->in, triple, &self->state);
        for (self->i = 0;; self->i++) {
            cut_init(&self->cut, edo_next(&self->calls, &self->item), 1 + self->i % 3);
            edo_await_on(rc, &self->cut.base);
            if (rc == 0) break;
            if (rc == 1) self->sum += self->item;
            if (rc == -ECANCELED) edo_await_void(edo_sleep(edo_us(200)));
        }
        assert_int_equal(self->sum, 3 * (39 * 40 / 2 - 13));
        assert_int_equal(self->state.ended, 40);
        edo_return(0);
    }
}

struct leave_calls {
    edo_frame();
    edo_args(struct state *state; int *dropped;);
    edo_buffered_of(int64_t, int, 8) calls;
    edo_range in;
    int item;
};

edo_async(leave_calls)
{
    edo_body {
        int rc;
        edo_range_init(&self->in, 0, 40, 1);
        edo_buffer_unordered_init(&self->calls, &self->in, triple, self->state);
        edo_drop_items(&self->calls, count_drop, self->dropped);
        edo_await(rc, edo_next(&self->calls, &self->item));
        edo_return(rc);
    }
}

async_test(abandoned_calls_are_cancelled, edo_callees(struct leave_calls leave;) struct state state;
           int dropped;)
{
    edo_body {
        int rc;
        memset(&self->state, 0, sizeof self->state);
        self->dropped = 0;
        edo_call(rc, leave_calls, .state = &self->state, .dropped = &self->dropped);
        assert_int_equal(rc, 1);
        assert_int_equal(self->state.running, 0);
        assert_true(self->state.ended >= 2 && self->state.ended <= 16);
        edo_return(0);
    }
}

/* The calls and the owner use one permit in turns: the calls go on while the owner waits. */
struct with_permit {
    edo_frame();
    edo_item_args(int64_t, int);
};

edo_async(with_permit)
{
    edo_body {
        int rc;
        edo_acquire(rc, (edo_semaphore *)self->context, 1);
        if (rc < 0) edo_return(rc);
        edo_await_void(edo_sleep(1));
        edo_semaphore_release((edo_semaphore *)self->context, 1);
        *self->ret_item = 1;
        edo_return(0);
    }
}

async_test(calls_go_on_while_the_owner_waits, edo_buffered_of(int64_t, int, 3) calls; edo_range in;
           int item; int count; edo_semaphore permit;)
{
    edo_body {
        int rc;
        self->count = 0;
        edo_semaphore_init(&self->permit, 1);
        edo_range_init(&self->in, 0, 20, 1);
        edo_buffer_ordered_init(&self->calls, &self->in, with_permit, &self->permit);
        edo_for_each(rc, &self->calls, &self->item) {
            edo_acquire(rc, &self->permit, 1);
            edo_await_void(edo_sleep(1));
            edo_semaphore_release(&self->permit, 1);
            self->count += self->item;
        }
        assert_int_equal(self->count, 20);
        edo_return(0);
    }
}

/* ---- ends before the function's end ---- */

async_test(ended_streams_may_be_begun_again, edo_merge_of(int, 2) merge;
           edo_generator_of(int, numbers) generator; edo_buffered_of(int64_t, int, 4) calls;
           edo_op_source_of(int) in; int_sender tx; int_receiver rx; edo_range range; int item, i;
           int ended; struct state state;)
{
    edo_body {
        int rc;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 4));
        for (self->i = 0; self->i < 3; self->i++) {
            self->ended = 0;
            memset(&self->state, 0, sizeof self->state);
            edo_generator_init(&self->generator, numbers, .end = 20, .pause = 1,
                               .ended = &self->ended);
            edo_receiver_stream(&self->in, &self->rx);
            edo_merge_init(&self->merge);
            edo_merge_add(&self->merge, &self->in); // waits
            edo_merge_add(&self->merge, &self->generator);
            edo_await(rc, edo_next(&self->merge, &self->item));
            assert_int_equal(rc, 1);
            edo_range_init(&self->range, 0, 40, 1);
            edo_buffer_ordered_init(&self->calls, &self->range, triple, &self->state);
            edo_await(rc, edo_next(&self->calls, &self->item));
            assert_int_equal(rc, 1);
            edo_await(rc, edo_merge_end(&self->merge));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_generator_end(&self->generator));
            assert_int_equal(self->ended, 1);
            edo_await(rc, edo_buffered_end(&self->calls));
            assert_int_equal(self->state.running, 0);
            memset(&self->merge, 0xa5, sizeof self->merge);
            memset(&self->generator, 0xa5, sizeof self->generator);
            memset(&self->calls, 0xa5, sizeof self->calls);
            edo_await_void(edo_sleep(1));
        }
        edo_sender_close(&self->tx);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}

async_test(streams_are_added_to_a_merge_at_any_time, edo_merge_of(int64_t, 3) merge;
           edo_range in[3]; int64_t item; int i;)
{
    edo_body {
        int64_t rc;
        edo_merge_init(&self->merge);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_range_init(&self->in[self->i], self->i * 10, self->i * 10 + 3, 1);
            edo_merge_add(&self->merge, &self->in[self->i]);
            edo_await(rc, edo_next(&self->merge, &self->item));
            assert_int_equal(self->item / 10, edo_merge_which(&self->merge));
        }
        edo_await(rc, edo_count(&self->merge, &self->item));
        assert_int_equal(rc, 6);
        edo_return(0);
    }
}

/* ---- misuse ---- */

struct pull_elsewhere {
    edo_frame();
    edo_args(int_stream *in;);
    int item;
};

edo_async(pull_elsewhere)
{
    edo_body {
        int rc;
        edo_await(rc, edo_next(self->in, &self->item));
        edo_return(rc);
    }
}

struct lend_merge {
    edo_frame();
    edo_args();
    edo_merge_of(int, 1) merge;
    edo_array_of(int) in;
    int value;
    edo_task *task;
};

edo_async(lend_merge)
{
    edo_body {
        int rc;
        edo_merge_init(&self->merge);
        edo_once_init(&self->in, &self->value);
        edo_merge_add(&self->merge, &self->in);
        rc = edo_spawn(&self->task, pull_elsewhere, .in = edo_as_stream(int_stream, &self->merge));
        edo_check(rc);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

static void pull_in_another_task(void *arg)
{
    (void)arg;
    edo_run(lend_merge);
}

test(another_task_may_not_pull_a_merge)
{
    expect_abort(pull_in_another_task, NULL, "lies in the frame of another task");
}

struct overfill {
    edo_frame();
    edo_args();
    edo_merge_of(int, 1) merge;
    edo_array_of(int) in[2];
    int value;
};

edo_async(overfill)
{
    edo_body {
        edo_merge_init(&self->merge);
        for (int i = 0; i < 2; i++) {
            edo_once_init(&self->in[i], &self->value);
            edo_merge_add(&self->merge, &self->in[i]);
        }
        edo_return(0);
    }
}

static void add_too_many(void *arg)
{
    (void)arg;
    edo_run(overfill);
}

test(a_merge_has_as_many_streams_as_it_says)
{
    expect_abort(add_too_many, NULL, "more than the 1 streams of the merge");
}

struct begin_again {
    edo_frame();
    edo_args();
    edo_merge_of(int, 1) merge;
    int_stream in;
    int item, i;
};

edo_async(begin_again)
{
    edo_body {
        int rc;
        for (self->i = 0; self->i < 2; self->i++) {
            edo_never_init(&self->in);
            edo_merge_init(&self->merge);
            edo_merge_add(&self->merge, &self->in);
            edo_await_for(rc, 1, edo_next(&self->merge, &self->item));
        }
        edo_return(rc);
    }
}

static void begin_in_flight(void *arg)
{
    (void)arg;
    edo_run(begin_again);
}

test(a_merge_in_flight_is_not_begun_again)
{
    expect_abort(begin_in_flight, NULL, "from an earlier use: end it first");
}
