/* SPDX-License-Identifier: MIT */
/*
 * Silence in front of requests: behind a greeting, and --check-gap where answers show nothing of their
 * requests. `echo`, in lock-step.
 */
#include <string.h>

#include "mux_play.h"
#include "protocol/protocol.h"

enum { CHECKS_FIRST = 8 };

static struct peer *one;

static void open_route(const char *name)
{
    struct mux_options options = play_options(protocol_find(name));
    options.check_gap_ns = MS(20);
    options.wait_timeout_ns = SECONDS(4);
    play_open(&options);
    one = play_client();
}

/* One exchange, whose request has to wait so long and not less. */
static void exchange_after(uint64_t wait_ns)
{
    play_say(one, "a\n");
    if (wait_ns > 0) {
        play_time(wait_ns - 1);
        play_got(play_link(1), "");
        play_time(1);
    }
    play_got(play_link(1), "a\n");
    play_say(play_link(1), "A\n");
    play_got(one, "A\n");
}

static void pass_first_checks(void)
{
    for (unsigned count = 0; count < CHECKS_FIRST; count++) {
        exchange_after(MS(20));
    }
}

/* Exchanges without any silence until one has to wait for it; returns how long that took. */
static uint64_t load_until_a_check(void)
{
    uint64_t begun_ns = play.now_ns;
    for (;;) {
        assert_true(play.now_ns - begun_ns <= SECONDS(20)); /* or it would never come */
        play_say(one, "a\n");
        uint64_t asked_ns = play.now_ns;
        if (play_link(1)->got_size == 0) {
            play_time(MS(20));
        }
        bool has_waited = play.now_ns > asked_ns;
        play_got(play_link(1), "a\n");
        if (!has_waited) {
            play_time(MS(10)); /* of service */
        }
        play_say(play_link(1), "A\n");
        play_got(one, "A\n");
        if (has_waited) {
            return asked_ns - begun_ns;
        }
    }
}

static void test_a_silence_precedes_the_first_requests_of_a_link(void **state)
{
    (void)state;
    open_route("echo");
    pass_first_checks();
    exchange_after(0);
}

static void test_a_silence_that_came_by_itself_counts(void **state)
{
    (void)state;
    open_route("echo");
    for (unsigned count = 0; count < CHECKS_FIRST; count++) {
        exchange_after(count == 0 ? MS(20) : 0);
        play_time(MS(30)); /* longer than one that is kept */
    }
    exchange_after(0);
    exchange_after(0);
}

static void test_under_load_a_silence_comes_now_and_then(void **state)
{
    (void)state;
    open_route("echo");
    pass_first_checks();
    static const uint64_t intervals[] = {1, 2, 4, 8, 10, 10};
    for (size_t index = 0; index < sizeof intervals / sizeof intervals[0]; index++) {
        assert_int_equal(load_until_a_check(), SECONDS(intervals[index]));
    }
}

static void test_a_shift_comes_to_light_in_the_silence(void **state)
{
    (void)state;
    open_route("echo");
    play_say(one, "a\n");
    play_time(MS(20));
    play_say(play_link(1), "EVENT\n");
    play_got(one, "EVENT\n"); /* which no one can tell from the answer */
    play_say(one, "b\n");
    play_say(play_link(1), "A\n");
    play_got(one, "");
    assert_int_equal(play_counters()->strays, 1);
    assert_int_equal(play_counters()->links_lost, 1);
    play_time(MS(300));
    play_got(play_link(2), "b\n");
}

/* A request takes the newest link so long after it was connected, and not sooner. */
static void taken_after(uint64_t silence_ns)
{
    play_say(one, "b\n");
    play_time(silence_ns - 1);
    assert_int_equal(play_link(play.links_count)->got_size, 0);
    play_time(1);
    play_got(play_link(play.links_count), "b\n");
}

/* A target that greets when it is asked for the first time, or a moment too late: each link shows a shift. */
static void test_links_that_show_a_shift_at_once_wait_longer_and_longer(void **state)
{
    (void)state;
    open_route("echo");
    static const uint64_t silences_ns[] = {MS(20),  MS(50),  MS(100),    MS(200),
                                           MS(400), MS(800), SECONDS(1), SECONDS(1)};
    for (size_t index = 0; index < ARRAY_COUNT(silences_ns); index++) {
        taken_after(silences_ns[index]);
        play_time(MS(300));
        play_say(play_link(play.links_count), "hello\n");
        play_got(one, "hello\n");
        play_say(play_link(play.links_count), "B\n");
        assert_int_equal(play_counters()->links_lost, index + 1);
    }
    /* Until one has given two answers. */
    taken_after(SECONDS(1));
    play_say(play_link(play.links_count), "B\n");
    play_got(one, "B\n");
    play_say(one, "c\n");
    play_time(MS(300));
    play_got(play_link(play.links_count), "c\n");
    play_say(play_link(play.links_count), "C\n");
    play_got(one, "C\n");
    play_end(play_link(play.links_count));
    play_say(one, "d\n");
    play_time(MS(20));
    play_got(play_link(play.links_count), "d\n");
}

static void test_a_line_that_is_named_is_nobodys(void **state)
{
    (void)state;
    static const char prefixes[2][LINE_PREFIX_MAX] = {"EVENT", "!"};
    struct mux_options options = play_options(protocol_find("echo"));
    options.check_gap_ns = 0;
    options.settings.ignore_lines = prefixes;
    options.settings.ignore_lines_count = 2;
    play_open(&options);
    one = play_client();
    exchange_after(0);
    play_say(play_link(1), "EVENT 1\n!x\n");
    play_say(one, "b\n");
    play_say(play_link(1), "EVENT 2\n");
    play_got(one, "");
    play_say(play_link(1), "EVENING\n");
    play_got(one, "EVENING\n");
    assert_int_equal(play_counters()->unasked, 3);
    assert_int_equal(play_counters()->strays, 0);
}

#define WITH_STAN(mti, stan) "0026" mti "0020000000000000" stan

static void test_answers_that_show_their_request_need_no_silence(void **state)
{
    (void)state;
    open_route("mpu");
    play_say(one, WITH_STAN("0200", "000001"));
    play_got(play_link(1), WITH_STAN("0200", "000001"));
    play_say(play_link(1), WITH_STAN("0210", "000001"));
    play_got(one, WITH_STAN("0210", "000001"));
    play_say(one, "0000");
    play_got(play_link(1), "0000");
    play_say(play_link(1), "0000");
    play_got(one, "0000");
    play_say(one, "0001x");
    play_got(play_link(1), "");
    play_time(MS(20));
    play_got(play_link(1), "0001x");
}

/* Once an answer may be another's, all that follow are asked for behind a silence. */
static void check_silence_behind(const char *request, const char *response)
{
    open_route("mpu");
    play_say(one, request);
    play_time(MS(20));
    play_got(play_link(1), request);
    play_say(play_link(1), response);
    play_got(one, response);
    play_say(one, WITH_STAN("0200", "000002"));
    play_got(play_link(1), "");
    play_time(MS(20));
    play_got(play_link(1), WITH_STAN("0200", "000002"));
    (void)play_close(NULL);
}

static void test_answers_that_could_be_anothers_need_a_silence(void **state)
{
    (void)state;
    check_silence_behind("00040200", "00040210");
    check_silence_behind(WITH_STAN("0200", "000001"), "00040210");
    check_silence_behind(WITH_STAN("0200", "000001"), WITH_STAN("0210", "999999"));
}

static void test_without_identifiers_modbus_needs_a_silence(void **state)
{
    (void)state;
    struct mux_options options = play_options(protocol_find("modbus"));
    options.settings.ignore_id = true;
    options.check_gap_ns = MS(20);
    play_open(&options);
    one = play_client();
    static const uint8_t request[] = {0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1};
    size_t space;
    memcpy(mux_recv_space(play.mux, one->id, &space), request, sizeof request);
    mux_received(play.mux, one->id, sizeof request);
    play_time(0);
    assert_int_equal(play_link(1)->got_size, 0);
    play_time(MS(20));
    assert_int_equal(play_link(1)->got_size, sizeof request);
}

static void test_a_greeting_is_dropped_and_waited_for(void **state)
{
    (void)state;
    struct mux_options options = play_options(protocol_find("mpu"));
    options.delay_ns = MS(100);
    play_open(&options);
    one = play_client();
    play_say(one, "00040200");
    play_say(play_link(1), "200\nconn");
    play_time(MS(90));
    play_say(play_link(1), "ected");
    play_time(MS(50) - 1);
    play_got(play_link(1), "");
    play_time(1);
    play_got(play_link(1), "00040200");
    play_say(play_link(1), "00040210");
    play_got(one, "00040210");
    assert_int_equal(play_counters()->greetings, 1);
    assert_int_equal(play_counters()->strays, 0);
    assert_int_equal(play_counters()->links_lost, 0);
}

static void test_who_must_be_alone_takes_a_link_that_has_greeted(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.links_max = options.in_flight_max = 2;
    options.delay_ns = MS(10);
    play_open(&options);
    struct peer *reader = play_client(), *writer = play_client();
    play_say(reader, "g1\n");
    play_time(MS(10));
    play_say(writer, "p2\n"); /* waits for the first link to be empty, or for another */
    play_say(play_link(2), "hello\n");
    play_got(play_link(2), "");
    play_time(MS(50));
    play_got(play_link(2), "p2\n");
}

static void test_a_greeting_without_end_is_waited_for_a_second(void **state)
{
    (void)state;
    struct mux_options options = play_options(protocol_find("mpu"));
    options.delay_ns = MS(10);
    play_open(&options);
    one = play_client();
    play_say(one, "00040200");
    for (unsigned count = 0; count < 40; count++) {
        play_got(play_link(1), "");
        play_say(play_link(1), "more");
        play_time(MS(25));
    }
    play_got(play_link(1), "00040200");
}

static void test_who_greets_and_closes_is_not_connected_again_at_once(void **state)
{
    (void)state;
    struct mux_options options = play_options(protocol_find("echo"));
    options.delay_ns = MS(10);
    options.retry_delay_min_ns = SECONDS(1);
    play_open(&options);
    one = play_client();
    play_say(one, "a\n");
    play_say(play_link(1), "BUSY\n");
    play_end(play_link(1));
    play_time(MS(900));
    assert_int_equal(play.attempts, 1);
    play_time(SECONDS(2));
    assert_int_equal(play.attempts, 2);
}

#define claim(test) cmocka_unit_test_teardown(test, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(test_a_silence_precedes_the_first_requests_of_a_link),
        claim(test_a_silence_that_came_by_itself_counts),
        claim(test_under_load_a_silence_comes_now_and_then),
        claim(test_a_shift_comes_to_light_in_the_silence),
        claim(test_links_that_show_a_shift_at_once_wait_longer_and_longer),
        claim(test_a_line_that_is_named_is_nobodys),
        claim(test_answers_that_show_their_request_need_no_silence),
        claim(test_answers_that_could_be_anothers_need_a_silence),
        claim(test_without_identifiers_modbus_needs_a_silence),
        claim(test_a_greeting_is_dropped_and_waited_for),
        claim(test_who_must_be_alone_takes_a_link_that_has_greeted),
        claim(test_a_greeting_without_end_is_waited_for_a_second),
        claim(test_who_greets_and_closes_is_not_connected_again_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
