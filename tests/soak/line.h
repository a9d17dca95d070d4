/* SPDX-License-Identifier: MIT */
/*
 * Lines that say whose they are: what soak-clients sends and soak-target answers.
 *
 *     c0000002a s00000003 n00000100 body...\n
 *
 * The connection's serial, the sequence number of the line on it, the size of the line in bytes with
 * its newline, in hexadecimal, then a body that follows from these three. Both sides can so make or
 * check any part of a line without keeping it, and a line that is glued together from two, cut or
 * changed in a single byte is told from a right one.
 */
#ifndef SOAK_LINE_H
#define SOAK_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LINE_HEADER_BYTES = 30,
    LINE_BYTES_MIN = LINE_HEADER_BYTES + 2,
    LINE_BYTES_MAX = 512 * 1024,
};

/* What a target sends that nobody asked for: a line, and a piece of one. No line begins so. */
#define STRAY_LINE  "stray bytes\n"
#define STRAY_PIECE "stray"

struct line {
    uint32_t serial, sequence, size;
};

/* Writes bytes `offset` to `offset + size` of the line. */
void line_fill(const struct line *line, size_t offset, char *bytes, size_t size);

/* Whether these are the bytes of the line at `offset`. */
bool line_matches(const struct line *line, size_t offset, const char *bytes, size_t size);

/* Reads lines in whatever pieces they come. A zeroed one is at the begin of a line. */
struct line_reader {
    char header[LINE_HEADER_BYTES];
    size_t have;      /* bytes of the current line */
    struct line line; /* when `have` is at least LINE_HEADER_BYTES */
};

enum line_status { LINE_PARTIAL, LINE_WHOLE, LINE_WRONG };

/* Takes bytes of one line, and says how many in `taken`. After LINE_WHOLE, `line` is what was read
 * and the reader is at the begin of the next. */
enum line_status line_read(struct line_reader *reader, const char *bytes, size_t size,
                           size_t *taken);

#endif
