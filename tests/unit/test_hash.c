/* SPDX-License-Identifier: MIT */
/* Claims about src/base/hash.c. */
#include "unit.h"

#include "base/hash.h"

/* What CPython 3.11, whose hash of bytes is SipHash-1-3, gives for the same bytes without a secret
 * (PYTHONHASHSEED=0). */
static void test_it_is_siphash_as_others_write_it(void **state)
{
    (void)state;
    static const struct hash_secret none = {0};
    assert_true(hash_number(&none, 0x0706050403020100U) == 0xEAD411E67EBE2EEAU);
    assert_true(hash_number(&none, UINT64_MAX) == 0x2F205BE2FEC8E38DU);
}

static void test_both_words_of_the_secret_count(void **state)
{
    (void)state;
    static const struct hash_secret secrets[] = {{{1, 2}}, {{1, 3}}, {{4, 2}}};
    for (size_t index = 1; index < 3; index++) {
        uint64_t one = hash_number(&secrets[0], 5), other = hash_number(&secrets[index], 5);
        assert_in_range(__builtin_popcountll(one ^ other), 8, 56);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_siphash_as_others_write_it),
        cmocka_unit_test(test_both_words_of_the_secret_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
