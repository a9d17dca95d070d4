/* SPDX-License-Identifier: MIT */
/*
 * Bytes of messages, for --debug; see log.h. Each row of a text dump is a line of its own, lost or not for
 * itself; a JSON dump is one line.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log_private.h"

static const char hex_digits[] = "0123456789abcdef";

enum { DUMP_COLUMNS = 16, DUMP_ROW_BYTES = 96 };

/* One line of a dump: `  00000010  68 65 6c 6c 6f 0a ...  |hello.|`. `text` has room for
 * DUMP_ROW_BYTES. */
static size_t dump_row(char *text, size_t offset, struct span row)
{
    assert(row.size > 0 && row.size <= DUMP_COLUMNS);
    size_t size = (size_t)snprintf(text, 32, "  %08zx ", offset);
    for (size_t column = 0; column < DUMP_COLUMNS; column++) {
        text[size++] = ' ';
        if (column == DUMP_COLUMNS / 2) {
            text[size++] = ' ';
        }
        bool is_there = column < row.size;
        text[size++] = is_there ? hex_digits[row.data[column] >> 4] : ' ';
        text[size++] = is_there ? hex_digits[row.data[column] & 15] : ' ';
    }
    text[size++] = ' ';
    text[size++] = ' ';
    text[size++] = '|';
    for (size_t column = 0; column < row.size; column++) {
        bool is_printable = row.data[column] >= 0x20 && row.data[column] < 0x7F;
        text[size++] = is_printable ? (char)row.data[column] : '.';
    }
    text[size++] = '|';
    text[size++] = '\n';
    return size;
}

static void dump_text(struct log *log, struct span bytes, bool cut)
{
    for (size_t offset = 0; offset < bytes.size; offset += DUMP_COLUMNS) {
        struct span row = span_from(bytes, offset);
        row.size = row.size < DUMP_COLUMNS ? row.size : DUMP_COLUMNS;
        char *text = log_lend(log, DUMP_ROW_BYTES);
        if (text != NULL) {
            log_give(log, dump_row(text, offset, row));
        }
    }
    static const char more[] = "  ...\n";
    char *text = cut ? log_lend(log, sizeof more - 1) : NULL;
    if (text != NULL) {
        memcpy(text, more, sizeof more - 1);
        log_give(log, sizeof more - 1);
    }
}

static void dump_json(struct log *log, struct span bytes, bool cut)
{
    static const char head[] = "{\"event\":\"dump\",\"bytes\":\"";
    const char *tail = cut ? "...\"}\n" : "\"}\n";
    size_t head_size = sizeof head - 1, tail_size = strlen(tail);
    size_t size = head_size + 2 * bytes.size + tail_size;
    char *text = log_lend(log, size);
    if (text == NULL) {
        return;
    }
    memcpy(text, head, head_size);
    text += head_size;
    for (size_t index = 0; index < bytes.size; index++) {
        *text++ = hex_digits[bytes.data[index] >> 4];
        *text++ = hex_digits[bytes.data[index] & 15];
    }
    memcpy(text, tail, tail_size);
    log_give(log, size);
}

void log_dump(struct log *log, struct span bytes, size_t max)
{
    bool cut = bytes.size > max;
    bytes.size = cut ? max : bytes.size;
    if (log->format == LOG_JSON) {
        dump_json(log, bytes, cut);
    } else {
        dump_text(log, bytes, cut);
    }
}
