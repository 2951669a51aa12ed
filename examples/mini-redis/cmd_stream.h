/* Shared by the commands of streams. */
#pragma once

#include "call.h"

void stream_invalid_id(struct call *call); // writes the error
void stream_reply_entry(struct call *call, const struct stream_entry *entry);
