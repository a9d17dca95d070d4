/* SPDX-License-Identifier: MIT */
/* A byte queue in one pooled block; see buf.h. Bytes are moved in one place only, grow(), but for
 * what an owner asks for. */
#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define POOLED_MAX ((size_t)BUF_BLOCK_MIN << (BUF_POOLED_CLASSES - 1))

/* The first block beyond the pooled ones is class BUF_POOLED_CLASSES: 5/4 of POOLED_MAX. */
static size_t class_size(unsigned class)
{
    if (class < BUF_POOLED_CLASSES) {
        return (size_t)BUF_BLOCK_MIN << class;
    }
    unsigned step = class - (BUF_POOLED_CLASSES - 1);
    return (POOLED_MAX / BUF_STEPS * (BUF_STEPS + step % BUF_STEPS)) << step / BUF_STEPS;
}

#define SIZE_LARGEST (class_size(BUF_CLASSES - 1) - sizeof(struct buf_block))

static unsigned class_of(size_t size)
{
    unsigned class = 0;
    if (size <= POOLED_MAX) {
        while (class_size(class) < size) {
            class ++;
        }
        return class;
    }
    unsigned octave = 0;
    size_t quarter = POOLED_MAX / BUF_STEPS;
    while (quarter * 2 * BUF_STEPS < size) {
        octave++;
        quarter *= 2;
    }
    return BUF_POOLED_CLASSES - 1 + octave * BUF_STEPS +
           (unsigned)((size - 1) / quarter - BUF_STEPS + 1);
}

static void *kept_take(struct buf_pool *pool, unsigned class)
{
    void *block = pool->kept[class];
    memcpy(&pool->kept[class], block, sizeof pool->kept[class]);
    pool->kept_bytes -= class_size(class);
    return block;
}

static void *large_take(struct buf_pool *pool, unsigned class)
{
    return pool->kept[class] == NULL ? malloc(class_size(class)) : kept_take(pool, class);
}

/* While much is in use much is kept, or a busy process would map and unmap memory with every message. */
static size_t kept_max(const struct buf_pool *pool)
{
    size_t more = pool->used_bytes / 2;
    return BUF_KEPT_MAX + (more < pool->kept_more_max ? more : pool->kept_more_max);
}

static void large_give(struct buf_pool *pool, unsigned class, void *block)
{
    if (class_size(class) > kept_max(pool)) {
        free(block);
        return;
    }
    memcpy(block, &pool->kept[class], sizeof pool->kept[class]);
    pool->kept[class] = block;
    pool->kept_bytes += class_size(class);
}

static void free_kept(struct buf_pool *pool, unsigned class)
{
    while (pool->kept_bytes > kept_max(pool) && pool->kept[class] != NULL) {
        free(kept_take(pool, class));
    }
}

/* As less is used the rest goes back, what is like the block that was given last at last. */
static void trim(struct buf_pool *pool, unsigned last)
{
    for (unsigned class = BUF_POOLED_CLASSES; class < BUF_CLASSES; class ++) {
        if (class != last) {
            free_kept(pool, class);
        }
    }
    free_kept(pool, last);
}

static void block_dress(struct buf_pool *pool, struct buf_block *block, unsigned class)
{
    pool->used_bytes += class_size(class);
    pool->large_bytes += class < BUF_POOLED_CLASSES ? 0 : class_size(class);
    block->size = (uint32_t)(class_size(class) - sizeof *block);
    block->class = class;
}

static struct buf_block *block_take(struct buf_pool *pool, unsigned class)
{
    struct buf_block *block =
        class < BUF_POOLED_CLASSES ? pool_take(&pool->small[class]) : large_take(pool, class);
    if (block != NULL) {
        block_dress(pool, block, class);
    }
    return block;
}

static void block_give(struct buf_pool *pool, struct buf_block *block)
{
    unsigned class = block->class;
    assert(pool->used_bytes >= class_size(class));
    pool->used_bytes -= class_size(class);
    if (class < BUF_POOLED_CLASSES) {
        pool_give(&pool->small[class], block);
    } else {
        pool->large_bytes -= class_size(class);
        large_give(pool, class, block);
    }
    if (pool->kept_bytes > kept_max(pool)) {
        trim(pool, class);
    }
}

void buf_pool_init(struct buf_pool *pool, struct slabs *slabs)
{
    *pool = (struct buf_pool){.kept_more_max = SIZE_MAX};
    for (unsigned class = 0; class < BUF_POOLED_CLASSES; class ++) {
        pool_init_raw(&pool->small[class], class_size(class), slabs);
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

static void move_to_front(struct buf_block *block)
{
    uint32_t readable = block->tail - block->head;
    memmove(block->bytes, block->bytes + block->head, readable);
    block->head = 0;
    block->tail = readable;
}

/* The system may make a large block larger where it is, or move its pages: neither copies, nor are both
 * there at once. NULL: no memory, and the block is as it was but for where its bytes stand. */
static struct buf_block *block_extend(struct buf_pool *pool, struct buf_block *block,
                                      unsigned class)
{
    size_t before = class_size(block->class);
    if (block->head > 0) {
        move_to_front(block);
    }
    block = realloc(block, class_size(class));
    if (block != NULL) {
        pool->used_bytes -= before;
        pool->large_bytes -= before;
        block_dress(pool, block, class);
    }
    return block;
}

static struct buf_block *block_copy(struct buf_pool *pool, struct buf_block *block, unsigned class)
{
    struct buf_block *larger = block_take(pool, class);
    if (larger == NULL) {
        return NULL;
    }
    larger->head = larger->tail = 0;
    if (block != NULL) {
        larger->tail = block->tail - block->head;
        memcpy(larger->bytes, block->bytes + block->head, larger->tail);
        block_give(pool, block);
    }
    return larger;
}

/* Moves the readable bytes to the front, of a larger block where this one cannot hold `wanted`.
 * A block is kept only if the bytes to move are at most half of it, so that a queue that is filled
 * and emptied at the same pace moves each byte at most once on average. */
static bool grow(struct buf_pool *pool, struct buf *buf, size_t wanted)
{
    struct buf_block *block = buf->block;
    bool fits = block != NULL && wanted <= block->size;
    if (fits && buf_size(buf) <= block->size / 2) {
        move_to_front(block);
        return true;
    }
    size_t room = fits ? (size_t)block->size + 1 : wanted;
    if (room > SIZE_LARGEST) {
        return false;
    }
    unsigned class = class_of(room + sizeof *block);
    bool extends = block != NULL && block->class >= BUF_POOLED_CLASSES && pool->kept[class] == NULL;
    struct buf_block *larger =
        extends ? block_extend(pool, block, class) : block_copy(pool, block, class);
    if (larger == NULL) {
        return false;
    }
    buf->block = larger;
    return true;
}

uint8_t *buf_reserve(struct buf_pool *pool, struct buf *buf, size_t size)
{
    struct buf_block *block = buf->block;
    if (block == NULL || size > block->size - block->tail) {
        if (size > SIZE_LARGEST || !grow(pool, buf, buf_size(buf) + size)) {
            return NULL;
        }
        block = buf->block;
    }
    return block->bytes + block->tail;
}

void buf_commit(struct buf *buf, size_t size)
{
    assert(size <= buf->block->size - buf->block->tail);
    buf->block->tail += (uint32_t)size;
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
    struct buf_block *block = buf->block;
    assert(size <= buf_size(buf));
    if (block == NULL) {
        return;
    }
    block->head += (uint32_t)size;
    if (block->head == block->tail) {
        block_give(pool, block);
        buf->block = NULL;
    }
}

void buf_truncate(struct buf_pool *pool, struct buf *buf, size_t size)
{
    assert(size <= buf_size(buf));
    if (buf->block != NULL) {
        buf->block->tail = buf->block->head + (uint32_t)size;
        buf_consume(pool, buf, 0);
    }
}

void buf_move(struct buf *buf, size_t to, size_t from, size_t size)
{
    assert(to <= from);
    assert(from <= buf_size(buf));
    assert(size <= buf_size(buf) - from);
    if (size > 0) {
        uint8_t *bytes = buf->block->bytes + buf->block->head;
        memmove(bytes + to, bytes + from, size);
    }
}

void buf_clear(struct buf_pool *pool, struct buf *buf)
{
    buf_consume(pool, buf, buf_size(buf));
}

void buf_check(const struct buf *buf)
{
    const struct buf_block *block = buf->block;
    if (block != NULL) {
        assert(block->head < block->tail);
        assert(block->tail <= block->size);
        assert(block->size + sizeof *block == class_size(block->class));
    }
}
