// expect-gcc: (?s)(of another type than the channel or stream.*){6}
// expect-clang: (?s)(of another type than the channel or stream.*){6}
/* Items of another type than the stream's: pulled, sent, between two combinators. */
#include <edo/combinators.h>
#include <edo/sink.h>

struct pipe {
    edo_array_of(int) numbers;
    edo_map_of(double, int) map;
    edo_step_of(long) step;
    edo_function_sink_of(int) sink;
};

int use(struct pipe *pipe, long *items, edo_op *ops);
int use(struct pipe *pipe, long *items, edo_op *ops)
{
    edo_array_init(&pipe->numbers, items, 3);
    edo_map_init(&pipe->map, &pipe->numbers, NULL, NULL);
    edo_take_init(&pipe->step, &pipe->numbers, 3);
    ops[0] = edo_next(&pipe->numbers, items);
    ops[1] = edo_collect(&pipe->map, items, 3);
    ops[2] = edo_sink_send(&pipe->sink, items);
    return 0;
}
