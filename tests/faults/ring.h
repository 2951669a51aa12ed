/* The part of the shim that knows io_uring. */
#pragma once

#include <sys/types.h>

#include "faults/shim.h"

/* Counts one request. Returns: whether it fails, with errno set. (shim.c) */
bool faults_fails(fault_kind kind);

/* syscall(2). */
long faults_ring_call(long number, const long words[6]);

/* Notes a mapping that the program has made. */
void faults_ring_mapped(int fd, off_t offset, void *memory);
