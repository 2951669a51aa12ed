/* A Redis server, step 3: SUBSCRIBE and PUBLISH. */
#include "redis_protocol.h"

/* region: channels */
/* A channel is a broadcast of messages. */
struct message {
    char text[MAX_WORD];
};

typedef edo_broadcast_sender(struct message) message_sender;
typedef edo_broadcast_receiver(struct message) message_receiver;

enum { MAX_CHANNELS = 16, KEPT_MESSAGES = 128 };

static struct channel {
    char name[MAX_WORD];
    message_sender sender;
} channels[MAX_CHANNELS];

/* Subscribes to a channel, and makes it if there is none. Returns: 0; -ENOSPC; -ENOMEM. */
static int subscribe(const char *name, message_receiver *ret_messages)
{
    struct channel *channel = channels;
    while (channel < channels + MAX_CHANNELS && channel->name[0] &&
           strcmp(channel->name, name) != 0)
        channel++;
    if (channel == channels + MAX_CHANNELS) return -ENOSPC;
    if (channel->name[0]) {
        edo_broadcast_subscribe(&channel->sender, ret_messages);
        return 0;
    }
    snprintf(channel->name, sizeof channel->name, "%s", name);
    return edo_broadcast_create(&channel->sender, ret_messages, KEPT_MESSAGES);
}

/* Returns: number of subscribers. */
static unsigned publish(const char *name, const char *text)
{
    struct message message;
    snprintf(message.text, sizeof message.text, "%s", text);
    for (struct channel *channel = channels; channel < channels + MAX_CHANNELS; channel++) {
        if (!channel->name[0] || strcmp(channel->name, name) != 0) continue;
        unsigned count = edo_broadcast_receivers(&channel->sender);
        edo_broadcast_send(&channel->sender, &message);
        return count;
    }
    return 0;
}
/* end: channels */

/* region: subscriber */
/* Sends the messages of a channel to a client, until the client is gone. */
struct subscriber {
    edo_frame();
    edo_args(edo_io *conn; edo_buffered *io; const char *name;);
    message_receiver messages;
    struct message message;
    edo_op next, read;
    char byte;
};

edo_async(subscriber)
{
    edo_body {
        int64_t rc;
        self->messages = (message_receiver){ NULL };
        edo_check(subscribe(self->name, &self->messages));
        edo_try_or(end, edo_printf(&self->io->out, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n",
                                   strlen(self->name), self->name));
        for (;;) {
            edo_try_or(end, edo_flush(&self->io->out));
            self->next = edo_broadcast_recv(&self->messages, &self->message);
            self->read = edo_read(self->conn, &self->byte, 1);
            edo_select_biased(rc, &self->next.base, &self->read.base);
            if (rc != 0) break; // the client has closed, or says something
            edo_check_or(end, self->next.base.result == EDO_LAGGED ? -ETIME : 0); // too slow
            edo_try_or(end, edo_printf(&self->io->out,
                                       "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                                       strlen(self->name), self->name, strlen(self->message.text),
                                       self->message.text));
        }
end:
        edo_broadcast_receiver_close(&self->messages);
        edo_return(edo_failure());
    }
}
/* end: subscriber */

/* region: connection */
struct serve {
    edo_frame(struct read_command read; struct subscriber subscriber;);
    edo_args(edo_io *conn;);
    edo_buffered io;
    struct command command;
    char memory[2048];
};

edo_async(serve)
{
    edo_body {
        int64_t n;
        edo_buffered_init(&self->io, self->conn, self->memory, sizeof self->memory);
        for (;;) {
            edo_call(n, read_command, .in = &self->io.in, .command = &self->command);
            if (n <= 0) break;
            const char *word = self->command.words[1];
            if (is(&self->command, "subscribe", 2)) {
                edo_call(n, subscriber, .conn = self->conn, .io = &self->io, .name = word);
                break;
            }
            n = is(&self->command, "publish", 3) ? (int64_t)publish(word, self->command.words[2])
                                                 : -ENOENT;
            if (n < 0)
                edo_try_or(close, edo_printf(&self->io.out, "-ERR unknown command\r\n"));
            else
                edo_try_or(close, edo_printf(&self->io.out, ":%d\r\n", (int)n));
            edo_try_or(close, edo_flush(&self->io.out));
        }
close:
        edo_writer_deinit(&self->io.out);
        edo_close(self->conn);
        edo_return(edo_failure());
    }
}
/* end: connection */

/* Two clients: one subscribes, the other publishes. */
struct demo {
    edo_frame(struct talk talk;);
    edo_args();
    edo_io *near, *far, *publisher, *other;
    edo_task *subscriber, *server;
    char reply[64];
};

edo_async(demo)
{
    static const char command[] = "*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n";
    static const struct exchange script[] = {
        { "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$5\r\nhello\r\n", 1 },
        { "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnone\r\n$5\r\nhello\r\n", 1 },
        { 0 },
    };
    static const struct exchange rest[] = { { "", 7 }, { 0 } };
    edo_body {
        int64_t rc;
        edo_check(edo_duplex(4096, &self->near, &self->far));
        edo_check(edo_spawn(&self->subscriber, serve, .conn = self->far));
        edo_try(edo_write_all(self->near, command, sizeof command - 1));
        edo_try(edo_read_exact(self->near, self->reply, 33)); // "subscribe", "news", 1
        edo_check(edo_duplex(4096, &self->publisher, &self->other));
        edo_check(edo_spawn(&self->server, serve, .conn = self->other));
        edo_call(rc, talk, .conn = self->publisher, .script = script);
        edo_await(rc, edo_join(self->server));
        edo_call(rc, talk, .conn = self->near, .script = rest);
        edo_await(rc, edo_join(self->subscriber));
        for (int i = 0; i < MAX_CHANNELS; i++)
            edo_broadcast_sender_close(&channels[i].sender);
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(demo);
}
