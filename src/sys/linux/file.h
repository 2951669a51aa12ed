/* Functions shared by the files that implement sys/filesystem.h. */
#pragma once

#include "sys/filesystem.h"

int64_t edo__file_open(const edo__file_call *call);

/* Opens a path with O_PATH, without waiting for a disk. Returns: the descriptor; -EAGAIN if a part
 * of the path is not in the cache. */
int edo__file_open_place(const edo__file_call *call);

/* Calls on a path, or on the file itself. */
int64_t edo__file_info(const edo__file_call *call);
int64_t edo__file_try_info(const edo__file_call *call);
int64_t edo__file_mode(const edo__file_call *call);
int64_t edo__file_owner(const edo__file_call *call);
int64_t edo__file_times(const edo__file_call *call);
int64_t edo__path_space(const edo__file_call *call);

/* Calls that change names. */
int64_t edo__path_call(const edo__file_call *call);
