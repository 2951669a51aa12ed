/* Several items in one call: edo_next_many() and edo_sink_send_many(). */
#include <string.h>

#include "codec/codecs.h"
#include "codec/frames.h"
#include "sequence/cut.h"

/* ---- reading ---- */

/* The frames of a buffer come together and are valid together. An error has an answer of its own,
 * after the frames before it. */
async_test(frames_come_together_up_to_an_error, edo_bytes bytes; edo_io *io; edo_length_codec codec;
           edo_frames_of(edo_slice) in; edo_slice frames[8];)
{
    static const char data[] = "\0\0\0\1a\0\0\0\2bc\0\0\0\0"
                               "\0\0\0\6abcdef\0\0\0\2ok\0\0\0\3xy";
    edo_body {
        int64_t rc;
        self->bytes = edo_bytes_static(data, sizeof data - 1);
        edo_check(edo_io_from_bytes(&self->bytes, &self->io));
        edo_length_codec_init(&self->codec, &(edo_length_options){ .most = 5 });
        edo_frames_init(&self->in, self->io, &self->codec.codec);
        edo_await(rc, edo_next_many(&self->in, self->frames, 0));
        assert_int_equal(rc, -EINVAL);
        edo_await_next_many(rc, &self->in, self->frames, 8);
        assert_int_equal(rc, 3);
        assert_memory_equal(self->frames[0].data, "a", 1);
        assert_memory_equal(self->frames[1].data, "bc", 2);
        assert_int_equal(self->frames[1].size, 2);
        assert_int_equal(self->frames[2].size, 0);
        edo_await(rc, edo_next_many(&self->in, self->frames, 8));
        assert_int_equal(rc, -EMSGSIZE);
        edo_await(rc, edo_next_many(&self->in, self->frames, 8));
        assert_int_equal(rc, 1);
        assert_memory_equal(self->frames[0].data, "ok", 2);
        edo_await_next_many(rc, &self->in, self->frames, 8);
        assert_int_equal(rc, -EDO_EOF);
        assert_int_equal(edo_frames_rest(&self->in).size, 6);
        edo_await_next_many(rc, &self->in, self->frames, 8);
        assert_int_equal(rc, 0);
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A decoder whose decode_many claims frames without taking a byte. */
static int64_t one_byte(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    (void)codec;
    if (in->size == 0) return 0;
    *(edo_slice *)ret_item = (edo_slice){ in->data, 1 };
    return edo_buffer_advance(in, 1) < 0 ? -EPROTO : 1;
}

static size_t claim(edo_codec *codec, edo_buffer *in, void *ret_items, size_t most)
{
    (void)codec;
    (void)in;
    (void)ret_items;
    return most;
}

async_test(claimed_frames_without_bytes_do_not_count, edo_bytes bytes; edo_io *io; edo_codec codec;
           edo_frames_of(edo_slice) in; edo_slice frames[8]; int i;)
{
    static const edo_codec_ops ops = {
        .name = "claims", .decode = one_byte, .decode_many = claim, .item_size = sizeof(edo_slice)
    };
    edo_body {
        int64_t rc;
        self->bytes = edo_bytes_static("abc", 3);
        edo_check(edo_io_from_bytes(&self->bytes, &self->io));
        self->codec = (edo_codec)EDO_CODEC_INIT(&ops);
        edo_frames_init(&self->in, self->io, &self->codec);
        for (self->i = 0; self->i < 3; self->i++) {
            edo_await(rc, edo_next_many(&self->in, self->frames, 8));
            assert_int_equal(rc, 1);
            assert_int_equal(*(const char *)self->frames[0].data, "abc"[self->i]);
        }
        edo_await(rc, edo_next_many(&self->in, self->frames, 8));
        assert_int_equal(rc, 0);
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A stream without a faster way gives one item for a call. */
async_test(other_streams_give_one_item, edo_range in; int64_t items[4]; int64_t next;)
{
    edo_body {
        int rc;
        edo_range_init(&self->in, 0, 3, 1);
        for (self->next = 0; self->next < 3; self->next++) {
            edo_await_next_many(rc, &self->in, self->items, 4);
            assert_int_equal(rc, 1);
            assert_int_equal(self->items[0], self->next);
        }
        for (self->next = 0; self->next < 3; self->next++) {
            edo_await(rc, edo_next_many(&self->in, self->items, 4));
            assert_int_equal(rc, 0);
        }
        edo_return(0);
    }
}

enum { EMPTY_FRAMES = 100000, MOST_IN_A_POLL = 128 * 8 + 64 }; // default budget, frames per unit

current_thread_only("the other task runs when this one yields")
async_test(a_loop_over_frames_at_once_yields, edo_io *io; edo_task *other; edo_length_codec codec;
           edo_bytes bytes; edo_frames_of(edo_slice) in; edo_slice frames[64]; bool has_run;
           int64_t count, first;)
{
    static char empty[EMPTY_FRAMES * 4];
    edo_body {
        int64_t rc;
        self->has_run = false;
        self->count = self->first = 0;
        edo_check(edo_bytes_copy(&self->bytes, empty, sizeof empty));
        edo_check(edo_io_from_bytes(&self->bytes, &self->io));
        rc = edo_spawn(&self->other, run_once, .has_run = &self->has_run);
        assert_int_equal(rc, 0);
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->io, &self->codec.codec);
        for (;;) {
            edo_await_next_many(rc, &self->in, self->frames, 64);
            if (rc <= 0) break;
            self->count += rc;
            if (self->has_run && !self->first) self->first = self->count;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, EMPTY_FRAMES);
        assert_true(self->first > 0 && self->first <= MOST_IN_A_POLL);
        edo_await(rc, edo_join(self->other));
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(0);
    }
}

/* ---- writing ---- */

enum { NUMBERS = 500, AT_ONCE = 9 };

struct send_numbers {
    edo_frame();
    edo_args(edo_io *io;);
    edo_length_codec codec;
    edo_frame_sink_of(edo_slice) out;
    uint32_t numbers[NUMBERS], next;
    edo_slice frames[NUMBERS];
    uint64_t i;
    cut cut;
};

/* Sends numbers; sends are cancelled at every poll, and repeated. */
edo_async(send_numbers)
{
    edo_body {
        int64_t rc = 0;
        edo_length_codec_init(&self->codec, NULL);
        edo_frame_sink_init(&self->out, self->io, &self->codec.codec);
        edo_frame_sink_set_boundary(&self->out, 50);
        for (uint32_t i = 0; i < NUMBERS; i++) {
            self->numbers[i] = i;
            self->frames[i] = (edo_slice){ &self->numbers[i], sizeof self->numbers[i] };
        }
        self->i = 0;
        for (self->next = 0; self->next<NUMBERS; self->next += rc> 0 ? (uint32_t)rc : 0) {
            size_t rest = NUMBERS - self->next, count = rest < AT_ONCE ? rest : AT_ONCE;
            cut_init(&self->cut, edo_sink_send_many(&self->out, &self->frames[self->next], count),
                     self->i++ % 4);
            edo_await_on(rc, &self->cut.base);
            assert_true((rc > 0 && rc <= AT_ONCE) || rc == -ECANCELED);
            assert_true(edo_frame_sink_pending(&self->out) < 50 + 8);
        }
        edo_await(rc, edo_sink_close(&self->out));
        assert_int_equal(rc, 0);
        edo_frame_sink_deinit(&self->out);
        edo_close(self->io);
        edo_return(0);
    }
}

async_test(each_frame_arrives_once_through_cancelled_calls, edo_io *near, *far; edo_task *sender;
           edo_length_codec codec; edo_frames_of(edo_slice) in; edo_slice frames[AT_ONCE];
           uint32_t next; uint64_t i; cut cut; bool came_together;)
{
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(37, &self->near, &self->far));
        rc = edo_spawn(&self->sender, send_numbers, .io = self->far);
        assert_int_equal(rc, 0);
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->near, &self->codec.codec);
        self->next = 0;
        self->i = 0;
        self->came_together = false;
        do {
            cut_init(&self->cut, edo_next_many(&self->in, self->frames, AT_ONCE), self->i++ % 4);
            edo_await_on(rc, &self->cut.base);
            for (int64_t i = 0; i < rc; i++, self->next++)
                assert_memory_equal(self->frames[i].data, &self->next, sizeof self->next);
            self->came_together |= rc > 1;
        } while (rc > 0 || rc == -ECANCELED);
        assert_int_equal(rc, 0);
        assert_int_equal(self->next, NUMBERS);
        assert_true(self->came_together);
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_await(rc, edo_join(self->sender));
        edo_return(rc);
    }
}

/* A refused item is the first of its call, and the items before it were taken. */
async_test(a_refused_item_is_answered_alone, edo_io *near, *far; edo_line_codec lines;
           edo_frame_sink_of(edo_slice) out; edo_slice items[3]; char text[10];)
{
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(100, &self->near, &self->far));
        edo_line_codec_init(&self->lines, 5);
        edo_frame_sink_init(&self->out, self->near, &self->lines.codec);
        self->items[0] = (edo_slice){ "one", 3 };
        self->items[1] = (edo_slice){ "too long", 8 };
        self->items[2] = (edo_slice){ "two", 3 };
        edo_await_sink_send_many(rc, &self->out, self->items, 3);
        assert_int_equal(rc, 1);
        edo_await_sink_send_many(rc, &self->out, &self->items[1], 2);
        assert_int_equal(rc, -EMSGSIZE);
        edo_await(rc, edo_sink_send_many(&self->out, &self->items[2], 0));
        assert_int_equal(rc, -EINVAL);
        edo_await(rc, edo_sink_send_many(&self->out, &self->items[2], 1));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_sink_close(&self->out));
        assert_int_equal(rc, 0);
        edo_close(self->near);
        edo_await(rc, edo_read_exact(self->far, self->text, 8));
        assert_int_equal(rc, 8);
        assert_memory_equal(self->text, "one\ntwo\n", 8);
        edo_frame_sink_deinit(&self->out);
        edo_close(self->far);
        edo_return(0);
    }
}

/* ---- one operation at a time ---- */

async_test(several_items_are_one_operation, edo_io *near, *far; edo_line_codec lines;
           edo_framed_of(edo_slice) peer; edo_slice line; edo_op first, second;)
{
    edo_body {
        int rc;
        edo_check(edo_duplex(100, &self->near, &self->far));
        edo_line_codec_init(&self->lines, 5);
        edo_framed_init(&self->peer, self->near, &self->lines.codec);
        self->first = edo_next_many(&self->peer.in, &self->line, 1);
        self->second = edo_next_many(&self->peer.in, &self->line, 1);
        edo_select_biased(rc, &self->first.base, &self->second.base);
        assert_int_equal(rc, 1);
        assert_int_equal(self->second.base.result, -EBUSY);
        edo_framed_deinit(&self->peer);
        edo_close(self->near);
        edo_close(self->far);
        edo_return(0);
    }
}
