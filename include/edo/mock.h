/* Streams for tests: one that follows a script, and a link that is slow.
 *
 * A mock is a stream whose other end is a script: what the program reads, and what it is expected to
 * write, in that order.
 *
 *     rc = edo_mock_create("client", &self->mock, &self->io);
 *     rc = edo_mock_write(self->mock, "PING\n", 5);         // the program writes this first
 *     rc = edo_mock_wait(self->mock, edo_ms(20));
 *     rc = edo_mock_read(self->mock, "PONG\n", 5);          // then it reads this, and then the end
 *     edo_mock_destroy(self->mock);                        // the script is complete
 *     ... the code under test, with self->io ...
 *
 * A read waits while the script wants a write first, and a write while it wants a read. Bytes other
 * than those expected, and a stream that is closed before its script is done, end the process with
 * one line that names the mock.
 *
 * Mocks and links have the clock of the runtime that uses them: a test clock makes waits take no
 * time.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_mock edo_mock;

/* Makes a stream, and the handle that adds to its script; name is not copied.
 * Returns: 0; -ENOMEM; -EINVAL. Thread: any, for all here. */
EDO_API EDO_MUST_USE int edo_mock_create(const char *name, edo_mock **ret_mock, edo_io **ret_io);

/* The next step: the program reads bytes; it reads an error (negative), or 0 for an end; it writes
 * these bytes; its write answers an error; nothing happens for so long. Also while the stream is
 * used.
 * Returns: 0; -ENOMEM; -EINVAL for an error that is none. */
EDO_API EDO_MUST_USE int edo_mock_read(edo_mock *mock, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_mock_read_error(edo_mock *mock, int error);
EDO_API EDO_MUST_USE int edo_mock_write(edo_mock *mock, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_mock_write_error(edo_mock *mock, int error);
EDO_API EDO_MUST_USE int edo_mock_wait(edo_mock *mock, int64_t duration);

/* Steps that are not done. */
EDO_API size_t edo_mock_left(edo_mock *mock);

/* Gives the handle back: no step will come. Behind the last one reads answer 0, and a write is not
 * expected; until then both wait. NULL is ignored. */
EDO_API void edo_mock_destroy(edo_mock *mock);

/* ---- a slow link ---- */

/* Zeroed is a link without delay or limit, which holds 64 KiB. The same in both directions. */
typedef struct edo_test_link_config {
    int64_t delay;     // nanoseconds from end to end
    int64_t jitter;    // at most so many more, at random; bytes keep their order
    uint64_t rate;     // bytes per second; 0: no limit
    uint32_t loss;     // of a million packets, so many are sent again, ...
    int64_t again;     // ... and come so many nanoseconds later; 0: 200 ms
    size_t packet;     // bytes that travel together; 0: 1460
    size_t capacity;   // bytes on their way, beyond which writers wait; 0: 64 KiB
    uint64_t breaks;   // bytes after which the connection is reset; 0: never
    uint64_t seed;     // of what is random; the same one gives the same times
    void *reserved[2]; // zero
} edo_test_link_config;

/* Two ends of a connection with these properties. A stream loses no bytes: a packet that is lost comes
 * later, and all behind it. Once it is reset, both ends answer -ECONNRESET.
 * config: NULL for zeroed.
 * Returns: 0; -ENOMEM; -EINVAL for NULL or a duration below 0. Writes may answer -ENOMEM. */
EDO_API EDO_MUST_USE int edo_test_link(const edo_test_link_config *config, edo_io **ret_end,
                                       edo_io **ret_other);

EDO_END_DECLS
