#include "list.h"

enum { LEAST_CAPACITY = 4 };

static void resize(struct list *list, size_t capacity)
{
    text *ring = must_alloc(capacity * sizeof *ring);
    for (size_t i = 0; i < list->count; i++)
        ring[i] = *list_at(list, i);
    free(list->ring);
    list->ring = ring;
    list->first = 0;
    list->capacity = capacity;
}

void list_push(struct list *list, struct span value, bool front)
{
    if (list->count == list->capacity)
        resize(list, list->capacity ? 2 * list->capacity : LEAST_CAPACITY);
    if (front) list->first = (list->first - 1) & (list->capacity - 1);
    list->count++;
    *list_at(list, front ? 0 : list->count - 1) = text_of(value);
}

text list_pop(struct list *list, bool front)
{
    text value = *list_at(list, front ? 0 : list->count - 1);
    list->count--;
    if (front) list->first = (list->first + 1) & (list->capacity - 1);
    if (list->capacity > LEAST_CAPACITY && list->count < list->capacity / 8)
        resize(list, list->capacity / 2);
    return value;
}

static void drop(struct list *list, size_t count, bool front)
{
    for (; count; count--) {
        text value = list_pop(list, front);
        text_deinit(&value);
    }
}

void list_trim(struct list *list, size_t front, size_t back)
{
    drop(list, front, true);
    drop(list, back, false);
}

void list_remove(struct list *list, size_t index)
{
    text_deinit(list_at(list, index));
    for (size_t i = index; i + 1 < list->count; i++)
        *list_at(list, i) = *list_at(list, i + 1);
    list->count--;
}

void list_insert(struct list *list, size_t index, struct span value)
{
    list_push(list, value, false);
    text added = *list_at(list, list->count - 1);
    for (size_t i = list->count - 1; i > index; i--)
        *list_at(list, i) = *list_at(list, i - 1);
    *list_at(list, index) = added;
}

void list_deinit(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        text_deinit(list_at(list, i));
    free(list->ring);
    *list = (struct list){ NULL, 0, 0, 0 };
}
