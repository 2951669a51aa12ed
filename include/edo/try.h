/* Shorthand for async functions: awaits that pass failures on, and awaits without a result.
 *
 *     edo_body {
 *         size_t n;
 *         edo_try(edo_tcp_connect(self->address, &self->conn));  // returns a failure
 *         edo_try_or(close, n, edo_read(self->conn, self->buf, sizeof self->buf));
 *         edo_check_or(close, n == 0 ? -EPROTO : 0);             // the same for any value
 *     close:                                                     // a failure jumps here
 *         edo_close(self->conn);
 *         edo_return(edo_failure());                             // that failure, or 0
 *     }
 *
 * The macros follow the usual pattern of C. As long as there is nothing to clean up, a failure
 * returns from the function. Later, a failure jumps to a label. Macros whose name ends in _or jump,
 * and the other macros return. The failure is stored in the frame, so the clean-up may await.
 *
 * The variable of edo_try is written on success only, so it may be unsigned.
 */
#pragma once

#include <edo/async.h>

/* ---- any value ---- */

/* Returns a value from the function if the value is negative: edo_check(edo_spawn(&self->task,
 * fetch)). */
#define edo_check(...)                                                                             \
    do {                                                                                           \
        edo__checked(edo_checked_, __VA_ARGS__);                                                   \
        if (edo_checked_ < 0) edo_return(edo_checked_);                                            \
    } while (0)

/* As edo_check(), but a negative value jumps to a label of the function. At the label,
 * edo_failure() is this value. */
#define edo_check_or(label, ...)                                                                   \
    do {                                                                                           \
        edo__checked(edo_checked_, __VA_ARGS__);                                                   \
        if (edo_checked_ < 0) {                                                                    \
            self->base.result = edo_checked_;                                                      \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#define edo__checked(name, ...)                                                                    \
    __extension__ __auto_type name = (__VA_ARGS__);                                                \
    _Static_assert((__typeof__(name))-1 < 1, "a failure is negative: this value is unsigned")

/* The failure with which the last edo_..._or() has jumped to its label; 0 if none has jumped. */
#define edo_failure() (self->base.result)

/* ---- awaits ---- */

/* Waits for an operation: edo_try(op), or edo_try(lhs, op), which assigns the result to lhs. A
 * negative result is returned from the function, and lhs is then unchanged. */
#define edo_try(...)                                                                               \
    edo__by_count(__VA_ARGS__, edo__try_many, edo__try_many, edo__try_get, edo__try_op,            \
                  0)(__VA_ARGS__)

/* As edo_try(), but a failure jumps to a label: edo_try_or(close, op), edo_try_or(close, lhs,
 * op). */
#define edo_try_or(label, ...)                                                                     \
    edo__by_count(__VA_ARGS__, edo__try_many, edo__try_many, edo__try_get_or, edo__try_op_or,      \
                  0)(label, __VA_ARGS__)

#define edo__by_count(a, b, c, d, name, ...) name
#define edo__try_many(...)                                                                         \
    _Static_assert(0, "edo_try: too many arguments; parentheses around a compound literal")

#define edo__try_op(op)                                                                            \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_await(edo_tried_, op);                                                                 \
        edo_check(edo_tried_);                                                                     \
    } while (0)

#define edo__try_get(lhs, op)                                                                      \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_await(edo_tried_, op);                                                                 \
        edo_check(edo_tried_);                                                                     \
        lhs = (__typeof__(lhs))edo_tried_;                                                         \
    } while (0)

#define edo__try_op_or(label, op)                                                                  \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_await(edo_tried_, op);                                                                 \
        edo_check_or(label, edo_tried_);                                                           \
    } while (0)

#define edo__try_get_or(label, lhs, op)                                                            \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_await(edo_tried_, op);                                                                 \
        edo_check_or(label, edo_tried_);                                                           \
        lhs = (__typeof__(lhs))edo_tried_;                                                         \
    } while (0)

/* Calls an async function, as edo_call(). If the result is negative, returns it from the calling
 * function. */
#define edo_try_call(...)                                                                          \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_call(edo_tried_, __VA_ARGS__);                                                         \
        edo_check(edo_tried_);                                                                     \
    } while (0)

/* As edo_try_call(), but a failure jumps to a label. */
#define edo_try_call_or(label, ...)                                                                \
    do {                                                                                           \
        int64_t edo_tried_;                                                                        \
        edo_call(edo_tried_, __VA_ARGS__);                                                         \
        edo_check_or(label, edo_tried_);                                                           \
    } while (0)

/* Waits for an operation whose result does not matter, such as a last message or a pause. */
#define edo_await_void(...)                                                                        \
    do {                                                                                           \
        int64_t edo_dropped_;                                                                      \
        edo_await(edo_dropped_, __VA_ARGS__);                                                      \
        (void)edo_dropped_;                                                                        \
    } while (0)

/* Calls an async function whose result does not matter. */
#define edo_call_void(...)                                                                         \
    do {                                                                                           \
        int64_t edo_dropped_;                                                                      \
        edo_call(edo_dropped_, __VA_ARGS__);                                                       \
        (void)edo_dropped_;                                                                        \
    } while (0)
