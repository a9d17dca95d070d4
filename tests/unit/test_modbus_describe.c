/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/modbus_describe.c. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "base/compiler.h"
#include "base/random.h"
#include "lib/guard.h"
#include "modbus_unit.h"

static void expect_raw(enum direction direction, struct span message, const char *expected)
{
    struct guard guard;
    guard_init(&guard, message.size);
    char out[DESCRIBE_BYTES_MAX];
    protocol_modbus.describe(direction, guard_put(&guard, message), out, sizeof out);
    assert_string_equal(out, expected);
    guard_deinit(&guard);
}

static void expect(enum direction direction, const char *pdu, size_t size, const char *expected)
{
    struct frame_bytes bytes = frame_of(7, 1, pdu, size);
    expect_raw(direction, span_of(bytes.data, bytes.size), expected);
}

static void expect_request(const char *pdu, size_t size, const char *expected)
{
    expect(TO_TARGET, pdu, size, expected);
}

static void expect_response(const char *pdu, size_t size, const char *expected)
{
    expect(TO_CLIENT, pdu, size, expected);
}

static void test_reads_show_address_count_and_what_came(void **state)
{
    (void)state;
    expect_request(BYTES("\x01\x00\x13\x00\x13"), "unit 1 read coils, id 7, address 19, count 19");
    expect_response(BYTES("\x01\x03\xcd\x6b\x05"),
                    "unit 1 read coils, id 7: 24 bits 10110011 11010110 10100000");
    expect_request(BYTES("\x02\x00\xc4\x00\x16"),
                   "unit 1 read discrete inputs, id 7, address 196, count 22");
    expect_response(BYTES("\x02\x01\x01"), "unit 1 read discrete inputs, id 7: 8 bits 10000000");
    expect_request(BYTES("\x03\x00\x64\x00\x0a"),
                   "unit 1 read holding registers, id 7, address 100, count 10");
    expect_response(BYTES("\x03\x06\x00\x11\x00\x00\xff\xff"),
                    "unit 1 read holding registers, id 7: 3 values 17 0 65535");
    expect_request(BYTES("\x04\x00\x08\x00\x01"),
                   "unit 1 read input registers, id 7, address 8, count 1");
    expect_response(BYTES("\x04\x02\x00\x0a"), "unit 1 read input registers, id 7: 1 value 10");
}

static void test_writes_show_their_values(void **state)
{
    (void)state;
    expect_request(BYTES("\x05\x00\xac\xff\x00"),
                   "unit 1 write single coil, id 7, address 172, on");
    expect_response(BYTES("\x05\x00\xac\x00\x00"),
                    "unit 1 write single coil, id 7, address 172, off");
    expect_request(BYTES("\x05\x00\xac\x12\x34"),
                   "unit 1 write single coil, id 7, address 172, value 0x1234");
    expect_request(BYTES("\x06\x00\x01\x00\x03"),
                   "unit 1 write single register, id 7, address 1, value 3");
    expect_response(BYTES("\x06\x00\x01\x00\x03"),
                    "unit 1 write single register, id 7, address 1, value 3");
    expect_request(BYTES("\x0f\x00\x13\x00\x0a\x02\xcd\x01"),
                   "unit 1 write multiple coils, id 7, address 19: 10 bits 10110011 10");
    expect_response(BYTES("\x0f\x00\x13\x00\x0a"),
                    "unit 1 write multiple coils, id 7, address 19, count 10");
    expect_request(BYTES("\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02"),
                   "unit 1 write multiple registers, id 7, address 1: 2 values 10 258");
    expect_response(BYTES("\x10\x00\x01\x00\x02"),
                    "unit 1 write multiple registers, id 7, address 1, count 2");
    expect_request(BYTES("\x16\x00\x04\x00\xf2\x00\x25"),
                   "unit 1 mask write register, id 7, address 4, and 0x00f2, or 0x0025");
    expect_response(BYTES("\x16\x00\x04\x00\xf2\x00\x25"),
                    "unit 1 mask write register, id 7, address 4, and 0x00f2, or 0x0025");
    expect_request(BYTES("\x17\x00\x03\x00\x06\x00\x0e\x00\x01\x02\x00\xff"),
                   "unit 1 read/write multiple registers, id 7, read address 3, count 6, write "
                   "address 14: 1 value 255");
    expect_response(BYTES("\x17\x02\x00\xfe"),
                    "unit 1 read/write multiple registers, id 7: 1 value 254");
}

static void test_the_rarer_functions_have_words_too(void **state)
{
    (void)state;
    expect_request(BYTES("\x07"), "unit 1 read exception status, id 7");
    expect_response(BYTES("\x07\x6d"), "unit 1 read exception status, id 7, status 0x6d");
    expect_request(BYTES("\x08\x00\x00\xa5\x37"),
                   "unit 1 diagnostics, id 7, sub-function 0: 1 value 42295");
    expect_response(BYTES("\x08\x00\x00\xa5\x37"),
                    "unit 1 diagnostics, id 7, sub-function 0: 1 value 42295");
    expect_request(BYTES("\x0b"), "unit 1 get comm event counter, id 7");
    expect_response(BYTES("\x0b\xff\xff\x01\x08"),
                    "unit 1 get comm event counter, id 7, status 0xffff, events 264");
    expect_request(BYTES("\x0c"), "unit 1 get comm event log, id 7");
    expect_response(BYTES("\x0c\x08\x00\x00\x01\x08\x01\x21\x20\x00"),
                    "unit 1 get comm event log, id 7, status 0x0000, events 264, messages 289: 2 "
                    "bytes");
    expect_request(BYTES("\x11"), "unit 1 report server id, id 7");
    expect_response(BYTES("\x11\x03\x2a\xff\x01"), "unit 1 report server id, id 7: 3 bytes");
    expect_request(BYTES("\x14\x0e\x06\x00\x04\x00\x01\x00\x02\x06\x00\x03\x00\x09\x00\x01"),
                   "unit 1 read file record, id 7, file 4 record 1 count 2, file 3 record 9 count "
                   "1");
    expect_response(BYTES("\x14\x06\x05\x06\x0d\xfe\x00\x20"),
                    "unit 1 read file record, id 7: 6 bytes");
    expect_request(BYTES("\x15\x0b\x06\x00\x04\x00\x07\x00\x02\x06\xaf\x04\xbe"),
                   "unit 1 write file record, id 7, file 4 record 7: 2 values 1711 1214");
    expect_response(BYTES("\x15\x0b\x06\x00\x04\x00\x07\x00\x02\x06\xaf\x04\xbe"),
                    "unit 1 write file record, id 7, file 4 record 7: 2 values 1711 1214");
    expect_request(BYTES("\x18\x04\xde"), "unit 1 read fifo queue, id 7, address 1246");
    expect_response(BYTES("\x18\x00\x06\x00\x02\x01\xb8\x12\x84"),
                    "unit 1 read fifo queue, id 7: 2 values 440 4740");
}

static void test_identification_shows_its_objects(void **state)
{
    (void)state;
    expect_request(BYTES("\x2b\x0e\x01\x00"),
                   "unit 1 encapsulated interface, id 7, device identification, code 1, object 0");
    expect_response(BYTES("\x2b\x0e\x01\x01\x00\x00\x02\x00\x04"
                          "Acme\x01\x04"
                          "A\x1b\n9"),
                    "unit 1 encapsulated interface, id 7, device identification: 2 objects 0 "
                    "\"Acme\" 1 \"A..9\"");
    expect_request(BYTES("\x2b\x0d\x01\x00"), "unit 1 encapsulated interface, id 7, 11 bytes");
    expect_response(BYTES("\x2b\x0e\x01\x01\x00\x00\x02\x00\x04"
                          "Acm"),
                    "unit 1 encapsulated interface, id 7, 19 bytes");
}

static void test_exceptions_are_named(void **state)
{
    (void)state;
    static const struct {
        uint8_t code;
        const char *name;
    } rows[] = {
        {1, "illegal function"},
        {2, "illegal data address"},
        {3, "illegal data value"},
        {4, "device failure"},
        {5, "acknowledge"},
        {6, "device busy"},
        {8, "memory parity error"},
        {10, "gateway path unavailable"},
        {11, "gateway target did not respond"},
        {12, "exception"},
        {255, "exception"},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        char pdu[] = {(char)0x83, (char)rows[index].code};
        char expected[128];
        (void)snprintf(expected, sizeof expected,
                       "unit 1 exception to read holding registers, id 7: %s (%u)",
                       rows[index].name, rows[index].code);
        expect_response(pdu, sizeof pdu, expected);
    }
    expect_response(BYTES("\xc1\x02"),
                    "unit 1 exception to function 65 (0x41), id 7: illegal data address (2)");
    expect_response(BYTES("\x83"), "unit 1 exception to read holding registers, id 7, 8 bytes");
    /* As a device said it that counts one byte too few. */
    expect_raw(TO_CLIENT, span_of(BYTES("\x00\x07\x00\x00\x00\x02\x01\x83\x02")),
               "unit 1 exception to read holding registers, id 7: illegal data address (2)");
}

static void test_other_functions_are_shown_by_number_and_size(void **state)
{
    (void)state;
    expect_request(BYTES("\x41\x24\x01\x00\x01"), "unit 1 function 65 (0x41), id 7, 12 bytes");
    expect_response(BYTES("\x41"), "unit 1 function 65 (0x41), id 7, 8 bytes");
    expect_request(BYTES("\x83\x02"), "unit 1 function 131 (0x83), id 7, 9 bytes");
    expect_request(BYTES("\x00"), "unit 1 function 0 (0x00), id 7, 8 bytes");
}

static void test_data_without_the_shape_of_its_function_is_a_size(void **state)
{
    (void)state;
    static const struct {
        enum direction direction;
        const char *pdu;
        size_t size;
        const char *name;
    } rows[] = {
        {TO_TARGET, BYTES("\x03\x00\x64\x00"), "read holding registers"},
        {TO_TARGET, BYTES("\x03\x00\x64\x00\x0a\x00"), "read holding registers"},
        {TO_CLIENT, BYTES("\x03"), "read holding registers"},
        {TO_CLIENT, BYTES("\x03\x04\x00\x01"), "read holding registers"},
        {TO_CLIENT, BYTES("\x03\x02\x00\x01\x00"), "read holding registers"},
        {TO_CLIENT, BYTES("\x03\x03\x00\x01\x00"), "read holding registers"},
        {TO_CLIENT, BYTES("\x01\x02\xff"), "read coils"},
        {TO_TARGET, BYTES("\x05\x00\x01\xff"), "write single coil"},
        {TO_TARGET, BYTES("\x07\x00"), "read exception status"},
        {TO_TARGET, BYTES("\x08\x00\x00\xa5"), "diagnostics"},
        {TO_CLIENT, BYTES("\x0c\x07\x00\x00\x01\x08\x01\x21\x20\x00"), "get comm event log"},
        {TO_TARGET, BYTES("\x0f\x00\x13\x00\x0a\x01\xcd"), "write multiple coils"},
        {TO_TARGET, BYTES("\x0f\x00\x13\xff\xff\x02\xcd\x01"), "write multiple coils"},
        {TO_TARGET, BYTES("\x10\x00\x01\x00\x02\x02\x00\x0a"), "write multiple registers"},
        {TO_TARGET, BYTES("\x14\x08\x06\x00\x04\x00\x01\x00\x02"), "read file record"},
        {TO_TARGET, BYTES("\x14\x03\x06\x00\x04"), "read file record"},
        {TO_TARGET, BYTES("\x15\x09\x06\x00\x04\x00\x07\x7f\xff\x06\xaf"), "write file record"},
        {TO_CLIENT, BYTES("\x18\x00\x06\x00\x03\x01\xb8\x12\x84"), "read fifo queue"},
        {TO_CLIENT, BYTES("\x18\x00\x08\x00\x02\x01\xb8\x12\x84"), "read fifo queue"},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        char expected[128];
        (void)snprintf(expected, sizeof expected, "unit 1 %s, id 7, %zu bytes", rows[index].name,
                       rows[index].size + 7);
        expect(rows[index].direction, rows[index].pdu, rows[index].size, expected);
    }
}

static void test_what_is_no_frame_is_incomplete(void **state)
{
    (void)state;
    expect_raw(TO_TARGET, span_of(BYTES("")), "incomplete, 0 bytes");
    expect_raw(TO_CLIENT, span_of(BYTES("\0")), "incomplete, 1 byte");
    expect_raw(TO_CLIENT, span_of(BYTES("\0\1\0\0\0\2\1")), "incomplete, 7 bytes");
}

/* 125 registers, the most there can be. */
static void test_values_that_have_no_room_become_three_dots_after_a_whole_one(void **state)
{
    (void)state;
    char pdu[2 + 250] = "\x03\xfa";
    memset(pdu + 2, 0x7F, 250);
    struct frame_bytes bytes = frame_of(7, 1, pdu, sizeof pdu);
    char out[DESCRIBE_BYTES_MAX];
    protocol_modbus.describe(TO_CLIENT, span_of(bytes.data, bytes.size), out, sizeof out);
    static const char begin[] = "unit 1 read holding registers, id 7: 125 values 32639 32639";
    static const char end[] = " 32639…";
    assert_memory_equal(out, begin, sizeof begin - 1);
    assert_string_equal(out + strlen(out) - (sizeof end - 1), end);
    assert_true(strlen(out) > sizeof out - sizeof end);
}

/* Any bytes, any size, any capacity: one printable line that ends in time, and reads no byte too
 * many. */
static void test_any_bytes_make_one_line_within_the_capacity(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    struct guard from, to;
    guard_init(&from, MODBUS_BYTES_MAX);
    guard_init(&to, DESCRIBE_BYTES_MAX);
    for (unsigned round = 0; round < 40000; round++) {
        uint8_t bytes[MODBUS_BYTES_MAX];
        size_t size = (size_t)random_below(&random, round % 8 == 0 ? sizeof bytes + 1 : 24);
        for (size_t index = 0; index < size; index++) {
            bytes[index] = (uint8_t)random_below(&random, index == 7 ? 48 : 256);
        }
        if (size > 8 && round % 2 == 0) {
            bytes[8] = (uint8_t)(size - 9); /* a count of bytes that may fit */
        }
        size_t capacity = 1 + (size_t)random_below(&random, DESCRIBE_BYTES_MAX);
        char *out = (char *)guard_space(&to, capacity);
        enum direction direction = round % 3 == 0 ? TO_TARGET : TO_CLIENT;
        protocol_modbus.describe(direction, guard_put(&from, span_of(bytes, size)), out, capacity);
        assert_non_null(memchr(out, '\0', capacity));
        for (const char *character = out; *character != '\0'; character++) {
            assert_true((unsigned char)*character >= 0x20 && *character != 0x7F);
        }
    }
    guard_deinit(&from);
    guard_deinit(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_show_address_count_and_what_came),
        cmocka_unit_test(test_writes_show_their_values),
        cmocka_unit_test(test_the_rarer_functions_have_words_too),
        cmocka_unit_test(test_identification_shows_its_objects),
        cmocka_unit_test(test_exceptions_are_named),
        cmocka_unit_test(test_other_functions_are_shown_by_number_and_size),
        cmocka_unit_test(test_data_without_the_shape_of_its_function_is_a_size),
        cmocka_unit_test(test_what_is_no_frame_is_incomplete),
        cmocka_unit_test(test_values_that_have_no_room_become_three_dots_after_a_whole_one),
        cmocka_unit_test(test_any_bytes_make_one_line_within_the_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
