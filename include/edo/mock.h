/* Streams for tests: mocks and slow links.
 *
 * A mock is a stream whose peer is a script. The script is a sequence of bytes that the program
 * reads and bytes that the program is expected to write.
 *
 *     rc = edo_mock_create("client", &self->mock, &self->io);
 *     rc = edo_mock_write(self->mock, "PING\n", 5);         // the program writes this first
 *     rc = edo_mock_wait(self->mock, edo_ms(20));
 *     rc = edo_mock_read(self->mock, "PONG\n", 5);          // the program then reads this, and EOF
 *     edo_mock_destroy(self->mock);                        // the script is complete
 *     ... the code under test, with self->io ...
 *
 * A read waits while the next step is a write, and a write waits while the next step is a read.
 * The process ends, with a line that names the mock, if the program writes unexpected bytes, or
 * closes the stream before the end of the script.
 *
 * Mocks and links use the clock of the runtime that uses them. So under a test clock their waits
 * take no time.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_mock edo_mock;

/* Makes a stream, and a handle that adds steps to the stream's script. `name` is not copied.
 * Returns: 0; -ENOMEM; -EINVAL. Thread: any, for all calls of this header. */
EDO_API EDO_MUST_USE int edo_mock_create(const char *name, edo_mock **ret_mock, edo_io **ret_io);

/* Each call appends a step to the script, even while the stream is in use:
 * read: the program reads these bytes;
 * read_error: a read answers this negative errno, or 0 for the end of the input;
 * write: the program writes these bytes;
 * write_error: a write answers this negative errno;
 * wait: nothing happens for this duration (nanoseconds).
 * Returns: 0; -ENOMEM; -EINVAL for an invalid error number. */
EDO_API EDO_MUST_USE int edo_mock_read(edo_mock *mock, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_mock_read_error(edo_mock *mock, int error);
EDO_API EDO_MUST_USE int edo_mock_write(edo_mock *mock, const void *data, size_t size);
EDO_API EDO_MUST_USE int edo_mock_write_error(edo_mock *mock, int error);
EDO_API EDO_MUST_USE int edo_mock_wait(edo_mock *mock, int64_t duration);

/* Number of steps that are not done yet. */
EDO_API size_t edo_mock_left(edo_mock *mock);

/* Releases the handle, and completes the script. From the end of the script on, reads answer 0, and
 * a write ends the process as an unexpected one. Without this call, reads and writes at the end of
 * the script wait for further steps. NULL is ignored. */
EDO_API void edo_mock_destroy(edo_mock *mock);

/* ---- a slow link ---- */

/* Properties of a link, which apply to both directions. A zeroed struct means no delay, no limit,
 * and at most 64 KiB on the way. */
typedef struct edo_test_link_config {
    int64_t delay;     // ns from end to end
    int64_t jitter;    // ns; largest random addition to the delay; bytes keep their order
    uint64_t rate;     // bytes per second; 0: no limit
    uint32_t loss;     // lost packets per million; each is sent again
    int64_t again;     // ns; additional delay of a lost packet; 0: 200 ms
    size_t packet;     // bytes; size of a packet; 0: 1460
    size_t capacity;   // bytes on the way, beyond which writers wait; 0: 64 KiB
    uint64_t breaks;   // bytes after which the connection is reset; 0: never
    uint64_t seed;     // seed of jitter and loss; the same seed gives the same times
    void *reserved[2]; // zero
} edo_test_link_config;

/* Makes the two ends of a connection with these properties. No byte is lost: a lost packet arrives
 * later, and so do all packets behind it. After a reset both ends answer -ECONNRESET.
 * config: NULL for a zeroed struct.
 * Returns: 0; -ENOMEM; -EINVAL if ret_end or ret_other is NULL, or if a duration is below 0. Writes
 * may answer -ENOMEM. */
EDO_API EDO_MUST_USE int edo_test_link(const edo_test_link_config *config, edo_io **ret_end,
                                       edo_io **ret_other);

EDO_END_DECLS
