/* edo-test: once. Texts of errors, and the version. */
#include "support/support.h"

#include <string.h>

#include <edo/base.h>

/* Every errno that a header of edo names. */
static const int documented[] = {
    EDO_EOF, EAGAIN,     EALREADY, EBADF,      EBUSY,        ECANCELED,  ECONNREFUSED,
    EDEADLK, EEXIST,     EINVAL,   EMFILE,     ENFILE,       ENOMEM,     ENOSYS,
    ENOTSUP, EOPNOTSUPP, EPERM,    EPIPE,      ESRCH,        ECONNRESET, ESHUTDOWN,
    ESTALE,  ETIMEDOUT,  ENOENT,   EADDRINUSE, EAFNOSUPPORT, ENOTCONN,
};

test(every_documented_errno_has_a_text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(documented); i++) {
        const char *text = edo_strerror(-documented[i]);
        assert_string_not_equal(text, "unknown error");
        assert_string_not_equal(text, "success");
        assert_ptr_equal(text, edo_strerror(documented[i])); // the sign is ignored
    }
}

test(texts_of_edo)
{
    assert_string_equal(edo_strerror(0), "success");
    assert_string_equal(edo_strerror(-EDO_EOF), "end of input");
    assert_string_equal(edo_strerror(-ECANCELED), "cancelled");
    assert_string_equal(edo_strerror(-ENOMEM), strerrordesc_np(ENOMEM));
}

test(numbers_that_are_no_errno)
{
    static const int64_t none[] = { 99999, -99999, INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX,
                                    /* an errno in the low half only */
                                    -((int64_t)1 << 32) - ENOMEM };
    for (size_t i = 0; i < ARRAY_LENGTH(none); i++)
        assert_string_equal(edo_strerror(none[i]), "unknown error");
}

test(version)
{
    assert_int_equal(edo_version(), EDO_VERSION);
    assert_int_equal(EDO_VERSION >> 16, EDO_VERSION_MAJOR);
    assert_int_equal(EDO_VERSION >> 8 & 0xff, EDO_VERSION_MINOR);
    assert_int_equal(EDO_VERSION & 0xff, EDO_VERSION_PATCH);
}
