/* SPDX-License-Identifier: MIT */
/*
 * Durations and byte sizes as people write them; see duration.h.
 *
 * All arithmetic is on integers. A fraction is added up from its last digit to its first: with v
 * the nanoseconds of the digits behind, those of a digit and what is behind it are (v + digit *
 * unit) / 10. Rounding down at each digit gives the same as rounding down once, because digit *
 * unit is whole. So a duration is its exact value, rounded down to a nanosecond; one that is not
 * zero but would become zero is refused, since zero often means "off".
 */
#include "base/duration.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

struct unit {
    const char *name;
    uint64_t value;
};

static const struct unit time_units[] = {
    {"d", 24 * 3600 * NS_PER_S},
    {"h", 3600 * NS_PER_S},
    {"m", 60 * NS_PER_S},
    {"s", NS_PER_S},
    {"ms", NS_PER_MS},
    {"us", NS_PER_US},
    {"ns", 1},
};

enum { UNITS_BELOW_MINUTE = 3 }; /* index of "s": these are written with a fraction, one per text */

static const struct unit size_units[] = {{"T", 1024 * GIB}, {"G", GIB}, {"M", MIB}, {"K", KIB}};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static size_t digits_count(const char *text)
{
    size_t count = 0;
    while (is_digit(text[count])) {
        count++;
    }
    return count;
}

/* False: more than 64 bits. */
static bool whole_parse(const char *digits, size_t count, uint64_t *value)
{
    *value = 0;
    for (size_t index = 0; index < count; index++) {
        uint64_t digit = (uint64_t)(digits[index] - '0');
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, digit, value)) {
            return false;
        }
    }
    return true;
}

/* The nanoseconds of the digits behind the point. */
static uint64_t fraction_ns(const char *digits, size_t count, uint64_t unit_ns)
{
    uint64_t ns = 0;
    for (size_t index = count; index > 0; index--) {
        ns = (ns + (uint64_t)(digits[index - 1] - '0') * unit_ns) / 10;
    }
    return ns;
}

static const struct unit *time_unit_find(const char *name, size_t size)
{
    for (size_t index = 0; index < ARRAY_COUNT(time_units); index++) {
        if (strlen(time_units[index].name) == size &&
            memcmp(time_units[index].name, name, size) == 0) {
            return &time_units[index];
        }
    }
    return NULL;
}

/* One number with its unit, taken apart. */
struct part {
    const char *whole;
    size_t whole_count;
    const char *fraction;
    size_t fraction_count;
    uint64_t unit_ns;
};

/* Takes apart what stands at `*text` and moves it behind. A number without unit must be all there
 * is. */
static bool part_split(const char **text, bool is_first, struct part *part)
{
    const char *rest = *text;
    part->whole = rest;
    part->whole_count = digits_count(rest);
    rest += part->whole_count;
    part->fraction = NULL;
    part->fraction_count = 0;
    if (part->whole_count > 0 && *rest == '.') {
        part->fraction = rest + 1;
        part->fraction_count = digits_count(rest + 1);
        rest += 1 + part->fraction_count;
    }
    if (part->whole_count == 0 || (part->fraction != NULL && part->fraction_count == 0)) {
        return false;
    }
    if (is_first && *rest == '\0') {
        part->unit_ns = NS_PER_S;
        *text = rest;
        return true;
    }
    size_t name_size = strcspn(rest, "0123456789");
    const struct unit *unit = time_unit_find(rest, name_size);
    part->unit_ns = unit == NULL ? 0 : unit->value;
    *text = rest + name_size;
    return unit != NULL;
}

/* False: too long. */
static bool part_add(const struct part *part, uint64_t *ns)
{
    uint64_t whole;
    if (!whole_parse(part->whole, part->whole_count, &whole) ||
        __builtin_mul_overflow(whole, part->unit_ns, &whole)) {
        return false;
    }
    uint64_t fraction = fraction_ns(part->fraction, part->fraction_count, part->unit_ns);
    return !__builtin_add_overflow(*ns, whole, ns) && !__builtin_add_overflow(*ns, fraction, ns) &&
           *ns < DURATION_NS_MAX;
}

static bool has_nonzero_digit(const char *text)
{
    return strpbrk(text, "123456789") != NULL;
}

bool duration_parse(const char *text, uint64_t *ns, struct error *error)
{
    const char *rest = text;
    uint64_t sum = 0;
    do {
        struct part part;
        if (!part_split(&rest, rest == text, &part)) {
            error_set(
                error,
                "not a duration: '%s' (write it like 250ms, 1.5s or 1m30s; units ns, us, ms, s, "
                "m, h, d; without unit: seconds)",
                text);
            return false;
        }
        if (!part_add(&part, &sum)) {
            error_set(error, "duration too long: '%s' (at most 292 years)", text);
            return false;
        }
    } while (*rest != '\0');
    if (sum == 0 && has_nonzero_digit(text)) {
        error_set(error, "duration too short: '%s' (at least 1ns, or 0)", text);
        return false;
    }
    *ns = sum;
    return true;
}

/* Whether `name` is a unit of sizes: nothing, or K, KB, KiB and the like, any case. */
static bool size_unit_find(const char *name, uint64_t *value)
{
    *value = 1;
    if (*name == '\0') {
        return true;
    }
    for (size_t index = 0; index < ARRAY_COUNT(size_units); index++) {
        if ((*name & ~0x20) != *size_units[index].name) {
            continue;
        }
        *value = size_units[index].value;
        const char *rest = name + 1;
        return *rest == '\0' || strcasecmp(rest, "b") == 0 || strcasecmp(rest, "ib") == 0;
    }
    return false;
}

bool size_parse(const char *text, uint64_t *bytes, struct error *error)
{
    size_t count = digits_count(text);
    uint64_t unit;
    if (count == 0 || !size_unit_find(text + count, &unit)) {
        error_set(error, "not a size: '%s' (write it like 65536, 64KiB or 1M; units K, M, G, T)",
                  text);
        return false;
    }
    uint64_t value;
    if (!whole_parse(text, count, &value) || __builtin_mul_overflow(value, unit, &value)) {
        error_set(error, "size too large: '%s'", text);
        return false;
    }
    *bytes = value;
    return true;
}

/* Appends to `text`, which has `capacity`; `*size` never passes its end. */
static void append(char *text, size_t capacity, size_t *size, const char *more)
{
    size_t length = strnlen(more, capacity - 1 - *size);
    memcpy(text + *size, more, length);
    *size += length;
    text[*size] = '\0';
}

/* Writes `ns`, which is not 0, as one number of a unit of at most a second: `1.5s`, `250ms`. */
static void short_format(uint64_t ns, char *text, size_t capacity)
{
    const struct unit *unit = &time_units[UNITS_BELOW_MINUTE];
    while (unit->value > ns) {
        unit++;
    }
    char fraction[24] = "";
    uint64_t left = ns % unit->value;
    if (left > 0) {
        size_t size = 0;
        fraction[size++] = '.';
        for (uint64_t step = unit->value / 10; left > 0; step /= 10) {
            fraction[size++] = (char)('0' + left / step);
            left %= step;
        }
        fraction[size] = '\0';
    }
    (void)snprintf(text, capacity, "%" PRIu64 "%s%s", ns / unit->value, fraction, unit->name);
}

char *duration_format(uint64_t ns, char *text, size_t capacity)
{
    assert(capacity > 0);
    size_t size = 0;
    char part[48];
    text[0] = '\0';
    for (size_t index = 0; index < UNITS_BELOW_MINUTE; index++) {
        uint64_t count = ns / time_units[index].value;
        if (count > 0) {
            (void)snprintf(part, sizeof part, "%" PRIu64 "%s", count, time_units[index].name);
            append(text, capacity, &size, part);
            ns %= time_units[index].value;
        }
    }
    if (ns > 0) {
        short_format(ns, part, sizeof part);
        append(text, capacity, &size, part);
    } else if (size == 0) {
        append(text, capacity, &size, "0s");
    }
    return text;
}

char *size_format(uint64_t bytes, char *text, size_t capacity)
{
    for (size_t index = 0; index < ARRAY_COUNT(size_units); index++) {
        const struct unit *unit = &size_units[index];
        if (bytes > 0 && bytes % unit->value == 0) {
            (void)snprintf(text, capacity, "%" PRIu64 "%siB", bytes / unit->value, unit->name);
            return text;
        }
    }
    (void)snprintf(text, capacity, "%" PRIu64, bytes);
    return text;
}
