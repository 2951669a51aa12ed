/* Frames over streams of bytes: reading, writing, back-pressure, ends and errors. */
#include <string.h>

#include "codec/codecs.h"
#include "codec/frames.h"
#include "sequence/cut.h"
#include "support/files.h"

/* ---- reading ---- */

/* Writes bytes in small pieces, then ends its side. */
struct write_pieces {
    edo_frame();
    edo_args(edo_io *io; const char *data; size_t size; size_t piece; int64_t pause;);
    size_t at, n;
    int64_t rc;
};

edo_async(write_pieces)
{
    edo_body {
        self->rc = 0;
        for (self->at = 0; self->at < self->size; self->at += self->n) {
            self->n = self->size - self->at < self->piece ? self->size - self->at : self->piece;
            edo_await(self->rc, edo_write_all(self->io, self->data + self->at, self->n));
            if (self->rc < 0) break;
            edo_await_void(edo_sleep(self->pause));
        }
        edo_close(self->io);
        edo_return(self->rc < 0 ? self->rc : 0);
    }
}

static const char speech[] = "Four score\nand seven\r\n\nyears ago";

async_test(lines_arrive_in_pieces_through_cancelled_pulls, edo_io *near, *far; edo_task *writer;
           edo_line_codec lines; edo_frames_of(edo_slice) in; edo_slice line; cut cut; int count;
           uint64_t i;)
{
    static const char *const expected[] = { "Four score", "and seven", "", "years ago" };
    edo_body {
        int rc;
        edo_check(edo_duplex(7, &self->near, &self->far));
        rc = edo_spawn(&self->writer, write_pieces, .io = self->far, .data = speech,
                       .size = sizeof speech - 1, .piece = 3, .pause = 1);
        assert_int_equal(rc, 0);
        edo_line_codec_init(&self->lines, 100);
        edo_frames_init(&self->in, self->near, &self->lines.codec);
        self->count = 0;
        for (self->i = 0;; self->i++) {
            cut_init(&self->cut, edo_next(&self->in, &self->line), self->i % 4);
            edo_await_on(rc, &self->cut.base);
            if (rc == 0) break;
            if (rc == -ECANCELED) continue;
            assert_int_equal(rc, 1);
            assert_int_equal(self->line.size, strlen(expected[self->count]));
            assert_memory_equal(self->line.data, expected[self->count], self->line.size);
            self->count++;
        }
        assert_int_equal(self->count, 4);
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_await(rc, edo_join(self->writer));
        edo_return(rc);
    }
}

async_test(all_lines_are_collected_into_a_buffer, edo_bytes bytes; edo_io *io;
           edo_line_codec lines; edo_frames_of(edo_slice) in; edo_slice line; edo_buffer all;)
{
    edo_body {
        int64_t rc;
        self->all = (edo_buffer){ NULL, 0, 0, NULL };
        self->bytes = edo_bytes_static(speech, sizeof speech - 1);
        edo_check(edo_io_from_bytes(&self->bytes, &self->io));
        edo_line_codec_init(&self->lines, 100);
        edo_frames_init(&self->in, self->io, &self->lines.codec);
        edo_await(rc, edo_fold(&self->in, &self->line, edo_append_slice, &self->all));
        assert_int_equal(rc, 0);
        assert_int_equal(self->all.size, 28);
        assert_memory_equal(self->all.data, "Four scoreand sevenyears ago", 28);
        edo_buffer_deinit(&self->all);
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(0);
    }
}

/* A bad frame, then a good one; a good one, then the end in the middle of a frame. */
async_test(errors_and_ends_are_distinguished, edo_io *near, *far; edo_length_codec codec;
           edo_frames_of(edo_slice) in; edo_slice frame;)
{
    static const char data[] = "\0\0\0\6abcdef\0\0\0\2ok\0\0\0\3xy";
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(100, &self->near, &self->far));
        edo_await(rc, edo_write_all(self->far, data, sizeof data - 1));
        edo_close(self->far);
        edo_length_codec_init(&self->codec, &(edo_length_options){ .most = 5 });
        edo_frames_init(&self->in, self->near, &self->codec.codec);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, -EMSGSIZE);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, 1);
        assert_memory_equal(self->frame.data, "ok", 2);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, -EDO_EOF);
        assert_int_equal(edo_frames_rest(&self->in).size, 6);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, 0);
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_return(0);
    }
}

async_test(a_fatal_error_is_the_last_answer, edo_io *near, *far; edo_netstring_codec codec;
           edo_frames_of(edo_slice) in; edo_slice frame;)
{
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(100, &self->near, &self->far));
        edo_await(rc, edo_write_all(self->far, "x2:ok,", 6));
        edo_netstring_codec_init(&self->codec, 5);
        edo_frames_init(&self->in, self->near, &self->codec.codec);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, -EBADMSG);
        edo_await(rc, edo_next(&self->in, &self->frame));
        assert_int_equal(rc, 0);
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_close(self->far);
        edo_return(0);
    }
}

async_test(another_protocol_continues_with_the_unread_bytes, edo_io *near, *far;
           edo_line_codec lines; edo_frames_of(edo_slice) in; edo_slice line; edo_buffer unread;
           edo_bytes kept;)
{
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(100, &self->near, &self->far));
        edo_await(rc, edo_write_all(self->far, "upgrade\n\0\1\2", 11));
        edo_line_codec_init(&self->lines, 100);
        edo_frames_init(&self->in, self->near, &self->lines.codec);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, 1);
        assert_int_equal(edo_frames_keep(&self->in, &self->line, &self->kept), 0);
        edo_frames_take(&self->in, &self->unread);
        assert_int_equal(self->unread.size, 3);
        assert_memory_equal(self->unread.data, "\0\1\2", 3);
        edo_buffer_deinit(&self->unread);
        edo_frames_deinit(&self->in);
        assert_memory_equal(self->kept.data, "upgrade", 7);
        edo_bytes_deinit(&self->kept);
        edo_close(self->near);
        edo_close(self->far);
        edo_return(0);
    }
}

/* A file that grows: the line that was not whole at the end is whole later. */
fs_test(a_resumed_stream_continues_after_its_end, edo_file *file; edo_line_codec lines;
        edo_frames_of(edo_slice) in; edo_slice line;)
{
    edo_body {
        int64_t rc;
        fs_write("log", "one\ntw", 6);
        edo_await(rc, edo_file_open(fs_path("log"), EDO_OPEN_READ, &self->file));
        edo_check(rc);
        edo_line_codec_init(&self->lines, 100);
        edo_part_codec_set_strict(&self->lines);
        edo_frames_init(&self->in, edo_file_io(self->file), &self->lines.codec);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, 1);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, -EDO_EOF);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, 0);
        fs_write("log", "one\ntwo\n", 8);
        edo_frames_resume(&self->in);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, 1);
        assert_int_equal(self->line.size, 3);
        assert_memory_equal(self->line.data, "two", 3);
        edo_await(rc, edo_next(&self->in, &self->line));
        assert_int_equal(rc, 0);
        edo_frames_deinit(&self->in);
        edo_close(edo_file_io(self->file));
        edo_return(0);
    }
}

/* Empty frames do not keep the thread: a timer beside them fires. */
struct send_empty {
    edo_frame();
    edo_args(edo_io *io; bool *stops;);
    char frames[4096];
};

edo_async(send_empty)
{
    edo_body {
        int64_t rc = 0;
        memset(self->frames, 0, sizeof self->frames);
        while (!__atomic_load_n(self->stops, __ATOMIC_RELAXED) && rc >= 0)
            edo_await(rc, edo_write_all(self->io, self->frames, sizeof self->frames));
        edo_close(self->io);
        edo_return(0);
    }
}

struct stop_later {
    edo_frame();
    edo_args(bool *stops;);
    int i;
};

edo_async(stop_later)
{
    edo_body {
        for (self->i = 0; self->i < 20; self->i++)
            edo_await_void(edo_yield());
        __atomic_store_n(self->stops, true, __ATOMIC_RELAXED);
        edo_return(0);
    }
}

async_test(empty_frames_do_not_keep_the_thread, edo_io *near, *far; edo_task *writer, *other;
           edo_length_codec codec; edo_frames_of(edo_slice) in; edo_slice frame; bool stops;
           int64_t count;)
{
    edo_body {
        int64_t rc;
        self->stops = false;
        self->count = 0;
        edo_check(edo_duplex(64 * 1024, &self->near, &self->far));
        rc = edo_spawn(&self->writer, send_empty, .io = self->far, .stops = &self->stops);
        assert_int_equal(rc, 0);
        rc = edo_spawn(&self->other, stop_later, .stops = &self->stops);
        assert_int_equal(rc, 0);
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->near, &self->codec.codec);
        edo_for_each(rc, &self->in, &self->frame)
            self->count += 1 + (int64_t)self->frame.size;
        assert_int_equal(rc, 0);
        assert_true(self->count >= 1024 && self->count % 1024 == 0);
        edo_await(rc, edo_join(self->writer));
        edo_await(rc, edo_join(self->other));
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_return(0);
    }
}

/* Frames in memory are cheap, not free: others run after a bounded number of them. */
enum { MANY_FRAMES = 100000, MOST_IN_A_POLL = 128 * 8 }; // default budget, frames per unit

current_thread_only("the other task runs when this one yields")
async_test(a_loop_over_frames_in_memory_yields, edo_io *io; edo_task *other; edo_length_codec codec;
           edo_bytes bytes; edo_frames_of(edo_slice) in; edo_slice frame; bool has_run; int count;
           int first;)
{
    static char empty[MANY_FRAMES * 4];
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
        edo_for_each(rc, &self->in, &self->frame) {
            self->count++;
            if (self->has_run && !self->first) self->first = self->count;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, MANY_FRAMES);
        assert_true(self->first > 0 && self->first <= MOST_IN_A_POLL + 1);
        edo_await(rc, edo_join(self->other));
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(0);
    }
}

/* ---- writing ---- */

enum { NUMBERS = 500 };

struct send_numbers {
    edo_frame();
    edo_args(edo_io *io;);
    edo_length_codec codec;
    edo_frame_sink_of(edo_slice) out;
    edo_slice frame;
    uint32_t number;
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
        edo_frame_sink_set_boundary(&self->out, 20);
        self->frame = (edo_slice){ &self->number, sizeof self->number };
        self->i = 0;
        for (self->number = 0; self->number < NUMBERS; self->number += rc == 0) {
            cut_init(&self->cut, edo_sink_send(&self->out, &self->frame), self->i++ % 4);
            edo_await_on(rc, &self->cut.base);
            assert_true(rc == 0 || rc == -ECANCELED);
        }
        do {
            cut_init(&self->cut, edo_sink_close(&self->out), self->i++ % 4);
            edo_await_on(rc, &self->cut.base);
        } while (rc == -ECANCELED);
        assert_int_equal(rc, 0);
        assert_int_equal(edo_frame_sink_pending(&self->out), 0);
        edo_frame_sink_deinit(&self->out);
        edo_close(self->io);
        edo_return(0);
    }
}

async_test(each_frame_is_sent_once_through_cancelled_sends, edo_io *near, *far; edo_task *sender;
           edo_length_codec codec; edo_frames_of(edo_slice) in; edo_slice frame; uint32_t next;)
{
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(13, &self->near, &self->far));
        rc = edo_spawn(&self->sender, send_numbers, .io = self->far);
        assert_int_equal(rc, 0);
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->near, &self->codec.codec);
        self->next = 0;
        edo_for_each(rc, &self->in, &self->frame) {
            assert_memory_equal(self->frame.data, &self->next, sizeof self->next);
            self->next++;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->next, NUMBERS);
        edo_frames_deinit(&self->in);
        edo_close(self->near);
        edo_await(rc, edo_join(self->sender));
        edo_return(rc);
    }
}

/* A peer that does not read stops the sender at the boundary, not later. */
async_test(a_slow_peer_stops_the_sender_at_the_boundary, edo_io *near, *far;
           edo_line_codec lines; edo_frame_sink_of(edo_slice) out; edo_slice line; int sent;
           char text[100];)
{
    edo_body {
        int rc;
        edo_check(edo_duplex(50, &self->near, &self->far));
        edo_line_codec_init(&self->lines, 100);
        edo_frame_sink_init(&self->out, self->near, &self->lines.codec);
        memset(self->text, 'x', sizeof self->text);
        self->line = (edo_slice){ self->text, 99 };
        for (self->sent = 0;; self->sent++) {
            edo_await_for(rc, edo_ms(1), edo_sink_send(&self->out, &self->line));
            if (rc < 0) break;
        }
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(self->sent, EDO_FRAMES_BOUNDARY / 100 + 1);
        assert_int_equal(edo_frame_sink_pending(&self->out), self->sent * 100 - 50);
        edo_frame_sink_deinit(&self->out);
        edo_close(self->near);
        edo_close(self->far);
        edo_return(0);
    }
}

/* ---- forwarding ---- */

struct read_back {
    edo_frame();
    edo_args(edo_io *io; int *count;);
    edo_line_codec lines;
    edo_frames_of(edo_slice) in;
    edo_slice line;
};

edo_async(read_back)
{
    edo_body {
        int64_t rc;
        edo_line_codec_init(&self->lines, 100);
        edo_frames_init(&self->in, self->io, &self->lines.codec);
        edo_for_each(rc, &self->in, &self->line)
            ++*self->count;
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(rc);
    }
}

/* Forwards lines to another connection: frames of one stream are sent without a copy in between, and
 * reach the peer although the input has not ended. */
async_test(a_forward_flushes_while_its_stream_waits, edo_io *a, *b, *c, *d; edo_task *reader;
           edo_line_codec lines[2]; edo_frames_of(edo_slice) in; edo_frame_sink_of(edo_slice) out;
           edo_forward_of(edo_slice) forward; int count;)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        edo_check(edo_duplex(500, &self->a, &self->b));
        edo_check(edo_duplex(500, &self->c, &self->d));
        edo_await(rc, edo_write_all(self->a, "1\n2\n3\n", 6));
        edo_line_codec_init(&self->lines[0], 100);
        edo_line_codec_init(&self->lines[1], 100);
        edo_frames_init(&self->in, self->b, &self->lines[0].codec);
        edo_frame_sink_init(&self->out, self->c, &self->lines[1].codec);
        edo_forward_init(&self->forward, &self->in, &self->out);
        rc = edo_spawn(&self->reader, read_back, .io = self->d, .count = &self->count);
        assert_int_equal(rc, 0);
        edo_await_for(rc, edo_ms(5), edo_forward(&self->forward));
        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(edo_op_progress(edo_last_op()), 3);
        assert_int_equal(self->count, 3);
        edo_await(rc, edo_write_all(self->a, "4\n", 2));
        edo_close(self->a);
        edo_await(rc, edo_forward(&self->forward));
        assert_int_equal(rc, 0);
        assert_int_equal(edo_op_progress(edo_last_op()), 1);
        edo_frames_deinit(&self->in);
        edo_frame_sink_deinit(&self->out);
        edo_close(self->b);
        edo_close(self->c);
        edo_await(rc, edo_join(self->reader));
        assert_int_equal(self->count, 4);
        edo_return(rc);
    }
}

/* ---- memory ---- */

struct few_bytes {
    edo_frame();
    edo_args(edo_io *io, *far;);
    edo_line_codec lines;
    edo_framed_of(edo_slice) peer;
    edo_slice line;
    int64_t sent, rc;
};

/* Reads a line and sends it back; without memory both answer -ENOMEM, and may be repeated. */
edo_async(few_bytes)
{
    edo_body {
        edo_await(self->rc, edo_write_all(self->far, "hello\n", 6));
        assert_int_equal(self->rc, 6);
        edo_line_codec_init(&self->lines, 100);
        edo_framed_init(&self->peer, self->io, &self->lines.codec);
        do
            edo_await(self->rc, edo_next(&self->peer.in, &self->line));
        while (self->rc == -ENOMEM);
        assert_int_equal(self->rc, 1);
        assert_memory_equal(self->line.data, "hello", 5);
        do
            edo_await(self->sent, edo_sink_send(&self->peer.out, &self->line));
        while (self->sent == -ENOMEM);
        assert_int_equal(self->sent, 0);
        edo_await(self->rc, edo_sink_close(&self->peer.out));
        assert_int_equal(self->rc, 0);
        edo_framed_deinit(&self->peer);
        edo_close(self->io);
        edo_return(0);
    }
}

static void read_few_bytes(void *arg)
{
    edo_runtime *runtime;
    edo_io *near, *far;
    (void)arg;
    if (create_runtime(&(edo_config){ .workers = 0 }, &runtime) < 0) return;
    int rc = edo_duplex(100, &near, &far);
    if (rc == 0) {
        rc = (int)edo_block_on(runtime, few_bytes, .io = near, .far = far);
        if (rc < 0) edo_close(near);
        edo_close(far);
    }
    edo_runtime_destroy(runtime);
}

current_thread_only("the allocations are counted")
test(frames_survive_a_lack_of_memory)
{
    test_allocator_install();
    assert_true(with_each_allocation_failing(read_few_bytes, NULL) > 3);
    test_allocator_remove();
}

/* ---- misuse ---- */

static void read_into_small_items(void *arg)
{
    edo_line_codec lines;
    edo_frames_of(int) in;
    edo_line_codec_init(&lines, 10);
    edo_frames_init(&in, arg, &lines.codec);
}

test(items_have_the_size_of_the_codec)
{
    expect_abort(read_into_small_items, NULL, "items of another size than the stream");
}
