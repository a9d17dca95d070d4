/* SPDX-License-Identifier: MIT */
/*
 * Linear hashing (Litwin); see keys.h.
 *
 * With `level` the largest power of two that is not above buckets_count, an entry is looked for in bucket
 * hash % (2 * level), or, where that bucket does not exist yet, in hash % level. To grow by one bucket is
 * to split one: of bucket b, the entries whose hash has the bit `level` set move to bucket b + level. To
 * shrink is to join the last bucket to the one that it was split from.
 *
 * Buckets stand in segments that never move: the first has the buckets below FIRST_COUNT, each other as many
 * as all before it together. A segment is not initialised before its buckets come into use, so that
 * allocating even a large one takes no time. Without memory for one the table stays as it is, with longer
 * buckets.
 *
 * The table grows when it has more entries than buckets, and shrinks when it has less than a quarter as
 * many; in between nothing moves.
 */
#include "mux/keys.h"

#include <assert.h>
#include <stdlib.h>

enum {
    FIRST_BITS = 4,
    FIRST_COUNT = 1 << FIRST_BITS,
    SHRINK_MAX = 8, /* buckets that go with one entry; four keep up, since a quarter is the limit */
};

static uint32_t highest_bit(uint32_t number)
{
    return 31 - (uint32_t)__builtin_clz(number);
}

static uint32_t segment_of(uint32_t bucket)
{
    return bucket < FIRST_COUNT ? 0 : highest_bit(bucket) - FIRST_BITS + 1;
}

/* How many buckets stand in the segments before this one. */
static uint32_t segment_start(uint32_t segment)
{
    return segment == 0 ? 0 : (uint32_t)FIRST_COUNT << (segment - 1);
}

static uint32_t segment_size(uint32_t segment)
{
    return segment == 0 ? FIRST_COUNT : segment_start(segment);
}

static struct list *bucket_at(const struct keys *keys, uint32_t bucket)
{
    uint32_t segment = segment_of(bucket);
    return &keys->segments[segment][bucket - segment_start(segment)];
}

static uint32_t bucket_of(const struct keys *keys, uint64_t key)
{
    uint64_t hash = hash_number(&keys->secret, key);
    uint32_t level = 1U << highest_bit(keys->buckets_count);
    uint32_t bucket = (uint32_t)(hash & (2 * (uint64_t)level - 1));
    return bucket < keys->buckets_count ? bucket : bucket & (level - 1);
}

/* ---- life ---- */

bool keys_init(struct keys *keys, const struct hash_secret *secret)
{
    *keys = (struct keys){.secret = *secret, .buckets_count = FIRST_COUNT};
    keys->segments[0] = malloc(FIRST_COUNT * sizeof *keys->segments[0]);
    for (uint32_t bucket = 0; keys->segments[0] != NULL && bucket < FIRST_COUNT; bucket++) {
        list_init(&keys->segments[0][bucket]);
    }
    return keys->segments[0] != NULL;
}

void keys_deinit(struct keys *keys)
{
    assert(keys->entries_count == 0);
    for (uint32_t segment = 0; segment < KEYS_SEGMENTS_MAX; segment++) {
        free(keys->segments[segment]);
    }
    *keys = (struct keys){0};
}

/* ---- one bucket more, one less ---- */

/* Moves those entries of a bucket to another that now belong there. */
static void split(struct keys *keys, struct list *from, struct list *to, uint32_t to_bucket)
{
    struct list *node = list_first(from);
    while (node != NULL) {
        struct list *next = list_next(from, node);
        keys->steps++;
        if (bucket_of(keys, LIST_ENTRY(node, struct key_entry, node)->key) == to_bucket) {
            list_remove(node);
            list_push_back(to, node);
        }
        node = next;
    }
}

static void grow(struct keys *keys)
{
    uint32_t bucket = keys->buckets_count;
    uint32_t segment = segment_of(bucket);
    if (segment == KEYS_SEGMENTS_MAX) {
        return;
    }
    if (keys->segments[segment] == NULL) {
        keys->segments[segment] = malloc(segment_size(segment) * sizeof *keys->segments[segment]);
    }
    if (keys->segments[segment] == NULL) {
        return;
    }
    uint32_t level = 1U << highest_bit(bucket);
    list_init(bucket_at(keys, bucket));
    keys->buckets_count++;
    split(keys, bucket_at(keys, bucket - level), bucket_at(keys, bucket), bucket);
}

static void shrink(struct keys *keys)
{
    uint32_t bucket = --keys->buckets_count;
    uint32_t level = 1U << highest_bit(bucket);
    struct list *from = bucket_at(keys, bucket);
    struct list *to = bucket_at(keys, bucket - level);
    while (!list_is_empty(from)) {
        struct list *node = list_front(from);
        keys->steps++;
        list_remove(node);
        list_push_back(to, node);
    }
    uint32_t segment = segment_of(bucket);
    if (bucket == segment_start(segment)) {
        free(keys->segments[segment]);
        keys->segments[segment] = NULL;
    }
}

/* ---- entries ---- */

struct key_entry *keys_find(struct keys *keys, uint64_t key)
{
    struct list *bucket = bucket_at(keys, bucket_of(keys, key));
    for (struct list *node = list_first(bucket); node != NULL; node = list_next(bucket, node)) {
        struct key_entry *entry = LIST_ENTRY(node, struct key_entry, node);
        keys->steps++;
        if (entry->key == key) {
            return entry;
        }
    }
    return NULL;
}

void keys_put(struct keys *keys, struct key_entry *entry, uint64_t key)
{
    entry->key = key;
    list_push_back(bucket_at(keys, bucket_of(keys, key)), &entry->node);
    keys->entries_count++;
    if (keys->entries_count > keys->buckets_count) {
        grow(keys);
    }
}

void keys_drop(struct keys *keys, struct key_entry *entry)
{
    if (!list_is_linked(&entry->node)) {
        return;
    }
    list_remove(&entry->node);
    keys->entries_count--;
    for (int joined = 0; joined < SHRINK_MAX && keys->buckets_count > FIRST_COUNT &&
                         keys->entries_count < keys->buckets_count / 4;
         joined++) {
        shrink(keys);
    }
}

void keys_check(const struct keys *keys)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < keys->buckets_count; index++) {
        const struct list *bucket = bucket_at(keys, index);
        for (struct list *node = list_first(bucket); node != NULL; node = list_next(bucket, node)) {
            assert(bucket_of(keys, LIST_ENTRY(node, struct key_entry, node)->key) == index);
            count++;
        }
    }
    assert(count == keys->entries_count);
    assert(keys->buckets_count >= FIRST_COUNT);
}
