/* SPDX-License-Identifier: MIT */
/*
 * Requests that share a response: each rule of mux/share.c. The harness checks every invariant of the core
 * after each step, and a test ends with nothing kept.
 */
#include <string.h>

#include "mux_play.h"

static void open_sharing(uint32_t links, uint32_t in_flight)
{
    struct mux_options options = play_options(&play_by_id);
    options.links_max = links;
    options.in_flight_max = in_flight;
    options.coalesce = true;
    options.response_timeout_ns = SECONDS(2);
    play_open(&options);
}

static struct peer *asking(const char *text)
{
    struct peer *client = play_client();
    play_say(client, text);
    return client;
}

/* A link that is busy for somebody: who comes now waits. */
static struct peer *busy_link(void)
{
    asking("g0000busy\n");
    play_got(play_link(1), "g0001busy\n");
    return play_link(1);
}

/* Everybody goes, and nothing is left. */
static int tear_down(void **state)
{
    for (size_t index = 0; index < play.clients_count; index++) {
        if (!play.clients[index].closed) {
            play_reset(&play.clients[index]);
        }
    }
    play_time(SECONDS(10));
    assert_int_equal(play_counters()->waiting, 0);
    assert_int_equal(play_counters()->in_flight, 0);
    assert_int_equal(play_counters()->clients, 0);
    return play_close(state);
}

/* ---- who shares ---- */

static void test_identical_reads_share_a_response_and_each_has_its_own_number(void **state)
{
    (void)state;
    open_sharing(1, 4);
    struct peer *one = asking("r0007a\n");
    struct peer *two = asking("r0008a\n");
    struct peer *three = asking("r0007a\nr0009a\n");
    play_got(play_link(1), "r0001a\n");
    assert_int_equal(play_counters()->coalesced, 3);
    play_say(play_link(1), "r0001A\n");
    play_got(one, "r0007A\n");
    play_got(two, "r0008A\n");
    play_got(three, "r0007A\nr0009A\n");
    assert_int_equal(play_counters()->responses, 4);
}

static void test_a_client_may_share_with_itself(void **state)
{
    (void)state;
    open_sharing(1, 4);
    struct peer *one = asking("r0001a\n");
    play_say(one, "r0002a\n");
    play_got(play_link(1), "r0001a\n");
    play_say(play_link(1), "r0001A\n");
    one->got[one->got_size] = '\0';
    assert_non_null(strstr(one->got, "r0001A\n")); /* in any order */
    assert_non_null(strstr(one->got, "r0002A\n"));
    assert_int_equal(one->got_size, 14);
}

static void test_what_differs_or_is_no_read_is_not_shared(void **state)
{
    (void)state;
    open_sharing(1, 8);
    asking("r0001a\nr0001b\ng0001c\ng0001c\nw0001d\nw0001d\n");
    play_got(play_link(1), "r0001a\nr0002b\ng0003c\ng0004c\nw0005d\nw0006d\n");
    assert_int_equal(play_counters()->coalesced, 0);
}

static void test_nobody_joins_when_a_byte_of_the_response_has_come(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *one = asking("r0001a\n");
    play_got(play_link(1), "r0001a\n");
    play_say(play_link(1), "r00");
    struct peer *two = asking("r0002a\n");
    assert_int_equal(play_counters()->coalesced, 0);
    play_say(play_link(1), "01A\n");
    play_got(one, "r0001A\n");
    play_got(two, "");
    play_got(play_link(1), "r0002a\n");
}

/* ---- a leader that waits ---- */

static void test_a_read_that_waits_for_its_turn_is_joined(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *link = busy_link();
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    assert_int_equal(play_counters()->coalesced, 1);
    play_say(link, "g0001B\n");
    play_got(link, "r0002a\n");
    play_say(link, "r0002A\n");
    play_got(one, "r0001A\n");
    play_got(two, "r0002A\n");
}

static void test_a_read_that_is_not_its_clients_next_is_not_joined(void **state)
{
    (void)state;
    open_sharing(1, 1);
    busy_link();
    asking("g0001x\nr0002a\n");
    asking("r0003a\n"); /* its own turn comes sooner */
    assert_int_equal(play_counters()->coalesced, 0);
    asking("r0004a\n"); /* and that one is next */
    assert_int_equal(play_counters()->coalesced, 1);
}

static void test_a_read_that_waits_for_a_certain_link_is_not_joined(void **state)
{
    (void)state;
    open_sharing(2, 1);
    busy_link();
    asking("g0001x\nr0002a\n");
    play_got(play_link(2), "g0001x\n");
    play_say(play_link(1), "g0001B\n");
    asking("r0003a\n");
    assert_int_equal(play_counters()->coalesced, 0);
    play_got(play_link(1), "r0002a\n"); /* at once, on the link that is free */
}

/* ---- effects ---- */

static void test_nobody_joins_while_a_write_is_open(void **state)
{
    (void)state;
    open_sharing(1, 8);
    asking("r0001a\n");
    struct peer *writer = asking("w0001a\n");
    struct peer *two = asking("r0002a\n");
    assert_int_equal(play_counters()->coalesced, 0);
    struct peer *link = play_link(1);
    play_got(link, "r0001a\nw0002a\nr0003a\n");
    play_say(link, "w0002W\n");
    play_got(writer, "w0001W\n");
    /* Both reads took the link before the write ended; they may show what was before. */
    asking("r0003a\n");
    assert_int_equal(play_counters()->coalesced, 0);
    play_got(link, "r0004a\n");
    struct peer *four = asking("r0004a\n"); /* this one was taken behind it */
    assert_int_equal(play_counters()->coalesced, 1);
    play_say(link, "r0001old\nr0003old\n");
    play_got(two, "r0002old\n");
    play_got(four, "");
    play_say(link, "r0004new\n");
    play_got(four, "r0004new\n");
}

static void test_a_write_that_waits_is_open_too(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *link = busy_link();
    asking("r0001a\n");
    struct peer *writer = asking("w0001a\n");
    asking("r0002a\n");
    assert_int_equal(play_counters()->coalesced, 0);
    play_reset(writer); /* it was never sent */
    asking("r0003a\n");
    assert_int_equal(play_counters()->coalesced, 1);
    play_got(link, "");
}

static void test_a_write_of_a_client_waits_for_what_it_shares(void **state)
{
    (void)state;
    open_sharing(1, 8);
    asking("r0001a\n");
    struct peer *two = asking("r0002a\nw0003a\n");
    struct peer *link = play_link(1);
    play_got(link, "r0001a\n");
    play_say(link, "r0001A\n");
    play_got(two, "r0002A\n");
    play_got(link, "w0002a\n");
}

/* ---- the leader's end ---- */

static void test_the_response_of_a_leader_that_has_gone_serves_who_joined_it(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    play_reset(one);
    assert_int_equal(play_counters()->orphans, 1);
    play_say(play_link(1), "r0001A\n");
    play_got(two, "r0002A\n");
    assert_int_equal(play_counters()->requests_taken, 1);
}

static void test_the_first_who_joined_a_leader_that_goes_takes_its_place(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *link = busy_link();
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    struct peer *three = asking("r0003a\n");
    asking("g0004x\n");
    struct peer *four = asking("r0005a\n"); /* behind another, and joins all the same */
    play_reset(one);
    play_say(link, "g0001B\n");
    play_got(link, "r0002a\n"); /* before who came behind the leader */
    play_say(link, "r0002A\n");
    play_got(two, "r0002A\n");
    play_got(three, "r0003A\n");
    play_got(four, "r0005A\n");
    play_got(link, "g0003x\n");
}

static void test_who_has_joined_and_goes_disturbs_nobody(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    struct peer *three = asking("r0003a\n");
    play_reset(two);
    assert_int_equal(play_counters()->dropped, 1);
    play_say(play_link(1), "r0001A\n");
    play_got(one, "r0001A\n");
    play_got(three, "r0003A\n");
}

static void test_only_who_has_waited_as_long_ends_with_a_leader_that_times_out(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *link = busy_link();
    struct peer *one = asking("r0001a\n");
    play_time(SECONDS(1));
    struct peer *two = asking("r0002a\n");
    play_say(link, "g0001B\n");
    play_got(link, "r0002a\n");
    play_time(SECONDS(1));
    struct peer *three = asking("r0003a\n");
    struct peer *four = asking("r0004a\n");
    assert_int_equal(play_counters()->coalesced, 3);
    play_time(SECONDS(1) - 1);
    play_got(one, "");
    play_time(1);
    play_got(one, PLAY_TIMEOUT);
    play_got(two, PLAY_TIMEOUT);
    play_got(three, "");
    play_got(link, "r0003a\n"); /* for three, and four goes with it */
    play_say(link, "r0002late\n");
    play_got(three, "");
    play_say(link, "r0003A\n");
    play_got(three, "r0003A\n");
    play_got(four, "r0004A\n");
}

static void test_a_leader_that_is_sent_again_keeps_who_joined_it(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *link = busy_link();
    play_say(link, "g0001B\n"); /* a link that has answered */
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    play_reset(link);
    struct peer *three = asking("r0003a\n");
    play_got(play_link(2), "r0003a\n");
    play_say(play_link(2), "r0003A\n");
    play_got(one, "r0001A\n");
    play_got(two, "r0002A\n");
    play_got(three, "r0003A\n");
    assert_int_equal(play_counters()->coalesced, 2);
}

/* What was sent for the leader was sent for all: the link that broke had answered nothing. */
static void test_who_joined_a_leader_that_broke_its_link_ends_with_it(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    play_reset(play_link(1));
    play_got(one, PLAY_BROKEN);
    play_got(two, PLAY_BROKEN);
}

/* The same where the leader, which may be sent again, goes before it is: who joined it takes its place, and
 * has no more sendings left than it had. */
static void test_who_takes_the_place_of_a_leader_has_been_sent_as_often(void **state)
{
    (void)state;
    open_sharing(2, 1);
    struct peer *first = busy_link();
    asking("g0001x\n");
    struct peer *second = play_link(2);
    play_say(first, "g0001B\n"); /* two links that have answered */
    play_got(second, "g0001x\n");
    play_say(second, "g0001X\n");
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    struct peer *three = asking("r0003a\n");
    play_got(first, "r0002a\n");
    asking("g0002y\n");
    play_got(second, "g0002y\n");
    play.refuses = true;
    play_reset(first);
    play_reset(one); /* which waits for the other link */
    play_say(second, "g0002Y\n");
    play_got(second, "r0003a\n");
    play_reset(second);
    play_got(two, PLAY_BROKEN);
    play_got(three, PLAY_BROKEN);
    play.refuses = false;
}

/* ---- memory ---- */

/* One response becomes many: --buffer-memory holds for each of them. */
static void test_memory_is_bounded_when_many_share_a_response(void **state)
{
    (void)state;
    enum { SHARERS = 5, RESPONSE_BYTES = 3000, BLOCK_BYTES = 7168 };
    struct mux_options options = play_options(&play_by_id);
    options.coalesce = true;
    options.memory_bytes_max = (size_t)3 * BLOCK_BYTES - 1; /* with what is small */
    play_open(&options);
    struct peer *clients[SHARERS];
    for (size_t index = 0; index < SHARERS; index++) {
        clients[index] = asking("r0001a\n");
        clients[index]->blocked = true;
    }
    char response[RESPONSE_BYTES + 1] = "r0001";
    memset(response + 5, 'A', sizeof response - 7);
    response[RESPONSE_BYTES - 1] = '\n';
    response[RESPONSE_BYTES] = '\0';
    play_say(play_link(1), response);
    size_t owed = 0;
    for (size_t index = 0; index < SHARERS; index++) {
        owed += clients[index]->closed ? 0 : mux_send_view(play.mux, clients[index]->id).size;
    }
    assert_int_equal(owed, 2 * RESPONSE_BYTES);
}

static void test_a_response_that_does_not_match_is_nobodys(void **state)
{
    (void)state;
    open_sharing(1, 1);
    struct peer *one = asking("r0001a\n");
    struct peer *two = asking("r0002a\n");
    play_say(play_link(1), "g0001A\n");
    play_got(one, "");
    play_got(two, "");
    play_say(play_link(1), "r0001A\n");
    play_got(one, "r0001A\n");
    play_got(two, "r0002A\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_identical_reads_share_a_response_and_each_has_its_own_number,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_client_may_share_with_itself, tear_down),
        cmocka_unit_test_teardown(test_what_differs_or_is_no_read_is_not_shared, tear_down),
        cmocka_unit_test_teardown(test_nobody_joins_when_a_byte_of_the_response_has_come,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_read_that_waits_for_its_turn_is_joined, tear_down),
        cmocka_unit_test_teardown(test_a_read_that_is_not_its_clients_next_is_not_joined,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_read_that_waits_for_a_certain_link_is_not_joined,
                                  tear_down),
        cmocka_unit_test_teardown(test_nobody_joins_while_a_write_is_open, tear_down),
        cmocka_unit_test_teardown(test_a_write_that_waits_is_open_too, tear_down),
        cmocka_unit_test_teardown(test_a_write_of_a_client_waits_for_what_it_shares, tear_down),
        cmocka_unit_test_teardown(test_the_response_of_a_leader_that_has_gone_serves_who_joined_it,
                                  tear_down),
        cmocka_unit_test_teardown(test_the_first_who_joined_a_leader_that_goes_takes_its_place,
                                  tear_down),
        cmocka_unit_test_teardown(test_who_has_joined_and_goes_disturbs_nobody, tear_down),
        cmocka_unit_test_teardown(
            test_only_who_has_waited_as_long_ends_with_a_leader_that_times_out, tear_down),
        cmocka_unit_test_teardown(test_a_leader_that_is_sent_again_keeps_who_joined_it, tear_down),
        cmocka_unit_test_teardown(test_who_joined_a_leader_that_broke_its_link_ends_with_it,
                                  tear_down),
        cmocka_unit_test_teardown(test_who_takes_the_place_of_a_leader_has_been_sent_as_often,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_response_that_does_not_match_is_nobodys, tear_down),
        cmocka_unit_test_teardown(test_memory_is_bounded_when_many_share_a_response, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
