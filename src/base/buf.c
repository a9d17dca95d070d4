/* SPDX-License-Identifier: MIT */
/* A byte queue in one pooled block; see buf.h. Bytes are moved in one place only: grow(). */
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t class_size(unsigned class)
{
    return (size_t)BUF_BLOCK_MIN << class;
}

static unsigned class_of(size_t size)
{
    unsigned class = 0;
    while (class_size(class) < size) {
        class ++;
    }
    return class;
}

static void *large_take(struct buf_pool *pool, unsigned class)
{
    void *block = pool->kept[class];
    if (block == NULL) {
        return malloc(class_size(class));
    }
    memcpy(&pool->kept[class], block, sizeof pool->kept[class]);
    pool->kept_bytes -= class_size(class);
    return block;
}

static void large_give(struct buf_pool *pool, unsigned class, void *block)
{
    if (pool->kept_bytes + class_size(class) > BUF_KEPT_MAX) {
        free(block);
        return;
    }
    memcpy(block, &pool->kept[class], sizeof pool->kept[class]);
    pool->kept[class] = block;
    pool->kept_bytes += class_size(class);
}

static uint8_t *block_take(struct buf_pool *pool, unsigned class)
{
    void *block =
        class < BUF_POOLED_CLASSES ? pool_take(&pool->small[class]) : large_take(pool, class);
    if (block != NULL) {
        pool->used_bytes += class_size(class);
    }
    return block;
}

static void block_give(struct buf_pool *pool, uint8_t *block, size_t size)
{
    assert(pool->used_bytes >= size);
    pool->used_bytes -= size;
    unsigned class = class_of(size);
    if (class < BUF_POOLED_CLASSES) {
        pool_give(&pool->small[class], block);
    } else {
        large_give(pool, class, block);
    }
}

void buf_pool_init(struct buf_pool *pool)
{
    *pool = (struct buf_pool){.kept_bytes = 0};
    for (unsigned class = 0; class < BUF_POOLED_CLASSES; class ++) {
        pool_init_raw(&pool->small[class], class_size(class));
    }
}

void buf_pool_deinit(struct buf_pool *pool)
{
    assert(pool->used_bytes == 0);
    for (unsigned class = 0; class < BUF_POOLED_CLASSES; class ++) {
        pool_deinit(&pool->small[class]);
    }
    for (unsigned class = 0; class < BUF_CLASSES; class ++) {
        while (pool->kept[class] != NULL) {
            free(large_take(pool, class));
        }
    }
}

/* Moves the readable bytes to the front, of a larger block where this one cannot hold `wanted`.
 * A block is kept only if the bytes to move are at most half of it, so that a queue that is filled
 * and emptied at the same pace moves each byte at most once on average. */
static bool grow(struct buf_pool *pool, struct buf *buf, size_t wanted)
{
    size_t readable = buf_size(buf);
    if (wanted > class_size(BUF_CLASSES - 1)) {
        return false;
    }
    if (buf->base != NULL && wanted <= buf->size && readable <= buf->size / 2) {
        memmove(buf->base, buf->base + buf->head, readable);
    } else {
        size_t room = wanted <= buf->size ? (size_t)buf->size + 1 : wanted;
        unsigned class = class_of(room);
        if (class >= BUF_CLASSES) {
            return false;
        }
        uint8_t *block = block_take(pool, class);
        if (block == NULL) {
            return false;
        }
        if (buf->base != NULL) {
            memcpy(block, buf->base + buf->head, readable);
            block_give(pool, buf->base, buf->size);
        }
        buf->base = block;
        buf->size = (uint32_t)class_size(class);
    }
    buf->head = 0;
    buf->tail = (uint32_t)readable;
    return true;
}

uint8_t *buf_reserve(struct buf_pool *pool, struct buf *buf, size_t size)
{
    if (size > (size_t)buf->size - buf->tail || buf->base == NULL) {
        if (size > class_size(BUF_CLASSES - 1) || !grow(pool, buf, buf_size(buf) + size)) {
            return NULL;
        }
    }
    return buf->base + buf->tail;
}

void buf_commit(struct buf *buf, size_t size)
{
    assert(size <= buf->size - buf->tail);
    buf->tail += (uint32_t)size;
}

bool buf_append(struct buf_pool *pool, struct buf *buf, struct span bytes)
{
    if (bytes.size == 0) {
        return true;
    }
    uint8_t *space = buf_reserve(pool, buf, bytes.size);
    if (space == NULL) {
        return false;
    }
    memcpy(space, bytes.data, bytes.size);
    buf_commit(buf, bytes.size);
    return true;
}

void buf_consume(struct buf_pool *pool, struct buf *buf, size_t size)
{
    assert(size <= buf_size(buf));
    buf->head += (uint32_t)size;
    if (buf_is_empty(buf) && buf->base != NULL) {
        block_give(pool, buf->base, buf->size);
        *buf = (struct buf){0};
    }
}

void buf_truncate(struct buf_pool *pool, struct buf *buf, size_t size)
{
    assert(size <= buf_size(buf));
    buf->tail = buf->head + (uint32_t)size;
    buf_consume(pool, buf, 0);
}

void buf_remove(struct buf_pool *pool, struct buf *buf, size_t offset, size_t size)
{
    assert(offset <= buf_size(buf));
    assert(size <= buf_size(buf) - offset);
    uint8_t *hole = buf->base + buf->head + offset;
    memmove(hole, hole + size, buf_size(buf) - offset - size);
    buf_truncate(pool, buf, buf_size(buf) - size);
}

void buf_clear(struct buf_pool *pool, struct buf *buf)
{
    buf_consume(pool, buf, buf_size(buf));
}

void buf_check(const struct buf *buf)
{
    assert(buf->head <= buf->tail);
    assert(buf->tail <= buf->size);
    assert((buf->base == NULL) == (buf->size == 0));
    assert(buf->base == NULL || buf->head < buf->tail);
}
