/* SPDX-License-Identifier: MIT */
/*
 * The name nearest to what was typed: "did you mean".
 *
 * Nearness is the number of letters inserted, dropped, replaced or swapped with their neighbour
 * (Damerau and Levenshtein; no letter takes part in two changes). A name is near when it takes one
 * change for up to five letters, two for up to eight, three for more, of the longer of the two; and
 * some letter must stay in its place, or everything would be near to everything short. Where nothing
 * is near, a name that begins with what was typed is. Among equals the first of the list wins.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "config/option.h"

enum {
    NAME_BYTES_MAX = 40, /* longer than any name of a table; what is longer has no neighbour */
    PREFIX_BYTES_MIN = 3 /* shorter beginnings say too little */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* rows[i][j] is the distance between the first i letters of `a` and the first j of `b`; only the
 * last two rows are needed for the next. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        const size_t *before_last = rows[(i + 1) % 3];
        const size_t *last = rows[(i + 2) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
            row[j] = least(replaced, least(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
                row[j] = least(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

/* So many changes may there be between words of that length. */
static size_t changes_max(size_t length)
{
    return length <= 5 ? 1 : length <= 8 ? 2 : 3;
}

static const char *first_with_prefix(const char *typed, const char *const *names, size_t count)
{
    size_t length = strlen(typed);
    for (size_t i = 0; i < count && length >= PREFIX_BYTES_MIN; i++) {
        if (strncasecmp(names[i], typed, length) == 0) {
            return names[i];
        }
    }
    return NULL;
}

const char *nearest_name(const char *typed, const char *const *names, size_t count)
{
    size_t length = strnlen(typed, NAME_BYTES_MAX + 1);
    if (length > NAME_BYTES_MAX) {
        return NULL;
    }
    size_t fewest = NAME_BYTES_MAX;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t name_length = strnlen(names[i], NAME_BYTES_MAX + 1);
        if (name_length > NAME_BYTES_MAX) {
            continue;
        }
        size_t changes = distance(typed, length, names[i], name_length);
        size_t longer = length > name_length ? length : name_length;
        if (changes < fewest && changes <= changes_max(longer) &&
            changes < least(length, name_length)) {
            nearest = names[i];
            fewest = changes;
        }
        if (changes == 0) {
            break;
        }
    }
    return nearest != NULL ? nearest : first_with_prefix(typed, names, count);
}
