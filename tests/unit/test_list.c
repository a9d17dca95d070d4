/* SPDX-License-Identifier: MIT */
/* Claims about src/base/list.h. */
#include <assert.h>

#include "unit.h"

#include "base/list.h"
#include "base/random.h"

struct item {
    int number;
    struct list node;
};

enum { ITEMS_COUNT = 8 };

static struct list head;
static struct item items[ITEMS_COUNT];

static int setup(void **state)
{
    (void)state;
    list_init(&head);
    for (int index = 0; index < ITEMS_COUNT; index++) {
        items[index] = (struct item){.number = index};
    }
    return 0;
}

static int number_of(struct list *node)
{
    assert(node != NULL);
    return LIST_ENTRY(node, struct item, node)->number;
}

/* The list must hold exactly these numbers, forwards and backwards. */
static void expect_numbers(const int *numbers, int count)
{
    assert_int_equal(list_is_empty(&head), count == 0);
    if (count == 0) {
        assert_null(list_first(&head));
        assert_null(list_last(&head));
        return;
    }
    struct list *node = list_first(&head);
    for (int index = 0; index < count; index++) {
        assert(node != NULL);
        assert(node->prev != NULL);
        assert(node->next != NULL);
        assert_int_equal(number_of(node), numbers[index]);
        assert_ptr_equal(node->prev->next, node);
        assert_ptr_equal(node->next->prev, node);
        node = list_next(&head, node);
    }
    assert_null(node);
    assert_int_equal(number_of(list_last(&head)), numbers[count - 1]);
}

static void test_a_new_list_is_empty(void **state)
{
    (void)state;
    expect_numbers(NULL, 0);
    assert_false(list_is_linked(&items[0].node));
}

static void test_nodes_stand_where_they_were_put(void **state)
{
    (void)state;
    list_push_back(&head, &items[1].node);
    list_push_back(&head, &items[2].node);
    list_push_front(&head, &items[0].node);
    list_insert_before(&items[2].node, &items[5].node);
    expect_numbers((int[]){0, 1, 5, 2}, 4);
    assert_true(list_is_linked(&items[5].node));
}

static void test_a_removed_node_can_be_added_again(void **state)
{
    (void)state;
    list_push_back(&head, &items[0].node);
    list_push_back(&head, &items[1].node);
    list_remove(&items[0].node);
    assert_false(list_is_linked(&items[0].node));
    expect_numbers((int[]){1}, 1);
    list_push_back(&head, &items[0].node);
    expect_numbers((int[]){1, 0}, 2);
}

static void test_dropping_a_node_twice_is_nothing(void **state)
{
    (void)state;
    list_push_back(&head, &items[0].node);
    list_drop(&items[0].node);
    list_drop(&items[0].node);
    list_drop(&items[1].node);
    expect_numbers(NULL, 0);
}

/* The model is an array of numbers, in which inserting and removing move the rest. */
static void test_any_sequence_agrees_with_an_array(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 3);
    int model[ITEMS_COUNT];
    int count = 0;
    for (int step = 0; step < 20000; step++) {
        int number = (int)random_below(&random, ITEMS_COUNT);
        struct list *node = &items[number].node;
        int place = 0;
        while (place < count && model[place] != number) {
            place++;
        }
        assert_int_equal(list_is_linked(node), place < count);
        if (place < count) {
            list_remove(node);
            for (count--; place < count; place++) {
                model[place] = model[place + 1];
            }
        } else {
            int target = (int)random_below(&random, (uint64_t)count + 1);
            if (target == count) {
                list_push_back(&head, node);
            } else {
                list_insert_before(&items[model[target]].node, node);
            }
            for (int index = count++; index > target; index--) {
                model[index] = model[index - 1];
            }
            model[target] = number;
        }
        expect_numbers(model, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_new_list_is_empty, setup),
        cmocka_unit_test_setup(test_nodes_stand_where_they_were_put, setup),
        cmocka_unit_test_setup(test_a_removed_node_can_be_added_again, setup),
        cmocka_unit_test_setup(test_dropping_a_node_twice_is_nothing, setup),
        cmocka_unit_test_setup(test_any_sequence_agrees_with_an_array, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
