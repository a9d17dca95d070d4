/* SPDX-License-Identifier: MIT */
/*
 * A target that closes links behind answers and does not say so. What crosses its close is lost; after two
 * such losses a close is waited for, until ten answers in a row had none behind them.
 */
#include <string.h>

#include "mux_play.h"

enum { ANSWERS_STAYED = 10 };

static struct peer *one;

static void open_route(const struct protocol *protocol, uint32_t in_flight)
{
    struct mux_options options = play_options(protocol);
    options.in_flight_max = in_flight;
    play_open(&options);
    one = play_client();
}

static struct peer *newest(void)
{
    return play_link(play.links_count);
}

/* One exchange, whose request has to wait so long and not less. */
static void served_after(uint64_t wait_ns)
{
    play_say(one, "w\n");
    if (wait_ns > 0) {
        play_time(wait_ns - 1);
        play_got(newest(), "");
        play_time(1);
    }
    play_got(newest(), "w\n");
    play_say(newest(), "A\n");
    play_got(one, "A\n");
}

/* A request crosses the close. */
static void lost(void)
{
    play_say(one, "w\n");
    play_got(newest(), "w\n");
    play_end(newest());
    play_got(one, PLAY_BROKEN);
}

/* The close is waited for from now on, and a link is there that has answered. */
static void two_are_lost(void)
{
    for (unsigned count = 0; count < 2; count++) {
        served_after(0);
        lost();
    }
    served_after(0);
}

static void stays(unsigned answers)
{
    for (unsigned count = 0; count < answers; count++) {
        served_after(MS(20));
    }
}

static void test_a_close_is_waited_for_after_the_second_request_that_was_lost(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    served_after(0);
    lost();
    served_after(0);
    served_after(0);
    lost();
    assert_int_equal(play_counters()->crossed, 2);
    served_after(0); /* a new link has nothing to wait for */
    served_after(MS(20));
}

static void test_a_close_that_is_waited_for_costs_nothing(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    two_are_lost();
    for (unsigned count = 0; count < 5; count++) {
        uint64_t links = play.links_count;
        play_say(one, "w\n");
        play_time(MS(10));
        play_end(newest());
        assert_int_equal(play.links_count, links + 1); /* at once */
        play_got(newest(), "w\n");
        play_say(newest(), "A\n");
        play_got(one, "A\n");
    }
    assert_int_equal(play_counters()->crossed, 2);
    assert_int_equal(play_counters()->error_replies, 2);
    assert_int_equal(play_counters()->links_failed, 0);
}

static void test_a_reset_is_a_close(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    for (unsigned count = 0; count < 2; count++) {
        served_after(0);
        play_say(one, "w\n");
        play_reset(newest());
        play_got(one, PLAY_BROKEN);
    }
    served_after(0);
    served_after(MS(20));
    play_reset(newest());
    served_after(0);
}

static void test_ten_answers_without_a_close_end_the_waiting(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    two_are_lost();
    stays(ANSWERS_STAYED);
    served_after(0);
    lost(); /* and it begins anew */
    served_after(0);
    served_after(0);
    lost();
    served_after(0);
    served_after(MS(20));
}

static void test_a_close_in_the_silence_begins_the_ten_anew(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    two_are_lost();
    stays(ANSWERS_STAYED - 1);
    play_time(MS(20));
    play_end(newest());
    served_after(0); /* on a new link, which shows nothing of how the last answer went */
    stays(ANSWERS_STAYED);
    served_after(0);
}

static void test_the_end_of_an_idle_link_is_no_such_close(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    two_are_lost();
    stays(ANSWERS_STAYED - 1);
    play_time(SECONDS(5));
    play_end(newest());
    served_after(0);
    stays(1);
    served_after(0);
}

static void test_one_that_was_lost_is_forgotten_after_ten_answers(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    served_after(0);
    lost();
    served_after(0);
    for (unsigned count = 0; count < ANSWERS_STAYED; count++) {
        served_after(0);
    }
    lost();
    served_after(0);
    served_after(0);
}

static void test_a_request_that_is_sent_again_was_lost_once(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    served_after(0);
    for (unsigned count = 0; count < 2; count++) {
        play_say(one, "g\n");
        play_got(newest(), "g\n");
        play_end(newest());
        play_got(newest(), "g\n");
        play_say(newest(), "A\n");
        play_got(one, "A\n");
    }
    assert_int_equal(play_counters()->resent, 2);
    assert_int_equal(play_counters()->crossed, 2);
    served_after(MS(20));
}

static void test_what_ends_otherwise_did_not_cross_a_close(void **state)
{
    (void)state;
    open_route(&play_by_order, 1);
    for (unsigned count = 0; count < 3; count++) {
        served_after(0);
        play_say(one, "w\n");
        play_got(newest(), "w\n");
        play_say(newest(), "A"); /* it was read, and answered in part */
        play_end(newest());
        play_got(one, PLAY_BROKEN);
    }
    served_after(0);
    play_say(one, "w\n");
    play_got(newest(), "w\n");
    play_say(newest(), "C\n"); /* which says so */
    play_got(one, "C\n");
    for (unsigned count = 0; count < 3; count++) { /* links that have answered nothing */
        lost();
        play_time(SECONDS(30));
    }
    assert_int_equal(play_counters()->crossed, 0);
    served_after(0);
    served_after(0);
}

/* All that stood behind an answer is lost with one close. Then a link carries one at a time until it is
 * trusted, and what stands behind others does not wait. */
static void test_a_pipeline_loses_once_all_that_is_in_it(void **state)
{
    (void)state;
    open_route(&play_by_order, 3);
    for (unsigned count = 1; count <= 2; count++) {
        served_after(0);
        play_say(one, "w1\nw2\nw3\n");
        play_end(newest());
        play_got(one, PLAY_BROKEN PLAY_BROKEN PLAY_BROKEN);
        assert_int_equal(play_counters()->crossed, count);
        served_after(0);
        if (count == 1) {
            served_after(0); /* trusted */
        }
    }
    play_say(one, "w1\nw2\nw3\n");
    play_got(newest(), "");
    play_time(MS(20));
    play_got(newest(), "w1\n");
    play_say(newest(), "A\n");
    play_got(newest(), "");
    play_time(MS(20));
    play_got(newest(), "w2\nw3\n"); /* it has answered two */
    play_say(play_client(), "w4\n");
    play_got(newest(), "w4\n"); /* what is in front of it keeps the link awake */
}

static void test_identifiers_make_no_difference(void **state)
{
    (void)state;
    open_route(&play_by_id, 1);
    for (unsigned count = 0; count < 2; count++) {
        play_say(one, "w0001\n");
        char answer[] = "w0000\n";
        assert_int_equal(newest()->got_size, sizeof answer - 1);
        memcpy(answer, newest()->got, sizeof answer - 1);
        newest()->got_size = 0;
        play_say(newest(), answer);
        play_got(one, "w0001\n");
        play_say(one, "w0002\n");
        play_end(newest());
        play_got(one, PLAY_BROKEN);
    }
    assert_int_equal(play_counters()->crossed, 2);
}

#define claim(test) cmocka_unit_test_teardown(test, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(test_a_close_is_waited_for_after_the_second_request_that_was_lost),
        claim(test_a_close_that_is_waited_for_costs_nothing),
        claim(test_a_reset_is_a_close),
        claim(test_ten_answers_without_a_close_end_the_waiting),
        claim(test_a_close_in_the_silence_begins_the_ten_anew),
        claim(test_the_end_of_an_idle_link_is_no_such_close),
        claim(test_one_that_was_lost_is_forgotten_after_ten_answers),
        claim(test_a_request_that_is_sent_again_was_lost_once),
        claim(test_what_ends_otherwise_did_not_cross_a_close),
        claim(test_a_pipeline_loses_once_all_that_is_in_it),
        claim(test_identifiers_make_no_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
