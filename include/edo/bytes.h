/* Bytes: counted slices, growing buffers, chains, and calls that read and write numbers in them.
 *
 * An edo_bytes is a read-only slice of a block of memory. Several slices may share one block. The
 * block is freed when its last slice is released. Clone, slice and split copy no bytes. A block is
 * either memory that the library has allocated, or memory of the user with a release function. A
 * slice of static memory has no block and no reference count.
 *
 *     edo_bytes body;
 *     rc = edo_bytes_copy(&body, "hello world", 11);
 *     rc = edo_bytes_split_to(&body, 6, &head);      // head "hello ", body "world"
 *     edo_bytes_deinit(&head);
 *     edo_bytes_deinit(&body);
 *
 * An edo_buffer is written at its back and read at its front, and grows as needed.
 * edo_buffer_freeze() turns the buffer into an edo_bytes. edo_buffer_split() divides the buffer
 * into two buffers that share a block. These two calls copy no bytes. Before a buffer grows, it
 * reuses the memory of bytes that were already read, if no slice shares the buffer's block. An
 * all-zero edo_buffer or edo_bytes is empty.
 *
 * An edo_chain is a sequence of slices that is read like a single slice. edo_write_chain() of
 * edo/buffered.h writes a chain with few system calls.
 *
 * Threads: each of these structs belongs to one thread at a time. The reference count of a block is
 * atomic, so slices of one block may belong to different threads.
 *
 * A small slice keeps its whole block in memory. edo_bytes_held() returns the block's size.
 * edo_bytes_compact() copies the slice into a block of its own.
 *
 * Errors: -EINVAL for a position or size beyond the end; -EDO_EOF if too few bytes remain; -ENOMEM.
 * After -EINVAL nothing has changed.
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
    uint8_t *data; // bytes that are written and not yet read
    size_t size;
    size_t capacity;   // bytes that belong to the buffer, counted from `data`
    edo__block *block; // private
} edo_buffer;

/* ---- slices ---- */

/* Makes a slice of memory that outlives the slice, such as a literal. */
static inline edo_bytes edo_bytes_static(const void *data, size_t size)
{
    edo_bytes bytes = { (const uint8_t *)data, size, NULL };
    return bytes;
}

/* Makes a slice of a copy of the memory. Returns: 0; -ENOMEM. */
EDO_API EDO_MUST_USE int edo_bytes_copy(edo_bytes *ret_bytes, const void *data, size_t size);

/* Makes a slice of the user's memory. The memory must not change while a slice of it exists. The
 * thread that releases the last slice calls `release` once, with the memory and size of this call.
 * Returns: 0; -ENOMEM, and the caller still owns the memory. */
typedef void edo_release_fn(void *context, void *memory, size_t size);
EDO_API EDO_MUST_USE int edo_bytes_wrap(edo_bytes *ret_bytes, void *memory, size_t size,
                                        edo_release_fn *release, void *context);

/* Makes another slice of the same bytes. */
EDO_API EDO_MUST_USE edo_bytes edo_bytes_clone(const edo_bytes *bytes);

/* Releases a slice, which is empty afterwards. NULL is ignored. */
EDO_API void edo_bytes_deinit(edo_bytes *bytes);

/* Makes another slice, of a part of the bytes. Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_slice(const edo_bytes *bytes, size_t at, size_t size,
                                         edo_bytes *ret_part);

/* As edo_bytes_slice(), for a part that begins at a pointer into the bytes, such as a parser's
 * position. Returns: 0; -EINVAL if the part does not lie in the bytes. */
EDO_API EDO_MUST_USE int edo_bytes_slice_of(const edo_bytes *bytes, const void *part, size_t size,
                                            edo_bytes *ret_part);

/* Moves the bytes before `at` to *ret_front. The other bytes remain in `bytes`. Returns: 0;
 * -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_split_to(edo_bytes *bytes, size_t at, edo_bytes *ret_front);

/* Moves the byte at `at` and all bytes after it to *ret_back. The other bytes remain in `bytes`.
 * Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_bytes_split_off(edo_bytes *bytes, size_t at, edo_bytes *ret_back);

/* Drop bytes. advance drops `size` bytes at the front; truncate keeps the first `size` bytes.
 * Returns: 0; -EINVAL. */
EDO_API int edo_bytes_advance(edo_bytes *bytes, size_t size);
EDO_API int edo_bytes_truncate(edo_bytes *bytes, size_t size);

/* Copies bytes at the front to memory, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_bytes_take(edo_bytes *bytes, void *memory, size_t size);

/* Whether no other slice shares the block; static memory is never unique. */
EDO_API bool edo_bytes_is_unique(const edo_bytes *bytes);

/* Size of the block that the slice keeps in memory; 0 for static memory. */
EDO_API size_t edo_bytes_held(const edo_bytes *bytes);

/* Copies the bytes into a block of exactly their size, and releases the old block. Returns: 0;
 * -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_bytes_compact(edo_bytes *bytes);

/* Turns a slice into a buffer, without a copy. The part of the block behind the slice's bytes
 * becomes the buffer's room.
 * Returns: 0, and the slice is empty; -EBUSY for a shared block; -ENOTSUP for static memory or
 * the user's memory. */
EDO_API EDO_MUST_USE int edo_bytes_into_buffer(edo_bytes *bytes, edo_buffer *ret_buffer);

EDO_API bool edo_bytes_equal(const edo_bytes *a, const edo_bytes *b);

/* ---- buffers ---- */

/* Makes room for at least `size` more bytes. Uncommitted bytes in the room are lost.
 * Returns: 0; -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_buffer_reserve(edo_buffer *buffer, size_t size);

/* Releases the memory; the buffer is empty afterwards. NULL is ignored. */
EDO_API void edo_buffer_deinit(edo_buffer *buffer);

/* Appends bytes, which may be the buffer's own. Returns: 0; -ENOMEM, and nothing has changed. */
EDO_API EDO_MUST_USE int edo_buffer_append(edo_buffer *buffer, const void *data, size_t size);

/* Appends formatted text, without its NUL. Returns: 0; -ENOMEM; -EILSEQ as vsnprintf(). */
EDO_API EDO_MUST_USE int edo_buffer_printf(edo_buffer *buffer, const char *format, ...)
    EDO_PRINTF(2, 3);
EDO_API EDO_MUST_USE int edo_buffer_vprintf(edo_buffer *buffer, const char *format, va_list args)
    EDO_PRINTF(2, 0);

/* The room behind the bytes of the buffer, and the size of the room. Write into the room, then
 * commit:
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

/* Appends the first `size` bytes of the room to the buffer. Returns: 0; -EINVAL if `size` is larger
 * than the room. */
EDO_API int edo_buffer_commit(edo_buffer *buffer, size_t size);

/* Sets the size; each new byte is `fill`. Returns: 0; -ENOMEM. */
EDO_API EDO_MUST_USE int edo_buffer_resize(edo_buffer *buffer, size_t size, uint8_t fill);

/* Drop bytes. advance drops `size` bytes at the front; truncate keeps the first `size` bytes.
 * Returns: 0; -EINVAL. */
EDO_API int edo_buffer_advance(edo_buffer *buffer, size_t size);
EDO_API int edo_buffer_truncate(edo_buffer *buffer, size_t size);

/* Copies bytes at the front to memory, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_buffer_take(edo_buffer *buffer, void *memory, size_t size);

/* Turns the buffer into a slice of all its bytes; the buffer has no memory afterwards. */
EDO_API EDO_MUST_USE edo_bytes edo_buffer_freeze(edo_buffer *buffer);

/* Moves all bytes to a new buffer without room; the old buffer keeps the room. */
EDO_API EDO_MUST_USE edo_buffer edo_buffer_split(edo_buffer *buffer);

/* These calls split a buffer in two. split_to moves the bytes before `at` to *ret_front. The old
 * buffer keeps the other bytes and the room, and *ret_front has no room. split_off moves the bytes
 * from `at` on, and the room, to *ret_back. The old buffer keeps the bytes before `at`, and has no
 * room.
 * Returns: 0; -EINVAL. */
EDO_API EDO_MUST_USE int edo_buffer_split_to(edo_buffer *buffer, size_t at, edo_buffer *ret_front);
EDO_API EDO_MUST_USE int edo_buffer_split_off(edo_buffer *buffer, size_t at, edo_buffer *ret_back);

/* Joins the two parts of a split buffer without a copy. `back` is empty afterwards.
 * Returns: 0; -EINVAL if the two parts are not adjacent in one block. After -EINVAL nothing has
 * changed, and edo_buffer_append() can append a copy instead. */
EDO_API EDO_MUST_USE int edo_buffer_unsplit(edo_buffer *buffer, edo_buffer *back);

/* ---- chains ---- */

/* The members are private. An all-zero chain is empty. */
typedef struct edo_chain {
    edo_slice *slices;   // slices[first] begins with the first unread byte
    edo__block **blocks; // one per slice, in the same allocation
    uint32_t first, end; // indices of the unread slices
    uint32_t capacity;   // slices for which there is memory
    uint32_t private_;
    size_t size;        // unread bytes
    const edo_op *user; // the edo_write_chain() in flight
    edo_op inner;
} edo_chain;

/* Appends a slice, and takes ownership of it. An empty slice is released.
 * Returns: 0; -ENOMEM, and the caller still owns the slice. */
EDO_API EDO_MUST_USE int edo_chain_append(edo_chain *chain, edo_bytes *bytes);

/* Releases all slices; the chain is empty afterwards. NULL is ignored. */
EDO_API void edo_chain_deinit(edo_chain *chain);

/* Number of unread bytes. */
static inline size_t edo_chain_size(const edo_chain *chain)
{
    return chain->size;
}

/* Drops bytes at the front. Returns: 0; -EINVAL. */
EDO_API int edo_chain_advance(edo_chain *chain, size_t size);

/* Copies bytes at the front to memory, and drops them. Returns: 0; -EDO_EOF. */
EDO_API EDO_MUST_USE int edo_chain_take(edo_chain *chain, void *memory, size_t size);

/* Gives the unread bytes as an array of slices. The array is valid until the chain changes.
 * Returns: number of slices. */
static inline size_t edo_chain_slices(const edo_chain *chain, const edo_slice **ret_slices)
{
    *ret_slices = chain->slices + chain->first;
    return chain->end - chain->first;
}

/* ---- numbers ---- */

/* Copies a number between memory and a variable. little: the number in memory is little endian. */
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

/* Expands apply(name, type, little) for each type of number. Names without a suffix are big endian
 * (network order).
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

/* These calls exist for u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32 and f64 (IEEE 754),
 * in big-endian order. The same names with _le are for little-endian order. For u32:
 *
 *     int edo_bytes_get_u32(edo_bytes *bytes, uint32_t *ret_value);
 *     int edo_buffer_get_u32(edo_buffer *buffer, uint32_t *ret_value);
 *     int edo_chain_get_u32(edo_chain *chain, uint32_t *ret_value);
 *
 * These calls take a number from the front. Returns: 0; -EDO_EOF, and nothing is taken.
 *
 *     int edo_buffer_put_u32(edo_buffer *buffer, uint32_t value);
 *
 * This call appends a number. Returns: 0; -ENOMEM.
 *
 *     uint32_t edo_load_u32(const void *memory);
 *     void edo_store_u32(void *memory, uint32_t value);
 *
 * These calls read and write a number in plain memory of any alignment. */
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
