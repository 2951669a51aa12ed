/* edo-test: once
 * Slices of counted memory. */
#include "support/support.h"

#include <pthread.h>
#include <string.h>

#include "stream/block.h"

#define bytes_test(name) allocator_fixture() test(name)

static edo_bytes make(const char *text)
{
    edo_bytes bytes;
    assert_int_equal(edo_bytes_copy(&bytes, text, strlen(text)), 0);
    return bytes;
}

#define assert_text(bytes, text)                                                                   \
    do {                                                                                           \
        assert_int_equal((bytes)->size, strlen(text));                                             \
        assert_memory_equal((bytes)->data, text, strlen(text));                                    \
    } while (0)

/* ---- parts ---- */

bytes_test(parts_share_the_block)
{
    edo_bytes all = make("hello world"), clone = edo_bytes_clone(&all), part;
    assert_ptr_equal(clone.data, all.data);
    assert_int_equal(edo_bytes_slice(&all, 6, 5, &part), 0);
    edo_bytes_deinit(&all);
    edo_bytes_deinit(&clone);
    assert_text(&part, "world"); // and keeps the memory
    assert_true(edo_bytes_is_unique(&part));
    edo_bytes_deinit(&part);
    assert_int_equal(part.size, 0);
    edo_bytes_deinit(&part); // empty: no effect
    edo_bytes_deinit(NULL);
}

bytes_test(splits_keep_both_parts)
{
    edo_bytes all = make("hello world"), front, back;
    assert_int_equal(edo_bytes_split_to(&all, 6, &front), 0);
    assert_text(&front, "hello ");
    assert_text(&all, "world");
    assert_int_equal(edo_bytes_split_off(&all, 3, &back), 0);
    assert_text(&all, "wor");
    assert_text(&back, "ld");
    assert_int_equal(edo_bytes_advance(&all, 1), 0);
    assert_int_equal(edo_bytes_truncate(&all, 1), 0);
    assert_text(&all, "o");
    edo_bytes_deinit(&front);
    edo_bytes_deinit(&back);
    edo_bytes_deinit(&all);
}

bytes_test(places_beyond_the_end_change_nothing)
{
    edo_bytes all = make("hello"), part = { NULL, 7, NULL };
    uint64_t number = 1;
    assert_int_equal(edo_bytes_slice(&all, 4, 2, &part), -EINVAL);
    assert_int_equal(edo_bytes_slice(&all, 2, SIZE_MAX - 1, &part), -EINVAL);
    assert_int_equal(edo_bytes_slice(&all, SIZE_MAX, 2, &part), -EINVAL);
    assert_int_equal(edo_bytes_slice_of(&all, all.data - 1, 1, &part), -EINVAL);
    assert_int_equal(edo_bytes_slice_of(&all, all.data + 6, 0, &part), -EINVAL);
    assert_int_equal(edo_bytes_slice_of(&all, all.data + 3, SIZE_MAX, &part), -EINVAL);
    assert_int_equal(edo_bytes_split_to(&all, 6, &part), -EINVAL);
    assert_int_equal(edo_bytes_split_off(&all, 6, &part), -EINVAL);
    assert_int_equal(edo_bytes_advance(&all, 6), -EINVAL);
    assert_int_equal(edo_bytes_truncate(&all, 6), -EINVAL);
    assert_int_equal(edo_bytes_get_u64(&all, &number), -EDO_EOF);
    assert_int_equal(number, 1);
    assert_int_equal(part.size, 7);
    assert_text(&all, "hello");
    assert_true(edo_bytes_is_unique(&all));
    edo_bytes_deinit(&all);
}

bytes_test(a_pointer_into_the_bytes_is_a_part)
{
    edo_bytes all = make("key=value"), value;
    const char *equals = memchr(all.data, '=', all.size);
    assert_int_equal(edo_bytes_slice_of(&all, equals + 1, 5, &value), 0);
    assert_text(&value, "value");
    edo_bytes_deinit(&all);
    edo_bytes_deinit(&value);
}

/* ---- memory of others ---- */

static unsigned releases;
static char foreign[] = "memory of the user's";

static void release(void *context, void *memory, size_t size)
{
    assert_ptr_equal(context, &releases);
    assert_ptr_equal(memory, foreign);
    assert_int_equal(size, sizeof foreign);
    memset(memory, 'x', size);
    releases++;
}

/* Nested slices point at the root. */
bytes_test(foreign_memory_is_released_once)
{
    edo_bytes all, part, nested;
    edo_buffer buffer;
    releases = 0;
    assert_int_equal(edo_bytes_wrap(&all, foreign, sizeof foreign, NULL, NULL), -EINVAL);
    assert_int_equal(edo_bytes_wrap(&all, foreign, sizeof foreign, release, &releases), 0);
    assert_int_equal(edo_bytes_slice(&all, 7, 6, &part), 0);
    assert_int_equal(edo_bytes_slice(&part, 3, 3, &nested), 0);
    assert_int_equal(edo_bytes_into_buffer(&all, &buffer), -ENOTSUP);
    edo_bytes_deinit(&all);
    edo_bytes_deinit(&part);
    assert_int_equal(releases, 0);
    assert_text(&nested, "the");
    edo_bytes_deinit(&nested);
    assert_int_equal(releases, 1);
}

bytes_test(static_memory_is_not_counted)
{
    edo_bytes all = edo_bytes_static("literal", 7), clone = edo_bytes_clone(&all);
    edo_buffer buffer;
    assert_text(&clone, "literal");
    assert_false(edo_bytes_is_unique(&all));
    assert_int_equal(edo_bytes_held(&all), 0);
    assert_int_equal(edo_bytes_into_buffer(&all, &buffer), -ENOTSUP);
    assert_int_equal(edo_bytes_compact(&all), 0);
    assert_int_equal(test_allocator_live_count(), 0);
    edo_bytes_deinit(&clone);
    edo_bytes_deinit(&all);
}

/* ---- what a slice keeps ---- */

enum { LARGE = 1 << 20, KEPT = 1000, SMALL = 16 };

bytes_test(a_small_slice_keeps_a_large_block_until_it_is_compacted)
{
    edo_bytes all, *kept = test_calloc(KEPT, sizeof *kept);
    char *memory = test_calloc(1, LARGE);
    assert_int_equal(edo_bytes_copy(&all, memory, LARGE), 0);
    for (size_t i = 0; i < KEPT; i++)
        assert_int_equal(edo_bytes_slice(&all, i * SMALL, SMALL, &kept[i]), 0);
    edo_bytes_deinit(&all);
    assert_int_equal(edo_bytes_held(&kept[KEPT - 1]), LARGE);
    for (size_t i = 0; i < KEPT; i++)
        assert_int_equal(edo_bytes_compact(&kept[i]), 0);
    assert_int_equal(edo_bytes_held(&kept[0]), SMALL);
    assert_true(test_allocator_live_bytes() < KEPT * (SMALL + sizeof(edo__block) + 1));
    for (size_t i = 0; i < KEPT; i++)
        edo_bytes_deinit(&kept[i]);
    test_free(memory);
    test_free(kept);
}

bytes_test(a_unique_slice_becomes_a_buffer_of_the_same_block)
{
    edo_bytes all = make("head and body"), body;
    edo_buffer buffer;
    uint64_t before = test_allocator_calls();
    assert_int_equal(edo_bytes_slice(&all, 9, 2, &body), 0);
    assert_int_equal(edo_bytes_into_buffer(&body, &buffer), -EBUSY);
    edo_bytes_deinit(&all);
    assert_int_equal(edo_bytes_into_buffer(&body, &buffer), 0);
    assert_int_equal(edo_buffer_room(&buffer), 2);
    assert_int_equal(edo_buffer_append(&buffer, "nd", 2), 0);
    assert_memory_equal(buffer.data, "bond", 4);
    assert_int_equal(test_allocator_calls(), before);
    edo_buffer_deinit(&buffer);
}

/* ---- numbers ---- */

#define check_number(name, type, little)                                                           \
    do {                                                                                           \
        type value = 0, number;                                                                    \
        uint8_t raw[EDO__NUMBER_MAX];                                                              \
        edo_bytes bytes = edo_bytes_static(pattern, sizeof value);                                 \
        for (size_t i = 0; i < sizeof value; i++) {                                                \
            bool last_first = (little) == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);             \
            ((uint8_t *)&value)[i] = pattern[last_first ? i : sizeof value - 1 - i];               \
        }                                                                                          \
        number = edo_load_##name(pattern);                                                         \
        assert_memory_equal(&number, &value, sizeof value);                                        \
        edo_store_##name(raw, value);                                                              \
        assert_memory_equal(raw, pattern, sizeof value);                                           \
        assert_int_equal(edo_bytes_get_##name(&bytes, &number), 0);                                \
        assert_memory_equal(&number, &value, sizeof value);                                        \
        assert_int_equal(bytes.size, 0);                                                           \
    } while (0);

bytes_test(numbers_of_both_orders)
{
    static const uint8_t pattern[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    EDO__NUMBERS(check_number)
    assert_int_equal(edo_load_u32(pattern), 0x01020304);
    assert_int_equal(edo_load_u32_le(pattern), 0x04030201);
    assert_true(edo_load_f64("\x3f\xf8\0\0\0\0\0\0") == 1.5);
    assert_true(edo_load_i16("\xff\xfe") == -2);
}

/* ---- no memory, misuse ---- */

static void use_once(void *arg)
{
    edo_bytes all, part;
    (void)arg;
    int rc = edo_bytes_copy(&all, "0123456789", 10);
    assert_true(rc == 0 || rc == -ENOMEM);
    if (rc < 0) return;
    assert_int_equal(edo_bytes_slice(&all, 2, 3, &part), 0);
    rc = edo_bytes_compact(&part);
    assert_true(rc == 0 || rc == -ENOMEM);
    assert_text(&part, "234");
    edo_bytes_deinit(&part);
    edo_bytes_deinit(&all);
    rc = edo_bytes_wrap(&all, foreign, sizeof foreign, release, &releases);
    if (rc == 0) edo_bytes_deinit(&all);
}

test(no_memory)
{
    assert_int_equal(with_each_allocation_failing(use_once, NULL), 3);
}

static void take_too_often(void *arg)
{
    edo_bytes all = make("x");
    (void)arg;
    all.block->refs = SIZE_MAX / 2 + 1;
    edo_bytes clone = edo_bytes_clone(&all);
    (void)clone;
}

test(a_count_that_would_wrap_ends_the_process)
{
    expect_abort(take_too_often, NULL, "edo_bytes_clone: too many references");
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

/* A thread reads its clone and gives it back; the last reader's block is written in place. */
static void read_and_drop(unsigned index, void *arg)
{
    edo_bytes *clones = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        edo_bytes again = edo_bytes_clone(&clones[index]);
        if (again.data[i % again.size] != 'x') __builtin_trap();
        edo_bytes_deinit(&again);
    }
    edo_bytes_deinit(&clones[index]);
    edo_buffer buffer;
    if (index == 0) {
        while (edo_bytes_into_buffer(&clones[THREADS], &buffer) == -EBUSY)
            sched_yield();
        memset(buffer.data, 'y', buffer.size);
        edo_buffer_deinit(&buffer);
    }
}

bytes_test(a_write_in_place_comes_after_all_reads)
{
    edo_bytes clones[THREADS + 1];
    char memory[64];
    memset(memory, 'x', sizeof memory);
    assert_int_equal(edo_bytes_copy(&clones[THREADS], memory, sizeof memory), 0);
    for (unsigned i = 0; i < THREADS; i++)
        clones[i] = edo_bytes_clone(&clones[THREADS]);
    run_threads(THREADS, read_and_drop, clones);
}
