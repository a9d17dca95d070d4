/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/iso_message.c. Messages end at an unreadable page. */
#include <stdio.h>

#include "unit.h"

#include "lib/guard.h"
#include "protocol/iso_message.h"

#define BYTES(literal) (literal), sizeof(literal) - 1

static struct iso_message read_of(const char *bytes, size_t size)
{
    struct guard guard;
    guard_init(&guard, size);
    struct iso_message message = iso_message_read(guard_put(&guard, span_of(bytes, size)));
    guard_deinit(&guard);
    return message;
}

/* What is read of the message, as `MTI STAN`; `-` for what is not shown. */
static void expect(const char *bytes, size_t size, const char *expected)
{
    struct iso_message message = read_of(bytes, size);
    char mti[8] = "-", stan[12] = "-", text[24];
    if (message.has_mti) {
        (void)snprintf(mti, sizeof mti, "%04x", message.mti);
    }
    if (message.has_stan) {
        (void)snprintf(stan, sizeof stan, "%06x", (unsigned)message.stan);
    }
    (void)snprintf(text, sizeof text, "%s %s", mti, stan);
    assert_string_equal(text, expected);
}

static void test_the_type_is_read_in_ascii_and_bcd(void **state)
{
    (void)state;
    expect(BYTES("0200"), "0200 -");
    expect(BYTES("\x02\x00"), "0200 -");
    expect(BYTES("1804"), "1804 -");
    expect(BYTES("\x98\x04"), "9804 -");
    expect(BYTES("3200"), "- -");         /* no such version, and in BCD version 3 again */
    expect(BYTES("0900"), "- -");         /* no such class */
    expect(BYTES("\x60\x00\x01"), "- -"); /* a TPDU */
    expect(BYTES("020"), "- -");
    expect(BYTES("\x02"), "- -");
    expect(BYTES(""), "- -");
}

static void test_field_11_is_found_behind_any_bitmap(void **state)
{
    (void)state;
    /* fields 7 and 11 */
    expect(BYTES("08000220000000000000"
                 "0304123456"
                 "000326"),
           "0800 000326");
    expect(BYTES("0800\x02\x20\0\0\0\0\0\0"
                 "0304123456"
                 "000326"),
           "0800 000326");
    expect(BYTES("\x08\x00\x02\x20\0\0\0\0\0\0\x03\x04\x12\x34\x56\x00\x03\x26"), "0800 000326");
    /* and a second bitmap */
    expect(BYTES("08008220000000000000"
                 "0400000000000000"
                 "0304123456"
                 "000326"),
           "0800 000326");
    expect(BYTES("\x08\x00\x82\x20\0\0\0\0\0\0\x04\0\0\0\0\0\0\0\x03\x04\x12\x34\x56\x00\x03\x26"),
           "0800 000326");
    expect(BYTES("0800022000000000000a"
                 "0304123456"
                 "999999"),
           "0800 999999");
}

static void test_every_field_in_front_of_it_is_stepped_over(void **state)
{
    (void)state;
    static const char *const fields[] = {"164111111111111111", "000000",       "000000001000",
                                         "000000001001",       "000000001002", "0101120000",
                                         "00000003",           "00000004",     "00000005"};
    for (unsigned mask = 0; mask < 1U << 9; mask++) {
        char text[160];
        unsigned bits = mask << 6 | 1U << 5; /* fields 2 to 10 as the mask says, and 11 */
        size_t size = (size_t)snprintf(text, sizeof text, "0200%04x000000000000", bits);
        for (size_t index = 0; index < 9; index++) {
            if ((mask >> (8 - index) & 1) != 0) {
                size += (size_t)snprintf(text + size, sizeof text - size, "%s", fields[index]);
            }
        }
        size += (size_t)snprintf(text + size, sizeof text - size, "123456");
        expect(text, size, "0200 123456");
        expect(text, size - 1, "0200 -");
    }
}

static void test_an_odd_card_number_takes_a_byte_more_in_bcd(void **state)
{
    (void)state;
    expect(
        BYTES(
            "\x02\x00\x40\x20\0\0\0\0\0\0\x19\x04\x11\x11\x11\x11\x11\x11\x11\x11\x11\x65\x43\x21"),
        "0200 654321");
    expect(BYTES("\x02\x00\x40\x20\0\0\0\0\0\0\x16\x41\x11\x11\x11\x11\x11\x11\x11\x65\x43\x21"),
           "0200 654321");
}

static void test_what_does_not_fit_is_not_guessed(void **state)
{
    (void)state;
    expect(BYTES("0200"
                 "4020000000000000"
                 "20"
                 "41111111111111111111"
                 "123456"),
           "0200 -"); /* no card number has twenty digits */
    expect(BYTES("0200"
                 "0020000000000000"
                 "12345x"),
           "0200 -");
    expect(BYTES("0200"
                 "0000000000000000"
                 "123456"),
           "0200 -"); /* there is no field 11 */
    expect(BYTES("2200"
                 "0020000000000000"
                 "123456123456"),
           "2200 -"); /* the edition of 2003 has another layout */
    expect(BYTES("0200\x00"), "0200 -");
    expect(BYTES("02000000"), "0200 -");
}

static void test_a_key_keeps_what_was_read(void **state)
{
    (void)state;
    struct iso_message messages[] = {
        {.has_mti = false},
        {.has_mti = true, .mti = 0x0200},
        {.has_mti = true, .has_stan = true, .mti = 0x9999, .stan = 0x999999},
        {.has_mti = true, .has_stan = true, .mti = 0x0100, .stan = 0},
    };
    for (size_t index = 0; index < sizeof messages / sizeof messages[0]; index++) {
        struct iso_message back = iso_key_message(iso_key_of(&messages[index]));
        assert_int_equal(back.has_mti, messages[index].has_mti);
        assert_int_equal(back.has_stan, messages[index].has_stan);
        assert_int_equal(back.mti, messages[index].mti);
        assert_int_equal(back.stan, messages[index].stan);
    }
    assert_int_equal(iso_key_of(&messages[0]), 0);
}

/* Messages of a type, with field 11 or (0) without. */
static enum iso_answer answers(uint16_t request, uint32_t request_stan, uint16_t answer,
                               uint32_t answer_stan)
{
    struct iso_message asked = {.has_mti = request != 0,
                                .has_stan = request_stan != 0,
                                .mti = request,
                                .stan = request_stan};
    struct iso_message answered = {
        .has_mti = answer != 0, .has_stan = answer_stan != 0, .mti = answer, .stan = answer_stan};
    return iso_answer_of(&asked, &answered);
}

static void test_an_answer_is_told_by_its_type(void **state)
{
    (void)state;
    static const struct {
        uint16_t request, answer;
        bool fits;
    } rows[] = {
        {0x0200, 0x0210, true},  {0x0100, 0x0110, true},  {0x0420, 0x0430, true},
        {0x0440, 0x0450, true},  {0x0160, 0x0170, true},  {0x0180, 0x0190, true},
        {0x0201, 0x0210, true},  {0x0421, 0x0430, true},  {0x1804, 0x1814, true},
        {0x0200, 0x0200, true},  {0x0200, 0x0620, true},  {0x0800, 0x0630, true},
        {0x0200, 0x0800, false}, {0x0200, 0x0110, false}, {0x0200, 0x0230, false},
        {0x0200, 0x1210, false}, {0x0200, 0x0201, false}, {0x0210, 0x0220, false},
        {0x0200, 0x0810, false}, {0x0190, 0x01A0, false},
    };
    for (size_t index = 0; index < sizeof rows / sizeof rows[0]; index++) {
        assert_int_equal(answers(rows[index].request, 0, rows[index].answer, 0),
                         rows[index].fits ? ISO_ANSWER_FITS : ISO_ANSWER_NONE);
    }
    assert_int_equal(answers(0, 0, 0x0210, 0), ISO_ANSWER_UNKNOWN);
    assert_int_equal(answers(0x0200, 0, 0, 0), ISO_ANSWER_UNKNOWN);
}

static void test_field_11_is_compared_where_both_show_it(void **state)
{
    (void)state;
    assert_int_equal(answers(0x0200, 7, 0x0210, 7), ISO_ANSWER_EXACT);
    assert_int_equal(answers(0x0200, 7, 0x0210, 8), ISO_ANSWER_OTHER_STAN);
    assert_int_equal(answers(0x0200, 7, 0x0210, 0), ISO_ANSWER_FITS);
    assert_int_equal(answers(0x0200, 0, 0x0210, 7), ISO_ANSWER_FITS);
    assert_int_equal(answers(0x0200, 7, 0x0800, 7), ISO_ANSWER_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_type_is_read_in_ascii_and_bcd),
        cmocka_unit_test(test_field_11_is_found_behind_any_bitmap),
        cmocka_unit_test(test_every_field_in_front_of_it_is_stepped_over),
        cmocka_unit_test(test_an_odd_card_number_takes_a_byte_more_in_bcd),
        cmocka_unit_test(test_what_does_not_fit_is_not_guessed),
        cmocka_unit_test(test_a_key_keeps_what_was_read),
        cmocka_unit_test(test_an_answer_is_told_by_its_type),
        cmocka_unit_test(test_field_11_is_compared_where_both_show_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
