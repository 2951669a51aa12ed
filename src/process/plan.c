/* Plans of children: environment, search path, descriptors. One block of memory holds all arrays of
 * a plan. Strings of the command and of the environment are not copied. */
#include "process/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "sys/sys.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const char *program_of(const edo_command *command)
{
    if (command->program) return command->program;
    return command->argv ? command->argv[0] : NULL;
}

static size_t count_of(const char *const *strings)
{
    size_t count = 0;
    while (strings && strings[count])
        count++;
    return count;
}

/* ---- environment ---- */

/* Returns: length of the name in "NAME=value" or "NAME". */
static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static bool has_name(const char *entry, const char *name, size_t length)
{
    return strncmp(entry, name, length) == 0 && (entry[length] == '=' || entry[length] == '\0');
}

/* Whether one of the changes has the same name as an entry. */
static bool is_changed(const char *entry, const char *const *changes)
{
    size_t length = name_length(entry);
    for (; changes && *changes; changes++)
        if (name_length(*changes) == length && has_name(*changes, entry, length)) return true;
    return false;
}

/* Builds the environment. If several changes have the same name, only the last change is used. */
static void fill_environment(const char **to, const edo_command *command)
{
    const char *const *base = (const char *const *)edo__sys_environment();
    bool is_clear = command->options & EDO_COMMAND_CLEAR_ENV;
    for (; !is_clear && *base; base++)
        if (!is_changed(*base, command->env)) *to++ = *base;
    for (const char *const *change = command->env; change && *change; change++)
        if (strchr(*change, '=') && !is_changed(*change, change + 1)) *to++ = *change;
    *to = NULL;
}

/* ---- search path ---- */

static const char *search_path(char *const *environment)
{
    for (; *environment; environment++)
        if (has_name(*environment, "PATH", 4)) return *environment + 5;
    return DEFAULT_PATH;
}

static bool is_searched(const edo_command *command)
{
    return !(command->options & EDO_COMMAND_NO_SEARCH) && !strchr(program_of(command), '/');
}

static size_t count_folders(const char *path)
{
    size_t count = 1;
    for (; *path; path++)
        count += *path == ':';
    return count;
}

/* Makes the paths of the program in all folders of the search path. An empty folder stands for the
 * child's working directory. */
static void fill_paths(const char **paths, char *text, const char *path, const char *program)
{
    for (;; path++) {
        size_t length = strcspn(path, ":");
        *paths++ = text;
        memcpy(text, path, length);
        text += length;
        if (length) *text++ = '/';
        text = stpcpy(text, program) + 1;
        path += length;
        if (!*path) break;
    }
    *paths = NULL;
}

/* ---- memory ---- */

typedef struct sizes {
    size_t environment, argv, paths, text, moves; // bytes
} sizes;

/* Greatest length in bytes, and greatest number of folders, of all search paths that the child may
 * have. */
typedef struct extent {
    size_t length, folders;
} extent;

static void include(extent *e, const char *path)
{
    if (strlen(path) > e->length) e->length = strlen(path);
    if (count_folders(path) > e->folders) e->folders = count_folders(path);
}

static extent greatest_path(const edo_command *command)
{
    extent e = { 0, 0 };
    const char *const *lists[] = { (const char *const *)edo__sys_environment(), command->env };
    include(&e, DEFAULT_PATH);
    for (size_t i = 0; i < 2; i++)
        for (const char *const *entry = lists[i]; entry && *entry; entry++)
            if (has_name(*entry, "PATH", 4)) include(&e, *entry);
    return e;
}

static sizes sizes_of(const edo_command *command)
{
    size_t base = count_of((const char *const *)edo__sys_environment());
    size_t program = strlen(program_of(command));
    extent e = is_searched(command) ? greatest_path(command) : (extent){ 0, 1 };
    return (sizes){
        .environment = (base + count_of(command->env) + 1) * sizeof(char *),
        .argv = 2 * sizeof(char *),
        .paths = (e.folders + 1) * sizeof(char *),
        .moves = (3 + command->fd_count) * sizeof(edo__fd_move),
        .text = e.length + e.folders * (program + 2),
    };
}

static int allocate(edo__plan *plan, const edo_command *command)
{
    sizes s = sizes_of(command);
    plan->size = s.environment + s.argv + s.paths + s.moves + s.text;
    char *at = plan->memory = edo__alloc(plan->size);
    if (!at) return -ENOMEM;
    const char **environment = (const char **)(void *)at, **argv, **paths;
    fill_environment(environment, command);
    argv = (const char **)(void *)(at += s.environment);
    argv[0] = program_of(command);
    argv[1] = NULL;
    paths = (const char **)(void *)(at += s.argv);
    paths[0] = program_of(command);
    paths[1] = NULL;
    plan->spawn.envp = (char *const *)(void *)environment;
    plan->spawn.argv = (char *const *)(command->argv ? command->argv : argv);
    plan->spawn.paths = paths;
    plan->spawn.moves = (edo__fd_move *)(void *)(at += s.paths);
    if (is_searched(command))
        fill_paths(paths, at + s.moves, search_path(plan->spawn.envp), program_of(command));
    return 0;
}

/* ---- descriptors ---- */

static int open_pipe(edo__plan *plan, int which)
{
    edo_fd fds[2];
    int ours = which == 0 ? 1 : 0, rc = edo__sys_child_pipe(ours, fds);
    if (rc < 0) return rc;
    plan->ours[which] = fds[ours];
    plan->theirs[which] = fds[1 - ours];
    return fds[1 - ours];
}

static int open_file(edo__plan *plan, int which, const char *path, edo_stdio_kind kind)
{
    edo_fd fd = edo__sys_open_stdio(path, kind, which != 0);
    if (fd >= 0) plan->theirs[which] = fd;
    return fd;
}

/* Finds the source of a standard descriptor, and opens the source if necessary. */
static edo_fd open_source(edo__plan *plan, int which, const edo_stdio *stdio)
{
    switch (stdio->kind) {
    case EDO_STDIO_INHERIT:
        if (edo__sys_fd_is_open(which)) return which;
        return open_file(plan, which, NULL, EDO_STDIO_NULL);
    case EDO_STDIO_NULL: return open_file(plan, which, NULL, EDO_STDIO_NULL);
    case EDO_STDIO_PIPE: return open_pipe(plan, which);
    case EDO_STDIO_FD: return stdio->fd >= 0 ? stdio->fd : -EBADF;
    case EDO_STDIO_FILE:
    case EDO_STDIO_APPEND:
        return stdio->path ? open_file(plan, which, stdio->path, stdio->kind) : -EINVAL;
    case EDO_STDIO_OUT: return which == 2 ? plan->spawn.moves[1].source : -EINVAL;
    }
    return -EINVAL;
}

static int compare(const void *a, const void *b)
{
    const edo__fd_move *first = a, *second = b;
    return (first->target > second->target) - (first->target < second->target);
}

static int fill_moves(edo__plan *plan, const edo_command *command)
{
    edo__fd_move *moves = plan->spawn.moves;
    const edo_stdio *stdio[] = { &command->in, &command->out, &command->err };
    for (int i = 0; i < 3; i++) {
        edo_fd source = open_source(plan, i, stdio[i]);
        if (source < 0) return source;
        moves[i] = (edo__fd_move){ .source = source, .target = i };
    }
    for (uint32_t i = 0; i < command->fd_count; i++)
        moves[3 + i] = (edo__fd_move){ command->fds[i].source, command->fds[i].target, -1 };
    plan->spawn.move_count = 3 + command->fd_count;
    qsort(moves, plan->spawn.move_count, sizeof *moves, compare);
    return 0;
}

/* ---- plans ---- */

static int check(const edo_command *command)
{
    const char *program = program_of(command);
    if (!program || (command->fd_count && !command->fds)) return -EINVAL;
    if (command->limit_count && !command->limits) return -EINVAL;
    if (!*program) return -ENOENT;
    if ((command->options & EDO_COMMAND_CGROUP) && command->cgroup < 0) return -EBADF;
    for (uint32_t i = 0; i < command->fd_count; i++) {
        if (command->fds[i].target < 3 || command->fds[i].source < 0) return -EINVAL;
        for (uint32_t j = 0; j < i; j++)
            if (command->fds[i].target == command->fds[j].target) return -EINVAL;
    }
    return 0;
}

int edo__plan_init(edo__plan *plan, const edo_command *command, edo_spawn_step *ret_step)
{
    *plan = (edo__plan){ .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 } };
    *ret_step = EDO_STEP_COMMAND;
    int rc = check(command);
    if (rc == 0) rc = allocate(plan, command);
    if (rc < 0) return rc;
    *ret_step = EDO_STEP_STDIO;
    plan->spawn.command = command;
    if (command->options & EDO_COMMAND_KEEP_SIGNALS) plan->spawn.mask = command->mask;
    rc = fill_moves(plan, command);
    if (rc < 0) edo__plan_deinit(plan);
    return rc;
}

void edo__plan_deinit(edo__plan *plan)
{
    for (int i = 0; i < 3; i++) {
        edo__sys_close(plan->ours[i]);
        edo__sys_close(plan->theirs[i]);
    }
    edo__free(plan->memory, plan->size);
}
