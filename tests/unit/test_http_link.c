/* SPDX-License-Identifier: MIT */
/* Claims about what stands between HTTP messages: it is no answer, no request, and no news. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "mux_play.h"
#include "protocol/registry.h"

#define GET  "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
#define FINE "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
#define LATE "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

static struct mux_options options_for(void)
{
    struct mux_options options = play_options(&protocol_http);
    options.settings.head_bytes_max = 8192;
    return options;
}

static void open_route(void)
{
    struct mux_options options = options_for();
    play_open(&options);
}

/* A client whose first request was answered on the first link. */
static struct peer *answered_client(void)
{
    struct peer *client = play_client();
    play_say(client, GET);
    play_got(play_link(1), GET);
    play_say(play_link(1), FINE);
    play_got(client, FINE);
    return client;
}

static void test_empty_lines_behind_an_answer_are_nothing(void **state)
{
    (void)state;
    open_route();
    struct peer *client = answered_client();
    play_say(play_link(1), "\r");
    play_say(play_link(1), "\n\n\r\n");
    play_say(client, GET);
    play_got(play_link(1), GET);
    play_say(play_link(1), "\r\n");
    play_say(play_link(1), "\n" FINE);
    play_got(client, FINE);
    assert_int_equal(play.links_count, 1);
    assert_int_equal(play_counters()->strays, 0);
}

/* `first` comes for the second request of a link, in parts of `step` bytes; what becomes of it? */
static struct peer *behind(const char *request, const char *first, size_t step)
{
    open_route();
    struct peer *client = answered_client();
    play_say(client, request);
    play_got(play_link(1), request);
    for (size_t at = 0; at < strlen(first) && (play_link(1)->wants & MUX_READ) != 0; at += step) {
        char part[256];
        (void)snprintf(part, sizeof part, "%.*s", (int)step, first + at);
        play_say(play_link(1), part);
    }
    play_time(SECONDS(2));
    return client;
}

static void expect_asked_again(const char *first, size_t step)
{
    struct peer *client = behind(GET, first, step);
    play_got(play_link(2), GET);
    play_say(play_link(2), FINE);
    play_got(client, FINE);
    (void)play_close(NULL);
}

static void test_what_cannot_begin_a_response_costs_its_request_no_answer(void **state)
{
    (void)state;
    static const char *const texts[] = {"0\r\n\r\n", "hello", "HTTX", "\n0", LATE};
    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; index++) {
        expect_asked_again(texts[index], 200);
        expect_asked_again(texts[index], 1);
    }
}

static void test_it_is_asked_again_only_once(void **state)
{
    (void)state;
    struct peer *client = behind(GET, "hello", 5);
    struct peer *other = play_client();
    play_got(play_link(2), GET);
    play_say(play_link(2), "hello");
    play_time(SECONDS(2));
    assert_int_equal(strncmp(client->got, "HTTP/1.1 502 ", 13), 0);
    (void)other;
}

static void test_who_is_declined_twice_gets_the_second_answer(void **state)
{
    (void)state;
    struct mux_options options = options_for();
    options.links_max = 2;
    play_open(&options);
    struct peer *one = play_client(), *two = play_client();
    play_say(one, GET);
    play_say(two, GET);
    for (size_t link = 1; link <= 2; link++) {
        play_got(play_link(link), GET);
        play_say(play_link(link), FINE);
    }
    play_got(one, FINE);
    play_got(two, FINE);
    play_say(one, GET);
    size_t first = play_link(1)->got_size > 0 ? 1 : 2;
    play_say(play_link(first), LATE);
    play_got(play_link(3 - first), GET);
    play_say(play_link(3 - first), LATE);
    assert_int_equal(strncmp(one->got, "HTTP/1.1 408 ", 13), 0);
}

static void test_what_may_have_an_effect_is_not_asked_again(void **state)
{
    (void)state;
    struct peer *client = behind(POST, "hello", 5);
    assert_int_equal(strncmp(client->got, "HTTP/1.1 502 ", 13), 0);
    (void)play_close(NULL);
    client = behind(POST, LATE, 200);
    assert_int_equal(strncmp(client->got, "HTTP/1.1 408 ", 13), 0);
}

static void test_half_an_answer_is_not_asked_again(void **state)
{
    (void)state;
    struct peer *client = behind(GET, "HTTP/1.1 200 OK\r\nX\r\n\r", 200);
    assert_int_equal(strncmp(client->got, "HTTP/1.1 502 ", 13), 0);
}

static void test_empty_lines_leave_a_client_idle_and_renew_no_clock(void **state)
{
    (void)state;
    struct mux_options options = options_for();
    options.client_timeout_ns = SECONDS(1);
    options.idle_timeout_ns = SECONDS(10);
    play_open(&options);
    struct peer *client = answered_client();
    for (unsigned second = 0; second < 4; second++) {
        play_time(SECONDS(2));
        play_say(client, second % 2 == 0 ? "\n\r\n" : "\r");
        play_got(client, "");
        assert_false(client->closed);
    }
    play_time(SECONDS(1));
    assert_false(client->closed);
    play_time(SECONDS(1) + MS(1));
    play_got(client, "");
    assert_true(client->ended || client->closed);
}

/* They stand behind a request whose bytes are still needed. */
static void test_empty_lines_behind_a_request_go_with_it(void **state)
{
    (void)state;
    open_route();
    struct peer *client = play_client();
    play_say(client, POST "\r\n\r\n\n" GET "\r\n");
    play_got(play_link(1), POST);
    play_say(play_link(1), FINE);
    play_got(client, FINE);
    play_got(play_link(1), GET);
    play_say(play_link(1), FINE);
    play_got(client, FINE);
    play_say(client, "\r");
    play_end(client);
    play_got(client, "");
    assert_true(client->ended || client->closed);
}

/* Lines of chunks are repaired whether they were gathered or came when the link was there already. */
static void test_a_request_goes_on_in_chunks_that_are_well_formed(void **state)
{
    (void)state;
    struct mux_options options = options_for();
    options.request_buffer_bytes = 1;
    play_open(&options);
    struct peer *client = play_client(), *other = play_client();
    play_say(other, GET);
    play_got(play_link(1), GET);
    play_say(client,
             "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n3;\r\nc");
    play_say(play_link(1), FINE);
    play_got(play_link(1), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                           "Connection: close\r\n\r\n2\r\nab\r\n3\r\nc");
    play_say(client, "de\r\n1 ;x\r\nf\r\n0;;\r\nX: y\r\n\r\n");
    play_got(play_link(1), "de\r\n1;x\r\nf\r\n0\r\nX: y\r\n\r\n");
    play_say(play_link(1), FINE);
    play_got(client, FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_empty_lines_behind_an_answer_are_nothing, play_close),
        cmocka_unit_test_teardown(test_what_cannot_begin_a_response_costs_its_request_no_answer,
                                  play_close),
        cmocka_unit_test_teardown(test_it_is_asked_again_only_once, play_close),
        cmocka_unit_test_teardown(test_who_is_declined_twice_gets_the_second_answer, play_close),
        cmocka_unit_test_teardown(test_what_may_have_an_effect_is_not_asked_again, play_close),
        cmocka_unit_test_teardown(test_half_an_answer_is_not_asked_again, play_close),
        cmocka_unit_test_teardown(test_empty_lines_leave_a_client_idle_and_renew_no_clock,
                                  play_close),
        cmocka_unit_test_teardown(test_empty_lines_behind_a_request_go_with_it, play_close),
        cmocka_unit_test_teardown(test_a_request_goes_on_in_chunks_that_are_well_formed,
                                  play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
