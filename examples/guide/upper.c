/* A file to upper case, line by line, with a buffered reader and a buffered writer. */
#include <ctype.h>
#include <stdio.h>

#include <edo/edo.h>

/* region: upper */
struct upper {
    edo_frame();
    edo_args(edo_io *from, *to;);
    edo_reader in;
    edo_writer out;
    edo_op_source_of(edo_slice) lines;
    edo_slice line;
    char memory[2][EDO_BUFFERED_SIZE];
};

edo_async(upper)
{
    edo_body {
        int64_t rc;
        edo_reader_init(&self->in, self->from, self->memory[0], EDO_BUFFERED_SIZE);
        edo_writer_init(&self->out, self->to, self->memory[1], EDO_BUFFERED_SIZE);
        edo_line_stream(&self->lines, &self->in);
        edo_for_each(rc, &self->lines, &self->line) {
            char *text = self->line.data;
            for (size_t i = 0; i < self->line.size; i++)
                text[i] = (char)toupper((unsigned char)text[i]);
            edo_try_or(close, edo_writer_write(&self->out, text, self->line.size));
            edo_try_or(close, edo_writer_write(&self->out, "\n", 1));
        }
        edo_check_or(close, rc);
        edo_try_or(close, edo_flush(&self->out));
close:
        edo_writer_deinit(&self->out);
        edo_close(self->from);
        edo_close(self->to);
        edo_return(edo_failure());
    }
}
/* end: upper */

struct show {
    edo_frame();
    edo_args();
    edo_bytes text;
    edo_io *from, *to, *result;
    edo_task *task;
    edo_buffer all;
    edo_reader in;
    char memory[64];
};

edo_async(show)
{
    static const char text[] = "the first line\nthe second\nand a last one";
    edo_body {
        int64_t rc;
        self->text = edo_bytes_static(text, sizeof text - 1);
        self->all = (edo_buffer){ NULL, 0, 0, NULL };
        edo_check(edo_io_from_bytes(&self->text, &self->from));
        edo_check(edo_simplex(4096, &self->result, &self->to));
        edo_check(edo_spawn(&self->task, upper, .from = self->from, .to = self->to));
        edo_reader_init(&self->in, self->result, self->memory, sizeof self->memory);
        edo_await(rc, edo_read_to_end(&self->in, &self->all, 10000));
        printf("%.*s", (int)self->all.size, (const char *)self->all.data);
        edo_buffer_deinit(&self->all);
        edo_close(self->result);
        edo_await(rc, edo_join(self->task));
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(show);
}
