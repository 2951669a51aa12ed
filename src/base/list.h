/* Intrusive circular lists. A node belongs to one list at a time. The lock or the thread that
 * guards a list also guards the links of its nodes. Links are written atomically, because other
 * threads may read a link without the guard in order to prefetch a neighbour. */
#pragma once

#include "base/atomic.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct edo__node {
    struct edo__node *next, *prev;
} edo__node;

#define edo__container(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void edo__list_init(edo__node *list)
{
    list->next = list->prev = list;
}

static inline bool edo__list_is_empty(const edo__node *list)
{
    return list->next == list;
}

static inline void edo__list_push(edo__node *list, edo__node *node) // adds at the end
{
    edo_store_figure(&node->next, list);
    edo_store_figure(&node->prev, list->prev);
    edo_store_figure(&list->prev->next, node);
    edo_store_figure(&list->prev, node);
}

static inline void edo__list_remove(edo__node *node)
{
    edo_store_figure(&node->prev->next, node->next);
    edo_store_figure(&node->next->prev, node->prev);
#ifndef NDEBUG
    edo_store_figure(&node->next, NULL); // so that a second removal crashes
    edo_store_figure(&node->prev, NULL);
#endif
}

#define edo__list_each(list, node)                                                                 \
    for (edo__node *node = (list)->next; node != (list); node = node->next)
