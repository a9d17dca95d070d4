/* SPDX-License-Identifier: MIT */
/* Messages of a target that can be no response, but whose end is known: only their exchange pays for them. */
#include "mux_play.h"

static void expect_one_link(unsigned failed)
{
    assert_int_equal(play_counters()->links_up, 1);
    assert_int_equal(play_counters()->links_lost, 0);
    assert_int_equal(play_counters()->ended[REASON_TARGET_MALFORMED], failed);
    assert_int_equal(play_counters()->resent, 0);
}

static void test_by_identifier_the_exchange_that_it_names_fails(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    options.in_flight_max = 3;
    play_open(&options);
    struct peer *clients[] = {play_client(), play_client(), play_client()};
    play_say(clients[0], "g0007a\n");
    play_say(clients[1], "g0007b\n");
    play_say(clients[2], "g0007c\n");
    play_got(play_link(1), "g0001a\ng0002b\ng0003c\n");
    play_say(play_link(1), "X0002\ng0003C\n");
    play_got(clients[0], "");
    play_got(clients[1], PLAY_BROKEN); /* and is not asked again */
    play_got(clients[2], "g0007C\n");
    play_say(play_link(1), "g0001A\n");
    play_got(clients[0], "g0007A\n");
    play_got(play_link(1), "");
    expect_one_link(1);
    assert_int_equal(play_counters()->strays, 1);
}

static void test_by_identifier_one_that_nobody_waits_for_is_dropped(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g0007a\n");
    play_got(play_link(1), "g0001a\n");
    play_say(play_link(1), "X0005\n");
    play_got(client, "");
    play_say(play_link(1), "g0001A\n");
    play_got(client, "g0007A\n");
    play_say(play_link(1), "X0001\n"); /* nor does an idle link end by it */
    expect_one_link(0);
    assert_int_equal(play_counters()->strays, 2);
}

static void test_who_has_joined_fails_with_its_leader(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    options.coalesce = true;
    play_open(&options);
    struct peer *leader = play_client();
    struct peer *joiner = play_client();
    play_say(leader, "r0007a\n");
    play_say(joiner, "r0008a\n");
    play_got(play_link(1), "r0001a\n");
    play_say(play_link(1), "X0001\n");
    play_got(leader, PLAY_BROKEN);
    play_got(joiner, PLAY_BROKEN);
    play_got(play_link(1), "");
    expect_one_link(2);
}

static void test_by_order_the_oldest_fails_and_its_place_is_free(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.in_flight_max = 2;
    play_open(&options);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "g1\n");
    play_say(two, "g2\n");
    play_got(play_link(1), "g1\ng2\n");
    play_say(play_link(1), "X\nA2\n");
    play_got(one, PLAY_BROKEN);
    play_got(two, "A2\n");
    play_say(one, "g3\n");
    play_got(play_link(1), "g3\n");
    expect_one_link(1);
}

static void test_by_order_one_that_nobody_waits_for_costs_the_link(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g1\n");
    play_say(play_link(1), "A1\n");
    play_got(client, "A1\n");
    play_say(play_link(1), "X\n");
    assert_int_equal(play_counters()->links_lost, 1);
}

/* The other half would be taken for the next request. */
static void test_behind_half_a_request_it_costs_the_link(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g1\n");
    play_say(play_link(1), "A1\n");
    play_got(client, "A1\n");
    play_link(1)->blocked = true;
    play_say(client, "g2\n");
    play_take(play_link(1), 2);
    play_say(play_link(1), "X\n");
    play_got(client, PLAY_BROKEN);
    assert_int_equal(play_counters()->links_lost, 1);
    assert_int_equal(play_counters()->resent, 0);
}

static void test_by_identifier_half_a_request_is_not_sent_again_either(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g0007a\n");
    play_say(play_link(1), "g0001A\n");
    play_got(client, "g0007A\n");
    play_link(1)->blocked = true;
    play_say(client, "g0007b\n");
    play_take(play_link(1), 2);
    play_say(play_link(1), "X0002\n");
    play_got(client, PLAY_BROKEN);
    assert_int_equal(play_counters()->links_lost, 1);
    assert_int_equal(play_counters()->resent, 0);
}

static void test_an_orphans_costs_nothing(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    struct peer *gone = play_client();
    struct peer *client = play_client();
    play_say(gone, "g1\n");
    play_reset(gone);
    play_say(client, "g2\n");
    play_got(play_link(1), "g1\n");
    play_say(play_link(1), "X\n");
    play_got(play_link(1), "g2\n");
    play_say(play_link(1), "A2\n");
    play_got(client, "A2\n");
    expect_one_link(1);
}

#define claim(test) cmocka_unit_test_teardown(test, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(test_by_identifier_the_exchange_that_it_names_fails),
        claim(test_by_identifier_one_that_nobody_waits_for_is_dropped),
        claim(test_who_has_joined_fails_with_its_leader),
        claim(test_by_order_the_oldest_fails_and_its_place_is_free),
        claim(test_by_order_one_that_nobody_waits_for_costs_the_link),
        claim(test_behind_half_a_request_it_costs_the_link),
        claim(test_by_identifier_half_a_request_is_not_sent_again_either),
        claim(test_an_orphans_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
