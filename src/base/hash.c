/* SPDX-License-Identifier: MIT */
/*
 * SipHash-1-3 of one 64-bit word; see hash.h. One round for the word, one for the length of the message
 * (eight bytes, in the top byte of the last word), three to finish.
 */
#include "base/hash.h"

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static void mix(uint64_t v[static 4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static void absorb(uint64_t v[static 4], uint64_t word)
{
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

uint64_t hash_number(const struct hash_secret *secret, uint64_t number)
{
    uint64_t v[4] = {
        secret->words[0] ^ 0x736F6D6570736575U,
        secret->words[1] ^ 0x646F72616E646F6DU,
        secret->words[0] ^ 0x6C7967656E657261U,
        secret->words[1] ^ 0x7465646279746573U,
    };
    absorb(v, number);
    absorb(v, (uint64_t)sizeof number << 56);
    v[2] ^= 0xFF;
    mix(v);
    mix(v);
    mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
