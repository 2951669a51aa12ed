/* Running programs: a whole output, lines of output, a pipeline. */
#include <stdio.h>

#include <edo/edo.h>

/* region: output */
/* Sorts text with sort(1). The caller ends output->out. */
struct sort_text {
    edo_frame();
    edo_args(const char *text; size_t size; edo_output *output;);
    edo_command command;
};

edo_async(sort_text)
{
    edo_body {
        static const char *const argv[] = { "sort", "-r", NULL };
        int rc;
        self->command = (edo_command){ .argv = argv, .on_close = EDO_PROCESS_KILL };
        *self->output = (edo_output){ .input = self->text, .input_size = self->size };
        edo_await(rc, edo_command_output(&self->command, self->output));
        if (rc < 0)
            fprintf(stderr, "sort: %s: %s\n", edo_spawn_step_name(self->command.failed),
                    edo_strerror(rc));
        edo_return(rc); // the exit status of sort, or an error
    }
}
/* end: output */

/* region: lines */
/* Prints each line when the program writes it. */
struct follow {
    edo_frame();
    edo_args(edo_command *command;);
    edo_process *process;
    edo_io *out;
    edo_reader reader;
    edo_slice line;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(follow)
{
    edo_body {
        int rc;
        self->command->out.kind = EDO_STDIO_PIPE;
        rc = edo_command_spawn(self->command, &self->process);
        if (rc < 0) edo_return(rc);
        self->out = edo_process_take(self->process, 1);
        edo_reader_init(&self->reader, self->out, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(rc, edo_read_line(&self->reader, &self->line));
            if (rc <= 0) break;
            printf("> %.*s\n", (int)self->line.size, (const char *)self->line.data);
        }
        edo_close(self->out);
        if (rc == 0) edo_await(rc, edo_process_wait(self->process, NULL));
        edo_process_close(self->process);
        edo_return(rc);
    }
}
/* end: lines */

/* region: pipeline */
/* As `tr a-z A-Z | rev`, with input and output here. */
struct shout_backwards {
    edo_frame();
    edo_args(const char *text; size_t size; edo_output *output;);
    edo_command commands[2];
    edo_process *processes[2];
};

edo_async(shout_backwards)
{
    edo_body {
        static const char *const tr[] = { "tr", "a-z", "A-Z", NULL }, *const rev[] = { "rev",
                                                                                       NULL };
        int rc;
        self->commands[0] = (edo_command){ .argv = tr, .in.kind = EDO_STDIO_PIPE };
        self->commands[1] = (edo_command){ .argv = rev, .out.kind = EDO_STDIO_PIPE };
        rc = edo_pipeline_spawn(self->commands, 2, self->processes);
        if (rc < 0) edo_return(rc);
        *self->output = (edo_output){ .input = self->text, .input_size = self->size };
        edo_await(rc, edo_process_output(self->processes, 2, self->output));
        for (int i = 0; i < 2; i++)
            edo_process_close(self->processes[i]);
        edo_return(rc);
    }
}
/* end: pipeline */

struct program {
    edo_frame(struct sort_text sort_text; struct follow follow;
              struct shout_backwards shout_backwards;);
    edo_args();
    edo_output output;
    edo_command command;
};

static void print_output(edo_output *output)
{
    printf("%.*s", (int)output->out.size, (const char *)output->out.data);
    edo_buffer_deinit(&output->out);
    edo_buffer_deinit(&output->err);
}

edo_async(program)
{
    edo_body {
        static const char *const count[] = { "sh", "-c", "echo one; echo two", NULL };
        int rc;
        edo_call(rc, sort_text, .text = "a\nc\nb\n", .size = 6, .output = &self->output);
        if (rc == 0) print_output(&self->output);
        self->command = (edo_command){ .argv = count };
        edo_call(rc, follow, .command = &self->command);
        edo_call(rc, shout_backwards, .text = "olleh\n", .size = 6, .output = &self->output);
        if (rc == 0) print_output(&self->output);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(program);
}
