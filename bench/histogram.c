/* SPDX-License-Identifier: MIT */
/* Latencies in buckets; see histogram.h. */
#include "histogram.h"

enum { STEPS = HISTOGRAM_STEPS, STEP_BITS = 5 };

static unsigned bucket_of(uint64_t value)
{
    unsigned bits = 63U - (unsigned)__builtin_clzll(value | STEPS);
    return (bits - STEP_BITS) * STEPS + (unsigned)(value >> (bits - STEP_BITS));
}

/* The largest value that a bucket holds. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < 2 * STEPS) {
        return bucket;
    }
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(bucket % STEPS + STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

uint64_t histogram_permille(const struct histogram *histogram, unsigned permille)
{
    uint64_t wanted = (histogram->count * permille + 999) / 1000;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) {
            return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
        }
    }
    return histogram->max;
}
