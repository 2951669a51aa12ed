/* Commands of streams. */
#include <stdio.h>

#include "blocked.h"

static const struct stream_id last_id = { UINT64_MAX, UINT64_MAX };

/* ---- ids ---- */

static bool read_part(struct span span, uint64_t *ret_value)
{
    if (span.size == 0 || span.size > 20) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < span.size; i++) {
        unsigned digit = (unsigned)(unsigned char)span.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

/* Reads "ms" or "ms-sequence". missing: the sequence if there is none. */
static bool read_id(struct span span, uint64_t missing, struct stream_id *ret_id)
{
    const char *dash = memchr(span.data, '-', span.size);
    ret_id->sequence = missing;
    if (!dash) return read_part(span, &ret_id->ms);
    size_t at = (size_t)(dash - span.data);
    return read_part((struct span){ span.data, at }, &ret_id->ms) &&
           read_part((struct span){ dash + 1, span.size - at - 1 }, &ret_id->sequence);
}

static void invalid_id(struct call *call)
{
    reply_error(call->reply, "ERR Invalid stream ID specified as stream command argument");
}

static struct span id_to_span(struct stream_id id, char buffer[NUMBER_SIZE])
{
    int size = snprintf(buffer, NUMBER_SIZE, "%llu-%llu", (unsigned long long)id.ms,
                        (unsigned long long)id.sequence);
    return (struct span){ buffer, (size_t)size };
}

/* Returns: false: there is none. */
static bool increment(struct stream_id *id)
{
    if (++id->sequence == 0 && ++id->ms == 0) return false;
    return true;
}

static bool decrement(struct stream_id *id)
{
    if (id->sequence-- == 0 && id->ms-- == 0) return false;
    return true;
}

/* ---- XADD ---- */

struct xadd {
    bool no_create, trims, has_id, chooses_sequence;
    int64_t most; // entries
    struct stream_id id;
    int fields; // index of the first one
};

/* Reads MAXLEN [=|~] count. */
static bool read_maxlen(struct call *call, int *i, struct xadd *add)
{
    ++*i;
    if (call_is(call, *i, "=") || call_is(call, *i, "~")) ++*i;
    if (*i >= call->count) {
        call_syntax_error(call);
        return false;
    }
    add->trims = true;
    if (!call_int(call, *i, &add->most)) return false;
    if (add->most >= 0) return true;
    reply_error(call->reply, "ERR The MAXLEN argument must be >= 0.");
    return false;
}

static bool read_new_id(struct call *call, int i, struct xadd *add)
{
    struct span span = call->args[i];
    add->fields = i + 1;
    if (span_equal(span, SPAN("*"))) return true;
    add->has_id = true;
    add->chooses_sequence = span.size > 2 && memcmp(span.data + span.size - 2, "-*", 2) == 0;
    if (add->chooses_sequence) span.size -= 2;
    if (read_id(span, 0, &add->id)) return true;
    invalid_id(call);
    return false;
}

static bool read_xadd(struct call *call, struct xadd *add)
{
    int i = 2;
    for (; i < call->count; i++) {
        if (call_is(call, i, "nomkstream"))
            add->no_create = true;
        else if (!call_is(call, i, "maxlen"))
            break;
        else if (!read_maxlen(call, &i, add))
            return false;
    }
    if (i >= call->count) {
        call_wrong_arity(call);
        return false;
    }
    if (!read_new_id(call, i, add)) return false;
    int fields = call->count - add->fields;
    if (fields >= 2 && fields % 2 == 0) return true;
    call_wrong_arity(call);
    return false;
}

/* Chooses the id of a new entry. Returns: whether it is larger than all others. */
static bool choose_id(struct call *call, const struct stream *stream, struct xadd *add)
{
    struct stream_id last = stream ? stream->last : (struct stream_id){ 0, 0 };
    if (!add->has_id) {
        add->id = (struct stream_id){ (uint64_t)call->now, 0 };
        if (stream_id_compare(add->id, last) > 0) return true;
        add->id = last;
        return increment(&add->id);
    }
    if (add->chooses_sequence && add->id.ms == last.ms) {
        add->id.sequence = last.sequence;
        return add->id.sequence++ != UINT64_MAX;
    }
    return stream_id_compare(add->id, last) > 0;
}

/* Logs the call with the id and the exact trim. */
static void propagate_xadd(struct call *call, const struct xadd *add)
{
    int fields = call->count - add->fields, count = 0;
    char id[NUMBER_SIZE], most[NUMBER_SIZE];
    struct span *args = must_alloc((size_t)(fields + 6) * sizeof *args);
    args[count++] = SPAN("XADD");
    args[count++] = call->args[1];
    if (add->trims) {
        args[count++] = SPAN("MAXLEN");
        args[count++] = SPAN("=");
        args[count++] = int_to_span(add->most, most);
    }
    args[count++] = id_to_span(add->id, id);
    memcpy(args + count, call->args + add->fields, (size_t)fields * sizeof *args);
    call_propagate(call, count + fields, args);
    free(args);
}

static int run_xadd(struct call *call)
{
    struct entry *entry;
    struct xadd add = { 0 };
    char buffer[NUMBER_SIZE];
    if (!read_xadd(call, &add)) return 0;
    if (add.has_id && !add.chooses_sequence && add.id.ms == 0 && add.id.sequence == 0) {
        reply_error(call->reply, "ERR The ID specified in XADD must be greater than 0-0");
        return 0;
    }
    if (!call_find(call, 1, TYPE_STREAM, &entry)) return 0;
    if (!entry && add.no_create) {
        reply_null(call->reply);
        return 0;
    }
    if (!choose_id(call, entry ? entry->value.stream : NULL, &add)) {
        reply_error(call->reply, "ERR The ID specified in XADD is equal or smaller than the "
                                 "target stream top item");
        return 0;
    }
    if (!entry) entry = key_add(call->args[1], TYPE_STREAM);
    struct stream *stream = entry->value.stream;
    stream_add(stream, add.id, call->args + add.fields, (uint32_t)(call->count - add.fields));
    if (add.trims && (uint64_t)add.most < stream_count(stream))
        stream_trim(stream, (size_t)add.most);
    call_changed(call, entry);
    call_wakes(call, call->args[1]);
    propagate_xadd(call, &add);
    reply_bulk(call->reply, id_to_span(add.id, buffer));
    return 0;
}

/* ---- reading ---- */

static void reply_entry(struct call *call, const struct stream_entry *entry)
{
    char buffer[NUMBER_SIZE];
    reply_array(call->reply, 2);
    reply_bulk(call->reply, id_to_span(entry->id, buffer));
    reply_array(call->reply, entry->count);
    for (uint32_t i = 0; i < entry->count; i++)
        reply_bulk(call->reply, text_span(&entry->fields[i]));
}

static int run_xlen(struct call *call)
{
    struct entry *entry;
    if (call_find(call, 1, TYPE_STREAM, &entry))
        reply_int(call->reply, entry ? (int64_t)stream_count(entry->value.stream) : 0);
    return 0;
}

/* Reads an end of a range: an id, "-", "+", or an open one, "(id". */
static bool read_range_end(struct call *call, int index, bool is_first, struct stream_id *ret_id)
{
    struct span span = call->args[index];
    bool is_open = span.size > 1 && span.data[0] == '(';
    if (is_open) span = (struct span){ span.data + 1, span.size - 1 };
    if (!is_open && span_equal(span, SPAN("-"))) {
        *ret_id = (struct stream_id){ 0, 0 };
        return true;
    }
    if (!is_open && span_equal(span, SPAN("+"))) {
        *ret_id = last_id;
        return true;
    }
    if (!read_id(span, is_first ? 0 : UINT64_MAX, ret_id)) {
        invalid_id(call);
        return false;
    }
    if (!is_open || (is_first ? increment(ret_id) : decrement(ret_id))) return true;
    reply_error(call->reply, "ERR invalid %s ID for the interval", is_first ? "start" : "end");
    return false;
}

static int range(struct call *call, bool reversed)
{
    struct entry *entry;
    struct stream_id first, last;
    int64_t limit = -1;
    if (!read_range_end(call, reversed ? 3 : 2, true, &first)) return 0;
    if (!read_range_end(call, reversed ? 2 : 3, false, &last)) return 0;
    if (call->count > 4) {
        if (call->count != 6 || !call_is(call, 4, "count")) {
            call_syntax_error(call);
            return 0;
        }
        if (!call_int(call, 5, &limit)) return 0;
        if (limit < 0) limit = 0;
    }
    if (!call_find(call, 1, TYPE_STREAM, &entry)) return 0;
    if (!entry) {
        reply_array(call->reply, 0);
        return 0;
    }
    if (limit == 0) {
        reply_null_array(call->reply);
        return 0;
    }
    const struct stream *stream = entry->value.stream;
    size_t start = stream_find(stream, first);
    size_t end = increment(&last) ? stream_find(stream, last) : stream->end;
    if (end < start) end = start;
    size_t count = end - start;
    if (limit > 0 && (size_t)limit < count) count = (size_t)limit;
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_entry(call, &stream->entries[reversed ? end - 1 - i : start + i]);
    return 0;
}

static int run_xrange(struct call *call)
{
    return range(call, false);
}

static int run_xrevrange(struct call *call)
{
    return range(call, true);
}

/* ---- XREAD ---- */

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
    if (read_id(span, 0, ret_id)) return true;
    invalid_id(call);
    return false;
}

/* Index of the first entry behind an id. */
static size_t find_behind(const struct stream *stream, struct stream_id id)
{
    return increment(&id) ? stream_find(stream, id) : stream->end;
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
        reply_entry(call, &stream->entries[start + i]);
}

/* Blocks with the ids of this moment in place of "$". */
static int block(struct call *call, const struct xread *read, const struct stream_id *ids)
{
    char(*texts)[NUMBER_SIZE] = must_alloc((size_t)read->keys * sizeof *texts);
    struct span *args = must_alloc((size_t)call->count * sizeof *args);
    memcpy(args, call->args, (size_t)call->count * sizeof *args);
    for (int i = 0; i < read->keys; i++)
        args[read->first + read->keys + i] = id_to_span(ids[i], texts[i]);
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

const struct command stream_commands[] = {
    { "xadd", run_xadd, -5, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "xlen", run_xlen, 2, 0, 1, 1, 1 },
    { "xrange", run_xrange, -4, 0, 1, 1, 1 },
    { "xread", run_xread, -4, CMD_BLOCKING, -1, 0, 0 },
    { "xrevrange", run_xrevrange, -4, 0, 1, 1, 1 },
    { 0 },
};
