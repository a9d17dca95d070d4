/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/registry.c: what every table entry must hold. */
#include <string.h>

#include "unit.h"

#include "protocol/protocol.h"

static void test_every_protocol_is_found_by_its_name(void **state)
{
    (void)state;
    assert_true(protocols_count > 0);
    for (size_t index = 0; index < protocols_count; index++) {
        assert_ptr_equal(protocol_find(protocols[index]->name), protocols[index]);
    }
    assert_non_null(protocol_find("echo"));
    assert_non_null(protocol_find("iso8583"));
    assert_non_null(protocol_find("modbus"));
    assert_non_null(protocol_find("mpu"));
}

static void test_other_names_are_unknown(void **state)
{
    (void)state;
    assert_null(protocol_find(""));
    assert_null(protocol_find("ech"));
    assert_null(protocol_find("echo "));
    assert_null(protocol_find("ECHO"));
}

static void test_names_are_lower_case_words_and_sentences_have_no_full_stop(void **state)
{
    (void)state;
    for (size_t index = 0; index < protocols_count; index++) {
        const struct protocol *protocol = protocols[index];
        size_t size = strlen(protocol->name);
        assert_true(size > 0);
        assert_int_equal(strspn(protocol->name, "abcdefghijklmnopqrstuvwxyz0123456789-"), size);
        size = strlen(protocol->sentence);
        assert_true(size > 0);
        assert_int_not_equal(protocol->sentence[size - 1], '.');
    }
}

static void test_every_protocol_has_what_the_core_calls(void **state)
{
    (void)state;
    for (size_t index = 0; index < protocols_count; index++) {
        const struct protocol *protocol = protocols[index];
        assert_true(protocol->frame_request != NULL);
        assert_true(protocol->frame_response != NULL);
        assert_true(protocol->describe != NULL);
        assert_true(protocol->matching != MATCH_BY_ID || protocol->edit != NULL);
        assert_true(protocol->matching == MATCH_BY_ID ? protocol->id_max > 0
                                                      : protocol->id_max == 0);
        assert_int_equal(protocol->id_max & (protocol->id_max + 1), 0); /* all its bits set */
        assert_true(protocol->options_count == 0 || protocol->options != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_protocol_is_found_by_its_name),
        cmocka_unit_test(test_other_names_are_unknown),
        cmocka_unit_test(test_names_are_lower_case_words_and_sentences_have_no_full_stop),
        cmocka_unit_test(test_every_protocol_has_what_the_core_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
