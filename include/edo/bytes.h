/* Bytes: counted slices, growing buffers, chains, and numbers in them.
 *
 * An edo_bytes is a slice of memory that cannot be written to. Several share one block of memory,
 * which goes with the last of them; to clone, slice and split copies no bytes. The block is the
 * library's own, memory of the user's with a function that releases it, or static memory, which is
 * not counted at all.
 *
 *     edo_bytes body;
 *     rc = edo_bytes_copy(&body, "hello world", 11);
 *     rc = edo_bytes_split_to(&body, 6, &head);      // head "hello ", body "world"
 *     edo_bytes_deinit(&head);
 *     edo_bytes_deinit(&body);
 *
 * An edo_buffer is memory that grows as it is written to, at its back, and is read at its front.
 * edo_buffer_freeze() makes an edo_bytes of it, edo_buffer_split() one buffer into two that share a
 * block, without a copy. A buffer that needs room first uses again what was read at its front, if
 * no other slice shares its block. All zero is an empty buffer, and is an empty edo_bytes.
 *
 * An edo_chain is a sequence of edo_bytes that is read as one; edo_write_chain() of edo/buffered.h
 * writes it with few calls of the system.
 *
 * Threads: each of these structs belongs to one thread at a time. The count of a block is atomic, so
 * slices of one block may belong to different threads.
 *
 * A small slice keeps all of its block: edo_bytes_held() has its size, and edo_bytes_compact()
 * copies what is small out of what is large.
 *
 * Errors: -EINVAL for a place or size beyond the end, and then nothing has changed; -EDO_EOF for a
 * number of which not all bytes are there; -ENOMEM.
 */
#pragma once

#include <string.h>

#include <edo/future.h>

EDO_BEGIN_DECLS

typedef struct edo__block edo__block;

typedef struct edo_bytes {
    const uint8_t *data;
    size_t size;
    edo__block *block; // private; NULL: static memory
} edo_bytes;

typedef struct edo_buffer {
    uint8_t *data; // bytes written and not read
    size_t size;
    size_t capacity;   // bytes from data on that are the buffer's
    edo__block *block; // private
} edo_buffer;

/* ---- slices ---- */

/* A slice of memory that outlives the slice, such as a literal. */
static inline edo_bytes edo_bytes_static(const void *data, size_t size)
{
    edo_bytes bytes = { (const uint8_t *)data, size, NULL };
    return bytes;
}

/* A copy of memory. Returns: 0; -ENOMEM. */
EDO_API EDO_MUST_USE int edo_bytes_copy(edo_bytes *ret_bytes, const void *data, size_t size);

/* Memory of the user's, which does not change; release is called once, with the memory as it was
 * given, by the thread that gives back the last slice.
 * Returns: 0; -ENOMEM, and the memory is still the caller's. */
typedef void edo_release_fn(void *context, void *memory, size_t size);
EDO_API EDO_MUST_USE int edo_bytes_wrap(edo_bytes *ret_bytes, void *memory, size_t size,
                                        edo_release_fn *release, void *context);

/* One more slice of the same bytes. */
EDO_API EDO_MUST_USE edo_bytes edo_bytes_clone(const edo_bytes *bytes);

/* Gives a slice back; it is empty then. NULL is ignored. */
EDO_API void edo_bytes_deinit(edo_bytes *bytes);

/* One more slice, of a part. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_slice(const edo_bytes *bytes, size_t at, size_t size,
                                         edo_bytes *ret_part);

/* The same for a part that begins at a pointer into the bytes, such as a parser has. Returns: 0;
 * -EINVAL when the part is not inside of the bytes. */
EDO_API EDO_MUST_USE int edo_bytes_slice_of(const edo_bytes *bytes, const void *part, size_t size,
                                            edo_bytes *ret_part);

/* Splits off the bytes before a position; the rest stays. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_split_to(edo_bytes *bytes, size_t at, edo_bytes *ret_front);

/* Splits off the bytes from a position on; the rest stays. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_split_off(edo_bytes *bytes, size_t at, edo_bytes *ret_back);

/* advance: drops bytes at the front. truncate: drops all bytes beyond a size. Returns: 0;
 * -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_advance(edo_bytes *bytes, size_t size);
EDO_API EDO_MUST_USE int edo_bytes_truncate(edo_bytes *bytes, size_t size);

/* Copies bytes from the front out, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_bytes_take(edo_bytes *bytes, void *memory, size_t size);

/* Whether no other slice shares the block; static memory is never unique. */
EDO_API bool edo_bytes_is_unique(const edo_bytes *bytes);

/* Bytes of memory that the slice keeps: those of its block; 0 for static memory. */
EDO_API size_t edo_bytes_held(const edo_bytes *bytes);

/* Moves the bytes into a block of their own size. Returns: 0; -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_bytes_compact(edo_bytes *bytes);

/* Makes a buffer of the slice, without a copy. The rest of the block, behind the bytes, is its
 * room.
 * Returns: 0, and the slice is empty; -EBUSY for a block that is shared; -ENOTSUP for memory that
 * is static or the user's. */
EDO_API EDO_MUST_USE int edo_bytes_into_buffer(edo_bytes *bytes, edo_buffer *ret_buffer);

EDO_API bool edo_bytes_equal(const edo_bytes *a, const edo_bytes *b);

/* ---- buffers ---- */

/* Makes room for at least `size` more bytes. Bytes in the room that were not committed are lost.
 * Returns: 0; -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_buffer_reserve(edo_buffer *buffer, size_t size);

/* Gives the memory back; the buffer is empty then. NULL is ignored. */
EDO_API void edo_buffer_deinit(edo_buffer *buffer);

/* Appends bytes, also the buffer's own. Returns: 0; -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_buffer_append(edo_buffer *buffer, const void *data, size_t size);

/* Appends formatted text, without its NUL. Returns: 0; -ENOMEM; -EILSEQ as vsnprintf(). */
EDO_API EDO_MUST_USE int edo_buffer_printf(edo_buffer *buffer, const char *format, ...)
    EDO_PRINTF(2, 3);
EDO_API EDO_MUST_USE int edo_buffer_vprintf(edo_buffer *buffer, const char *format, va_list args)
    EDO_PRINTF(2, 0);

/* The room behind the bytes: write there, then commit.
 *     edo_await(n, edo_read(io, edo_buffer_tail(&self->in), edo_buffer_room(&self->in)));
 *     if (n > 0) edo_buffer_commit(&self->in, (size_t)n); */
static inline uint8_t *edo_buffer_tail(const edo_buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->size : NULL;
}
static inline size_t edo_buffer_room(const edo_buffer *buffer)
{
    return buffer->capacity - buffer->size;
}

/* The first bytes of the room are bytes of the buffer now. Returns: 0; -EINVAL: more than the room. */
EDO_API int edo_buffer_commit(edo_buffer *buffer, size_t size);

/* Sets the size; new bytes are `fill`. Returns: 0; -ENOMEM. */
EDO_API EDO_MUST_USE int edo_buffer_resize(edo_buffer *buffer, size_t size, uint8_t fill);

/* advance: drops bytes at the front. truncate: drops all bytes beyond a size. Returns: 0;
 * -EINVAL. */
EDO_API EDO_MUST_USE int edo_buffer_advance(edo_buffer *buffer, size_t size);
EDO_API EDO_MUST_USE int edo_buffer_truncate(edo_buffer *buffer, size_t size);

/* Copies bytes from the front out, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_buffer_take(edo_buffer *buffer, void *memory, size_t size);

/* All bytes as a slice; the buffer has no memory then. */
EDO_API EDO_MUST_USE edo_bytes edo_buffer_freeze(edo_buffer *buffer);

/* All bytes as a buffer without room; the room stays. */
EDO_API EDO_MUST_USE edo_buffer edo_buffer_split(edo_buffer *buffer);

/* split_to: takes the bytes before a position, without room. split_off: takes the bytes from a
 * position on, with all the room. The other bytes stay. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_buffer_split_to(edo_buffer *buffer, size_t at, edo_buffer *ret_front);
EDO_API EDO_MUST_USE int edo_buffer_split_off(edo_buffer *buffer, size_t at, edo_buffer *ret_back);

/* Rejoins two buffers that were split, without a copy; back is empty then.
 * Returns: 0; -EINVAL when they are not adjacent in one block, and nothing has changed
 * (edo_buffer_append() copies). */
EDO_API EDO_MUST_USE int edo_buffer_unsplit(edo_buffer *buffer, edo_buffer *back);

/* ---- chains ---- */

/* The members are private. All zero is an empty chain. */
typedef struct edo_chain {
    edo_slice *slices;   // the first unread byte is that of slices[first]
    edo__block **blocks; // one for each slice, in the same allocation
    uint32_t first, end; // of the slices
    uint32_t capacity;   // in slices
    uint32_t private_;
    size_t size;        // bytes unread
    const edo_op *user; // of edo_write_chain()
    edo_op inner;
} edo_chain;

/* Appends a slice, which belongs to the chain then. Returns: 0; -ENOMEM, and it is still the
 * caller's. An empty one is given back. */
EDO_API EDO_MUST_USE int edo_chain_append(edo_chain *chain, edo_bytes *bytes);

/* Gives all slices back; the chain is empty then. NULL is ignored. */
EDO_API void edo_chain_deinit(edo_chain *chain);

/* Bytes unread. */
static inline size_t edo_chain_size(const edo_chain *chain)
{
    return chain->size;
}

/* Drops bytes at the front. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_chain_advance(edo_chain *chain, size_t size);

/* Copies bytes from the front out, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_chain_take(edo_chain *chain, void *memory, size_t size);

/* The unread bytes as slices; they are valid until the chain changes. Returns: how many. */
static inline size_t edo_chain_slices(const edo_chain *chain, const edo_slice **ret_slices)
{
    *ret_slices = chain->slices + chain->first;
    return chain->end - chain->first;
}

/* ---- numbers ---- */

/* Copies a number between memory and a variable. little: the memory is little-endian. */
static inline void edo__order_number(void *to, const void *from, size_t size, bool little)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight[2], swapped;
    bool as_it_is = little == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    if (as_it_is || size == 1) {
        memcpy(to, from, size);
    } else if (size == sizeof two) {
        memcpy(&two, from, sizeof two);
        two = __builtin_bswap16(two);
        memcpy(to, &two, sizeof two);
    } else if (size == sizeof four) {
        memcpy(&four, from, sizeof four);
        four = __builtin_bswap32(four);
        memcpy(to, &four, sizeof four);
    } else {
        memcpy(eight, from, size);
        swapped = __builtin_bswap64(eight[0]);
        eight[0] = __builtin_bswap64(eight[size / sizeof swapped - 1]);
        eight[1] = swapped;
        if (size == sizeof swapped) eight[0] = swapped;
        memcpy(to, eight, size);
    }
}

enum { EDO__NUMBER_MAX = 16 };

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 edo_i128;
__extension__ typedef unsigned __int128 edo_u128;
#define EDO__WIDE_NUMBERS(apply)                                                                   \
    apply(u128, edo_u128, false) apply(i128, edo_i128, false) apply(u128_le, edo_u128, true)       \
        apply(i128_le, edo_i128, true)
#else
#define EDO__WIDE_NUMBERS(apply)
#endif

/* Calls apply(name, type, little) for each number: big endian without a suffix, as networks have it.
 */
#define EDO__NUMBERS(apply)                                                                        \
    apply(u8, uint8_t, false) apply(i8, int8_t, false) apply(u16, uint16_t, false)                 \
        apply(i16, int16_t, false) apply(u32, uint32_t, false) apply(i32, int32_t, false)          \
            apply(u64, uint64_t, false) apply(i64, int64_t, false) apply(f32, float, false)        \
                apply(f64, double, false) apply(u16_le, uint16_t, true)                            \
                    apply(i16_le, int16_t, true) apply(u32_le, uint32_t, true)                     \
                        apply(i32_le, int32_t, true) apply(u64_le, uint64_t, true)                 \
                            apply(i64_le, int64_t, true) apply(f32_le, float, true)                \
                                apply(f64_le, double, true) EDO__WIDE_NUMBERS(apply)

/* For each of u8, i8, u16, i16, u32, i32, u64, i64, u128, i128 (big-endian), f32, f64 (IEEE 754),
 * and each with the suffix _le (little-endian):
 *
 *     int edo_bytes_get_u32(edo_bytes *bytes, uint32_t *ret_value);       and edo_buffer_get_u32,
 *     int edo_chain_get_u32(edo_chain *chain, uint32_t *ret_value);
 *
 * take a number from the front. Returns: 0; -EDO_EOF, and nothing was taken.
 *
 *     int edo_buffer_put_u32(edo_buffer *buffer, uint32_t value);
 *
 * appends one. Returns: 0; -ENOMEM.
 *
 *     uint32_t edo_load_u32(const void *memory);
 *     void edo_store_u32(void *memory, uint32_t value);
 *
 * are the same in plain memory, of any alignment. */
#define EDO__DEFINE_NUMBER(name, type, little)                                                     \
    static inline type edo_load_##name(const void *memory)                                         \
    {                                                                                              \
        type value;                                                                                \
        edo__order_number(&value, memory, sizeof value, little);                                   \
        return value;                                                                              \
    }                                                                                              \
    static inline void edo_store_##name(void *memory, type value)                                  \
    {                                                                                              \
        edo__order_number(memory, &value, sizeof value, little);                                   \
    }                                                                                              \
    static inline EDO_MUST_USE int edo_bytes_get_##name(edo_bytes *bytes, type *ret_value)         \
    {                                                                                              \
        uint8_t raw[EDO__NUMBER_MAX];                                                              \
        int rc = edo_bytes_take(bytes, raw, sizeof *ret_value);                                    \
        if (rc == 0) *ret_value = edo_load_##name(raw);                                            \
        return rc;                                                                                 \
    }                                                                                              \
    static inline EDO_MUST_USE int edo_buffer_get_##name(edo_buffer *buffer, type *ret_value)      \
    {                                                                                              \
        uint8_t raw[EDO__NUMBER_MAX];                                                              \
        int rc = edo_buffer_take(buffer, raw, sizeof *ret_value);                                  \
        if (rc == 0) *ret_value = edo_load_##name(raw);                                            \
        return rc;                                                                                 \
    }                                                                                              \
    static inline EDO_MUST_USE int edo_chain_get_##name(edo_chain *chain, type *ret_value)         \
    {                                                                                              \
        uint8_t raw[EDO__NUMBER_MAX];                                                              \
        int rc = edo_chain_take(chain, raw, sizeof *ret_value);                                    \
        if (rc == 0) *ret_value = edo_load_##name(raw);                                            \
        return rc;                                                                                 \
    }                                                                                              \
    static inline EDO_MUST_USE int edo_buffer_put_##name(edo_buffer *buffer, type value)           \
    {                                                                                              \
        uint8_t raw[EDO__NUMBER_MAX];                                                              \
        edo_store_##name(raw, value);                                                              \
        return edo_buffer_append(buffer, raw, sizeof value);                                       \
    }

EDO__NUMBERS(EDO__DEFINE_NUMBER)

EDO_END_DECLS
