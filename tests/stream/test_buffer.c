/* edo-test: once
 * Buffers that grow, and chains. */
#include "support/support.h"

#include <string.h>

#include "stream/block.h"

#define buffer_test(name) allocator_fixture() test(name)

#define assert_text(buffer, text)                                                                  \
    do {                                                                                           \
        assert_int_equal((buffer)->size, strlen(text));                                            \
        assert_memory_equal((buffer)->data, text, strlen(text));                                   \
    } while (0)

static void append(edo_buffer *buffer, const char *text)
{
    assert_int_equal(edo_buffer_append(buffer, text, strlen(text)), 0);
}

/* ---- growing ---- */

buffer_test(bytes_are_appended_and_read)
{
    edo_buffer buffer = { 0 };
    char out[4];
    append(&buffer, "hello ");
    assert_int_equal(edo_buffer_printf(&buffer, "%d%s", 42, "!"), 0);
    assert_text(&buffer, "hello 42!");
    assert_int_equal(edo_buffer_take(&buffer, out, 4), 0);
    assert_memory_equal(out, "hell", 4);
    assert_int_equal(edo_buffer_truncate(&buffer, 2), 0);
    assert_text(&buffer, "o ");
    assert_int_equal(edo_buffer_resize(&buffer, 4, '.'), 0);
    assert_text(&buffer, "o ..");
    assert_int_equal(edo_buffer_take(&buffer, out, 5), -EDO_EOF);
    assert_int_equal(edo_buffer_advance(&buffer, 5), -EINVAL);
    assert_int_equal(edo_buffer_truncate(&buffer, 5), -EINVAL);
    assert_int_equal(edo_buffer_commit(&buffer, edo_buffer_room(&buffer) + 1), -EINVAL);
    assert_text(&buffer, "o ..");
    edo_buffer_deinit(&buffer);
    edo_buffer_deinit(&buffer);
    edo_buffer_deinit(NULL);
}

buffer_test(formatted_text_grows_the_buffer)
{
    edo_buffer buffer = { 0 };
    for (int i = 0; i < 100; i++)
        assert_int_equal(edo_buffer_printf(&buffer, "%0*d;", i, 7), 0);
    assert_int_equal(buffer.size, 1 + 99 * 100 / 2 + 100);
    edo_buffer_deinit(&buffer);
}

/* The source moves with the buffer when that grows. */
buffer_test(a_buffer_is_appended_to_itself)
{
    edo_buffer buffer = { 0 };
    append(&buffer, "0123456789");
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(edo_buffer_append(&buffer, buffer.data, buffer.size), 0);
    assert_int_equal(buffer.size, 10 << 10);
    for (size_t i = 0; i < buffer.size; i++)
        assert_int_equal(buffer.data[i], '0' + i % 10);
    edo_buffer_deinit(&buffer);
}

buffer_test(sizes_that_overflow_are_refused)
{
    edo_buffer buffer = { 0 };
    append(&buffer, "kept");
    assert_int_equal(edo_buffer_reserve(&buffer, SIZE_MAX - 2), -ENOMEM);
    assert_int_equal(edo_buffer_reserve(&buffer, SIZE_MAX - 4), -ENOMEM);
    assert_text(&buffer, "kept");
    edo_buffer_deinit(&buffer);
}

enum { ROUNDS = 100000 };

/* The front is given away again and again: the block is used again, and does not grow. */
buffer_test(reserve_reclaims_the_front_of_a_unique_block)
{
    edo_buffer buffer = { 0 };
    uint64_t before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(edo_buffer_reserve(&buffer, 512), 0);
        memset(edo_buffer_tail(&buffer), 'x', 512);
        assert_int_equal(edo_buffer_commit(&buffer, 512), 0);
        edo_buffer front;
        assert_int_equal(edo_buffer_split_to(&buffer, 256, &front), 0);
        edo_buffer_deinit(&front);
        assert_int_equal(edo_buffer_advance(&buffer, 256), 0);
        if (i == 10) before = test_allocator_calls();
    }
    assert_int_equal(test_allocator_calls(), before);
    assert_true(buffer.block->size < 8192);
    edo_buffer_deinit(&buffer);
}

/* Slices that are kept: a new block for each round of them, of constant size. */
buffer_test(a_shared_block_is_left_and_the_next_is_no_larger)
{
    edo_buffer buffer = { 0 };
    edo_bytes kept = { 0 };
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(edo_buffer_reserve(&buffer, 300), 0);
        assert_int_equal(edo_buffer_commit(&buffer, 300), 0);
        edo_buffer part = edo_buffer_split(&buffer);
        edo_bytes_deinit(&kept);
        kept = edo_buffer_freeze(&part);
        assert_true(edo_bytes_held(&kept) <= 1024);
    }
    edo_bytes_deinit(&kept);
    edo_buffer_deinit(&buffer);
}

/* ---- parts ---- */

buffer_test(parts_are_put_together_again)
{
    edo_buffer buffer = { 0 }, front, back;
    append(&buffer, "hello world");
    const uint8_t *data = buffer.data;
    size_t capacity = buffer.capacity;
    assert_int_equal(edo_buffer_split_to(&buffer, 6, &front), 0);
    assert_text(&front, "hello ");
    assert_int_equal(edo_buffer_room(&front), 0);
    assert_int_equal(edo_buffer_split_off(&buffer, 2, &back), 0);
    assert_text(&buffer, "wo");
    assert_text(&back, "rld");
    assert_int_equal(edo_buffer_unsplit(&front, &back), -EINVAL); // no neighbours
    assert_int_equal(edo_buffer_unsplit(&back, &buffer), -EINVAL);
    assert_text(&back, "rld");
    assert_text(&front, "hello ");
    assert_int_equal(edo_buffer_unsplit(&front, &buffer), 0);
    assert_int_equal(edo_buffer_unsplit(&front, &back), 0);
    assert_text(&front, "hello world");
    assert_ptr_equal(front.data, data);
    assert_int_equal(front.capacity, capacity);
    assert_int_equal(front.block->refs, 1);
    assert_int_equal(edo_buffer_unsplit(&buffer, &front), 0); // into an empty one
    assert_text(&buffer, "hello world");
    assert_int_equal(edo_buffer_unsplit(&buffer, &front), 0); // an empty one
    edo_buffer_deinit(&buffer);
}

/* Bytes that were cut off leave a gap, which cannot be closed without a copy. */
buffer_test(parts_with_a_gap_are_no_neighbours)
{
    edo_buffer buffer = { 0 }, back;
    append(&buffer, "0123456789");
    assert_int_equal(edo_buffer_split_off(&buffer, 5, &back), 0);
    assert_int_equal(edo_buffer_truncate(&buffer, 3), 0);
    assert_int_equal(edo_buffer_unsplit(&buffer, &back), -EINVAL);
    assert_int_equal(edo_buffer_split_to(&back, 6, &buffer), -EINVAL);
    edo_buffer_deinit(&buffer);
    edo_buffer_deinit(&back);
}

buffer_test(a_frozen_buffer_is_a_slice)
{
    edo_buffer buffer = { 0 };
    edo_bytes bytes = edo_buffer_freeze(&buffer);
    assert_null(bytes.block);
    append(&buffer, "text");
    const uint8_t *data = buffer.data;
    bytes = edo_buffer_freeze(&buffer);
    assert_text(&bytes, "text");
    assert_ptr_equal(bytes.data, data);
    assert_null(buffer.block);
    edo_bytes_deinit(&bytes);
    assert_int_equal(edo_buffer_reserve(&buffer, 10), 0);
    bytes = edo_buffer_freeze(&buffer); // of nothing: keeps no memory
    assert_null(bytes.block);
}

/* ---- numbers ---- */

#define put_number(name, type, little)                                                             \
    assert_int_equal(edo_buffer_put_##name(&buffer, (type)-3), 0);                                 \
    size += sizeof(type);
#define get_number(name, type, little)                                                             \
    do {                                                                                           \
        type value = 0;                                                                            \
        assert_int_equal(edo_buffer_get_##name(&buffer, &value), 0);                               \
        assert_true(value == (type)-3);                                                            \
    } while (0);

buffer_test(numbers_are_put_and_got)
{
    edo_buffer buffer = { 0 };
    size_t size = 0;
    uint8_t none;
    EDO__NUMBERS(put_number)
    assert_int_equal(buffer.size, size);
    EDO__NUMBERS(get_number)
    assert_int_equal(buffer.size, 0);
    assert_int_equal(edo_buffer_get_u8(&buffer, &none), -EDO_EOF);
    edo_buffer_deinit(&buffer);
}

/* ---- chains ---- */

/* A chain of parts of so many bytes each. */
static edo_chain make_chain(const void *data, size_t size, size_t part)
{
    edo_chain chain = { 0 };
    for (size_t at = 0; at < size; at += part) {
        edo_bytes bytes;
        size_t n = part < size - at ? part : size - at;
        assert_int_equal(edo_bytes_copy(&bytes, (const char *)data + at, n), 0);
        assert_int_equal(edo_chain_append(&chain, &bytes), 0);
    }
    return chain;
}

#define chain_number(name, type, little)                                                           \
    do {                                                                                           \
        type value = 0, expected = edo_load_##name((const char *)data + at);                       \
        assert_int_equal(edo_chain_get_##name(&chain, &value), 0);                                 \
        assert_memory_equal(&value, &expected, sizeof value);                                      \
        at += sizeof value;                                                                        \
    } while (0);

static void get_all(const void *data, size_t size, size_t part)
{
    edo_chain chain = make_chain(data, size, part);
    size_t at = 0;
    uint8_t none;
    EDO__NUMBERS(chain_number)
    assert_int_equal(edo_chain_size(&chain), size - at);
    assert_int_equal(edo_chain_advance(&chain, size - at), 0);
    assert_int_equal(edo_chain_get_u8(&chain, &none), -EDO_EOF);
    edo_chain_deinit(&chain);
}

/* Numbers are read across the borders of slices, wherever the cuts are. */
buffer_test(numbers_of_a_chain_with_all_cuts)
{
    char data[256];
    fill_pattern(data, sizeof data, 1, 0);
    for (size_t part = 1; part < 20; part++)
        get_all(data, sizeof data, part);
}

buffer_test(a_chain_goes_on_while_it_is_read)
{
    edo_chain chain = { 0 };
    size_t put = 0, got = 0;
    char data[16], out[16];
    for (int round = 0; round < 5000; round++) {
        edo_bytes bytes;
        size_t n = (size_t)round % 16;
        fill_pattern(data, n, 1, put);
        put += n;
        assert_int_equal(edo_bytes_copy(&bytes, data, n), 0);
        assert_int_equal(edo_chain_append(&chain, &bytes), 0);
        n = (size_t)round * 7 % 15;
        if (edo_chain_take(&chain, out, n) < 0) continue;
        assert_true(is_pattern(out, n, 1, got));
        got += n;
    }
    assert_int_equal(edo_chain_size(&chain), put - got);
    assert_int_equal(edo_chain_advance(&chain, put - got + 1), -EINVAL);
    assert_int_equal(edo_chain_take(&chain, out, put - got + 1), -EDO_EOF);
    edo_chain_deinit(&chain);
    edo_chain_deinit(&chain);
    edo_chain_deinit(NULL);
}

buffer_test(slices_are_the_unread_parts)
{
    edo_chain chain = make_chain("abcdefgh", 8, 3);
    const edo_slice *slices;
    assert_int_equal(edo_chain_slices(&chain, &slices), 3);
    assert_int_equal(edo_chain_advance(&chain, 4), 0);
    assert_int_equal(edo_chain_slices(&chain, &slices), 2);
    assert_memory_equal(slices[0].data, "ef", slices[0].size);
    assert_memory_equal(slices[1].data, "gh", slices[1].size);
    assert_int_equal(slices[0].size + slices[1].size, edo_chain_size(&chain));
    edo_chain_deinit(&chain);
}

/* ---- no memory ---- */

static void use_once(void *arg)
{
    edo_buffer buffer = { 0 };
    edo_chain chain = { 0 };
    size_t size = 0;
    (void)arg;
    for (int i = 0; i < 8; i++) {
        int rc = edo_buffer_printf(&buffer, "%050d", i);
        assert_true(rc == 0 || rc == -ENOMEM);
        if (rc == 0) size += 50;
        assert_int_equal(buffer.size, size);
    }
    for (int i = 0; i < 20; i++) {
        edo_bytes bytes = edo_bytes_static("x", 1);
        int rc = edo_chain_append(&chain, &bytes);
        assert_true(rc == 0 ? bytes.size == 0 : rc == -ENOMEM && bytes.size == 1);
    }
    edo_chain_deinit(&chain);
    edo_buffer_deinit(&buffer);
}

test(no_memory)
{
    assert_true(with_each_allocation_failing(use_once, NULL) >= 5);
}
