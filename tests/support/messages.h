/* Messages of Unix sockets, for tests. */
#pragma once

#include "support/streams.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_FDS = 253 };

/* A message with one buffer and room for descriptors and credentials. Lies in a frame. */
typedef struct letter {
    _Alignas(8) char room[EDO_CONTROL_FDS_SIZE(MOST_FDS) + EDO_CONTROL_CREDENTIALS_SIZE];
    edo_control control;
    edo_slice slice;
    edo_message message;
} letter;

/* Prepares a letter. room: bytes of ancillary data; 0: no control. Returns: its message. */
static inline edo_message *prepare(letter *l, const void *data, size_t size, size_t room)
{
    l->control = (edo_control){ l->room, room, 0 };
    l->slice = (edo_slice){ (void *)(uintptr_t)data, size };
    l->message = (edo_message){ .slices = &l->slice, .slice_count = 1 };
    if (room) l->message.control = &l->control;
    return &l->message;
}

static inline edo_message *prepare_with_fds(letter *l, const void *data, size_t size,
                                            const edo_fd *fds, size_t count)
{
    edo_message *message = prepare(l, data, size, sizeof l->room);
    assert_int_equal(edo_control_add_fds(&l->control, fds, count), 0);
    return message;
}

/* Whether two descriptors belong to one file. */
static inline bool is_same_file(int a, int b)
{
    struct stat x, y;
    assert_int_equal(fstat(a, &x), 0);
    assert_int_equal(fstat(b, &y), 0);
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}
