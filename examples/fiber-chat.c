/* A chat server, for telnet or nc: chat.c in the other style. The first line of a guest is a nick
 * name. Later lines are sent to all guests of the room; /join ROOM, /nick NAME, /who and /quit are
 * commands. A reader too slow for its room is disconnected. Ctrl-C says goodbye to all.
 * Usage: fiber-chat [ADDRESS]
 *
 * All fibers run on one thread, so the rooms need no lock; a room is a broadcast. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

enum {
    NAME_SIZE = 24,
    LINE_SIZE = 400,
    MAX_ROOMS = 32,
    KEPT_LINES = 64,    // lines kept per room, for its slowest reader
    PATIENCE = 3,       // s, for the write of a line
    FAREWELL_LIMIT = 1, // s, for the last line
    SEND_BUFFER = 16384,
};

/* ---- rooms ---- */

struct event {
    char text[LINE_SIZE];
    uint64_t from; // id of the speaker's task
};

typedef edo_broadcast_sender(struct event) event_sender;
typedef edo_broadcast_receiver(struct event) event_receiver;

static struct room {
    char name[NAME_SIZE];
    event_sender in;
} rooms[MAX_ROOMS];

/* Subscribes to the room of that name, and makes it if there is none.
 * Returns: 0; -ENOSPC; -ENOMEM. */
static int enter_room(const char *name, struct room **ret_room, event_receiver *ret_events)
{
    struct room *room = rooms;
    while (room < rooms + MAX_ROOMS && room->name[0] && strcmp(room->name, name) != 0)
        room++;
    if (room == rooms + MAX_ROOMS) return -ENOSPC;
    if (room->name[0]) {
        edo_broadcast_subscribe(&room->in, ret_events);
    } else {
        int rc = edo_broadcast_create(&room->in, ret_events, KEPT_LINES);
        if (rc < 0) return rc;
        snprintf(room->name, sizeof room->name, "%s", name);
    }
    *ret_room = room;
    return 0;
}

/* ---- a guest ---- */

struct guest {
    edo_io *conn;
    char nick[NAME_SIZE];
    struct room *room; // NULL until the guest has a nick name
    event_receiver events;
};

/* Sends a line to the room. */
__attribute__((format(printf, 2, 3))) static void say(struct guest *self, const char *format, ...)
{
    struct event said = { .from = edo_task_id(edo_current_task()) };
    va_list args;
    va_start(args, format);
    vsnprintf(said.text, sizeof said.text, format, args);
    va_end(args);
    edo_broadcast_send(&self->room->in, &said);
}

/* Writes a line to the guest. Returns: < 0: the guest is to leave. */
__attribute__((format(printf, 2, 3))) static int64_t reply(struct guest *self, const char *format,
                                                           ...)
{
    char text[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return edo_wait_for(edo_s(PATIENCE), edo_write_all(self->conn, text, strlen(text)));
}

static int64_t join(struct guest *self, const char *name)
{
    struct room *room = NULL;
    event_receiver events = { NULL };
    int rc = *name ? enter_room(name, &room, &events) : -EINVAL;
    if (rc < 0) return reply(self, "* no such room: %s\n", edo_strerror(rc));
    if (self->room) say(self, "* %s has left\n", self->nick);
    edo_broadcast_receiver_close(&self->events);
    self->room = room;
    self->events = events;
    say(self, "* %s has come\n", self->nick);
    return reply(self, "* you are in %s\n", room->name);
}

static int64_t rename_guest(struct guest *self, const char *name)
{
    char before[NAME_SIZE];
    memcpy(before, self->nick, sizeof before);
    snprintf(self->nick, sizeof self->nick, "%s", *name ? name : "nobody");
    if (!self->room) return join(self, "lobby");
    say(self, "* %s is now %s\n", before, self->nick);
    return 0;
}

/* The argument if the line is that command; NULL: it is not. */
static const char *argument_of(const char *line, const char *command)
{
    size_t length = strlen(command);
    if (strncmp(line, command, length) != 0) return NULL;
    return line + length + (line[length] == ' ');
}

/* Returns: < 0: the guest is to leave. */
static int64_t handle_line(struct guest *self, const char *line)
{
    const char *argument;
    if (!self->room) return rename_guest(self, line);
    if ((argument = argument_of(line, "/join"))) return join(self, argument);
    if ((argument = argument_of(line, "/nick"))) return rename_guest(self, argument);
    if (argument_of(line, "/quit")) return -ECANCELED;
    if (argument_of(line, "/who"))
        return reply(self, "* %u here\n", edo_broadcast_receivers(&self->room->in));
    if (*line) say(self, "%s: %s\n", self->nick, line);
    return edo_wait(edo_yield()); // others read the line before the next one
}

static int64_t handle_event(struct guest *self, int64_t received, const struct event *event)
{
    if (received == EDO_LAGGED) return -ETIME;
    if (received != 1 || event->from == edo_task_id(edo_current_task())) return 0;
    return reply(self, "%s", event->text);
}

/* Waits for a line of the guest or of the room; both may have come. */
static int64_t turn(struct guest *self, edo_reader *reader)
{
    edo_slice line;
    struct event event;
    char text[LINE_SIZE];
    edo_op read = edo_read_line(reader, &line);
    edo_op receive = self->room ? edo_broadcast_recv(&self->events, &event) : edo_sleep(EDO_NEVER);
    int64_t rc = edo_wait_select_biased(&receive.base, &read.base);
    if (rc >= 0) rc = handle_event(self, receive.base.result, &event);
    int64_t n = read.base.result;
    if (rc < 0 || n == -ECANCELED || n == -EMSGSIZE) return rc; // too long a line is skipped
    if (n <= 0) return n ? n : -EPIPE;
    snprintf(text, sizeof text, "%.*s", (int)line.size, (const char *)line.data);
    return handle_line(self, text);
}

static int64_t guest(void *arg)
{
    struct guest self = { .conn = arg };
    edo_reader reader;
    char memory[LINE_SIZE / 2];
    edo_reader_init(&reader, self.conn, memory, sizeof memory);
    (void)edo_tcp_set_send_buffer(self.conn, SEND_BUFFER); // megabytes would queue up
    int64_t rc = reply(&self, "* your nick name?\n");
    while (rc >= 0)
        rc = turn(&self, &reader);
    if (self.room) say(&self, "* %s has left\n", self.nick);
    edo_broadcast_receiver_close(&self.events);
    edo_fiber_shield(); // after Ctrl-C, too
    edo_wait_within(edo_s(FAREWELL_LIMIT))
    {
        reply(&self, "* %s\n", rc == -ETIME ? "you are too slow" : "goodbye");
    }
    edo_close(self.conn);
    return rc;
}

/* ---- the server ---- */

static int64_t chat(void *arg)
{
    char address[EDO_ADDRESS_SIZE];
    edo_listener *listener;
    edo_io *conn;
    int64_t rc = edo_wait(edo_tcp_listen(arg, &listener));
    if (rc < 0) return rc;
    if (edo_listener_address(listener, address, sizeof address) >= 0)
        printf("listening on %s\n", address);
    fflush(stdout);
    edo_fiber_scope(guests, EDO_SCOPE_IGNORE);                // a guest's failure is not ours
    while ((rc = edo_wait(edo_accept(listener, &conn))) >= 0) // Ctrl-C: -ECANCELED
        if (edo_fiber_scope_spawn(&guests, NULL, guest, conn) < 0) edo_close(conn);
    edo_listener_close(listener);
    edo_scope_cancel(&guests);
    edo_fiber_shield();
    edo_wait(edo_scope_join(&guests));
    for (int i = 0; i < MAX_ROOMS; i++)
        edo_broadcast_sender_close(&rooms[i].in);
    return rc == -ECANCELED ? 0 : rc;
}

int main(int argc, char **argv)
{
    return edo_fiber_run(chat, argc > 1 ? argv[1] : "127.0.0.1:8023");
}
