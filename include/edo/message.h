/* Messages of sockets: buffers, an address and ancillary data.
 *
 * An edo_message describes one datagram, one record, or some bytes of a stream, together with
 * ancillary data. The message is in the caller's frame. The message and its buffers belong to the
 * operation until the operation is ready. Unused members must be zero.
 *
 * Ancillary data are records that accompany the bytes. A program writes records into an edo_control
 * before a send, and reads records from an edo_control after a receive. edo/udp.h has the records
 * of datagrams.
 */
#pragma once

#include <edo/address.h>

EDO_BEGIN_DECLS

/* Memory for ancillary data. data: aligned to 8 bytes. capacity: size of the memory, in bytes.
 * size: number of bytes in use. A receive sets `size`, and so do the calls that add records. */
typedef struct edo_control {
    void *data;
    size_t capacity, size;
} edo_control;

/* Requests for one message: edo_message.options. */
enum {
    EDO_MESSAGE_PEEK = 1,          // receive: the message remains in the socket
    EDO_MESSAGE_DONT_ROUTE = 2,    // send: only to hosts on connected networks
    EDO_MESSAGE_END_OF_RECORD = 4, // send, seqpacket: ends a record
    EDO_MESSAGE_MORE = 8,          // send: the next message continues this one
};

/* Facts about a received message: edo_message.flags. */
enum {
    EDO_MESSAGE_TRUNCATED = 1,         // the datagram was longer than the buffers
    EDO_MESSAGE_CONTROL_TRUNCATED = 2, // ancillary data did not fit, or no room was given
    EDO_MESSAGE_RECORD_ENDS = 4,       // seqpacket: the end of a record
    EDO_MESSAGE_FROM_ERRORS = 8,       // from the error queue
    EDO_MESSAGE_AT_END = 16,           // no message was received: the end of a connection
};

typedef struct edo_message {
    edo_slice *slices;    // buffers
    size_t slice_count;   // at most 1024
    edo_control *control; // ancillary data; NULL: none
    edo_address address;  // send: destination, or no address on a connected socket
                          // receive: sender; no address if the system gives none
    uint32_t options;     // EDO_MESSAGE_*, set by the program
    uint32_t flags;       // EDO_MESSAGE_*, set by a receive
    uint64_t size;        // receive: true size of the datagram; send: bytes sent
    int error;            // send_many: 0, or the negative errno of this message
    int reserved[3];
} edo_message;

/* ---- records of ancillary data ---- */

/* Bytes of a record with `size` bytes of data. */
#define EDO_CONTROL_SPACE(size) (sizeof(size_t) * 2 + (((size) + 7) & ~(size_t)7))

/* One record. level, type: numbers of the system, as in struct cmsghdr. data: not aligned. */
typedef struct edo_control_record {
    int level, type;
    const void *data;
    size_t size;
} edo_control_record;

/* Appends a record. Returns: 0; -ENOSPC without room; -EINVAL. */
EDO_API EDO_MUST_USE int edo_control_add(edo_control *control, int level, int type,
                                         const void *data, size_t size);

/* Steps through the records of received ancillary data. Zero *record before the first call.
 * Returns: whether there was another record. */
EDO_API bool edo_control_next(const edo_control *control, edo_control_record *record);

EDO_END_DECLS
