/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/http_edit.c and http_challenge.c: what passes and what does not. */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#include "base/compiler.h"
#include "http_unit.h"
#include "lib/guard.h"

#define HOST "Host: h\r\n"

static const struct request client_11 = {.expects_response = true};
static const struct request client_10 = {
    .expects_response = true, .closes = true, .key = HTTP_KEY_CLIENT_10};
static const struct request client_10_stays = {.expects_response = true, .key = HTTP_KEY_CLIENT_10};
static const struct request client_11_closes = {.expects_response = true, .closes = true};

/* Frames the text and writes all its pieces as they go on, one behind the other. */
static void edit(const struct protocol_settings *settings, enum direction direction,
                 struct request request, const char *text, char *out, size_t capacity)
{
    struct framer framer = {0};
    struct span rest = span_of(text, strlen(text));
    struct guard guard;
    guard_init(&guard, rest.size + EDIT_GROWTH_MAX);
    size_t size = 0;
    struct frame frame = {0};
    while (rest.size > 0) {
        const char *origin = request.origin;
        enum frame_status status =
            direction == TO_TARGET
                ? protocol_http.frame_request(settings, &framer, rest, &frame, &request)
                : protocol_http.frame_response(settings, &framer, &request, rest, &frame);
        assert_int_equal(status, FRAME_PIECE);
        request.origin = origin;
        uint8_t *space = guard_space(&guard, frame.size + EDIT_GROWTH_MAX);
        size_t written = protocol_http.edit(settings, direction, &request, 0, frame.kind,
                                            http_part(rest, 0, frame.size), space);
        assert_true(size + written < capacity);
        memcpy(out + size, space, written);
        size += written;
        rest = span_from(rest, frame.size);
    }
    out[size] = '\0';
    guard_deinit(&guard);
}

static void expect_with(const struct protocol_settings *settings, enum direction direction,
                        struct request request, const char *text, const char *expected)
{
    static char out[128 * 1024];
    edit(settings, direction, request, text, out, sizeof out);
    assert_string_equal(out, expected);
}

static void expect_request(const char *text, const char *expected)
{
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT, .target = "meter:80"};
    expect_with(&settings, TO_TARGET, client_11, text, expected);
}

static void expect_unguarded(const char *text, const char *expected)
{
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT,
                                         .body_guard = BODY_GUARD_OFF};
    expect_with(&settings, TO_TARGET, client_11, text, expected);
}

static void expect_response(struct request request, const char *text, const char *expected)
{
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT};
    expect_with(&settings, TO_CLIENT, request, text, expected);
}

static void test_other_fields_pass_byte_for_byte_and_in_order(void **state)
{
    (void)state;
    static const char text[] = "PoSt /a%20?b#c HTTP/1.1\r\n"
                               "hOST:   h:80  \r\n"
                               "X-Twice: 1\r\n"
                               "COOKIE:a=b; c=\"d\"\r\n"
                               "x-twice:\t2 \t\r\n"
                               "X-Empty:\r\n"
                               "X-High: \xe9\xff\r\n"
                               "Trailer: Sum\r\n"
                               "Authorization: Basic bnRsbQ==\r\n"
                               "Content-Length: 003\r\n\r\nabc";
    expect_unguarded(text, text);
}

static void test_chunked_bodies_pass_with_extensions_and_trailers(void **state)
{
    (void)state;
    static const char text[] = "POST / HTTP/1.1\r\n" HOST "transfer-encoding: CHUNKED\r\n\r\n"
                               "03;a=\"b\"\r\nabc\r\n0;z\r\nSum: 1\r\n\r\n";
    expect_unguarded(text, text);
}

static void test_the_target_is_asked_to_close_behind_a_request_that_ends_the_link(void **state)
{
    (void)state;
    expect_request("GET / HTTP/1.1\r\n" HOST
                   "Connection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
                   "GET / HTTP/1.1\r\n" HOST "Content-Length: 3\r\nConnection: close\r\n\r\nabc");
    expect_request("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
                   "POST / HTTP/1.1\r\nHost: meter:80\r\nContent-Length: 3\r\n\r\nabc");
}

static void test_fields_of_one_connection_do_not_pass(void **state)
{
    (void)state;
    expect_request("GET / HTTP/1.1\r\n" HOST "Connection: close, X-Hop ,,\tkeep-alive\r\n"
                   "Keep-Alive: 300\r\nx-hop: 1\r\nX-Hop-Not: 2\r\nConnection: Y\r\ny: 3\r\n"
                   "Proxy-Connection: keep-alive\r\nTE: trailers\r\nUpgrade: websocket\r\n\r\n",
                   "GET / HTTP/1.1\r\n" HOST "X-Hop-Not: 2\r\n\r\n");
    expect_request("GET / HTTP/1.1\r\n" HOST "HTTP2-Settings: AAM\r\nUpgrade: h2c\r\n"
                   "Connection: Upgrade, HTTP2-Settings\r\n\r\n",
                   "GET / HTTP/1.1\r\n" HOST "\r\n");
}

static void test_what_frames_and_routes_passes_even_if_connection_names_it(void **state)
{
    (void)state;
    expect_request("POST / HTTP/1.1\r\n" HOST
                   "Content-Length: 1\r\nConnection: host, content-length\r\n\r\na",
                   "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\na");
    expect_response(client_11,
                    "HTTP/1.1 200 OK\r\nConnection: Transfer-Encoding\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

static void test_the_target_hears_http_1_1_whatever_the_client_speaks(void **state)
{
    (void)state;
    expect_request("GET / HTTP/1.0\r\n" HOST "\r\n", "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_request("GET / HTTP/1.7\r\n" HOST "\r\n", "GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_request("GET / HTTP/1.0\r\nX: y\r\n\r\n",
                   "GET / HTTP/1.1\r\nHost: meter:80\r\nX: y\r\n\r\n");
    expect_request("GET http://u:p@other:81/ HTTP/1.0\r\n\r\n",
                   "GET http://u:p@other:81/ HTTP/1.1\r\nHost: other:81\r\n\r\n");
    struct protocol_settings nameless = {.head_bytes_max = HTTP_HEAD_LIMIT};
    expect_with(&nameless, TO_TARGET, client_11, "GET / HTTP/1.0\r\n\r\n",
                "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

static void test_a_whole_uri_brings_its_own_host(void **state)
{
    (void)state;
    expect_request("GET http://u@one:8/x HTTP/1.1\r\nA: b\r\nHost: two\r\nC: d\r\n\r\n",
                   "GET http://u@one:8/x HTTP/1.1\r\nHost: one:8\r\nA: b\r\nC: d\r\n\r\n");
    expect_request("GET http://one HTTP/1.0\r\nHost: two\r\n\r\n",
                   "GET http://one HTTP/1.1\r\nHost: one\r\n\r\n");
}

/* The head names `names` fields that are not there, one that is, and has `fields` others. */
static void expect_named_fields_gone(size_t names, size_t fields)
{
    enum { SPACE = 256 * 1024 };
    static char text[SPACE], expected[SPACE], out[SPACE];
    size_t size = 0, left = 0;
#define ADD(...)    size += (size_t)snprintf(text + size, SPACE - size, __VA_ARGS__)
#define EXPECT(...) left += (size_t)snprintf(expected + left, SPACE - left, __VA_ARGS__)
    ADD("GET / HTTP/1.1\r\n" HOST "Connection: z");
    EXPECT("GET / HTTP/1.1\r\n" HOST);
    for (size_t index = 0; index < names; index++) {
        ADD(",n%zu", index * 7919 % names);
    }
    ADD("\r\nN%zu: gone\r\nZ: gone\r\n", names - 1);
    for (size_t index = 0; index < fields; index++) {
        ADD("m%zu:\r\nN%zu:\r\n", index, index % names);
        EXPECT("m%zu:\r\n", index);
    }
    ADD("\r\n");
    EXPECT("\r\n");
#undef ADD
#undef EXPECT
    struct protocol_settings settings = {.head_bytes_max = SPACE};
    edit(&settings, TO_TARGET, client_11, text, out, sizeof out);
    assert_string_equal(out, expected);
}

static void test_every_field_that_connection_names_is_taken_out(void **state)
{
    (void)state;
    for (size_t names = 1; names < 30; names++) {
        expect_named_fields_gone(names, 40);
    }
    expect_named_fields_gone(HTTP_NAMES_AT_ONCE - 1, 100);
    expect_named_fields_gone(HTTP_NAMES_AT_ONCE, 4096);
    expect_named_fields_gone(2 * HTTP_NAMES_AT_ONCE + 5, 3000);
}

static void test_what_is_no_token_in_connection_counts_for_nothing(void **state)
{
    (void)state;
    expect_request("GET / HTTP/1.1\r\n" HOST
                   "Connection: Keep Alive, a b, x;\r\na: 1\r\nX: 2\r\n\r\n",
                   "GET / HTTP/1.1\r\n" HOST "a: 1\r\nX: 2\r\n\r\n");
    struct framing framing = http_requests();
    struct framing_outcome outcome =
        http_frame(&framing, "GET / HTTP/1.1\r\n" HOST "Connection: close;\r\n\r\n");
    assert_true(outcome.messages[0].request.closes);
    framing_outcome_deinit(&outcome);
}

static void test_via_and_forwarded_are_added_if_asked(void **state)
{
    (void)state;
    struct protocol_settings settings = {
        .head_bytes_max = HTTP_HEAD_LIMIT, .via = true, .forwarded = true};
    struct request request = client_11;
    expect_with(&settings, TO_TARGET, request, "GET / HTTP/1.0\r\nVia: 1.1 x\r\n" HOST "\r\n",
                "GET / HTTP/1.1\r\nVia: 1.1 x\r\n" HOST "Via: 1.0 tcp-multiplexer\r\n"
                "Forwarded: for=unknown;proto=http\r\n\r\n");
    request.origin = "192.0.2.7";
    expect_with(&settings, TO_TARGET, request, "GET / HTTP/1.1\r\n" HOST "\r\n",
                "GET / HTTP/1.1\r\n" HOST "Via: 1.1 tcp-multiplexer\r\n"
                "Forwarded: for=192.0.2.7;proto=http\r\n\r\n");
    request.origin = "2001:db8::7";
    expect_with(&settings, TO_TARGET, request, "GET / HTTP/1.1\r\n" HOST "\r\n",
                "GET / HTTP/1.1\r\n" HOST "Via: 1.1 tcp-multiplexer\r\n"
                "Forwarded: for=\"[2001:db8::7]\";proto=http\r\n\r\n");
    expect_with(&settings, TO_CLIENT, request, "HTTP/1.0 204 N\r\n\r\n",
                "HTTP/1.1 204 N\r\nVia: 1.0 tcp-multiplexer\r\n\r\n");
}

static void test_responses_pass_but_for_fields_of_the_link(void **state)
{
    (void)state;
    expect_response(client_11,
                    "HTTP/1.0 200 Fine \xe9\r\nSERVER: x\r\nset-cookie: a\r\nset-cookie: b\r\n"
                    "Connection: X\r\nX: y\r\nKeep-Alive: 5\r\nContent-Length: 3\r\n\r\nabc",
                    "HTTP/1.1 200 Fine \xe9\r\nSERVER: x\r\nset-cookie: a\r\nset-cookie: b\r\n"
                    "Content-Length: 3\r\n\r\nabc");
    expect_response(client_11, "HTTP/1.1 204\r\n\r\n", "HTTP/1.1 204\r\n\r\n");
    expect_response(client_11, "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n");
    expect_response(client_11_closes, "HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n",
                    "HTTP/1.1 100 Continue\r\n\r\n");
}

static void test_the_client_is_told_when_its_connection_closes(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    expect_response(client_11, text, text);
    expect_response(client_11_closes, text,
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na");
    expect_response(client_10, text,
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na");
    expect_response(client_10_stays, text,
                    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\na");
    expect_response(client_11, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n"
                    "Connection: close\r\n\r\nabc");
    expect_response(client_10_stays, "HTTP/1.1 200 OK\r\n\r\nabc",
                    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
}

static void test_a_body_without_length_goes_on_in_chunks(void **state)
{
    (void)state;
    expect_response(client_11,
                    "HTTP/1.0 200 OK\r\nX: y\r\nConnection: close\r\n\r\nhello, 17 bytes.\n",
                    "HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "11\r\nhello, 17 bytes.\n\r\n");
    expect_response(client_11_closes, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\na",
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
                    "Connection: close\r\n\r\n1\r\na\r\n");
    uint8_t out[REPLY_BYTES_MAX];
    size_t size = protocol_http.finish(&client_11, out);
    assert_int_equal(size, 5);
    assert_memory_equal(out, "0\r\n\r\n", 5);
}

static void test_old_clients_get_no_chunks_and_no_interim_responses(void **state)
{
    (void)state;
    expect_response(client_10_stays,
                    "HTTP/1.1 100 Continue\r\n\r\n"
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\nX: y\r\n\r\n"
                    "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nSum: 1\r\n\r\n",
                    "HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nabc0123456789");
}

static void test_a_chunk_that_comes_in_parts_is_the_same_without_its_lines(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "4\r\n\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT};
    size_t size = strlen(text);
    for (size_t step = 1; step <= size; step++) {
        struct framer framer = {0};
        char out[256];
        size_t out_size = 0, start = 0;
        for (size_t end = step < size ? step : size; start < size;) {
            struct frame frame;
            struct span bytes = span_of(text + start, end - start);
            if (protocol_http.frame_response(&settings, &framer, &client_10, bytes, &frame) !=
                FRAME_PIECE) {
                assert_true(end < size);
                end = end + step < size ? end + step : size;
                continue;
            }
            uint8_t space[256 + EDIT_GROWTH_MAX];
            size_t written = protocol_http.edit(&settings, TO_CLIENT, &client_10, 0, frame.kind,
                                                http_part(bytes, 0, frame.size), space);
            memcpy(out + out_size, space, written);
            out_size += written;
            start += frame.size;
        }
        out[out_size] = '\0';
        assert_string_equal(out, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\r\n\r\nhello");
    }
}

static void test_challenges_that_bind_a_connection_are_taken_out(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"WWW-Authenticate: NTLM\r\n", ""},
        {"www-authenticate: Negotiate YII=\r\n", ""},
        {"WWW-Authenticate: Basic realm=\"x\"\r\n", "WWW-Authenticate: Basic realm=\"x\"\r\n"},
        {"WWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\nWWW-Authenticate: Digest "
         "realm=\"a, NTLM, b\", qop=\"auth,auth-int\"\r\n",
         "WWW-Authenticate: Digest realm=\"a, NTLM, b\", qop=\"auth,auth-int\"\r\n"},
        {"WWW-Authenticate: Basic realm=\"a\\\", NTLM\", charset = \"UTF-8\",NTLM, negotiate a=b, "
         "c=d, Bearer\r\n",
         "WWW-Authenticate: Basic realm=\"a\\\", NTLM\", charset = \"UTF-8\", Bearer\r\n"},
        {"Proxy-Authenticate:NTLM,Basic realm=x\r\n", "Proxy-Authenticate:Basic realm=x\r\n"},
        {"WWW-Authenticate: NTLMv9, Negotiated\r\n", "WWW-Authenticate: NTLMv9, Negotiated\r\n"},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        for (int status = 401; status <= 407; status += 6) {
            char text[512], expected[512];
            (void)snprintf(text, sizeof text, "HTTP/1.1 %d No\r\n%sContent-Length: 0\r\n\r\n",
                           status, rows[index][0]);
            (void)snprintf(expected, sizeof expected,
                           "HTTP/1.1 %d No\r\n%sContent-Length: 0\r\n\r\n", status, rows[index][1]);
            expect_response(client_11, text, expected);
        }
    }
    static const char other[] = "HTTP/1.1 204 No\r\nWWW-Authenticate: NTLM\r\n\r\n";
    expect_response(client_11, other, other);
}

static void test_edited_heads_stay_within_their_growth(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_LIMIT + 1], out[2 * HTTP_HEAD_LIMIT];
    static const char start[] = "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM";
    static const char end[] = "\r\nContent-Length: 0\r\n\r\n";
    size_t size = sizeof start - 1;
    memcpy(text, start, size);
    while (size + 2 + sizeof end <= sizeof text) {
        memcpy(text + size, ",x", 2);
        size += 2;
    }
    memcpy(text + size, end, sizeof end);
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT};
    edit(&settings, TO_CLIENT, client_11, text, out, sizeof out);
    assert_true(strlen(out) <= strlen(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_fields_pass_byte_for_byte_and_in_order),
        cmocka_unit_test(test_chunked_bodies_pass_with_extensions_and_trailers),
        cmocka_unit_test(test_the_target_is_asked_to_close_behind_a_request_that_ends_the_link),
        cmocka_unit_test(test_fields_of_one_connection_do_not_pass),
        cmocka_unit_test(test_what_frames_and_routes_passes_even_if_connection_names_it),
        cmocka_unit_test(test_the_target_hears_http_1_1_whatever_the_client_speaks),
        cmocka_unit_test(test_a_whole_uri_brings_its_own_host),
        cmocka_unit_test(test_every_field_that_connection_names_is_taken_out),
        cmocka_unit_test(test_what_is_no_token_in_connection_counts_for_nothing),
        cmocka_unit_test(test_via_and_forwarded_are_added_if_asked),
        cmocka_unit_test(test_responses_pass_but_for_fields_of_the_link),
        cmocka_unit_test(test_the_client_is_told_when_its_connection_closes),
        cmocka_unit_test(test_a_body_without_length_goes_on_in_chunks),
        cmocka_unit_test(test_old_clients_get_no_chunks_and_no_interim_responses),
        cmocka_unit_test(test_a_chunk_that_comes_in_parts_is_the_same_without_its_lines),
        cmocka_unit_test(test_challenges_that_bind_a_connection_are_taken_out),
        cmocka_unit_test(test_edited_heads_stay_within_their_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
