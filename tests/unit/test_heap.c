/* SPDX-License-Identifier: MIT */
/* Claims about src/base/heap.c, against a model that looks at all items. */
#include "unit.h"

#include "base/heap.h"
#include "base/random.h"
#include "base/units.h"

enum { ITEMS_COUNT = 200 };

struct model {
    struct heap heap;
    struct heap_item items[ITEMS_COUNT];
    uint64_t at[ITEMS_COUNT]; /* TIME_NEVER: not in the heap */
};

static void model_init(struct model *model)
{
    *model = (struct model){0};
    for (size_t index = 0; index < ITEMS_COUNT; index++) {
        model->at[index] = TIME_NEVER;
    }
    assert_true(heap_reserve(&model->heap, ITEMS_COUNT));
}

static void expect_agreement(const struct model *model)
{
    heap_check(&model->heap);
    uint64_t earliest = TIME_NEVER;
    uint32_t count = 0;
    for (size_t index = 0; index < ITEMS_COUNT; index++) {
        uint64_t at = model->at[index];
        assert_int_equal(heap_at(&model->heap, &model->items[index]), at);
        assert_int_equal(model->items[index].place != 0, at != TIME_NEVER);
        count += at != TIME_NEVER ? 1 : 0;
        earliest = at < earliest ? at : earliest;
    }
    assert_int_equal(model->heap.count, count);
    assert_int_equal(heap_first_at(&model->heap), earliest);
    const struct heap_item *first = heap_first(&model->heap);
    if (count == 0) {
        assert_null(first);
    } else {
        assert_int_equal(model->at[first - model->items], earliest);
    }
}

static void test_an_empty_heap_has_no_first_and_never_comes(void **state)
{
    (void)state;
    struct heap heap = {0};
    struct heap_item item = {0};
    assert_null(heap_first(&heap));
    assert_int_equal(heap_first_at(&heap), TIME_NEVER);
    assert_int_equal(heap_at(&heap, &item), TIME_NEVER);
    heap_remove(&heap, &item);
    heap_check(&heap);
    heap_deinit(&heap);
}

static void test_any_sequence_agrees_with_the_model(void **state)
{
    (void)state;
    struct model model;
    model_init(&model);
    struct random random;
    random_init(&random, 4);
    for (int step = 0; step < 50000; step++) {
        size_t index = (size_t)random_below(&random, ITEMS_COUNT);
        /* Few different times, so that equal ones are common; phases that fill and that empty. */
        bool is_filling = step / 1000 % 2 == 0;
        if (random_below(&random, 4) < (is_filling ? 3 : 1)) {
            model.at[index] = random_below(&random, 300);
            heap_set(&model.heap, &model.items[index], model.at[index]);
        } else {
            model.at[index] = TIME_NEVER;
            heap_remove(&model.heap, &model.items[index]);
        }
        expect_agreement(&model);
    }
    heap_deinit(&model.heap);
}

static void test_items_come_out_in_order(void **state)
{
    (void)state;
    struct model model;
    model_init(&model);
    struct random random;
    random_init(&random, 5);
    for (size_t index = 0; index < ITEMS_COUNT; index++) {
        model.at[index] = random_next(&random) >> 1;
        heap_set(&model.heap, &model.items[index], model.at[index]);
    }
    uint64_t last = 0;
    for (size_t count = ITEMS_COUNT; count > 0; count--) {
        struct heap_item *first = heap_first(&model.heap);
        assert_true(heap_first_at(&model.heap) >= last);
        last = heap_first_at(&model.heap);
        heap_remove(&model.heap, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(heap_first(&model.heap));
    heap_deinit(&model.heap);
}

static void test_reserving_more_keeps_what_is_in(void **state)
{
    (void)state;
    struct heap heap = {0};
    static struct heap_item items[1000];
    for (uint32_t count = 1; count <= 1000; count++) {
        assert_true(heap_reserve(&heap, count));
        heap_set(&heap, &items[count - 1], 1000 - count);
        assert_ptr_equal(heap_first(&heap), &items[count - 1]);
    }
    heap_check(&heap);
    assert_int_equal(heap_at(&heap, &items[0]), 999);
    heap_deinit(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_heap_has_no_first_and_never_comes),
        cmocka_unit_test(test_any_sequence_agrees_with_the_model),
        cmocka_unit_test(test_items_come_out_in_order),
        cmocka_unit_test(test_reserving_more_keeps_what_is_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
