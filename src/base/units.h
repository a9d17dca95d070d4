/* SPDX-License-Identifier: MIT */
/* Units of time and memory. Time inside the program is uint64_t nanoseconds of one monotonic clock;
 * only `net` reads that clock, everybody else is told. */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

#define NS_PER_US ((uint64_t)1000)
#define NS_PER_MS ((uint64_t)1000 * 1000)
#define NS_PER_S  ((uint64_t)1000 * 1000 * 1000)

#define KIB ((uint64_t)1024)
#define MIB ((uint64_t)1024 * 1024)
#define GIB ((uint64_t)1024 * 1024 * 1024)

/* A deadline that never comes. */
#define TIME_NEVER UINT64_MAX

/* `now` + `delay`, staying at TIME_NEVER instead of wrapping. */
static inline uint64_t time_after(uint64_t now, uint64_t delay_ns)
{
    return delay_ns >= TIME_NEVER - now ? TIME_NEVER : now + delay_ns;
}

#endif
