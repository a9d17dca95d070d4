/* SPDX-License-Identifier: MIT */
/* A small seeded generator; see random.h. The seed goes through splitmix64's finaliser first, so
 * that neighbouring seeds give unrelated sequences. */
#include "base/random.h"

#include <assert.h>

void random_init(struct random *random, uint64_t seed)
{
    uint64_t z = seed + 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    z ^= z >> 31;
    random->state = z == 0 ? 1 : z;
}

uint64_t random_next(struct random *random)
{
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * 0x2545F4914F6CDD1DU;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    assert(bound > 0);
    return random_next(random) % bound;
}
