/* Changes in directories (sys/watch.h), reported by inotify. */
#include "sys/watch.h"

#include <sys/inotify.h>
#include <unistd.h>

enum {
    WANTED = IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF,
};

edo_fd edo__changes_open(void)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int edo__changes_add(edo_fd fd, const char *path)
{
    int number = inotify_add_watch(fd, path, WANTED | IN_ONLYDIR | IN_EXCL_UNLINK);
    return number < 0 ? -errno : number;
}

void edo__changes_remove(edo_fd fd, int number)
{
    inotify_rm_watch(fd, number);
}

int64_t edo__changes_read(edo_fd fd, void *memory, size_t size)
{
    ssize_t n;
    do {
        n = read(fd, memory, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static uint32_t what_of(uint32_t mask)
{
    static const struct {
        uint32_t theirs, ours;
    } pairs[] = {
        { IN_CREATE, EDO__CHANGE_CREATED },       { IN_MODIFY, EDO__CHANGE_WRITTEN_TO },
        { IN_CLOSE_WRITE, EDO__CHANGE_WRITTEN },  { IN_ATTRIB, EDO__CHANGE_METADATA },
        { IN_DELETE, EDO__CHANGE_REMOVED },       { IN_MOVED_FROM, EDO__CHANGE_MOVED_FROM },
        { IN_MOVED_TO, EDO__CHANGE_MOVED_TO },    { IN_DELETE_SELF, EDO__CHANGE_SELF_REMOVED },
        { IN_MOVE_SELF, EDO__CHANGE_SELF_MOVED }, { IN_IGNORED, EDO__CHANGE_ENDED },
        { IN_Q_OVERFLOW, EDO__CHANGE_LOST },      { IN_ISDIR, EDO__CHANGE_OF_DIR },
    };
    uint32_t what = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (mask & pairs[i].theirs) what |= pairs[i].ours;
    return what;
}

bool edo__changes_take(const void *memory, size_t size, size_t *at, edo__change *ret_change)
{
    if (*at >= size) return false;
    const struct inotify_event *event = (const void *)((const char *)memory + *at);
    *at += sizeof *event + event->len;
    *ret_change = (edo__change){ .number = event->wd,
                                 .what = what_of(event->mask),
                                 .cookie = event->cookie,
                                 .name = event->len ? event->name : "" };
    return true;
}
