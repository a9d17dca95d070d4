/* SPDX-License-Identifier: MIT */
/* Claims about src/base/buf.c, against a model that is a plain array. */
#include <string.h>

#include "unit.h"

#include "base/buf.h"
#include "base/compiler.h"
#include "base/random.h"

enum { MODEL_MAX = 100000, BUFS_COUNT = 3 };

struct model {
    struct buf buf;
    uint8_t bytes[MODEL_MAX];
    size_t size;
};

/* Of the block that it owns. */
static size_t block_bytes(const struct buf *buf)
{
    return buf->block == NULL ? 0 : sizeof *buf->block + buf->block->size;
}

static void expect_agreement(const struct model *model)
{
    buf_check(&model->buf);
    assert_int_equal(buf_size(&model->buf), model->size);
    assert_int_equal(buf_is_empty(&model->buf), model->size == 0);
    struct span view = buf_view(&model->buf);
    assert_int_equal(view.size, model->size);
    if (model->size > 0) {
        assert_memory_equal(view.data, model->bytes, model->size);
    } else {
        assert_null(model->buf.block);
    }
}

/* The pool's count of what is in use must be the blocks of the buffers. */
static void expect_pool(const struct buf_pool *pool, const struct model *models, size_t count)
{
    size_t used = 0;
    for (size_t index = 0; index < count; index++) {
        used += block_bytes(&models[index].buf);
    }
    assert_int_equal(pool->used_bytes, used);
    assert_true(pool->kept_bytes <= BUF_KEPT_MAX + used / 2);
}

static void add(struct buf_pool *pool, struct model *model, struct random *random, size_t size)
{
    uint8_t *target = model->bytes + model->size;
    for (size_t index = 0; index < size; index++) {
        target[index] = (uint8_t)random_next(random);
    }
    if (random_below(random, 2) == 0) {
        assert_true(buf_append(pool, &model->buf, span_of(target, size)));
    } else {
        /* More room than is used, as for a receive. */
        uint8_t *space = buf_reserve(pool, &model->buf, size + random_below(random, 1000));
        assert_non_null(space);
        memcpy(space, target, size);
        buf_commit(&model->buf, size);
        if (model->size + size == 0) {
            buf_consume(pool, &model->buf, 0);
        }
    }
    model->size += size;
}

static void take_from_front(struct buf_pool *pool, struct model *model, size_t size)
{
    buf_consume(pool, &model->buf, size);
    model->size -= size;
    memmove(model->bytes, model->bytes + size, model->size);
}

static void step(struct buf_pool *pool, struct model *model, struct random *random)
{
    uint64_t choice = random_below(random, 16);
    if (choice < 8) {
        const struct buf_block *block = model->buf.block;
        size_t room = block == NULL ? 0 : block->size - block->tail;
        size_t size = choice == 0
                          ? room + (size_t)random_below(random, 2)
                          : (size_t)random_below(random, (uint64_t)1 << random_below(random, 14));
        if (size <= MODEL_MAX - model->size) {
            add(pool, model, random, size);
        }
    } else if (choice < 14) {
        take_from_front(pool, model, (size_t)random_below(random, model->size + 1));
    } else if (choice < 15) {
        model->size = (size_t)random_below(random, model->size + 1);
        buf_truncate(pool, &model->buf, model->size);
    } else {
        model->size = 0;
        buf_clear(pool, &model->buf);
    }
}

static void test_any_sequence_agrees_with_an_array(void **state)
{
    (void)state;
    static struct model models[BUFS_COUNT];
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct random random;
    random_init(&random, 8);
    for (int count = 0; count < 50000; count++) {
        struct model *model = &models[random_below(&random, BUFS_COUNT)];
        step(&pool, model, &random);
        expect_agreement(model);
        expect_pool(&pool, models, BUFS_COUNT);
    }
    for (size_t index = 0; index < BUFS_COUNT; index++) {
        buf_clear(&pool, &models[index].buf);
    }
    assert_int_equal(pool.used_bytes, 0);
    buf_pool_deinit(&pool);
    assert_int_equal(pool.kept_bytes, 0);
}

static void test_an_empty_buffer_owns_no_block(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    buf_check(&buf);
    assert_true(buf_append(&pool, &buf, span_of("hello", 5)));
    assert_int_equal(block_bytes(&buf), BUF_BLOCK_MIN);
    buf_consume(&pool, &buf, 5);
    assert_null(buf.block);
    assert_int_equal(pool.used_bytes, 0);
    assert_true(buf_append(&pool, &buf, (struct span){0}));
    assert_null(buf.block);
    buf_pool_deinit(&pool);
}

static void test_a_reservation_that_is_not_used_is_dropped(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    assert_non_null(buf_reserve(&pool, &buf, 1000));
    buf_consume(&pool, &buf, 0);
    assert_null(buf.block);
    buf_check(&buf);
    buf_pool_deinit(&pool);
}

static void test_a_freed_block_is_used_again(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    assert_true(buf_append(&pool, &buf, span_of("a", 1)));
    const struct buf_block *block = buf.block;
    buf_clear(&pool, &buf);
    assert_true(buf_append(&pool, &buf, span_of("b", 1)));
    assert_ptr_equal(buf.block, block);
    assert_int_equal(pool.kept_bytes, 0);
    buf_clear(&pool, &buf);
    buf_pool_deinit(&pool);
}

static void test_the_pool_keeps_no_more_than_its_limit(void **state)
{
    (void)state;
    enum { COUNT = 40, SIZE = 65536 - sizeof(struct buf_block) };
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf bufs[COUNT] = {{0}};
    for (size_t index = 0; index < COUNT; index++) {
        assert_non_null(buf_reserve(&pool, &bufs[index], SIZE));
        buf_commit(&bufs[index], SIZE);
        memset(bufs[index].block->bytes, 'x', SIZE);
    }
    assert_int_equal(pool.used_bytes, COUNT * 65536);
    for (size_t index = 0; index < COUNT; index++) {
        buf_clear(&pool, &bufs[index]);
    }
    assert_int_equal(pool.used_bytes, 0);
    assert_int_equal(pool.kept_bytes, BUF_KEPT_MAX);
    buf_pool_deinit(&pool);
}

static void test_a_busy_pool_keeps_no_more_than_its_owner_allows(void **state)
{
    (void)state;
    enum { COUNT = 80, SIZE = 65536 - sizeof(struct buf_block), MORE = 256 * 1024 };
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    pool.kept_more_max = MORE;
    struct buf bufs[COUNT] = {{0}};
    for (size_t index = 0; index < COUNT; index++) {
        assert_non_null(buf_reserve(&pool, &bufs[index], SIZE));
        buf_commit(&bufs[index], SIZE);
    }
    for (size_t index = 0; index < COUNT; index++) {
        buf_clear(&pool, &bufs[index]);
        assert_true(pool.kept_bytes <= BUF_KEPT_MAX + MORE);
        if (index == COUNT / 2) {
            assert_int_equal(pool.kept_bytes, BUF_KEPT_MAX + MORE);
        }
    }
    buf_pool_deinit(&pool);
}

/* Blocks in use, all of one size. */
enum { BUSY = 80, BUSY_BYTES = 131072 };

static void fill(struct buf_pool *pool, struct buf *buf, size_t block_size)
{
    size_t size = block_size - sizeof(struct buf_block);
    assert_non_null(buf_reserve(pool, buf, size));
    buf_commit(buf, size);
}

static void expect_nothing_beyond(const struct buf_pool *pool)
{
    assert_true(pool->kept_bytes <= BUF_KEPT_MAX + pool->used_bytes / 2);
}

static void test_a_busy_pool_keeps_half_of_what_is_in_use(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf bufs[BUSY] = {{0}};
    for (size_t index = 0; index < BUSY; index++) {
        fill(&pool, &bufs[index], BUSY_BYTES);
    }
    for (size_t index = BUSY; index-- > BUSY / 2;) {
        buf_clear(&pool, &bufs[index]);
    }
    assert_true(pool.kept_bytes > pool.used_bytes / 2);
    expect_nothing_beyond(&pool);
    for (size_t index = BUSY / 2; index-- > 0;) {
        buf_clear(&pool, &bufs[index]);
        expect_nothing_beyond(&pool);
    }
    assert_int_equal(pool.kept_bytes, BUF_KEPT_MAX);
    buf_pool_deinit(&pool);
}

static void test_kept_blocks_of_another_size_are_not_in_the_way(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf bufs[BUF_KEPT_MAX / 65536] = {{0}};
    for (size_t index = 0; index < ARRAY_COUNT(bufs); index++) {
        fill(&pool, &bufs[index], 65536);
    }
    for (size_t index = 0; index < ARRAY_COUNT(bufs); index++) {
        buf_clear(&pool, &bufs[index]);
    }
    assert_int_equal(pool.kept_bytes, BUF_KEPT_MAX);
    struct buf buf = {0};
    fill(&pool, &buf, BUSY_BYTES);
    unsigned class = buf.block->class;
    buf_clear(&pool, &buf);
    assert_non_null(pool.kept[class]);
    expect_nothing_beyond(&pool);
    buf_pool_deinit(&pool);
}

static void test_kept_blocks_go_with_small_ones_too(void **state)
{
    (void)state;
    enum { SMALL = 2000 };
    static struct buf small[SMALL];
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf bufs[BUSY] = {{0}};
    for (size_t index = 0; index < SMALL; index++) {
        fill(&pool, &small[index], 4096);
    }
    for (size_t index = 0; index < BUSY; index++) {
        fill(&pool, &bufs[index], BUSY_BYTES);
    }
    for (size_t index = 0; index < BUSY; index++) {
        buf_clear(&pool, &bufs[index]);
    }
    assert_true(pool.kept_bytes > 2 * BUF_KEPT_MAX);
    for (size_t index = 0; index < SMALL; index++) {
        buf_clear(&pool, &small[index]);
        expect_nothing_beyond(&pool);
    }
    buf_pool_deinit(&pool);
}

static void test_one_very_large_block_does_not_empty_the_pool(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf kept = {0}, large = {0};
    fill(&pool, &kept, 65536);
    buf_clear(&pool, &kept);
    fill(&pool, &large, (size_t)4 * BUF_KEPT_MAX);
    buf_clear(&pool, &large);
    assert_int_equal(pool.kept_bytes, 65536);
    buf_pool_deinit(&pool);
}

static void test_a_large_block_is_at_most_a_quarter_larger_than_what_it_is_for(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    for (size_t size = 4096; size < (size_t)40 * 1024 * 1024; size += size / 9) {
        struct buf buf = {0};
        assert_non_null(buf_reserve(&pool, &buf, size));
        size_t needed = size + sizeof *buf.block;
        assert_true(block_bytes(&buf) >= needed);
        assert_true(block_bytes(&buf) <= needed / 4 * 5 + 5);
        assert_int_equal(pool.used_bytes, block_bytes(&buf));
        assert_int_equal(pool.large_bytes, block_bytes(&buf));
        buf_consume(&pool, &buf, 0);
    }
    buf_pool_deinit(&pool);
}

/* As a message that comes in pieces. */
static void test_a_large_buffer_grows_with_what_it_holds(void **state)
{
    (void)state;
    enum { PIECE = 60000, COUNT = 300 };
    static uint8_t piece[PIECE];
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    assert_true(buf_append(&pool, &buf, span_of("no", 2)));
    for (size_t count = 1; count <= COUNT; count++) {
        memset(piece, (int)(count % 251), sizeof piece);
        assert_true(buf_append(&pool, &buf, span_of(piece, sizeof piece)));
        if (count == 1) {
            buf_consume(&pool, &buf, 2);
        }
        assert_true(block_bytes(&buf) <= (count + 1) * PIECE / 4 * 5);
        assert_int_equal(pool.used_bytes, block_bytes(&buf));
        assert_true(pool.kept_bytes <= (size_t)3 * PIECE);
    }
    for (size_t count = 1; count <= COUNT; count++) {
        const uint8_t *data = buf_view(&buf).data + (count - 1) * PIECE;
        assert_int_equal(data[0], count % 251);
        assert_int_equal(data[PIECE - 1], count % 251);
    }
    buf_clear(&pool, &buf);
    buf_pool_deinit(&pool);
}

static void test_what_no_block_can_hold_is_refused(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    assert_true(buf_append(&pool, &buf, span_of("hello", 5)));
    size_t largest = (size_t)1 << 30;
    assert_null(buf_reserve(&pool, &buf, largest));
    assert_null(buf_reserve(&pool, &buf, SIZE_MAX));
    buf_check(&buf);
    assert_memory_equal(buf_view(&buf).data, "hello", 5);
    buf_clear(&pool, &buf);
    buf_pool_deinit(&pool);
}

/* Moving bytes down pays only where few are left; otherwise a full queue that is emptied in small
 * steps would move all its bytes again and again. */
static void test_a_block_that_is_mostly_full_is_replaced_by_a_larger_one(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    uint8_t bytes[BUF_BLOCK_MIN - sizeof(struct buf_block)] = {0};
    assert_true(buf_append(&pool, &buf, span_of(bytes, sizeof bytes)));
    assert_int_equal(block_bytes(&buf), BUF_BLOCK_MIN);
    buf_consume(&pool, &buf, sizeof bytes / 2);
    assert_true(buf_append(&pool, &buf, span_of(bytes, 1)));
    assert_int_equal(block_bytes(&buf), BUF_BLOCK_MIN);
    assert_int_equal(buf.block->head, 0);
    assert_true(buf_append(&pool, &buf, span_of(bytes, sizeof bytes / 2 - 1)));
    buf_consume(&pool, &buf, 1);
    assert_true(buf_append(&pool, &buf, span_of(bytes, 1)));
    assert_int_equal(block_bytes(&buf), 2 * BUF_BLOCK_MIN);
    buf_clear(&pool, &buf);
    buf_pool_deinit(&pool);
}

/* A queue that is filled and emptied at the same pace settles on one block. */
static void test_a_steady_queue_does_not_grow(void **state)
{
    (void)state;
    struct buf_pool pool;
    buf_pool_init(&pool, NULL);
    struct buf buf = {0};
    uint8_t message[100] = {0};
    assert_true(buf_append(&pool, &buf, span_of(message, sizeof message)));
    for (int step_count = 0; step_count < 10000; step_count++) {
        assert_true(buf_append(&pool, &buf, span_of(message, sizeof message)));
        buf_consume(&pool, &buf, sizeof message);
        assert_true(block_bytes(&buf) <= 512);
    }
    buf_clear(&pool, &buf);
    buf_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_sequence_agrees_with_an_array),
        cmocka_unit_test(test_an_empty_buffer_owns_no_block),
        cmocka_unit_test(test_a_reservation_that_is_not_used_is_dropped),
        cmocka_unit_test(test_a_freed_block_is_used_again),
        cmocka_unit_test(test_the_pool_keeps_no_more_than_its_limit),
        cmocka_unit_test(test_a_busy_pool_keeps_no_more_than_its_owner_allows),
        cmocka_unit_test(test_a_busy_pool_keeps_half_of_what_is_in_use),
        cmocka_unit_test(test_kept_blocks_of_another_size_are_not_in_the_way),
        cmocka_unit_test(test_kept_blocks_go_with_small_ones_too),
        cmocka_unit_test(test_one_very_large_block_does_not_empty_the_pool),
        cmocka_unit_test(test_a_large_block_is_at_most_a_quarter_larger_than_what_it_is_for),
        cmocka_unit_test(test_a_large_buffer_grows_with_what_it_holds),
        cmocka_unit_test(test_what_no_block_can_hold_is_refused),
        cmocka_unit_test(test_a_block_that_is_mostly_full_is_replaced_by_a_larger_one),
        cmocka_unit_test(test_a_steady_queue_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
