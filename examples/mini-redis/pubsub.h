/* Channels, patterns, and MONITOR. A message is put into the mailbox of each subscriber. */
#pragma once

#include "call.h"

struct client;

/* Subscribes or unsubscribes. Returns: whether something has changed. Thread: the client's task. */
bool pubsub_subscribe(struct client *client, struct span name, bool is_pattern);
bool pubsub_unsubscribe(struct client *client, struct span name, bool is_pattern);
void pubsub_forget(struct client *client); // all subscriptions, and MONITOR

/* Returns: number of clients that get the message. */
int64_t pubsub_publish(struct span channel, struct span message);

/* Calls visit for each channel with subscribers, or pattern, and their number. */
void pubsub_each(bool patterns, void (*visit)(void *context, struct span name, size_t count),
                 void *context);
size_t pubsub_count(struct span channel);

void monitor_add(struct client *client);
bool monitor_is_on(void);
void monitor_show(const struct client *client, const struct span *args, int count);
