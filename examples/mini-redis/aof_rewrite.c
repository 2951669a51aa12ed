/* Rewriting of the log, see aof.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aof_private.h"
#include "database.h"
#include "reply.h"

enum { RETRY_PAUSE = 1 }; // s, after a rewrite that had to replace a file whose sync failed

bool aof_is_rewriting(void)
{
    return __atomic_load_n(&aof.is_rewriting, __ATOMIC_RELAXED);
}

bool aof_rewrite_has_failed(void)
{
    return __atomic_load_n(&aof.rewrite_failed, __ATOMIC_RELAXED);
}

/* A request during a rewrite stores no permit, which would begin a second one. A request for a failed
 * sync is not lost: it sets sync_failed before it reads is_due, and the rewriter clears is_due
 * before it reads sync_failed, all in one order (SEQ_CST). So the request sees is_due cleared, or
 * the rewriter sees the failure. */
bool aof_rewrite_start(void)
{
    if (__atomic_exchange_n(&aof.is_due, true, __ATOMIC_SEQ_CST)) return false;
    edo_notify_one(&aof.rewrite);
    return true;
}

/* The child does not outlive the server: the next one may rewrite the same file. */
static _Noreturn void dump_for(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    aof_dump();
}

/* Forks with all locks held, so that the child has a whole database, and the changes that are
 * collected are exactly those that it lacks. Returns: the child, or a negative errno. */
static int64_t fork_child(void)
{
    shards_lock(ALL_SHARDS);
    edo_thread_mutex_lock(&aof.lock);
    pid_t parent = getpid(), child = fork();
    if (child == 0) dump_for(parent);
    if (child > 0) __atomic_store_n(&aof.is_rewriting, true, __ATOMIC_RELAXED);
    edo_thread_mutex_unlock(&aof.lock);
    shards_unlock(ALL_SHARDS);
    return child < 0 ? -errno : child;
}

static void drop_changes(void)
{
    edo_thread_mutex_lock(&aof.lock);
    edo_buffer_deinit(&aof.changes);
    __atomic_store_n(&aof.is_rewriting, false, __ATOMIC_RELAXED);
    edo_thread_mutex_unlock(&aof.lock);
}

/* Takes the child's status after its end, or ends it. Returns: 0: it has written the file. */
static int reap(pid_t child, bool kills)
{
    int status = 0;
    if (kills) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* Takes the changes that were collected until now. */
static void take_changes(edo_buffer *ret_changes)
{
    edo_thread_mutex_lock(&aof.lock);
    *ret_changes = aof.changes;
    aof.changes = (edo_buffer){ NULL, 0, 0, NULL };
    edo_thread_mutex_unlock(&aof.lock);
}

/* Makes the new file the log. Bytes that wait for the old file are in the new one, except the
 * changes since the last take_changes(). With the file's lock. Returns: the position up to which
 * the new file has all changes. */
static uint64_t switch_files(edo_file *file, uint64_t size)
{
    edo_thread_mutex_lock(&aof.lock);
    edo_buffer_deinit(&aof.pending);
    edo_buffer_deinit(&aof.batch);
    aof.pending = aof.changes;
    aof.changes = (edo_buffer){ NULL, 0, 0, NULL };
    __atomic_store_n(&aof.is_rewriting, false, __ATOMIC_RELAXED);
    uint64_t position = aof.appended - aof.pending.size;
    edo_thread_mutex_unlock(&aof.lock);
    edo_file_close(aof.file);
    aof.file = file;
    aof_set(&aof.size, size);
    aof_set(&aof.base_size, size);
    return position;
}

/* Notes the result of the directory's sync after the switch. A failure lasts until the rename is on
 * the disk: a crash may still bring the old file back. With the file's lock. */
static void note_switched(int64_t rc, uint64_t position)
{
    aof_set(&aof.written, position);
    if (rc >= 0) {
        __atomic_store_n(&aof.sync_failed, false, __ATOMIC_RELAXED);
        aof_set(&aof.rewrites, aof.rewrites + 1);
        aof_fail(0);
    }
    aof_note_sync(rc, position);
    edo_notify_one(&aof.work);
    edo_notify_waiters(&aof.progress);
}

/* Appends the changes since the last call to the new file. */
edo_async(aof_append_changes)
{
    edo_body {
        int64_t rc;
        take_changes(&self->changes);
        edo_await(rc,
                  edo_write_all(edo_file_io(self->file), self->changes.data, self->changes.size));
        edo_buffer_deinit(&self->changes);
        edo_return(rc);
    }
}

/* Waits for the child's end. Answers 0: it has written its file. */
edo_async(aof_wait_child)
{
    edo_body {
        int64_t rc;
        self->handle = (int)syscall(SYS_pidfd_open, (pid_t)self->child, 0);
        rc = -errno;
        if (self->handle >= 0) edo_await(rc, edo_wait_fd(self->handle, EDO_READABLE));
        if (self->handle >= 0) close(self->handle);
        int status = reap((pid_t)self->child, rc < 0);
        edo_return(rc < 0 ? rc : status);
    }
}

/* Makes a rename durable. */
edo_async(aof_sync_directory)
{
    edo_body {
        int64_t rc;
        self->directory = NULL;
        edo_try(edo_file_open(".", EDO_OPEN_READ | EDO_OPEN_DIRECTORY, &self->directory));
        edo_await(rc, edo_file_sync(self->directory));
        edo_file_close(self->directory);
        edo_return(rc);
    }
}

/* The changes of a long time first, then with the file's lock the last ones: the writer pauses
 * only for these. */
edo_async(aof_rewrite)
{
    edo_body {
        int64_t rc;
        self->file = NULL;
        edo_check(self->child = fork_child());
        edo_call(rc, aof_wait_child, .child = self->child);
        edo_check_or(drop, rc);
        edo_try_or(drop,
                   edo_file_open(AOF_NEW_NAME, EDO_OPEN_WRITE | EDO_OPEN_APPEND, &self->file));
        edo_call(rc, aof_append_changes, .file = self->file);
        edo_check_or(drop, rc);
        edo_lock(rc, &aof.file_lock);
        edo_check_or(drop, rc);
        edo_call(rc, aof_append_changes, .file = self->file);
        edo_check_or(unlock, rc);
        edo_try_or(unlock, edo_file_sync(self->file));
        edo_try_or(unlock, self->size, edo_file_seek(self->file, 0, EDO_SEEK_END));
        edo_try_or(unlock, edo_path_rename(AOF_NEW_NAME, AOF_NAME));
        edo_shield(); // the directory is synced, even if the rewriter is cancelled
        self->position = switch_files(self->file, self->size);
        edo_call(rc, aof_sync_directory);
        note_switched(rc, self->position);
        edo_mutex_unlock(&aof.file_lock);
        edo_return(rc);
unlock:
        edo_mutex_unlock(&aof.file_lock);
drop:
        drop_changes();
        edo_file_close(self->file);
        edo_await_void(edo_path_remove(AOF_NEW_NAME)); // it may be what fills the disk
        edo_return(edo_failure());
    }
}

/* After a failure, the log must grow again before a rewrite begins by itself. */
static void note_end(int64_t rc)
{
    __atomic_store_n(&aof.is_due, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&aof.rewrite_failed, rc < 0, __ATOMIC_RELAXED);
    if (rc >= 0 || rc == -ECANCELED) return;
    fprintf(stderr, "mini-redis: rewrite of the log: %s\n", edo_strerror(rc));
    aof_set(&aof.base_size, aof_size());
}

/* At the end, no client changes the database any more, so a last rewrite brings back what a failed
 * sync has lost. */
edo_async_extern(aof_rewriter)
{
    edo_body {
        int64_t rc;
        for (;;) {
            if (!aof_sync_has_failed()) edo_try_or(end, edo_notified(&aof.rewrite));
            edo_call(rc, aof_rewrite);
            note_end(rc);
            if (rc == -ECANCELED) break;
            if (aof_sync_has_failed()) edo_try_or(end, edo_sleep(edo_s(RETRY_PAUSE)));
        }
end:
        if (!aof_sync_has_failed()) edo_return(0);
        edo_shield();
        edo_call_for(rc, edo_s(FINISH_LIMIT), aof_rewrite);
        note_end(rc);
        edo_return(rc);
    }
}
