/* System calls of datagrams and messages. Each call has its struct msghdr or struct mmsghdr on the
 * stack. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "driver/driver.h"
#include "sys/linux/address.h"
#include "sys/sys.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04 // Linux 6.5
#endif

/* ---- one datagram ---- */

/* Flags of a receive. With MSG_TRUNC, the result is the true size of a datagram. A receive from a
 * stream has no MSG_TRUNC, because on a stream MSG_TRUNC would drop bytes. */
static int receive_flags(const edo__source *source)
{
    return MSG_DONTWAIT | (source->traits & EDO__SOURCE_DATAGRAM ? MSG_TRUNC : 0);
}

static int64_t try_recv(const edo__source *source, const edo_op *op)
{
    const edo__datagram_op *datagram = edo__datagram_of(op);
    edo_address *from = datagram->address;
    socklen_t size = EDO__SOCKADDR_SIZE;
    int flags = receive_flags(source) | (op->detail & EDO__DETAIL_PEEK ? MSG_PEEK : 0);
    ssize_t n = recvfrom(source->fd, datagram->data, datagram->length, flags,
                         from ? edo__address_place(from) : NULL, from ? &size : NULL);
    if (n < 0) return n;
    if (from) edo__address_set_size(from, size);
    return n;
}

static int64_t try_send(const edo__source *source, const edo_op *op)
{
    const edo__datagram_op *datagram = edo__datagram_of(op);
    const edo_address *to = datagram->address;
    return sendto(source->fd, datagram->data, datagram->length, MSG_DONTWAIT | MSG_NOSIGNAL,
                  to ? edo__address_place(to) : NULL, to ? edo__address_size(to) : 0);
}

/* ---- messages ---- */

static void set_vector(struct msghdr *header, const edo_message *message)
{
    header->msg_iov = (struct iovec *)(void *)message->slices;
    header->msg_iovlen = message->slice_count;
}

static struct msghdr header_to_receive(edo_message *message)
{
    struct msghdr header = { .msg_name = edo__address_place(&message->address),
                             .msg_namelen = EDO__SOCKADDR_SIZE };
    set_vector(&header, message);
    if (message->control) {
        header.msg_control = message->control->data;
        header.msg_controllen = message->control->capacity;
    }
    return header;
}

static struct msghdr header_to_send(const edo_message *message)
{
    struct msghdr header = { .msg_namelen = edo__address_size(&message->address) };
    if (header.msg_namelen) header.msg_name = edo__address_place(&message->address);
    set_vector(&header, message);
    if (message->control && message->control->size) {
        header.msg_control = message->control->data;
        header.msg_controllen = message->control->size;
    }
    return header;
}

static uint32_t flags_of(int flags)
{
    return (flags & MSG_TRUNC ? EDO_MESSAGE_TRUNCATED : 0u) |
           (flags & MSG_CTRUNC ? EDO_MESSAGE_CONTROL_TRUNCATED : 0u) |
           (flags & MSG_EOR ? EDO_MESSAGE_RECORD_ENDS : 0u) |
           (flags & MSG_ERRQUEUE ? EDO_MESSAGE_FROM_ERRORS : 0u);
}

static void store(edo_message *message, const struct msghdr *header, size_t size)
{
    edo__address_set_size(&message->address, header->msg_namelen);
    if (message->control) message->control->size = header->msg_controllen;
    message->flags = flags_of(header->msg_flags);
    message->size = size;
}

static int options_of(const edo_message *message)
{
    return (message->options & EDO_MESSAGE_PEEK ? MSG_PEEK : 0) |
           (message->options & EDO_MESSAGE_DONT_ROUTE ? MSG_DONTROUTE : 0) |
           (message->options & EDO_MESSAGE_END_OF_RECORD ? MSG_EOR : 0) |
           (message->options & EDO_MESSAGE_MORE ? MSG_MORE : 0);
}

/* ---- connections of records ----
 *
 * A receive gets size 0 for a record of no bytes, and also at the end of the connection. With
 * SO_PASSCRED, a record comes with credentials, and the end comes without credentials. So a receive
 * uses a control buffer of its own, which has room for credentials in addition to as many bytes as
 * fit into the caller's buffer. After the receive, the ancillary data is copied to the caller's
 * buffer. Credentials that do not fit there are dropped. */

enum {
    CREDENTIALS_SPACE = CMSG_SPACE(sizeof(struct ucred)),
    MOST_CONTROL = CMSG_SPACE(253 * sizeof(int)) // for SCM_MAX_FD descriptors of Linux
};

static bool are_credentials(const struct cmsghdr *one)
{
    return one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_CREDENTIALS;
}

static bool has_credentials(struct msghdr *header)
{
    for (struct cmsghdr *one = CMSG_FIRSTHDR(header); one; one = CMSG_NXTHDR(header, one))
        if (are_credentials(one)) return true;
    return false;
}

static bool are_descriptors(const struct cmsghdr *one)
{
    return one->cmsg_level == SOL_SOCKET &&
           (one->cmsg_type == SCM_RIGHTS || one->cmsg_type == SCM_PIDFD);
}

/* Shortens one piece of ancillary data to `room` bytes. If the data are descriptors, closes those
 * for which there is no room. Data of any other kind are dropped as a whole. Returns: the remaining
 * number of bytes. */
static size_t shorten(struct cmsghdr *one, size_t room)
{
    if (!are_descriptors(one)) return 0;
    const unsigned char *fds = CMSG_DATA(one);
    size_t count = (one->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    size_t kept = room > CMSG_LEN(0) ? (room - CMSG_LEN(0)) / sizeof(int) : 0;
    for (size_t i = kept; i < count; i++) {
        int fd;
        memcpy(&fd, fds + i * sizeof fd, sizeof fd);
        edo__sys_close(fd);
    }
    one->cmsg_len = CMSG_LEN(kept * sizeof(int));
    return kept ? one->cmsg_len : 0;
}

/* Copies the received ancillary data to the caller's control, which may be NULL. */
static void copy_control(struct msghdr *header, const edo_control *control)
{
    size_t capacity = control ? control->capacity : 0, at = 0;
    bool fits = header->msg_controllen <= capacity;
    struct cmsghdr *one = CMSG_FIRSTHDR(header), *next;
    for (; one; one = next) {
        next = CMSG_NXTHDR(header, one); // before the length changes
        if (!fits && are_credentials(one)) continue;
        size_t size = one->cmsg_len, room = capacity - at;
        if (size > room) {
            header->msg_flags |= MSG_CTRUNC;
            size = shorten(one, room);
        }
        if (!size) continue;
        memcpy((char *)control->data + at, one, size);
        at += CMSG_ALIGN(size) < room ? CMSG_ALIGN(size) : room;
    }
    header->msg_controllen = at;
}

static int64_t receive_record(const edo__source *source, edo_message *message, int flags)
{
    _Alignas(struct cmsghdr) char room[CREDENTIALS_SPACE + MOST_CONTROL];
    struct msghdr header = header_to_receive(message);
    bool is_ours = header.msg_controllen < sizeof room;
    if (is_ours) {
        size_t size = header.msg_controllen + CREDENTIALS_SPACE;
        header.msg_control = room;
        header.msg_controllen = size < sizeof room ? size : sizeof room;
    }
    ssize_t n = recvmsg(source->fd, &header, flags | options_of(message));
    if (n < 0) return n;
    bool is_end = n == 0 && !(header.msg_flags & MSG_CTRUNC) && !has_credentials(&header);
    if (is_ours) copy_control(&header, message->control);
    store(message, &header, (size_t)n);
    if (is_end) message->flags |= EDO_MESSAGE_AT_END;
    return 1;
}

/* Receives one message. The descriptors that come with the message always have close-on-exec. */
static int64_t receive_one(const edo__source *source, edo_message *message, int flags)
{
    struct msghdr header = header_to_receive(message);
    ssize_t n = recvmsg(source->fd, &header, flags | options_of(message));
    if (n < 0) return n;
    store(message, &header, (size_t)n);
    return 1;
}

static int64_t receive_batch(const edo__source *source, edo_message *messages, unsigned count,
                             int flags)
{
    struct mmsghdr headers[EDO__MAX_MESSAGES];
    for (unsigned i = 0; i < count; i++)
        headers[i] = (struct mmsghdr){ .msg_hdr = header_to_receive(&messages[i]) };
    int n = recvmmsg(source->fd, headers, count, flags | options_of(&messages[0]), NULL);
    for (int i = 0; i < n; i++)
        store(&messages[i], &headers[i].msg_hdr, headers[i].msg_len);
    return n;
}

static int64_t send_one(const edo__source *source, edo_message *message)
{
    struct msghdr header = header_to_send(message);
    ssize_t n = sendmsg(source->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL | options_of(message));
    if (n < 0) return n;
    message->size = (size_t)n;
    return 1;
}

/* ---- segments: datagrams that the kernel cuts out of one buffer ---- */

/* Limits of one call. MOST_SEGMENTS: number of datagrams; before Linux 6.9, the kernel accepts at
 * most 64. MOST_BYTES: bytes of one IPv4 packet without its headers. */
enum { MOST_SEGMENTS = EDO__MAX_MESSAGES, MOST_BYTES = 65507 };

/* A control message with the segment size, which is a 16-bit number. */
typedef union segment_record {
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
} segment_record;

static void set_segment(struct msghdr *header, segment_record *record, size_t size)
{
    uint16_t segment = (uint16_t)size;
    *record = (segment_record){ .head = { .cmsg_level = IPPROTO_UDP,
                                          .cmsg_type = UDP_SEGMENT,
                                          .cmsg_len = CMSG_LEN(sizeof segment) } };
    memcpy(CMSG_DATA(&record->head), &segment, sizeof segment);
    header->msg_control = record;
    header->msg_controllen = sizeof *record;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Sends several datagrams as one buffer, by one call. The kernel or the device cuts the buffer. */
static int64_t send_train(const edo__source *source, const edo_message *message, edo_slice train,
                          size_t segment)
{
    segment_record record;
    edo_message part = { .slices = &train, .slice_count = 1, .address = message->address };
    struct msghdr header = header_to_send(&part);
    set_segment(&header, &record, segment);
    return sendmsg(source->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends datagrams one by one. Returns: bytes sent. */
static int64_t send_singles(const edo__source *source, const edo_message *message, edo_slice rest,
                            size_t segment)
{
    struct mmsghdr headers[MOST_SEGMENTS];
    struct iovec vectors[MOST_SEGMENTS];
    unsigned count = 0;
    int64_t sent = 0;
    for (size_t at = 0; count < MOST_SEGMENTS && (at < rest.size || !count); at += segment) {
        vectors[count] = (struct iovec){ (char *)rest.data + at, least(segment, rest.size - at) };
        headers[count] = (struct mmsghdr){ .msg_hdr = header_to_send(message) };
        headers[count].msg_hdr.msg_iov = &vectors[count];
        count++;
    }
    int n = sendmmsg(source->fd, headers, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    for (int i = 0; i < n; i++)
        sent += headers[i].msg_len;
    return n < 0 ? n : sent;
}

static int64_t try_segments(const edo__source *source, const edo_op *op)
{
    const edo__message_op *request = edo__message_of(op);
    const edo_message *message = request->messages;
    size_t segment = request->count;
    edo_slice rest = { (char *)message->slices->data + request->progress,
                       message->slices->size - request->progress };
    if (rest.size <= segment || (op->detail & EDO__DETAIL_SINGLES))
        return send_singles(source, message, rest, segment);
    rest.size = least(rest.size, segment * least(MOST_SEGMENTS, MOST_BYTES / segment));
    return send_train(source, message, rest, segment);
}

/* ---- batches of sends ----
 *
 * Consecutive messages of a batch that have the same address and the same size form a run. The last
 * message of a run may be shorter. The kernel takes a run as one buffer, and cuts the buffer into
 * datagrams only at the end of its path through the kernel. Most of the cost of a datagram is this
 * path, and a run takes the path once. So a run is cheaper than single datagrams. */

typedef struct out_batch {
    struct mmsghdr headers[EDO__MAX_MESSAGES];
    struct iovec vectors[EDO__MAX_MESSAGES];
    segment_record records[EDO__MAX_MESSAGES];
    uint8_t runs[EDO__MAX_MESSAGES]; // number of messages in each header
    unsigned count;                  // number of headers
} out_batch;

static bool is_plain(const edo_message *message)
{
    bool has_records = message->control && message->control->size;
    return message->slice_count == 1 && !has_records && !message->options;
}

static bool goes_along(const edo_message *first, const edo_message *message)
{
    socklen_t size = edo__address_size(&first->address);
    size_t bytes = message->slices->size;
    return bytes && bytes <= first->slices->size && size == edo__address_size(&message->address) &&
           !memcmp(edo__address_place(&first->address), edo__address_place(&message->address),
                   size);
}

/* Number of messages in the run that begins here. */
static unsigned length_of_run(const edo_message *messages, unsigned count)
{
    unsigned length = 1;
    if (!is_plain(messages)) return 1;
    size_t size = messages->slices->size, bytes = size, last = size;
    while (length < count && last == size && is_plain(&messages[length]) &&
           goes_along(messages, &messages[length])) {
        last = messages[length].slices->size;
        bytes += last;
        if (bytes > MOST_BYTES) break;
        length++;
    }
    return length;
}

/* Adds a run. first: index of the run's first message in `messages`. The run's vectors begin at the
 * same index of batch->vectors. */
static void add_run(out_batch *batch, const edo_message *messages, unsigned first, unsigned length)
{
    const edo_message *message = &messages[first];
    struct msghdr header = header_to_send(message);
    if (length > 1) {
        for (unsigned i = 0; i < length; i++)
            batch->vectors[first + i] = (struct iovec){ message[i].slices->data,
                                                        message[i].slices->size };
        header.msg_iov = &batch->vectors[first];
        header.msg_iovlen = length;
        set_segment(&header, &batch->records[batch->count], message->slices->size);
    }
    batch->headers[batch->count] = (struct mmsghdr){ .msg_hdr = header };
    batch->runs[batch->count++] = (uint8_t)length;
}

/* Stores in each message of the first n headers how many bytes of the message were sent. Returns:
 * number of these messages; or n if n is negative. */
static int64_t store_sent(const out_batch *batch, int n, edo_message *messages)
{
    unsigned at = 0;
    for (int i = 0; i < n; i++) {
        unsigned length = batch->runs[i];
        messages[at].size = batch->headers[i].msg_len;
        for (unsigned j = 0; length > 1 && j < length; j++)
            messages[at + j].size = messages[at + j].slices->size;
        at += length;
    }
    return n < 0 ? n : (int64_t)at;
}

static int64_t send_batch(const edo__source *source, edo_message *messages, unsigned count,
                          bool singles)
{
    out_batch batch;
    batch.count = 0;
    for (unsigned at = 0, length; at < count; at += length) {
        length = singles ? 1 : length_of_run(&messages[at], count - at);
        add_run(&batch, messages, at, length);
    }
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | options_of(&messages[0]);
    return store_sent(&batch, sendmmsg(source->fd, batch.headers, batch.count, flags), messages);
}

/* ---- requests ---- */

static unsigned limited(uint64_t count)
{
    return count < EDO__MAX_MESSAGES ? (unsigned)count : EDO__MAX_MESSAGES;
}

static int64_t try_receive(const edo__source *source, const edo_op *op)
{
    const edo__message_op *request = edo__message_of(op);
    int flags = receive_flags(source) | MSG_CMSG_CLOEXEC;
    if (source->traits & EDO__SOURCE_RECORDS)
        return receive_record(source, request->messages, flags);
    if (request->count == 1) return receive_one(source, request->messages, flags);
    return receive_batch(source, request->messages, limited(request->count), flags);
}

static int64_t try_send_messages(const edo__source *source, const edo_op *op)
{
    const edo__message_op *request = edo__message_of(op);
    edo_message *rest = request->messages + request->progress;
    uint64_t count = request->count - request->progress;
    if (count == 1) return send_one(source, rest);
    return send_batch(source, rest, limited(count), op->detail & EDO__DETAIL_SINGLES);
}

int64_t edo__message_try(const edo__source *source, const edo_op *op)
{
    switch (edo__request_of(op)) {
    case EDO__RECV: return try_recv(source, op);
    case EDO__SEND: return try_send(source, op);
    case EDO__RECV_MESSAGES: return try_receive(source, op);
    case EDO__SEND_SEGMENTS: return try_segments(source, op);
    default: return try_send_messages(source, op);
    }
}

/* ---- the error queue ---- */

int64_t edo__message_bytes(const edo_message *message)
{
    uint64_t room = 0;
    for (size_t i = 0; i < message->slice_count && room < message->size; i++)
        room += message->slices[i].size;
    return (int64_t)(room < message->size ? room : message->size);
}

int64_t edo__message_take_error(const edo__source *source, edo_message *message)
{
    enum { FLAGS = MSG_DONTWAIT | MSG_ERRQUEUE | MSG_TRUNC | MSG_CMSG_CLOEXEC };
    int64_t n;
    do
        n = receive_one(source, message, FLAGS);
    while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return edo__message_bytes(message);
}
