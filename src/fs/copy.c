/* Copies of one file (copy.h). */
#include "fs/copy.h"

#include <string.h>

#include "sys/sys.h"
#include "sys/transfer.h"

enum {
    PIECE = 8 * 1024 * 1024, // bytes per visit to the pool
    CALL_SIZE = 1024 * 1024, // bytes per call of the system
    BUFFER_SIZE = 64 * 1024,
    XATTR_SIZE = 64 * 1024, // greatest list of names, and greatest value, that the system permits
};

/* ---- the beginning ---- */

static int64_t open_source(edo__copy *copy, edo_fd dir, const char *path, bool follows)
{
    edo__file_call call = { .verb = EDO__FILE_OPEN, .fd = dir, .path = path };
    call.flags = EDO_OPEN_READ | (follows ? 0 : EDO_OPEN_NO_FOLLOW);
    int64_t fd = edo__file_make(&call);
    if (fd < 0) return fd;
    copy->from = (edo_fd)fd;
    call = (edo__file_call){ .verb = EDO__FILE_INFO, .fd = copy->from, .data = &copy->info };
    return edo__file_make(&call);
}

/* Checks the kind of the source before the open, because the open of a named pipe could wait for
 * ever. */
static int64_t check_kind(edo_fd dir, const char *path, bool follows)
{
    edo_info info;
    edo__file_call call = { .verb = EDO__FILE_INFO, .fd = dir, .path = path, .data = &info };
    call.flags = follows ? 0 : EDO__PATH_NO_FOLLOW;
    int64_t rc = edo__file_make(&call);
    if (rc < 0) return rc;
    if (info.kind == EDO_IS_DIRECTORY) return -EISDIR;
    return info.kind == EDO_IS_FILE ? 0 : -EINVAL;
}

int64_t edo__copy_open(edo__copy *copy, edo_fd from_dir, const char *from, edo_fd to_dir,
                       const char *to, uint32_t flags)
{
    bool in_tree = flags & EDO__COPY_IN_TREE, follows = !in_tree;
    *copy = (edo__copy){ .from = -1, .flags = flags, .place = { .dir = -1, .fd = -1 } };
    int64_t rc = check_kind(from_dir, from, follows);
    if (rc >= 0) rc = open_source(copy, from_dir, from, follows);
    if (rc >= 0)
        rc = in_tree && !(flags & EDO_COPY_REPLACE)
                 ? edo__place_open_direct(&copy->place, to_dir, to, 0600)
                 : edo__place_open(&copy->place, to_dir, to, 0600);
    if (rc < 0) {
        edo__sys_close(copy->from);
        return rc;
    }
    bool shares = !(flags & EDO_COPY_NO_SHARING);
    copy->is_done = shares && edo__file_clone(copy->from, copy->place.fd) >= 0;
    return 0;
}

/* ---- the content ---- */

/* Finds the next part with data. If the file system does not report holes, all bytes after the
 * offset count as data. Returns: whether there is data after the offset. */
static bool find_data(edo__copy *copy)
{
    edo__file_call call = {
        .verb = EDO__FILE_SEEK, .fd = copy->from, .flags = EDO_SEEK_DATA, .offset = copy->offset
    };
    int64_t begin = edo__file_make(&call);
    copy->data_end = UINT64_MAX;
    if (begin == -ENXIO && copy->info.size) return false;
    if (begin < 0) return true;
    call.flags = EDO_SEEK_HOLE;
    call.offset = (uint64_t)begin;
    int64_t end = edo__file_make(&call);
    copy->offset = (uint64_t)begin;
    if (end > begin) copy->data_end = (uint64_t)end;
    return true;
}

static int64_t read_and_write(const edo__copy *copy, uint64_t size)
{
    char *buffer = edo__alloc(BUFFER_SIZE);
    if (!buffer) return -ENOMEM;
    size_t part = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
    int64_t n = edo__sys_read_at(copy->from, buffer, part, copy->offset);
    edo__file_call call = { .verb = EDO__FILE_WRITE,
                            .fd = copy->place.fd,
                            .data = buffer,
                            .size = n > 0 ? (uint64_t)n : 0,
                            .offset = copy->offset };
    while (n > 0 && call.size) {
        int64_t written = edo__file_make(&call);
        if (written < 0) n = written;
        if (written <= 0) break;
        call.data = (char *)call.data + written;
        call.size -= (uint64_t)written;
        call.offset += (uint64_t)written;
    }
    edo__free(buffer, BUFFER_SIZE);
    return n;
}

/* Copies bytes by one call of the system. If the system cannot copy the file, or its call moves no
 * bytes, reads and writes the bytes instead. The call moves no bytes of a file of unknown size, as
 * in /proc. */
static int64_t copy_once(edo__copy *copy, uint64_t size)
{
    int64_t n = -EOPNOTSUPP;
    if (size > CALL_SIZE) size = CALL_SIZE;
    if (!copy->reads)
        n = edo__sys_copy_range(copy->from, copy->offset, copy->place.fd, copy->offset, size);
    if (n > 0 || (n < 0 && !edo__sys_is_unsupported(n))) return n;
    if (n < 0) copy->reads = true;
    return read_and_write(copy, size);
}

static int64_t set_size(const edo__copy *copy)
{
    edo__file_call call = { .verb = EDO__FILE_TRUNCATE,
                            .fd = copy->place.fd,
                            .size = copy->info.size };
    return copy->offset < copy->info.size ? edo__file_make(&call) : 0;
}

static int64_t copy_content(edo__copy *copy)
{
    for (uint64_t sum = 0; sum < PIECE;) {
        if (copy->offset >= copy->data_end && !find_data(copy)) {
            copy->is_done = true;
            return set_size(copy); // the file ends with a hole
        }
        int64_t n = copy_once(copy, copy->data_end - copy->offset);
        if (n < 0) return n;
        if (n == 0) {
            copy->is_done = true;
            return 0;
        }
        copy->offset += (uint64_t)n;
        sum += (uint64_t)n;
    }
    return 0;
}

/* ---- metadata ---- */

/* Whether an attribute is left out of the copy after this error. The error means that the system
 * does not permit or support the attribute, or that the attribute was removed meanwhile. */
static bool is_left_out(int64_t error)
{
    return error == -EPERM || error == -EACCES || error == -EOPNOTSUPP || error == -ENODATA;
}

static int64_t copy_xattr(edo_fd from, edo_fd to, const char *name, void *value)
{
    edo__file_call call = {
        .verb = EDO__XATTR_GET, .fd = from, .path = name, .data = value, .size = XATTR_SIZE
    };
    int64_t rc = edo__file_make(&call);
    if (rc >= 0) {
        call.verb = EDO__XATTR_SET;
        call.fd = to;
        call.size = (uint64_t)rc;
        rc = edo__file_make(&call);
    }
    return rc < 0 && !is_left_out(rc) ? rc : 0;
}

/* memory: room for the list of the names, and behind it for a value. */
static int64_t copy_listed(edo_fd from, edo_fd to, char *memory)
{
    edo__file_call call = {
        .verb = EDO__XATTR_LIST, .fd = from, .data = memory, .size = XATTR_SIZE
    };
    int64_t size = edo__file_make(&call), rc = size < 0 ? size : 0;
    for (const char *name = memory; rc == 0 && name < memory + size; name += strlen(name) + 1)
        rc = copy_xattr(from, to, name, memory + XATTR_SIZE);
    return rc;
}

/* Copies the attributes that the system permits. Takes memory only for a file with attributes. */
static int64_t copy_xattrs(edo_fd from, edo_fd to)
{
    edo__file_call call = { .verb = EDO__XATTR_LIST, .fd = from };
    int64_t rc = edo__file_make(&call);
    if (rc <= 0) return is_left_out(rc) ? 0 : rc;
    char *memory = edo__alloc(2 * XATTR_SIZE);
    if (!memory) return -ENOMEM;
    rc = copy_listed(from, to, memory);
    edo__free(memory, 2 * XATTR_SIZE);
    return rc;
}

static int64_t copy_owner(edo_fd to, const edo_info *info)
{
    return edo__file_make(&(edo__file_call){
        .verb = EDO__FILE_OWNER, .fd = to, .size = info->user, .offset = info->group });
}

static int64_t copy_times(edo_fd to, const edo_info *info)
{
    return edo__file_make(&(edo__file_call){ .verb = EDO__FILE_TIMES,
                                             .fd = to,
                                             .data = (void *)(uintptr_t)&info->access,
                                             .path2 = (const char *)&info->change });
}

static int64_t first_error(int64_t first, int64_t second)
{
    return first < 0 ? first : second;
}

/* After an error, the next steps are made nevertheless, because a directory remains although its
 * attributes could not be copied. The order matters:
 * - A change of the owner removes the attribute with the capabilities of a program, and the bits
 *   set-user-id and set-group-id.
 * - Attributes can be set only on a file that its permissions allow to write. */
int64_t edo__copy_metadata(edo_fd from, edo_fd to, const edo_info *info, uint32_t flags)
{
    int64_t rc = flags & EDO_COPY_OWNER ? copy_owner(to, info) : 0;
    rc = first_error(rc, copy_xattrs(from, to));
    rc = first_error(rc, edo__place_set_mode(to, info));
    return first_error(rc, copy_times(to, info));
}

/* ---- pieces and the end ---- */

int64_t edo__copy_piece(edo__copy *copy)
{
    int64_t rc = copy->is_done ? 0 : copy_content(copy);
    if (rc < 0 || !copy->is_done) return rc < 0 ? rc : -EAGAIN;
    return edo__copy_metadata(copy->from, copy->place.fd, &copy->info, copy->flags);
}

int64_t edo__copy_close(edo__copy *copy, bool complete)
{
    edo__sys_close(copy->from);
    copy->from = -1;
    if (complete) return edo__place_commit(&copy->place, copy->flags & EDO_COPY_REPLACE, false);
    edo__place_abandon(&copy->place);
    return 0;
}
