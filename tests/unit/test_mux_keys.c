/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/mux/keys.c: entries are found whatever comes and goes, and no call takes long, whatever
 * keys are chosen. Steps are counted, not time.
 */
#include "mux/keys.h"

#include <stdlib.h>

#include "base/random.h"
#include "unit.h"

enum {
    MANY = 400000,
    STEPS_MAX = 40,        /* of one call: the longest bucket of so many entries has about ten */
    STEPS_MEAN_TENTHS = 40 /* of a put with the search before it: one entry to find, one to split */
};

static const struct hash_secret secret = {{0x1234, 0x5678}};

static struct key_entry entries[MANY];

/* The keys that `nth` names, and how many steps the slowest call took. */
static uint64_t put_all(struct keys *keys, uint64_t (*nth)(uint64_t index))
{
    uint64_t slowest = 0;
    for (uint32_t index = 0; index < MANY; index++) {
        uint64_t before = keys->steps;
        if (keys_find(keys, nth(index)) == NULL) {
            keys_put(keys, &entries[index], nth(index));
        }
        uint64_t steps = keys->steps - before;
        assert_true(steps <= STEPS_MAX); /* at once: so many slow calls would take for ever */
        slowest = steps > slowest ? steps : slowest;
    }
    return slowest;
}

static uint64_t drop_all(struct keys *keys)
{
    uint64_t slowest = 0;
    for (uint32_t index = 0; index < MANY; index++) {
        uint64_t before = keys->steps;
        keys_drop(keys, &entries[index]);
        uint64_t steps = keys->steps - before;
        slowest = steps > slowest ? steps : slowest;
    }
    return slowest;
}

/* ---- what clients might choose ---- */

static uint64_t one_after_the_other(uint64_t index)
{
    return index;
}

static uint64_t alike_in_the_low_bits(uint64_t index)
{
    return index << 32;
}

static uint64_t alike_in_the_high_bits(uint64_t index)
{
    return index << 44 | 0x7777777;
}

/* Multiples of the inverse of a number that hashes like to multiply by: their products are small. */
static uint64_t products_alike(uint64_t index)
{
    return index * 0xF1DE83E19937733DU; /* 0x9E3779B97F4A7C15 times this is 1 */
}

static uint64_t a_read_of_modbus(uint64_t index)
{
    return (index % 247 + 1) << 56 | (uint64_t)3 << 48 | (index / 247 * 7 % 65536) << 16 |
           (index % 125 + 1);
}

static void test_no_keys_make_a_call_slow(void **state)
{
    (void)state;
    static uint64_t (*const choices[])(uint64_t) = {
        one_after_the_other, alike_in_the_low_bits, alike_in_the_high_bits,
        products_alike,      a_read_of_modbus,
    };
    for (size_t index = 0; index < sizeof choices / sizeof choices[0]; index++) {
        struct keys keys;
        assert_true(keys_init(&keys, &secret));
        assert_in_range(put_all(&keys, choices[index]), 1, STEPS_MAX);
        assert_in_range(keys.steps, 1, (uint64_t)MANY * STEPS_MEAN_TENTHS / 10);
        keys_check(&keys);
        assert_in_range(drop_all(&keys), 0, STEPS_MAX);
        keys_check(&keys);
        keys_deinit(&keys);
    }
}

static void test_the_table_is_as_small_again_as_it_was(void **state)
{
    (void)state;
    struct keys keys;
    assert_true(keys_init(&keys, &secret));
    uint32_t buckets = keys.buckets_count;
    (void)put_all(&keys, one_after_the_other);
    assert_in_range(keys.buckets_count, MANY / 2, 2 * MANY);
    (void)drop_all(&keys);
    assert_int_equal(keys.buckets_count, buckets);
    keys_deinit(&keys);
}

/* The same keys fall into other buckets for somebody with another secret. */
static void test_secrets_differ(void **state)
{
    (void)state;
    static const struct hash_secret other = {{0x1234, 0x5679}};
    uint32_t same = 0;
    for (uint64_t number = 0; number < 1024; number++) {
        same += (hash_number(&secret, number) & 1023) == (hash_number(&other, number) & 1023);
    }
    assert_in_range(same, 0, 16);
}

static void test_what_is_in_is_found_and_what_is_out_is_not(void **state)
{
    (void)state;
    enum { FEW = 3000, ROUNDS = 60000 };
    struct keys keys;
    struct random random;
    random_init(&random, 7);
    assert_true(keys_init(&keys, &secret));
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t few = round < ROUNDS / 2 ? FEW : 8; /* then it shrinks */
        uint32_t index = (uint32_t)random_below(&random, FEW);
        struct key_entry *entry = &entries[index];
        bool is_in = list_is_linked(&entry->node);
        struct key_entry *found = keys_find(&keys, index * 3);
        assert_ptr_equal(found, is_in ? entry : NULL);
        if (is_in && (index >= few || random_below(&random, 2) == 0)) {
            keys_drop(&keys, entry);
            assert_null(keys_find(&keys, index * 3));
        } else if (!is_in && index < few) {
            keys_put(&keys, entry, index * 3);
        }
        if (round % 500 == 0) {
            keys_check(&keys);
        }
    }
    for (uint32_t index = 0; index < FEW; index++) {
        keys_drop(&keys, &entries[index]);
    }
    keys_deinit(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_keys_make_a_call_slow),
        cmocka_unit_test(test_the_table_is_as_small_again_as_it_was),
        cmocka_unit_test(test_secrets_differ),
        cmocka_unit_test(test_what_is_in_is_found_and_what_is_out_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
