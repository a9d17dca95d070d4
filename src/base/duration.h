/* SPDX-License-Identifier: MIT */
/*
 * Durations and byte sizes as people write them.
 *
 * A duration is one or more numbers with a unit, largest first or not: `250ms`, `2s`, `1m30s`,
 * `1.5s`; units ns, us, ms, s, m, h, d. A bare number is seconds: `60`, `0.5`. No sign, no blanks.
 * A size is a whole number with an optional unit: `65536`, `64KiB`, `64K`, `1MiB`, `1G`; units are
 * powers of 1024 (K, KB and KiB are the same), any case.
 */
#ifndef BASE_DURATION_H
#define BASE_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

/* Results at or above this are refused: about 292 years, far from TIME_NEVER. */
#define DURATION_NS_MAX ((uint64_t)INT64_MAX)

bool duration_parse(const char *text, uint64_t *ns, struct error *error) MUST_USE;
bool size_parse(const char *text, uint64_t *bytes, struct error *error) MUST_USE;

/* Writes the shortest text that parses to the same value (`1m30s`, `250ms`, `0s`; `64KiB`, `1000`).
 * `capacity` 48 is enough for every value. Returns `text`. */
char *duration_format(uint64_t ns, char *text, size_t capacity);
char *size_format(uint64_t bytes, char *text, size_t capacity);

#endif
