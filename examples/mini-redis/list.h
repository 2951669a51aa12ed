/* Lists: a ring of texts that grows and shrinks. Both ends and any index take constant time. */
#pragma once

#include "text.h"

struct list {
    text *ring;
    size_t first, count, capacity; // capacity: a power of 2
};

static inline text *list_at(const struct list *list, size_t index)
{
    return &list->ring[(list->first + index) & (list->capacity - 1)];
}

void list_push(struct list *list, struct span value, bool front);
text list_pop(struct list *list, bool front); // of a list that is not empty; the caller's
void list_trim(struct list *list, size_t front, size_t back); // drops elements at the ends
void list_remove(struct list *list, size_t index);
void list_insert(struct list *list, size_t index, struct span value);
void list_deinit(struct list *list);
