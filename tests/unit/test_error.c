/* SPDX-License-Identifier: MIT */
/* Claims about src/base/error.c: the text of a failure. */
#include <string.h>

#include "unit.h"

#include "base/error.h"

static void test_the_text_is_formatted(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "unknown protocol '%s' (%d known)", "modbuss", 3);
    assert_string_equal(error.text, "unknown protocol 'modbuss' (3 known)");
}

static void test_places_are_put_in_front(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, "not a size: '%s'", "1x");
    error_prefix(&error, "--%s", "max-message");
    error_prefix(&error, "%s:%d", "a.conf", 12);
    assert_string_equal(error.text, "a.conf:12: --max-message: not a size: '1x'");
}

static void test_what_does_not_fit_is_cut_off(void **state)
{
    (void)state;
    char large[2 * sizeof((struct error *)0)->text];
    memset(large, 'a', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    struct error error;
    error_set(&error, "%s", large);
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    error_prefix(&error, "place");
    assert_int_equal(strlen(error.text), sizeof error.text - 1);
    assert_int_equal(strncmp(error.text, "place: aaa", 10), 0);
}

static void test_a_long_place_leaves_room_for_the_text(void **state)
{
    (void)state;
    char large[2 * sizeof((struct error *)0)->text];
    memset(large, 'p', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    struct error error;
    error_set(&error, "what failed");
    error_prefix(&error, "%s", large);
    assert_non_null(strstr(error.text, "p: what failed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_text_is_formatted),
        cmocka_unit_test(test_places_are_put_in_front),
        cmocka_unit_test(test_what_does_not_fit_is_cut_off),
        cmocka_unit_test(test_a_long_place_leaves_room_for_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
