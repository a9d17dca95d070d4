/* SPDX-License-Identifier: MIT */
/* Text that the load generator and the target share; see text.h. */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint8_t pattern[PATTERN_PERIOD + PATTERN_PIECE_MAX];

void pattern_init(void)
{
    uint32_t state = 1;
    for (size_t i = 0; i < sizeof pattern; i++) {
        state = state * 1664525U + 1013904223U;
        pattern[i] =
            i < PATTERN_PERIOD ? (uint8_t)('a' + (state >> 16) % 26) : pattern[i - PATTERN_PERIOD];
    }
}

const uint8_t *pattern_at(uint64_t offset)
{
    return pattern + offset % PATTERN_PERIOD;
}

bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t part = size < PATTERN_PIECE_MAX ? size : PATTERN_PIECE_MAX;
        if (memcmp(pattern_at(offset), bytes, part) != 0) {
            return false;
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return true;
}

void write_digits(uint8_t *out, unsigned count, uint32_t value)
{
    while (count > 0) {
        out[--count] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
}

size_t http_head_size(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memmem(bytes, size, "\r\n\r\n", 4);
    return end == NULL ? 0 : (size_t)(end - bytes) + 4;
}

/* Of at most nineteen digits, so that nothing overflows. */
static uint64_t read_digits(const uint8_t *text, const uint8_t *end)
{
    uint64_t value = 0;
    while (text < end && *text == ' ') {
        text++;
    }
    for (int i = 0; i < 19 && text < end && *text >= '0' && *text <= '9'; i++) {
        value = value * 10 + (uint64_t)(*text++ - '0');
    }
    return value;
}

uint64_t http_content_length(const uint8_t *head, size_t size)
{
    static const char name[] = "\ncontent-length:";
    enum { NAME_SIZE = sizeof name - 1 };
    const uint8_t *end = head + size;
    const uint8_t *line = memchr(head, '\n', size);
    for (; line != NULL && end - line > NAME_SIZE;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        if (strncasecmp((const char *)line, name, NAME_SIZE) == 0) {
            return read_digits(line + NAME_SIZE, end);
        }
    }
    return UINT64_MAX;
}

uint64_t parse_number(const char *text, uint64_t minimum, uint64_t maximum)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < minimum ||
        value > maximum) {
        fprintf(stderr, "'%s' is not a number from %" PRIu64 " to %" PRIu64 "\n", text, minimum,
                maximum);
        exit(2);
    }
    return value;
}
