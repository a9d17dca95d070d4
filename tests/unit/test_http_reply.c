/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/http_reply.c and http_describe.c. */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#include "base/compiler.h"
#include "http_unit.h"
#include "lib/guard.h"

static const struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT};

/* Writes the reply and checks what all have; returns its status. */
static unsigned reply_to(enum trouble trouble, unsigned code, const struct request *request,
                         char *text, bool *closes)
{
    struct guard guard;
    guard_init(&guard, REPLY_BYTES_MAX);
    uint8_t *space = guard_space(&guard, REPLY_BYTES_MAX);
    struct reply reply =
        protocol_http.error_reply(&settings, trouble, (uint16_t)code, request, space);
    assert_in_range(reply.size, 1, REPLY_BYTES_MAX);
    memcpy(text, space, reply.size);
    text[reply.size] = '\0';
    guard_deinit(&guard);

    bool is_head =
        request == NULL ? (code & HTTP_CODE_HEAD) != 0 : request->kind == (uint8_t)HTTP_HEAD;
    struct framing framing = http_responses(is_head ? HTTP_HEAD : HTTP_GET);
    if (request != NULL) {
        framing.request = *request;
    }
    struct framing_outcome outcome = http_frame(&framing, text);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.count, 1);
    assert_true(outcome.messages[0].ended);
    assert_int_equal(outcome.left, 0);
    assert_int_equal(outcome.messages[0].closes, reply.closes);
    assert_int_equal(strstr(text, "Connection: close\r\n") != NULL, reply.closes);
    const char *body = strstr(text, "\r\n\r\n") + 4;
    assert_int_equal(body[0] == '\0', is_head);
    if (!is_head) {
        char length[64];
        (void)snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", strlen(body));
        assert_non_null(strstr(text, length));
        assert_int_equal(body[strlen(body) - 1], '\n');
        assert_memory_equal(body, "tcp-multiplexer: ", 17);
    }
    assert_non_null(strstr(text, "\r\nContent-Type: text/plain\r\n"));
    framing_outcome_deinit(&outcome);
    *closes = reply.closes;
    return (unsigned)strtoul(text + strlen("HTTP/1.1 "), NULL, 10);
}

static void test_every_trouble_has_its_status(void **state)
{
    (void)state;
    static const struct {
        enum trouble trouble;
        unsigned status;
        bool closes, retries;
    } rows[] = {
        {TROUBLE_UNREACHABLE, 503, false, true}, {TROUBLE_TIMEOUT, 504, false, false},
        {TROUBLE_BROKEN, 502, false, false},     {TROUBLE_OVERLOADED, 503, false, true},
        {TROUBLE_REFUSED, 501, false, false},    {TROUBLE_MALFORMED, 400, true, false},
        {TROUBLE_TOO_LARGE, 413, true, false},   {TROUBLE_CLIENT_TIMEOUT, 408, true, false},
        {TROUBLE_SHUTDOWN, 503, true, true},
    };
    assert_int_equal(ARRAY_COUNT(rows), TROUBLE_COUNT);
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        for (unsigned method = HTTP_OTHER; method <= HTTP_TRACE; method++) {
            char text[REPLY_BYTES_MAX + 1];
            struct request request = {.expects_response = true, .kind = (uint8_t)method};
            bool closes;
            assert_int_equal(reply_to(rows[index].trouble, 0, &request, text, &closes),
                             rows[index].status);
            assert_int_equal(closes, rows[index].closes);
            assert_int_equal(strstr(text, "\r\nRetry-After: ") != NULL, rows[index].retries);
            (void)reply_to(rows[index].trouble, 0, NULL, text, &closes);
            assert_true(closes);
            request.closes = true;
            (void)reply_to(rows[index].trouble, 0, &request, text, &closes);
            assert_true(closes);
        }
    }
}

static void test_an_old_client_that_stays_is_told_so(void **state)
{
    (void)state;
    char text[REPLY_BYTES_MAX + 1];
    struct request request = {.expects_response = true, .key = HTTP_KEY_CLIENT_10};
    bool closes;
    (void)reply_to(TROUBLE_TIMEOUT, 0, &request, text, &closes);
    assert_false(closes);
    assert_non_null(strstr(text, "\r\nConnection: keep-alive\r\n"));
}

static void test_every_refusal_says_its_status_and_reason(void **state)
{
    (void)state;
    for (unsigned code = 1; code < HTTP_REFUSAL_COUNT; code++) {
        const char *sentence = http_refusal_sentence((enum http_refusal)code);
        char text[REPLY_BYTES_MAX + 1];
        bool closes;
        assert_int_equal(reply_to(TROUBLE_MALFORMED, code, NULL, text, &closes),
                         http_refusal_status((enum http_refusal)code));
        assert_true(closes);
        assert_non_null(strstr(text, sentence));
        assert_int_equal(reply_to(TROUBLE_MALFORMED, code | HTTP_CODE_HEAD, NULL, text, &closes),
                         http_refusal_status((enum http_refusal)code));
        assert_true(closes);
        struct request request = {.expects_response = true};
        assert_int_equal(reply_to(TROUBLE_BROKEN, code, &request, text, &closes), 502);
        assert_false(closes);
        assert_non_null(strstr(text, sentence));
    }
}

static void expect_line(enum direction direction, const char *text, const char *expected)
{
    char line[DESCRIBE_BYTES_MAX];
    struct guard guard;
    guard_init(&guard, 4096);
    protocol_http.describe(direction, guard_put(&guard, span_of(text, strlen(text))), line,
                           sizeof line);
    assert_string_equal(line, expected);
    guard_deinit(&guard);
}

static void test_descriptions_show_the_first_line_and_the_length(void **state)
{
    (void)state;
    expect_line(TO_TARGET, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a HTTP/1.1");
    expect_line(TO_TARGET, "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\n\r\nabc",
                "POST /a HTTP/1.1 (length 12)");
    expect_line(TO_CLIENT, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK (chunked)");
    expect_line(TO_CLIENT, "HTTP/1.1 200 OK\r\n\r\nContent-Length: 5\r\n", "HTTP/1.1 200 OK");
}

static void test_descriptions_hide_secrets(void **state)
{
    (void)state;
    expect_line(TO_TARGET, "GET /a?key=secret HTTP/1.1\r\nAuthorization: Basic secret\r\n\r\n",
                "GET /a?… HTTP/1.1");
    expect_line(TO_TARGET, "GET http://me:secret@h/a@b?c HTTP/1.1\r\n\r\n",
                "GET http://***@h/a@b?… HTTP/1.1");
    expect_line(TO_TARGET, "GET http://h?secret HTTP/1.1\r\n\r\n", "GET http://h?… HTTP/1.1");
}

static void test_descriptions_take_any_bytes(void **state)
{
    (void)state;
    expect_line(TO_TARGET, "", "nothing");
    expect_line(TO_TARGET, "\r\n\r\n", "nothing");
    expect_line(TO_TARGET, "\x16\x03 \x1b[2J\xff", "\\x16\\x03 \\x1b[2J\\xff");
    char line[DESCRIBE_BYTES_MAX];
    static const char text[] = "GET /abc?d HTTP/1.1\r\n\r\n";
    for (size_t capacity = 1; capacity < sizeof line; capacity++) {
        memset(line, 'x', sizeof line);
        protocol_http.describe(TO_TARGET, span_of(text, strlen(text)), line, capacity);
        assert_true(strlen(line) < capacity);
        assert_memory_equal(line, "GET /abc?… HTTP/1.1", strlen(line));
        assert_true(strlen(line) != 10 && strlen(line) != 11); /* no part of a character */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_trouble_has_its_status),
        cmocka_unit_test(test_an_old_client_that_stays_is_told_so),
        cmocka_unit_test(test_every_refusal_says_its_status_and_reason),
        cmocka_unit_test(test_descriptions_show_the_first_line_and_the_length),
        cmocka_unit_test(test_descriptions_hide_secrets),
        cmocka_unit_test(test_descriptions_take_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
