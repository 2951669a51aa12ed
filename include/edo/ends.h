/* Typed ends of channels.
 *
 *     typedef edo_sender(struct job) job_sender;
 *     typedef edo_receiver(struct job) job_receiver;
 *
 * An end is a pointer to a channel. The channel stores only the size of its values. Their type is
 * known to the macros, which compare types at compile time, so the compiler rejects a value of
 * another type. A value is a structure, a number or a pointer, and is copied as by memcpy(). Write
 * each typedef once per program, because each use of edo_sender() makes a new, unnamed type.
 *
 * An all-zero end is closed. A close zeroes the end, and a second close does nothing. An end has
 * one owner. If an end is passed on, for example as an argument of edo_spawn(), the ownership
 * passes with it. The clone calls make more ends.
 */
#pragma once

#include <edo/async.h>

/* Checks the type of a value at compile time. Also checks the alignment: memory from malloc() must
 * be aligned enough for the type. */
#ifdef __cplusplus

template <class A, class B> struct edo__is_same {
    enum { value = 0 };
};
template <class A> struct edo__is_same<A, A> {
    enum { value = 1 };
};
template <class A> struct edo__is_same<A, const A> {
    enum { value = 1 };
};
template <class A> struct edo__is_same<const A, A> {
    enum { value = 1 };
};

template <class Type, class Value> inline void edo__check_types()
{
    static_assert(edo__is_same<Type, Value>::value,
                  "the value is of another type than the channel or stream");
    static_assert(__is_trivially_copyable(Type), "a channel copies its values as memcpy() does");
    static_assert(alignof(Type) <= alignof(max_align_t), "aligned further than malloc() does");
}

#define edo__check_type(end, value)                                                                \
    edo__check_types<__typeof__(*(end)->edo_type), __typeof__(*(value))>()

#else

#define edo__check_type(end, value)                                                                \
    (void)sizeof(struct {                                                                          \
        int edo_checked_;                                                                          \
        _Static_assert(                                                                            \
            __builtin_types_compatible_p(__typeof__(*(value)), __typeof__(*(end)->edo_type)),      \
            "the value is of another type than the channel or stream");                            \
        _Static_assert(sizeof(*(value)) > 0, "a value without a size");                            \
        _Static_assert(_Alignof(__typeof__(*(value))) <= _Alignof(max_align_t),                    \
                       "aligned further than malloc() does");                                      \
    })

#endif

/* Compares the types of two ends. */
#define edo__check_end(end, other) edo__check_type(end, (other)->edo_type)

/* Whether two ends of any kind belong to one channel. */
#define edo_same_channel(end, other) ((end)->edo_core == (other)->edo_core)

/* Whether an end of any kind, or permits, are open: created, and not yet closed or consumed. */
#define edo_end_is_open(end) ((end)->edo_core != NULL)

/* Evaluates the attempt, an expression, and awaits the operation only if the attempt is -EAGAIN. */
#define edo__now_or_await(lhs, attempt, ...)                                                       \
    do {                                                                                           \
        edo__check_signed(lhs);                                                                    \
        lhs = (__typeof__(lhs))(attempt);                                                          \
        if (lhs == -EAGAIN) edo_await(lhs, __VA_ARGS__);                                           \
    } while (0)
