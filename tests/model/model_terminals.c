/* The table of terminals: a signal handler copies an entry while another thread leaves the terminal
 * and enters a second one in its place.
 *
 * model-flags: -DEDO__TERMINAL_WORDS=2
 */
#include "model/model.h"
#include "sys/linux/terminal_table.h"

static struct {
    edo__terminal_entry entry;
} * s;

static void publish(int number)
{
    uint64_t modes[EDO__TERMINAL_WORDS];
    for (unsigned i = 0; i < EDO__TERMINAL_WORDS; i++)
        modes[i] = (uint64_t)number;
    edo__terminal_publish(&s->entry, number, modes);
}

static void begin(void)
{
    s = model_alloc_static(sizeof *s);
    *s = (typeof(*s)){ 0 };
}

/* Copies the entry. All words are of one terminal. */
static void handle(void)
{
    int fd;
    uint64_t modes[EDO__TERMINAL_WORDS];
    if (!edo__terminal_copy(&s->entry, &fd, modes)) return;
    model_assert(fd == 1 || fd == 2);
    for (unsigned i = 0; i < EDO__TERMINAL_WORDS; i++)
        model_assert(modes[i] == (uint64_t)fd);
}

THREAD(use_twice)
{
    publish(1);
    edo__terminal_retire(&s->entry);
    publish(2);
}

THREAD(reuse)
{
    edo__terminal_retire(&s->entry);
    publish(2);
}

MODEL(terminals_twice, "a handler gets no mixture of two terminals")
{
    begin();
    int other = model_start(use_twice, NULL);
    handle();
    model_join(other);
    handle();
}

MODEL(terminals_reused, "a handler gets no mixture of an old and a new terminal")
{
    begin();
    publish(1);
    int other = model_start(reuse, NULL);
    handle();
    model_join(other);
}
