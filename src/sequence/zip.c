/* Zips pull both inputs at the same time. Each input keeps its item until the other input has
 * one. */
#include "sequence/set.h"

static bool has_item(const edo__input *input)
{
    return input->state == EDO__INPUT_HELD && input->result == 1;
}

/* Uses the pair. Returns: the answer, or EDO_NEXT_WAITS: the pair was left out. */
static int64_t use_pair(edo__zip *zip, void *ret_item)
{
    edo__input *left = &zip->inputs[0], *right = &zip->inputs[1];
    int64_t result = zip->fn(zip->context, left->slot, right->slot, ret_item);
    edo__set_give_back(&zip->set, left);
    edo__set_give_back(&zip->set, right);
    return result > 0 ? 1 : result < 0 ? result : EDO_NEXT_WAITS;
}

/* Uses the answer of one input. Returns: the answer of the zip; EDO_NEXT_WAITS: continue. */
static int64_t after_one(edo__zip *zip, edo__input *input, void *ret_item)
{
    int64_t result = input->result;
    if (result == 1)
        return has_item(&zip->inputs[0]) && has_item(&zip->inputs[1]) ? use_pair(zip, ret_item)
                                                                      : EDO_NEXT_WAITS;
    edo__set_give_back(&zip->set, input);
    return result;
}

static int64_t zip_next(edo_stream *stream, edo_cx *cx, void *ret_item)
{
    edo__zip *zip = (edo__zip *)(void *)stream;
    int64_t result;
    for (;;) {
        edo__input *input = edo__set_take(&zip->set, cx, &result);
        if (!input) break;
        result = after_one(zip, input, ret_item);
        if (result != EDO_NEXT_WAITS) break;
        if (!has_item(input) && (result = edo__go_on(cx)) != 0) break; // a pair was left out
    }
    if (result != EDO_NEXT_WAITS) edo__set_rest(&zip->set);
    return result;
}

void edo__zip_init(edo__zip *zip, edo_stream *left, void *left_slot, edo_stream *right,
                   void *right_slot, int64_t (*fn)(void *, const void *, const void *, void *),
                   void *context, uint32_t size, edo_future *owner, edo_cx *cx)
{
    static const edo_stream_ops ops = { .name = "zip", .next = zip_next };
    edo__set_init(&zip->set, size, false, owner, cx);
    zip->set.stream.ops = &ops;
    zip->fn = fn;
    zip->context = context;
    edo__set_add(&zip->set, &zip->inputs[0], left, left_slot, 0);
    edo__set_add(&zip->set, &zip->inputs[1], right, right_slot, 1);
}
