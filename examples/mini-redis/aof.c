#include "aof_private.h"
#include "config.h"
#include "reply.h"

#include <stdio.h>

enum {
    MUCH_PENDING = 64 * 1024 * 1024, // bytes
    RETRY_PAUSE = 200,               // ms, after a failed write
};

struct aof aof;

uint64_t aof_get(const uint64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_ACQUIRE);
}

void aof_set(uint64_t *number, uint64_t value)
{
    __atomic_store_n(number, value, __ATOMIC_RELEASE);
}

bool aof_is_on(void)
{
    return aof.is_on;
}

uint64_t aof_position(void)
{
    return aof_get(&aof.appended);
}

int aof_error(void)
{
    return __atomic_load_n(&aof.error, __ATOMIC_RELAXED);
}

uint64_t aof_size(void)
{
    return aof_get(&aof.size);
}

uint64_t aof_rewrites(void)
{
    return aof_get(&aof.rewrites);
}

void aof_fail(int error)
{
    int before = __atomic_exchange_n(&aof.error, error, __ATOMIC_RELAXED);
    if (error && !before)
        fprintf(stderr, "mini-redis: the log cannot be written: %s\n", edo_strerror(error));
    if (before && !error) fprintf(stderr, "mini-redis: the log can be written again\n");
}

bool aof_sync_has_failed(void)
{
    return __atomic_load_n(&aof.sync_failed, __ATOMIC_SEQ_CST);
}

/* A failed sync may have lost bytes of the file, and no later sync brings them back: a rewrite makes
 * a new file from memory. */
void aof_note_sync(int64_t rc, uint64_t position)
{
    if (rc >= 0 && !aof_sync_has_failed()) aof_set(&aof.synced, position);
    if (rc >= 0 || rc == -ECANCELED) return;
    aof_fail((int)rc);
    if (!__atomic_exchange_n(&aof.sync_failed, true, __ATOMIC_SEQ_CST)) (void)aof_rewrite_start();
}

/* ---- appending ---- */

void aof_put_command(edo_buffer *buffer, int count, const struct span *args)
{
    put_head(buffer, '*', count);
    for (int i = 0; i < count; i++)
        put_bulk(buffer, args[i]);
}

/* With the lock. */
static void note_appended(size_t before)
{
    size_t size = aof.pending.size - before;
    if (aof.is_rewriting) put(&aof.changes, aof.pending.data + before, size);
    aof_set(&aof.appended, aof.appended + size);
}

void aof_append(int count, const struct span *args)
{
    if (!aof.is_on) return;
    edo_thread_mutex_lock(&aof.lock);
    size_t before = aof.pending.size;
    aof_put_command(&aof.pending, count, args);
    note_appended(before);
    edo_thread_mutex_unlock(&aof.lock);
    if (before == 0) edo_notify_one(&aof.work);
}

void aof_append_bytes(const void *data, size_t size)
{
    if (!aof.is_on) return;
    edo_thread_mutex_lock(&aof.lock);
    size_t before = aof.pending.size;
    put(&aof.pending, data, size);
    note_appended(before);
    edo_thread_mutex_unlock(&aof.lock);
    if (before == 0) edo_notify_one(&aof.work);
}

void aof_append_delete(struct span key)
{
    aof_append(2, (struct span[]){ SPAN("DEL"), key });
}

/* ---- waiting ---- */

int aof_is_safe(uint64_t position)
{
    if (__atomic_load_n(&config.appendfsync, __ATOMIC_RELAXED) != FSYNC_ALWAYS) return 1;
    if (aof_get(&aof.synced) >= position) return 1;
    return aof_error();
}

edo_op aof_progress(void)
{
    return edo_notified(&aof.progress);
}

bool aof_is_congested(void)
{
    return aof.is_on && aof_position() - aof_get(&aof.written) > MUCH_PENDING;
}

/* ---- the writer ---- */

static void take_batch(void)
{
    edo_thread_mutex_lock(&aof.lock);
    if (!aof.batch.size) {
        edo_buffer empty = aof.batch;
        aof.batch = aof.pending;
        aof.pending = empty;
    }
    edo_thread_mutex_unlock(&aof.lock);
}

static void note_written(uint64_t size)
{
    aof_set(&aof.written, aof.written + size);
    aof_set(&aof.size, aof.size + size);
    edo_buffer_advance(&aof.batch, size);
}

static bool has_work(void)
{
    edo_thread_mutex_lock(&aof.lock);
    bool has = aof.pending.size > 0;
    edo_thread_mutex_unlock(&aof.lock);
    return has || aof.batch.size;
}

static bool has_grown(void)
{
    uint64_t size = aof_size();
    uint64_t least = (uint64_t)__atomic_load_n(&config.least_rewrite, __ATOMIC_RELAXED);
    return size > least && size > 2 * aof_get(&aof.base_size);
}

static bool syncs_always(void)
{
    return __atomic_load_n(&config.appendfsync, __ATOMIC_RELAXED) == FSYNC_ALWAYS;
}

/* Writes one batch. Answers 0 or the failure. */
edo_async(aof_write_batch)
{
    edo_body {
        int64_t rc;
        edo_lock(rc, &aof.file_lock);
        if (rc < 0) edo_return(rc);
        take_batch();
        edo_await(rc, edo_write_all(edo_file_io(aof.file), aof.batch.data, aof.batch.size));
        note_written(edo_op_progress(edo_last_op()));
        if (rc >= 0 && syncs_always()) {
            edo_await(rc, edo_file_sync_data(aof.file));
            aof_note_sync(rc, aof.written);
        }
        if (rc != -ECANCELED && !aof_sync_has_failed()) aof_fail(rc < 0 ? (int)rc : 0);
        edo_mutex_unlock(&aof.file_lock);
        edo_notify_waiters(&aof.progress);
        edo_return(rc < 0 ? rc : 0);
    }
}

/* Writes all that is there. A failed write is tried again, until the function is cancelled. Under a
 * sustained load there is always more, so each batch may begin a rewrite. */
edo_async(aof_write_all)
{
    edo_body {
        int64_t rc;
        while (has_work()) {
            edo_call(rc, aof_write_batch);
            if (has_grown()) (void)aof_rewrite_start();
            if (rc == -ECANCELED) edo_return(rc);
            if (rc == 0) continue;
            edo_try(edo_sleep(edo_ms(RETRY_PAUSE)));
        }
        edo_return(0);
    }
}

/* Syncs what is written. */
edo_async(aof_sync)
{
    edo_body {
        int64_t rc;
        edo_lock(rc, &aof.file_lock);
        if (rc < 0) edo_return(rc);
        self->written = aof.written;
        if (aof.synced != self->written) {
            edo_await(rc, edo_file_sync_data(aof.file));
            aof_note_sync(rc, self->written);
        }
        edo_mutex_unlock(&aof.file_lock);
        edo_notify_waiters(&aof.progress);
        edo_return(rc < 0 ? rc : 0);
    }
}

edo_async(aof_finish)
{
    edo_body {
        int64_t rc;
        edo_call(rc, aof_write_all);
        if (rc >= 0) edo_call(rc, aof_sync);
        edo_return(rc);
    }
}

edo_async_extern(aof_writer)
{
    edo_body {
        int64_t rc;
        do {
            edo_await_notified(rc, &aof.work);
            if (rc >= 0) edo_call(rc, aof_write_all);
        } while (rc >= 0);
        edo_shield();
        edo_call_for(rc, edo_s(FINISH_LIMIT), aof_finish);
        if (rc < 0) aof_fail((int)rc);
        edo_return(rc);
    }
}

edo_async_extern(aof_syncer)
{
    edo_body {
        int64_t rc;
        edo_interval_init(&self->interval, edo_s(1), EDO_MISSED_SKIP);
        for (;;) {
            edo_try(edo_interval_next(&self->interval, NULL));
            if (__atomic_load_n(&config.appendfsync, __ATOMIC_RELAXED) == FSYNC_NO) continue;
            edo_call(rc, aof_sync);
            if (rc == -ECANCELED) edo_return(rc);
        }
    }
}

int aof_end(void)
{
    int error = aof_error();
    if (error < 0)
        fprintf(stderr, "mini-redis: the log is not complete: %s\n", edo_strerror(error));
    return error;
}
