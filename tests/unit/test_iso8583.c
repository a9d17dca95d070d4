/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/iso8583.c and what it shares in prefixed.c. */
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "base/endian.h"
#include "lib/framing.h"
#include "lib/guard.h"
#include "protocol/registry.h"

enum { LARGEST = 2 + 65535 };

static struct framing_outcome frame_both(struct span stream, size_t message_bytes_max)
{
    struct framing framing = {.protocol = &protocol_iso8583,
                              .direction = TO_CLIENT,
                              .settings = {.message_bytes_max = message_bytes_max}};
    struct framing_outcome outcome, response_outcome;
    framing_check(&framing, stream, &response_outcome);
    framing.direction = TO_TARGET;
    framing_check(&framing, stream, &outcome);
    assert_int_equal(outcome.count, response_outcome.count);
    assert_int_equal(outcome.status, response_outcome.status);
    framing_outcome_deinit(&response_outcome);
    return outcome;
}

static void test_the_length_does_not_count_itself(void **state)
{
    (void)state;
    static const uint8_t stream[] = "\x00\x04"
                                    "0800"
                                    "\x00\x01"
                                    "x"
                                    "\x00\x05"
                                    "abc";
    struct framing_outcome outcome = frame_both(span_of(stream, sizeof stream - 1), LARGEST);
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.messages[0].size, 6);
    assert_int_equal(outcome.messages[1].size, 3);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 7);
    assert_int_equal(outcome.left, 5);
    framing_outcome_deinit(&outcome);
}

static void test_a_length_of_zero_is_a_whole_message(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(span_of("\0\0\0\0\0", 5), LARGEST);
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.messages[0].size, 2);
    assert_int_equal(outcome.messages[1].size, 2);
    assert_int_equal(outcome.left, 1);
    assert_int_equal(outcome.wanted, 0);
    framing_outcome_deinit(&outcome);
}

static void test_the_length_is_big_endian(void **state)
{
    (void)state;
    uint8_t stream[2 + 0x0102] = {0x01, 0x02};
    struct framing_outcome outcome = frame_both(span_of(stream, sizeof stream), LARGEST);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.messages[0].size, sizeof stream);
    framing_outcome_deinit(&outcome);
}

static void test_every_length_is_a_message_when_it_is_there_and_not_before(void **state)
{
    (void)state;
    struct protocol_settings settings = {.message_bytes_max = LARGEST};
    uint8_t *stream = calloc(1, LARGEST);
    assert_non_null(stream);
    for (size_t length = 0; length <= 65535; length++) {
        struct framer framer = {0};
        struct frame frame;
        store_be16(stream, (uint16_t)length);
        if (length > 0) {
            struct span most = span_of(stream, 2 + length - 1);
            assert_int_equal(
                protocol_iso8583.frame_response(&settings, &framer, NULL, most, &frame),
                FRAME_PARTIAL);
            assert_int_equal(frame.size, 2 + length);
        }
        struct span whole = span_of(stream, 2 + length);
        assert_int_equal(protocol_iso8583.frame_response(&settings, &framer, NULL, whole, &frame),
                         FRAME_PIECE);
        assert_int_equal(frame.size, 2 + length);
        assert_true(frame.ends);
    }
    free(stream);
}

static void test_too_large_is_known_from_the_length(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(span_of("\x00\x08", 2), 10);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 10);
    framing_outcome_deinit(&outcome);
    outcome = frame_both(span_of("\x00\x00\x00\x09", 4), 10);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.status, FRAME_TOO_LARGE);
    framing_outcome_deinit(&outcome);
    outcome = frame_both(span_of("\xff", 1), 10);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    framing_outcome_deinit(&outcome);
}

static void test_a_request_expects_a_response_and_is_never_sent_twice(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both(span_of("\0\0", 2), LARGEST);
    const struct request *request = &outcome.messages[0].request;
    assert_true(request->expects_response);
    assert_false(request->resendable);
    assert_false(request->closes);
    assert_int_equal(request->kind, 0);
    assert_int_equal(request->id, 0);
    assert_int_equal(request->key, 0);
    framing_outcome_deinit(&outcome);
}

static void expect_description(const char *bytes, size_t size, const char *expected)
{
    struct guard guard;
    guard_init(&guard, size);
    char out[DESCRIBE_BYTES_MAX];
    protocol_iso8583.describe(TO_TARGET, guard_put(&guard, span_of(bytes, size)), out, sizeof out);
    assert_string_equal(out, expected);
    guard_deinit(&guard);
}

static void test_description_shows_the_type_and_the_size(void **state)
{
    (void)state;
    expect_description("\x00\x06"
                       "0200ab",
                       8, "MTI 0200 (8 bytes)");
    expect_description("\x00\x04\x08\x10xy", 6, "MTI 0810 (6 bytes)");
    expect_description("\x00\x02\x22\x30", 4, "MTI 2230 (4 bytes)");
    expect_description("\x00\x00", 2, "empty (2 bytes)");
    expect_description("\x00", 1, "empty (1 byte)");
    expect_description("", 0, "empty (0 bytes)");
    expect_description("\x00\x01\x02", 3, "no MTI (3 bytes)");
    expect_description("\x00\x04\x60\x00\x01\x00", 6, "no MTI (6 bytes)");
    expect_description("\x00\x03"
                       "020",
                       5, "no MTI (5 bytes)");
    expect_description("\x00\x02\x0a\x00", 4, "no MTI (4 bytes)");
}

static void test_description_never_shows_a_card_number(void **state)
{
    (void)state;
    static const char pan[] = "4111111111111111";
    for (size_t offset = 0; offset <= 64; offset += offset == 0 ? 4 : 1) {
        char message[128] = "\x00\x7e"
                            "0100";
        memcpy(message + 2 + offset, pan, sizeof pan - 1);
        char out[DESCRIBE_BYTES_MAX];
        protocol_iso8583.describe(TO_CLIENT, span_of(message, sizeof message), out, sizeof out);
        assert_null(strstr(out, "1111"));
        assert_null(strstr(out, "411"));
    }
}

static void test_description_keeps_to_its_capacity(void **state)
{
    (void)state;
    struct guard guard;
    guard_init(&guard, 64);
    for (size_t capacity = 1; capacity <= 64; capacity++) {
        char *out = (char *)guard_space(&guard, capacity);
        memset(out, 'X', capacity);
        protocol_iso8583.describe(TO_TARGET, span_of("\x00\x04\x08\x10xy", 6), out, capacity);
        assert_non_null(memchr(out, '\0', capacity));
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_length_does_not_count_itself),
        cmocka_unit_test(test_a_length_of_zero_is_a_whole_message),
        cmocka_unit_test(test_the_length_is_big_endian),
        cmocka_unit_test(test_every_length_is_a_message_when_it_is_there_and_not_before),
        cmocka_unit_test(test_too_large_is_known_from_the_length),
        cmocka_unit_test(test_a_request_expects_a_response_and_is_never_sent_twice),
        cmocka_unit_test(test_description_shows_the_type_and_the_size),
        cmocka_unit_test(test_description_never_shows_a_card_number),
        cmocka_unit_test(test_description_keeps_to_its_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
