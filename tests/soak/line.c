/* SPDX-License-Identifier: MIT */
/* Lines that say whose they are; see line.h. */
#include "tests/soak/line.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t body_key(const struct line *line)
{
    uint64_t key = ((uint64_t)line->serial << 32 | line->sequence) + line->size;
    key *= 0x9E3779B97F4A7C15U; /* the golden ratio: neighbours get keys far apart */
    return key ^ key >> 29;
}

static char body_byte(uint64_t key, size_t index)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return letters[((key >> index % 57) + index + (index >> 7)) & 63];
}

static void write_header(const struct line *line, char *header)
{
    char text[LINE_HEADER_BYTES + 1];
    snprintf(text, sizeof text, "c%08x s%08x n%08x ", line->serial, line->sequence, line->size);
    memcpy(header, text, LINE_HEADER_BYTES);
}

void line_fill(const struct line *line, size_t offset, char *bytes, size_t size)
{
    char header[LINE_HEADER_BYTES];
    uint64_t key = body_key(line);
    if (offset < sizeof header) {
        write_header(line, header);
    }
    for (size_t i = 0; i < size; i++) {
        size_t at = offset + i;
        if (at < sizeof header) {
            bytes[i] = header[at];
        } else {
            bytes[i] = at + 1 == line->size ? '\n' : body_byte(key, at);
        }
    }
}

bool line_matches(const struct line *line, size_t offset, const char *bytes, size_t size)
{
    char expected[4096];
    while (size > 0) {
        size_t part = size < sizeof expected ? size : sizeof expected;
        line_fill(line, offset, expected, part);
        if (memcmp(expected, bytes, part) != 0) {
            return false;
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return true;
}

/* Eight hexadecimal digits behind their letter. */
static bool read_field(const char *header, char letter, uint32_t *value)
{
    char digits[9] = {0};
    if (header[0] != letter || header[9] != ' ') {
        return false;
    }
    for (size_t i = 0; i < 8; i++) {
        if (!isxdigit((unsigned char)header[1 + i])) {
            return false;
        }
        digits[i] = header[1 + i];
    }
    *value = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

static bool read_header(const char *header, struct line *line)
{
    return read_field(header, 'c', &line->serial) &&
           read_field(header + 10, 's', &line->sequence) &&
           read_field(header + 20, 'n', &line->size) && line->size >= LINE_BYTES_MIN &&
           line->size <= LINE_BYTES_MAX;
}

enum line_status line_read(struct line_reader *reader, const char *bytes, size_t size,
                           size_t *taken)
{
    *taken = 0;
    if (reader->have < LINE_HEADER_BYTES) {
        size_t missing = LINE_HEADER_BYTES - reader->have;
        size_t part = size < missing ? size : missing;
        memcpy(reader->header + reader->have, bytes, part);
        reader->have += part;
        *taken = part;
        if (part < missing) {
            return LINE_PARTIAL;
        }
        if (!read_header(reader->header, &reader->line)) {
            return LINE_WRONG;
        }
    }
    size_t left = size - *taken;
    size_t missing = reader->line.size - reader->have;
    size_t part = left < missing ? left : missing;
    if (!line_matches(&reader->line, reader->have, bytes + *taken, part)) {
        return LINE_WRONG;
    }
    *taken += part;
    reader->have += part;
    if (part < missing) {
        return LINE_PARTIAL;
    }
    reader->have = 0;
    return LINE_WHOLE;
}
