/* Shared by the files of the log. */
#pragma once

#include "aof.h"

enum { FINISH_LIMIT = 5 }; // s, for the rest at the end; well within the runtime's drain_limit

#define AOF_NAME     "appendonly.aof"
#define AOF_NEW_NAME "appendonly.aof.new"

struct aof {
    edo_thread_mutex lock;
    edo_buffer pending;  // the lock; bytes that the writer has not taken
    edo_buffer changes;  // the lock; bytes since the fork of a rewrite
    bool is_rewriting;   // atomic; written under the lock
    bool is_due;         // atomic; a rewrite was asked for, and has not ended
    bool rewrite_failed; // atomic; of the last one
    bool is_on;          // constant while tasks run
    uint64_t appended;   // atomic; written under the lock
    uint64_t written;    // atomic; the file's lock
    uint64_t synced;     // atomic; the file's lock
    uint64_t size;       // atomic; of the file
    uint64_t base_size;  // atomic; of the file after the last rewrite
    uint64_t rewrites;   // atomic; number of them
    int error;           // atomic
    bool sync_failed;    // atomic; written with the file's lock; a rewrite follows
    edo_notify work, progress, rewrite;
    edo_mutex file_lock; // of file and batch
    edo_file *file;
    edo_buffer batch; // bytes that are being written
};

extern struct aof aof;

uint64_t aof_get(const uint64_t *number);
void aof_set(uint64_t *number, uint64_t value);
void aof_fail(int error); // 0: the failure is over

/* Notes the result of a sync of all bytes up to a position. With the file's lock. */
void aof_note_sync(int64_t rc, uint64_t position);
bool aof_sync_has_failed(void);

/* Writes the database to AOF_NEW_NAME, and ends the process: in a child. */
_Noreturn void aof_dump(void);
