/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/http.c: how responses are framed, by the rules of RFC 9112 section 6.3
 * in their order. */
#include <stdio.h>

#include "unit.h"

#include "http_unit.h"

#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LENGTH  "Content-Length: 3\r\n"

enum end { BY_HEAD, BY_LENGTH, BY_CHUNKS, BY_END, BY_CLOSING };

/* Feeds the head, then bytes that look like each kind of body, and compares what became of them. */
static void expect_end(const struct framing *framing, const char *head, enum end end)
{
    static const char next[] = "HTTP/1.1 204 next\r\n\r\n";
    static const char *const bodies[] = {[BY_HEAD] = "",
                                         [BY_LENGTH] = "abc",
                                         [BY_CHUNKS] = "3\r\nabc\r\n0\r\n\r\n",
                                         [BY_END] = "abc",
                                         [BY_CLOSING] = "abc"};
    char text[512];
    (void)snprintf(text, sizeof text, "%s%s%s", head, bodies[end], next);
    struct framing_outcome outcome = http_frame(framing, text);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.left, 0);
    const struct framing_message *message = &outcome.messages[0];
    assert_int_equal(message->first_size, strlen(head));
    bool is_until_end = end == BY_END || end == BY_CLOSING;
    assert_int_equal(message->until_end, is_until_end);
    assert_int_equal(message->open_ended, is_until_end || end == BY_CHUNKS);
    if (is_until_end) {
        assert_int_equal(outcome.count, 1);
        assert_false(message->ended);
        assert_int_equal(message->size, strlen(text));
        assert_true(message->closes);
        assert_int_equal(message->closes_client, end == BY_CLOSING);
    } else {
        assert_int_equal(outcome.count, 2);
        assert_int_equal(message->size, strlen(head) + strlen(bodies[end]));
    }
    framing_outcome_deinit(&outcome);
}

static void expect_get(const char *head, enum end end)
{
    struct framing framing = http_responses(HTTP_GET);
    expect_end(&framing, head, end);
}

static void test_rule_1_head_and_1xx_and_204_and_304_have_no_body(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_HEAD);
    expect_end(&framing, OK "\r\n", BY_HEAD);
    expect_end(&framing, OK LENGTH "\r\n", BY_HEAD);
    expect_end(&framing, OK CHUNKED "\r\n", BY_HEAD);
    expect_end(&framing, OK "Transfer-Encoding: gzip\r\n\r\n", BY_HEAD);
    expect_get("HTTP/1.1 204 No Content\r\n" LENGTH "\r\n", BY_HEAD);
    expect_get("HTTP/1.1 204 No Content\r\n" CHUNKED "\r\n", BY_HEAD);
    expect_get("HTTP/1.1 304 Not Modified\r\n" LENGTH "\r\n", BY_HEAD);
    expect_get("HTTP/1.1 304 Not Modified\r\n\r\n", BY_HEAD);
    expect_get("HTTP/1.1 100 Continue\r\n" LENGTH "\r\n", BY_HEAD);
    expect_get("HTTP/1.1 103 Early Hints\r\n\r\n", BY_HEAD);
}

static void test_rule_3_a_coding_wins_over_a_length_and_the_link_ends(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_GET);
    struct framing_outcome outcome = http_frame(&framing, OK LENGTH CHUNKED "\r\n0\r\n\r\n");
    assert_int_equal(outcome.count, 1);
    assert_true(outcome.messages[0].ended && outcome.messages[0].closes);
    framing_outcome_deinit(&outcome);
    framing.settings.http_strict = true;
    outcome = http_frame(&framing, OK LENGTH CHUNKED "\r\n");
    assert_int_equal(outcome.code, HTTP_REFUSAL_LENGTH_AND_CODING);
    framing_outcome_deinit(&outcome);
}

static void test_rule_4_chunked_last_is_chunked_and_else_until_the_end(void **state)
{
    (void)state;
    expect_get(OK CHUNKED "\r\n", BY_CHUNKS);
    expect_get("HTTP/1.1 205 Reset\r\n" CHUNKED "\r\n", BY_CHUNKS);
    expect_get(OK "Transfer-Encoding: gzip, chunked\r\n\r\n", BY_CHUNKS);
    expect_get(OK "Transfer-Encoding: gzip;level=\"9\"\r\n" CHUNKED "\r\n", BY_CHUNKS);
    expect_get(OK "Transfer-Encoding: gzip\r\n\r\n", BY_END);
    expect_get(OK "Transfer-Encoding: chunked, gzip\r\n\r\n", BY_CLOSING); /* not chunked twice */
}

static void test_rule_6_a_length_is_the_length(void **state)
{
    (void)state;
    expect_get(OK LENGTH "\r\n", BY_LENGTH);
    expect_get("HTTP/1.1 404 No\r\ncontent-length:3\r\n\r\n", BY_LENGTH);
    expect_get(OK "Content-Length: 0\r\n\r\n", BY_HEAD);
    expect_get("HTTP/1.1 206\r\n" LENGTH "\r\n", BY_LENGTH); /* without a space or reason */
    expect_get("HTTP/1.1 206 \r\n" LENGTH "\r\n", BY_LENGTH);
}

static void test_rule_8_else_until_the_end(void **state)
{
    (void)state;
    expect_get(OK "\r\n", BY_END);
    expect_get("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", BY_END);
    struct framing framing = http_responses(HTTP_GET);
    framing.request.key = HTTP_KEY_CLIENT_10;
    expect_end(&framing, OK "\r\n", BY_CLOSING);
}

static void test_interim_responses_end_and_are_not_the_last(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_GET);
    struct framing_outcome outcome =
        http_frame(&framing, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 X\r\nConnection: close\r\n"
                             "\r\n" OK LENGTH "\r\nabc");
    assert_int_equal(outcome.count, 3);
    assert_true(outcome.messages[0].interim);
    assert_true(outcome.messages[1].interim);
    assert_false(outcome.messages[1].closes);
    assert_false(outcome.messages[2].interim);
    framing_outcome_deinit(&outcome);
}

static void test_the_target_says_whether_the_link_closes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool closes;
    } rows[] = {
        {OK LENGTH "\r\nabc", false},
        {OK LENGTH "Connection: close\r\n\r\nabc", true},
        {OK CHUNKED "Connection: a, Close\r\n\r\n0\r\n\r\n", true},
        {"HTTP/1.1 204 N\r\nConnection: close\r\n\r\n", true},
        {"HTTP/1.0 200 OK\r\n" LENGTH "\r\nabc", true},
        {"HTTP/1.0 200 OK\r\n" LENGTH "Connection: keep-alive\r\n\r\nabc", false},
        {"HTTP/1.0 200 OK\r\n" LENGTH "Connection: keep-alive, close\r\n\r\nabc", true},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        struct framing framing = http_responses(HTTP_OTHER);
        struct framing_outcome outcome = http_frame(&framing, rows[index].text);
        assert_int_equal(outcome.count, 1);
        assert_true(outcome.messages[0].ended);
        assert_int_equal(outcome.messages[0].closes, rows[index].closes);
        assert_false(outcome.messages[0].closes_client);
        framing_outcome_deinit(&outcome);
    }
}

static void test_the_link_ends_when_a_body_that_may_not_be_there_is_announced(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum http_method method;
        bool closes, closes_with_all;
    } rows[] = {
        {"HTTP/1.1 204 N\r\n\r\n", HTTP_GET, false, false},
        {"HTTP/1.1 204 N\r\nContent-Length: 0\r\n\r\n", HTTP_GET, false, false},
        {"HTTP/1.1 204 N\r\n" LENGTH "\r\n", HTTP_GET, true, true},
        {"HTTP/1.1 204 N\r\n" CHUNKED "\r\n", HTTP_HEAD, true, true},
        {"HTTP/1.1 304 N\r\n" LENGTH "\r\n", HTTP_GET, false, true},
        {"HTTP/1.1 304 N\r\n\r\n", HTTP_GET, false, false},
        {OK LENGTH "\r\n", HTTP_HEAD, false, true},
        {OK CHUNKED "\r\n", HTTP_HEAD, false, true},
        {OK "\r\n", HTTP_HEAD, false, false},
        {OK LENGTH "\r\nabc", HTTP_GET, false, false},
    };
    for (size_t index = 0; index < 2 * sizeof rows / sizeof rows[0]; index++) {
        bool all = index % 2 == 1;
        struct framing framing = http_responses(rows[index / 2].method);
        framing.settings.body_guard = all ? BODY_GUARD_ALL : BODY_GUARD_GET;
        struct framing_outcome outcome = http_frame(&framing, rows[index / 2].text);
        assert_int_equal(outcome.count, 1);
        assert_true(outcome.messages[0].ended);
        assert_int_equal(outcome.messages[0].closes,
                         all ? rows[index / 2].closes_with_all : rows[index / 2].closes);
        framing_outcome_deinit(&outcome);
    }
}

static void test_an_old_client_is_told_the_end_of_chunks_by_closing(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_GET);
    framing.request.key = HTTP_KEY_CLIENT_10;
    struct framing_outcome outcome = http_frame(&framing, OK CHUNKED "\r\n1\r\na\r\n0\r\n\r\n");
    assert_int_equal(outcome.count, 1);
    assert_true(outcome.messages[0].ended);
    assert_true(outcome.messages[0].closes_client);
    assert_false(outcome.messages[0].closes);
    framing_outcome_deinit(&outcome);

    framing.request.kind = HTTP_HEAD; /* no body, and nothing to tell */
    outcome = http_frame(&framing, OK CHUNKED "\r\n");
    assert_int_equal(outcome.count, 1);
    assert_false(outcome.messages[0].closes_client);
    framing_outcome_deinit(&outcome);
}

static void test_a_body_until_the_end_is_bounded_only_if_asked(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_GET);
    for (size_t limit = 0; limit <= 6; limit++) {
        framing.settings.body_bytes_max = limit;
        struct framing_outcome outcome = http_frame(&framing, OK "\r\nabcde");
        bool fits = limit == 0 || limit >= 5;
        assert_int_equal(outcome.status, fits ? FRAME_PARTIAL : FRAME_TOO_LARGE);
        assert_int_equal(outcome.left, fits ? 0 : 5 - limit);
        framing_outcome_deinit(&outcome);
    }
}

static void test_what_is_no_response_is_refused_at_its_first_bytes(void **state)
{
    (void)state;
    static const char *const texts[] = {"X", "http/1.1 200 OK", "\r\nX", "HTTX",
                                        "HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\n\r"};
    for (size_t index = 0; index < sizeof texts / sizeof texts[0]; index++) {
        struct framing framing = http_responses(HTTP_GET);
        struct framing_outcome outcome = http_frame(&framing, texts[index]);
        assert_int_equal(outcome.status, FRAME_INVALID);
        framing_outcome_deinit(&outcome);
    }
}

static void test_empty_lines_in_front_of_a_status_line_are_nothing(void **state)
{
    (void)state;
    struct framing framing = http_responses(HTTP_GET);
    struct framing_outcome outcome = http_frame(
        &framing, "\r\n\n" OK "Content-Length: 1\r\n\r\na\r\n" OK "Content-Length: 0\r\n\r\n\r");
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.skipped, 5);
    assert_int_equal(outcome.left, 1);
    framing_outcome_deinit(&outcome);
}

/* What frame_response says of bytes that have come for a request. */
static struct frame first_bytes(const char *text)
{
    struct framing framing = http_responses(HTTP_GET);
    struct framer framer = {0};
    struct frame frame = {0};
    (void)protocol_http.frame_response(&framing.settings, &framer, &framing.request,
                                       span_of(text, strlen(text)), &frame);
    return frame;
}

static void test_what_shows_no_answer_leaves_its_request_untouched(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool unbegun, declines;
    } rows[] = {
        {"0\r\n\r\n", true, false},
        {"\r", true, false},
        {"HTT", true, false},
        {"HTTP/1.1 408 Timeout", true, false},
        {OK, false, false},
        {"HTTP/1.1 2x0", true, false}, /* it may go on */
        {"HTTP/1.1 2x0 X\r\n", false, false},
        {"HTTP/1.1 408 Timeout\r\nX: y\r\n", true, false},
        {"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", false, false},
        {"HTTP/1.1 408 Timeout\r\nConnection: close\r\n\r\n", false, true},
        {OK "Connection: close\r\n\r\n", false, false},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        struct frame frame = first_bytes(rows[index].text);
        assert_int_equal(frame.unbegun, rows[index].unbegun);
        assert_int_equal(frame.declines, rows[index].declines);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rule_1_head_and_1xx_and_204_and_304_have_no_body),
        cmocka_unit_test(test_rule_3_a_coding_wins_over_a_length_and_the_link_ends),
        cmocka_unit_test(test_rule_4_chunked_last_is_chunked_and_else_until_the_end),
        cmocka_unit_test(test_rule_6_a_length_is_the_length),
        cmocka_unit_test(test_rule_8_else_until_the_end),
        cmocka_unit_test(test_interim_responses_end_and_are_not_the_last),
        cmocka_unit_test(test_the_target_says_whether_the_link_closes),
        cmocka_unit_test(test_the_link_ends_when_a_body_that_may_not_be_there_is_announced),
        cmocka_unit_test(test_an_old_client_is_told_the_end_of_chunks_by_closing),
        cmocka_unit_test(test_a_body_until_the_end_is_bounded_only_if_asked),
        cmocka_unit_test(test_what_is_no_response_is_refused_at_its_first_bytes),
        cmocka_unit_test(test_empty_lines_in_front_of_a_status_line_are_nothing),
        cmocka_unit_test(test_what_shows_no_answer_leaves_its_request_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
