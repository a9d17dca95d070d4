/* SPDX-License-Identifier: MIT */
/* Claims about src/base/log_limit.c. */
#include "unit.h"

#include "base/log_limit.h"
#include "base/units.h"

static void test_a_limit_lets_one_line_through_and_counts_the_others(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    uint64_t held = 99;
    assert_true(log_limit_pass(&limit, 5, 100, &held));
    assert_int_equal(held, 0);
    assert_false(log_limit_pass(&limit, 5, 100, &held));
    assert_false(log_limit_pass(&limit, 104, 100, &held));
    assert_true(log_limit_pass(&limit, 105, 100, &held));
    assert_int_equal(held, 2);
    assert_true(log_limit_pass(&limit, 1000, TIME_NEVER, &held));
    assert_int_equal(held, 0);
    assert_false(log_limit_pass(&limit, TIME_NEVER - 1, 100, &held));
}

/* Asks `count` times at one moment; how many passed. */
static unsigned passed(struct log_flow *flow, uint64_t now_ns, unsigned count, bool matters_more)
{
    unsigned sum = 0;
    for (unsigned index = 0; index < count; index++) {
        sum += log_flow_pass(flow, now_ns, matters_more) ? 1 : 0;
    }
    return sum;
}

static void test_a_flood_is_a_hundred_lines_a_second_and_a_number(void **state)
{
    (void)state;
    struct log_flow flow = {0};
    uint64_t now_ns = 7 * NS_PER_S;
    unsigned sum = 0;
    uint64_t told = 0;
    for (unsigned step = 0; step < 1000; step++, now_ns += 10 * NS_PER_MS) { /* ten seconds */
        sum += passed(&flow, now_ns, 20, false);
        told += log_flow_take_held(&flow, now_ns);
    }
    assert_true(sum <= 10 * LOG_FLOW_PER_SECOND + LOG_FLOW_PER_SECOND);
    assert_true(sum >= 10 * LOG_FLOW_PER_SECOND);
    told += log_flow_take_held(&flow, now_ns + NS_PER_S);
    assert_int_equal(sum + told, 20000);
}

static void test_the_last_lines_are_kept_for_what_matters_more(void **state)
{
    (void)state;
    struct log_flow flow = {0};
    assert_int_equal(passed(&flow, 5, 1000, false), LOG_FLOW_PER_SECOND - LOG_FLOW_KEPT);
    assert_int_equal(passed(&flow, 5, 1000, true), LOG_FLOW_KEPT);
    /* After half a second of nothing, half of it is back. */
    assert_int_equal(passed(&flow, 5 + NS_PER_S / 2, 1000, false),
                     LOG_FLOW_PER_SECOND / 2 - LOG_FLOW_KEPT);
    assert_int_equal(passed(&flow, 5 + NS_PER_S / 2, 1000, true), LOG_FLOW_KEPT);
    assert_int_equal(passed(&flow, 3600 * NS_PER_S, 1000, true), LOG_FLOW_PER_SECOND);
}

static void test_what_is_held_is_said_once_a_second_after_the_first(void **state)
{
    (void)state;
    struct log_flow flow = {0};
    uint64_t now_ns = 100;
    unsigned sum = passed(&flow, now_ns, 150, true);
    assert_int_equal(sum, LOG_FLOW_PER_SECOND);
    assert_int_equal(flow.due_ns, now_ns + NS_PER_S);
    assert_int_equal(log_flow_take_held(&flow, now_ns + NS_PER_S - 1), 0);
    assert_int_equal(log_flow_take_held(&flow, now_ns + NS_PER_S), 50);
    assert_int_equal(log_flow_take_held(&flow, now_ns + 9 * NS_PER_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_limit_lets_one_line_through_and_counts_the_others),
        cmocka_unit_test(test_a_flood_is_a_hundred_lines_a_second_and_a_number),
        cmocka_unit_test(test_the_last_lines_are_kept_for_what_matters_more),
        cmocka_unit_test(test_what_is_held_is_said_once_a_second_after_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
