/* Preloaded into mini-redis: fdatasync() fails while the file named by FAIL_SYNC exists. The data is
 * lost for good, as with a broken disk: a later call for the same descriptor would succeed. */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd);

int fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    const char *path = getenv("FAIL_SYNC");
    if (!path || access(path, F_OK) < 0) return next(fd);
    errno = EIO;
    return -1;
}
