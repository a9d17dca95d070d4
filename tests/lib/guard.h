/* SPDX-License-Identifier: MIT */
/*
 * Bytes that end exactly at an unreadable page, so that reading one byte too many is a fault.
 *
 *     struct guard guard;
 *     guard_init(&guard, 4096);
 *     struct span bytes = guard_put(&guard, span_of("hello", 5));
 *     guard_deinit(&guard);
 *
 * Owns its pages. Trouble (no memory) ends the test program.
 */
#ifndef TESTS_LIB_GUARD_H
#define TESTS_LIB_GUARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct guard {
    uint8_t *pages;    /* owns */
    size_t pages_size; /* the unreadable page included */
    uint8_t *end;      /* where the unreadable page begins */
    size_t capacity;   /* readable bytes before it */
};

/* Makes room for at least `capacity` bytes. */
void guard_init(struct guard *guard, size_t capacity);
void guard_deinit(struct guard *guard);

/* Copies the bytes to the end and lends the copy; valid until the next call on the same guard. */
struct span guard_put(struct guard *guard, struct span bytes);

/* Lends the last `size` bytes, to be written; valid until the next call on the same guard. */
uint8_t *guard_space(struct guard *guard, size_t size);

#endif
