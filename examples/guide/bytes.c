/* Messages with a length in front, cut out of a buffer without copies. */
#include <stdio.h>

#include <edo/edo.h>

/* region: cut */
/* Takes the next message out of what has come so far.
 * Returns: 1; 0 when not all of it is there; a negative errno. */
static int next_message(edo_buffer *in, edo_bytes *ret_message)
{
    enum { HEAD = 4, MOST = 1 << 20 };
    edo_buffer whole;
    if (in->size < HEAD) return 0;
    uint32_t size = edo_load_u32(in->data); // as networks have it: the high byte first
    if (size > MOST) return -EMSGSIZE;      // before any memory is asked for
    if (in->size - HEAD < size) return edo_buffer_reserve(in, HEAD + size - in->size);
    int rc = edo_buffer_split_to(in, HEAD + size, &whole); // both share one block now
    if (rc < 0) return rc;
    *ret_message = edo_buffer_freeze(&whole);
    rc = edo_bytes_advance(ret_message, HEAD);
    return rc < 0 ? rc : 1;
}
/* end: cut */

/* region: read */
struct print_messages {
    edo_frame();
    edo_args(edo_io *io;);
    edo_buffer in;
    edo_bytes message;
};

edo_async(print_messages)
{
    edo_body {
        int64_t n;
        self->in = (edo_buffer){ .data = NULL };
        for (;;) {
            while ((n = next_message(&self->in, &self->message)) > 0) {
                printf("%.*s\n", (int)self->message.size, (const char *)self->message.data);
                edo_bytes_deinit(&self->message); // or keep it: it keeps its memory
            }
            edo_check_or(close, n);
            n = edo_buffer_reserve(&self->in, 512); // uses again what was read
            edo_check_or(close, n);
            edo_try_or(close, n,
                       edo_read(self->io, edo_buffer_tail(&self->in), edo_buffer_room(&self->in)));
            if (n == 0) break;
            edo_buffer_commit(&self->in, (size_t)n);
        }
close:
        edo_buffer_deinit(&self->in);
        edo_close(self->io);
        edo_return(edo_failure());
    }
}
/* end: read */

struct talk {
    edo_frame(struct print_messages print_messages;);
    edo_args();
    edo_io *near, *far;
    edo_buffer out;
    edo_chain chain;
    edo_bytes bytes;
};

/* region: chain */
static const char *const words[] = { "counted", "bytes", "in one call" };

static int make_chain(edo_chain *chain)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        edo_buffer head = { .data = NULL };
        edo_bytes word = edo_bytes_static(words[i], __builtin_strlen(words[i]));
        int rc = edo_buffer_put_u32(&head, (uint32_t)word.size);
        if (rc < 0) return rc;
        edo_bytes front = edo_buffer_freeze(&head);
        rc = edo_chain_append(chain, &front);
        if (rc == 0) rc = edo_chain_append(chain, &word);
        if (rc < 0) return rc;
    }
    return 0;
}
/* end: chain */

edo_async(talk)
{
    edo_body {
        int64_t n;
        edo_check(edo_simplex(4096, &self->far, &self->near));
        self->chain = (edo_chain){ .slices = NULL };
        n = make_chain(&self->chain);
        if (n == 0) edo_await(n, edo_write_chain(self->near, &self->chain));
        edo_chain_deinit(&self->chain);
        edo_close(self->near);
        edo_call(n, print_messages, .io = self->far);
        edo_return(n);
    }
}

int main(void)
{
    return edo_run(talk);
}
