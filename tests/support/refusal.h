/* System calls that the kernel refuses: as under an old container's profile. */
#pragma once

/* From now on the call of that number answers the error, to every thread of this process and for
 * good: for children. */
void refuse_call(long number, int error);
