/* Streams around others. */
#include "support/limited.h"
#include "support/memory.h"

#include <errno.h>

#include <edo/streams.h>

/* The newest limited streams and wrappers, each with its inner stream. */
enum { MANY = 64 };

static struct {
    const edo_io *outer;
    edo_io *inner;
} opened[MANY];

static unsigned last;

static edo_io *note(edo_io *outer, edo_io *inner)
{
    last = (last + 1) % MANY;
    opened[last].outer = outer;
    opened[last].inner = inner;
    return outer;
}

edo_io *limited_open(edo_io *inner, uint64_t limit)
{
    edo_io *io = NULL;
    assert_int_equal(edo_io_limit(inner, limit, limit, &io), 0);
    return note(io, inner);
}

static void ignore(void *context, bool written, const void *data, size_t size)
{
    (void)context;
    (void)written;
    assert_true(data && size);
}

edo_io *wrapped_open(edo_io *inner)
{
    edo_io *reader, *writer, *io, *nothing;
    assert_int_equal(edo_io_split(inner, &reader, &writer), 0);
    assert_int_equal(edo_io_join(reader, writer, &io), 0);
    assert_int_equal(edo_io_inspect(io, ignore, NULL, &io), 0);
    assert_int_equal(edo_io_null(&nothing), 0);
    assert_int_equal(edo_io_tee(io, nothing, &io), 0);
    return note(io, inner);
}

/* Finds the inner stream. An address may be reused, so the newest entry with the address is the
 * right one. A stream of another kind may have the address of a closed wrapper. */
edo_io *limited_inner(const edo_io *io)
{
    if (edo_io_fd(io) != -ENOTSUP || is_memory(io)) return NULL;
    for (unsigned i = 0; i < MANY; i++) {
        unsigned at = (last + MANY - i) % MANY;
        if (opened[at].outer == io) return opened[at].inner;
    }
    return NULL;
}
