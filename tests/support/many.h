/* Many connections to an echo server in this process, from a child: held, echoed, checked byte by
 * byte, and a half of them reset at random meanwhile. */
#pragma once

#include <stdint.h>

typedef struct many_options {
    unsigned connections; // as many as the limits of the process allow, at most
    int64_t duration;     // nanoseconds of echoing
} many_options;

/* Fails the test for a wrong byte, for an error that is not the peer's, and for a descriptor or
 * memory that is left. */
void run_many(many_options options);
