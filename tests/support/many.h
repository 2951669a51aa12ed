/* Many connections from a child to an echo server in this process. The connections are held, and
 * each echoed byte is checked. Half of the connections are reset at random moments. */
#pragma once

#include <stdint.h>

typedef struct many_options {
    unsigned connections; // at most as many as the limits of the process allow
    int64_t duration;     // nanoseconds of echoing
} many_options;

/* Fails the test for a wrong byte, an error not caused by the peer, and a leaked descriptor or
 * block. */
void run_many(many_options options);
