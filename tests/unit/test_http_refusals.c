/* SPDX-License-Identifier: MIT */
/*
 * Claims about what HTTP refuses: src/protocol/http_refusals.def, row by row.
 *
 * Each row has texts that are refused for that reason and no other, at whichever place they are
 * cut, and nothing of which is a message. A row without a text fails the test. All of it is about
 * --http-strict; test_http_mend.c has what is taken without.
 */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#include "base/compiler.h"
#include "http_unit.h"

#define HOST    "Host: h\r\n"
#define GET     "GET / HTTP/1.1\r\n" HOST
#define POST    "POST / HTTP/1.1\r\n" HOST
#define OK      "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CHUNKS  POST CHUNKED "\r\n"
#define MORE    "\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

struct row {
    enum http_refusal refusal;
    enum direction direction;
    const char *text;
    size_t size;  /* 0: of the text */
    bool is_late; /* a head was fine, and its body is not */
};

static const struct row rows[] = {
    {HTTP_REFUSAL_TLS, TO_TARGET, "\x16\x03\x01\x02", 0, false},
    {HTTP_REFUSAL_NUL_BYTE, TO_TARGET, "GET / HTTP/1.1\r\nHo\0st: h\r\n\r\n", 28, false},
    {HTTP_REFUSAL_NUL_BYTE, TO_TARGET, "\0GET", 4, false},
    {HTTP_REFUSAL_NUL_BYTE, TO_CLIENT, OK "X: \0\r\n\r\n", 24, false},
    {HTTP_REFUSAL_CONTROL_BYTE, TO_TARGET, GET "X: \x0b" MORE, 0, false},
    {HTTP_REFUSAL_CONTROL_BYTE, TO_TARGET, GET "X: \x7f" MORE, 0, false},
    {HTTP_REFUSAL_CONTROL_BYTE, TO_TARGET,
     POST "Transfer-Encoding: \x0c"
          "chunked\r\n\r\n",
     0, false},
    {HTTP_REFUSAL_CONTROL_BYTE, TO_CLIENT, OK "X: \x1b[2J\r\n\r\n", 0, false},
    {HTTP_REFUSAL_BARE_CR, TO_TARGET, GET "X: a\rY: b\r\n\r\n", 0, false},
    {HTTP_REFUSAL_BARE_CR, TO_TARGET, "\rGET / HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_BARE_CR, TO_TARGET, GET "\r\r\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, GET "X: a\nY: b\r\n\r\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, "GET / HTTP/1.1\nHost: h\n\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, "hello\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, GET "\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_CLIENT, "HTTP/1.1 200 OK\n", 0, false},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, CHUNKS "2\nab\r\n0\r\n\r\n", 0, true},
    {HTTP_REFUSAL_BARE_LF, TO_TARGET, CHUNKS "2;\nxx\r\n4c\r\n0\r\n" MORE, 0, true},
    {HTTP_REFUSAL_BARE_CR, TO_TARGET, CHUNKS "2;\rxx\r\n", 0, true},
    {HTTP_REFUSAL_NUL_BYTE, TO_TARGET, CHUNKS "2;\0", 59, true},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "{\"json\":1}", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET /\r\n\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / HTTP/1.1 \r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET  / HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET /  HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET\t/ HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / /x HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, " GET / HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "G{T / HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / http/1.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / HTTP/1.10\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / HTTP/x.1\r\n", 0, false},
    {HTTP_REFUSAL_REQUEST_LINE, TO_TARGET, "GET / HTTP/1,1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET x HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET h:80 HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET http:///x HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET http://a@b@/x HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET 1a://b/ HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET http://h:8x/ HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET /\xc3\xa9 HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_TARGET, TO_TARGET, "GET /\ta HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_VERSION, TO_TARGET, "GET / HTTP/2.0\r\n", 0, false},
    {HTTP_REFUSAL_VERSION, TO_TARGET, "GET / HTTP/0.9\r\n", 0, false},
    {HTTP_REFUSAL_VERSION, TO_CLIENT, "HTTP/2.0 200 OK\r\n", 0, false},
    {HTTP_REFUSAL_HTTP2_PREFACE, TO_TARGET, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, false},
    {HTTP_REFUSAL_CONNECT, TO_TARGET, "CONNECT h:443 HTTP/1.1\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "ICY 200 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/1.1  200 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/1.1 20 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/1.1 2000 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/1.1 099 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/1.1 -20 OK\r\n", 0, false},
    {HTTP_REFUSAL_STATUS_LINE, TO_CLIENT, "HTTP/11 200 OK\r\n", 0, false},
    {HTTP_REFUSAL_SWITCHED, TO_CLIENT, "HTTP/1.1 101 Switching\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, GET "abc\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, GET ": x\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, GET "a b: x\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, GET "a\xe9: x\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, GET "(a): x\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_CLIENT, OK "a b: x\r\n", 0, false},
    {HTTP_REFUSAL_FIELD, TO_TARGET, CHUNKS "0\r\nabc\r\n\r\n", 0, true},
    {HTTP_REFUSAL_SPACE_BEFORE_COLON, TO_TARGET, POST "Content-Length : 3\r\n", 0, false},
    {HTTP_REFUSAL_SPACE_BEFORE_COLON, TO_TARGET, POST "Transfer-Encoding\t: chunked\r\n", 0, false},
    {HTTP_REFUSAL_SPACE_BEFORE_COLON, TO_CLIENT, OK "X : y\r\n", 0, false},
    {HTTP_REFUSAL_FOLDED, TO_TARGET, GET "X: a\r\n b\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding:\r\n chunked\r\n", 0, false},
    {HTTP_REFUSAL_FOLDED, TO_CLIENT, OK "\tX: y\r\n", 0, false},
    {HTTP_REFUSAL_HOST_MISSING, TO_TARGET, "GET / HTTP/1.1\r\n\r\n", 0, false},
    {HTTP_REFUSAL_HOST_TWICE, TO_TARGET, GET HOST, 0, false},
    {HTTP_REFUSAL_HOST_TWICE, TO_TARGET, "GET / HTTP/1.0\r\n" HOST "host: h\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: a b\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: a/b\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: u@h\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: a:b\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: [::1\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: []\r\n", 0, false},
    {HTTP_REFUSAL_HOST_INVALID, TO_TARGET, "GET / HTTP/1.1\r\nHost: [::1]x\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: \r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: +3\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: -3\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: 3, 3\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: 3 3\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: 0x3\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: 9223372036854775808\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_TARGET, POST "Content-Length: 18446744073709551619\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_MALFORMED, TO_CLIENT, OK "Content-Length: three\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_TWICE, TO_TARGET, POST "Content-Length: 3\r\nContent-Length: 3\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_TWICE, TO_TARGET, POST "Content-Length: 0\r\ncontent-length: 3\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_TWICE, TO_CLIENT, OK "Content-Length: 3\r\nContent-Length: 4\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_AND_CODING, TO_TARGET, POST "Content-Length: 3\r\n" CHUNKED "\r\n", 0,
     false},
    {HTTP_REFUSAL_LENGTH_AND_CODING, TO_TARGET, POST CHUNKED "Content-Length: 0\r\n\r\n", 0, false},
    {HTTP_REFUSAL_LENGTH_AND_CODING, TO_CLIENT, OK CHUNKED "Content-Length: 0\r\n\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding:\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding: ,chunked\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding: chunked,\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding: \"chunked\"\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding: chunked;a=b\r\n", 0, false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_TARGET, POST "Transfer-Encoding: gzip chunked\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_MALFORMED, TO_CLIENT,
     OK "Transfer-Encoding: \xff"
        "chunked\r\n",
     0, false},
    {HTTP_REFUSAL_CODING_TWICE, TO_TARGET, POST "Transfer-Encoding: chunked, CHUNKED\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_TWICE, TO_TARGET, POST CHUNKED CHUNKED, 0, false},
    {HTTP_REFUSAL_CODING_TWICE, TO_CLIENT, OK CHUNKED CHUNKED, 0, false},
    {HTTP_REFUSAL_CODING_NOT_CHUNKED, TO_TARGET, POST "Transfer-Encoding: xchunked\r\n\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_NOT_CHUNKED, TO_TARGET, POST "Transfer-Encoding: identity\r\n\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_NOT_CHUNKED, TO_TARGET, POST "Transfer-Encoding: chunked, x\r\n\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_UNKNOWN, TO_TARGET, POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_UNKNOWN, TO_TARGET, POST "Transfer-Encoding: x\r\n" CHUNKED "\r\n", 0,
     false},
    {HTTP_REFUSAL_CODING_IN_HTTP10, TO_TARGET, "POST / HTTP/1.0\r\n" CHUNKED "\r\n", 0, false},
    {HTTP_REFUSAL_CODING_IN_HTTP10, TO_CLIENT, "HTTP/1.0 200 OK\r\n" CHUNKED "\r\n", 0, false},
    {HTTP_REFUSAL_CODING_FOR_HTTP10, TO_CLIENT, OK "Transfer-Encoding: gzip, chunked\r\n\r\n", 0,
     false},
    {HTTP_REFUSAL_TAB_IN_FRAMING, TO_TARGET, POST "Transfer-Encoding:\tchunked\r\n", 0, false},
    {HTTP_REFUSAL_TAB_IN_FRAMING, TO_TARGET, POST "Content-Length: 3\t\r\n", 0, false},
    {HTTP_REFUSAL_TAB_IN_FRAMING, TO_CLIENT, OK "Content-Length:\t3\r\n", 0, false},
    {HTTP_REFUSAL_CONNECTION, TO_TARGET, GET "Connection: a b\r\n", 0, false},
    {HTTP_REFUSAL_CONNECTION, TO_CLIENT, OK "Connection: \"close\"\r\n", 0, false},
    {HTTP_REFUSAL_BOUND_LOGIN, TO_TARGET, GET "Authorization: NTLM TlRMTVNT\r\n", 0, false},
    {HTTP_REFUSAL_BOUND_LOGIN, TO_TARGET, GET "authorization: negotiate YII=\r\n", 0, false},
    {HTTP_REFUSAL_BOUND_LOGIN, TO_TARGET, GET "Proxy-Authorization: Ntlm\r\n", 0, false},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "x\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "+2\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "-2\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS " 2\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS ";a\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "8000000000000000\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_TARGET, CHUNKS "10000000000000002\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_SIZE, TO_CLIENT, OK CHUNKED "\r\n<html>\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "0x2\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2 \r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2_\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2;\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2;a=\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2;a=\"b\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_UNDERSCORE, TO_TARGET, POST "Content_Length: 5" MORE, 0, false},
    {HTTP_REFUSAL_UNDERSCORE, TO_TARGET, POST "transfer_ENCODING: chunked" MORE, 0, false},
    {HTTP_REFUSAL_TRAILER, TO_TARGET, CHUNKS "0\r\nContent_Length: 5\r\n\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_EXTENSION, TO_TARGET, CHUNKS "2;a b\r\nab\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_END, TO_TARGET, CHUNKS "2\r\nabc\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_END, TO_TARGET, CHUNKS "2\r\nab\n0\r\n\r\n", 0, true},
    {HTTP_REFUSAL_CHUNK_END, TO_TARGET, CHUNKS "2\r\nab\rx", 0, true},
    {HTTP_REFUSAL_CHUNK_END, TO_CLIENT, OK CHUNKED "\r\n2\r\nabXX", 0, true},
    {HTTP_REFUSAL_TRAILER, TO_TARGET, CHUNKS "0\r\nContent-Length: 5\r\n\r\n", 0, true},
    {HTTP_REFUSAL_TRAILER, TO_TARGET, CHUNKS "0\r\nX: y\r\nhost: h\r\n\r\n", 0, true},
    {HTTP_REFUSAL_TRAILER, TO_CLIENT, OK CHUNKED "\r\n0\r\n" CHUNKED "\r\n", 0, true},
};

/* Rows whose texts are too large to be written down, or that need settings: test_http_request.c and the test
 * below. */
static const enum http_refusal elsewhere[] = {
    HTTP_REFUSAL_BODY_UNEXPECTED, HTTP_REFUSAL_REQUEST_LINE_LARGE, HTTP_REFUSAL_HEAD_LARGE,
    HTTP_REFUSAL_BODY_LARGE, HTTP_REFUSAL_CHUNK_LINE_LARGE};

static void check_row(const struct row *row)
{
    struct framing framing =
        row->direction == TO_TARGET ? http_requests() : http_responses(HTTP_GET);
    framing.settings.http_strict = true;
    if (row->refusal == HTTP_REFUSAL_CODING_FOR_HTTP10) {
        framing.request.key = HTTP_KEY_CLIENT_10;
    }
    size_t size = row->size > 0 ? row->size : strlen(row->text);
    struct framing_outcome outcome;
    framing_check(&framing, span_of(row->text, size), &outcome);
    if (outcome.status != FRAME_INVALID || outcome.code != row->refusal) {
        print_error("%s\nis refused with status %d for: %s\n", row->text, outcome.status,
                    http_refusal_sentence((enum http_refusal)outcome.code));
        fail();
    }
    assert_int_equal(outcome.count, row->is_late);
    assert_true(outcome.count == 0 || !outcome.messages[0].ended);
    framing_outcome_deinit(&outcome);
}

static void test_every_row_is_refused_for_its_reason_at_every_split(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        check_row(&rows[index]);
    }
}

static void test_every_refusal_has_a_row(void **state)
{
    (void)state;
    for (unsigned refusal = 1; refusal < HTTP_REFUSAL_COUNT; refusal++) {
        size_t count = 0;
        for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
            count += rows[index].refusal == refusal;
        }
        for (size_t index = 0; index < ARRAY_COUNT(elsewhere); index++) {
            count += elsewhere[index] == refusal;
        }
        if (count == 0) {
            fail_msg("no text for: %s", http_refusal_sentence((enum http_refusal)refusal));
        }
    }
}

static void test_the_table_is_well_made(void **state)
{
    (void)state;
    for (unsigned refusal = 1; refusal < HTTP_REFUSAL_COUNT; refusal++) {
        unsigned status = http_refusal_status((enum http_refusal)refusal);
        assert_true(status == 400 || status == 413 || status == 414 || status == 431 ||
                    status == 501 || status == 502 || status == 505);
        const char *sentence = http_refusal_sentence((enum http_refusal)refusal);
        assert_true(strlen(sentence) > 10 && strlen(sentence) < 160);
        assert_int_not_equal(sentence[strlen(sentence) - 1], '.');
    }
}

static void test_control_bytes_pass_a_value_unless_strict(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 512; byte++) {
        char text[] = GET "X: a?b\r\n\r\n";
        size_t size = strlen(text);
        *strchr(text, '?') = (char)byte;
        struct framing framing = http_requests();
        framing.settings.http_strict = byte >= 256;
        struct framing_outcome outcome;
        framing_check(&framing, span_of(text, size), &outcome);
        unsigned low = byte & 0xFF;
        bool is_control = (low < 0x20 && low != '\t') || low == 0x7F;
        bool is_cut = low == 0 || low == '\r' || low == '\n';
        assert_int_equal(outcome.count, byte >= 256 ? !is_control : !is_cut);
        framing_outcome_deinit(&outcome);
    }
}

static void test_only_token_bytes_pass_a_name(void **state)
{
    (void)state;
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 1; byte < 256; byte++) {
        bool is_token = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= 'A' && byte <= 'Z') || strchr(others, (int)byte) != NULL;
        char text[] = "A?B / HTTP/1.1\r\nHost: h\r\n\r\n";
        text[1] = (char)byte;
        struct framing framing = http_requests();
        struct framing_outcome outcome = http_frame(&framing, text);
        assert_int_equal(outcome.count, is_token);
        framing_outcome_deinit(&outcome);
        char field[] = GET "a?b: x\r\n\r\n";
        *strchr(field, '?') = (char)byte;
        outcome = http_frame(&framing, field);
        assert_int_equal(outcome.count, is_token || byte == ':'); /* which cuts the name short */
        framing_outcome_deinit(&outcome);
    }
}

static void test_lines_of_chunks_and_trailers_are_bounded(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_LIMIT + 256];
    for (size_t over = 0; over <= 1; over++) {
        size_t head = (size_t)snprintf(text, sizeof text, "%s0;", CHUNKS);
        size_t line = HTTP_CHUNK_LINE_BYTES_MAX + over;
        memset(text + head, 'a', line - 4);
        (void)snprintf(text + head + line - 4, 8, "\r\n\r\n");
        struct framing framing = http_requests();
        struct framing_outcome outcome;
        size_t ends[] = {head + 7, head + line - 1, head + line};
        framing_run(&framing, span_of(text, ends[2]), ends, 3, &outcome);
        assert_int_equal(outcome.code, over == 0 ? HTTP_FINE : HTTP_REFUSAL_CHUNK_LINE_LARGE);
        framing_outcome_deinit(&outcome);

        head = (size_t)snprintf(text, sizeof text, "%s0\r\n", CHUNKS);
        line = HTTP_HEAD_LIMIT + over;
        memset(text + head, 'a', line);
        memcpy(text + head, "a:", 2);
        memcpy(text + head + line - 4, "\r\n\r\n", 4);
        size_t half[] = {head + line / 2, head + line};
        framing_run(&framing, span_of(text, head + line), half, 2, &outcome);
        assert_int_equal(outcome.status, over == 0 ? FRAME_PARTIAL : FRAME_TOO_LARGE);
        assert_int_equal(outcome.code, over == 0 ? HTTP_FINE : HTTP_REFUSAL_HEAD_LARGE);
        framing_outcome_deinit(&outcome);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_refused_for_its_reason_at_every_split),
        cmocka_unit_test(test_every_refusal_has_a_row),
        cmocka_unit_test(test_the_table_is_well_made),
        cmocka_unit_test(test_control_bytes_pass_a_value_unless_strict),
        cmocka_unit_test(test_only_token_bytes_pass_a_name),
        cmocka_unit_test(test_lines_of_chunks_and_trailers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
