/* Texts and paths in memory of their own, which edo__text_free() frees. The functions that make one
 * return NULL if out of memory. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

char *edo__text_part(const char *text, size_t size); // the first `size` bytes
char *edo__text_copy(const char *text);
void edo__text_free(char *text);

/* Path of an entry in a directory; "": path of the directory itself. */
char *edo__path_join(const char *dir, const char *name);

/* Whether a path is `dir`, or lies below it. */
bool edo__is_below(const char *path, const char *dir);

/* Last part of a path. */
const char *edo__path_name(const char *path);
