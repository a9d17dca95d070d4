/* SPDX-License-Identifier: MIT */
/*
 * A hash of a number under a secret, for tables whose keys come from outside.
 *
 * Whoever does not know the secret can neither find numbers whose hashes are alike nor learn the secret
 * from the hashes' effects. Multiplying by a secret number would not do: the product of a difference is
 * the difference of the products, so numbers that are a fixed step apart collide under many secrets at
 * once.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

struct hash_secret {
    uint64_t words[2];
};

/* SipHash-1-3 (Aumasson and Bernstein) of the number's eight bytes, the lowest first. */
uint64_t hash_number(const struct hash_secret *secret, uint64_t number);

#endif
