/* SPDX-License-Identifier: MIT */
/* A small seeded generator (xorshift64*) for jitter and simulation. Not for secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state; /* never 0 */
};

void random_init(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);

/* A number from 0 to `bound` - 1; `bound` is at least 1. */
uint64_t random_below(struct random *random, uint64_t bound);

#endif
