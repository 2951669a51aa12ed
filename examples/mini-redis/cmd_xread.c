/* XREAD, which may wait. */
#include "blocked.h"
#include "cmd_stream.h"

struct xread {
    int64_t limit, block; // entries, 0: all; ms, -1: do not block
    int keys, first;      // number; index of the first one
};

static bool read_xread(struct call *call, struct xread *read)
{
    int i = 1;
    for (; i + 1 < call->count && !call_is(call, i, "streams"); i += 2) {
        if (call_is(call, i, "count")) {
            if (!call_int(call, i + 1, &read->limit)) return false;
            if (read->limit < 0) read->limit = 0;
        } else if (call_is(call, i, "block")) {
            if (!span_to_int(call->args[i + 1], &read->block)) {
                reply_error(call->reply, "ERR timeout is not an integer or out of range");
                return false;
            }
            if (read->block < 0) {
                reply_error(call->reply, "ERR timeout is negative");
                return false;
            }
        } else {
            break;
        }
    }
    int rest = call->count - i - 1;
    if (!call_is(call, i, "streams") || rest < 2) {
        call_syntax_error(call);
        return false;
    }
    if (rest % 2) {
        reply_error(call->reply, "ERR Unbalanced XREAD list of streams: for each stream key an ID "
                                 "or '$' must be specified.");
        return false;
    }
    read->first = i + 1;
    read->keys = rest / 2;
    return true;
}

/* Reads the id of a key, behind which entries are read. */
static bool read_start(struct call *call, const struct xread *read, int i, struct stream_id *ret_id)
{
    struct span span = call->args[read->first + read->keys + i];
    struct entry *entry;
    if (!call_find(call, read->first + i, TYPE_STREAM, &entry)) return false;
    if (span_equal(span, SPAN("$"))) {
        *ret_id = entry ? entry->value.stream->last : (struct stream_id){ 0, 0 };
        return true;
    }
    if (stream_id_read(span, 0, ret_id)) return true;
    stream_invalid_id(call);
    return false;
}

/* Index of the first entry behind an id. */
static size_t find_behind(const struct stream *stream, struct stream_id id)
{
    return stream_id_next(&id) ? stream_find(stream, id) : stream->end;
}

static void reply_stream(struct call *call, struct span key, const struct stream *stream,
                         size_t start, int64_t limit)
{
    size_t count = stream->end - start;
    if (limit && (size_t)limit < count) count = (size_t)limit;
    if (!call->reply->is_resp3) reply_array(call->reply, 2);
    reply_bulk(call->reply, key);
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        stream_reply_entry(call, &stream->entries[start + i]);
}

/* Blocks with the ids of this moment in place of "$". */
static int block(struct call *call, const struct xread *read, const struct stream_id *ids)
{
    char(*texts)[NUMBER_SIZE] = must_alloc((size_t)read->keys * sizeof *texts);
    struct span *args = must_alloc((size_t)call->count * sizeof *args);
    memcpy(args, call->args, (size_t)call->count * sizeof *args);
    for (int i = 0; i < read->keys; i++)
        args[read->first + read->keys + i] = stream_id_text(ids[i], texts[i]);
    int rc = call_block(call, (double)read->block / 1000, call->count, args);
    free(args);
    free(texts);
    return rc;
}

static int read_streams(struct call *call, const struct xread *read, struct stream_id *ids)
{
    size_t ready = 0;
    for (int i = 0; i < read->keys; i++) {
        struct entry *entry;
        if (!read_start(call, read, i, &ids[i])) return 0;
        (void)call_find(call, read->first + i, TYPE_STREAM, &entry);
        ready += entry && find_behind(entry->value.stream, ids[i]) < entry->value.stream->end;
    }
    if (!ready && read->block >= 0 && !call->in_exec) return block(call, read, ids);
    if (!ready) {
        reply_null_array(call->reply);
        return 0;
    }
    if (call->reply->is_resp3)
        reply_map(call->reply, ready);
    else
        reply_array(call->reply, ready);
    for (int i = 0; i < read->keys; i++) {
        struct entry *entry;
        (void)call_find(call, read->first + i, TYPE_STREAM, &entry);
        size_t start = entry ? find_behind(entry->value.stream, ids[i]) : 0;
        if (entry && start < entry->value.stream->end)
            reply_stream(call, call->args[read->first + i], entry->value.stream, start,
                         read->limit);
    }
    return 0;
}

static int run_xread(struct call *call)
{
    struct xread read = { .block = -1 };
    if (!read_xread(call, &read)) return 0;
    struct stream_id *ids = must_alloc((size_t)read.keys * sizeof *ids);
    int rc = read_streams(call, &read, ids);
    free(ids);
    return rc;
}

const struct command xread_commands[] = {
    { "xread", run_xread, -4, CMD_BLOCKING, -1, 0, 0 },
    { 0 },
};
