/* SPDX-License-Identifier: MIT */
/* Claims about src/base/pool.c. */
#include <string.h>

#include "unit.h"

#include "base/pool.h"
#include "base/random.h"

enum { OBJECT_SIZE = 72, OBJECTS_MAX = 3000 };

static size_t slabs_count(const struct pool *pool)
{
    size_t count = 0;
    const struct list *heads[] = {&pool->free_slabs, &pool->full_slabs};
    for (size_t index = 0; index < 2; index++) {
        for (const struct list *node = list_first(heads[index]); node != NULL;
             node = list_next(heads[index], node)) {
            count++;
        }
    }
    return count;
}

/* Writes the whole object, as an owner may, and remembers whose it is. */
static void mark(uint8_t *object, size_t owner)
{
    memset(object, (int)(owner % 251), OBJECT_SIZE);
}

static void expect_mark(const uint8_t *object, size_t owner)
{
    for (size_t index = 0; index < OBJECT_SIZE; index++) {
        assert_int_equal(object[index], owner % 251);
    }
}

static uint8_t *take_zeroed(struct pool *pool)
{
    uint8_t *object = pool_take(pool);
    assert_non_null(object);
    assert_int_equal((uintptr_t)object % 16, 0);
    expect_mark(object, 0);
    return object;
}

static void test_objects_are_zeroed_and_do_not_overlap(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, OBJECT_SIZE, NULL);
    uint8_t *objects[OBJECTS_MAX];
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        objects[index] = take_zeroed(&pool);
        mark(objects[index], index);
    }
    assert_int_equal(pool.count, OBJECTS_MAX);
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        expect_mark(objects[index], index);
        pool_give(&pool, objects[index]);
    }
    pool_deinit(&pool);
}

static void test_slabs_are_returned_and_one_empty_one_is_kept(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, OBJECT_SIZE, NULL);
    assert_int_equal(slabs_count(&pool), 0);
    uint8_t *objects[OBJECTS_MAX];
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        objects[index] = take_zeroed(&pool);
    }
    assert_int_equal(slabs_count(&pool), (OBJECTS_MAX - 1) / pool.slab_objects + 1);
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        pool_give(&pool, objects[index]);
    }
    assert_int_equal(pool.count, 0);
    assert_int_equal(slabs_count(&pool), 1);
    assert_int_equal(pool.empty_slabs, 1);
    pool_deinit(&pool);
}

static void test_a_free_place_is_used_before_a_slab_is_made(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, OBJECT_SIZE, NULL);
    uint8_t *objects[OBJECTS_MAX];
    size_t count = 3 * (size_t)pool.slab_objects;
    assert_true(count <= OBJECTS_MAX);
    for (size_t index = 0; index < count; index++) {
        objects[index] = take_zeroed(&pool);
    }
    for (size_t slab = 0; slab < 3; slab++) {
        pool_give(&pool, objects[slab * pool.slab_objects + slab]);
    }
    for (size_t slab = 0; slab < 3; slab++) {
        objects[slab * pool.slab_objects + slab] = take_zeroed(&pool);
    }
    assert_int_equal(slabs_count(&pool), 3);
    for (size_t index = 0; index < count; index++) {
        pool_give(&pool, objects[index]);
    }
    pool_deinit(&pool);
}

static void test_the_steady_state_takes_no_slab(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, OBJECT_SIZE, NULL);
    for (int run = 0; run < 100; run++) {
        uint8_t *object = take_zeroed(&pool);
        assert_int_equal(slabs_count(&pool), 1);
        mark(object, 1);
        pool_give(&pool, object);
        assert_int_equal(slabs_count(&pool), 1);
    }
    pool_deinit(&pool);
}

static void test_any_sequence_keeps_the_objects_apart(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, OBJECT_SIZE, NULL);
    struct random random;
    random_init(&random, 6);
    uint8_t *objects[OBJECTS_MAX] = {0};
    size_t count = 0;
    for (int step = 0; step < 100000; step++) {
        /* Phases that fill and that empty, so that slabs come and go. */
        bool is_filling = step / 5000 % 2 == 0;
        size_t index = (size_t)random_below(&random, OBJECTS_MAX);
        if (objects[index] != NULL) {
            if (!is_filling || random_below(&random, 2) == 0) {
                expect_mark(objects[index], index);
                pool_give(&pool, objects[index]);
                objects[index] = NULL;
                count--;
            }
        } else if (is_filling || random_below(&random, 8) == 0) {
            objects[index] = take_zeroed(&pool);
            mark(objects[index], index);
            count++;
        }
        assert_int_equal(pool.count, count);
        assert_true(pool.empty_slabs <= 1);
    }
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        if (objects[index] != NULL) {
            expect_mark(objects[index], index);
            pool_give(&pool, objects[index]);
        }
    }
    assert_int_equal(slabs_count(&pool), 1);
    pool_deinit(&pool);
}

static void test_pools_share_the_slabs_that_they_have_emptied(void **state)
{
    (void)state;
    struct slabs slabs;
    slabs_init(&slabs);
    struct pool pool, other;
    pool_init(&pool, OBJECT_SIZE, &slabs);
    pool_init(&other, 2 * OBJECT_SIZE, &slabs);
    uint8_t *objects[OBJECTS_MAX];
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        objects[index] = take_zeroed(&pool);
        mark(objects[index], index);
    }
    size_t count = slabs_count(&pool);
    for (size_t index = 0; index < OBJECTS_MAX; index++) {
        pool_give(&pool, objects[index]);
    }
    assert_int_equal(slabs.count, count - 1); /* one stays with its pool */
    uint8_t *object = take_zeroed(&other);
    assert_int_equal(slabs.count, count - 2);
    pool_give(&other, object);
    pool_deinit(&pool);
    pool_deinit(&other);
    assert_int_equal(slabs.count, count);
    slabs_deinit(&slabs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_are_zeroed_and_do_not_overlap),
        cmocka_unit_test(test_slabs_are_returned_and_one_empty_one_is_kept),
        cmocka_unit_test(test_a_free_place_is_used_before_a_slab_is_made),
        cmocka_unit_test(test_the_steady_state_takes_no_slab),
        cmocka_unit_test(test_pools_share_the_slabs_that_they_have_emptied),
        cmocka_unit_test(test_any_sequence_keeps_the_objects_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
