/* SPDX-License-Identifier: MIT */
/*
 * Waiting awake: how long, when, and what is counted. The system calls here are a kernel whose next event
 * comes at a time that the test says, and in which each question takes a microsecond.
 */
#include <string.h>

#include "base/units.h"
#include "net/cpu_quota.h"
#include "net/spin.h"
#include "net/sys.h"
#include "unit.h"

#define ASK_NS   NS_PER_US
#define SLEEP_NS (30 * NS_PER_US) /* to wake up takes so long */
#define US(n)    ((uint64_t)(n)*NS_PER_US)

static struct {
    uint64_t now_ns;
    uint64_t event_ns; /* when something comes */
    unsigned asked, yielded, slept;
    int64_t timeout_ns; /* of the last sleep */
    int processors;
    unsigned quota;       /* in percent */
    unsigned looked;      /* at the quota */
    uint64_t hog_ns;      /* a yield gives the processor away for so long */
    bool is_shared;       /* nothing comes as long as we are awake: who would bring it cannot run */
    uint64_t throttle_ns; /* a question takes so much longer: the quota is spent */
    struct spin spin;
} world;

uint64_t sys_clock_ns(void)
{
    return world.now_ns;
}

void sys_yield(void)
{
    world.yielded++;
    world.now_ns += world.hog_ns;
}

int sys_processors_count(void)
{
    return world.processors;
}

unsigned cpu_quota_percent(void)
{
    world.looked++;
    return world.quota;
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    (void)epoll_fd, (void)events, (void)capacity;
    if (timeout_ns == 0) {
        world.asked++;
        world.now_ns += ASK_NS + world.throttle_ns;
        return !world.is_shared && world.now_ns >= world.event_ns;
    }
    world.slept++;
    world.timeout_ns = timeout_ns;
    uint64_t until = timeout_ns < 0 ? UINT64_MAX : world.now_ns + (uint64_t)timeout_ns;
    bool is_due = world.event_ns <= until;
    world.now_ns = (is_due ? world.event_ns : until) + SLEEP_NS;
    return is_due;
}

static void begin(uint64_t duration_ns)
{
    memset(&world, 0, sizeof world);
    world.processors = 2;
    world.quota = CPU_QUOTA_NONE;
    spin_init(&world.spin, duration_ns);
}

/* Waits for something that comes after so long; the counts are of this wait. */
static int wait_for(uint64_t after_ns, int64_t timeout_ns)
{
    world.asked = world.yielded = world.slept = 0;
    world.event_ns = world.now_ns + after_ns;
    return spin_wait(&world.spin, 0, NULL, 1, timeout_ns);
}

static void test_off_sleeps_at_once(void **state)
{
    (void)state;
    begin(0);
    for (int turn = 0; turn < 100; turn++) {
        assert_int_equal(wait_for(US(5), -1), 1);
        assert_int_equal(world.asked, 0);
    }
    assert_int_equal(world.spin.spent_ns, 0);
}

static void test_what_comes_soon_is_met_awake(void **state)
{
    (void)state;
    begin(US(50));
    assert_int_equal(wait_for(US(20), -1), 1);
    assert_int_equal(world.asked, 20);
    assert_int_equal(world.yielded, 19); /* between the questions */
    assert_int_equal(world.slept, 0);
    assert_int_equal(world.spin.hits, 1);
    assert_int_equal(world.spin.spent_ns, US(20));
}

static void test_what_comes_late_is_slept_for(void **state)
{
    (void)state;
    begin(US(50));
    assert_int_equal(wait_for(US(500), (int64_t)US(400)), 0);
    assert_int_equal(world.slept, 1);
    assert_int_equal(world.timeout_ns, US(350)); /* what is left of it */
    assert_int_equal(wait_for(US(500), -1), 1);
    assert_int_equal(world.timeout_ns, -1);
    assert_int_equal(world.spin.misses, 2);
}

static void test_a_near_deadline_is_the_kernels(void **state)
{
    (void)state;
    begin(US(50));
    assert_int_equal(wait_for(US(500), (int64_t)US(50)), 0);
    assert_int_equal(world.asked, 0);
    assert_int_equal(world.slept, 1);
}

static void begin_auto(void)
{
    begin(SPIN_AUTO);
    assert_int_equal(world.spin.limit_ns, US(50));
}

static unsigned waits_until_awake(uint64_t after_ns)
{
    for (unsigned count = 0; count < 100; count++) {
        (void)wait_for(after_ns, -1);
        if (world.asked > 0) {
            return count;
        }
    }
    return 100;
}

static void test_auto_spins_behind_short_waits_alone(void **state)
{
    (void)state;
    begin_auto();
    assert_int_equal(waits_until_awake(US(200)), 100);
    assert_int_equal(waits_until_awake(US(20)), 8);
}

static void test_auto_gives_up_when_waits_are_long(void **state)
{
    (void)state;
    begin_auto();
    for (int turn = 0; turn < 100; turn++) {
        (void)wait_for(US(20), -1);
    }
    uint64_t misses = 0;
    while (wait_for(NS_PER_MS, -1) == 1 && world.asked > 0) {
        misses++;
    }
    assert_int_equal(misses, 3);
    for (int turn = 0; turn < 100; turn++) {
        (void)wait_for(NS_PER_MS, -1);
        assert_int_equal(world.asked, 0);
    }
}

static void test_auto_sleeps_where_every_third_wait_is_long(void **state)
{
    (void)state;
    begin_auto();
    uint64_t asked = 0;
    for (int turn = 0; turn < 1000; turn++) {
        (void)wait_for(turn % 3 == 0 ? NS_PER_MS : US(20), -1);
        asked += world.asked > 0;
    }
    assert_int_equal(asked, 0);
}

static void test_auto_sleeps_on_a_machine_with_one_processor(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.processors = 1;
    spin_init(&world.spin, SPIN_AUTO);
    assert_int_equal(waits_until_awake(US(20)), 100);
}

/* What is there already has not been worth staying awake for. */
static void test_auto_gives_up_though_most_waits_find_something_at_once(void **state)
{
    (void)state;
    begin_auto();
    for (int turn = 0; turn < 100; turn++) {
        (void)wait_for(US(20), -1);
    }
    for (int misses = 0; misses < 3; misses++) {
        for (int turn = 0; turn < 10; turn++) {
            (void)wait_for(0, -1);
            assert_int_equal(world.asked, 1);
        }
        (void)wait_for(NS_PER_MS, -1);
        assert_true(world.asked > 1);
    }
    (void)wait_for(0, -1);
    assert_int_equal(world.asked, 0);
}

/* Asleep all waits are short. */
static void test_where_nothing_comes_while_it_is_awake_auto_nearly_always_sleeps(void **state)
{
    (void)state;
    begin_auto();
    world.is_shared = true;
    while (world.now_ns < 10 * NS_PER_S) {
        (void)wait_for(US(20), -1);
    }
    assert_in_range(world.spin.misses, 1, 100);
    assert_true(world.spin.spent_ns < world.now_ns / 1000);
}

/* ---- a quota ---- */

static void test_with_a_quota_below_a_processor_auto_sleeps(void **state)
{
    (void)state;
    begin_auto();
    world.quota = 99;
    assert_int_equal(waits_until_awake(US(20)), 100);
    begin_auto();
    world.quota = 100;
    assert_int_equal(waits_until_awake(US(20)), 8);
}

static void test_a_quota_that_changes_is_seen_within_a_fifth_of_a_second(void **state)
{
    (void)state;
    begin_auto();
    assert_int_equal(waits_until_awake(US(20)), 8);
    world.quota = 50;
    world.now_ns += 200 * NS_PER_MS;
    assert_int_equal(waits_until_awake(US(20)), 100);
    world.quota = CPU_QUOTA_NONE;
    world.now_ns += 200 * NS_PER_MS;
    assert_int_equal(waits_until_awake(US(20)), 0);
}

static void test_the_quota_is_looked_at_five_times_a_second_and_never_at_rest(void **state)
{
    (void)state;
    begin_auto();
    for (int turn = 0; turn < 1000; turn++) {
        (void)wait_for(10 * NS_PER_MS, -1);
    }
    assert_int_equal(world.looked, 0);
    uint64_t from_ns = world.now_ns;
    while (world.now_ns < from_ns + NS_PER_S) {
        (void)wait_for(US(20), -1);
    }
    assert_in_range(world.looked, 5, 6);
}

/* ---- robbed ---- */

/* Auto with so many short waits behind it. */
static void begin_busy(unsigned waits)
{
    begin_auto();
    for (unsigned turn = 0; turn < waits; turn++) {
        (void)wait_for(US(20), -1);
    }
}

/* A short wait with somebody on the processor who keeps it for so long; the time that it takes. */
static uint64_t is_robbed_for(uint64_t hog_ns)
{
    uint64_t start_ns = world.now_ns;
    world.hog_ns = hog_ns;
    assert_int_equal(wait_for(US(20), -1), 1);
    world.hog_ns = 0;
    assert_true(world.asked > 0);
    return world.now_ns - start_ns;
}

static bool is_awake(void)
{
    (void)wait_for(US(20), -1);
    return world.asked > 0;
}

/* The next wait that may be awake is so much later. */
static void expect_pause(uint64_t ns)
{
    uint64_t from_ns = world.now_ns;
    while (world.now_ns + US(200) < from_ns + ns) {
        assert_false(is_awake());
        world.now_ns += ns / 100;
        world.now_ns =
            world.now_ns < from_ns + ns - US(100) ? world.now_ns : from_ns + ns - US(100);
    }
    world.now_ns = from_ns + ns - 1;
    assert_false(is_awake());
    world.now_ns = from_ns + ns;
    assert_true(is_awake());
}

static void test_behind_a_robbed_wait_auto_pauses_ten_times_as_long(void **state)
{
    (void)state;
    begin_busy(100);
    uint64_t took_ns = is_robbed_for(3 * NS_PER_MS);
    assert_true(took_ns > 3 * NS_PER_MS);
    assert_int_equal(world.spin.robbed, 1);
    expect_pause(10 * took_ns);
}

static void test_a_spent_quota_robs_as_well(void **state)
{
    (void)state;
    begin_busy(100);
    uint64_t start_ns = world.now_ns;
    world.throttle_ns = 40 * NS_PER_MS;
    assert_int_equal(wait_for(US(20), -1), 1);
    world.throttle_ns = 0;
    assert_int_equal(world.spin.robbed, 1);
    expect_pause(10 * (world.now_ns - start_ns));
}

static void test_the_turn_of_somebody_quick_is_no_robbery(void **state)
{
    (void)state;
    begin_busy(100);
    for (int turn = 0; turn < 100; turn++) {
        assert_true(is_robbed_for(US(500)) > US(500));
    }
    assert_int_equal(world.spin.robbed, 0);
    (void)is_robbed_for(US(550));
    assert_int_equal(world.spin.robbed, 1);
}

static void test_a_robbed_wait_counts_as_long_whatever_it_found(void **state)
{
    (void)state;
    begin_busy(8);
    (void)is_robbed_for(3 * NS_PER_MS);
    world.now_ns += NS_PER_S;
    assert_int_equal(waits_until_awake(US(20)), 3);
}

/* So long, with some short waits at its beginning, which restore the score. */
static void passes(uint64_t ns)
{
    uint64_t until_ns = world.now_ns + ns;
    for (int turn = 0; turn < 5; turn++) {
        assert_false(is_awake());
    }
    assert_true(world.now_ns < until_ns);
    world.now_ns = until_ns;
}

static void test_robbed_again_soon_auto_pauses_twice_as_long(void **state)
{
    (void)state;
    begin_busy(100);
    uint64_t pause_ns = 10 * is_robbed_for(3 * NS_PER_MS);
    for (int time = 0; time < 3; time++) {
        passes(2 * pause_ns - NS_PER_MS); /* the pause, and nearly as long again */
        (void)is_robbed_for(US(600));
        pause_ns *= 2;
    }
    expect_pause(pause_ns);
}

static void test_robbed_much_later_auto_begins_again(void **state)
{
    (void)state;
    begin_busy(100);
    uint64_t pause_ns = 10 * is_robbed_for(3 * NS_PER_MS);
    passes(2 * pause_ns);
    expect_pause(10 * is_robbed_for(US(600)));
}

static void test_no_pause_is_longer_than_a_second(void **state)
{
    (void)state;
    begin_busy(100);
    for (int time = 0; time < 4; time++) {
        (void)is_robbed_for(5 * NS_PER_S);
        passes(NS_PER_S);
    }
    (void)is_robbed_for(5 * NS_PER_S);
    expect_pause(NS_PER_S);
}

static void test_a_duration_is_kept_to_whoever_robs(void **state)
{
    (void)state;
    begin(US(50));
    (void)is_robbed_for(3 * NS_PER_MS);
    assert_true(is_awake());
    assert_int_equal(world.spin.robbed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_sleeps_at_once),
        cmocka_unit_test(test_what_comes_soon_is_met_awake),
        cmocka_unit_test(test_what_comes_late_is_slept_for),
        cmocka_unit_test(test_a_near_deadline_is_the_kernels),
        cmocka_unit_test(test_auto_spins_behind_short_waits_alone),
        cmocka_unit_test(test_auto_gives_up_when_waits_are_long),
        cmocka_unit_test(test_auto_sleeps_where_every_third_wait_is_long),
        cmocka_unit_test(test_auto_gives_up_though_most_waits_find_something_at_once),
        cmocka_unit_test(test_where_nothing_comes_while_it_is_awake_auto_nearly_always_sleeps),
        cmocka_unit_test(test_auto_sleeps_on_a_machine_with_one_processor),
        cmocka_unit_test(test_with_a_quota_below_a_processor_auto_sleeps),
        cmocka_unit_test(test_a_quota_that_changes_is_seen_within_a_fifth_of_a_second),
        cmocka_unit_test(test_the_quota_is_looked_at_five_times_a_second_and_never_at_rest),
        cmocka_unit_test(test_behind_a_robbed_wait_auto_pauses_ten_times_as_long),
        cmocka_unit_test(test_a_spent_quota_robs_as_well),
        cmocka_unit_test(test_the_turn_of_somebody_quick_is_no_robbery),
        cmocka_unit_test(test_a_robbed_wait_counts_as_long_whatever_it_found),
        cmocka_unit_test(test_robbed_again_soon_auto_pauses_twice_as_long),
        cmocka_unit_test(test_robbed_much_later_auto_begins_again),
        cmocka_unit_test(test_no_pause_is_longer_than_a_second),
        cmocka_unit_test(test_a_duration_is_kept_to_whoever_robs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
