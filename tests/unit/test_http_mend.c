/* SPDX-License-Identifier: MIT */
/*
 * Claims about what is wrong and can mean one thing only: it is taken, and what was understood goes on.
 *
 * Each row is a message as it comes and as it goes on. With --http-strict it is refused. What goes on is
 * framed again, strictly, and goes on as it is.
 */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "base/compiler.h"
#include "http_unit.h"

#define HOST    "Host: h\r\n"
#define GET     "GET / HTTP/1.1\r\n" HOST
#define POST    "POST / HTTP/1.1\r\n" HOST
#define OK      "HTTP/1.1 200 OK\r\n"
#define NONE    "Content-Length: 0\r\n\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LAST    "0\r\n\r\n"

struct row {
    enum direction direction;
    const char *text, *mended;
    bool closes;  /* a response: the link ends behind it */
    bool is_same; /* it is taken with --http-strict, too, or goes on in a form that is not */
};

static const struct row rows[] = {
    {TO_TARGET, "GET / HTTP/1.1\nHost: h\nX:y\n\n", GET "X:y\r\n\r\n", false, false},
    {TO_TARGET, GET "X: y\n\r\n", GET "X: y\r\n\r\n", false, false},
    {TO_TARGET, GET "X: y\r\n\n", GET "X: y\r\n\r\n", false, false},
    {TO_TARGET, "GET http://one/ HTTP/1.0\nHost: two\n\n",
     "GET http://one/ HTTP/1.1\r\nHost: one\r\n\r\n", false, false},
    {TO_TARGET, POST "Content-Length:\t2\t\r\n\r\nab", POST "Content-Length: 2\r\n\r\nab", false,
     false},
    {TO_TARGET, POST "Transfer-Encoding:\tchunked\r\n\r\n" LAST, POST CHUNKED "\r\n" LAST, false,
     false},
    {TO_TARGET, POST CHUNKED "\r\n2 \t\r\nab\r\n0;\r\n\r\n", POST CHUNKED "\r\n2\r\nab\r\n" LAST,
     false, false},
    {TO_TARGET, POST CHUNKED "\r\n2;a b\r\nab\r\n00;c=\"d\"\r\n\r\n",
     POST CHUNKED "\r\n2\r\nab\r\n00;c=\"d\"\r\n\r\n", false, false},
    {TO_TARGET, POST CHUNKED "\r\n2;a=b \r\nab\r\n" LAST, POST CHUNKED "\r\n2;a=b\r\nab\r\n" LAST,
     false, false},
    {TO_TARGET, GET "Connection: Keep Alive\r\n\r\n", GET "\r\n", false, false},
    {TO_TARGET, GET "X: \x01\x1b\x7f\r\n\r\n", GET "X: \x01\x1b\x7f\r\n\r\n", false, true},
    {TO_TARGET, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n",
     false, true},
    {TO_CLIENT, "HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nab",
     OK "X: y\r\nContent-Length: 2\r\n\r\nab", false, false},
    {TO_CLIENT, OK "X:\r\n a\r\n\t b \r\n  \r\nY: c\r\n" NONE, OK "X: a b  \r\nY: c\r\n" NONE,
     false, false},
    {TO_CLIENT, OK "X: a\n b\n" NONE, OK "X: a b\r\n" NONE, false, false},
    {TO_CLIENT, OK "X \t: y\r\n" NONE, OK "X: y\r\n" NONE, false, false},
    {TO_CLIENT, OK "Content-Length : 2\r\n\r\nab", OK "Content-Length: 2\r\n\r\nab", false, false},
    {TO_CLIENT, OK "Content-Length:\r\n\t2\r\n\r\nab", OK "Content-Length: 2\r\n\r\nab", false,
     false},
    {TO_CLIENT, OK "Content-Length: 2, 2\r\nA: b\r\ncontent-length: 02\r\n\r\nab",
     OK "Content-Length: 2\r\nA: b\r\n\r\nab", false, false},
    {TO_CLIENT, OK "Content-Length: 7\r\n" CHUNKED "\r\n" LAST, OK CHUNKED "\r\n" LAST, true,
     false},
    {TO_CLIENT, OK CHUNKED "Content-Length: 7\r\n\r\n" LAST, OK CHUNKED "\r\n" LAST, true, false},
    {TO_CLIENT, OK CHUNKED CHUNKED "\r\n" LAST, OK CHUNKED "\r\n" LAST, true, false},
    {TO_CLIENT, OK "Transfer-Encoding: gzip, chunked,\tChunked\r\n\r\n" LAST,
     OK "Transfer-Encoding: gzip,chunked\r\n\r\n" LAST, true, false},
    {TO_CLIENT, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" CHUNKED "\r\n" LAST,
     OK CHUNKED "\r\n" LAST, true, false},
    {TO_CLIENT, OK CHUNKED "\r\n5   \r\nhello\r\n" LAST, OK CHUNKED "\r\n5\r\nhello\r\n" LAST,
     false, false},
    {TO_CLIENT, OK "Connection: a,\r\n b\r\nb: gone\r\nA : gone\r\n" NONE, OK NONE, false, false},
    {TO_CLIENT, OK "Set-Cookie: \x01\x7f\r\n" NONE, OK "Set-Cookie: \x01\x7f\r\n" NONE, false,
     true},
    {TO_CLIENT, "HTTP/1.1 401 X\r\nWWW-Authenticate: NTLM,\r\n Basic realm=\"a\"\r\n" NONE,
     "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"a\"\r\n" NONE, false, false},
};

static struct framing framing_of(enum direction direction, bool is_strict)
{
    struct framing framing = direction == TO_TARGET ? http_requests() : http_responses(HTTP_GET);
    framing.settings.http_strict = is_strict;
    framing.settings.body_guard = BODY_GUARD_OFF;
    return framing;
}

/* Frames the message, which is taken, and writes what goes on. */
static void go_on(const struct framing *framing, const char *text, char *out)
{
    struct framer framer = {0};
    struct request request = framing->request;
    struct span rest = span_of(text, strlen(text));
    size_t size = 0;
    while (rest.size > 0) {
        struct frame frame;
        enum frame_status status =
            framing->direction == TO_TARGET
                ? protocol_http.frame_request(&framing->settings, &framer, rest, &frame, &request)
                : protocol_http.frame_response(&framing->settings, &framer, &request, rest, &frame);
        assert_int_equal(status, FRAME_PIECE);
        size += protocol_http.edit(&framing->settings, framing->direction, &request, 0, frame.kind,
                                   span_of(rest.data, frame.size), (uint8_t *)out + size);
        rest = span_from(rest, frame.size);
    }
    out[size] = '\0';
}

static void test_what_has_one_meaning_goes_on_in_the_strict_form(void **state)
{
    (void)state;
    static char out[4 * EDIT_GROWTH_MAX];
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        const struct row *row = &rows[index];
        struct framing lenient = framing_of(row->direction, false);
        struct framing_outcome outcome = http_frame(&lenient, row->text);
        if (outcome.count != 1 || outcome.left != 0) {
            fail_msg("not taken, %s: %s",
                     http_refusal_sentence((enum http_refusal)(outcome.code & 0xFF)), row->text);
        }
        assert_int_equal(outcome.messages[0].closes, row->closes);
        framing_outcome_deinit(&outcome);
        go_on(&lenient, row->text, out);
        assert_string_equal(out, row->mended);
        struct framing strict = framing_of(row->direction, true);
        if (!row->is_same) {
            char again[sizeof out];
            go_on(&strict, row->mended, again);
            assert_string_equal(again, row->mended);
        }
        outcome = http_frame(&strict, row->text);
        assert_true(outcome.status == FRAME_INVALID || strstr(row->text, "a=b ") != NULL);
        framing_outcome_deinit(&outcome);
    }
}

/* The table in test_http_refusals.c is about --http-strict. */
static void test_what_may_mean_two_things_stays_refused(void **state)
{
    (void)state;
    static const struct {
        enum direction direction;
        enum http_refusal refusal;
        const char *text;
    } refused[] = {
        {TO_TARGET, HTTP_REFUSAL_FOLDED, GET "X: a\r\n b\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_SPACE_BEFORE_COLON, GET "X : a\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_LENGTH_TWICE, POST "Content-Length: 0\nContent-Length: 0\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_LENGTH_MALFORMED, POST "Content-Length: 0, 0\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_LENGTH_AND_CODING, POST "Content-Length: 0\n" CHUNKED "\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CODING_TWICE, POST CHUNKED CHUNKED "\r\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CODING_IN_HTTP10, "POST / HTTP/1.0\r\n" CHUNKED "\r\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_BARE_CR, GET "X: a\rb\n\n"},
        {TO_TARGET, HTTP_REFUSAL_FIELD, GET "abc\n\n"},
        {TO_TARGET, HTTP_REFUSAL_FIELD, GET "a\x01: b\n\n"},
        {TO_TARGET, HTTP_REFUSAL_CONTROL_BYTE, "GET /\x01 HTTP/1.1\r\n" HOST "\r\n"},
        {TO_TARGET, HTTP_REFUSAL_CONTROL_BYTE,
         POST "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_CONTROL_BYTE, "GET / HTTP/1.1\r\nHost: \x01\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_CONTROL_BYTE, GET "Authorization: NT\x01LM\r\n\r\n"},
        {TO_TARGET, HTTP_REFUSAL_BARE_LF, POST CHUNKED "\r\n2\nab\r\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CHUNK_END, POST CHUNKED "\r\n2\r\nab\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CHUNK_SIZE, POST CHUNKED "\r\n 2\r\nab\r\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CHUNK_EXTENSION, POST CHUNKED "\r\n2 0\r\nab\r\n" LAST},
        {TO_TARGET, HTTP_REFUSAL_CHUNK_EXTENSION, POST CHUNKED "\r\n0x2\r\nab\r\n" LAST},
        {TO_CLIENT, HTTP_REFUSAL_FOLDED, OK " X: y\r\n" NONE},
        {TO_CLIENT, HTTP_REFUSAL_FOLDED, OK " \r\n" NONE},
        {TO_CLIENT, HTTP_REFUSAL_LENGTH_TWICE, OK "Content-Length: 1, 2\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_LENGTH_TWICE, OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_LENGTH_MALFORMED, OK "Content-Length: 1\r\n 0\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_LENGTH_MALFORMED, OK "Content-Length: 1,\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_CODING_MALFORMED, OK "Transfer-Encoding: chu\r\n nked\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_CODING_TWICE, OK "Transfer-Encoding: chunked, x, chunked\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_CODING_TWICE, OK "Transfer-Encoding: chunked, chunked, x\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_LENGTH_AND_CODING,
         OK "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_CODING_IN_HTTP10,
         "HTTP/1.0 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_SPACE_BEFORE_COLON, OK "X\r\n : y\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_BARE_CR, OK "X: \r\r\n\r\n"},
        {TO_CLIENT, HTTP_REFUSAL_BARE_LF, OK CHUNKED "\r\n2\nab\r\n" LAST},
    };
    for (size_t index = 0; index < ARRAY_COUNT(refused); index++) {
        struct framing framing = framing_of(refused[index].direction, false);
        struct framing_outcome outcome = http_frame(&framing, refused[index].text);
        if (outcome.code != refused[index].refusal) {
            fail_msg("status %d, %s: %s", (int)outcome.status,
                     http_refusal_sentence((enum http_refusal)outcome.code), refused[index].text);
        }
        framing_outcome_deinit(&outcome);
    }
}

/* Each of these lines grows by a byte; what may be added is bounded. */
static void test_lines_that_end_in_lf_alone_are_bounded(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_LIMIT], out[HTTP_HEAD_LIMIT + 2 * EDIT_GROWTH_MAX];
    for (size_t over = 0; over <= 1; over++) {
        size_t size = (size_t)snprintf(text, sizeof text, "GET http://%01000d/ HTTP/1.1\r\n", 1);
        for (size_t line = 0; line < HTTP_LF_LINES_MAX + over; line++) {
            size += (size_t)snprintf(text + size, sizeof text - size, "%s\n",
                                     line == 0 ? "Host:" : "a:");
        }
        (void)snprintf(text + size, sizeof text - size, "\r\n");
        struct framing framing = framing_of(TO_TARGET, false);
        struct framing_outcome outcome;
        size_t ends[] = {size / 2, size + 2};
        framing_run(&framing, span_of(text, size + 2), ends, 2, &outcome);
        assert_int_equal(outcome.status, over == 0 ? FRAME_PARTIAL : FRAME_TOO_LARGE);
        framing_outcome_deinit(&outcome);
        if (over == 0) {
            go_on(&framing, text, out);
            assert_int_equal(strlen(out), size + 2 + 1002 + HTTP_LF_LINES_MAX - 1);
        }
    }
}

/* A line that is continued over and over is read when it has ended, and then once. */
static void test_folded_lines_cost_linear_time(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_LIMIT];
    size_t size = (size_t)snprintf(text, sizeof text, OK "X: a");
    while (size < sizeof text - 16) {
        size += (size_t)snprintf(text + size, sizeof text - size, "\r\n ");
    }
    size += (size_t)snprintf(text + size, sizeof text - size, "\r\n\r\n");
    struct framing framing = framing_of(TO_CLIENT, false);
    struct framer framer = {0};
    struct frame frame = {0};
    enum frame_status status = FRAME_PARTIAL;
    for (size_t end = 1; end <= size; end++) {
        uint32_t scanned = framer.scanned;
        status = protocol_http.frame_response(&framing.settings, &framer, &framing.request,
                                              span_of(text, end), &frame);
        assert_true(status == FRAME_PIECE || framer.scanned + 2 >= end);
        assert_true(status == FRAME_PIECE || framer.scanned >= scanned);
    }
    assert_int_equal(status, FRAME_PIECE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_one_meaning_goes_on_in_the_strict_form),
        cmocka_unit_test(test_what_may_mean_two_things_stays_refused),
        cmocka_unit_test(test_lines_that_end_in_lf_alone_are_bounded),
        cmocka_unit_test(test_folded_lines_cost_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
