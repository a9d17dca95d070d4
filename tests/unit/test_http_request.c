/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/http.c: how requests are framed, and what is known of them. */
#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

#include "http_unit.h"

#define HOST "Host: h\r\n"
#define GET  "GET / HTTP/1.1\r\n" HOST "\r\n"

/* What a stream of requests comes to: their number, the size of the first, bytes left over. */
static void expect(const char *text, size_t count, size_t size, size_t left)
{
    struct framing framing = http_requests();
    struct framing_outcome outcome = http_frame(&framing, text);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.count, count);
    if (count > 0) {
        assert_int_equal(outcome.messages[0].size, size);
    }
    assert_int_equal(outcome.left, left);
    framing_outcome_deinit(&outcome);
}

static void expect_whole(const char *text)
{
    expect(text, 1, strlen(text), 0);
}

static struct request request_of(const char *text)
{
    struct framing framing = http_requests();
    struct framing_outcome outcome = http_frame(&framing, text);
    assert_true(outcome.count > 0);
    struct request request = outcome.messages[0].request;
    framing_outcome_deinit(&outcome);
    return request;
}

static void test_without_length_or_coding_a_request_has_no_body(void **state)
{
    (void)state;
    expect(GET, 1, strlen(GET), 0);
    expect(GET GET GET, 3, strlen(GET), 0);
    expect("POST / HTTP/1.1\r\n" HOST "\r\nabc", 1, 28, 3);
}

static void test_a_request_is_there_when_its_empty_line_is(void **state)
{
    (void)state;
    expect("", 0, 0, 0);
    expect("GET / HTTP/1.1\r\n" HOST, 0, 0, strlen("GET / HTTP/1.1\r\n" HOST));
    expect("GET / HTTP/1.1\r\n" HOST "\r", 0, 0, strlen("GET / HTTP/1.1\r\n" HOST "\r"));
}

static void test_the_length_counts_the_body(void **state)
{
    (void)state;
#define HEAD "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n"
    expect(HEAD "hello", 1, strlen(HEAD) + 5, 0);
    expect(HEAD "hello" GET, 2, strlen(HEAD) + 5, 0);
    expect(HEAD "hell", 1, strlen(HEAD) + 4, 0);
#undef HEAD
#define HEAD "POST / HTTP/1.1\r\n" HOST "Content-Length: 0005  \r\n\r\n"
    expect(HEAD "hello" GET, 2, strlen(HEAD) + 5, 0);
#undef HEAD
#define HEAD "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n"
    expect(HEAD GET, 2, strlen(HEAD), 0);
#undef HEAD
}

static void test_chunks_end_with_the_empty_line_behind_the_last(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "00a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n",
        "1;a\r\nx\r\n0;b=c;d=\"e;\\\"f\"\r\n\r\n",
        "1 ; a = b\r\nx\r\n0\r\n\r\n",
        "1\r\n\r\r\n1\r\n\n\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n",
    };
    for (size_t index = 0; index < sizeof bodies / sizeof bodies[0]; index++) {
        char text[256];
        int head = snprintf(text, sizeof text, "%s",
                            "PUT /x HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n");
        size_t size =
            (size_t)snprintf(text + head, sizeof text - (size_t)head, "%s", bodies[index]);
        size += (size_t)head;
        expect(text, 1, size, 0);
        (void)snprintf(text + size, sizeof text - size, "%s", GET);
        expect(text, 2, size, 0);
    }
}

static void test_empty_lines_between_requests_are_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t skipped, left;
    } rows[] = {
        {"\r\n" GET, 2, 0},     {"\r\n\n\r\n" GET, 5, 0}, {GET "\r\n\n\n" GET, 4, 0},
        {GET "\r\n\r\n", 4, 0}, {GET "\r", 0, 1},         {GET "\n\r", 1, 1},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        struct framing framing = http_requests();
        struct framing_outcome outcome = http_frame(&framing, rows[index].text);
        assert_int_equal(outcome.status, FRAME_PARTIAL);
        assert_int_equal(outcome.skipped, rows[index].skipped);
        assert_int_equal(outcome.left, rows[index].left);
        framing_outcome_deinit(&outcome);
    }
    struct framing strict = http_requests();
    strict.settings.http_strict = true;
    struct framing_outcome outcome = http_frame(&strict, "\r\n\r\n\n" GET);
    assert_int_equal(outcome.code, HTTP_REFUSAL_BARE_LF);
    framing_outcome_deinit(&outcome);
}

static void test_every_form_of_target_passes(void **state)
{
    (void)state;
    expect_whole("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    expect_whole("GET http://h/ HTTP/1.1\r\n" HOST "\r\n");
    expect_whole("GET http://user:word@[::1]:80?q HTTP/1.1\r\n" HOST "\r\n");
    expect_whole("X-Y!z /a?b#c|\"{} HTTP/1.1\r\n" HOST "\r\n");
}

static void test_only_safe_methods_without_a_body_are_sent_again(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        bool safe;
    } rows[] = {{"GET", true},     {"HEAD", true},  {"OPTIONS", true},
                {"TRACE", true},   {"POST", false}, {"PUT", false},
                {"DELETE", false}, {"get", false},  {"GETX", false}};
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        char text[128];
        (void)snprintf(text, sizeof text, "%s / HTTP/1.1\r\n" HOST "\r\n", rows[index].method);
        assert_int_equal(request_of(text).resendable, rows[index].safe);
        (void)snprintf(text, sizeof text, "%s / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n",
                       rows[index].method);
        assert_false(request_of(text).resendable);
        (void)snprintf(text, sizeof text,
                       "%s / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
                       rows[index].method);
        assert_false(request_of(text).resendable);
    }
}

static void test_the_client_says_whether_its_connection_closes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool closes;
    } rows[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", false},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "connection:x,,CLOSE ,y\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: x\r\nConnection: close\r\n\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Proxy-Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", true},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        assert_int_equal(request_of(rows[index].text).closes, rows[index].closes);
        assert_true(request_of(rows[index].text).expects_response);
    }
}

static void test_a_client_that_waits_for_100_takes_a_link_with_its_head(void **state)
{
    (void)state;
#define EXPECT "Expect: 100-Continue\r\n"
    assert_true(request_of("PUT / HTTP/1.1\r\n" HOST EXPECT "Content-Length: 3\r\n\r\n").eager);
    assert_true(
        request_of("PUT / HTTP/1.1\r\n" HOST EXPECT "Transfer-Encoding: chunked\r\n\r\n").eager);
    assert_false(request_of("PUT / HTTP/1.1\r\n" HOST EXPECT "Content-Length: 0\r\n\r\n").eager);
    assert_false(request_of("PUT / HTTP/1.1\r\n" HOST EXPECT "\r\n").eager);
    assert_false(request_of("PUT / HTTP/1.0\r\n" EXPECT "Content-Length: 3\r\n\r\n").eager);
    assert_false(
        request_of("PUT / HTTP/1.1\r\n" HOST "Expect: x\r\nContent-Length: 3\r\n\r\n").eager);
#undef EXPECT
}

#define BODY   "Content-Length: 1\r\n\r\n"
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n"

struct guard_row {
    const char *head; /* behind the method */
    bool usual; /* whether the link ends behind POST, PUT and PATCH, with --http-body-guard get */
    bool other; /* ... behind other methods */
    bool any;   /* ... behind either, with `all` */
};

static const struct guard_row guard_rows[] = {
    {" / HTTP/1.1\r\n" HOST "\r\n", false, false, false},
    {" / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", false, false, false},
    {" / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n\r\n", false, false, false},
    {" / HTTP/1.1\r\n" HOST BODY, false, true, true},
    {" / HTTP/1.0\r\n" BODY, false, true, true},
    {" / HTTP/1.1\r\n" HOST CHUNKS, true, true, true}, /* an empty one has bytes, too */
    {" / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n" BODY, true, true, true},
    {" / HTTP/1.1\r\n" HOST "Expect: x\r\n" BODY, true, true, true},
};

static void expect_guard(enum body_guard guard, const char *method, const struct guard_row *row,
                         bool ends_link, bool refused)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s%s", method, row->head);
    struct framing framing = http_requests();
    framing.settings.body_guard = guard;
    struct framing_outcome outcome = http_frame(&framing, text);
    if (refused) {
        assert_int_equal(outcome.status, FRAME_INVALID);
        assert_int_equal(outcome.code & HTTP_CODE_REFUSAL_BITS, HTTP_REFUSAL_BODY_UNEXPECTED);
        assert_int_equal(outcome.count, 0);
    } else {
        assert_int_equal(outcome.status, FRAME_PARTIAL);
        assert_int_equal(outcome.count, 1);
        assert_int_equal(outcome.messages[0].request.ends_link, ends_link);
        assert_true(!ends_link || outcome.messages[0].request.alone);
    }
    framing_outcome_deinit(&outcome);
}

static void test_the_link_ends_behind_a_body_that_the_target_may_not_expect(void **state)
{
    (void)state;
    static const char *const usual[] = {"POST", "PUT", "PATCH"};
    static const char *const others[] = {"GET",   "HEAD",     "DELETE", "OPTIONS",
                                         "TRACE", "PROPFIND", "post",   "POSTS"};
    for (size_t index = 0; index < sizeof guard_rows / sizeof guard_rows[0]; index++) {
        const struct guard_row *row = &guard_rows[index];
        for (size_t method = 0; method < sizeof usual / sizeof usual[0]; method++) {
            expect_guard(BODY_GUARD_GET, usual[method], row, row->usual, false);
            expect_guard(BODY_GUARD_ALL, usual[method], row, row->any, false);
            expect_guard(BODY_GUARD_REFUSE, usual[method], row, row->usual, false);
            expect_guard(BODY_GUARD_OFF, usual[method], row, false, false);
        }
        for (size_t method = 0; method < sizeof others / sizeof others[0]; method++) {
            expect_guard(BODY_GUARD_GET, others[method], row, row->other, false);
            expect_guard(BODY_GUARD_ALL, others[method], row, row->any, false);
            expect_guard(BODY_GUARD_REFUSE, others[method], row, false, row->other);
            expect_guard(BODY_GUARD_OFF, others[method], row, false, false);
        }
    }
}

#undef BODY
#undef CHUNKS

/* The status and code of a request line or head of `size` bytes, end included. */
static unsigned code_at(size_t size, bool is_line, enum frame_status *status)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'a', size);
    const char *start = is_line ? "GET /" : "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    const char *end = is_line ? " HTTP/1.1\r\n" : "\r\n\r\n";
    memcpy(text, start, strlen(start));
    memcpy(text + size - strlen(end), end, strlen(end));
    struct framing framing = http_requests();
    struct framing_outcome outcome;
    size_t ends[] = {size / 2, size};
    framing_run(&framing, span_of(text, size), ends, 2, &outcome);
    *status = outcome.status;
    unsigned code = outcome.code;
    assert_int_equal(outcome.count, !is_line && outcome.status == FRAME_PARTIAL);
    framing_outcome_deinit(&outcome);
    free(text);
    return code;
}

static void test_a_head_and_its_first_line_are_bounded(void **state)
{
    (void)state;
    enum frame_status status;
    assert_int_equal(code_at(HTTP_REQUEST_LINE_BYTES_MAX, true, &status), HTTP_FINE);
    assert_int_equal(status, FRAME_PARTIAL);
    assert_int_equal(code_at(HTTP_REQUEST_LINE_BYTES_MAX + 1, true, &status),
                     HTTP_REFUSAL_REQUEST_LINE_LARGE);
    assert_int_equal(status, FRAME_TOO_LARGE);
    assert_int_equal(code_at(HTTP_HEAD_LIMIT, false, &status), HTTP_FINE);
    assert_int_equal(status, FRAME_PARTIAL);
    assert_int_equal(code_at(HTTP_HEAD_LIMIT + 1, false, &status), HTTP_REFUSAL_HEAD_LARGE);
    assert_int_equal(status, FRAME_TOO_LARGE);
}

static void test_small_limits_hold_at_every_split(void **state)
{
    (void)state;
    for (size_t limit = 0; limit <= strlen(GET) + 1; limit++) {
        struct framing framing = http_requests();
        framing.settings.head_bytes_max = limit;
        struct framing_outcome outcome = http_frame(&framing, GET GET);
        bool fits = limit >= strlen(GET);
        assert_int_equal(outcome.status, fits ? FRAME_PARTIAL : FRAME_TOO_LARGE);
        assert_int_equal(outcome.count, fits ? 2 : 0);
        framing_outcome_deinit(&outcome);
    }
}

static void test_bodies_are_bounded_only_if_asked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size; /* of the body */
    } rows[] = {
        {"PUT / HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n123456789", 9},
        {"PUT / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "4\r\n1234\r\n1;xxxxxxxxxxxxxxxxx=y\r\n5\r\n4\r\n6789\r\n0\r\nSum: 3\r\n\r\n",
         9},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        for (size_t limit = 0; limit <= rows[index].size + 1; limit++) {
            struct framing framing = http_requests();
            framing.settings.body_bytes_max = limit;
            struct framing_outcome outcome = http_frame(&framing, rows[index].text);
            bool fits = limit == 0 || limit >= rows[index].size;
            assert_int_equal(outcome.status, fits ? FRAME_PARTIAL : FRAME_TOO_LARGE);
            assert_int_equal(outcome.code, fits ? HTTP_FINE : HTTP_REFUSAL_BODY_LARGE);
            framing_outcome_deinit(&outcome);
        }
    }
}

static void test_a_refusal_remembers_that_it_is_about_a_head(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned code;
    } rows[] = {
        {"HEAD / HTTP/1.1\r\n\r\n", HTTP_REFUSAL_HOST_MISSING | HTTP_CODE_HEAD},
        {"HEAD / HTTP/1.1\r\n" HOST HOST, HTTP_REFUSAL_HOST_TWICE | HTTP_CODE_HEAD},
        {"HEAD \"\" HTTP/1.1\r\n", HTTP_REFUSAL_TARGET | HTTP_CODE_HEAD},
        {"HEAD / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n",
         HTTP_REFUSAL_BODY_LARGE | HTTP_CODE_HEAD},
        {"HEAD / HTTP/2.0\r\n", HTTP_REFUSAL_VERSION},
        {"HEADS / HTTP/1.1\r\n\r\n", HTTP_REFUSAL_HOST_MISSING},
        {"HEAD / HTTP/1.1\r\n" HOST "\r\nGET / HTTP/1.1\r\n\r\n", HTTP_REFUSAL_HOST_MISSING},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        struct framing framing = http_requests();
        framing.settings.body_bytes_max = 1;
        struct framing_outcome outcome = http_frame(&framing, rows[index].text);
        assert_int_equal(outcome.code, rows[index].code);
        framing_outcome_deinit(&outcome);
    }
}

static void test_a_byte_at_a_time_costs_linear_time(void **state)
{
    (void)state;
    struct protocol_settings settings = {.head_bytes_max = HTTP_HEAD_LIMIT};
    static char text[HTTP_HEAD_LIMIT];
    memset(text, 'a', sizeof text);
    static const char start[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    memcpy(text, start, sizeof start - 1);
    struct framer framer = {0};
    for (size_t size = 1; size < sizeof text; size++) {
        struct frame frame;
        struct request request;
        struct span bytes = span_of(text, size);
        assert_int_equal(protocol_http.frame_request(&settings, &framer, bytes, &frame, &request),
                         FRAME_PARTIAL);
        size_t newest = text[size - 1] == '\r' ? size - 1 : size; /* what follows a CR matters */
        assert_int_equal(framer.scanned, newest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_length_or_coding_a_request_has_no_body),
        cmocka_unit_test(test_a_request_is_there_when_its_empty_line_is),
        cmocka_unit_test(test_the_length_counts_the_body),
        cmocka_unit_test(test_chunks_end_with_the_empty_line_behind_the_last),
        cmocka_unit_test(test_empty_lines_between_requests_are_nothing),
        cmocka_unit_test(test_every_form_of_target_passes),
        cmocka_unit_test(test_only_safe_methods_without_a_body_are_sent_again),
        cmocka_unit_test(test_the_client_says_whether_its_connection_closes),
        cmocka_unit_test(test_a_client_that_waits_for_100_takes_a_link_with_its_head),
        cmocka_unit_test(test_the_link_ends_behind_a_body_that_the_target_may_not_expect),
        cmocka_unit_test(test_a_head_and_its_first_line_are_bounded),
        cmocka_unit_test(test_small_limits_hold_at_every_split),
        cmocka_unit_test(test_bodies_are_bounded_only_if_asked),
        cmocka_unit_test(test_a_refusal_remembers_that_it_is_about_a_head),
        cmocka_unit_test(test_a_byte_at_a_time_costs_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
