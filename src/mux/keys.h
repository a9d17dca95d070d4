/* SPDX-License-Identifier: MIT */
/*
 * Entries found by a key that clients choose: at most one entry of each key.
 *
 * The keys are hashed under a secret, so nobody can choose them to collide. The table has about as many
 * buckets as entries, and becomes larger and smaller by a few buckets at a time: no call does more than
 * look through a few buckets of about one entry each, however many entries there are.
 *
 * The entry is a member of the object that is to be found; the table owns only its buckets. A zeroed entry
 * is in no table. Private to mux/.
 */
#ifndef MUX_KEYS_H
#define MUX_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "base/list.h"

enum { KEYS_SEGMENTS_MAX = 28 };

struct key_entry {
    struct list node; /* in a bucket */
    uint64_t key;
};

struct keys {
    struct list *segments[KEYS_SEGMENTS_MAX]; /* owns; heads of buckets, see keys.c */
    uint32_t buckets_count;
    uint32_t entries_count;
    struct hash_secret secret;
    uint64_t steps; /* entries looked at so far, in all calls */
};

/* False: no memory. */
bool keys_init(struct keys *keys, const struct hash_secret *secret) MUST_USE;
/* The table must be empty. */
void keys_deinit(struct keys *keys);

/* NULL: there is none. */
struct key_entry *keys_find(struct keys *keys, uint64_t key);

/* Puts the entry in, which is in no table; there must be none of this key. */
void keys_put(struct keys *keys, struct key_entry *entry, uint64_t key);

/* Takes the entry out, if it is in. */
void keys_drop(struct keys *keys, struct key_entry *entry);

/* Asserts that every entry is where it is looked for. */
void keys_check(const struct keys *keys);

#endif
