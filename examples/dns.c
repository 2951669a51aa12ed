/* A small DNS responder: answers questions for addresses of the names that it was given, by UDP, and
 * from the address that was asked. Ctrl-C ends it.
 *
 * usage: dns ADDRESS NAME=IP...        (dns :5300 www.example=192.0.2.1 www.example=2001:db8::1) */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* ---- the zone: names with their addresses, as the arguments have them ---- */

enum { MOST_NAMES = 1024, MOST_NAME = 254, TIME_TO_LIVE = 60 };

static struct name {
    char name[MOST_NAME];
    edo_address address;
} zone[MOST_NAMES];
static size_t zone_size;

/* Adds "name=ip". Returns: 0 or -EINVAL. */
static int add_name(const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals ? (size_t)(equals - text) : 0;
    if (!length || length >= MOST_NAME || zone_size == MOST_NAMES) return -EINVAL;
    struct name *added = &zone[zone_size];
    for (size_t i = 0; i < length; i++)
        added->name[i] = (char)tolower((unsigned char)text[i]);
    added->name[length] = '\0';
    int rc = edo_address_parse_ip(equals + 1, 0, &added->address);
    if (rc == 0) zone_size++;
    return rc;
}

/* ---- packets (RFC 1035): 12 bytes, then one question ---- */

enum {
    HEAD = 12,
    MOST_PACKET = 512,
    TYPE_A = 1,
    TYPE_AAAA = 28,
    TYPE_ANY = 255,
    CLASS_IN = 1,
    NO_ERROR = 0,
    BAD_FORMAT = 1,
    NO_SUCH_NAME = 3,
    NOT_IMPLEMENTED = 4,
    ANSWER = 0x80,        // of the third byte: this is an answer
    AUTHORITATIVE = 0x04, //                    of the server for the name
    OPCODE = 0x78,
    RECURSION = 0x01, // wanted
    POINTER = 0xc0,   // a name that stands earlier in the packet
    LONGEST_LABEL = 63,
};

typedef struct packet {
    unsigned char bytes[MOST_PACKET];
    size_t size;
} packet;

static unsigned get16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(packet *to, unsigned value)
{
    to->bytes[to->size++] = (unsigned char)(value >> 8);
    to->bytes[to->size++] = (unsigned char)value;
}

/* Reads the name of the question. Returns: the place behind it, or 0 if the packet is bad. */
static size_t read_name(const packet *query, char name[MOST_NAME])
{
    size_t at = HEAD, used = 0;
    for (unsigned length; at < query->size && (length = query->bytes[at++]) > 0;) {
        if (length > LONGEST_LABEL || at + length > query->size || used + length + 1 > MOST_NAME)
            return 0;
        if (used) name[used++] = '.';
        for (unsigned i = 0; i < length; i++)
            name[used++] = (char)tolower(query->bytes[at++]);
    }
    name[used < MOST_NAME ? used : MOST_NAME - 1] = '\0';
    return at + 4 <= query->size ? at : 0;
}

static void add_answer(packet *answer, unsigned type, const unsigned char *ip, size_t size)
{
    if (answer->size + 12 + size > MOST_PACKET) return;
    put16(answer, POINTER << 8 | HEAD); // the name of the question
    put16(answer, type);
    put16(answer, CLASS_IN);
    put16(answer, 0);
    put16(answer, TIME_TO_LIVE);
    put16(answer, (unsigned)size);
    memcpy(answer->bytes + answer->size, ip, size);
    answer->size += size;
    answer->bytes[7]++; // count of answers
}

/* Adds all addresses of a name. Returns: NO_ERROR or NO_SUCH_NAME. */
static unsigned add_answers(packet *answer, const char *name, unsigned wanted)
{
    unsigned code = NO_SUCH_NAME;
    for (size_t i = 0; i < zone_size; i++) {
        unsigned char ip[16];
        if (strcmp(zone[i].name, name) != 0) continue;
        size_t size = edo_address_ip(&zone[i].address, ip);
        unsigned type = size == 4 ? TYPE_A : TYPE_AAAA;
        code = NO_ERROR;
        if (wanted == type || wanted == TYPE_ANY) add_answer(answer, type, ip, size);
    }
    return code;
}

/* Copies the question into the answer and answers it. Returns: the code of the answer. */
static unsigned answer_question(const packet *query, packet *answer)
{
    char name[MOST_NAME];
    if (query->bytes[2] & OPCODE) return NOT_IMPLEMENTED;
    size_t end = get16(query->bytes + 4) == 1 ? read_name(query, name) : 0;
    if (!end) return BAD_FORMAT;
    memcpy(answer->bytes + HEAD, query->bytes + HEAD, end + 4 - HEAD);
    answer->size = end + 4;
    answer->bytes[5] = 1; // count of questions
    return add_answers(answer, name, get16(query->bytes + end));
}

/* Returns: false for a packet that gets no answer: it is none, or is an answer itself. */
static bool make_answer(const packet *query, packet *answer)
{
    if (query->size < HEAD || query->bytes[2] & ANSWER) return false;
    memset(answer->bytes, 0, HEAD);
    memcpy(answer->bytes, query->bytes, 2); // the number of the query
    answer->size = HEAD;
    unsigned code = answer_question(query, answer);
    answer->bytes[2] = (unsigned char)(ANSWER | AUTHORITATIVE | (query->bytes[2] & RECURSION));
    answer->bytes[3] = (unsigned char)code;
    return true;
}

/* ---- the server: queries by batches, and their answers by one call ---- */

enum { BATCH = 32 };

/* One query and its answer. The records of the query tell which address was asked. */
typedef struct exchange {
    packet query, answer;
    edo_slice query_slice, answer_slice;
    edo_control control;
    _Alignas(8) char records[EDO_UDP_CONTROL_SIZE];
} exchange;

struct serve {
    edo_frame();
    edo_args(const char *address;);
    edo_udp *socket;
    edo_message queries[BATCH], answers[BATCH];
    exchange exchanges[BATCH];
};

static void prepare(struct serve *self)
{
    for (size_t i = 0; i < BATCH; i++) {
        exchange *at = &self->exchanges[i];
        at->query_slice = (edo_slice){ at->query.bytes, MOST_PACKET };
        at->control = (edo_control){ .data = at->records, .capacity = sizeof at->records };
        self->queries[i] = (edo_message){ .slices = &at->query_slice,
                                          .slice_count = 1,
                                          .control = &at->control };
    }
}

/* Makes the answer to one query. Returns: whether there is one. */
static bool answer_message(const edo_message *query, exchange *at, edo_message *answer)
{
    edo_datagram_info info;
    at->query.size = (size_t)query->size;
    if (query->flags & EDO_MESSAGE_TRUNCATED || !make_answer(&at->query, &at->answer)) return false;
    edo_datagram_info_read(&at->control, &info);
    info.present &= EDO_DATAGRAM_LOCAL;
    at->control.size = 0;
    if (edo_datagram_info_write(&at->control, &info, &query->address) < 0) return false;
    at->answer_slice = (edo_slice){ at->answer.bytes, at->answer.size };
    *answer = (edo_message){ .slices = &at->answer_slice,
                             .slice_count = 1,
                             .control = &at->control,
                             .address = query->address };
    return true;
}

/* Returns: the number of answers. */
static size_t answer_all(struct serve *self, size_t queries)
{
    size_t count = 0;
    for (size_t i = 0; i < queries; i++)
        if (answer_message(&self->queries[i], &self->exchanges[i], &self->answers[count])) count++;
    return count;
}

edo_async(serve)
{
    edo_body {
        int64_t n;
        edo_check(edo_udp_bind_text(self->address, NULL, &self->socket));
        edo_check_or(close, edo_udp_set(self->socket, EDO_UDP_RECV_LOCAL, 1));
        for (;;) {
            prepare(self);
            edo_try_or(close, n, edo_udp_recv_many(self->socket, self->queries, BATCH));
            n = (int64_t)answer_all(self, (size_t)n);
            if (n > 0) edo_await_void(edo_udp_send_many(self->socket, self->answers, (size_t)n));
        }
close:
        edo_udp_close(self->socket);
        edo_return(edo_failure());
    }
}

int main(int argc, char **argv)
{
    bool good = argc > 2;
    for (int i = 2; i < argc; i++)
        good = add_name(argv[i]) == 0 && good;
    if (!good) {
        fprintf(stderr, "usage: dns ADDRESS NAME=IP...\n");
        return 2;
    }
    return edo_run(serve, .address = argv[1]);
}
