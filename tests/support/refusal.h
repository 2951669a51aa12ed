/* System calls that the kernel refuses: as under an old container's profile. */
#pragma once

/* Has a system call fail with an error, on every thread of this process and permanently: for
 * children. */
void refuse_call(long number, int error);
