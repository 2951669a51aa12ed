/* The count of a block: the last holder frees it, after all uses; its only holder writes in place.
 *
 * model-sources: stream/block.c stream/bytes.c stream/buffer.c
 */
#include <string.h>

#include "model/model.h"

#include "stream/block.h"

static struct {
    edo_bytes clones[2];
    unsigned released;
    char memory[4];
} * s;

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)memory;
    (void)size;
    edo_plain_write(&s->released);
    s->released++;
}

/* Reads its slice and gives it back. */
static void use(edo_bytes *bytes)
{
    edo_plain_read(bytes->block->memory);
    edo_bytes_deinit(bytes);
}

THREAD(user)
{
    use(argument);
}

THREAD(cloner)
{
    edo_bytes *bytes = argument, again = edo_bytes_clone(bytes);
    use(bytes);
    use(&again);
}

static void set_up(void)
{
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    model_assert(edo_bytes_wrap(&s->clones[0], s->memory, 4, release, NULL) == 0);
    s->clones[1] = edo_bytes_clone(&s->clones[0]);
}

MODEL(block_last_frees, "the last holder releases the memory, once, after all uses of it")
{
    set_up();
    int other = model_start(cloner, &s->clones[1]);
    use(&s->clones[0]);
    model_join(other);
    model_assert(s->released == 1);
}

MODEL(block_two_frees, "of two holders that go at the same time one releases the memory")
{
    set_up();
    int first = model_start(user, &s->clones[0]), second = model_start(user, &s->clones[1]);
    model_join(first);
    model_join(second);
    model_assert(s->released == 1);
}

MODEL(block_unique_write, "who is the only holder writes in place after all reads of others")
{
    edo_buffer buffer;
    s = model_alloc_static(sizeof *s);
    memset(s, 0, sizeof *s);
    model_assert(edo_bytes_copy(&s->clones[0], "text", 4) == 0);
    s->clones[1] = edo_bytes_clone(&s->clones[0]);
    int other = model_start(user, &s->clones[1]);
    if (edo_bytes_into_buffer(&s->clones[0], &buffer) == 0) {
        edo_plain_write(buffer.block->memory);
        edo_buffer_deinit(&buffer);
    } else {
        use(&s->clones[0]);
    }
    model_join(other);
}
