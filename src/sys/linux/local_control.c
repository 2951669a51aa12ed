/* Ancillary data of Unix sockets on Linux: descriptors and credentials. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/datagrams.h"
#include "sys/local.h"

enum { MOST_FDS = 253, OVERFLOW_ID = 65534, TAKEN = -1 };

_Static_assert(EDO_CONTROL_FDS_SIZE(1) == CMSG_SPACE(sizeof(int)) &&
                   EDO_CONTROL_FDS_SIZE(MOST_FDS) == CMSG_SPACE(MOST_FDS * sizeof(int)),
               "the size of a record");
_Static_assert(EDO_CONTROL_CREDENTIALS_SIZE == CMSG_SPACE(sizeof(struct ucred)),
               "the size of a record");

static bool is_of(const edo_control_record *record, int type)
{
    return record->level == SOL_SOCKET && record->type == type;
}

/* ---- descriptors ---- */

int edo__control_add_fds(edo_control *control, const edo_fd *fds, size_t count)
{
    if (count == 0 || count > MOST_FDS) return -EINVAL;
    return edo__control_add(control, SOL_SOCKET, SCM_RIGHTS, fds, count * sizeof *fds);
}

/* Takes the descriptors from one record. Changes the type of the record, so that the descriptors
 * cannot be taken twice. The length of the record shows how many descriptors the kernel has
 * installed. */
static size_t take_record(const edo_control_record *record, edo_fd *ret_fds, size_t room)
{
    size_t count = record->size / sizeof(int), kept = 0;
    char *head = (char *)(uintptr_t)record->data - CMSG_LEN(0);
    int type = TAKEN;
    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, (const char *)record->data + i * sizeof fd, sizeof fd);
        if (kept < room)
            ret_fds[kept++] = fd;
        else
            close(fd);
    }
    memcpy(head + offsetof(struct cmsghdr, cmsg_type), &type, sizeof type);
    return kept;
}

size_t edo__control_take_fds(edo_control *control, edo_fd *ret_fds, size_t room)
{
    size_t taken = 0;
    edo_control_record record = { 0 };
    while (edo__control_next(control, &record))
        if (is_of(&record, SCM_RIGHTS))
            taken += take_record(&record, ret_fds + taken, room - taken);
    return taken;
}

/* ---- credentials ---- */

int edo__control_add_credentials(edo_control *control, const edo_unix_peer *from)
{
    struct ucred ids = { .pid = from->pid, .uid = from->uid, .gid = from->gid };
    return edo__control_add(control, SOL_SOCKET, SCM_CREDENTIALS, &ids, sizeof ids);
}

/* Whether credentials are unknown. A message that was sent before the socket asked for credentials
 * has the pid 0 and the overflow ids. */
static bool is_unknown(const struct ucred *ids)
{
    return ids->pid == 0 && ids->uid == OVERFLOW_ID && ids->gid == OVERFLOW_ID;
}

int edo__control_credentials(const edo_control *control, edo_unix_peer *ret_from)
{
    struct ucred ids = { .uid = OVERFLOW_ID, .gid = OVERFLOW_ID };
    edo_control_record record = { 0 };
    while (edo__control_next(control, &record))
        if (is_of(&record, SCM_CREDENTIALS) && record.size >= sizeof ids)
            memcpy(&ids, record.data, sizeof ids);
    if (is_unknown(&ids)) return -ENODATA;
    *ret_from = (edo_unix_peer){ .pid = ids.pid, .uid = ids.uid, .gid = ids.gid };
    return 0;
}
