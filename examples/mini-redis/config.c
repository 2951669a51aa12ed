#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "text.h"

struct config config = {
    .bind = "127.0.0.1",
    .unixsocket = "",
    .dir = ".",
    .port = 6379,
    .workers = 2,
    .maxclients = 10000,
    .write_timeout = 30,
    .output_limit = 8 * 1024 * 1024,
    .least_rewrite = 64 * 1024 * 1024,
    .appendfsync = FSYNC_EVERYSEC,
};

enum kind { NUMBER, STRING, SWITCH, FSYNC, FIXED };

static const char *const fsync_names[] = { "no", "everysec", "always" };

/* FIXED: an option of Redis that clients ask for; its value never changes. */
static const struct option {
    const char *name;
    enum kind kind;
    bool is_live; // CONFIG SET may change it
    void *value;
    int64_t least, most;
} options[] = {
    { "port", NUMBER, false, &config.port, 0, 65535 },
    { "bind", STRING, false, &config.bind, 0, 0 },
    { "unixsocket", STRING, false, &config.unixsocket, 0, 0 },
    { "dir", STRING, false, &config.dir, 0, 0 },
    { "workers", NUMBER, false, &config.workers, 1, 1000 },
    { "maxclients", NUMBER, false, &config.maxclients, 1, 1000000 },
    { "appendonly", SWITCH, false, &config.appendonly, 0, 0 },
    { "appendfsync", FSYNC, true, &config.appendfsync, 0, 0 },
    { "timeout", NUMBER, true, &config.timeout, 0, INT_MAX },
    { "write-timeout", NUMBER, true, &config.write_timeout, 1, INT_MAX },
    { "output-limit", NUMBER, true, &config.output_limit, 1024, INT_MAX },
    { "auto-aof-rewrite-min-size", NUMBER, true, &config.least_rewrite, 0, INT64_MAX },
    { "save", FIXED, true, (char *)(uintptr_t) "", 0, 0 },
    { "databases", FIXED, false, (char *)(uintptr_t) "1", 0, 0 },
    { "maxmemory", FIXED, false, (char *)(uintptr_t) "0", 0, 0 },
    { "maxmemory-policy", FIXED, false, (char *)(uintptr_t) "noeviction", 0, 0 },
    { "proto-max-bulk-len", FIXED, false, (char *)(uintptr_t) "536870912", 0, 0 },
};

int config_count(void)
{
    return sizeof options / sizeof *options;
}

const char *config_name(int index)
{
    return options[index].name;
}

const char *fsync_name(int64_t policy)
{
    return fsync_names[policy];
}

static int64_t load(const struct option *option)
{
    return __atomic_load_n((int64_t *)option->value, __ATOMIC_RELAXED);
}

const char *config_value(int index, char buffer[32])
{
    const struct option *option = &options[index];
    switch (option->kind) {
    case STRING: return *(const char **)option->value;
    case FIXED: return option->value;
    case SWITCH: return *(bool *)option->value ? "yes" : "no";
    case FSYNC: return fsync_names[load(option)];
    case NUMBER: break;
    }
    snprintf(buffer, 32, "%lld", (long long)load(option));
    return buffer;
}

static int set(const struct option *option, const char *value)
{
    int64_t number = -1;
    switch (option->kind) {
    case STRING: *(const char **)option->value = value; return 0;
    case FIXED: return 0;
    case SWITCH:
        *(bool *)option->value = strcasecmp(value, "yes") == 0;
        return strcasecmp(value, "yes") == 0 || strcasecmp(value, "no") == 0 ? 0 : -EINVAL;
    case FSYNC:
        for (int i = 0; i < 3; i++)
            if (strcasecmp(value, fsync_names[i]) == 0) number = i;
        if (number < 0) return -EDOM;
        break;
    case NUMBER:
        if (!span_to_int(span_of(value), &number)) return -EINVAL;
        if (number < option->least || number > option->most) return -ERANGE;
        break;
    }
    __atomic_store_n((int64_t *)option->value, number, __ATOMIC_RELAXED);
    return 0;
}

static const struct option *find(const char *name)
{
    for (int i = 0; i < config_count(); i++)
        if (strcasecmp(name, options[i].name) == 0) return &options[i];
    return NULL;
}

int config_set(const char *name, const char *value)
{
    const struct option *option = find(name);
    if (!option) return -ENOENT;
    return option->is_live ? set(option, value) : -EPERM;
}

bool config_read(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const struct option *option = strncmp(argv[i], "--", 2) == 0 ? find(argv[i] + 2) : NULL;
        if (option && i + 1 < argc && set(option, argv[i + 1]) == 0) continue;
        fprintf(stderr, "mini-redis: bad option or value: %s %s\noptions:", argv[i],
                i + 1 < argc ? argv[i + 1] : "");
        for (int k = 0; k < config_count(); k++)
            if (options[k].kind != FIXED) fprintf(stderr, " --%s", options[k].name);
        fputc('\n', stderr);
        return false;
    }
    return true;
}
