/* SPDX-License-Identifier: MIT */
/*
 * A byte queue in one pooled block.
 *
 *     bytes       head           tail          size
 *      | consumed  | readable     | writable    |
 *
 * The positions stand in the block, in front of its bytes, so that an empty buffer is one pointer.
 *
 * Invariants: head <= tail <= size; a buffer that has become empty has given its block back. So an
 * idle connection owns no buffer memory, and a zeroed struct is an empty buffer. Blocks are powers
 * of two up to 4 KiB and have four sizes per octave from there on, so that a large message wastes at
 * most a fifth of its block; the pool keeps some of the freed ones, so that the steady state allocates
 * nothing. Not thread-safe: one pool, one thread.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/pool.h"
#include "base/span.h"

enum {
    BUF_BLOCK_MIN = 256, /* smallest block: most messages of most protocols fit */
    BUF_POOLED_CLASSES =
        5,         /* 256 bytes to 4 KiB come from slabs, which go back when they are empty */
    BUF_STEPS = 4, /* sizes per octave beyond: 5, 6, 7, 8, 10, 12, ... KiB */
    BUF_CLASSES = BUF_POOLED_CLASSES + 18 * BUF_STEPS, /* to 1 GiB */
    BUF_KEPT_MAX =
        1024 * 1024, /* bytes of freed larger blocks that are kept for reuse, beside half of
                                   what is in use */
};

struct buf_pool {
    struct pool small[BUF_POOLED_CLASSES];
    void *kept[BUF_CLASSES]; /* freed larger blocks, chained through their first word */
    size_t kept_bytes;
    size_t kept_more_max; /* beyond BUF_KEPT_MAX; no bound unless the owner sets one */
    size_t used_bytes;    /* of all blocks in use */
    size_t large_bytes;   /* of those that do not come from slabs */
};

struct buf_block {
    uint32_t head, tail, size;
    uint32_t class; /* the block is so large that these fit as well */
    uint8_t bytes[];
};

struct buf {
    struct buf_block
        *block; /* owns (it is the pool's again when the buffer is empty); NULL: empty */
};

/* `slabs`: as for pool_init. */
void buf_pool_init(struct buf_pool *pool, struct slabs *slabs);

/* Frees the kept blocks; all buffers must be empty. */
void buf_pool_deinit(struct buf_pool *pool);

static inline size_t buf_size(const struct buf *buf)
{
    return buf->block == NULL ? 0 : buf->block->tail - buf->block->head;
}

static inline bool buf_is_empty(const struct buf *buf)
{
    return buf_size(buf) == 0;
}

/* Bytes of memory that it occupies. */
static inline size_t buf_held(const struct buf *buf)
{
    return buf->block == NULL ? 0 : buf->block->size + sizeof *buf->block;
}

/* Lends the readable bytes; valid until the next call on the same buffer. */
static inline struct span buf_view(const struct buf *buf)
{
    const struct buf_block *block = buf->block;
    return block == NULL ? (struct span){.data = NULL, .size = 0}
                         : (struct span){.data = block->bytes + block->head,
                                         .size = block->tail - block->head};
}

/* Makes room for `size` more bytes and lends where they go (NULL: no memory, or more than a block
 * can hold). Write there, then buf_commit as many as were written. A buffer that was empty and is
 * not committed to must be dropped with buf_consume(buf, 0). */
uint8_t *buf_reserve(struct buf_pool *pool, struct buf *buf, size_t size) MUST_USE;
void buf_commit(struct buf *buf, size_t size);

/* Appends a copy. False: no memory; the buffer is as it was. */
bool buf_append(struct buf_pool *pool, struct buf *buf, struct span bytes) MUST_USE;

/* Drops `size` readable bytes from the front. */
void buf_consume(struct buf_pool *pool, struct buf *buf, size_t size);

/* Drops readable bytes from the back, so that `size` stay. */
void buf_truncate(struct buf_pool *pool, struct buf *buf, size_t size);

/* Moves `size` readable bytes from the offset `from` forward to `to`, over what was there. */
void buf_move(struct buf *buf, size_t to, size_t from, size_t size);

/* Drops everything. */
void buf_clear(struct buf_pool *pool, struct buf *buf);

/* Asserts the invariants. */
void buf_check(const struct buf *buf);

#endif
