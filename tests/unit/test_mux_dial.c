/* SPDX-License-Identifier: MIT */
/*
 * When the target is connected: neither hammered, nor kept waiting for. The rules are in src/mux/dial.c.
 */
#include "mux/state.h"

#include "mux_play.h"

enum { ATTEMPTS_MAX = 256 };

/* ---- behind failures ---- */

/* When attempts were begun, while a client asks once a second. */
static size_t attempts_of(uint64_t during_ns, uint64_t at[static ATTEMPTS_MAX])
{
    struct peer *client = play_client();
    uint64_t step_ns = MS(10);
    size_t count = 0;
    for (uint64_t ns = 0; ns < during_ns; ns += step_ns) {
        if (ns % SECONDS(1) == 0) {
            client->got_size = 0;
            play_say(client, "g\n");
        }
        play_time(step_ns);
        while (count < play.attempts) {
            assert_true(count < ATTEMPTS_MAX);
            at[count++] = ns;
        }
    }
    return count;
}

static void test_requests_that_wait_do_not_make_the_pause_shorter_than_retry_delay(void **state)
{
    (void)state;
    static const uint64_t queue_timeouts[] = {MS(100), SECONDS(1), SECONDS(5)};
    for (size_t index = 0; index < ARRAY_COUNT(queue_timeouts); index++) {
        struct mux_options options = play_options(&play_by_order);
        options.retry_delay_min_ns = SECONDS(5);
        options.queue_timeout_ns = queue_timeouts[index];
        play_open(&options);
        play.refuses = true;
        uint64_t at[ATTEMPTS_MAX];
        size_t count = attempts_of(SECONDS(50), at);
        assert_in_range(count, 3, 11);
        for (size_t next = 1; next < count; next++) {
            assert_in_range(at[next] - at[next - 1], SECONDS(5) - MS(10), SECONDS(30));
        }
        (void)play_close(NULL);
    }
}

static void test_a_target_that_breaks_off_every_first_answer_is_not_hammered(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.retry_delay_min_ns = SECONDS(5);
    play_open(&options);
    struct peer *client = play_client();
    for (size_t number = 1; number <= 3; number++) {
        client->got_size = 0;
        play_say(client, "w\n");
        play_time(MS(250));
        assert_int_equal(play.attempts, number);
        play_say(play_link(number), "half");
        play_end(play_link(number));
    }
    play_say(client, "w\n");
    play_time(SECONDS(4) + MS(500));
    assert_int_equal(play.attempts, 3);
}

static void test_the_pause_is_short_for_a_minute_and_then_doubles(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.queue_timeout_ns = SECONDS(6);
    play_open(&options);
    play.refuses = true;
    uint64_t at[ATTEMPTS_MAX];
    size_t count = attempts_of(SECONDS(300), at);
    uint64_t longest = 0;
    for (size_t next = 1; next < count; next++) {
        uint64_t pause = at[next] - at[next - 1];
        assert_in_range(pause, SECONDS(1) - MS(10), SECONDS(30) * 5 / 4 + MS(10));
        if (at[next - 1] < SECONDS(60)) {
            assert_in_range(pause, 0, SECONDS(3) + MS(10)); /* half of --queue-timeout */
        } else {
            assert_in_range(pause, 0,
                            2 * longest * 5 / 4 + MS(20)); /* and no leap to the longest */
        }
        longest = pause > longest ? pause : longest;
    }
    assert_in_range(longest, SECONDS(30) - MS(10), SECONDS(38));
}

/* It connects and ends the link before a byte has followed the request. */
static void test_a_link_that_never_answers_is_a_failed_attempt(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.retry_delay_min_ns = SECONDS(2);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g1\n");
    play_end(play_link(1));
    play_got(client, PLAY_BROKEN);
    play_say(client, "g2\n");
    play_time(SECONDS(2) - 1);
    assert_int_equal(play.attempts, 1);
    play_time(1 + SECONDS(1)); /* jitter, at most half of --queue-timeout */
    assert_int_equal(play.attempts, 2);
}

static void test_the_outage_begins_with_the_link_that_failed(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.retry_delay_min_ns = options.retry_delay_max_ns = SECONDS(30);
    play_open(&options);
    struct peer *asking = play_client();
    struct peer *waiting = play_client();
    play_say(asking, "g\n");
    play_say(waiting, "g\n");
    play_end(play_link(1));
    play_got(asking, PLAY_BROKEN);
    play_time(SECONDS(5) - 1); /* --queue-timeout */
    play_got(waiting, "");
    play_time(1);
    play_got(waiting, PLAY_UNREACHABLE);
    assert_int_equal(play.attempts, 1);
}

/* ---- behind links that did not fail ---- */

static void test_a_link_that_ends_inside_its_answer_is_no_failed_attempt(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.retry_delay_min_ns = options.retry_delay_max_ns = SECONDS(30);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g1\n");
    play_say(play_link(1), "A");
    play_end(play_link(1));
    play_got(client, PLAY_BROKEN);
    play_say(client, "g2\n");
    play_time(MS(250) - 1);
    assert_int_equal(play.attempts, 1);
    play_time(1);
    assert_int_equal(play.attempts, 2);
    play_say(play_link(2), "C\n");
    play_say(client, "g3\n"); /* and behind a whole answer at once, as ever */
    assert_int_equal(play.attempts, 3);
}

/* A client goes in the middle of its upload while another waits, again and again. */
static void test_clients_that_vanish_are_no_outage_and_hammer_nobody(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.queue_timeout_ns = MS(100);
    options.retry_delay_min_ns = options.retry_delay_max_ns = SECONDS(30);
    play_open(&options);
    struct peer *waiting = play_client();
    for (unsigned round = 1; round <= 6; round++) {
        struct peer *uploader = play_client();
        play_say(uploader, "s\n");
        assert_int_equal(play.attempts, round);
        play_say(waiting, "g\n");
        play_got(play_link(round), "s\n");
        play_reset(uploader);
        assert_true(play_link(round)->closed);
        play_time(MS(250) - 1); /* longer than --queue-timeout */
        assert_int_equal(play.attempts, round);
        play_got(waiting, "");
        play_time(1);
        assert_int_equal(play.attempts, round + 1);
        play_got(play_link(round + 1), "g\n");
        play_say(play_link(round + 1), "A\n");
        play_got(waiting, "A\n");
    }
}

static void test_the_outage_goes_on_with_the_attempt_behind_such_a_pause(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.queue_timeout_ns = MS(100);
    play_open(&options);
    struct peer *waiting = play_client();
    struct peer *uploader = play_client();
    play_say(uploader, "s\n");
    play_say(waiting, "g\n");
    play_reset(uploader);
    play.refuses = true;
    play_time(MS(250));
    assert_int_equal(play.attempts, 2);
    play_time(MS(100) - 1);
    play_got(waiting, "");
    play_time(1);
    play_got(waiting, PLAY_UNREACHABLE);
}

static void test_links_that_are_replaced_together_come_back_one_after_the_other(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.links_max = 2;
    play_open(&options);
    struct peer *one = play_client();
    struct peer *two = play_client();
    play_say(one, "s\n");
    play_say(two, "s\n");
    assert_int_equal(play.attempts, 2); /* who has not been replaced opens at once */
    play_time(SECONDS(1));
    play_reset(one);
    play_reset(two);
    play_say(play_client(), "w\n");
    play_say(play_client(), "w\n");
    assert_int_equal(play.attempts, 3);
    play_time(MS(250) - 1);
    assert_int_equal(play.attempts, 3);
    play_time(1);
    assert_int_equal(play.attempts, 4);
}

static void test_a_link_that_ended_behind_its_answer_is_replaced_at_once(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    struct peer *client = play_client();
    for (unsigned round = 1; round <= 12; round++) {
        play_say(client, "w\n");
        assert_int_equal(play.attempts, round);
        play_say(play_link(round), round % 2 == 0 ? "C\n" : "A\n");
        if (round % 2 != 0) {
            play_end(play_link(round));
        }
        play_got(client, round % 2 == 0 ? "C\n" : "A\n");
    }
}

/* ---- the table ---- */

static void test_how_links_end(void **state)
{
    (void)state;
    static const struct {
        enum mux_reason reason;
        enum link_end fresh, heard, answered; /* no byte has come, one has, a whole response has */
    } rows[] = {
        {REASON_LINK_IDLE, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_LINK_LIFETIME, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_SHUTDOWN, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_REQUEST_CLOSES, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_RESPONSE_CLOSES, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_EARLY_RESPONSE, LINK_END_OVER, LINK_END_OVER, LINK_END_OVER},
        {REASON_HALF_REQUEST, LINK_END_REPLACED, LINK_END_REPLACED, LINK_END_REPLACED},
        {REASON_ORPHAN, LINK_END_REPLACED, LINK_END_REPLACED, LINK_END_REPLACED},
        {REASON_MEMORY, LINK_END_REPLACED, LINK_END_REPLACED, LINK_END_REPLACED},
        {REASON_TARGET_MALFORMED, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
        {REASON_TARGET_TOO_LARGE, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
        {REASON_TARGET_STRAY, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
        {REASON_RESPONSE_TIMEOUT, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_REPLACED},
        {REASON_TARGET_ENDED, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
        {REASON_TARGET_RESET, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
        {REASON_IO_ERROR, LINK_END_FAILED, LINK_END_REPLACED, LINK_END_OVER},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        assert_int_equal(dial_ending(rows[index].reason, false, false), rows[index].fresh);
        assert_int_equal(dial_ending(rows[index].reason, false, true), rows[index].heard);
        assert_int_equal(dial_ending(rows[index].reason, true, true), rows[index].answered);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(
            test_requests_that_wait_do_not_make_the_pause_shorter_than_retry_delay, play_close),
        cmocka_unit_test_teardown(test_a_target_that_breaks_off_every_first_answer_is_not_hammered,
                                  play_close),
        cmocka_unit_test_teardown(test_the_pause_is_short_for_a_minute_and_then_doubles,
                                  play_close),
        cmocka_unit_test_teardown(test_a_link_that_never_answers_is_a_failed_attempt, play_close),
        cmocka_unit_test_teardown(test_the_outage_begins_with_the_link_that_failed, play_close),
        cmocka_unit_test_teardown(test_a_link_that_ends_inside_its_answer_is_no_failed_attempt,
                                  play_close),
        cmocka_unit_test_teardown(test_clients_that_vanish_are_no_outage_and_hammer_nobody,
                                  play_close),
        cmocka_unit_test_teardown(test_the_outage_goes_on_with_the_attempt_behind_such_a_pause,
                                  play_close),
        cmocka_unit_test_teardown(
            test_links_that_are_replaced_together_come_back_one_after_the_other, play_close),
        cmocka_unit_test_teardown(test_a_link_that_ended_behind_its_answer_is_replaced_at_once,
                                  play_close),
        cmocka_unit_test(test_how_links_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
