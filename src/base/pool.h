/* SPDX-License-Identifier: MIT */
/*
 * A pool of objects of one size.
 *
 * Memory comes in slabs as it is needed and goes back when a slab has become empty, one empty slab
 * being kept: taking and giving an object allocates nothing in the steady state, and a burst does
 * not stay. Several pools may share the slabs that none of them needs (slabs.h). A pool of structs
 * zeroes an object when it is taken and fills it with a pattern when it is given back; a pool of raw
 * blocks does neither.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/slabs.h"

struct pool {
    struct list free_slabs; /* slabs with at least one free object */
    struct list full_slabs;
    struct slabs *slabs; /* borrows for its life; NULL: the system */
    size_t object_size;
    uint32_t slab_objects; /* objects in a slab */
    uint32_t empty_slabs;  /* slabs without an object in use */
    size_t count;          /* objects in use */
    bool raw;              /* blocks of bytes, not structs */
};

/* Slabs come from `slabs` and go back there; NULL: they are allocated and freed at once. */
void pool_init(struct pool *pool, size_t object_size, struct slabs *slabs);
void pool_init_raw(struct pool *pool, size_t block_size, struct slabs *slabs);

/* Gives all slabs back; every object must have been. */
void pool_deinit(struct pool *pool);

/* An object (zeroed unless raw), or NULL when there is no memory. */
void *pool_take(struct pool *pool);

void pool_give(struct pool *pool, void *object);

#endif
