/* A chat server, for telnet or nc. The first line of a guest is a nick name. Later lines are
 * sent to all guests of the room; /join ROOM, /nick NAME, /who and /quit are commands. A reader
 * too slow for its room is disconnected. Ctrl-C says goodbye to all. Usage: chat [ADDRESS]
 *
 * All tasks run on one thread, so the rooms need no lock; a room is a broadcast. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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

static void close_rooms(void)
{
    for (int i = 0; i < MAX_ROOMS; i++)
        edo_broadcast_sender_close(&rooms[i].in);
}

/* ---- a guest ---- */

struct guest {
    edo_frame();
    edo_args(edo_io *conn;);
    char nick[NAME_SIZE];
    struct room *room;
    event_receiver events;
    struct event event, said;
    edo_op read, receive;
    char input[LINE_SIZE / 2]; // lines not handled yet
    size_t length;
    char output[LINE_SIZE];
    bool leaves;
};

__attribute__((format(printf, 2, 3))) static void say(struct guest *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->said.text, sizeof self->said.text, format, args);
    va_end(args);
    self->said.from = edo_task_id(edo_current_task());
    edo_broadcast_send(&self->room->in, &self->said);
}

__attribute__((format(printf, 2, 3))) static void reply(struct guest *self, const char *format, ...)
{
    va_list args;
    size_t length = strlen(self->output);
    va_start(args, format);
    vsnprintf(self->output + length, sizeof self->output - length, format, args);
    va_end(args);
}

static void join(struct guest *self, const char *name)
{
    struct room *room = NULL;
    event_receiver events = { NULL };
    int rc = *name ? enter_room(name, &room, &events) : -EINVAL;
    if (rc < 0) {
        reply(self, "* no such room: %s\n", edo_strerror(rc));
        return;
    }
    if (self->room) say(self, "* %s has left\n", self->nick);
    edo_broadcast_receiver_close(&self->events);
    self->room = room;
    self->events = events;
    say(self, "* %s has come\n", self->nick);
    reply(self, "* you are in %s\n", room->name);
}

static void rename_guest(struct guest *self, const char *name)
{
    char before[NAME_SIZE];
    memcpy(before, self->nick, sizeof before);
    snprintf(self->nick, sizeof self->nick, "%s", *name ? name : "nobody");
    if (self->room)
        say(self, "* %s is now %s\n", before, self->nick);
    else
        join(self, "lobby");
}

/* The argument if the line is that command; NULL: it is not. */
static const char *argument_of(const char *line, const char *command)
{
    size_t length = strlen(command);
    if (strncmp(line, command, length) != 0) return NULL;
    return line + length + (line[length] == ' ');
}

static void handle_line(struct guest *self, const char *line)
{
    const char *argument;
    if (!self->room)
        rename_guest(self, line);
    else if ((argument = argument_of(line, "/join")))
        join(self, argument);
    else if ((argument = argument_of(line, "/nick")))
        rename_guest(self, argument);
    else if (argument_of(line, "/who"))
        reply(self, "* %u here\n", edo_broadcast_receivers(&self->room->in));
    else if (argument_of(line, "/quit"))
        self->leaves = true;
    else if (*line)
        say(self, "%s: %s\n", self->nick, line);
}

/* Takes one line out of the input, and handles it. Returns: whether there was one. */
static bool take_line(struct guest *self)
{
    char *end = memchr(self->input, '\n', self->length);
    bool is_full = self->length == sizeof self->input;
    if (!end && !is_full) return false;
    if (!end) end = self->input + self->length - 1; // an overlong line is cut
    size_t used = (size_t)(end - self->input) + 1;
    *end = '\0';
    if (end > self->input && end[-1] == '\r') end[-1] = '\0';
    handle_line(self, self->input);
    self->length -= used;
    memmove(self->input, self->input + used, self->length);
    return true;
}

/* Handles the result of a receive. Returns: 1: continue; else the reason for the guest's end. */
static int take_event(struct guest *self, int64_t received)
{
    if (received == EDO_LAGGED) return -ETIME;
    if (received == 1 && self->event.from != edo_task_id(edo_current_task()))
        reply(self, "%s", self->event.text);
    return 1;
}

/* Writes the next line of the room, if there is one. Returns: as take_event(); 0: there is none. */
static int next_event(struct guest *self)
{
    if (!self->room) return 0;
    int64_t received = edo_broadcast_try_recv(&self->events, &self->event);
    return received == -EAGAIN ? 0 : take_event(self, received);
}

/* Handles a line from the peer, or from the room, or both. Returns: >= 0; else the reason for
 * the guest's end. */
static int take_results(struct guest *self)
{
    int64_t read = self->read.base.result;
    if (read != -ECANCELED && read <= 0) return read ? (int)read : -EPIPE;
    if (read > 0) self->length += (size_t)read;
    return take_event(self, self->receive.base.result);
}

static void begin(struct guest *self)
{
    self->room = NULL;
    self->events = (event_receiver){ NULL };
    self->length = 0;
    self->leaves = false;
    snprintf(self->output, sizeof self->output, "* your nick name?\n");
    (void)edo_tcp_set_send_buffer(self->conn,
                                  SEND_BUFFER); // else megabytes queue up for a slow reader
}

/* The awaited operations: without a room, only the read from the peer. */
static void listen_to_both(struct guest *self)
{
    size_t room = sizeof self->input - self->length;
    self->read = edo_read(self->conn, self->input + self->length, room);
    self->receive = self->room ? edo_broadcast_recv(&self->events, &self->event)
                               : edo_sleep(EDO_NEVER);
}

edo_async(guest)
{
    edo_body {
        int64_t rc;
        begin(self);
        while (!self->leaves) {
            if (self->output[0]) {
                edo_await_for(rc, edo_s(PATIENCE),
                              edo_write_all(self->conn, self->output, strlen(self->output)));
                self->output[0] = '\0';
                edo_check_or(leave, rc);
            } else if ((rc = next_event(self))) { // before its own lines, to keep up with the room
                edo_check_or(leave, rc);
            } else if (take_line(self)) {
                edo_await_void(edo_yield()); // others read the line before the next one
            } else {
                listen_to_both(self);
                edo_select(rc, &self->read.base, &self->receive.base); // both may have a result
                edo_check_or(leave, rc);
                edo_check_or(leave, take_results(self));
            }
        }
leave:
        if (self->room) say(self, "* %s has left\n", self->nick);
        edo_broadcast_receiver_close(&self->events);
        edo_shield(); // after Ctrl-C, too
        snprintf(self->output, sizeof self->output, "* %s\n",
                 edo_failure() == -ETIME ? "you are too slow" : "goodbye");
        edo_await_for(rc, edo_s(FAREWELL_LIMIT),
                      edo_write_all(self->conn, self->output, strlen(self->output)));
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}

/* ---- the server ---- */

struct chat {
    edo_frame();
    edo_args(const char *address;);
    edo_listener *listener;
    edo_io *conn;
    edo_scope guests;
};

static void announce(const edo_listener *listener)
{
    char address[64];
    if (edo_listener_address(listener, address, sizeof address) >= 0)
        printf("listening on %s\n", address);
    fflush(stdout);
}

edo_async(chat)
{
    edo_body {
        int rc;
        edo_try(edo_tcp_listen(self->address, &self->listener));
        announce(self->listener);
        edo_scope_open(&self->guests, EDO_SCOPE_IGNORE); // a guest's failure is not ours
        for (;;) {
            edo_try_or(end, edo_accept(self->listener, &self->conn)); // Ctrl-C: -ECANCELED
            rc = edo_scope_spawn(&self->guests, guest, .conn = self->conn);
            if (rc < 0) edo_close(self->conn);
        }
end:
        edo_listener_close(self->listener);
        edo_scope_cancel(&self->guests);
        edo_shield();
        edo_await_void(edo_scope_join(&self->guests));
        close_rooms();
        edo_return(edo_failure() == -ECANCELED ? 0 : edo_failure());
    }
}

int main(int argc, char **argv)
{
    return edo_run(chat, .address = argc > 1 ? argv[1] : "127.0.0.1:8023");
}
