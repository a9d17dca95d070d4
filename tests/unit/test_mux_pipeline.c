/* SPDX-License-Identifier: MIT */
/*
 * Many requests in flight on one link, matched by order: what may go behind what, and what becomes of
 * them when the link ends.
 */
#include "mux_play.h"

static struct mux_options pipeline_of(uint32_t in_flight)
{
    struct mux_options options = play_options(&play_by_order);
    options.in_flight_max = in_flight;
    options.response_timeout_ns = SECONDS(2);
    return options;
}

static void open_pipeline(uint32_t in_flight)
{
    struct mux_options options = pipeline_of(in_flight);
    play_open(&options);
}

/* A link that has answered: what is sent again is sent again. Its client is gone. */
static struct peer *proven_link(void)
{
    struct peer *client = play_client();
    play_say(client, "g0\n");
    struct peer *link = play_link(play.links_count);
    play_got(link, "g0\n");
    play_say(link, "A0\n");
    play_got(client, "A0\n");
    play_reset(client);
    return link;
}

/* ---- what goes behind what ---- */

static void test_so_many_are_in_flight_and_no_more(void **state)
{
    (void)state;
    open_pipeline(3);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "w1\nw2\n");
    play_say(two, "w3\nw4\n");
    struct peer *link = play_link(1);
    play_got(link, "w1\nw2\nw3\n");
    play_say(link, "A1\n");
    play_got(link, "w4\n");
    play_say(link, "A2\nA3\nA4\n"); /* in one piece, for both */
    play_got(one, "A1\nA2\n");
    play_got(two, "A3\nA4\n");
    assert_int_equal(play.links_count, 1);
}

static void test_what_must_be_alone_waits_and_nothing_goes_behind_it(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *one = play_client();
    struct peer *two = play_client();
    struct peer *three = play_client();
    play_say(one, "g1\ng2\n");
    play_say(two, "p3\n");
    play_say(three, "g4\n");
    struct peer *link = play_link(1);
    play_got(link, "g1\ng2\n"); /* the link is kept free for it */
    play_say(link, "A1\n");
    play_got(link, "");
    play_say(link, "A2\n");
    play_got(link, "p3\n");
    play_say(link, "A3\n");
    play_got(link, "g4\n");
    play_say(link, "A4\n");
    play_got(three, "A4\n");
}

static void test_what_must_be_alone_goes_behind_its_own_clients_requests(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *client = play_client();
    play_say(client, "g1\np2\ng3\n");
    struct peer *link = play_link(1);
    play_got(link, "g1\n");
    play_say(link, "A1\n");
    play_got(link, "p2\n");
    play_say(link, "A2\n");
    play_got(link, "g3\n");
}

static void test_a_link_that_was_kept_for_a_client_that_goes_is_free(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *one = play_client();
    struct peer *two = play_client();
    struct peer *three = play_client();
    play_say(one, "g1\n");
    play_say(two, "p2\n");
    play_say(three, "g3\n");
    play_got(play_link(1), "g1\n");
    play_reset(two);
    play_got(play_link(1), "g3\n");
}

static void test_nothing_goes_behind_a_request_that_still_streams(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "s1\n");
    play_say(two, "g2\n");
    struct peer *link = play_link(1);
    play_got(link, "s1\n");
    play_say(one, "part\n");
    play_got(link, "part\n");
    play_say(one, ".\n");
    play_got(link, ".\ng2\n");
}

static void test_nothing_goes_behind_a_response_that_still_streams(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "g1\n");
    struct peer *link = play_link(1);
    play_got(link, "g1\n");
    play_say(link, "S1\n");
    play_got(one, "S1\n");
    play_say(two, "g2\n");
    play_got(link, "");
    play_say(link, ".\n");
    play_got(one, ".\n");
    play_got(link, "g2\n");
}

static void test_the_unsent_request_of_a_client_that_goes_is_cut_out(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *one = play_client();
    struct peer *two = play_client();
    struct peer *three = play_client();
    link->blocked = true;
    play_say(one, "w1\n");
    play_say(two, "w2 is longer\n");
    play_say(three, "w3\n");
    play_reset(two);
    play_unblock(link);
    play_got(link, "w1\nw3\n");
    play_say(link, "A1\nA3\n");
    play_got(one, "A1\n");
    play_got(three, "A3\n");
}

/* ---- the link ends ---- */

static void
test_what_was_behind_an_announced_close_is_sent_again_and_that_does_not_count(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *client = play_client();
    play_say(client, "g1\ng2\ng3\n");
    play_say(play_link(1), "C1\n");
    assert_true(play_link(1)->closed);
    play_got(client, "C1\n");
    struct peer *second = play_link(2);
    play_got(second, "g2\n");
    play_say(second, "A2\n");
    play_got(second, "g3\n");
    play_reset(second); /* this time it counts */
    play_got(play_link(3), "g3\n");
    play_say(play_link(3), "A3\n");
    play_got(client, "A2\nA3\n");
}

/* Told to stop, it discards an upload that it cannot have whole, when there is room to look at its end; which
 * is when the request in front, written with it, is known to be sent. */
static void
test_a_request_that_was_written_is_not_cut_out_when_the_one_in_front_makes_room(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.in_flight_max = 2;
    options.backlog_bytes_max = 10;
    options.delay_ns = SECONDS(1);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "w1234567\ns1\nmo");
    mux_drain(play.mux);
    play_link(1)->blocked = true;
    play_time(SECONDS(1));
    play_unblock(play_link(1));
    play_got(play_link(1), "w1234567\ns1\n");
    assert_true(play_link(1)->ended); /* half a request was sent */
    play_got(client, PLAY_BROKEN);
}

static void test_what_has_an_effect_is_sent_again_only_if_it_was_not_written(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *client = play_client();
    play_say(client, "w1\n");
    play_got(link, "w1\n");
    link->blocked = true;
    play_say(client, "w2\n");
    play_reset(link);
    play_got(client, PLAY_BROKEN);
    play_got(play_link(2), "w2\n");
    assert_int_equal(play_counters()->returned, 1);
    assert_int_equal(play_counters()->resent, 0);
}

static void test_a_request_is_sent_again_once(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *client = play_client();
    play_say(client, "g1\ng2\n");
    play_reset(link);
    struct peer *second = play_link(2);
    play_got(second, "g1\n");
    play_say(second, "A1\n");
    play_got(client, "A1\n");
    play_got(second, "g2\n");
    play_reset(second); /* which has answered, but g2 was sent twice now */
    play_got(client, PLAY_BROKEN);
    assert_int_equal(play_counters()->resent, 2);
}

static void test_nothing_is_sent_again_that_a_link_without_an_answer_has_had(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *client = play_client();
    play_say(client, "g1\ng2\n");
    play_reset(play_link(1));
    play_got(client, PLAY_BROKEN PLAY_BROKEN);
    assert_int_equal(play_counters()->resent, 0);
}

static void test_the_successor_of_a_link_that_broke_has_to_earn_trust(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *client = play_client();
    play_say(client, "g1\ng2\ng3\ng4\n");
    play_got(link, "g1\ng2\ng3\ng4\n");
    play_reset(link);
    struct peer *second = play_link(2);
    play_got(second, "g1\n");
    play_say(second, "A1\n");
    play_got(second, "g2\n");
    play_say(second, "A2\n");
    play_got(second, "g3\ng4\n");
}

static void test_mistrust_goes_on_until_a_link_has_answered_two(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *client = play_client();
    play_say(client, "g1\ng2\ng3\ng4\n");
    play_got(link, "g1\ng2\ng3\ng4\n");
    play_reset(link);
    play_say(play_link(2),
             "C1\n"); /* one answer, and the end of the link, with nothing unanswered */
    struct peer *third = play_link(3);
    play_got(third, "g2\n");
}

static void test_a_link_that_ends_with_nothing_unanswered_costs_no_trust(void **state)
{
    (void)state;
    open_pipeline(8);
    play_end(proven_link());
    struct peer *client = play_client();
    play_say(client, "g1\ng2\n");
    play_got(play_link(2), "g1\ng2\n");
}

/* ---- time ---- */

static void test_the_oldest_alone_has_timed_out(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *one = play_client();
    struct peer *two = play_client();
    struct peer *three = play_client();
    play_say(one, "g1\n");
    play_say(two, "w2\n");
    play_say(three, "g3\n");
    play_time(SECONDS(2) - 1);
    assert_false(link->ended);
    play_time(1);
    assert_true(link->ended);
    play_got(one, PLAY_TIMEOUT);
    play_got(two, PLAY_BROKEN);
    play_got(play_link(2), "g3\n");
    play_say(play_link(2), "A3\n");
    play_got(three, "A3\n");
    assert_int_equal(play_counters()->timeouts, 1);
}

static void test_the_clock_of_a_response_runs_while_it_is_the_oldest(void **state)
{
    (void)state;
    open_pipeline(8);
    struct peer *link = proven_link();
    struct peer *client = play_client();
    play_say(client, "w1\nw2\n");
    play_time(SECONDS(2) - 1);
    play_say(link, "A1\n");
    play_got(client, "A1\n");
    play_time(SECONDS(2) - 1);
    play_got(client, "");
    play_time(1);
    play_got(client, PLAY_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_so_many_are_in_flight_and_no_more, play_close),
        cmocka_unit_test_teardown(test_what_must_be_alone_waits_and_nothing_goes_behind_it,
                                  play_close),
        cmocka_unit_test_teardown(test_what_must_be_alone_goes_behind_its_own_clients_requests,
                                  play_close),
        cmocka_unit_test_teardown(test_a_link_that_was_kept_for_a_client_that_goes_is_free,
                                  play_close),
        cmocka_unit_test_teardown(test_nothing_goes_behind_a_request_that_still_streams,
                                  play_close),
        cmocka_unit_test_teardown(test_nothing_goes_behind_a_response_that_still_streams,
                                  play_close),
        cmocka_unit_test_teardown(test_the_unsent_request_of_a_client_that_goes_is_cut_out,
                                  play_close),
        cmocka_unit_test_teardown(
            test_what_was_behind_an_announced_close_is_sent_again_and_that_does_not_count,
            play_close),
        cmocka_unit_test_teardown(
            test_a_request_that_was_written_is_not_cut_out_when_the_one_in_front_makes_room,
            play_close),
        cmocka_unit_test_teardown(test_what_has_an_effect_is_sent_again_only_if_it_was_not_written,
                                  play_close),
        cmocka_unit_test_teardown(test_a_request_is_sent_again_once, play_close),
        cmocka_unit_test_teardown(test_nothing_is_sent_again_that_a_link_without_an_answer_has_had,
                                  play_close),
        cmocka_unit_test_teardown(test_the_successor_of_a_link_that_broke_has_to_earn_trust,
                                  play_close),
        cmocka_unit_test_teardown(test_mistrust_goes_on_until_a_link_has_answered_two, play_close),
        cmocka_unit_test_teardown(test_a_link_that_ends_with_nothing_unanswered_costs_no_trust,
                                  play_close),
        cmocka_unit_test_teardown(test_the_oldest_alone_has_timed_out, play_close),
        cmocka_unit_test_teardown(test_the_clock_of_a_response_runs_while_it_is_the_oldest,
                                  play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
