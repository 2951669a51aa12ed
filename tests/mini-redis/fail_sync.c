/* Preloaded into mini-redis: fdatasync() fails while the file named by FAIL_SYNC exists. The data is
 * lost for good, as with a broken disk: a later call for the same descriptor would succeed.
 *
 * While a named pipe of this name with ".data" or ".directory" exists, fdatasync() or fsync() of a
 * directory first waits until a writer has opened and closed the pipe. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int fdatasync(int fd);
EXPORT int fsync(int fd);

typedef int (*sync_function)(int fd);

static void hold(const char *kind)
{
    char path[4096], byte;
    const char *base = getenv("FAIL_SYNC");
    if (!base) return;
    snprintf(path, sizeof path, "%s.%s", base, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    while (read(fd, &byte, 1) > 0)
        continue;
    close(fd);
}

int fdatasync(int fd)
{
    sync_function next = (sync_function)dlsym(RTLD_NEXT, "fdatasync");
    const char *path = getenv("FAIL_SYNC");
    hold("data");
    if (!path || access(path, F_OK) < 0) return next(fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    sync_function next = (sync_function)dlsym(RTLD_NEXT, "fsync");
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) hold("directory");
    return next(fd);
}
