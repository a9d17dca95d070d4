/* SPDX-License-Identifier: MIT */
/*
 * A pool of objects of one size; see pool.h.
 *
 * A slab is one aligned block, so that masking an object's address finds its slab's head:
 *
 *     [ head | object | object | ... ]      free objects are chained through their first word
 */
#include "base/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_SIZE = 8192, FREED_PATTERN = 0xDB };

struct slab {
    struct list node;
    void *free_chain;
    uint32_t used;
};

static const size_t head_size = (sizeof(struct slab) + 15) / 16 * 16;

static struct slab *slab_of(void *object)
{
    return (struct slab *)(void *)((char *)object - ((uintptr_t)object & (SLAB_SIZE - 1)));
}

void pool_init(struct pool *pool, size_t object_size)
{
    *pool = (struct pool){.object_size = (object_size + 15) / 16 * 16};
    assert(pool->object_size >= sizeof(void *));
    assert(pool->object_size <= (SLAB_SIZE - head_size) / 4);
    pool->slab_objects = (uint32_t)((SLAB_SIZE - head_size) / pool->object_size);
    list_init(&pool->free_slabs);
    list_init(&pool->full_slabs);
}

void pool_deinit(struct pool *pool)
{
    assert(pool->count == 0);
    assert(list_is_empty(&pool->full_slabs));
    while (!list_is_empty(&pool->free_slabs)) {
        struct slab *slab = LIST_ENTRY(list_front(&pool->free_slabs), struct slab, node);
        list_remove(&slab->node);
        free(slab);
    }
    pool->empty_slabs = 0;
}

static struct slab *slab_create(struct pool *pool)
{
    struct slab *slab = aligned_alloc(SLAB_SIZE, SLAB_SIZE);
    if (slab == NULL) {
        return NULL;
    }
    *slab = (struct slab){0};
    for (uint32_t index = pool->slab_objects; index > 0; index--) {
        void *object = (char *)slab + head_size + (index - 1) * pool->object_size;
        memcpy(object, &slab->free_chain, sizeof slab->free_chain);
        slab->free_chain = object;
    }
    list_push_back(&pool->free_slabs, &slab->node);
    pool->empty_slabs++;
    return slab;
}

void *pool_take(struct pool *pool)
{
    struct slab *slab;
    if (list_is_empty(&pool->free_slabs)) {
        slab = slab_create(pool);
        if (slab == NULL) {
            return NULL;
        }
    } else {
        slab = LIST_ENTRY(list_front(&pool->free_slabs), struct slab, node);
    }
    if (slab->used++ == 0) {
        pool->empty_slabs--;
    }
    void *object = slab->free_chain;
    assert(object != NULL); /* a slab in free_slabs has a free object */
    memcpy(&slab->free_chain, object, sizeof slab->free_chain);
    if (slab->free_chain == NULL) {
        list_remove(&slab->node);
        list_push_back(&pool->full_slabs, &slab->node);
    }
    pool->count++;
    memset(object, 0, pool->object_size);
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    struct slab *slab = slab_of(object);
    assert(slab->used > 0);
    memset(object, FREED_PATTERN, pool->object_size);
    if (slab->free_chain == NULL) {
        list_remove(&slab->node);
        list_push_front(&pool->free_slabs, &slab->node);
    }
    memcpy(object, &slab->free_chain, sizeof slab->free_chain);
    slab->free_chain = object;
    pool->count--;
    if (--slab->used > 0) {
        return;
    }
    list_remove(&slab->node);
    if (pool->empty_slabs > 0) {
        free(slab);
        return;
    }
    list_push_back(&pool->free_slabs, &slab->node);
    pool->empty_slabs++;
}
