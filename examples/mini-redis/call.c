#include "call.h"

#include <ctype.h>
#include <stdio.h>

#include "aof.h"

void call_syntax_error(struct call *call)
{
    reply_error(call->reply, "ERR syntax error");
}

void call_wrong_type(struct call *call)
{
    reply_error(call->reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
}

void call_wrong_arity(struct call *call)
{
    reply_error(call->reply, "ERR wrong number of arguments for '%s' command", call->command->name);
}

void call_bad_subcommand(struct call *call, const char *known)
{
    char name[32] = "", upper[32] = "";
    struct span word = call->args[1];
    for (size_t i = 0; i < word.size && i < sizeof name - 2; i++)
        name[i] = (char)tolower((unsigned char)word.data[i]);
    for (size_t i = 0; call->command->name[i]; i++)
        upper[i] = (char)toupper((unsigned char)call->command->name[i]);
    const char *found = name[0] ? strstr(known, strcat(name, " ")) : NULL;
    if (found && (found == known || found[-1] == ' '))
        reply_error(call->reply, "ERR wrong number of arguments for '%s|%.*s' command",
                    call->command->name, (int)strlen(name) - 1, name);
    else
        reply_error(call->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                    (int)(word.size < 128 ? word.size : 128), word.data, upper);
}

static void write_log(struct call *call, int count, const struct span *args)
{
    if (!aof_is_on() || database.is_loading) return;
    if (call->log)
        aof_put_command(call->log, count, args);
    else
        aof_append(count, args);
}

int call_run(struct call *call)
{
    int rc = call->command->run(call);
    if (call->has_changed && !call->is_propagated) write_log(call, call->count, call->args);
    return rc;
}

void call_propagate(struct call *call, int count, const struct span *args)
{
    call->is_propagated = true;
    write_log(call, count, args);
}

void call_changed(struct call *call, struct entry *entry)
{
    call->has_changed = true;
    if (entry) key_touch(entry);
}

void call_wakes(struct call *call, struct span key)
{
    unsigned number = shard_number(hash_of(key));
    if (database.shards[number].waiting) call->woken |= UINT64_C(1) << number;
}

bool call_find(struct call *call, int index, enum type type, struct entry **ret_entry)
{
    *ret_entry = key_find(call->args[index], call->now);
    if (!*ret_entry || (*ret_entry)->type == type) return true;
    call_wrong_type(call);
    return false;
}

bool call_find_or_add(struct call *call, int index, enum type type, struct entry **ret_entry)
{
    if (!call_find(call, index, type, ret_entry)) return false;
    if (!*ret_entry) *ret_entry = key_add(call->args[index], type);
    return true;
}

bool call_int(struct call *call, int index, int64_t *ret_value)
{
    if (span_to_int(call->args[index], ret_value)) return true;
    reply_error(call->reply, "ERR value is not an integer or out of range");
    return false;
}

bool call_double(struct call *call, int index, double *ret_value)
{
    if (span_to_double(call->args[index], ret_value)) return true;
    reply_error(call->reply, "ERR value is not a valid float");
    return false;
}

bool call_expiry(struct call *call, int index, int64_t unit, bool is_relative, int64_t *ret_when)
{
    int64_t value, when;
    if (!call_int(call, index, &value)) return false;
    if (value > 0 && !__builtin_mul_overflow(value, unit, &when) &&
        !__builtin_add_overflow(when, is_relative ? call->now : 0, ret_when))
        return true;
    reply_error(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
    return false;
}

void call_range(struct call *call, int64_t start, int64_t stop, int64_t size, int64_t *ret_first,
                int64_t *ret_count)
{
    (void)call;
    if (start < 0) start = start + size < 0 ? 0 : start + size;
    if (stop < 0) stop += size;
    if (stop >= size) stop = size - 1;
    *ret_first = start;
    *ret_count = start > stop ? 0 : stop - start + 1;
}

/* ---- the table of commands ---- */

static const struct command *const groups[] = {
    string_commands, string_part_commands, key_commands,         keyspace_commands,
    list_commands,   list_move_commands,   set_commands,         hash_commands,
    zset_commands,   zset_range_commands,  stream_commands,      xread_commands,
    pubsub_commands, server_commands,      transaction_commands, client_commands,
};

struct command_node {
    struct node node;
    const struct command *command;
};

enum { MAX_COMMANDS = 256, MAX_NAME = 32 };

static struct table names;
static const struct command *all[MAX_COMMANDS];

void commands_init(void)
{
    table_init(&names, sizeof(struct command_node));
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        for (const struct command *command = groups[i]; command->name; command++) {
            struct span name = span_of(command->name);
            struct node *node = table_node_create(&names, NULL, name, hash_of(name));
            ((struct command_node *)node)->command = command;
            all[names.count] = command;
            table_insert(&names, node);
        }
}

size_t commands_count(void)
{
    return names.count;
}

const struct command *command_at(size_t index)
{
    return all[index];
}

const struct command *command_find(struct span name)
{
    char lower[MAX_NAME];
    if (name.size > MAX_NAME) return NULL;
    for (size_t i = 0; i < name.size; i++) {
        char c = name.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
    }
    struct span key = { lower, name.size };
    struct node *node = table_find(&names, key, hash_of(key));
    return node ? ((struct command_node *)node)->command : NULL;
}

static void unknown_command(const struct span *args, int count, struct reply *reply)
{
    char list[160] = "";
    size_t used = 0;
    for (int i = 1; i < count && used < 128; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "'%.*s' ",
                                 (int)(args[i].size < 128 - used ? args[i].size : 128 - used),
                                 args[i].data);
    reply_error(reply, "ERR unknown command '%.*s', with args beginning with: %s",
                (int)(args[0].size < 128 ? args[0].size : 128), args[0].data, list);
}

const struct command *command_check(const struct span *args, int count, struct reply *reply)
{
    const struct command *command = command_find(args[0]);
    if (!command) {
        unknown_command(args, count, reply);
        return NULL;
    }
    if (command->arity >= 0 ? count == command->arity : count >= -command->arity) return command;
    reply_error(reply, "ERR wrong number of arguments for '%s' command", command->name);
    return NULL;
}

/* XREAD has as many keys as ids behind the word STREAMS. */
static uint64_t shards_of_streams(const struct span *args, int count)
{
    int first = 1;
    uint64_t set = 0;
    while (first < count && !span_is(args[first], "streams"))
        first++;
    int keys = (count - first - 1) / 2;
    for (int i = 0; i < keys; i++)
        set |= shard_bit(args[first + 1 + i]);
    return set;
}

uint64_t command_shards(const struct command *command, const struct span *args, int count)
{
    if (command->flags & CMD_ALL_SHARDS) return ALL_SHARDS;
    if (command->first_key < 0) return shards_of_streams(args, count);
    if (!command->first_key) return 0;
    int last = command->last_key < 0 ? count + command->last_key : command->last_key;
    uint64_t set = 0;
    for (int i = command->first_key; i <= last && i < count; i += command->key_step)
        set |= shard_bit(args[i]);
    return set;
}
