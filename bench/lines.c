/* Lines of a file: a buffered reader against getline(3), in turns. The reader's stream are the bytes of
 * the mapped file, so both copy each byte once from the page cache before they look for ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

static const char *lines_path;
static double lines_size; // bytes

static void unmap(void *context, void *memory, size_t size)
{
    (void)context;
    munmap(memory, size);
}

/* Returns: the bytes of the file. */
static edo_bytes map_file(void)
{
    struct stat file;
    edo_bytes bytes;
    int fd = open(lines_path, O_RDONLY | O_CLOEXEC);
    bench_require(fd < 0 || fstat(fd, &file) < 0 ? -errno : 0, lines_path);
    size_t size = (size_t)file.st_size;
    void *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    bench_require(memory == MAP_FAILED ? -errno : 0, "map the file");
    close(fd);
    lines_size = (double)size;
    bench_require(edo_bytes_wrap(&bytes, memory, size, unmap, NULL), "wrap the file");
    return bytes;
}

struct read_lines {
    edo_frame();
    edo_args(edo_io *io;);
    edo_reader reader;
    edo_slice line;
    int64_t count;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(read_lines)
{
    edo_body {
        int64_t n;
        self->count = 0;
        edo_reader_init(&self->reader, self->io, self->memory, sizeof self->memory);
        for (;;) {
            edo_await(n, edo_read_line(&self->reader, &self->line));
            if (n <= 0) break;
            self->count++;
        }
        edo_close(self->io);
        edo_return(n < 0 ? n : self->count);
    }
}

/* The same, where an await is for what does not lie ahead. */
struct try_lines {
    edo_frame();
    edo_args(edo_io *io;);
    edo_reader reader;
    edo_slice line;
    int64_t count;
    char memory[EDO_BUFFERED_SIZE];
};

edo_async(try_lines)
{
    edo_body {
        int64_t n;
        self->count = 0;
        edo_reader_init(&self->reader, self->io, self->memory, sizeof self->memory);
        for (;;) {
            n = edo_try_read_line(&self->reader, &self->line);
            if (n == -EAGAIN) edo_await(n, edo_read_line(&self->reader, &self->line));
            if (n <= 0) break;
            self->count++;
        }
        edo_close(self->io);
        edo_return(n < 0 ? n : self->count);
    }
}

static int64_t getline_count(void)
{
    char *line = NULL;
    size_t capacity = 0;
    int64_t count = 0;
    FILE *file = fopen(lines_path, "re");
    bench_require(file ? 0 : -errno, lines_path);
    while (getline(&line, &capacity, file) >= 0)
        count++;
    free(line);
    fclose(file);
    return count;
}

static edo_io *open_file(void)
{
    edo_io *io;
    edo_bytes bytes = map_file();
    bench_require(edo_io_from_bytes(&bytes, &io), "stream of the file");
    return io;
}

static void once(edo_runtime *runtime, double *ret_values)
{
    int64_t counts[3], moments[4];
    edo_io *first = open_file(), *second = open_file();
    moments[0] = bench_now();
    counts[0] = bench_require(edo_block_on(runtime, read_lines, .io = first), "read lines");
    moments[1] = bench_now();
    counts[1] = bench_require(edo_block_on(runtime, try_lines, .io = second), "try lines");
    moments[2] = bench_now();
    counts[2] = getline_count();
    moments[3] = bench_now();
    bool are_same = counts[0] == counts[1] && counts[1] == counts[2];
    bench_require(are_same ? 0 : -EIO, "all see the same lines");
    for (int i = 0; i < 3; i++)
        ret_values[i] = lines_size / (double)(moments[i + 1] - moments[i]);
    ret_values[3] = ret_values[0] / ret_values[2];
}

int bench_lines(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "lines", "GB/s" },
                                        { "lines_try", "GB/s" },
                                        { "lines_getline", "GB/s" },
                                        { "lines_ratio", "" } };
    bench_require(argc == 1 ? 0 : -EINVAL, "usage: lines FILE");
    lines_path = argv[0];
    bench_repeat(runtime, once, lines, sizeof lines / sizeof *lines);
    return 0;
}
