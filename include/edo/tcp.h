/* Options of TCP for experts, which connections rarely need.
 *
 * Some options must be set before a socket listens or connects. They are members of an
 * edo_tcp_options, to which edo_listen_options.tcp and edo_connect_options.tcp point (edo/net.h).
 * Connections that a listener accepts inherit the listener's options. All other options are set and
 * read by quick system calls on a connection or a listener. Setters return 0 or a negative errno,
 * and getters return the value (>= 0) or a negative errno. The error is -EINVAL for NULL, and
 * -ENOTSUP for a stream that is no TCP connection. */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

typedef struct edo_listener edo_listener;

/* A zeroed struct is the default. A zero member keeps the system's value. The struct and its text
 * must outlive the operation. If the system refuses an option, the error is the result of the
 * operation. Two options are exceptions: if the system has no MPTCP, the socket is a TCP socket,
 * and if it has no fast open, the connection opens as usual. */
typedef struct edo_tcp_options {
    bool multipath; // MPTCP, if the system and the peer have it; see edo_tcp_is_multipath()
    bool nodelay;   // see edo_tcp_set_nodelay()

    /* Fast open (RFC 7413). connect: the first write sends its data with the request to connect. So
     * the connect is ready at once, and a refusal is the result of the first write. The peer
     * receives nothing before that write, so a client that reads first must not use this option. */
    bool fast_open;
    int fast_open_queue; // listen: number of connections that may have sent data before the
                         // handshake is complete; 0: no fast open

    int defer_accept;             // listen: seconds to wait for data before accepting; rounded
    int user_timeout;             // ms; see edo_tcp_set_user_timeout()
    int max_segment;              // bytes; upper limit of a segment
    int unsent_limit;             // bytes; see edo_tcp_set_unsent_limit()
    int send_buffer, recv_buffer; // bytes; a receive buffer set here also widens the window that
                                  // TCP can announce
    const char *congestion; // name of the congestion control, such as "bbr"; NULL: the system's
    void *reserved[4];
} edo_tcp_options;

/* TCP_USER_TIMEOUT: milliseconds for which sent data may remain unacknowledged before the
 * connection fails with -ETIMEDOUT. 0: the system's limits. */
EDO_API int edo_tcp_set_user_timeout(edo_io *conn, int milliseconds);
EDO_API int edo_tcp_user_timeout(const edo_io *conn);

/* Writes the name of the connection's congestion control. Returns: the length; -ENOSPC for a buffer
 * that is too small (16 bytes are enough). */
EDO_API int edo_tcp_congestion(const edo_io *conn, char *buffer, size_t size);

/* Sets the congestion control. -ENOENT: the system does not know the name; -EPERM: only for
 * privileged processes. */
EDO_API int edo_tcp_set_congestion(edo_io *conn, const char *name);

/* TCP_QUICKACK: the system acknowledges received data at once. The setting is not permanent: the
 * system may delay acknowledgements again at any time. */
EDO_API int edo_tcp_set_quick_ack(edo_io *conn, bool on);
EDO_API int edo_tcp_quick_ack(const edo_io *conn);

/* TCP_MAXSEG: present size of a segment, in bytes. */
EDO_API int edo_tcp_max_segment(const edo_io *conn);

/* TCP_NOTSENT_LOWAT: number of bytes that may be unsent in the send buffer. While the buffer has
 * more unsent bytes, a write waits. So the program can decide late which data to send. */
EDO_API int edo_tcp_set_unsent_limit(edo_io *conn, int bytes);
EDO_API int edo_tcp_unsent_limit(const edo_io *conn);

/* Processor that has handled the connection's last packet. */
EDO_API int edo_tcp_incoming_cpu(const edo_io *conn);

/* Sets the processor of a listener that shares its address with other listeners. A connection goes
 * to the listener whose processor handles the packet that opens the connection. */
EDO_API int edo_listener_set_incoming_cpu(edo_listener *listener, int cpu);

/* Whether the connection uses MPTCP: 1; 0 for TCP, also after a fall-back. */
EDO_API int edo_tcp_is_multipath(const edo_io *conn);

/* State of a connection (TCP_INFO). Members that the system does not know are 0. */
typedef struct edo_tcp_info {
    int64_t rtt, rtt_variance, rtt_min; // ns
    int64_t retransmit_timeout, busy;   // ns; busy: time with unacknowledged data
    uint64_t bytes_sent, bytes_acked, bytes_retransmitted;             // of data
    uint64_t bytes_received, bytes_unsent;                             // of data
    uint64_t delivery_rate, pacing_rate;                               // bytes per second
    uint32_t segments_sent, segments_received, segments_retransmitted; // in all
    uint32_t segments_unacked, segments_lost;                          // now
    uint32_t congestion_window, slow_start_threshold;                  // segments
    uint32_t segment_size, path_mtu;                                   // bytes
    bool fast_opened; // data was accepted with the request to connect
    uint64_t reserved[8];
} edo_tcp_info;

EDO_API int edo_tcp_get_info(const edo_io *conn, edo_tcp_info *ret_info);

/* ---- urgent data ----
 *
 * Also called out-of-band data. An urgent byte is received separately from the stream, one urgent
 * byte at a time. The place of the byte in the stream is called the mark, and reads stop there.
 * edo_wait_fd(edo_io_fd(conn), EDO_PRIORITY) waits for an urgent byte, even while a read of the
 * stream waits. */

/* Sends an urgent byte. Returns: 0; -EAGAIN: the send buffer is full; -EPIPE, ...
 * Thread: the holder of the write side. */
EDO_API int edo_tcp_try_send_urgent(edo_io *conn, unsigned char byte);

/* Receives the urgent byte. Returns: 1 with *ret_byte; 0: the peer has closed; -EAGAIN: there is no
 * urgent byte. Thread: any. */
EDO_API int edo_tcp_try_recv_urgent(edo_io *conn, unsigned char *ret_byte);

/* Whether the next read begins at the mark: 1 or 0. Thread: the holder of the read side. */
EDO_API int edo_tcp_is_at_mark(const edo_io *conn);

EDO_END_DECLS
