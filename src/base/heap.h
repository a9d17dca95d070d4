/* SPDX-License-Identifier: MIT */
/*
 * A heap of deadlines: the earliest is at the top.
 *
 * The item is a member of the object that waits; it remembers its place, so that it can be moved
 * and removed in O(log n). A zeroed item is in no heap. The heap owns its array of places; room for
 * an item is made by heap_reserve, so that arming a deadline never fails.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct heap_item {
    uint32_t place : 29; /* index in the heap, from 1; 0: in no heap */
    uint32_t tag : 3;    /* the owner's: what sort of object this is in */
};

struct heap_entry {
    uint64_t at; /* nanoseconds */
    struct heap_item *item;
};

struct heap {
    struct heap_entry *entries; /* owns; entries[0] is not used */
    uint32_t count;
    uint32_t capacity;
};

void heap_deinit(struct heap *heap);

/* Makes room for `count` items in all. False: no memory; the heap is as it was. */
bool heap_reserve(struct heap *heap, uint32_t count) MUST_USE;

/* Puts the item in at `at`, or moves it there. There must be room. */
void heap_set(struct heap *heap, struct heap_item *item, uint64_t at);

/* Takes the item out, if it is in. */
void heap_remove(struct heap *heap, struct heap_item *item);

/* The earliest item, or NULL when the heap is empty. */
struct heap_item *heap_first(const struct heap *heap);

/* The time of the earliest item, TIME_NEVER when the heap is empty. */
uint64_t heap_first_at(const struct heap *heap);

/* The time of an item, TIME_NEVER when it is in no heap. */
uint64_t heap_at(const struct heap *heap, const struct heap_item *item);

/* Asserts the order of all entries and the places of all items. */
void heap_check(const struct heap *heap);

#endif
