/* SPDX-License-Identifier: MIT */
/* A binary heap of deadlines; see heap.h. The time is kept beside the pointer, so that sifting
 * reads one array and touches an object only to tell it its new place. */
#include "base/heap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

enum { HEAP_PLACE_MAX = (1 << 29) - 1 };

static void place(struct heap *heap, uint32_t index, struct heap_entry entry)
{
    heap->entries[index] = entry;
    entry.item->place = index & HEAP_PLACE_MAX;
}

static void sift_up(struct heap *heap, uint32_t index, struct heap_entry entry)
{
    while (index > 1 && entry.at < heap->entries[index / 2].at) {
        place(heap, index, heap->entries[index / 2]);
        index /= 2;
    }
    place(heap, index, entry);
}

static void sift_down(struct heap *heap, uint32_t index, struct heap_entry entry)
{
    for (uint32_t child = 2 * index; child <= heap->count; child = 2 * index) {
        if (child < heap->count && heap->entries[child + 1].at < heap->entries[child].at) {
            child++;
        }
        if (entry.at <= heap->entries[child].at) {
            break;
        }
        place(heap, index, heap->entries[child]);
        index = child;
    }
    place(heap, index, entry);
}

void heap_deinit(struct heap *heap)
{
    free(heap->entries);
    *heap = (struct heap){0};
}

bool heap_reserve(struct heap *heap, uint32_t count)
{
    if (count < heap->capacity) {
        return true;
    }
    uint32_t capacity = heap->capacity < 16 ? 16 : heap->capacity;
    assert(count < HEAP_PLACE_MAX / 2);
    while (capacity <= count) {
        capacity += capacity / 2;
    }
    /* Only what is used is copied, so that room which is never used costs no memory. */
    struct heap_entry *entries = malloc(capacity * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    if (heap->count > 0) {
        memcpy(entries, heap->entries, (heap->count + (size_t)1) * sizeof *entries);
    }
    free(heap->entries);
    heap->entries = entries;
    heap->capacity = capacity;
    return true;
}

void heap_set(struct heap *heap, struct heap_item *item, uint64_t at)
{
    struct heap_entry entry = {.at = at, .item = item};
    if (item->place == 0) {
        assert(heap->count + 1 < heap->capacity);
        sift_up(heap, ++heap->count, entry);
    } else if (at < heap->entries[item->place].at) {
        sift_up(heap, item->place, entry);
    } else {
        sift_down(heap, item->place, entry);
    }
}

void heap_remove(struct heap *heap, struct heap_item *item)
{
    uint32_t index = item->place;
    if (index == 0) {
        return;
    }
    item->place = 0;
    struct heap_entry last = heap->entries[heap->count--];
    if (last.item == item) {
        return;
    }
    if (index > 1 && last.at < heap->entries[index / 2].at) {
        sift_up(heap, index, last);
    } else {
        sift_down(heap, index, last);
    }
}

struct heap_item *heap_first(const struct heap *heap)
{
    return heap->count == 0 ? NULL : heap->entries[1].item;
}

uint64_t heap_first_at(const struct heap *heap)
{
    return heap->count == 0 ? TIME_NEVER : heap->entries[1].at;
}

uint64_t heap_at(const struct heap *heap, const struct heap_item *item)
{
    return item->place == 0 ? TIME_NEVER : heap->entries[item->place].at;
}

void heap_check(const struct heap *heap)
{
    assert(heap->count == 0 || heap->count < heap->capacity);
    for (uint32_t index = 1; index <= heap->count; index++) {
        assert(heap->entries[index].item->place == index);
        assert(index == 1 || heap->entries[index / 2].at <= heap->entries[index].at);
    }
}
