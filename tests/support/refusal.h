/* Refusal of system calls by the kernel, as under the profile of an old container. */
#pragma once

/* Makes a system call raise SIGSYS instead, on every thread of this process, permanently. For
 * children. */
void trap_call(long number);

/* Makes a system call fail with an error, on every thread of this process, permanently. For
 * children. */
void refuse_call(long number, int error);
