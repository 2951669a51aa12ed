// expect: ok
// flags-gcc: -Wpedantic
// flags-clang: -Wpedantic
/* The macros of streams, sinks and codecs, used as they should be. */
#include <edo/codec.h>
#include <edo/combinators.h>
#include <edo/retry.h>
#include <edo/sink.h>
#include <edo/together.h>
#include <edo/wait.h>

typedef edo_stream_of(int) int_stream;

struct pipe {
    edo_array_of(int) numbers;
    edo_map_of(int, double) map;
    edo_step_of(double) step;
    edo_chunks_of(double, 4) chunks;
    edo_paced_of(edo_items) paced;
    edo_function_sink_of(int) sink;
    edo_forward_of(int) forward;
    edo_line_codec lines;
    edo_framed_of(edo_slice) peer;
    edo_merge_of(int, 3) merge;
    edo_stream_map_of(int) streams;
    edo_stream_entry_of(int) entry;
    edo_zip_of(int, double, int) zip;
    edo_item_args(int, double);
};

static int64_t halve(void *context, const void *item, void *ret_item)
{
    (void)context;
    *(double *)ret_item = *(const int *)item / 2.0;
    return 1;
}

int64_t use(struct pipe *pipe, edo_io *io, double *halves);
int64_t use(struct pipe *pipe, edo_io *io, double *halves)
{
    static const int number = 1;
    edo_items items;
    edo_once_init(&pipe->numbers, &number);
    int_stream *numbers = edo_as_stream(int_stream, &pipe->numbers);
    edo_map_init(&pipe->map, numbers, halve, NULL);
    edo_take_init(&pipe->step, &pipe->map, 1);
    edo_chunks_init(&pipe->chunks, &pipe->step);
    edo_throttle_init(&pipe->paced, &pipe->chunks, edo_ms(1));
    edo_forward_init(&pipe->forward, numbers, &pipe->sink);
    edo_line_codec_init(&pipe->lines, 100);
    edo_framed_init(&pipe->peer, io, &pipe->lines.codec);
    int64_t rc = edo_wait(edo_next(&pipe->paced, &items));
    rc += edo_wait(edo_forward(&pipe->forward));
    rc += edo_wait(edo_collect(&pipe->step, halves, 3));
    rc += edo_wait(edo_sink_send(&pipe->sink, &number));
    rc += edo_wait(edo_sink_flush(&pipe->peer.out));
    rc += (int64_t)edo_frames_rest(&pipe->peer.in).size;
    edo_framed_deinit(&pipe->peer);
    return rc;
}
