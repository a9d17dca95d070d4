/* SPDX-License-Identifier: MIT */
/*
 * Several links: which of them takes a request, when another one is opened, and when one goes.
 */
#include "mux_play.h"

static struct mux_options pool_of(uint32_t links, uint32_t in_flight)
{
    struct mux_options options = play_options(&play_by_order);
    options.links_max = links;
    options.in_flight_max = in_flight;
    return options;
}

static void open_pool(uint32_t links, uint32_t in_flight)
{
    struct mux_options options = pool_of(links, in_flight);
    play_open(&options);
}

static struct peer *asking(const char *text)
{
    struct peer *client = play_client();
    play_say(client, text);
    return client;
}

/* ---- how many ---- */

static void test_another_link_is_opened_when_all_are_full_and_none_beyond_the_limit(void **state)
{
    (void)state;
    open_pool(2, 2);
    asking("w1\n");
    asking("w2\n");
    assert_int_equal(play.attempts, 1); /* there was room */
    asking("w3\n");
    assert_int_equal(play.attempts, 2);
    asking("w4\n");
    asking("w5\n");
    assert_int_equal(play.attempts, 2);
    play_got(play_link(1), "w1\nw2\n");
    play_got(play_link(2), "w3\nw4\n");
    play_say(play_link(2), "A3\n");
    play_got(play_link(2), "w5\n");
}

static void test_one_client_opens_one_link(void **state)
{
    (void)state;
    open_pool(4, 1);
    struct peer *client = asking("w1\nw2\nw3\n");
    for (size_t count = 0; count < 3; count++) {
        play_say(play_link(1), "A\n");
    }
    play_got(client, "A\nA\nA\n");
    assert_int_equal(play.attempts, 1);
}

static void test_one_link_is_opened_at_a_time(void **state)
{
    (void)state;
    struct mux_options options = pool_of(4, 1);
    options.delay_ns = MS(100);
    play_open(&options);
    asking("w1\n");
    asking("w2\n");
    asking("w3\n");
    assert_int_equal(play.attempts, 1); /* what it will take is not known before --delay is over */
    play_time(MS(100));
    assert_int_equal(play.attempts, 2);
    play_time(MS(100));
    assert_int_equal(play.attempts, 3);
    play_time(MS(1000));
    assert_int_equal(play.attempts, 3);
}

static void test_a_link_counts_until_it_is_closed(void **state)
{
    (void)state;
    open_pool(1, 1);
    struct peer *one = asking("w1\n");
    play_got(play_link(1), "w1\n");
    play.sleeps = true;
    play_say(play_link(1), "A1\nstray\n");
    play_got(one, "A1\n");
    assert_true(play_link(1)->ended);
    asking("w2\n");
    assert_int_equal(play.attempts, 1); /* the target has not noticed yet */
    play_end(play_link(1));
    assert_true(play_link(1)->closed);
    assert_int_equal(play.attempts, 2);
    play_time(MS(50)); /* what it said might have been a late greeting */
    play_got(play_link(2), "w2\n");
}

static void test_a_link_that_is_retired_counts_among_several(void **state)
{
    (void)state;
    open_pool(2, 1);
    asking("w1\n");
    asking("w2\n");
    assert_int_equal(play.attempts, 2);
    play.sleeps = true;
    play_say(play_link(1), "A1\nstray\n");
    asking("w3\n");
    assert_int_equal(play.attempts, 2);
    play_end(play_link(1));
    assert_int_equal(play.attempts, 3);
    play_time(MS(50));
    play_got(play_link(3), "w3\n");
}

/* ---- which one ---- */

static void test_a_request_goes_to_the_link_with_the_fewest_in_flight(void **state)
{
    (void)state;
    open_pool(2, 3);
    for (const char *text = "1234"; *text != '\0'; text++) {
        char request[] = {'w', *text, '\n', '\0'};
        asking(request);
    }
    play_got(play_link(1), "w1\nw2\nw3\n");
    play_got(play_link(2), "w4\n");
    asking("w5\n");
    play_got(play_link(2), "w5\n");
    play_say(play_link(1), "A1\nA2\n");
    asking("w6\n");
    play_got(play_link(1), "w6\n");
}

static void test_a_client_with_a_request_in_flight_stays_on_its_link(void **state)
{
    (void)state;
    open_pool(2, 1);
    struct peer *one = asking("w1\n");
    asking("w2\n");
    play_got(play_link(1), "w1\n");
    play_got(play_link(2), "w2\n");
    play_say(play_link(2), "A2\n");
    play_say(one, "w3\n");
    play_got(play_link(2), ""); /* though it has nothing to do */
    play_say(play_link(1), "A1\n");
    play_got(play_link(1), "w3\n");
}

static void test_who_waits_for_its_own_link_does_not_hold_up_others(void **state)
{
    (void)state;
    open_pool(2, 1);
    struct peer *one = asking("w1\nw2\n");
    asking("w3\n");
    play_got(play_link(1), "w1\n");
    play_got(play_link(2), "w3\n");
    play_say(play_link(2), "A3\n");
    asking("w4\n");
    play_got(play_link(2), "w4\n");
    play_say(play_link(1), "A1\n");
    play_got(one, "A1\n");
    play_got(play_link(1), "w2\n");
}

static void test_what_must_be_alone_keeps_one_link_free_and_no_other(void **state)
{
    (void)state;
    open_pool(2, 2);
    asking("g1\n");
    asking("g2\n");
    asking("g3\n");
    play_got(play_link(1), "g1\ng2\n");
    play_got(play_link(2), "g3\n");
    asking("p4\n");
    asking("g5\n");
    play_got(play_link(2), ""); /* it has room, and is kept */
    play_say(play_link(1), "A1\n");
    play_got(play_link(1), "g5\n");
    play_say(play_link(2), "A3\n");
    play_got(play_link(2), "p4\n");
    asking("g6\n");
    play_got(play_link(2), "");
    play_say(play_link(2), "A4\n");
    play_got(play_link(2), "g6\n");
}

static void test_what_must_be_alone_goes_to_the_link_that_is_empty_first(void **state)
{
    (void)state;
    open_pool(2, 2);
    asking("g1\n");
    asking("g2\n");
    asking("g3\n");
    asking("p4\n"); /* reserves the second, which has less */
    play_say(play_link(1), "A1\nA2\n");
    play_got(play_link(1), "g1\ng2\np4\n");
    asking("g5\n");
    play_got(play_link(2), "g3\ng5\n"); /* for everybody again */
}

static void test_what_must_be_alone_opens_a_link(void **state)
{
    (void)state;
    open_pool(2, 2);
    asking("g1\n");
    asking("p2\n");
    assert_int_equal(play.attempts, 2);
    play_got(play_link(2), "p2\n");
    asking("g3\n");
    play_got(play_link(1), "g1\ng3\n");
}

static void test_who_has_requests_on_a_link_is_alone_there(void **state)
{
    (void)state;
    open_pool(2, 2);
    asking("g1\np2\n");
    assert_int_equal(play.attempts, 1);
    play_got(play_link(1), "g1\n");
    play_say(play_link(1), "A1\n");
    play_got(play_link(1), "p2\n");
}

static void test_a_link_that_breaks_frees_who_waited_for_it(void **state)
{
    (void)state;
    open_pool(2, 1);
    struct peer *one = asking("w1\nw2\n");
    asking("w3\n");
    play_say(play_link(2), "A3\n");
    play_got(play_link(2), "w3\n");
    play_reset(play_link(1));
    play_got(one, PLAY_BROKEN);
    play_got(play_link(2), "w2\n");
}

static void test_clients_that_leave_in_mid_request_do_not_make_the_pause_grow(void **state)
{
    (void)state;
    open_pool(1, 1);
    for (size_t round = 1; round <= 6; round++) {
        struct peer *uploader = asking("s1\nhalf\n");
        play_time(play_options(&play_by_order).retry_delay_min_ns * 5 / 4);
        play_got(play_link(round), "s1\nhalf\n");
        play_reset(uploader);
    }
    asking("w7\n");
    play_time(play_options(&play_by_order).retry_delay_min_ns * 5 / 4);
    play_got(play_link(7), "w7\n");
}

static void test_nor_do_clients_that_stall_in_mid_request(void **state)
{
    (void)state;
    struct mux_options options = pool_of(1, 1);
    options.response_timeout_ns = options.retry_delay_min_ns;
    play_open(&options);
    for (size_t round = 1; round <= 6; round++) {
        asking("s1\nhalf\n");
        play_time(options.retry_delay_min_ns * 5 / 4);
        play_got(play_link(round), "s1\nhalf\n");
        play_time(options.response_timeout_ns);
    }
    asking("w7\n");
    play_time(options.retry_delay_min_ns * 5 / 4);
    play_got(play_link(7), "w7\n");
}

static void test_nor_do_they_have_the_target_connected_again_at_once(void **state)
{
    (void)state;
    open_pool(1, 1);
    play_reset(asking("s1\nhalf\n"));
    asking("w2\n");
    assert_int_equal(play.attempts, 1);
    play_time(play_options(&play_by_order).retry_delay_min_ns * 5 / 4);
    play_got(play_link(2), "w2\n");
}

static void test_outages_add_up_for_a_request_that_waits(void **state)
{
    (void)state;
    struct mux_options options = pool_of(1, 1);
    options.queue_timeout_ns = SECONDS(5);
    options.delay_ns = SECONDS(10); /* so that it waits though there is a link */
    options.retry_delay_min_ns = options.retry_delay_max_ns = MS(100);
    play_open(&options);
    play.refuses = true;
    struct peer *one = asking("w1\n");
    play_time(SECONDS(3));
    play.refuses = false;
    play_time(SECONDS(4));
    play_got(one, "");
    play.refuses = true;
    play_reset(play_link(1));
    play_time(MS(1500));
    play_got(one, "");
    play_time(MS(500));
    play_got(one, PLAY_UNREACHABLE);
}

static void test_what_comes_while_the_delay_runs_is_nobodys(void **state)
{
    (void)state;
    static const char *const greetings[] = {"Ahello\n", "Ahel"};
    for (size_t index = 0; index < ARRAY_COUNT(greetings); index++) {
        struct mux_options options = pool_of(1, 1);
        options.delay_ns = MS(100);
        play_open(&options);
        struct peer *one = asking("w1\n");
        play_say(play_link(1), greetings[index]);
        play_got(one, "");
        play_time(MS(100));
        play_got(play_link(1), "w1\n");
        play_say(play_link(1), "A1\n");
        play_got(one, "A1\n");
        (void)play_close(NULL);
    }
}

/* ---- when they go ---- */

static void test_links_that_nobody_uses_are_closed(void **state)
{
    (void)state;
    struct mux_options options = pool_of(2, 1);
    options.link_idle_ns = SECONDS(3);
    play_open(&options);
    asking("w1\n");
    asking("w2\n");
    play_say(play_link(2), "A2\n");
    play_time(SECONDS(3) - 1);
    assert_false(play_link(2)->ended);
    play_time(1);
    assert_true(play_link(2)->ended);
    assert_false(play_link(1)->ended); /* it has something to do */
    play_say(play_link(1), "A1\n");
    play_time(SECONDS(3));
    assert_true(play_link(1)->ended);
    assert_int_equal(play_counters()->links, 0);
}

/* It used to stay for as long as anybody waited for anything. */
static void test_a_link_is_idle_while_all_who_wait_are_bound_to_another(void **state)
{
    (void)state;
    struct mux_options options = pool_of(2, 1);
    options.link_idle_ns = SECONDS(3);
    play_open(&options);
    asking("w1\nw2\nw3\n"); /* its own link, one after the other */
    asking("w4\n");
    play_say(play_link(2), "A4\n");
    play_time(SECONDS(3));
    assert_true(play_link(2)->ended);
    assert_false(play_link(1)->ended);
}

static void test_a_link_that_is_old_takes_no_more_and_is_replaced_when_it_has_answered(void **state)
{
    (void)state;
    struct mux_options options = pool_of(1, 4);
    options.link_lifetime_ns = SECONDS(5);
    play_open(&options);
    struct peer *one = asking("w1\n");
    play_got(play_link(1), "w1\n");
    play_time(SECONDS(5));
    assert_false(play_link(1)->ended);
    play.sleeps = true;
    struct peer *two = asking("w2\n");
    play_got(play_link(1), "");
    play_say(play_link(1), "A1\n");
    play_got(one, "A1\n");
    play_time(0);
    assert_true(play_link(1)->ended);
    assert_int_equal(play.attempts, 1); /* one slot: when the target has noticed */
    play_end(play_link(1));
    assert_int_equal(play.attempts, 2);
    play_got(play_link(2), "w2\n");
    play_say(play_link(2), "A2\n");
    play_got(two, "A2\n");
}

static void test_a_link_that_is_old_and_idle_goes_at_once(void **state)
{
    (void)state;
    struct mux_options options = pool_of(1, 1);
    options.link_lifetime_ns = SECONDS(5);
    play_open(&options);
    asking("w1\n");
    play_say(play_link(1), "A1\n");
    play_time(SECONDS(5) - 1);
    assert_false(play_link(1)->ended);
    play_time(1);
    assert_true(play_link(1)->closed);
    assert_int_equal(play.attempts, 1);
}

/* ---- a target that grants fewer ---- */

static void test_extra_links_have_a_back_off_of_their_own(void **state)
{
    (void)state;
    struct mux_options options = pool_of(2, 1);
    options.retry_delay_min_ns = SECONDS(10);
    options.retry_delay_max_ns = SECONDS(30);
    play_open(&options);
    struct peer *one = asking("w1\n");
    play_say(play_link(1), "A1\n");
    play.refuses = true;
    play_say(one, "w2\n");
    asking("w3\n");
    assert_int_equal(play.attempts, 2);
    play_time(SECONDS(10) - 1);
    assert_int_equal(play.attempts, 2); /* whoever waits: there is a link */
    play.refuses = false;
    play_reset(play_link(1));
    assert_int_equal(play.attempts, 3); /* the only one: at once */
    play_got(one, "A1\n" PLAY_BROKEN);
    play_got(play_link(2), "w3\n");
}

static void test_an_extra_link_is_tried_again_while_it_is_wanted(void **state)
{
    (void)state;
    struct mux_options options = pool_of(2, 1);
    options.response_timeout_ns = SECONDS(1000);
    options.retry_delay_min_ns = SECONDS(10);
    options.retry_delay_max_ns = SECONDS(10);
    play_open(&options);
    asking("w1\n");
    play.refuses = true;
    struct peer *two = asking("w2\n");
    assert_int_equal(play.attempts, 2);
    play.refuses = false;
    play_time(SECONDS(10) + SECONDS(10) / 4); /* and its jitter */
    assert_int_equal(play.attempts, 3);
    play_got(play_link(2), "w2\n");
    play_say(play_link(2), "A2\n");
    play_got(two, "A2\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            test_another_link_is_opened_when_all_are_full_and_none_beyond_the_limit, play_close),
        cmocka_unit_test_teardown(test_one_client_opens_one_link, play_close),
        cmocka_unit_test_teardown(test_one_link_is_opened_at_a_time, play_close),
        cmocka_unit_test_teardown(test_a_link_counts_until_it_is_closed, play_close),
        cmocka_unit_test_teardown(test_a_link_that_is_retired_counts_among_several, play_close),
        cmocka_unit_test_teardown(test_a_request_goes_to_the_link_with_the_fewest_in_flight,
                                  play_close),
        cmocka_unit_test_teardown(test_a_client_with_a_request_in_flight_stays_on_its_link,
                                  play_close),
        cmocka_unit_test_teardown(test_who_waits_for_its_own_link_does_not_hold_up_others,
                                  play_close),
        cmocka_unit_test_teardown(test_what_must_be_alone_goes_to_the_link_that_is_empty_first,
                                  play_close),
        cmocka_unit_test_teardown(test_what_must_be_alone_opens_a_link, play_close),
        cmocka_unit_test_teardown(test_who_has_requests_on_a_link_is_alone_there, play_close),
        cmocka_unit_test_teardown(test_clients_that_leave_in_mid_request_do_not_make_the_pause_grow,
                                  play_close),
        cmocka_unit_test_teardown(test_nor_do_clients_that_stall_in_mid_request, play_close),
        cmocka_unit_test_teardown(test_outages_add_up_for_a_request_that_waits, play_close),
        cmocka_unit_test(test_what_comes_while_the_delay_runs_is_nobodys),
        cmocka_unit_test_teardown(test_nor_do_they_have_the_target_connected_again_at_once,
                                  play_close),
        cmocka_unit_test_teardown(test_what_must_be_alone_keeps_one_link_free_and_no_other,
                                  play_close),
        cmocka_unit_test_teardown(test_a_link_that_breaks_frees_who_waited_for_it, play_close),
        cmocka_unit_test_teardown(test_links_that_nobody_uses_are_closed, play_close),
        cmocka_unit_test_teardown(
            test_a_link_that_is_old_takes_no_more_and_is_replaced_when_it_has_answered, play_close),
        cmocka_unit_test_teardown(test_a_link_that_is_old_and_idle_goes_at_once, play_close),
        cmocka_unit_test_teardown(test_a_link_is_idle_while_all_who_wait_are_bound_to_another,
                                  play_close),
        cmocka_unit_test_teardown(test_extra_links_have_a_back_off_of_their_own, play_close),
        cmocka_unit_test_teardown(test_an_extra_link_is_tried_again_while_it_is_wanted, play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
