/* The append-only file: all changes as commands, in the order in which they were made.
 *
 * A command appends its change to a buffer while its shards are locked, so the changes of a key
 * are in order. One task writes the buffer to the file, and syncs it if the policy is "always":
 * all clients whose changes came meanwhile wait for the same sync (group commit). A client's
 * replies are written when its changes are on the disk ("always"), or at once.
 *
 * When a write fails (a full disk), the unwritten bytes stay in memory, commands that write are
 * refused, and the write is tried again until it succeeds. When a sync fails, the system may have
 * dropped bytes, so a rewrite makes a new file; until then, commands that write are refused. */
#pragma once

#include <edo/edo.h>

#include "text.h"

/* ---- appending: in the shards of the command; no-ops while the log is off ---- */

void aof_put_command(edo_buffer *buffer, int count, const struct span *args);
void aof_append(int count, const struct span *args);
void aof_append_bytes(const void *data, size_t size);
void aof_append_delete(struct span key);

/* ---- waiting ---- */

bool aof_is_on(void);
uint64_t aof_position(void); // bytes appended since the start
int aof_error(void);         // of the last write or sync; 0: none

/* Whether a client that has changed data up to a position may get its replies: 1; 0: not yet;
 * negative: the changes may be lost. */
int aof_is_safe(uint64_t position);
edo_op aof_progress(void); // waits for the next write or failure; make it before aof_is_safe()

/* Whether so many bytes wait for the disk that clients must wait, too. */
bool aof_is_congested(void);

/* ---- life ---- */

/* Reads the log and executes it; blocks. Returns: 0; a negative errno: a line on stderr says why.
 * A torn command at the end is cut off. */
int aof_load(void);

struct aof_sync {
    edo_frame();
    edo_args();
    uint64_t written;
};

/* Writes the log until it is cancelled; then writes and syncs the rest. */
struct aof_write_batch {
    edo_frame();
    edo_args();
};
struct aof_write_all {
    edo_frame(struct aof_write_batch batch;);
    edo_args();
};
struct aof_finish {
    edo_frame(struct aof_write_all all; struct aof_sync sync;);
    edo_args();
};
edo_declare_async(aof_writer);
struct aof_writer {
    edo_frame(struct aof_write_all all; struct aof_finish finish;);
    edo_args();
};

/* Syncs once a second, unless the policy is "no". With "always", something is left to sync only after
 * a change of the policy. */
edo_declare_async(aof_syncer);
struct aof_syncer {
    edo_frame(struct aof_sync sync;);
    edo_args();
    edo_interval interval;
};

/* The log's result after the end of its tasks. Returns: 0; negative: it lacks changes, and a line on
 * stderr says why. */
int aof_end(void);

/* ---- rewriting ---- */

/* A forked child writes the database as it is at this moment to a new file. Changes made meanwhile
 * are collected and appended, then the new file replaces the log. */
bool aof_rewrite_start(void); // Returns: false: one is in progress
bool aof_is_rewriting(void);
bool aof_rewrite_has_failed(void); // the last one
uint64_t aof_size(void);
uint64_t aof_rewrites(void);
struct aof_append_changes {
    edo_frame();
    edo_args(edo_file *file;);
    edo_buffer changes;
};
struct aof_wait_child {
    edo_frame();
    edo_args(int64_t child;);
    int handle;
};
struct aof_sync_directory {
    edo_frame();
    edo_args();
    edo_file *directory;
};
struct aof_rewrite {
    edo_frame(struct aof_append_changes append; struct aof_wait_child wait;
              struct aof_sync_directory sync;);
    edo_args();
    edo_file *file;
    int64_t child;
    uint64_t size, position;
};

/* Rewrites the log on request, and after a failed sync until a rewrite succeeds: once more when it
 * is cancelled. */
edo_declare_async(aof_rewriter);
struct aof_rewriter {
    edo_frame(struct aof_rewrite rewrite;);
    edo_args();
};
