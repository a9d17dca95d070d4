/* SPDX-License-Identifier: MIT */
/* The time in which we ran: stalls are nobody's, and deadlines come all the same. */
#include "net/run_clock.h"
#include "net/sys.h"
#include "unit.h"

#define S(count) ((uint64_t)(count)*NS_PER_S)

static uint64_t system_ns;
static struct run_clock run_clock;

uint64_t sys_clock_ns(void)
{
    return system_ns;
}

static int begin(void **state)
{
    (void)state;
    system_ns = S(1000);
    run_clock_init(&run_clock);
    return 0;
}

/* Waits for `asked_ns`, and so long it took; how far the clock went. */
static uint64_t wait_ns(uint64_t asked_ns, uint64_t took_ns)
{
    uint64_t before_ns = run_clock.now_ns;
    system_ns += took_ns;
    return run_clock_read(&run_clock, asked_ns) - before_ns;
}

static void test_it_is_the_systems_clock_while_we_run(void **state)
{
    (void)state;
    assert_int_equal(run_clock.now_ns, S(1000));
    assert_int_equal(wait_ns(S(60), S(60) + STALL_NS), S(60) + STALL_NS);
    assert_int_equal(wait_ns(S(60), S(2)), S(2));
    assert_int_equal(wait_ns(0, STALL_NS), STALL_NS);
    assert_int_equal(wait_ns(TIME_NEVER, S(86400)), S(86400)); /* there was no deadline */
    assert_int_equal(run_clock.lost_ns, 0);
}

static void test_a_stall_counts_against_nobody(void **state)
{
    (void)state;
    assert_int_equal(wait_ns(S(5), S(3600)), 0);
    assert_int_equal(run_clock.lost_ns, S(3600));
    assert_int_equal(wait_ns(S(5), S(5)), S(5));
}

static void test_a_turn_that_took_long_counts_against_nobody(void **state)
{
    (void)state;
    for (unsigned turn = 0; turn < 3; turn++) { /* however often: nobody waits in a turn */
        assert_int_equal(wait_ns(0, S(10)), 0);
    }
    assert_int_equal(run_clock.lost_ns, S(30));
}

static void test_who_stops_us_often_puts_off_no_deadline_for_ever(void **state)
{
    (void)state;
    assert_int_equal(wait_ns(S(5), S(7)), 0);
    assert_int_equal(wait_ns(S(5), S(7)), S(5)); /* so it is due */
    assert_int_equal(run_clock.lost_ns, S(7) + S(2));
    assert_int_equal(wait_ns(S(9), S(20)), 0); /* it has made up for the first */
}

static void test_it_never_goes_back(void **state)
{
    (void)state;
    system_ns -= S(10);
    assert_int_equal(run_clock_read(&run_clock, S(1)), S(1000));
    assert_int_equal(run_clock.lost_ns, 0); /* and no time is thought lost */
    system_ns += S(11);
    assert_int_equal(run_clock_read(&run_clock, S(1)), S(1001));
}

#define FROM_START(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FROM_START(test_it_is_the_systems_clock_while_we_run),
        FROM_START(test_a_stall_counts_against_nobody),
        FROM_START(test_a_turn_that_took_long_counts_against_nobody),
        FROM_START(test_who_stops_us_often_puts_off_no_deadline_for_ever),
        FROM_START(test_it_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
