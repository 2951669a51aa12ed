/* Intrusive circular lists. A node belongs to one list at a time, and whoever owns the list (its
 * lock or its thread) owns the links of its nodes. */
#pragma once

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

static inline void edo__list_push(edo__node *list, edo__node *node) // at the end
{
    node->next = list;
    node->prev = list->prev;
    list->prev->next = node;
    list->prev = node;
}

static inline void edo__list_remove(edo__node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
#ifndef NDEBUG
    node->next = node->prev = NULL; // a second removal crashes here
#endif
}

#define edo__list_each(list, node)                                                                 \
    for (edo__node *node = (list)->next; node != (list); node = node->next)
