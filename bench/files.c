/* Files. Each workload also makes the same blocking calls on one thread, which is the limit. */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

enum { ROUNDS = 100, FILES = 1000, SMALL_SIZE = 1024, SMALL_BUFFER = 4096, PATH_SIZE = 256 };

static const char *place; // the argument: a file or a directory
static char paths[FILES][PATH_SIZE];
static char small_buffer[SMALL_BUFFER];

static int take_argument(int argc, char **argv)
{
    if (argc < 1) {
        fprintf(stderr, "a file or a directory is missing\n");
        return -1;
    }
    place = argv[0];
    for (int i = 0; i < FILES; i++)
        snprintf(paths[i], PATH_SIZE, "%s/f%04d", place, i);
    return 0;
}

/* ---- fs_read: a large file that is in the cache, 64 KiB at a time ---- */

enum { READ_SIZE = 64 * 1024 };

static char read_buffer[READ_SIZE];

struct read_file {
    edo_frame();
    edo_args();
    edo_file *file;
    int64_t sum;
};

edo_async(read_file)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(place, EDO_OPEN_READ, &self->file));
        bench_require(n, "open");
        for (self->sum = 0;; self->sum += n) {
            edo_await(n, edo_read(edo_file_io(self->file), read_buffer, READ_SIZE));
            bench_require(n, "read");
            if (n == 0) break;
        }
        edo_file_close(self->file);
        edo_return(self->sum);
    }
}

static int64_t read_blocking(void)
{
    int fd = open(place, O_RDONLY | O_CLOEXEC);
    int64_t sum = 0;
    for (ssize_t n; (n = read(fd, read_buffer, READ_SIZE)) > 0;)
        sum += n;
    close(fd);
    return sum;
}

static void read_once(edo_runtime *runtime, double *ret_values)
{
    int64_t start = bench_now(), sum = edo_block_on(runtime, read_file), middle = bench_now();
    bench_require(read_blocking() == sum ? 0 : -EIO, "size");
    ret_values[0] = (double)sum / (double)(middle - start);
    ret_values[1] = (double)sum / (double)(bench_now() - middle);
}

int bench_fs_read(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "fs_read", "GB/s" }, { "fs_read_blocking", "GB/s" } };
    if (take_argument(argc, argv) < 0) return EXIT_FAILURE;
    bench_repeat(runtime, read_once, lines, 2);
    return 0;
}

/* ---- fs_small: 1000 files of 1 KiB; open, read, close ---- */

struct read_small {
    edo_frame();
    edo_args();
    edo_file *file;
    int round, i;
};

edo_async(read_small)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            for (self->i = 0; self->i < FILES; self->i++) {
                edo_await(n, edo_file_open(paths[self->i], EDO_OPEN_READ, &self->file));
                bench_require(n, "open");
                edo_await(n, edo_read(edo_file_io(self->file), small_buffer, SMALL_BUFFER));
                bench_require(n == SMALL_SIZE ? 0 : -EIO, "read");
                edo_file_close(self->file);
            }
        }
        edo_return(0);
    }
}

static void small_blocking(bool whole)
{
    for (int i = 0; i < ROUNDS * FILES; i++) {
        int fd = open(paths[i % FILES], O_RDONLY | O_CLOEXEC);
        struct stat info;
        char *memory = NULL;
        if (whole) bench_require(fstat(fd, &info), "fstat");
        if (whole) memory = malloc((size_t)info.st_size + 1);
        ssize_t n = read(fd, whole ? memory : small_buffer,
                         whole ? (size_t)info.st_size + 1 : SMALL_BUFFER);
        bench_require(n == SMALL_SIZE ? 0 : -EIO, "read");
        close(fd);
        free(memory);
    }
}

static void small_once(edo_runtime *runtime, double *ret_values)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, read_small), "fs_small");
    int64_t middle = bench_now();
    small_blocking(false);
    ret_values[0] = (double)(middle - start) / (ROUNDS * FILES);
    ret_values[1] = (double)(bench_now() - middle) / (ROUNDS * FILES);
}

int bench_fs_small(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "fs_small", "ns/file" },
                                        { "fs_small_blocking", "ns/file" } };
    if (take_argument(argc, argv) < 0) return EXIT_FAILURE;
    bench_repeat(runtime, small_once, lines, 2);
    return 0;
}

/* ---- fs_small_whole: the same files, in one call each ---- */

struct read_whole {
    edo_frame();
    edo_args();
    edo_bytes bytes;
    int round, i;
};

edo_async(read_whole)
{
    edo_body {
        int64_t n;
        for (self->round = 0; self->round < ROUNDS; self->round++) {
            for (self->i = 0; self->i < FILES; self->i++) {
                edo_await(n, edo_file_read_whole(paths[self->i], &self->bytes));
                bench_require(n == SMALL_SIZE ? 0 : -EIO, "read");
                edo_bytes_deinit(&self->bytes);
            }
        }
        edo_return(0);
    }
}

static void whole_once(edo_runtime *runtime, double *ret_values)
{
    int64_t start = bench_now();
    bench_require(edo_block_on(runtime, read_whole), "fs_small_whole");
    int64_t middle = bench_now();
    small_blocking(true);
    ret_values[0] = (double)(middle - start) / (ROUNDS * FILES);
    ret_values[1] = (double)(bench_now() - middle) / (ROUNDS * FILES);
}

int bench_fs_small_whole(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "fs_small_whole", "ns/file" },
                                        { "fs_small_whole_blocking", "ns/file" } };
    if (take_argument(argc, argv) < 0) return EXIT_FAILURE;
    bench_repeat(runtime, whole_once, lines, 2);
    return 0;
}

/* ---- fs_direct: random blocks of 4 KiB past the cache, 64 at a time ---- */

enum { BLOCK = 4096, DEPTH = 64, BLOCKS = 20000, THREADS = 16 };

static edo_file *direct_file;
static uint64_t direct_blocks; // in the file
static _Atomic int blocks_left;
static char *direct_memory;

static uint64_t next_block(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random % direct_blocks * BLOCK;
}

struct read_blocks {
    edo_frame();
    edo_args(char *memory; uint64_t random;);
};

edo_async(read_blocks)
{
    edo_body {
        int64_t n;
        while (blocks_left-- > 0) {
            edo_await(
                n, edo_file_read_at(direct_file, self->memory, BLOCK, next_block(&self->random)));
            bench_require(n == BLOCK ? 0 : n < 0 ? n : -EIO, "read");
        }
        edo_return(0);
    }
}

struct read_direct {
    edo_frame();
    edo_args();
    edo_info info;
    edo_scope scope;
    int i;
};

edo_async(read_direct)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_file_open(place, EDO_OPEN_READ | EDO_OPEN_DIRECT, &direct_file));
        bench_require(n, "open");
        edo_await(n, edo_file_info(direct_file, &self->info));
        direct_blocks = self->info.size / BLOCK;
        blocks_left = BLOCKS;
        edo_scope_open(&self->scope, 0);
        for (self->i = 0; self->i < DEPTH; self->i++)
            bench_require(edo_scope_spawn(&self->scope, read_blocks,
                                          .memory = direct_memory + self->i * BLOCK,
                                          .random = (uint64_t)self->i * 7919 + 1),
                          "spawn");
        edo_await(n, edo_scope_join(&self->scope));
        bench_require(n, "join");
        edo_file_close(direct_file);
        edo_return(0);
    }
}

static void *read_blocks_blocking(void *arg)
{
    intptr_t index = (intptr_t)arg;
    uint64_t random = (uint64_t)index * 7919 + 1;
    int fd = open(place, O_RDONLY | O_DIRECT | O_CLOEXEC);
    while (blocks_left-- > 0) {
        ssize_t n = pread(fd, direct_memory + index * BLOCK, BLOCK, (off_t)next_block(&random));
        bench_require(n == BLOCK ? 0 : -EIO, "pread");
    }
    close(fd);
    return NULL;
}

/* The limit to beat: a pool of 16 threads. */
static void direct_by_threads(void)
{
    pthread_t threads[THREADS];
    blocks_left = BLOCKS;
    for (intptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, read_blocks_blocking, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void direct_once(edo_runtime *runtime, double *ret_values)
{
    int64_t start = bench_now();
    double cpu = bench_cpu_seconds();
    bench_require(edo_block_on(runtime, read_direct), "fs_direct");
    int64_t middle = bench_now();
    double middle_cpu = bench_cpu_seconds();
    direct_by_threads();
    ret_values[0] = BLOCKS / ((double)(middle - start) / BENCH_NANOSECONDS);
    ret_values[1] = BLOCKS / ((double)(bench_now() - middle) / BENCH_NANOSECONDS);
    ret_values[2] = (middle_cpu - cpu) * 1e6 / BLOCKS;
    ret_values[3] = (bench_cpu_seconds() - middle_cpu) * 1e6 / BLOCKS;
}

int bench_fs_direct(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "fs_direct", "blocks/s" },
                                        { "fs_direct_16_threads", "blocks/s" },
                                        { "fs_direct_cpu", "us/block" },
                                        { "fs_direct_16_threads_cpu", "us/block" } };
    if (take_argument(argc, argv) < 0) return EXIT_FAILURE;
    direct_memory = edo_direct_buffer((size_t)DEPTH * BLOCK);
    bench_repeat(runtime, direct_once, lines, 4);
    edo_direct_buffer_free(direct_memory, (size_t)DEPTH * BLOCK);
    return 0;
}

/* ---- fs_walk: all files of a tree ---- */

struct walk_tree {
    edo_frame();
    edo_args();
    edo_walk *walk;
    edo_walk_entry entry;
    int64_t count;
};

edo_async(walk_tree)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_walk_open(place, 0, 0, &self->walk));
        bench_require(rc, "open");
        for (self->count = 0;; self->count++) {
            edo_await(rc, edo_walk_next(self->walk, &self->entry));
            bench_require(rc, "next");
            if (rc == 0) break;
        }
        edo_walk_close(self->walk);
        edo_return(self->count);
    }
}

static int64_t visited;

static int visit(const char *path, const struct stat *info, int type, struct FTW *where)
{
    (void)path;
    (void)info;
    (void)type;
    (void)where;
    visited++;
    return 0;
}

/* `find` as another program. */
static void find_tree(void)
{
    char command[PATH_SIZE + 32];
    snprintf(command, sizeof command, "find '%s' > /dev/null", place);
    bench_require(system(command) ? -EIO : 0, "find");
}

static void walk_once(edo_runtime *runtime, double *ret_values)
{
    int64_t start = bench_now(), count = edo_block_on(runtime, walk_tree), after = bench_now();
    bench_require(count, "fs_walk");
    visited = 0;
    nftw(place, visit, 32, FTW_PHYS);
    int64_t after_nftw = bench_now();
    find_tree();
    ret_values[0] = (double)(after - start) / 1e6;
    ret_values[1] = (double)(after_nftw - after) / 1e6;
    ret_values[2] = (double)(bench_now() - after_nftw) / 1e6;
    ret_values[3] = (double)count;
}

int bench_fs_walk(edo_runtime *runtime, int argc, char **argv)
{
    static const bench_line lines[] = { { "fs_walk", "ms" },
                                        { "fs_walk_nftw", "ms" },
                                        { "fs_walk_find", "ms" },
                                        { "fs_walk_files", "files" } };
    if (take_argument(argc, argv) < 0) return EXIT_FAILURE;
    bench_repeat(runtime, walk_once, lines, 4);
    return 0;
}
