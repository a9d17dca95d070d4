/* SPDX-License-Identifier: MIT */
/*
 * Waiting awake: how long, when, and what is counted. The system calls here are a kernel whose next event
 * comes at a time that the test says, and in which each question takes a microsecond.
 */
#include <string.h>

#include "base/units.h"
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
    struct spin spin;
} world;

uint64_t sys_clock_ns(void)
{
    return world.now_ns;
}

void sys_yield(void)
{
    world.yielded++;
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    (void)epoll_fd, (void)events, (void)capacity;
    if (timeout_ns == 0) {
        world.asked++;
        world.now_ns += ASK_NS;
        return world.now_ns >= world.event_ns;
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

/* Auto, whatever processors there are here. */
static void begin_auto(void)
{
    begin(SPIN_AUTO);
    assert_true(world.spin.adapts);
    world.spin.limit_ns = US(50);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
