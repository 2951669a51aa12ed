/* The lock of channels: one holder at a time, who sees what those before did.
 *
 * model-sources: base/lock.c sync/brief.c
 * model-flags: -DEDO_MODEL_LOCKS
 */
#include "model/model.h"
#include "sync/brief.h"

static struct {
    edo__lock lock;
    int count; // the lock
} * s;

static void set_up(uint32_t lock)
{
    s = model_alloc_static(sizeof *s);
    s->lock = lock;
    s->count = 0;
}

static void add(void)
{
    edo__brief_take(&s->lock);
    edo_plain_write(&s->count);
    s->count++;
    edo__brief_give(&s->lock);
}

THREAD(add_one)
{
    add();
}

MODEL(brief_excludes, "two threads take it in turns")
{
    set_up(0);
    int other = model_start(add_one, NULL);
    add();
    model_join(other);
    edo__brief_take(&s->lock);
    edo_plain_read(&s->count);
    model_assert(s->count == 2);
    edo__brief_give(&s->lock);
}

MODEL_SAMPLED(brief_three, "three threads take it in turns", 3000)
{
    set_up(0);
    int second = model_start(add_one, NULL), third = model_start(add_one, NULL);
    add();
    model_join(second);
    model_join(third);
    model_assert(s->count == 3);
}

MODEL(brief_of_parent, "the lock of a thread that was not forked is free, for one of two")
{
    set_up(1000); // a mark of another process
    int other = model_start(add_one, NULL);
    add();
    model_join(other);
    model_assert(s->count == 2);
}
