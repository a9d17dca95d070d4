/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/echo.c. */
#include <string.h>

#include "unit.h"

#include "lib/framing.h"
#include "lib/guard.h"
#include "protocol/registry.h"

static const struct framing requests = {
    .protocol = &protocol_echo, .direction = TO_TARGET, .settings = {.message_bytes_max = 16}};
static const struct framing responses = {
    .protocol = &protocol_echo, .direction = TO_CLIENT, .settings = {.message_bytes_max = 16}};

static struct span text(const char *bytes)
{
    return span_of(bytes, strlen(bytes));
}

/* Checks both directions, which are framed alike, and returns the outcome of requests. */
static struct framing_outcome frame_both(struct span stream)
{
    struct framing_outcome outcome, response_outcome;
    framing_check(&requests, stream, &outcome);
    framing_check(&responses, stream, &response_outcome);
    assert_int_equal(outcome.count, response_outcome.count);
    assert_int_equal(outcome.status, response_outcome.status);
    for (size_t index = 0; index < outcome.count; index++) {
        assert_int_equal(outcome.messages[index].size, response_outcome.messages[index].size);
    }
    framing_outcome_deinit(&response_outcome);
    return outcome;
}

static void test_each_line_is_a_message(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(text("one\n\ntwo three\nrest"));
    assert_int_equal(outcome.count, 3);
    assert_int_equal(outcome.messages[0].size, 4);
    assert_int_equal(outcome.messages[1].size, 1);
    assert_int_equal(outcome.messages[2].size, 10);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 0);
    assert_int_equal(outcome.left, 4);
    framing_outcome_deinit(&outcome);
}

static void test_every_byte_but_newline_passes(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        uint8_t line[] = {(uint8_t)byte, '\n'};
        struct framing_outcome outcome = frame_both(span_of(line, sizeof line));
        assert_int_equal(outcome.count, byte == '\n' ? 2 : 1);
        assert_int_equal(outcome.left, 0);
        framing_outcome_deinit(&outcome);
    }
}

static void test_a_request_expects_a_response_and_is_never_sent_twice(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(text("ask\n"));
    const struct request *request = &outcome.messages[0].request;
    assert_true(request->expects_response);
    assert_false(request->resendable);
    assert_false(request->closes);
    assert_int_equal(request->kind, 0);
    assert_int_equal(request->id, 0);
    assert_int_equal(request->key, 0);
    framing_outcome_deinit(&outcome);
}

static void test_the_largest_message_counts_its_newline(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(text("123456789012345\nnext\n"));
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.messages[0].size, 16);
    framing_outcome_deinit(&outcome);

    outcome = frame_both(text("ok\n1234567890123456\nnext\n"));
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, FRAME_TOO_LARGE);
    framing_outcome_deinit(&outcome);
}

static void test_too_large_is_known_without_a_newline(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(text("1234567890123456"));
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    framing_outcome_deinit(&outcome);
    outcome = frame_both(text("12345678901234567"));
    assert_int_equal(outcome.status, FRAME_TOO_LARGE);
    framing_outcome_deinit(&outcome);
}

static void test_nothing_is_looked_at_twice(void **state)
{
    (void)state;
    struct protocol_settings settings = {.message_bytes_max = 1024};
    struct framer framer = {0};
    struct frame frame;
    struct request request;
    uint8_t line[64];
    memset(line, 'x', sizeof line);
    for (size_t size = 1; size < sizeof line; size++) {
        struct span bytes = span_of(line, size);
        assert_int_equal(protocol_echo.frame_request(&settings, &framer, bytes, &frame, &request),
                         FRAME_PARTIAL);
        assert_int_equal(framer.scanned, size);
    }
    /* A newline slipped in among the bytes that were looked at must not be found. */
    line[10] = '\n';
    line[63] = '\n';
    struct span bytes = span_of(line, sizeof line);
    assert_int_equal(protocol_echo.frame_request(&settings, &framer, bytes, &frame, &request),
                     FRAME_PIECE);
    assert_int_equal(frame.size, sizeof line);
}

static const char *describe(struct span message, char *out, size_t capacity)
{
    protocol_echo.describe(TO_TARGET, message, out, capacity);
    return out;
}

static void test_description_shows_the_line_escaped_and_its_size(void **state)
{
    (void)state;
    char out[DESCRIBE_BYTES_MAX];
    assert_string_equal(describe(text("hello\n"), out, sizeof out), "hello (6 bytes)");
    assert_string_equal(describe(text("a\\b\tc\r\n"), out, sizeof out),
                        "a\\x5cb\\x09c\\r (7 bytes)");
    assert_string_equal(describe(span_of("\x00\x1b[m\xff\n", 6), out, sizeof out),
                        "\\x00\\x1b[m\\xff (6 bytes)");
    assert_string_equal(describe(text("\n"), out, sizeof out), "(1 byte)");
    assert_string_equal(describe((struct span){0}, out, sizeof out), "(0 bytes)");
}

static void test_description_of_a_long_line_is_cut_off(void **state)
{
    (void)state;
    char line[1000], out[DESCRIBE_BYTES_MAX];
    memset(line, 'z', sizeof line);
    describe(span_of(line, sizeof line), out, sizeof out);
    assert_int_equal(strlen(out), sizeof out - 1);
    assert_non_null(strstr(out, "z… (1000 bytes)"));
    assert_int_equal(strspn(out, "z"), sizeof out - 1 - strlen("… (1000 bytes)"));
}

static void test_description_keeps_to_its_capacity_and_to_the_message(void **state)
{
    (void)state;
    struct guard message_guard, text_guard;
    guard_init(&message_guard, 256);
    guard_init(&text_guard, 256);
    for (size_t size = 0; size <= 40; size++) {
        uint8_t bytes[40];
        memset(bytes, size % 2 == 0 ? 'a' : 0x80, sizeof bytes);
        struct span message = guard_put(&message_guard, span_of(bytes, size));
        for (size_t capacity = 1; capacity <= 200; capacity++) {
            char *out = (char *)guard_space(&text_guard, capacity);
            memset(out, 'X', capacity);
            describe(message, out, capacity);
            assert_non_null(memchr(out, '\0', capacity));
        }
    }
    guard_deinit(&message_guard);
    guard_deinit(&text_guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_is_a_message),
        cmocka_unit_test(test_every_byte_but_newline_passes),
        cmocka_unit_test(test_a_request_expects_a_response_and_is_never_sent_twice),
        cmocka_unit_test(test_the_largest_message_counts_its_newline),
        cmocka_unit_test(test_too_large_is_known_without_a_newline),
        cmocka_unit_test(test_nothing_is_looked_at_twice),
        cmocka_unit_test(test_description_shows_the_line_escaped_and_its_size),
        cmocka_unit_test(test_description_of_a_long_line_is_cut_off),
        cmocka_unit_test(test_description_keeps_to_its_capacity_and_to_the_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
