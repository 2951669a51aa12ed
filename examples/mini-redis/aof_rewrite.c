/* Rewriting of the log, see aof.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aof_private.h"
#include "database.h"
#include "reply.h"

/* ---- the child: has the database as it was at the fork, and calls nothing that allocates ---- */

enum { ITEMS_PER_COMMAND = 64, CHUNK = 64 * 1024 };

static struct output {
    int fd;
    size_t size;
    char bytes[CHUNK];
} output;

static void flush(void)
{
    for (size_t at = 0; at < output.size;) {
        ssize_t n = write(output.fd, output.bytes + at, output.size - at);
        if (n < 0 && errno != EINTR) _exit(1);
        if (n > 0) at += (size_t)n;
    }
    output.size = 0;
}

static void out(const char *data, size_t size)
{
    while (size) {
        if (output.size == CHUNK) flush();
        size_t part = size < CHUNK - output.size ? size : CHUNK - output.size;
        memcpy(output.bytes + output.size, data, part);
        output.size += part;
        data += part;
        size -= part;
    }
}

static void out_head(char type, size_t number)
{
    char buffer[NUMBER_SIZE];
    struct span digits = int_to_span((int64_t)number, buffer);
    out(&type, 1);
    out(digits.data, digits.size);
    out("\r\n", 2);
}

static void out_bulk(struct span span)
{
    out_head('$', span.size);
    out(span.data, span.size);
    out("\r\n", 2);
}

/* A command that adds items to a key, in pieces of some items. */
struct pieces {
    struct span command, key;
    size_t left;  // items
    size_t texts; // per item
    size_t in_piece;
};

static void begin_item(struct pieces *pieces)
{
    if (pieces->in_piece == 0) {
        pieces->in_piece = pieces->left < ITEMS_PER_COMMAND ? pieces->left : ITEMS_PER_COMMAND;
        out_head('*', 2 + pieces->in_piece * pieces->texts);
        out_bulk(pieces->command);
        out_bulk(pieces->key);
    }
    pieces->in_piece--;
    pieces->left--;
}

static void dump_list(struct span key, const struct list *list)
{
    struct pieces pieces = { SPAN("RPUSH"), key, list->count, 1, 0 };
    for (size_t i = 0; i < list->count; i++) {
        begin_item(&pieces);
        out_bulk(text_span(list_at(list, i)));
    }
}

static void dump_table(struct span key, const struct table *table, bool has_values)
{
    struct pieces pieces = { has_values ? SPAN("HSET") : SPAN("SADD"), key, table->count,
                             has_values ? 2 : 1, 0 };
    TABLE_EACH(table, node)
    {
        begin_item(&pieces);
        out_bulk(table_key(table, node));
        if (has_values) out_bulk(text_span(&((struct field *)node)->value));
    }
}

static void dump_zset(struct span key, const struct zset *set)
{
    char buffer[NUMBER_SIZE];
    struct pieces pieces = { SPAN("ZADD"), key, set->members.count, 2, 0 };
    for (struct member *member = set->heads[0].next; member; member = zset_next(member)) {
        begin_item(&pieces);
        out_bulk(double_to_span(member->score, buffer));
        out_bulk(member_name(set, member));
    }
}

static void dump_entry(struct span key, const struct stream_entry *entry, bool is_last_id)
{
    char buffer[64];
    int size = snprintf(buffer, sizeof buffer, "%llu-%llu", (unsigned long long)entry->id.ms,
                        (unsigned long long)entry->id.sequence);
    out_head('*', 3 + entry->count + (is_last_id ? 2 : 0));
    out_bulk(SPAN("XADD"));
    out_bulk(key);
    if (is_last_id) {
        out_bulk(SPAN("MAXLEN"));
        out_bulk(SPAN("0"));
    }
    out_bulk((struct span){ buffer, (size_t)size });
    for (uint32_t i = 0; i < entry->count; i++)
        out_bulk(text_span(&entry->fields[i]));
}

/* A stream that was trimmed to nothing still knows its last id. */
static void dump_stream(struct span key, const struct stream *stream)
{
    for (size_t i = stream->first; i < stream->end; i++)
        dump_entry(key, &stream->entries[i], false);
    text fields[2] = { { { NULL, 0 } } };
    struct stream_entry last = { stream->last, 2, fields };
    if (stream_count(stream) == 0) dump_entry(key, &last, true);
}

static void dump_value(const struct entry *entry)
{
    struct span key = entry_key(entry);
    switch ((enum type)entry->type) {
    case TYPE_STRING:
        out_head('*', 3);
        out_bulk(SPAN("SET"));
        out_bulk(key);
        out_bulk(text_span(&entry->value.string));
        break;
    case TYPE_LIST: dump_list(key, entry->value.list); break;
    case TYPE_SET: dump_table(key, entry->value.table, false); break;
    case TYPE_HASH: dump_table(key, entry->value.table, true); break;
    case TYPE_ZSET: dump_zset(key, entry->value.zset); break;
    case TYPE_STREAM: dump_stream(key, entry->value.stream); break;
    }
}

static void dump_expiry(const struct entry *entry)
{
    char buffer[NUMBER_SIZE];
    if (!entry->expiry) return;
    out_head('*', 3);
    out_bulk(SPAN("PEXPIREAT"));
    out_bulk(entry_key(entry));
    out_bulk(int_to_span(key_expiry(entry), buffer));
}

static _Noreturn void dump_database(void)
{
    output.fd = open(AOF_NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (output.fd < 0) _exit(1);
    for (int i = 0; i < SHARDS; i++)
        TABLE_EACH(&database.shards[i].keys, node)
        {
            dump_value((struct entry *)node);
            dump_expiry((struct entry *)node);
        }
    flush();
    _exit(fsync(output.fd) < 0);
}

/* ---- the server ---- */

bool aof_is_rewriting(void)
{
    return __atomic_load_n(&aof.is_rewriting, __ATOMIC_RELAXED);
}

bool aof_rewrite_start(void)
{
    if (aof_is_rewriting()) return false;
    edo_notify_one(&aof.rewrite);
    return true;
}

/* Forks with all locks held, so that the child has a whole database, and the changes that are
 * collected are exactly those that it lacks. Returns: the child, or a negative errno. */
static int64_t fork_child(void)
{
    shards_lock(ALL_SHARDS);
    edo_thread_mutex_lock(&aof.lock);
    pid_t child = fork();
    if (child == 0) dump_database();
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
 * changes since the last take_changes(). With the file's lock. */
static void switch_files(edo_file *file, uint64_t size)
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
    aof_set(&aof.written, position);
    aof_set(&aof.synced, position);
    aof_set(&aof.size, size);
    aof_set(&aof.base_size, size);
    aof_set(&aof.rewrites, aof.rewrites + 1);
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
        switch_files(self->file, self->size);
        edo_mutex_unlock(&aof.file_lock);
        edo_return(0);
unlock:
        edo_mutex_unlock(&aof.file_lock);
drop:
        drop_changes();
        edo_file_close(self->file);
        edo_return(edo_failure());
    }
}

edo_async_extern(aof_rewriter)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_try(edo_notified(&aof.rewrite));
            edo_call(rc, aof_rewrite);
            if (rc == -ECANCELED) edo_return(rc);
            if (rc < 0) fprintf(stderr, "mini-redis: rewrite of the log: %s\n", edo_strerror(rc));
        }
    }
}
