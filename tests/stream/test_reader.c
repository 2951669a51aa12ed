/* Buffered readers, on every kind of stream. */
#include "support/streams.h"

#include <string.h>

#include <edo/buffered.h>
#include <edo/streams.h>

enum { ROOM = 64 };

/* Writes data in pieces, each a millisecond after the last, and closes the stream. */
struct feed {
    edo_frame();
    edo_args(edo_io *io; const void *data; size_t size, piece; int64_t pause;);
    size_t at;
};

edo_async(feed)
{
    edo_body {
        int64_t n;
        for (self->at = 0; self->at < self->size;) {
            size_t rest = self->size - self->at;
            edo_await(n, edo_write_all(self->io, (const char *)self->data + self->at,
                                       rest < self->piece ? rest : self->piece));
            if (n < 0) break;
            self->at += (size_t)n;
            if (self->pause) edo_await_void(edo_sleep(self->pause));
        }
        edo_close(self->io);
        edo_return(0);
    }
}

#define assert_slice(slice, text)                                                                  \
    do {                                                                                           \
        assert_int_equal((slice)->size, sizeof(text) - 1);                                         \
        assert_memory_equal((slice)->data, text, sizeof(text) - 1);                                \
    } while (0)

/* ---- lines ---- */

#define ENDS "a\r\nb\rc\0\n\r\nd"

static const struct {
    const char *text;
    size_t size;
} lines[] = { { "a", 1 }, { "b\rc\0", 4 }, { "", 0 }, { "d", 1 } };

/* Ends of lines are found wherever the cuts between reads are. */
struct lines_at_cuts {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_reader reader;
    edo_slice line;
    size_t piece, i;
    char memory[EDO_BUFFERED_LEAST];
};

edo_async(lines_at_cuts)
{
    edo_body {
        int64_t n;
        for (self->piece = 1; self->piece < sizeof ENDS; self->piece++) {
            open_streams(self->kind, &self->in, &self->out);
            edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
            n = edo_go(feed, .io = self->out, .data = ENDS, .size = sizeof ENDS - 1,
                       .piece = self->piece, .pause = edo_ms(1));
            assert_int_equal(n, 0);
            for (self->i = 0; self->i < ARRAY_LENGTH(lines); self->i++) {
                edo_await(n, edo_read_line(&self->reader, &self->line));
                assert_int_equal(n, 1);
                assert_int_equal(self->line.size, lines[self->i].size);
                assert_memory_equal(self->line.data, lines[self->i].text, lines[self->i].size);
                assert_int_equal(edo_reader_was_whole(&self->reader), self->i < 3);
            }
            edo_await(n, edo_read_line(&self->reader, &self->line));
            assert_int_equal(n, 0);
            edo_close(self->in);
        }
        edo_return(0);
    }
}

test_each_stream(lines_at_cuts)

    /* A line without an end costs no memory, and its rest is not taken for the next line. */
    struct line_too_long {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_reader reader;
    edo_slice line;
    char *data, memory[EDO_BUFFERED_LEAST];
    size_t size;
};

edo_async(line_too_long)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
        self->size = bulk_size() / 16;
        self->data = test_malloc(self->size);
        memset(self->data, 'a', self->size);
        memcpy(self->data, "0123456789abcde\n", 16); // as long as the memory: is held
        memcpy(self->data + self->size - 4, "\nok\n", 4);
        n = edo_go(feed, .io = self->out, .data = self->data, .size = self->size, .piece = 1000);
        assert_int_equal(n, 0);
        edo_await(n, edo_read_line(&self->reader, &self->line));
        assert_int_equal(n, 1);
        assert_slice(&self->line, "0123456789abcde");
        edo_await(n, edo_read_line(&self->reader, &self->line));
        assert_int_equal(n, -EMSGSIZE);
        edo_await(n, edo_read_line(&self->reader, &self->line));
        assert_int_equal(n, 1);
        assert_slice(&self->line, "ok");
        edo_await(n, edo_read_line(&self->reader, &self->line));
        assert_int_equal(n, 0);
        edo_close(self->in);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(line_too_long)
/* ---- cancelled at every byte ---- */

/* Repeats an operation with a limit until it is ready. */
#define await_in_parts(n, ...)                                                                     \
    do                                                                                             \
        edo_await_for(n, edo_us(300), __VA_ARGS__);                                                \
    while (n == -ETIMEDOUT)

#define INPUT                                                                                      \
    "line\npart;until|\x01\x02\x03\x04peekexactly a long one of more than 16 bytesto the end"

    /* The operations are cancelled between any two bytes, and lose none. */
    struct cancel_between_bytes {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_reader reader;
    edo_slice slice;
    edo_buffer buffer;
    uint32_t number;
    size_t got;
    char memory[EDO_BUFFERED_LEAST], exact[ROOM];
};

edo_async(cancel_between_bytes)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
        self->buffer = (edo_buffer){ 0 };
        n = edo_go(feed, .io = self->out, .data = INPUT, .size = sizeof INPUT - 1, .piece = 1,
                   .pause = edo_ms(1));
        assert_int_equal(n, 0);
        await_in_parts(n, edo_read_line(&self->reader, &self->slice));
        assert_int_equal(n, 1);
        assert_slice(&self->slice, "line");
        await_in_parts(n, edo_read_part(&self->reader, ';', &self->slice));
        assert_int_equal(n, 1);
        assert_slice(&self->slice, "part");
        await_in_parts(n, edo_read_until(&self->reader, '|', &self->buffer, ROOM));
        assert_int_equal(n, 1); // the last byte: the others were appended before
        assert_slice(&self->buffer, "until|");
        await_in_parts(n, edo_read_u32(&self->reader, &self->number));
        assert_int_equal(n, 0);
        assert_int_equal(self->number, 0x01020304);
        await_in_parts(n, edo_peek(&self->reader, 4, &self->slice));
        assert_int_equal(n, 4);
        await_in_parts(n, edo_reader_read_exact(&self->reader, self->exact, 11));
        assert_int_equal(n, 11);
        assert_memory_equal(self->exact, "peekexactly", 11);
        for (self->got = 0; self->got < 34; self->got += edo_op_progress(edo_last_op()))
            edo_await_for(
                n, edo_us(300),
                edo_reader_read_exact(&self->reader, self->exact + self->got, 34 - self->got));
        assert_memory_equal(self->exact, " a long one of more than 16 bytes", 33);
        edo_buffer_deinit(&self->buffer);
        await_in_parts(n, edo_read_to_end(&self->reader, &self->buffer, ROOM));
        assert_int_equal(n, 0);
        assert_slice(&self->buffer, "o the end");
        edo_buffer_deinit(&self->buffer);
        edo_close(self->in);
        edo_return(0);
    }
}

test_each_stream(cancel_between_bytes)

    /* ---- order ---- */

    /* Bytes ahead come before bytes that are read past the memory. */
    struct order_of_bypass {
    edo_frame();
    edo_args(stream_kind kind;);
    edo_io *in, *out;
    edo_reader reader;
    edo_slice ahead;
    size_t got, size;
    char *data, memory[ROOM];
};

edo_async(order_of_bypass)
{
    edo_body {
        int64_t n;
        open_streams(self->kind, &self->in, &self->out);
        edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
        self->size = bulk_size() / 16;
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        n = edo_go(feed, .io = self->out, .data = self->data, .size = self->size, .piece = 3000);
        assert_int_equal(n, 0);
        for (self->got = 0; self->got < self->size;) {
            static char part[4000];
            edo_await(n, edo_peek(&self->reader, 1, &self->ahead));
            assert_true(n > 0 && is_pattern(self->ahead.data, self->ahead.size, 1, self->got));
            edo_await(n, edo_reader_read(&self->reader, part, self->got % 7 ? sizeof part : 5));
            assert_true(n > 0 && is_pattern(part, (size_t)n, 1, self->got));
            self->got += (size_t)n;
            edo_await(n, edo_reader_read_exact(&self->reader, part, self->got % 500));
            if (n == -EDO_EOF) break;
            assert_int_equal(n, self->got % 500);
            assert_true(is_pattern(part, (size_t)n, 1, self->got));
            self->got += (size_t)n;
        }
        edo_close(self->in);
        test_free(self->data);
        edo_return(0);
    }
}

test_each_stream(order_of_bypass)

    /* ---- other delimiters ---- */

    static void init_with(edo_reader *reader, edo_io *ends[2], void *memory, const char *text)
{
    int fds[2];
    open_pair(UNIX_STREAM, fds);
    fd_write_all(fds[1], text, strlen(text));
    ends[0] = wrap(fds[0]);
    ends[1] = wrap(fds[1]);
    edo_reader_init(reader, ends[0], memory, EDO_BUFFERED_LEAST);
}

/* Bytes that a cancelled call has searched for one delimiter are searched again for another. */
async_test(another_delimiter_is_searched_from_the_start,
    edo_io *ends[2];
    edo_reader reader;
    edo_slice slice;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        init_with(&self->reader, self->ends, self->memory, "ab;cd\r");
        do
            edo_await_for(n, edo_ms(1), edo_read_line(&self->reader, &self->slice));
        while (edo_reader_ahead(&self->reader).size < 6);
        assert_int_equal(n, -ETIMEDOUT);
        assert_int_equal(edo_try_read_line(&self->reader, &self->slice), -EAGAIN);
        assert_int_equal(edo_try_read_part(&self->reader, ';', &self->slice), 1);
        assert_slice(&self->slice, "ab");
        edo_close(self->ends[1]);
        edo_await(n, edo_read_line(&self->reader, &self->slice)); // "\r" ends no line
        assert_int_equal(n, 1);
        assert_slice(&self->slice, "cd\r");
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

/* ---- bounds ---- */

/* More than the limit is refused, and stays ahead. */
async_test(buffers_are_bounded,
    edo_io *ends[2];
    edo_reader reader;
    edo_buffer buffer;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        self->buffer = (edo_buffer){ 0 };
        init_with(&self->reader, self->ends, self->memory, "0123456789;rest of the input");
        edo_await(n, edo_read_until(&self->reader, ';', &self->buffer, 10));
        assert_int_equal(n, -EMSGSIZE);
        assert_true(self->buffer.size <= 10);
        edo_await(n, edo_read_until(&self->reader, ';', &self->buffer, 11));
        assert_true(n >= 0);
        assert_slice(&self->buffer, "0123456789;");
        edo_buffer_deinit(&self->buffer);
        edo_close(self->ends[1]);
        edo_await(n, edo_read_to_end(&self->reader, &self->buffer, 16));
        assert_int_equal(n, -EMSGSIZE);
        edo_await(n, edo_read_to_end(&self->reader, &self->buffer, 17));
        assert_true(n >= 0);
        assert_slice(&self->buffer, "rest of the input");
        edo_await(n, edo_read_to_end(&self->reader, &self->buffer, 17));
        assert_int_equal(n, 0);
        edo_buffer_deinit(&self->buffer);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

async_test(the_end_comes_too_early,
    edo_io *ends[2];
    edo_reader reader;
    edo_slice slice;
    uint64_t number;
    char memory[EDO_BUFFERED_LEAST], out[ROOM];)
{
    edo_body {
        int64_t n;
        init_with(&self->reader, self->ends, self->memory, "1234");
        edo_close(self->ends[1]);
        edo_await(n, edo_read_u64(&self->reader, &self->number));
        assert_int_equal(n, -EDO_EOF);
        edo_await(n, edo_reader_read_exact(&self->reader, self->out, 5));
        assert_int_equal(n, -EDO_EOF);
        edo_await(n, edo_peek(&self->reader, 5, &self->slice));
        assert_int_equal(n, 4);
        assert_slice(&self->slice, "1234");
        assert_int_equal(edo_reader_consume(&self->reader, 5), -EINVAL);
        assert_int_equal(edo_reader_consume(&self->reader, 4), 0);
        edo_await(n, edo_peek(&self->reader, 1, &self->slice));
        assert_int_equal(n, 0);
        edo_await(n, edo_reader_read(&self->reader, self->out, 5));
        assert_int_equal(n, 0);
        edo_await(n, edo_read_part(&self->reader, ';', &self->slice));
        assert_int_equal(n, 0);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

async_test(refusals,
    edo_io *ends[2];
    edo_reader reader;
    edo_slice slice;
    edo_op ops[2];
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        init_with(&self->reader, self->ends, self->memory, "");
        edo_await(n, edo_peek(&self->reader, EDO_BUFFERED_LEAST + 1, &self->slice));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_peek(&self->reader, 0, &self->slice));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_read_line(NULL, &self->slice));
        assert_int_equal(n, -EINVAL);
        edo_await(n, edo_read_line(&self->reader, NULL));
        assert_int_equal(n, -EINVAL);
        assert_int_equal(edo_try_read_line(NULL, &self->slice), -EINVAL);
        edo_await(n, edo_reader_read(&self->reader, self->memory, 0));
        assert_int_equal(n, 0);
        self->ops[0] = edo_read_line(&self->reader, &self->slice);
        self->ops[1] = edo_read_line(&self->reader, &self->slice);
        edo_select_biased_of(n, self->ops, 2);
        assert_int_equal(n, 1);
        assert_int_equal(self->ops[1].base.result, -EBUSY);
        assert_int_equal(self->ops[0].base.result, -ECANCELED);
        edo_close(self->ends[0]);
        edo_close(self->ends[1]);
        edo_return(0);
    }
}

static void init_too_small(void *arg)
{
    edo_reader reader;
    char memory[EDO_BUFFERED_LEAST - 1];
    (void)arg;
    edo_reader_init(&reader, NULL, memory, sizeof memory);
}

test(memory_that_is_too_small_ends_the_process)
{
    expect_abort(init_too_small, NULL, "edo_reader_init: a reader needs memory");
}

/* ---- numbers, text ---- */

#define numbers_data(name, type, little) self->size += sizeof(type);
#define read_one(name, type, little)                                                               \
    do {                                                                                           \
        edo_await(n, edo_read_##name(&self->reader, (type *)(void *)self->value));                 \
        assert_int_equal(n, 0);                                                                    \
        type expected_ = edo_load_##name(self->data + self->at);                                   \
        assert_memory_equal(self->value, &expected_, sizeof(type));                                \
        self->at += sizeof(type);                                                                  \
    } while (0);

async_test(numbers,
    edo_io *in, *out;
    edo_reader reader;
    size_t size, at;
    uint64_t value[2] __attribute__((aligned(16)));
    char data[256], memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        open_streams(UNIX_STREAM, &self->in, &self->out);
        self->size = self->at = 0;
        EDO__NUMBERS(numbers_data)
        fill_pattern(self->data, self->size, 1, 0);
        edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
        n = edo_go(feed, .io = self->out, .data = self->data, .size = self->size, .piece = 3);
        assert_int_equal(n, 0);
        EDO__NUMBERS(read_one)
        assert_int_equal(self->at, self->size);
        edo_close(self->in);
        edo_return(0);
    }
}

test(utf8)
{
    static const char *const good[] = { "",
                                        "abc",
                                        "\xc2\x80",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xef\xbf\xbf",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "a\xc3\xa4z" };
    static const char *const bad[] = { "\x80",
                                       "\xc0\xaf",
                                       "\xc1\xbf",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff",
                                       "a\xc3",
                                       "\xe2\x82",
                                       "\xc3(" };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
        assert_true(edo_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_false(edo_is_utf8(bad[i], strlen(bad[i])));
    assert_true(edo_is_utf8("a\0b", 3));
}

async_test(text_is_checked,
    edo_io *ends[2];
    edo_reader reader;
    edo_buffer buffer;
    char memory[EDO_BUFFERED_LEAST];)
{
    edo_body {
        int64_t n;
        self->buffer = (edo_buffer){ 0 };
        init_with(&self->reader, self->ends, self->memory, "gr\xc3\xbc\xc3\x9f");
        edo_close(self->ends[1]);
        edo_await(n, edo_read_text(&self->reader, &self->buffer, ROOM));
        assert_int_equal(n, 6);
        edo_close(self->ends[0]);
        edo_buffer_deinit(&self->buffer);
        init_with(&self->reader, self->ends, self->memory, "gr\xfc");
        edo_close(self->ends[1]);
        edo_await(n, edo_read_text(&self->reader, &self->buffer, ROOM));
        assert_int_equal(n, -EILSEQ);
        assert_int_equal(self->buffer.size, 3);
        edo_buffer_deinit(&self->buffer);
        edo_close(self->ends[0]);
        edo_return(0);
    }
}

/* ---- no memory ---- */

struct read_all {
    edo_frame();
    edo_args();
    edo_io *in, *out;
    edo_reader reader;
    edo_buffer buffer;
    size_t size;
    char *data, memory[ROOM];
};

/* Bytes read before memory ran out are in the buffer, and the rest can still be read. */
edo_async(read_all)
{
    edo_body {
        int64_t n;
        n = edo_duplex(4096, &self->in, &self->out);
        if (n < 0) edo_return(n);
        edo_reader_init(&self->reader, self->in, self->memory, sizeof self->memory);
        self->buffer = (edo_buffer){ 0 };
        self->size = 3000;
        self->data = test_malloc(self->size);
        fill_pattern(self->data, self->size, 1, 0);
        edo_await(n, edo_write_all(self->out, self->data, self->size));
        edo_close(self->out);
        do
            edo_await(n, edo_read_to_end(&self->reader, &self->buffer, 1 << 20));
        while (n == -ENOMEM);
        assert_true(n >= 0);
        assert_int_equal(self->buffer.size, self->size);
        assert_true(is_pattern(self->buffer.data, self->size, 1, 0));
        edo_buffer_deinit(&self->buffer);
        edo_close(self->in);
        test_free(self->data);
        edo_return(0);
    }
}

static void run_read_all(void *arg)
{
    edo_runtime *runtime;
    (void)arg;
    if (create_runtime(NULL, &runtime) < 0) return;
    int64_t rc = edo_block_on(runtime, read_all);
    assert_true(rc == 0 || rc == -ENOMEM);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

test(no_memory)
{
    log_capture();
    assert_true(with_each_allocation_failing(run_read_all, NULL) >= 8);
    log_release();
}
