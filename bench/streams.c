/* Streams of items and codecs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static double ns_per(int64_t began, double count)
{
    return (double)(bench_now() - began) / count;
}

/* ---- stream_map_filter ---- */

enum { ITEMS = 1000000 };

static int64_t *numbers;

static int64_t triple(void *context, const void *item, void *ret_item)
{
    (void)context;
    *(int64_t *)ret_item = *(const int64_t *)item * 3;
    return 1;
}

static int64_t is_even(void *context, const void *item)
{
    (void)context;
    return (*(const int64_t *)item & 1) == 0;
}

struct pull_all {
    edo_frame();
    edo_args(bool has_combinators;);
    edo_array_of(int64_t) in;
    edo_map_of(int64_t, int64_t) map;
    edo_step_of(int64_t) filter;
    int64_t item, sum;
};

edo_async(pull_all)
{
    edo_body {
        int rc;
        self->sum = 0;
        edo_array_init(&self->in, numbers, ITEMS);
        edo_map_init(&self->map, &self->in, triple, NULL);
        edo_filter_init(&self->filter, &self->map, is_even, NULL);
        if (self->has_combinators) {
            edo_for_each(rc, &self->filter, &self->item)
                self->sum += self->item;
        } else {
            edo_for_each(rc, &self->in, &self->item)
                self->sum += self->item;
        }
        edo_return(rc < 0 ? rc : self->sum);
    }
}

static void map_filter_once(edo_runtime *runtime, double *ret_values)
{
    for (int i = 0; i < 2; i++) {
        int64_t began = bench_now();
        bench_require(edo_block_on(runtime, pull_all, .has_combinators = i), "pull");
        ret_values[i] = ns_per(began, ITEMS);
    }
    ret_values[2] = (ret_values[1] - ret_values[0]) / 2;
}

int bench_stream_map_filter(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "stream_array", "ns/item" },
                                        { "stream_map_filter", "ns/item" },
                                        { "stream_map_filter_each", "ns/item/combinator" } };
    (void)argc;
    (void)argv;
    numbers = malloc(ITEMS * sizeof *numbers);
    bench_require(numbers ? 0 : -ENOMEM, "numbers");
    for (int i = 0; i < ITEMS; i++)
        numbers[i] = i;
    bench_repeat(runtime, map_filter_once, lines, sizeof lines / sizeof *lines);
    free(numbers);
    return 0;
}

/* ---- stream_lines FILE: the lines codec against the buffered reader ---- */

static const char *path;

static void unmap(void *context, void *memory, size_t size)
{
    (void)context;
    munmap(memory, size);
}

static edo_io *open_file(double *ret_size)
{
    struct stat file;
    edo_bytes bytes;
    edo_io *io;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bench_require(fd < 0 || fstat(fd, &file) < 0 ? -errno : 0, path);
    size_t size = (size_t)file.st_size;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    bench_require(memory == MAP_FAILED ? -errno : 0, "map the file");
    close(fd);
    *ret_size = (double)size;
    bench_require(edo_bytes_wrap(&bytes, memory, size, unmap, NULL), "wrap the file");
    bench_require(edo_io_from_bytes(&bytes, &io), "stream of the file");
    return io;
}

struct codec_lines {
    edo_frame();
    edo_args(edo_io *io;);
    edo_line_codec codec;
    edo_frames_of(edo_slice) in;
    edo_slice line;
    int64_t count;
};

edo_async(codec_lines)
{
    edo_body {
        int64_t rc;
        self->count = 0;
        edo_line_codec_init(&self->codec, SIZE_MAX);
        edo_frames_init(&self->in, self->io, &self->codec.codec);
        edo_for_each(rc, &self->in, &self->line)
            self->count++;
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(rc < 0 ? rc : self->count);
    }
}

struct reader_lines {
    edo_frame();
    edo_args(edo_io *io;);
    edo_reader reader;
    edo_slice line;
    int64_t count;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(reader_lines)
{
    edo_body {
        int64_t n;
        self->count = 0;
        edo_reader_init(&self->reader, self->io, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(n, edo_read_line(&self->reader, &self->line));
            if (n <= 0) break;
            self->count++;
        }
        edo_close(self->io);
        edo_return(n < 0 ? n : self->count);
    }
}

static void lines_once(edo_runtime *runtime, double *ret_values)
{
    double size;
    edo_io *first = open_file(&size), *second = open_file(&size);
    int64_t moments[3], counts[2];
    moments[0] = bench_now();
    counts[0] = bench_require(edo_block_on(runtime, codec_lines, .io = first), "codec");
    moments[1] = bench_now();
    counts[1] = bench_require(edo_block_on(runtime, reader_lines, .io = second), "reader");
    moments[2] = bench_now();
    bench_require(counts[0] == counts[1] ? 0 : -EIO, "both see the same lines");
    for (int i = 0; i < 2; i++)
        ret_values[i] = size / (double)(moments[i + 1] - moments[i]);
    ret_values[2] = ret_values[0] / ret_values[1];
}

int bench_stream_lines(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "stream_lines", "GB/s" },
                                        { "stream_lines_reader", "GB/s" },
                                        { "stream_lines_ratio", "" } };
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: stream_lines FILE");
    path = argv[0];
    bench_repeat(runtime, lines_once, lines, sizeof lines / sizeof *lines);
    return 0;
}

/* ---- stream_frames: frames of 64 bytes with a length ---- */

enum { FRAMES = 2000000, SOCKET_FRAMES = 1000000, FRAME_SIZE = 64, HEADER = 4, PIPE = 64 * 1024 };

struct send_frames {
    edo_frame();
    edo_args(edo_io *io; int count;);
    edo_length_codec codec;
    edo_frame_sink_of(edo_slice) out;
    edo_slice frame;
    int i;
    char data[FRAME_SIZE];
};

edo_async(send_frames)
{
    edo_body {
        int64_t rc = 0;
        memset(self->data, 'x', sizeof self->data);
        self->frame = (edo_slice){ self->data, sizeof self->data };
        edo_length_codec_init(&self->codec, NULL);
        edo_frame_sink_init(&self->out, self->io, &self->codec.codec);
        edo_frame_sink_set_boundary(&self->out, PIPE / 2);
        for (self->i = 0; self->i < self->count && rc == 0; self->i++)
            edo_await_sink_send(rc, &self->out, &self->frame);
        edo_await(rc, edo_sink_close(&self->out));
        edo_frame_sink_deinit(&self->out);
        edo_close(self->io);
        edo_return(rc);
    }
}

struct recv_frames {
    edo_frame();
    edo_args(edo_io *io;);
    edo_length_codec codec;
    edo_frames_of(edo_slice) in;
    edo_slice frame;
    int64_t count, sum;
};

edo_async(recv_frames)
{
    edo_body {
        int64_t rc;
        self->count = self->sum = 0;
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->io, &self->codec.codec);
        edo_for_each(rc, &self->in, &self->frame) {
            self->count++;
            self->sum += *(const char *)self->frame.data;
        }
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(rc < 0 ? rc : self->count);
    }
}

/* The same with several frames for each call. */
enum { AT_ONCE = 64 };

struct send_frames_many {
    edo_frame();
    edo_args(edo_io *io; int count;);
    edo_length_codec codec;
    edo_frame_sink_of(edo_slice) out;
    edo_slice frames[AT_ONCE];
    int i;
    char data[FRAME_SIZE];
};

edo_async(send_frames_many)
{
    edo_body {
        int64_t n = 0;
        memset(self->data, 'x', sizeof self->data);
        for (int i = 0; i < AT_ONCE; i++)
            self->frames[i] = (edo_slice){ self->data, sizeof self->data };
        edo_length_codec_init(&self->codec, NULL);
        edo_frame_sink_init(&self->out, self->io, &self->codec.codec);
        edo_frame_sink_set_boundary(&self->out, PIPE / 2);
        for (self->i = 0; self->i < self->count && n >= 0; self->i += (int)n) {
            size_t rest = (size_t)(self->count - self->i);
            edo_await_sink_send_many(n, &self->out, self->frames, rest < AT_ONCE ? rest : AT_ONCE);
        }
        if (n >= 0) edo_await(n, edo_sink_close(&self->out));
        edo_frame_sink_deinit(&self->out);
        edo_close(self->io);
        edo_return(n);
    }
}

struct recv_frames_many {
    edo_frame();
    edo_args(edo_io *io;);
    edo_length_codec codec;
    edo_frames_of(edo_slice) in;
    edo_slice frames[AT_ONCE];
    int64_t count, sum;
};

edo_async(recv_frames_many)
{
    edo_body {
        int64_t n;
        self->count = self->sum = 0;
        edo_length_codec_init(&self->codec, NULL);
        edo_frames_init(&self->in, self->io, &self->codec.codec);
        for (;;) {
            edo_await_next_many(n, &self->in, self->frames, AT_ONCE);
            if (n <= 0) break;
            for (int64_t i = 0; i < n; i++)
                self->sum += *(const char *)self->frames[i].data;
            self->count += n;
        }
        edo_frames_deinit(&self->in);
        edo_close(self->io);
        edo_return(n < 0 ? n : self->count);
    }
}

/* The same by hand: both sides pack and unpack in a buffer of their own. As with the codec, the
 * sizes of the frames are known at run time only, and are compared with a bound. */
struct send_by_hand {
    edo_frame();
    edo_args(edo_io *io; int count;);
    edo_slice frame;
    int i;
    size_t size;
    char data[FRAME_SIZE], buffer[PIPE / 2 + HEADER + FRAME_SIZE];
};

static inline bool pack_frame(struct send_by_hand *self, const edo_slice *frame)
{
    if (frame->size > FRAME_SIZE) return false;
    edo_store_u32(self->buffer + self->size, (uint32_t)frame->size);
    memcpy(self->buffer + self->size + HEADER, frame->data, frame->size);
    self->size += HEADER + frame->size;
    return true;
}

edo_async(send_by_hand)
{
    edo_body {
        int64_t rc = 0;
        memset(self->data, 'x', sizeof self->data);
        self->frame = (edo_slice){ self->data, sizeof self->data };
        self->size = 0;
        for (self->i = 0; self->i < self->count && rc >= 0; self->i++) {
            if (!pack_frame(self, &self->frame)) edo_return(-EMSGSIZE);
            if (self->size < PIPE / 2) continue;
            edo_await(rc, edo_write_all(self->io, self->buffer, self->size));
            self->size = 0;
        }
        if (rc >= 0) edo_await(rc, edo_write_all(self->io, self->buffer, self->size));
        edo_close(self->io);
        edo_return(rc);
    }
}

struct recv_by_hand {
    edo_frame();
    edo_args(edo_io *io;);
    int64_t count, sum;
    size_t size;
    char buffer[EDO_FRAMES_STEP];
};

/* Returns: bytes of the whole frames; -EMSGSIZE. */
static int64_t use_frames(struct recv_by_hand *self)
{
    size_t at = 0;
    while (self->size - at >= HEADER) {
        size_t size = edo_load_u32(self->buffer + at);
        if (size > FRAME_SIZE) return -EMSGSIZE;
        if (self->size - at - HEADER < size) break;
        self->sum += self->buffer[at + HEADER];
        self->count++;
        at += HEADER + size;
    }
    return (int64_t)at;
}

edo_async(recv_by_hand)
{
    edo_body {
        int64_t n;
        self->count = self->sum = 0;
        self->size = 0;
        for (;;) {
            edo_await(
                n, edo_read(self->io, self->buffer + self->size, sizeof self->buffer - self->size));
            if (n <= 0) break;
            self->size += (size_t)n;
            n = use_frames(self);
            if (n < 0) break;
            self->size -= (size_t)n;
            memmove(self->buffer, self->buffer + n, self->size);
        }
        edo_close(self->io);
        edo_return(n < 0 ? n : self->count);
    }
}

/* The same with a buffered writer and a buffered reader, two awaits for each frame. */
struct send_buffered {
    edo_frame();
    edo_args(edo_io *io; int count;);
    edo_writer out;
    int i;
    char data[FRAME_SIZE], memory[PIPE / 2];
};

edo_async(send_buffered)
{
    edo_body {
        int64_t rc = 0;
        memset(self->data, 'x', sizeof self->data);
        edo_writer_init(&self->out, self->io, self->memory, sizeof self->memory);
        for (self->i = 0; self->i < self->count && rc >= 0; self->i++) {
            edo_await(rc, edo_write_u32(&self->out, FRAME_SIZE));
            if (rc >= 0) edo_await(rc, edo_writer_write(&self->out, self->data, FRAME_SIZE));
        }
        edo_await(rc, edo_flush(&self->out));
        edo_writer_deinit(&self->out);
        edo_close(self->io);
        edo_return(rc);
    }
}

struct recv_buffered {
    edo_frame();
    edo_args(edo_io *io;);
    edo_reader in;
    int64_t count, sum;
    uint32_t size;
    char data[FRAME_SIZE], memory[EDO_FRAMES_STEP];
};

edo_async(recv_buffered)
{
    edo_body {
        int64_t rc;
        self->count = self->sum = 0;
        edo_reader_init(&self->in, self->io, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(rc, edo_read_u32(&self->in, &self->size));
            if (rc < 0 || self->size > FRAME_SIZE) break;
            edo_await(rc, edo_reader_read_exact(&self->in, self->data, self->size));
            if (rc < 0) break;
            self->sum += self->data[0];
            self->count++;
        }
        edo_close(self->io);
        edo_return(rc != -EDO_EOF ? rc : self->count);
    }
}

enum frames_by { BY_CODEC, BY_CODEC_MANY, BY_HAND, BY_BUFFERS };

struct frames {
    edo_frame();
    edo_args(edo_io *near, *far; enum frames_by by; int count;);
    edo_task *sender, *receiver;
};

static int start_frames(struct frames *self)
{
    edo_io *near = self->near, *far = self->far;
    int rc;
    if (self->by == BY_CODEC) {
        rc = edo_spawn(&self->sender, send_frames, .io = near, .count = self->count);
        return rc < 0 ? rc : edo_spawn(&self->receiver, recv_frames, .io = far);
    }
    if (self->by == BY_CODEC_MANY) {
        rc = edo_spawn(&self->sender, send_frames_many, .io = near, .count = self->count);
        return rc < 0 ? rc : edo_spawn(&self->receiver, recv_frames_many, .io = far);
    }
    if (self->by == BY_HAND) {
        rc = edo_spawn(&self->sender, send_by_hand, .io = near, .count = self->count);
        return rc < 0 ? rc : edo_spawn(&self->receiver, recv_by_hand, .io = far);
    }
    rc = edo_spawn(&self->sender, send_buffered, .io = near, .count = self->count);
    return rc < 0 ? rc : edo_spawn(&self->receiver, recv_buffered, .io = far);
}

edo_async(frames)
{
    edo_body {
        int64_t rc, count;
        bench_require(start_frames(self), "spawn");
        edo_await(rc, edo_join(self->sender));
        bench_require(rc, "send");
        edo_await(count, edo_join(self->receiver));
        bench_require(count == self->count ? 0 : -EIO, "all frames arrive");
        edo_return(0);
    }
}

/* CPU seconds of frames through a pair of sockets. */
static double over_sockets(edo_runtime *runtime, enum frames_by by)
{
    int fds[2];
    edo_io *ends[2];
    bench_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0 ? -errno : 0,
                  "sockets");
    for (int i = 0; i < 2; i++)
        bench_require(edo_io_from_fd(fds[i], &ends[i]), "streams");
    double began = bench_cpu_seconds();
    bench_require(edo_block_on(runtime, frames, .near = ends[0], .far = ends[1], .by = by,
                               .count = SOCKET_FRAMES),
                  "frames");
    return bench_cpu_seconds() - began;
}

static void frames_once(edo_runtime *runtime, double *ret_values)
{
    for (enum frames_by by = BY_CODEC; by <= BY_HAND; by++) {
        edo_io *near, *far;
        bench_require(edo_duplex(PIPE, &near, &far), "pipe");
        int64_t began = bench_now();
        bench_require(
            edo_block_on(runtime, frames, .near = near, .far = far, .by = by, .count = FRAMES),
            "frames");
        ret_values[by] = 1000 / ns_per(began, FRAMES);
    }
    double codec = over_sockets(runtime, BY_CODEC), many = over_sockets(runtime, BY_CODEC_MANY);
    double by_hand = over_sockets(runtime, BY_HAND);
    ret_values[3] = codec * BENCH_NANOSECONDS / SOCKET_FRAMES;
    ret_values[4] = codec / by_hand;
    ret_values[5] = many / by_hand;
    ret_values[6] = codec / over_sockets(runtime, BY_BUFFERS);
}

int bench_stream_frames(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "stream_frames", "M/s" },
                                        { "stream_frames_many", "M/s" },
                                        { "stream_frames_by_hand", "M/s" },
                                        { "stream_frames_socket", "ns CPU/frame" },
                                        { "stream_frames_socket_ratio", "" },
                                        { "stream_frames_socket_many_ratio", "" },
                                        { "stream_frames_socket_buffered", "" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, frames_once, lines, sizeof lines / sizeof *lines);
    return 0;
}

/* ---- stream_map_1000: items of one of many streams ---- */

enum { MOST_STREAMS = 1000, MAP_ITEMS = 200000, BATCH = 20 };

typedef edo_sender(int) int_sender;
typedef edo_receiver(int) int_receiver;

struct one_stream {
    int_sender tx;
    int_receiver rx;
    edo_op_source_of(int) in;
    edo_stream_entry_of(int) entry;
};

/* All streams but those with items wait, in channels. */
struct pull_map {
    edo_frame();
    edo_args(struct one_stream *streams; int count;);
    edo_stream_map_of(int) map;
    int i, j, item;
    uint64_t random;
};

static int next_stream(struct pull_map *self)
{
    self->random = self->random * 6364136223846793005u + 1442695040888963407u;
    return (int)((self->random >> 33) % (uint64_t)self->count);
}

edo_async(pull_map)
{
    edo_body {
        int rc;
        self->random = 1;
        edo_stream_map_init(&self->map, false);
        for (self->i = 0; self->i < self->count; self->i++) {
            struct one_stream *stream = &self->streams[self->i];
            edo_receiver_stream(&stream->in, &stream->rx);
            edo_stream_map_insert(&self->map, &stream->entry, &stream->in, (uint64_t)self->i);
        }
        for (self->i = 0; self->i < MAP_ITEMS; self->i += BATCH) {
            for (self->j = 0; self->j < BATCH; self->j++) {
                int value = self->j;
                bench_require(edo_try_send(&self->streams[next_stream(self)].tx, &value), "send");
            }
            for (self->j = 0; self->j < BATCH; self->j++) {
                edo_await_next(rc, &self->map, &self->item);
                bench_require(rc, "next");
            }
        }
        edo_return(0);
    }
}

static void map_once(edo_runtime *runtime, double *ret_values)
{
    static const int counts[] = { 1, 10, 100, 1000 };
    static struct one_stream streams[MOST_STREAMS];
    for (int k = 0; k < 4; k++) {
        for (int i = 0; i < counts[k]; i++)
            bench_require(edo_mpsc_create(&streams[i].tx, &streams[i].rx, 2 * BATCH), "channel");
        int64_t began = bench_now();
        bench_require(edo_block_on(runtime, pull_map, .streams = streams, .count = counts[k]),
                      "map");
        ret_values[k] = ns_per(began, MAP_ITEMS);
        for (int i = 0; i < counts[k]; i++) {
            edo_sender_close(&streams[i].tx);
            edo_receiver_close(&streams[i].rx);
        }
    }
}

int bench_stream_map_1000(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "stream_map_1", "ns/item" },
                                        { "stream_map_10", "ns/item" },
                                        { "stream_map_100", "ns/item" },
                                        { "stream_map_1000", "ns/item" } };
    (void)argc;
    (void)argv;
    bench_repeat(runtime, map_once, lines, sizeof lines / sizeof *lines);
    return 0;
}
