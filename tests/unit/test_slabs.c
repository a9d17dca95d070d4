/* SPDX-License-Identifier: MIT */
/* Claims about src/base/slabs.c. */
#include <string.h>

#include "unit.h"

#include "base/slabs.h"

enum { TAKEN_MAX = 2 * SLABS_TRIM_MAX };

static struct slabs slabs;
static void *taken[TAKEN_MAX];

static int setup(void **state)
{
    (void)state;
    slabs_init(&slabs);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    slabs_deinit(&slabs);
    return slabs.count == 0 ? 0 : -1;
}

static void take(uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        taken[index] = slabs_take(&slabs);
        assert_non_null(taken[index]);
        assert_int_equal((uintptr_t)taken[index] % SLAB_BYTES, 0);
        memset(taken[index], 0xEE, SLAB_BYTES);
    }
}

static void give(uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        slabs_give(&slabs, taken[index]);
    }
}

static void test_what_was_given_last_is_taken_first(void **state)
{
    (void)state;
    take(3);
    give(3);
    assert_int_equal(slabs.count, 3);
    assert_ptr_equal(slabs_take(&slabs), taken[2]);
    assert_ptr_equal(slabs_take(&slabs), taken[1]);
    slabs_give(&slabs, taken[1]);
    slabs_give(&slabs, taken[2]);
}

static void test_no_more_stay_than_the_owner_allows(void **state)
{
    (void)state;
    slabs.count_max = 2;
    take(4);
    give(4);
    assert_int_equal(slabs.count, 2);
}

static void test_a_slab_stays_until_the_second_look(void **state)
{
    (void)state;
    take(4);
    give(4);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 4);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 0);
}

static void test_those_that_were_needed_stay(void **state)
{
    (void)state;
    take(10);
    give(10);
    slabs_trim(&slabs);
    take(4); /* busy: four of them come and go */
    give(4);
    take(3);
    give(3);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 4);
    take(4);
    give(4);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 4);
}

static void test_one_look_returns_so_many_at_most(void **state)
{
    (void)state;
    take(SLABS_TRIM_MAX + 5);
    give(SLABS_TRIM_MAX + 5);
    slabs_trim(&slabs);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 5);
    slabs_trim(&slabs);
    assert_int_equal(slabs.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_given_last_is_taken_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_stay_than_the_owner_allows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_slab_stays_until_the_second_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_those_that_were_needed_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_look_returns_so_many_at_most, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
