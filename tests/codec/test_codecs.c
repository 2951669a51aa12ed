// edo-test: once
/* Decoders and encoders, without streams: they are functions over buffers. */
#include "codec/codecs.h"

static edo_slice text(const char *chars)
{
    return (edo_slice){ (void *)(uintptr_t)chars, strlen(chars) };
}

static edo_buffer buffer_of(const void *data, size_t size)
{
    edo_buffer buffer = { NULL, 0, 0, NULL };
    assert_int_equal(edo_buffer_append(&buffer, data, size), 0);
    return buffer;
}

static void expect_frame(edo_codec *codec, edo_buffer *in, const char *chars)
{
    edo_slice slice;
    assert_int_equal(edo_decode(codec, in, &slice), 1);
    assert_int_equal(slice.size, strlen(chars));
    assert_memory_equal(slice.data, chars, slice.size);
}

static void expect_answer(edo_codec *codec, edo_buffer *in, int64_t answer)
{
    edo_slice slice;
    assert_int_equal(edo_decode(codec, in, &slice), answer);
}

/* ---- round trips, in pieces of all sizes ---- */

/* An item that the codec takes: the text codecs refuse some bytes. */
static size_t make_item(int kind, test_random *random, uint8_t *data)
{
    size_t most = kind == LENGTH_1_LITTLE ? 200 : CODEC_MOST;
    size_t size = (size_t)test_random_below(random, test_random_below(random, 4) ? 20 : most);
    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)test_random_below(random, 256);
        if (kind <= DELIMITED) data[i] = (uint8_t)('a' + test_random_below(random, 4));
    }
    if (kind == JSON_LINES && size == 0) data[size++] = '1';
    if (kind == LENGTH_3_OFFSET && size < 2) size = 2;
    return size;
}

/* Encodes random items. Returns: number of items; their frames are noted as a decoder would. */
static void encode_items(int kind, test_random *random, edo_buffer *out, transcript *frames)
{
    any_codec codec;
    uint8_t data[CODEC_MOST];
    init_codec(&codec, kind);
    frames->size = 0;
    for (int i = 0; i < 30; i++) {
        size_t size = make_item(kind, random, data), before = out->size;
        edo_slice slice = { data, size };
        int64_t rc = edo_encode(&codec.codec, &slice, out);
        if (rc < 0) { // the item contains the delimiter
            assert_int_equal(kind, DELIMITED);
            assert_int_equal(out->size, before);
            continue;
        }
        if (kind == LENGTH_3_OFFSET) slice = (edo_slice){ out->data + before, out->size - before };
        note_answer(frames, 1, &slice);
    }
}

test(encoded_items_are_decoded_in_any_pieces)
{
    static transcript frames, decoded;
    for (int kind = 0; kind < CODECS; kind++) {
        test_random random = test_random_make((uint64_t)kind);
        edo_buffer out = { NULL, 0, 0, NULL };
        encode_items(kind, &random, &out, &frames);
        for (size_t piece = 1; piece < 80; piece += piece < 8 ? 1 : 13) {
            decode_pieces(kind, out.data, out.size, piece, piece, &decoded);
            assert_string_equal(decoded.text, frames.text);
        }
        for (size_t cut = 1; cut < out.size; cut++) {
            decode_pieces(kind, out.data, out.size, cut, SIZE_MAX, &decoded);
            assert_string_equal(decoded.text, frames.text);
        }
        edo_buffer_deinit(&out);
    }
}

/* Bytes of a few values, so that lengths, delimiters and ends are frequent. */
test(the_answers_for_any_bytes_do_not_depend_on_the_pieces)
{
    static transcript whole, pieces;
    static const char bytes[] = "aab\n\r\0\0\001\002\003:,59{\xff";
    uint8_t data[1200];
    for (int i = 0; i < 400; i++) {
        int kind = i % CODECS;
        test_random random = test_random_make(1000 + (uint64_t)i);
        size_t size = 1 + (size_t)test_random_below(&random, sizeof data);
        bool is_long = i % (2 * CODECS) >= CODECS; // parts that are too long
        for (size_t at = 0; at < size; at++)
            data[at] = is_long && test_random_below(&random, 200)
                           ? 'x'
                           : (uint8_t)bytes[test_random_below(&random, sizeof bytes - 1)];
        decode_pieces(kind, data, size, 1, 1, &whole);
        for (size_t piece = 2; piece < 40; piece += 7) {
            pieces.at_once = piece % (MOST_AT_ONCE + 1);
            decode_pieces(kind, data, size, piece, piece, &pieces);
            assert_string_equal(pieces.text, whole.text);
        }
    }
}

test(a_frame_shorter_than_the_skipped_bytes_is_refused)
{
    edo_length_codec codec;
    edo_buffer in = { NULL, 0, 0, NULL };
    edo_slice slices[4];
    edo_length_codec_init(&codec, &(edo_length_options){ .length_size = 2, .skip = 6 });
    assert_int_equal(edo_buffer_append(&in, "\0\5abcde\0\1x\0\4abcd", 16), 0);
    assert_int_equal(codec.codec.ops->decode_many(&codec.codec, &in, slices, 4), 1);
    assert_int_equal(slices[0].size, 1);
    assert_memory_equal(slices[0].data, "e", 1);
    assert_int_equal(edo_decode(&codec.codec, &in, slices), -EBADMSG);
    assert_int_equal(edo_decode(&codec.codec, &in, slices), 1);
    assert_int_equal(slices[0].size, 0);
    edo_buffer_deinit(&in);
}

/* Items are encoded at once until the buffer has reached the boundary, or up to an item that is
 * refused, and become the bytes that they become one by one. */
test(items_encoded_at_once_are_those_encoded_one_by_one)
{
    static char text[CODEC_MOST + 1];
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 1000; i++) {
        int kind = i % CODECS;
        test_random random = test_random_make(2000 + (uint64_t)i);
        any_codec codec;
        edo_buffer one = { NULL, 0, 0, NULL }, many = { NULL, 0, 0, NULL };
        edo_slice items[20];
        size_t boundary = test_random_below(&random, 3000), expected = 0, count;
        init_codec(&codec, kind);
        if (!codec.codec.ops->encode_many) continue;
        for (int k = 0; k < 20; k++)
            items[k] = (edo_slice){ text, test_random_below(&random, sizeof text + (k == 15)) };
        while (expected < 20 && (expected == 0 || one.size < boundary) &&
               edo_encode(&codec.codec, &items[expected], &one) == 0)
            expected++;
        count = codec.codec.ops->encode_many(&codec.codec, items, 20, &many, boundary);
        assert_int_equal(count, expected);
        assert_int_equal(many.size, one.size);
        if (one.size) assert_memory_equal(many.data, one.data, one.size);
        edo_buffer_deinit(&one);
        edo_buffer_deinit(&many);
    }
}

/* ---- lines ---- */

test(a_long_line_is_reported_once_and_skipped)
{
    edo_line_codec lines;
    edo_line_codec_init(&lines, 11);
    edo_buffer in = buffer_of("0123456789012", 13);
    expect_answer(&lines.codec, &in, -EMSGSIZE);
    assert_int_equal(edo_buffer_append(&in, "3456789012345", 13), 0);
    expect_answer(&lines.codec, &in, 0);
    assert_int_equal(edo_buffer_append(&in, "0123456789\nshort\n", 17), 0);
    expect_frame(&lines.codec, &in, "short");
    expect_answer(&lines.codec, &in, 0);
    edo_buffer_deinit(&in);
}

test(the_bound_of_a_line_does_not_count_its_end)
{
    edo_line_codec lines;
    edo_line_codec_init(&lines, 4);
    edo_buffer in = buffer_of("1234\r", 5);
    expect_answer(&lines.codec, &in, 0);
    assert_int_equal(edo_buffer_append(&in, "\n12345\n\r\n\n", 10), 0);
    expect_frame(&lines.codec, &in, "1234");
    expect_answer(&lines.codec, &in, -EMSGSIZE);
    expect_frame(&lines.codec, &in, "");
    expect_frame(&lines.codec, &in, "");
    edo_buffer_deinit(&in);
}

test(the_last_line_needs_no_end_unless_strict)
{
    edo_line_codec lines;
    edo_slice slice;
    for (int strict = 0; strict < 2; strict++) {
        edo_line_codec_init(&lines, 100);
        if (strict) edo_part_codec_set_strict(&lines);
        edo_buffer in = buffer_of("line 1", 6);
        expect_answer(&lines.codec, &in, 0);
        int64_t result = edo_decode_end(&lines.codec, &in, &slice);
        assert_int_equal(result, strict ? -EDO_EOF : 1);
        if (!strict) assert_int_equal(edo_decode_end(&lines.codec, &in, &slice), 0);
        edo_buffer_deinit(&in);
    }
}

test(text_lines_are_utf8)
{
    edo_line_codec lines;
    edo_json_line_codec_init(&lines, 100);
    edo_buffer in = buffer_of("\n\"\xc3\x28\"\n{\"a\":1}\n", 14);
    expect_answer(&lines.codec, &in, -EILSEQ);
    expect_frame(&lines.codec, &in, "{\"a\":1}");
    edo_slice bad = text("\xc3\x28"), none = text("");
    assert_int_equal(edo_encode(&lines.codec, &bad, &in), -EILSEQ);
    assert_int_equal(edo_encode(&lines.codec, &none, &in), -EINVAL);
    assert_int_equal(in.size, 0);
    edo_buffer_deinit(&in);
}

test(an_item_with_a_delimiter_is_not_encoded)
{
    any_codec codec;
    edo_buffer out = { NULL, 0, 0, NULL };
    edo_slice slice = text("a\nb");
    init_codec(&codec, LINES);
    assert_int_equal(edo_encode(&codec.codec, &slice, &out), -EINVAL);
    edo_part_codec_init(&codec.part, "aa", 2, 100);
    slice = text("xa"); // with the delimiter: "xaaa", whose first "aa" is too early
    assert_int_equal(edo_encode(&codec.codec, &slice, &out), -EINVAL);
    assert_int_equal(out.size, 0);
    edo_buffer_deinit(&out);
}

test(a_delimiter_is_found_across_all_cuts)
{
    static const char data[] = "xaaab";
    for (size_t cut = 0; cut <= 5; cut++) {
        edo_part_codec parts;
        edo_part_codec_init(&parts, "aab", 3, 100);
        edo_buffer in = buffer_of(data, cut);
        if (cut < 5) expect_answer(&parts.codec, &in, 0);
        assert_int_equal(edo_buffer_append(&in, data + cut, 5 - cut), 0);
        expect_frame(&parts.codec, &in, "xa");
        edo_buffer_deinit(&in);
    }
}

/* The decoder searches each byte once: 16 MiB in pieces of 1 KiB would take minutes otherwise. */
test(a_long_line_in_small_pieces_takes_linear_time)
{
    enum { PIECE = 1024, LINE = 16 << 20 };
    static char piece[PIECE];
    edo_line_codec lines;
    edo_buffer in = { NULL, 0, 0, NULL };
    memset(piece, 'x', sizeof piece);
    edo_line_codec_init(&lines, SIZE_MAX);
    for (size_t at = 0; at < LINE; at += PIECE) {
        assert_int_equal(edo_buffer_append(&in, piece, PIECE), 0);
        expect_answer(&lines.codec, &in, 0);
        assert_int_equal(lines.codec.scanned, in.size);
    }
    edo_buffer_deinit(&in);
}

/* ---- lengths ---- */

static void expect_length(const edo_length_options *options, const char *header, size_t size,
                          int64_t answer)
{
    edo_length_codec codec;
    edo_length_codec_init(&codec, options);
    edo_buffer in = buffer_of(header, size);
    expect_answer(&codec.codec, &in, answer);
    assert_true(in.capacity < 4096);
    edo_buffer_deinit(&in);
}

test(an_announced_length_is_bounded_before_memory_is_taken)
{
    const edo_length_options four = { .most = 1000 }, eight = { .most = 1000, .length_size = 8 };
    expect_length(&four, "\xff\xff\xff\xf0", 4, -EMSGSIZE);
    expect_length(&four, "\0\0\x03\xe9", 4, -EMSGSIZE);
    expect_length(&four, "\0\0\x03\xe8", 4, 0);
    expect_length(&eight, "\0\0\0\1\0\0\0\0", 8, -EMSGSIZE);
    expect_length(&eight, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8, -EMSGSIZE);
    expect_length(&eight, "\x80\0\0\0\0\0\0\0", 8, -EBADMSG);
    expect_length(&eight, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, -EBADMSG);
}

/* The bound applies to the payload, after the adjustment. */
test(the_bound_applies_after_the_adjustment)
{
    static const int64_t adjustments[] = { -4, 0, 9 };
    for (int i = 0; i < 3; i++) {
        edo_length_options options = { .most = 100, .adjustment = adjustments[i] };
        for (int64_t payload = 99; payload <= 101; payload++) {
            char header[4];
            edo_store_u32(header, (uint32_t)(payload - options.adjustment));
            expect_length(&options, header, sizeof header, payload <= 100 ? 0 : -EMSGSIZE);
        }
    }
    const edo_length_options less = { .adjustment = -4 };
    for (char value = 0; value < 4; value++)
        expect_length(&less, (char[]){ 0, 0, 0, value }, 4, -EBADMSG);
    const edo_length_options much = { .adjustment = INT64_MAX };
    expect_length(&much, "\0\0\0\1", 4, -EBADMSG);
}

test(a_refused_frame_is_skipped_however_it_arrives)
{
    static transcript decoded, expected;
    static const char data[] = "\0\0\1\055"
                               "0123456789"; // 301 bytes follow, one too many
    uint8_t bytes[4 + 301 + 6];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, data, 14);
    memcpy(bytes + 4 + 301, "\0\0\0\2ok", 6);
    edo_slice ok = text("ok");
    expected.size = 0;
    note_answer(&expected, -EMSGSIZE, NULL);
    note_answer(&expected, 1, &ok);
    for (size_t piece = 1; piece <= sizeof bytes; piece++) {
        decode_pieces(LENGTH_4, bytes, sizeof bytes, piece, piece, &decoded);
        assert_string_equal(decoded.text, expected.text);
    }
}

test(an_encoder_refuses_what_its_field_cannot_hold)
{
    static char data[70000];
    edo_buffer out = { NULL, 0, 0, NULL };
    for (uint8_t size = 1; size <= 2; size++) {
        edo_length_codec codec;
        size_t most = size == 1 ? 255 : 65535;
        edo_length_codec_init(&codec, &(edo_length_options){ .length_size = size });
        edo_slice fits = { data, most }, large = { data, most + 1 };
        assert_int_equal(edo_encode(&codec.codec, &large, &out), -EMSGSIZE);
        assert_int_equal(out.size, 0);
        assert_int_equal(edo_encode(&codec.codec, &fits, &out), 0);
        assert_int_equal(out.size, size + most);
        assert_int_equal(edo_buffer_truncate(&out, 0), 0);
    }
    edo_buffer_deinit(&out);
}

test(a_frame_smaller_than_what_is_left_out_is_bad)
{
    edo_length_codec codec;
    edo_length_codec_init(&codec, &(edo_length_options){ .length_size = 1, .skip = 3 });
    edo_buffer in = buffer_of("\1x\3xyz", 6);
    expect_answer(&codec.codec, &in, -EBADMSG);
    expect_frame(&codec.codec, &in, "z");
    edo_buffer_deinit(&in);
}

/* ---- netstrings, COBS ---- */

test(netstrings_have_one_form)
{
    static const char *const bad[] = { "05:hello,", ":x,",   "5hello,",
                                       "5:hello;",  "-1:x,", "99999999999999999999:" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edo_netstring_codec codec;
        edo_netstring_codec_init(&codec, 100);
        edo_buffer in = buffer_of(bad[i], strlen(bad[i]));
        expect_answer(&codec.codec, &in, -EBADMSG);
        assert_true(codec.codec.is_broken);
        edo_buffer_deinit(&in);
    }
    edo_netstring_codec codec;
    edo_netstring_codec_init(&codec, 3);
    edo_buffer in = buffer_of("4:long,0:,2:ok,", 15);
    expect_answer(&codec.codec, &in, -EMSGSIZE);
    expect_frame(&codec.codec, &in, "");
    expect_frame(&codec.codec, &in, "ok");
    edo_buffer_deinit(&in);
}

test(cobs_is_that_of_the_paper)
{
    static const struct {
        const char *plain, *packed;
        size_t plain_size, packed_size;
    } cases[] = {
        { "\0", "\1\1\0", 1, 3 },
        { "\0\0", "\1\1\1\0", 2, 4 },
        { "\x11\x22\0\x33", "\3\x11\x22\2\x33\0", 4, 6 },
        { "\x11\0\0\0", "\2\x11\1\1\1\0", 4, 6 },
    };
    edo_cobs_codec codec;
    edo_cobs_codec_init(&codec, 10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edo_buffer out = { NULL, 0, 0, NULL };
        edo_slice item = { (void *)(uintptr_t)cases[i].plain, cases[i].plain_size };
        assert_int_equal(edo_encode(&codec.codec, &item, &out), 0);
        assert_int_equal(out.size, cases[i].packed_size);
        assert_memory_equal(out.data, cases[i].packed, out.size);
        edo_buffer_deinit(&out);
    }
    edo_buffer in = buffer_of("\5x\0\0\2y\0", 7);
    expect_answer(&codec.codec, &in, -EBADMSG);
    expect_frame(&codec.codec, &in, "y");
    edo_buffer_deinit(&in);
}

/* ---- own decoders ---- */

static int64_t lazy_decode(edo_codec *codec, edo_buffer *in, void *ret_item)
{
    (void)codec;
    (void)in;
    (void)ret_item;
    return 1;
}

test(progress_without_bytes_is_caught)
{
    static const edo_codec_ops ops = { .name = "lazy", .decode = lazy_decode };
    edo_codec codec = EDO_CODEC_INIT(&ops);
    edo_buffer in = buffer_of("x", 1);
    expect_answer(&codec, &in, -EPROTO);
    assert_true(codec.is_broken);
    edo_buffer_deinit(&in);
}

/* ---- against getline(3) ---- */

test(lines_are_those_of_getline)
{
    static transcript ours, theirs;
    for (uint64_t i = 0; i < 60; i++) {
        test_random random = test_random_make(5000 + i);
        char data[600], *line = NULL;
        size_t size = (size_t)test_random_below(&random, sizeof data), capacity = 0;
        for (size_t at = 0; at < size; at++)
            data[at] = "abc\n"[test_random_below(&random, 4)];
        theirs.size = ours.size = 0;
        theirs.text[0] = '\0';
        FILE *file = size ? fmemopen(data, size, "r") : NULL;
        for (ssize_t n; file && (n = getline(&line, &capacity, file)) >= 0;) {
            edo_slice slice = { line, (size_t)n - (line[n - 1] == '\n') };
            note_answer(&theirs, 1, &slice);
        }
        decode_pieces(LINES, (const uint8_t *)data, size, 7, 7, &ours);
        assert_string_equal(ours.text, theirs.text);
        if (file) fclose(file);
        free(line);
    }
}
