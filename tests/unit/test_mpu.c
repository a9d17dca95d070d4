/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/mpu.c. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "lib/framing.h"
#include "lib/guard.h"
#include "protocol/registry.h"

enum { LARGEST = 4 + 9999 };

static struct framing_outcome frame_both(const char *stream, size_t message_bytes_max)
{
    struct framing framing = {.protocol = &protocol_mpu,
                              .direction = TO_CLIENT,
                              .settings = {.message_bytes_max = message_bytes_max}};
    struct span bytes = span_of(stream, strlen(stream));
    struct framing_outcome outcome, response_outcome;
    framing_check(&framing, bytes, &response_outcome);
    framing.direction = TO_TARGET;
    framing_check(&framing, bytes, &outcome);
    assert_int_equal(outcome.count, response_outcome.count);
    assert_int_equal(outcome.status, response_outcome.status);
    framing_outcome_deinit(&response_outcome);
    return outcome;
}

static void test_the_length_does_not_count_itself(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both("000408000012123456789012"
                                                "0003ab",
                                                LARGEST);
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.messages[0].size, 8);
    assert_int_equal(outcome.messages[1].size, 16);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 7);
    assert_int_equal(outcome.left, 6);
    framing_outcome_deinit(&outcome);
}

static void test_0000_is_a_whole_message(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both("00000000000", LARGEST);
    assert_int_equal(outcome.count, 2);
    assert_int_equal(outcome.messages[0].size, 4);
    assert_int_equal(outcome.messages[1].size, 4);
    assert_int_equal(outcome.left, 3);
    framing_outcome_deinit(&outcome);
}

static void test_every_length_is_a_message_when_it_is_there_and_not_before(void **state)
{
    (void)state;
    struct protocol_settings settings = {.message_bytes_max = LARGEST};
    static char stream[LARGEST + 1];
    for (int length = 0; length <= 9999; length++) {
        struct framer framer = {0};
        struct frame frame;
        size_t size = 4 + (size_t)length;
        char prefix[8];
        (void)snprintf(prefix, sizeof prefix, "%04d", length % 10000);
        memcpy(stream, prefix, 4);
        struct span most = span_of(stream, size - 1);
        assert_int_equal(protocol_mpu.frame_response(&settings, &framer, NULL, most, &frame),
                         FRAME_PARTIAL);
        assert_int_equal(frame.size, length == 0 ? 0 : size);
        struct span whole = span_of(stream, size);
        assert_int_equal(protocol_mpu.frame_response(&settings, &framer, NULL, whole, &frame),
                         FRAME_PIECE);
        assert_int_equal(frame.size, size);
        assert_true(frame.ends);
    }
}

static void test_a_byte_that_is_no_digit_is_invalid_at_once(void **state)
{
    (void)state;
    static const char others[] = {'/', ':', ' ', '-', '+', 'a', '\n', (char)0xB0};
    for (size_t place = 0; place < 4; place++) {
        for (size_t index = 0; index < sizeof others; index++) {
            char stream[] = "00000000";
            stream[4 + place] = others[index];
            struct framing_outcome outcome = frame_both(stream, LARGEST);
            assert_int_equal(outcome.count, 1);
            assert_int_equal(outcome.status, FRAME_INVALID);
            framing_outcome_deinit(&outcome);

            stream[4 + place + 1] = '\0'; /* nothing behind it */
            outcome = frame_both(stream, LARGEST);
            assert_int_equal(outcome.status, FRAME_INVALID);
            framing_outcome_deinit(&outcome);
        }
    }
    struct framing_outcome outcome = frame_both("GET / HTTP/1.1\r\n\r\n", LARGEST);
    assert_int_equal(outcome.count, 0);
    assert_int_equal(outcome.status, FRAME_INVALID);
    framing_outcome_deinit(&outcome);
}

static void test_too_large_is_known_from_the_length(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both("0006", 10);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 10);
    framing_outcome_deinit(&outcome);
    outcome = frame_both("0007", 10);
    assert_int_equal(outcome.status, FRAME_TOO_LARGE);
    framing_outcome_deinit(&outcome);
    outcome = frame_both("999", 10);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    framing_outcome_deinit(&outcome);
}

static void test_a_request_expects_a_response_and_is_never_sent_twice(void **state)
{
    (void)state;
    struct framing_outcome outcome = frame_both("0000", LARGEST);
    const struct request *request = &outcome.messages[0].request;
    assert_true(request->expects_response);
    assert_false(request->resendable);
    assert_false(request->closes);
    assert_int_equal(request->kind, 0);
    assert_int_equal(request->id, 0);
    assert_int_equal(request->key, 0);
    framing_outcome_deinit(&outcome);
}

static void test_description_shows_the_type_and_the_size_and_no_more(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"00200200411111111111111", "MTI 0200 (23 bytes)"},
        {"0004\x08\x10\x41\x11", "MTI 0810 (8 bytes)"},
        {"00164111111111111111", "no MTI (20 bytes)"},
        {"0000", "empty (4 bytes)"},
        {"00", "empty (2 bytes)"},
        {"", "empty (0 bytes)"},
    };
    struct guard guard;
    guard_init(&guard, 64);
    for (size_t index = 0; index < sizeof cases / sizeof cases[0]; index++) {
        struct span message = span_of(cases[index][0], strlen(cases[index][0]));
        char out[DESCRIBE_BYTES_MAX];
        protocol_mpu.describe(TO_CLIENT, guard_put(&guard, message), out, sizeof out);
        assert_string_equal(out, cases[index][1]);
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_length_does_not_count_itself),
        cmocka_unit_test(test_0000_is_a_whole_message),
        cmocka_unit_test(test_every_length_is_a_message_when_it_is_there_and_not_before),
        cmocka_unit_test(test_a_byte_that_is_no_digit_is_invalid_at_once),
        cmocka_unit_test(test_too_large_is_known_from_the_length),
        cmocka_unit_test(test_a_request_expects_a_response_and_is_never_sent_twice),
        cmocka_unit_test(test_description_shows_the_type_and_the_size_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
