/* SPDX-License-Identifier: MIT */
/* Claims about src/base/duration.c: durations and sizes as people write them. */
#include <string.h>

#include "unit.h"

#include "base/duration.h"
#include "base/random.h"
#include "base/units.h"

enum { TEXT_CAPACITY = 48 };

static void expect_duration(const char *text, uint64_t expected)
{
    struct error error;
    uint64_t ns = 0;
    if (!duration_parse(text, &ns, &error)) {
        fail_msg("'%s': %s", text, error.text);
    }
    assert_int_equal(ns, expected);
}

static void test_durations_are_numbers_with_units(void **state)
{
    (void)state;
    expect_duration("250ms", 250 * NS_PER_MS);
    expect_duration("2s", 2 * NS_PER_S);
    expect_duration("1m30s", 90 * NS_PER_S);
    expect_duration("30s1m", 90 * NS_PER_S);
    expect_duration("1.5s", 1500 * NS_PER_MS);
    expect_duration("7ns", 7);
    expect_duration("7us", 7000);
    expect_duration("2h", 7200 * NS_PER_S);
    expect_duration("1d", 86400 * NS_PER_S);
    expect_duration("1s1s", 2 * NS_PER_S);
    expect_duration("0.5m0.5s", 30500 * NS_PER_MS);
    expect_duration("0000000000000000000000001s", NS_PER_S);
}

static void test_a_bare_number_is_seconds(void **state)
{
    (void)state;
    expect_duration("60", 60 * NS_PER_S);
    expect_duration("0", 0);
    expect_duration("0.5", 500 * NS_PER_MS);
    expect_duration("0.000000001", 1);
}

static void test_fractions_are_exact_and_rounded_down_to_a_nanosecond(void **state)
{
    (void)state;
    expect_duration("0.1s", 100 * NS_PER_MS);
    expect_duration("0.123456789s", 123456789);
    expect_duration("0.1234567899s", 123456789);
    expect_duration("0.333333333333333333333333333333m", 19999999999);
    expect_duration("0.1d", 8640 * NS_PER_S);
    expect_duration("1.0000000000000000000000000000000001s", NS_PER_S);
}

static void expect_refused(const char *text, const char *why)
{
    struct error error;
    uint64_t ns = 42;
    assert_false(duration_parse(text, &ns, &error));
    assert_int_equal(ns, 42);
    if (strstr(error.text, why) == NULL || strstr(error.text, text) == NULL) {
        fail_msg("'%s' is refused with: %s", text, error.text);
    }
}

static void test_what_is_no_duration_is_refused_and_named(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",    "s",   "-1",   "+1s", " 1s",  "1s ", "1 s",  "1x",   "1S",   "1M",  "1s2",
        "1.s", ".5s", "1..5", "1.",  "1.5.", "1e3", "0x10", "1,5s", "1ms2", "1\n", "1sm",
    };
    for (size_t index = 0; index < ARRAY_COUNT(texts); index++) {
        expect_refused(texts[index], "not a duration");
    }
}

static void test_a_duration_that_would_become_zero_is_refused(void **state)
{
    (void)state;
    expect_refused("0.0000000009s", "too short");
    expect_refused("0.9ns", "too short");
    expect_duration("0.0s", 0);
}

static void test_too_long_durations_are_refused(void **state)
{
    (void)state;
    expect_duration("9223372036854775806ns", DURATION_NS_MAX - 1);
    expect_refused("9223372036854775807ns", "too long");
    expect_refused("18446744073709551616ns", "too long");
    expect_refused("106752d", "too long");
    expect_refused("99999999999999999999999999", "too long");
    expect_refused("106751d106751d", "too long");
}

static void expect_format(uint64_t ns, const char *expected)
{
    char text[TEXT_CAPACITY];
    assert_string_equal(duration_format(ns, text, sizeof text), expected);
}

static void test_durations_are_written_as_people_write_them(void **state)
{
    (void)state;
    expect_format(0, "0s");
    expect_format(1, "1ns");
    expect_format(1500, "1.5us");
    expect_format(250 * NS_PER_MS, "250ms");
    expect_format(1500 * NS_PER_MS, "1.5s");
    expect_format(90 * NS_PER_S, "1m30s");
    expect_format(60 * NS_PER_S, "1m");
    expect_format(3600 * NS_PER_S, "1h");
    expect_format(36 * 3600 * NS_PER_S, "1d12h");
    expect_format(60 * NS_PER_S + 250 * NS_PER_MS, "1m250ms");
    expect_format(60 * NS_PER_S + 1, "1m1ns");
    expect_format(TIME_NEVER, "213503d23h34m33.709551615s");
}

static void expect_same_after_format(uint64_t ns)
{
    char text[TEXT_CAPACITY];
    assert_ptr_equal(duration_format(ns, text, sizeof text), text);
    expect_duration(text, ns);
}

static void test_a_written_duration_parses_to_the_same(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 1);
    expect_same_after_format(DURATION_NS_MAX - 1);
    for (int run = 0; run < 100000; run++) {
        uint64_t ns = random_next(&random) >> (1 + random_below(&random, 63));
        expect_same_after_format(ns);
        expect_same_after_format(ns / NS_PER_MS * NS_PER_MS);
        expect_same_after_format(ns / NS_PER_S * NS_PER_S);
    }
}

static void test_writing_keeps_to_its_capacity(void **state)
{
    (void)state;
    char whole[TEXT_CAPACITY], text[TEXT_CAPACITY];
    duration_format(TIME_NEVER, whole, sizeof whole);
    for (size_t capacity = 1; capacity < sizeof text; capacity++) {
        memset(text, 'X', sizeof text);
        duration_format(TIME_NEVER, text, capacity);
        assert_int_equal(strncmp(text, whole, strlen(text)), 0);
        assert_true(strlen(text) < capacity);
        assert_int_equal(text[capacity], 'X');
    }
}

static void expect_size(const char *text, uint64_t expected)
{
    struct error error;
    uint64_t bytes = 0;
    if (!size_parse(text, &bytes, &error)) {
        fail_msg("'%s': %s", text, error.text);
    }
    assert_int_equal(bytes, expected);
}

static void test_sizes_are_whole_numbers_with_units_of_1024(void **state)
{
    (void)state;
    expect_size("0", 0);
    expect_size("65536", 65536);
    expect_size("64K", 65536);
    expect_size("64KB", 65536);
    expect_size("64KiB", 65536);
    expect_size("64kib", 65536);
    expect_size("1M", MIB);
    expect_size("1mb", MIB);
    expect_size("1G", GIB);
    expect_size("2TiB", 2048 * GIB);
    expect_size("18446744073709551615", UINT64_MAX);
}

static void test_what_is_no_size_is_refused_and_named(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "K",
        "-1",
        "1.5M",
        "1 K",
        "1KK",
        "1Ki",
        "1B",
        "1Kb ",
        "0x10",
        "1KiBs",
        "1E",
        "18446744073709551616",
        "16777216T",
    };
    for (size_t index = 0; index < ARRAY_COUNT(texts); index++) {
        struct error error;
        uint64_t bytes = 42;
        assert_false(size_parse(texts[index], &bytes, &error));
        assert_int_equal(bytes, 42);
        assert_non_null(strstr(error.text, texts[index]));
    }
}

static void test_a_written_size_parses_to_the_same(void **state)
{
    (void)state;
    char text[TEXT_CAPACITY];
    assert_string_equal(size_format(0, text, sizeof text), "0");
    assert_string_equal(size_format(1000, text, sizeof text), "1000");
    assert_string_equal(size_format(65536, text, sizeof text), "64KiB");
    assert_string_equal(size_format(MIB, text, sizeof text), "1MiB");
    assert_string_equal(size_format(1536 * KIB, text, sizeof text), "1536KiB");
    struct random random;
    random_init(&random, 2);
    for (int run = 0; run < 100000; run++) {
        uint64_t bytes = random_next(&random) >> random_below(&random, 64);
        expect_size(size_format(bytes, text, sizeof text), bytes);
        bytes = bytes / KIB * KIB;
        expect_size(size_format(bytes, text, sizeof text), bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_numbers_with_units),
        cmocka_unit_test(test_a_bare_number_is_seconds),
        cmocka_unit_test(test_fractions_are_exact_and_rounded_down_to_a_nanosecond),
        cmocka_unit_test(test_what_is_no_duration_is_refused_and_named),
        cmocka_unit_test(test_a_duration_that_would_become_zero_is_refused),
        cmocka_unit_test(test_too_long_durations_are_refused),
        cmocka_unit_test(test_durations_are_written_as_people_write_them),
        cmocka_unit_test(test_a_written_duration_parses_to_the_same),
        cmocka_unit_test(test_writing_keeps_to_its_capacity),
        cmocka_unit_test(test_sizes_are_whole_numbers_with_units_of_1024),
        cmocka_unit_test(test_what_is_no_size_is_refused_and_named),
        cmocka_unit_test(test_a_written_size_parses_to_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
