/* Files: lines of one file, a replaced file, a tree. */
#include <stdio.h>

#include <edo/edo.h>

/* region: count */
/* Counts the lines of a file. */
struct count_lines {
    edo_frame();
    edo_args(const char *path;);
    edo_file *file;
    edo_reader in;
    edo_slice line;
    int64_t count;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(count_lines)
{
    edo_body {
        int64_t n;
        edo_try(n, edo_file_open(self->path, EDO_OPEN_READ, &self->file));
        edo_reader_init(&self->in, edo_file_io(self->file), self->memory, sizeof self->memory);
        for (self->count = 0;; self->count++) {
            edo_await(n, edo_read_line(&self->in, &self->line));
            if (n <= 0) break;
        }
        edo_file_close(self->file);
        edo_return(n < 0 ? n : self->count);
    }
}
/* end: count */

/* region: replace */
/* Adds one to the number in a file. Others who read the file find the old number or the new one,
 * also after a crash. */
struct increment {
    edo_frame();
    edo_args(const char *path;);
    edo_bytes old;
    char text[32];
};

edo_async(increment)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_read_whole(self->path, &self->old));
        if (n < 0 && n != -ENOENT) edo_return(n);
        int number = n > 0 ? self->old.data[0] - '0' : 0;
        if (n >= 0) edo_bytes_deinit(&self->old);
        int size = snprintf(self->text, sizeof self->text, "%d\n", number + 1);
        edo_await(n, edo_file_replace(self->path, self->text, (size_t)size));
        edo_return(n);
    }
}
/* end: replace */

/* region: walk */
/* Adds up the sizes of all files below a directory. */
struct sum_sizes {
    edo_frame();
    edo_args(const char *root; int64_t *ret_files;);
    edo_walk *walk;
    edo_walk_entry entry;
    edo_info info;
    int64_t sum;
};

edo_async(sum_sizes)
{
    edo_body {
        int64_t rc;
        edo_try(rc, edo_walk_open(self->root, 0, 0, &self->walk));
        self->sum = 0;
        for (;;) {
            edo_await(rc, edo_walk_next(self->walk, &self->entry));
            if (rc <= 0) break;
            if (self->entry.kind != EDO_IS_FILE) continue;
            edo_await(rc, edo_path_link_info(self->entry.path, &self->info));
            if (rc < 0) continue; // removed meanwhile
            self->sum += (int64_t)self->info.size;
            *self->ret_files += 1;
        }
        edo_walk_close(self->walk);
        edo_return(rc < 0 ? rc : self->sum);
    }
}
/* end: walk */

struct files {
    edo_frame(struct count_lines count_lines; struct increment increment;
              struct sum_sizes sum_sizes;);
    edo_args();
    char dir[64];
    char paths[3][128];
    int64_t files;
};

edo_async(files)
{
    edo_body {
        int64_t n;
        snprintf(self->dir, sizeof self->dir, "/tmp/edo-files-%p", (void *)self);
        snprintf(self->paths[0], sizeof self->paths[0], "%s/a/b", self->dir);
        snprintf(self->paths[1], sizeof self->paths[1], "%s/a/b/poem", self->dir);
        snprintf(self->paths[2], sizeof self->paths[2], "%s/a/number", self->dir);
        edo_try(n, edo_path_make_dirs(self->paths[0]));
        edo_try(n, edo_file_write_whole(self->paths[1], "old pond\nfrog leaps in\nsplash\n", 30));
        edo_call(n, count_lines, .path = self->paths[1]);
        printf("%d lines\n", (int)n);
        edo_call(n, increment, .path = self->paths[2]);
        edo_call(n, increment, .path = self->paths[2]);
        printf("incremented: %d\n", (int)n);
        self->files = 0;
        edo_call(n, sum_sizes, .root = self->dir, .ret_files = &self->files);
        printf("%d bytes in %d files\n", (int)n, (int)self->files);
        edo_try(n, edo_path_remove_tree(self->dir));
        printf("%d names removed\n", (int)n);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(files);
}
