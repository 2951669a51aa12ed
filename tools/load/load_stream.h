/*
 * The bytes that a connection sends: a function of (key, offset) alone, so that neither side stores
 * them and any part can be made or checked by itself. A changed byte never fits at its offset.
 * Bytes lost, doubled, swapped or delivered to another connection (which has another key) fit with
 * a chance of 1/256 each, so a run of them is missed practically never.
 */
#ifndef LOAD_STREAM_H
#define LOAD_STREAM_H

#include <stddef.h>
#include <stdint.h>

/* The key of a connection's stream. */
uint64_t load_stream_key(uint64_t seed, uint64_t connection);

/* The one byte at offset. */
unsigned char load_stream_byte(uint64_t key, uint64_t offset);

/* Writes the size bytes that begin at offset. */
void load_stream_fill(uint64_t key, uint64_t offset, unsigned char *to, size_t size);

/* Compares the size bytes that should begin at offset. Returns the index of the first that
 * differs, or size. */
size_t load_stream_check(uint64_t key, uint64_t offset, const unsigned char *from, size_t size);

/* The next number of a small generator whose whole state is *state. */
uint64_t load_random_next(uint64_t *state);

#endif
