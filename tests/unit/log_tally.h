/* SPDX-License-Identifier: MIT */
/* Numbered lines that are logged, and what a reader of the log makes of them; for the tests of the log. */
#ifndef UNIT_LOG_TALLY_H
#define UNIT_LOG_TALLY_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#include "base/log.h"

static struct log log_out;

/* The lines `line 1`, `line 2`, ... in their order, with those that say how many are missing. */
struct tally {
    unsigned next; /* the number of the line that should come */
    unsigned lines, lost_lines;
    uint64_t lost;
    char rest[8192]; /* of a line whose end has not come */
    size_t rest_size;
};

static void tally_line(struct tally *tally, const char *line)
{
    unsigned number;
    unsigned long long lost;
    const char *at = strstr(line, "line ");
    if (strstr(line, "warn") != NULL && strstr(line, "lost") != NULL) {
        const char *count = strstr(line, "lines=");
        assert_non_null(count);
        assert_int_equal(sscanf(count, "lines=%llu", &lost), 1);
        tally->lost += lost;
        tally->next += (unsigned)lost;
        tally->lost_lines++;
    } else if (at == NULL || sscanf(at, "line %u", &number) != 1) {
        fail_msg("torn: %s", line);
    } else {
        assert_int_equal(number, tally->next);
        assert_non_null(strstr(line, "end=1"));
        assert_null(strstr(at + 1, "line ")); /* one that was begun twice */
        tally->next++;
        tally->lines++;
    }
}

static void tally_bytes(struct tally *tally, const char *bytes, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        assert_true(tally->rest_size < sizeof tally->rest - 1);
        if (bytes[index] != '\n') {
            tally->rest[tally->rest_size++] = bytes[index];
            continue;
        }
        tally->rest[tally->rest_size] = '\0';
        tally->rest_size = 0;
        tally_line(tally, tally->rest);
    }
}

/* All that can be read now. */
static size_t drain(int fd, struct tally *tally)
{
    char bytes[65536];
    size_t sum = 0;
    ssize_t size;
    while ((size = read(fd, bytes, sizeof bytes)) > 0) {
        tally_bytes(tally, bytes, (size_t)size);
        sum += (size_t)size;
    }
    return sum;
}

static unsigned lines_written;

/* Writes the next `count` lines of about `size` bytes. */
static void write_lines(unsigned count, int size)
{
    for (unsigned index = 0; index < count; index++) {
        struct log_line line;
        log_line_begin(&line, &log_out, LOG_INFO, "e", "line %u %*s", ++lines_written, size, "");
        log_line_number(&line, "end", 1);
        log_line_end(&line);
    }
}

#endif
