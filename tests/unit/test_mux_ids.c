/* SPDX-License-Identifier: MIT */
/*
 * Identifiers: the table alone, and the core that finds responses by them.
 */
#include "mux/ids.h"

#include <string.h>

#include "mux_play.h"

/* ---- the table ---- */

enum { PLACES = 64, HELD_MAX = 16 }; /* the smallest table, and what may be held of it */

static char things[PLACES];

/* Only its address counts. */
static struct exchange *thing(size_t index)
{
    return (struct exchange *)(void *)&things[index];
}

static struct ids table(uint32_t id_max)
{
    struct ids ids;
    assert_true(ids_init(&ids, HELD_MAX, id_max));
    return ids;
}

static void test_who_was_given_an_identifier_is_found_by_it_until_it_is_free(void **state)
{
    (void)state;
    struct ids ids = table(0xFFFF);
    uint32_t first = ids_give(&ids, thing(1));
    uint32_t second = ids_give(&ids, thing(2));
    assert_int_not_equal(first, second);
    assert_ptr_equal(ids_find(&ids, first), thing(1));
    assert_ptr_equal(ids_find(&ids, second), thing(2));
    ids_check(&ids, 2);
    ids_free(&ids, first);
    assert_null(ids_find(&ids, first));
    assert_ptr_equal(ids_find(&ids, second), thing(2));
    ids_check(&ids, 1);
    ids_deinit(&ids);
}

static void test_another_number_of_the_same_place_is_not_found(void **state)
{
    (void)state;
    struct ids ids = table(0xFFFF);
    uint32_t id = ids_give(&ids, thing(1));
    assert_null(ids_find(&ids, id + PLACES));
    assert_null(ids_find(&ids, id + 0x10000));
    ids_deinit(&ids);
}

static void test_an_identifier_comes_back_only_after_all_others(void **state)
{
    (void)state;
    struct ids ids = table(0xFF);
    bool seen[0x100] = {0};
    for (size_t count = 0; count < 0x100; count++) {
        uint32_t id = ids_give(&ids, thing(1));
        assert_in_range(id, 0, 0xFF);
        assert_false(seen[id]);
        seen[id] = true;
        ids_free(&ids, id);
    }
    ids_deinit(&ids);
}

static void test_numbers_wrap_around_what_is_held_and_what_is_retired(void **state)
{
    (void)state;
    struct ids ids = table(PLACES - 1); /* each number has a place of its own */
    uint32_t held = ids_give(&ids, thing(1));
    uint32_t retired = ids_give(&ids, thing(2));
    ids_retire(&ids, retired);
    for (size_t count = 0; count < 5 * (size_t)PLACES; count++) {
        uint32_t id = ids_give(&ids, thing(3));
        assert_in_range(id, 0, PLACES - 1);
        assert_int_not_equal(id, held);
        assert_int_not_equal(id, retired);
        ids_free(&ids, id);
    }
    assert_ptr_equal(ids_find(&ids, held), thing(1));
    assert_null(ids_find(&ids, retired));
    ids_check(&ids, 1);
    ids_deinit(&ids);
}

static void test_half_of_the_places_may_be_retired(void **state)
{
    (void)state;
    struct ids ids = table(0xFFFF);
    for (size_t count = 0; count < PLACES / 2; count++) {
        assert_false(ids_are_spent(&ids));
        ids_retire(&ids, ids_give(&ids, thing(1)));
    }
    assert_true(ids_are_spent(&ids));
    for (size_t count = 0; count < HELD_MAX; count++) {
        (void)ids_give(&ids, thing(2)); /* there is room for them all the same */
    }
    ids_check(&ids, HELD_MAX);
    ids_deinit(&ids);
}

static void test_clear_forgets_everything_but_where_to_go_on(void **state)
{
    (void)state;
    struct ids ids = table(0xFFFF);
    uint32_t held = ids_give(&ids, thing(1));
    uint32_t retired = ids_give(&ids, thing(2));
    ids_retire(&ids, retired);
    ids_clear(&ids);
    ids_check(&ids, 0);
    assert_null(ids_find(&ids, held));
    uint32_t next = ids_give(&ids, thing(3)); /* not what was used on the link before */
    assert_int_not_equal(next, held);
    assert_int_not_equal(next, retired);
    ids_deinit(&ids);
}

/* How many places the next search looks at. */
static uint32_t steps_of_give(struct ids *ids, uint32_t *id)
{
    uint32_t before = ids->next;
    *id = ids_give(ids, thing(1));
    return ((*id - before) & ids->mask) + 1;
}

/* The worst: half of the places is retired in one piece, and as much as may be held stands behind it. */
static void test_no_search_for_a_number_takes_long(void **state)
{
    (void)state;
    struct ids ids = table(0xFFFF);
    uint32_t id;
    for (size_t count = 0; count < PLACES / 2; count++) {
        ids_retire(&ids, ids_give(&ids, thing(1)));
    }
    for (size_t count = 0; count < HELD_MAX - 1; count++) {
        (void)ids_give(&ids, thing(2));
    }
    uint32_t steps = 0;
    enum { GIVEN = 1000 };
    for (size_t count = 0; count < GIVEN; count++) {
        uint32_t more = steps_of_give(&ids, &id);
        assert_in_range(more, 1, PLACES * 3 / 4 + 1);
        steps += more;
        ids_free(&ids, id);
    }
    assert_in_range(steps, GIVEN, 4 * GIVEN);
    ids_clear(&ids);
    ids_deinit(&ids);
}

/* ---- the core ---- */

static void open_four(void)
{
    struct mux_options options = play_options(&play_by_id);
    options.in_flight_max = 4;
    options.response_timeout_ns = SECONDS(2);
    play_open(&options);
}

static void test_responses_in_any_order_find_their_requests(void **state)
{
    (void)state;
    open_four();
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "r0007a\nr0007b\n"); /* the same number, of one client and of two */
    play_say(two, "r0007c\n");
    struct peer *link = play_link(1);
    play_got(link, "r0001a\nr0002b\nr0003c\n");
    play_say(link, "r0003C\nr0002B\n");
    play_got(two, "r0007C\n");
    play_got(one, "r0007B\n");
    play_say(link, "r0001A\n");
    play_got(one, "r0007A\n");
    assert_int_equal(play_counters()->in_flight, 0);
    assert_int_equal(play_counters()->strays, 0);
}

static void test_what_does_not_match_goes_to_nobody_and_the_link_goes_on(void **state)
{
    (void)state;
    open_four();
    struct peer *client = play_client();
    play_say(client, "r0007a\n");
    struct peer *link = play_link(1);
    play_say(link, "r0009A\n"); /* nobody's number */
    play_say(link, "g0001A\n"); /* not what was asked */
    play_got(client, "");
    assert_int_equal(play_counters()->strays, 2);
    play_say(link, "r0001A\n");
    play_got(client, "r0007A\n");
    play_say(link, "r0001A\n"); /* once more */
    play_got(client, "");
    assert_int_equal(play_counters()->strays, 3);
    assert_false(link->ended);
}

static void test_a_timed_out_place_is_free_at_once_and_its_number_is_not(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    options.response_timeout_ns = SECONDS(2);
    play_open(&options);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "w0007a\n");
    play_say(two, "w0007b\n");
    struct peer *link = play_link(1);
    play_got(link, "w0001a\n");
    play_time(SECONDS(2) - 1);
    play_got(one, "");
    play_time(1);
    play_got(one, PLAY_TIMEOUT);
    play_got(link, "w0002b\n");
    play_say(link, "w0001A\n"); /* late */
    play_got(one, "");
    play_got(two, "");
    assert_int_equal(play_counters()->strays, 1);
    play_say(link, "w0002B\n");
    play_got(two, "w0007B\n");
    for (unsigned count = 0; count < 0x1000; count++) { /* once around all numbers */
        play_say(two, "w0007c\n");
        char answer[] = "wxxxxC\n";
        memcpy(answer, link->got, 5);
        assert_memory_not_equal(answer, "w0001", 5);
        link->got_size = 0;
        play_say(link, answer);
        play_got(two, "w0007C\n");
    }
    assert_int_equal(play.links_count, 1);
}

static void test_a_time_out_disturbs_no_other(void **state)
{
    (void)state;
    open_four();
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "w0007a\n");
    play_time(SECONDS(1));
    play_say(two, "w0007b\n");
    play_time(SECONDS(1));
    play_got(one, PLAY_TIMEOUT);
    play_got(two, "");
    play_say(play_link(1), "w0002B\n");
    play_got(two, "w0007B\n");
}

static void test_what_was_sent_at_the_same_time_times_out_at_the_same_time(void **state)
{
    (void)state;
    open_four();
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "w0001a\nw0002b\n");
    play_time(SECONDS(2));
    play_got(one, PLAY_TIMEOUT PLAY_TIMEOUT);
    assert_false(play_link(1)->ended);
    play_say(two, "w0003c\nw0004d\nw0005e\nw0006f\n");
    play_time(SECONDS(2)); /* the first of them is the third in a row */
    play_got(two, PLAY_TIMEOUT PLAY_BROKEN PLAY_BROKEN PLAY_BROKEN);
    assert_true(play_link(1)->ended);
}

static void test_the_last_time_out_of_an_old_link_ends_it(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_id);
    options.response_timeout_ns = SECONDS(2);
    options.link_lifetime_ns = SECONDS(1);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "w0001a\n");
    play_time(SECONDS(2));
    play_got(client, PLAY_TIMEOUT);
    assert_true(play_link(1)->ended);
}

static void test_three_time_outs_in_a_row_replace_the_link(void **state)
{
    (void)state;
    open_four();
    struct peer *client = play_client();
    play_say(client, "w0001a\n");
    play_time(SECONDS(2));
    play_say(client, "w0002b\n");
    play_time(SECONDS(2));
    struct peer *link = play_link(1);
    play_say(link, "w0009X\n"); /* whatever it is, the link lives */
    for (size_t count = 0; count < 2; count++) {
        play_say(client, "w0003c\n");
        play_time(SECONDS(2));
        assert_false(link->ended);
    }
    play_say(client, "w0003d\n");
    play_time(SECONDS(2));
    assert_true(link->ended);
    play_got(client, PLAY_TIMEOUT PLAY_TIMEOUT PLAY_TIMEOUT PLAY_TIMEOUT PLAY_TIMEOUT);
}

static void
test_half_a_message_on_an_idle_link_is_not_the_beginning_of_the_next_response(void **state)
{
    (void)state;
    open_four();
    struct peer *client = play_client();
    play_say(client, "w0007a\n");
    struct peer *link = play_link(1);
    play_say(link, "w0001A\nw00");
    play_got(client, "w0007A\n");
    assert_false(link->ended);
    play_got(link, "w0001a\n");
    play_say(client, "w0007b\n");
    play_got(link, "");
    assert_true(link->ended);
    play_time(MS(250));
    play_got(play_link(2), "w0002b\n");
    play_say(play_link(2), "w0002B\n");
    play_got(client, "w0007B\n");
}

static void test_the_response_of_a_client_that_has_gone_goes_to_nobody(void **state)
{
    (void)state;
    open_four();
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "w0007a\n");
    play_say(two, "w0007b\n");
    play_reset(one);
    assert_int_equal(play_counters()->orphans, 1);
    assert_int_equal(play_counters()->in_flight, 2);
    play_say(play_link(1), "w0001A\nw0002B\n");
    play_got(two, "w0007B\n");
    assert_int_equal(play_counters()->in_flight, 0);
    assert_int_equal(play_counters()->strays, 0);
    assert_false(play_link(1)->ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_was_given_an_identifier_is_found_by_it_until_it_is_free),
        cmocka_unit_test(test_another_number_of_the_same_place_is_not_found),
        cmocka_unit_test(test_an_identifier_comes_back_only_after_all_others),
        cmocka_unit_test(test_numbers_wrap_around_what_is_held_and_what_is_retired),
        cmocka_unit_test(test_half_of_the_places_may_be_retired),
        cmocka_unit_test(test_no_search_for_a_number_takes_long),
        cmocka_unit_test(test_clear_forgets_everything_but_where_to_go_on),
        cmocka_unit_test_teardown(test_responses_in_any_order_find_their_requests, play_close),
        cmocka_unit_test_teardown(test_what_does_not_match_goes_to_nobody_and_the_link_goes_on,
                                  play_close),
        cmocka_unit_test_teardown(test_a_timed_out_place_is_free_at_once_and_its_number_is_not,
                                  play_close),
        cmocka_unit_test_teardown(test_a_time_out_disturbs_no_other, play_close),
        cmocka_unit_test_teardown(test_what_was_sent_at_the_same_time_times_out_at_the_same_time,
                                  play_close),
        cmocka_unit_test_teardown(test_the_last_time_out_of_an_old_link_ends_it, play_close),
        cmocka_unit_test_teardown(test_three_time_outs_in_a_row_replace_the_link, play_close),
        cmocka_unit_test_teardown(
            test_half_a_message_on_an_idle_link_is_not_the_beginning_of_the_next_response,
            play_close),
        cmocka_unit_test_teardown(test_the_response_of_a_client_that_has_gone_goes_to_nobody,
                                  play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
