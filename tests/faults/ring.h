/* The part of the shim that knows io_uring. */
#pragma once

#include <sys/types.h>

#include "faults/shim.h"

/* One request of that kind (shim.c). */
bool faults_fails(fault_kind kind);

/* syscall(2). */
long faults_ring_call(long number, const long words[6]);

/* A mapping was made. */
void faults_ring_mapped(int fd, off_t offset, void *memory);
