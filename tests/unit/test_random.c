/* SPDX-License-Identifier: MIT */
/* Claims about src/base/random.c. */
#include "unit.h"

#include "base/random.h"

static void test_a_seed_gives_the_same_sequence_again(void **state)
{
    (void)state;
    struct random one, other;
    random_init(&one, 42);
    random_init(&other, 42);
    for (int step = 0; step < 1000; step++) {
        assert_int_equal(random_next(&one), random_next(&other));
    }
}

static void test_neighbouring_seeds_give_unrelated_sequences(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct random one, other;
        random_init(&one, seed);
        random_init(&other, seed + 1);
        int bits = __builtin_popcountll(random_next(&one) ^ random_next(&other));
        assert_in_range(bits, 8, 56); /* 32 expected, six standard deviations of 4 either way */
    }
}

/* 0 would stay 0 for ever; the one seed that the finaliser maps to 0 is caught as well. */
static void test_no_seed_gets_stuck(void **state)
{
    (void)state;
    static const uint64_t seeds[] = {0, 1, UINT64_MAX, 0x61C8864680B583EBU};
    for (size_t index = 0; index < sizeof seeds / sizeof seeds[0]; index++) {
        struct random random;
        random_init(&random, seeds[index]);
        uint64_t first = random_next(&random);
        assert_int_not_equal(random.state, 0);
        assert_int_not_equal(first, random_next(&random));
    }
}

static void test_numbers_stay_below_their_bound_and_all_of_them_come(void **state)
{
    (void)state;
    struct random random;
    random_init(&random, 7);
    for (uint64_t bound = 1; bound <= 64; bound++) {
        uint64_t seen = 0;
        for (int step = 0; step < 4096; step++) {
            uint64_t number = random_below(&random, bound);
            assert_true(number < bound);
            seen |= (uint64_t)1 << number;
        }
        assert_int_equal(seen, UINT64_MAX >> (64 - bound));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seed_gives_the_same_sequence_again),
        cmocka_unit_test(test_neighbouring_seeds_give_unrelated_sequences),
        cmocka_unit_test(test_no_seed_gets_stuck),
        cmocka_unit_test(test_numbers_stay_below_their_bound_and_all_of_them_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
