/* SPDX-License-Identifier: MIT */
/*
 * Latencies, counted in buckets that are 1/32 apart, so that a percentile is right within about 3 %.
 * A zeroed histogram is an empty one.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_BUCKETS = 64 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t count, max;
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* What so many of a thousand values do not exceed; 0 of an empty histogram. */
uint64_t histogram_permille(const struct histogram *histogram, unsigned permille);

#endif
