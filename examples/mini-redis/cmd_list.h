/* Shared by the commands of lists. */
#pragma once

#include "call.h"

/* Pops elements into the reply; a list that is empty then is removed. */
void list_pop_to_reply(struct call *call, struct entry *entry, int64_t count, bool front);
