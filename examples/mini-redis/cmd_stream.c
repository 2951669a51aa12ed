/* Commands of streams. */
#include "cmd_stream.h"

static const struct stream_id last_id = { UINT64_MAX, UINT64_MAX };

void stream_invalid_id(struct call *call)
{
    reply_error(call->reply, "ERR Invalid stream ID specified as stream command argument");
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
    if (stream_id_read(span, 0, &add->id)) return true;
    stream_invalid_id(call);
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
        return stream_id_next(&add->id);
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
    args[count++] = stream_id_text(add->id, id);
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
    reply_bulk(call->reply, stream_id_text(add.id, buffer));
    return 0;
}

/* ---- reading ---- */

void stream_reply_entry(struct call *call, const struct stream_entry *entry)
{
    char buffer[NUMBER_SIZE];
    reply_array(call->reply, 2);
    reply_bulk(call->reply, stream_id_text(entry->id, buffer));
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
    if (!stream_id_read(span, is_first ? 0 : UINT64_MAX, ret_id)) {
        stream_invalid_id(call);
        return false;
    }
    if (!is_open || (is_first ? stream_id_next(ret_id) : stream_id_before(ret_id))) return true;
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
    size_t end = stream_id_next(&last) ? stream_find(stream, last) : stream->end;
    if (end < start) end = start;
    size_t count = end - start;
    if (limit > 0 && (size_t)limit < count) count = (size_t)limit;
    reply_array(call->reply, count);
    for (size_t i = 0; i < count; i++)
        stream_reply_entry(call, &stream->entries[reversed ? end - 1 - i : start + i]);
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

const struct command stream_commands[] = {
    { "xadd", run_xadd, -5, CMD_WRITE | CMD_WAKES, 1, 1, 1 },
    { "xlen", run_xlen, 2, 0, 1, 1, 1 },
    { "xrange", run_xrange, -4, 0, 1, 1, 1 },
    { "xrevrange", run_xrevrange, -4, 0, 1, 1, 1 },
    { 0 },
};
