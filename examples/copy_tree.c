/* Copies a file or a directory with all that it contains: copy_tree FROM TO */
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

struct copy_tree {
    edo_frame();
    edo_args(const char *from, *to;);
    edo_info info;
};

edo_async(copy_tree)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_path_info(self->from, &self->info));
        if (n == 0 && self->info.kind == EDO_IS_DIRECTORY)
            edo_await(n, edo_path_copy_tree(self->from, self->to, 0));
        else if (n == 0)
            edo_await(n, edo_path_copy(self->from, self->to, 0));
        edo_return(n);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: copy_tree FROM TO\n");
        return EXIT_FAILURE;
    }
    return edo_run(copy_tree, .from = argv[1], .to = argv[2]);
}
