/* SPDX-License-Identifier: MIT */
/*
 * Links that we end: how long the target is waited for, and by which means they are closed. The target
 * sleeps: it does not notice that we have shut down writing.
 */
#include <string.h>

#include "mux_play.h"

static struct peer *client;

/* A client that is served, and a link that a stray answer has ended. */
static void open_with_a_retired_link(enum link_close link_close)
{
    struct mux_options options = play_options(&play_by_order);
    options.link_close = link_close;
    play_open(&options);
    play.sleeps = true;
    client = play_client();
    play_say(client, "g1\n");
    play_time(MS(300)); /* so that a successor may be connected at once */
    play_say(play_link(1), "A1\nstray\n");
    play_got(client, "A1\n");
}

static bool is_aborted(struct peer *link)
{
    assert_true(link->closed);
    return (link->wants & MUX_ABORT) != 0;
}

static void test_the_target_has_a_second_to_notice(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    assert_true(play_link(1)->ended);
    play_time(SECONDS(1) - 1);
    assert_false(play_link(1)->closed);
    play_time(1);
    assert_true(is_aborted(play_link(1)));
}

static void test_a_target_that_notices_is_not_reset(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    play_end(play_link(1));
    assert_false(is_aborted(play_link(1)));
}

static void test_who_waits_for_the_slot_waits_100_ms(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    play_time(MS(300));
    play_say(client, "g2\n");
    play_time(MS(100) - 1);
    assert_false(play_link(1)->closed);
    play_time(1);
    assert_true(is_aborted(play_link(1)));
    play_time(MS(50)); /* the stray bytes might have been a late greeting */
    play_got(play_link(2), "g2\n");
}

static void test_who_has_gone_does_not_wait(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    play_say(client, "g2\n");
    play_time(MS(50));
    play_reset(client);
    play_time(MS(100));
    assert_false(play_link(1)->closed);
    client = play_client();
    play_say(client, "g3\n");
    play_time(MS(99));
    assert_false(play_link(1)->closed);
    play_time(MS(1));
    assert_true(play_link(1)->closed);
}

static void test_who_may_have_another_link_waits_for_none(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.links_max = 2;
    play_open(&options);
    play.sleeps = true;
    client = play_client();
    play_say(client, "g1\n");
    play_time(MS(300));
    play.refuses = true;
    play_say(play_link(1), "A1\nstray\n");
    play_say(client, "g2\n");
    play_time(MS(500));
    assert_int_equal(play.attempts, 2);
    assert_false(play_link(1)->closed);
}

static void test_a_target_that_goes_on_for_50_ms_does_not_look(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    play_time(MS(200));
    play_say(play_link(1), "late\n"); /* an answer, say */
    play_time(MS(49));
    play_say(play_link(1), "picture\n");
    assert_false(play_link(1)->closed);
    play_time(MS(1));
    play_say(play_link(1), "picture\n");
    assert_true(is_aborted(play_link(1)));
}

static void test_a_target_that_sends_64_kib_does_not_look(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_AUTO);
    char text[16 * 1024 + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned count = 0; count < 3; count++) {
        play_say(play_link(1), text);
        assert_false(play_link(1)->closed);
    }
    play_say(play_link(1), text);
    assert_true(is_aborted(play_link(1)));
}

static void test_a_link_that_the_target_said_it_closes_is_closed_at_once(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    play.sleeps = true;
    client = play_client();
    play_say(client, "g1\ng2\n");
    play_say(play_link(1), "C1\n");
    assert_false(is_aborted(play_link(1)));
    play_got(play_link(2), "g2\n");
}

static void test_fin_never_resets(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_FIN);
    assert_true(play_link(1)->ended);
    play_time(SECONDS(1));
    assert_false(is_aborted(play_link(1)));
}

static void test_rst_resets_at_once(void **state)
{
    (void)state;
    open_with_a_retired_link(LINK_CLOSE_RST);
    assert_true(is_aborted(play_link(1)));
    assert_false(play_link(1)->ended);
    play_say(client, "g2\n");
    play_time(MS(50));
    play_say(play_link(2), "C2\n");
    assert_true(is_aborted(play_link(2)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_target_has_a_second_to_notice, play_close),
        cmocka_unit_test_teardown(test_a_target_that_notices_is_not_reset, play_close),
        cmocka_unit_test_teardown(test_who_waits_for_the_slot_waits_100_ms, play_close),
        cmocka_unit_test_teardown(test_who_has_gone_does_not_wait, play_close),
        cmocka_unit_test_teardown(test_who_may_have_another_link_waits_for_none, play_close),
        cmocka_unit_test_teardown(test_a_target_that_goes_on_for_50_ms_does_not_look, play_close),
        cmocka_unit_test_teardown(test_a_target_that_sends_64_kib_does_not_look, play_close),
        cmocka_unit_test_teardown(test_a_link_that_the_target_said_it_closes_is_closed_at_once,
                                  play_close),
        cmocka_unit_test_teardown(test_fin_never_resets, play_close),
        cmocka_unit_test_teardown(test_rst_resets_at_once, play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
