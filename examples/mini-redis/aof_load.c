/* Replay of the log at the start. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aof_private.h"
#include "call.h"
#include "config.h"
#include "parser.h"

enum {
    READ_SIZE = 1024 * 1024,          // bytes of one read
    PROGRESS_STEP = 64 * 1024 * 1024, // bytes between two lines of progress
};

struct loader {
    int fd;
    edo_buffer input;
    struct parser parser;
    struct reply reply;   // dropped
    uint64_t size, shown; // bytes: of the file; at the last line of progress
    uint64_t consumed;    // bytes before the input
    uint64_t commands;
    bool in_multi, is_at_end;
    size_t transaction; // place of its first command in the input
};

static int run(struct loader *loader, const struct span *args, int count)
{
    const struct command *command = command_check(args, count, &loader->reply);
    edo_buffer_truncate(&loader->reply.bytes, 0);
    if (!command || !(command->flags & CMD_WRITE)) return -EBADMSG;
    struct call call = {
        .command = command,
        .args = args,
        .count = count,
        .reply = &loader->reply,
        .now = wall_ms(),
        .in_exec = true,
    };
    shards_lock(command_shards(command, args, count));
    (void)call_run(&call);
    shards_unlock(command_shards(command, args, count));
    edo_buffer_truncate(&loader->reply.bytes, 0);
    loader->commands++;
    return 0;
}

/* Parses the command at a place. Returns: as parser_parse(). */
static int parse(struct loader *loader, size_t at)
{
    parser_next(&loader->parser);
    return parser_parse(&loader->parser, (char *)loader->input.data + at, loader->input.size - at);
}

/* Runs the commands of a transaction, which is complete: they were parsed before. */
static int run_transaction(struct loader *loader, size_t end)
{
    for (size_t at = loader->transaction; at < end; at += loader->parser.at) {
        (void)parse(loader, at);
        int rc = run(loader, loader->parser.spans, (int)loader->parser.count);
        if (rc < 0) return rc;
    }
    return 0;
}

/* Handles the command at *at. Returns: 1; 0: it is not complete; negative: the log is bad. */
static int handle(struct loader *loader, size_t *at)
{
    int rc = parse(loader, *at);
    if (rc <= 0) return rc ? -EBADMSG : 0;
    size_t end = *at + loader->parser.at;
    const struct span *args = loader->parser.spans;
    if (loader->parser.count == 0) {
        rc = -EBADMSG;
    } else if (span_is(args[0], "multi")) {
        loader->in_multi = true;
        loader->transaction = end;
        rc = 0;
    } else if (span_is(args[0], "exec") && loader->in_multi) {
        loader->in_multi = false;
        rc = run_transaction(loader, *at);
    } else if (!loader->in_multi) {
        rc = run(loader, args, (int)loader->parser.count);
    } else {
        rc = 0;
    }
    *at = end;
    return rc < 0 ? rc : 1;
}

/* Handles all complete commands of the input, and drops them. An open transaction stays. */
static int handle_all(struct loader *loader)
{
    size_t at = 0, done = 0;
    int rc;
    loader->in_multi = false;
    while ((rc = handle(loader, &at)) > 0)
        if (!loader->in_multi) done = at;
    loader->consumed += done;
    edo_buffer_advance(&loader->input, done);
    return rc;
}

static void show_progress(struct loader *loader)
{
    uint64_t position = loader->consumed + loader->input.size;
    if (position - loader->shown < PROGRESS_STEP && position < loader->size) return;
    loader->shown = position;
    fprintf(stderr, "mini-redis: loading the log: %llu of %llu MiB, %llu commands\n",
            (unsigned long long)position >> 20, (unsigned long long)loader->size >> 20,
            (unsigned long long)loader->commands);
}

/* A transaction or a command larger than one read is parsed again from its start, so each read
 * is as large as what is there already. */
static int load(struct loader *loader)
{
    for (;;) {
        size_t size = loader->input.size > READ_SIZE ? loader->input.size : READ_SIZE;
        if (edo_buffer_reserve(&loader->input, size) < 0) return -ENOMEM;
        ssize_t n = read(loader->fd, edo_buffer_tail(&loader->input), size);
        if (n < 0) return -errno;
        if (n == 0) return 0;
        (void)edo_buffer_commit(&loader->input, (size_t)n);
        int rc = handle_all(loader);
        if (rc < 0) return rc;
        show_progress(loader);
    }
}

/* Cuts off what a crash has left of the last command. */
static int cut_tail(struct loader *loader)
{
    if (loader->input.size == 0) return 0;
    fprintf(stderr, "mini-redis: the log ends in the middle of a command: %zu bytes cut off\n",
            loader->input.size);
    return ftruncate(loader->fd, (off_t)loader->consumed) < 0 ? -errno : 0;
}

static int sync_directory(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;
    if (fd >= 0) close(fd);
    return rc;
}

static int open_log(struct loader *loader)
{
    struct stat info;
    (void)unlink(AOF_NEW_NAME); // of a rewrite that a crash has ended
    loader->fd = open(AOF_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (loader->fd < 0 || fstat(loader->fd, &info) < 0) return -errno;
    loader->size = (uint64_t)info.st_size;
    return sync_directory(); // the file may be new, or a crash has ended a rewrite after its rename
}

int aof_load(void)
{
    struct loader loader = { .fd = -1 };
    parser_init(&loader.parser);
    int rc = open_log(&loader);
    database.is_loading = true;
    if (rc == 0) rc = load(&loader);
    database.is_loading = false;
    if (rc == 0) rc = cut_tail(&loader);
    aof.size = aof.base_size = loader.consumed;
    if (rc == 0) rc = edo_file_from_fd(loader.fd, &aof.file);
    if (rc < 0) {
        fprintf(stderr, "mini-redis: the log %s/%s cannot be loaded: %s (at byte %llu)\n",
                config.dir, AOF_NAME, edo_strerror(rc), (unsigned long long)loader.consumed);
        if (loader.fd >= 0) close(loader.fd);
    }
    aof.is_on = rc == 0;
    parser_deinit(&loader.parser);
    edo_buffer_deinit(&loader.input);
    edo_buffer_deinit(&loader.reply.bytes);
    return rc;
}
