/* SPDX-License-Identifier: MIT */
/*
 * A pool of objects of one size; see pool.h.
 *
 * A slab is one aligned block, so that masking an object's address finds its slab's head:
 *
 *     [ head | object | object | ... | never used yet ]
 *
 * Free objects are chained through their first word. What was never used is not touched, so a slab costs
 * only the pages that it needs.
 */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FREED_PATTERN = 0xDB };

struct slab {
    struct list node;
    void *free_chain;
    uint32_t used;  /* objects in use */
    uint32_t fresh; /* objects from the front that have been used at some time */
};

static const size_t head_size = (sizeof(struct slab) + 15) / 16 * 16;

static struct slab *slab_of(void *object)
{
    return (struct slab *)(void *)((char *)object - ((uintptr_t)object & (SLAB_BYTES - 1)));
}

void pool_init(struct pool *pool, size_t object_size, struct slabs *slabs)
{
    *pool = (struct pool){.object_size = (object_size + 15) / 16 * 16, .slabs = slabs};
    assert(pool->object_size >= sizeof(void *));
    assert(pool->object_size <= (SLAB_BYTES - head_size) / 4);
    pool->slab_objects = (uint32_t)((SLAB_BYTES - head_size) / pool->object_size);
    list_init(&pool->free_slabs);
    list_init(&pool->full_slabs);
}

void pool_init_raw(struct pool *pool, size_t block_size, struct slabs *slabs)
{
    pool_init(pool, block_size, slabs);
    pool->raw = true;
}

static void slab_destroy(const struct pool *pool, struct slab *slab)
{
    list_remove(&slab->node);
    if (pool->slabs == NULL) {
        free(slab);
    } else {
        slabs_give(pool->slabs, slab);
    }
}

void pool_deinit(struct pool *pool)
{
    assert(pool->count == 0);
    assert(list_is_empty(&pool->full_slabs));
    while (!list_is_empty(&pool->free_slabs)) {
        slab_destroy(pool, LIST_ENTRY(list_front(&pool->free_slabs), struct slab, node));
    }
    pool->empty_slabs = 0;
}

static struct slab *slab_create(struct pool *pool)
{
    struct slab *slab =
        pool->slabs == NULL ? aligned_alloc(SLAB_BYTES, SLAB_BYTES) : slabs_take(pool->slabs);
    if (slab == NULL) {
        return NULL;
    }
    *slab = (struct slab){0};
    list_push_back(&pool->free_slabs, &slab->node);
    pool->empty_slabs++;
    return slab;
}

static void *slab_take(const struct pool *pool, struct slab *slab)
{
    void *object = slab->free_chain;
    if (object == NULL) {
        assert(slab->fresh < pool->slab_objects);
        return (char *)slab + head_size + slab->fresh++ * pool->object_size;
    }
    memcpy(&slab->free_chain, object, sizeof slab->free_chain);
    return object;
}

void *pool_take(struct pool *pool)
{
    struct list *first = list_first(&pool->free_slabs);
    struct slab *slab = first == NULL ? slab_create(pool) : LIST_ENTRY(first, struct slab, node);
    if (slab == NULL) {
        return NULL;
    }
    if (slab->used++ == 0) {
        pool->empty_slabs--;
    }
    if (slab->used == pool->slab_objects) {
        list_remove(&slab->node);
        list_push_back(&pool->full_slabs, &slab->node);
    }
    void *object = slab_take(pool, slab);
    pool->count++;
    if (!pool->raw) {
        memset(object, 0, pool->object_size);
    }
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    struct slab *slab = slab_of(object);
    assert(slab->used > 0);
    if (!pool->raw) {
        memset(object, FREED_PATTERN, pool->object_size);
    }
    memcpy(object, &slab->free_chain, sizeof slab->free_chain);
    slab->free_chain = object;
    pool->count--;
    if (slab->used-- == pool->slab_objects) {
        list_remove(&slab->node);
        list_push_front(&pool->free_slabs, &slab->node);
    }
    if (slab->used > 0) {
        return;
    }
    if (pool->empty_slabs > 0) {
        slab_destroy(pool, slab);
        return;
    }
    pool->empty_slabs++;
}
