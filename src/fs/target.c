#include "fs/target.h"

#include <string.h>

#include "sys/sys.h"

enum { FIRST_ROOM = 16 };

typedef struct edo__target_place {
    uint64_t device, inode;
} place;

static int64_t open_in(edo_fd fd, const char *name)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = fd, .path = name };
    call.flags = EDO_OPEN_READ | EDO_OPEN_DIRECTORY | EDO_OPEN_NO_FOLLOW;
    return edo__file_make(&call);
}

static int64_t identify(edo_fd fd, place *ret_place)
{
    edo_info info;
    edo__file_call call = { .verb = EDO__FILE_INFO, .fd = fd, .data = &info };
    int64_t rc = edo__file_make(&call);
    if (rc < 0) return rc;
    *ret_place = (place){ info.device, info.inode };
    return 0;
}

int64_t edo__target_open(edo__target *target, const char *name)
{
    edo__target_forget(target);
    if (target->fd < 0) return -ESTALE;
    int64_t fd = open_in(target->fd, name);
    if (fd < 0) return fd;
    target->entered = (edo_fd)fd;
    return 0;
}

static int make_room(edo__target *target)
{
    if (target->depth < target->room) return 0;
    uint32_t room = target->room ? target->room * 2 : FIRST_ROOM;
    place *places = edo__alloc(room * sizeof *places);
    if (!places) return -ENOMEM;
    if (target->depth) memcpy(places, target->places, target->depth * sizeof *places);
    edo__free(target->places, target->room * sizeof *places);
    target->places = places;
    target->room = room;
    return 0;
}

int64_t edo__target_follow(edo__target *target, uint32_t depth)
{
    if (target->entered < 0 || depth <= target->depth) return 0;
    int64_t rc = make_room(target);
    if (rc == 0) rc = identify(target->fd, &target->places[target->depth]);
    if (rc < 0) return rc;
    edo__sys_close(target->fd);
    target->fd = target->entered;
    target->entered = -1;
    target->depth++;
    return 0;
}

/* Returns: the directory above; -ESTALE: the present directory was moved; another error. */
static int64_t open_above(const edo__target *target)
{
    place found, above = target->places[target->depth - 1];
    int64_t fd = open_in(target->fd, "..");
    if (fd < 0) return fd;
    int64_t rc = identify((edo_fd)fd, &found);
    if (rc == 0 && (found.device != above.device || found.inode != above.inode)) rc = -ESTALE;
    if (rc == 0) return fd;
    edo__sys_close((edo_fd)fd);
    return rc;
}

edo_fd edo__target_leave(edo__target *target, int64_t *ret_error)
{
    edo_fd left = target->entered;
    *ret_error = 0;
    target->entered = -1;
    if (left >= 0) return left;
    if (target->fd < 0 || target->depth == 0) return -ESTALE;
    left = target->fd;
    int64_t above = open_above(target);
    if (above < 0) *ret_error = above;
    target->fd = above < 0 ? -1 : (edo_fd)above;
    target->depth--;
    return left;
}

void edo__target_forget(edo__target *target)
{
    edo__sys_close(target->entered);
    target->entered = -1;
}

void edo__target_close(edo__target *target)
{
    edo__target_forget(target);
    edo__sys_close(target->fd);
    target->fd = -1;
    edo__free(target->places, target->room * sizeof *target->places);
    target->places = NULL;
    target->room = 0;
}
