/* What the kernel tells about the server's process (/proc/PID), seen from outside. */
#ifndef LOAD_SERVER_H
#define LOAD_SERVER_H

#include <stdint.h>
#include <sys/types.h>

struct load_server_sample {
    uint64_t cpu_ns;    // user and system time of all its threads, in steps of a clock tick (10 ms)
    uint64_t rss_bytes; // resident set
};

/* Returns 0, or a negative errno (-ENOENT, -ESRCH: no such process); then *ret_sample is
 * untouched. */
int load_server_measure(pid_t pid, struct load_server_sample *ret_sample);

#endif
