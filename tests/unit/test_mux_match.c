/* SPDX-License-Identifier: MIT */
/*
 * Messages that a target sends unasked, where responses match by order and show what they answer: `mpu`,
 * whose messages can be written as text. A length of four digits stands in front.
 */
#include "mux_play.h"
#include "protocol/protocol.h"

#define LIFE "0000"

static void open_route(bool ignores_mti)
{
    struct mux_options options = play_options(protocol_find("mpu"));
    options.settings.iso_ignore_mti = ignores_mti;
    play_open(&options);
}

/* A client that has asked, and the target has been sent what it asked. */
static struct peer *ask(const char *message)
{
    struct peer *client = play_client();
    play_say(client, message);
    play_got(play_link(1), message);
    return client;
}

/* With field 11 and nothing else. */
#define WITH_STAN(mti, stan) "0026" mti "0020000000000000" stan

static void test_a_request_of_the_hosts_own_is_nobodys_answer(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), "00060800xy");
    play_got(client, "");
    play_say(play_link(1), "00060210ab");
    play_got(client, "00060210ab");
    assert_int_equal(play_counters()->strays, 1);
    assert_int_equal(play_counters()->links_lost, 0);
}

static void test_a_sign_of_life_is_nobodys_answer(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), LIFE "00060210ab");
    play_got(client, "00060210ab");
}

static void test_a_sign_of_life_answers_a_sign_of_life(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask(LIFE);
    play_say(play_link(1), LIFE);
    play_got(client, LIFE);
}

static void test_an_idle_link_outlives_harmless_messages(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), "00060210ab");
    play_got(client, "00060210ab");
    play_say(play_link(1), LIFE);
    play_say(play_link(1), LIFE "00060800xy"
                                "00");
    play_say(play_link(1), "00");
    assert_int_equal(play_counters()->unasked, 4);
    assert_int_equal(play_counters()->strays, 0);
    play_say(client, "00060100cd");
    play_got(play_link(1), "00060100cd");
    play_say(play_link(1), "00060110cd");
    play_got(client, "00060110cd");
    assert_int_equal(play_counters()->links_up, 1);
}

static void test_a_response_that_nobody_waits_for_costs_the_link(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), "00060210ab");
    play_got(client, "00060210ab");
    play_say(play_link(1), "00060210ab");
    assert_int_equal(play_counters()->strays, 1);
    assert_int_equal(play_counters()->links_lost, 1);
}

static void test_half_a_harmless_message_costs_the_link_when_it_is_needed(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), "00060210ab"
                           "000");
    play_got(client, "00060210ab");
    assert_int_equal(play_counters()->links_lost, 0);
    play_say(client, "00060100cd");
    assert_int_equal(play_counters()->links_lost, 1);
}

/* A host that speaks first on each link: what it says is taken for the answer once, and the true answer,
 * which then comes unasked, shows that it returns field 11. */
static void test_a_true_answer_that_comes_too_late_is_learned_from(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask(WITH_STAN("0200", "000001"));
    play_say(play_link(1), WITH_STAN("0210", "777777"));
    play_got(client, WITH_STAN("0210", "777777"));
    play_say(play_link(1), WITH_STAN("0210", "000001"));
    assert_int_equal(play_counters()->links_lost, 1);
    play_say(client, WITH_STAN("0200", "000002"));
    play_time(SECONDS(1));
    play_say(play_link(2), WITH_STAN("0210", "777777"));
    play_got(client, "");
    play_say(play_link(2), WITH_STAN("0210", "000002"));
    play_got(client, WITH_STAN("0210", "000002"));
}

static void test_field_11_counts_once_it_was_seen_to_be_returned(void **state)
{
    (void)state;
    open_route(false);
    struct peer *client = ask(WITH_STAN("0200", "000001"));
    play_say(play_link(1), WITH_STAN("0210", "999999"));
    play_got(client, WITH_STAN("0210", "999999")); /* this host may have numbers of its own */
    play_say(client, WITH_STAN("0200", "000002"));
    play_say(play_link(1), WITH_STAN("0210", "000002"));
    play_got(client, WITH_STAN("0210", "000002"));
    play_say(client, WITH_STAN("0200", "000003"));
    play_say(play_link(1), WITH_STAN("0210", "000002"));
    play_got(client, "");
    play_say(play_link(1), WITH_STAN("0210", "000003"));
    play_got(client, WITH_STAN("0210", "000003"));
    assert_int_equal(play_counters()->strays, 1);
}

static void test_the_check_can_be_switched_off(void **state)
{
    (void)state;
    open_route(true);
    struct peer *client = ask("00060200ab");
    play_say(play_link(1), LIFE);
    play_got(client, LIFE);
    play_say(play_link(1), LIFE);
    assert_int_equal(play_counters()->links_lost, 1);
}

#define claim(test) cmocka_unit_test_teardown(test, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(test_a_request_of_the_hosts_own_is_nobodys_answer),
        claim(test_a_sign_of_life_is_nobodys_answer),
        claim(test_a_sign_of_life_answers_a_sign_of_life),
        claim(test_an_idle_link_outlives_harmless_messages),
        claim(test_a_response_that_nobody_waits_for_costs_the_link),
        claim(test_half_a_harmless_message_costs_the_link_when_it_is_needed),
        claim(test_a_true_answer_that_comes_too_late_is_learned_from),
        claim(test_field_11_counts_once_it_was_seen_to_be_returned),
        claim(test_the_check_can_be_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
