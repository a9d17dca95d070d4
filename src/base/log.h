/* SPDX-License-Identifier: MIT */
/*
 * Log lines: one line, one event.
 *
 * A line has a time, a level, a stable event name, a text for people, and key=value fields:
 *
 *   text:  2026-11-23T22:20:39.123Z info  new target connection 127.0.0.1:58088 <-> 127.0.0.1:1234 link=1
 *   json:  {"time":"...","level":"info","event":"link_up","message":"new target connection ...","link":1}
 *
 * Build it in a `struct log_line` on the stack and end it with log_line_end, which writes it with one
 * write(2). Values are escaped so that a line stays a line whatever the bytes. Repeating trouble goes
 * through a `struct log_limit`, which lets one line through per interval and tells how many it held back.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

struct log {
    int fd;               /* borrows for its lifetime */
    enum log_level level; /* lines above it are not written */
    enum log_format format;
    bool colour; /* text only */
};

struct log_line {
    const struct log *log; /* NULL: the line is not wanted and every call is nothing */
    size_t size;
    char text[4096]; /* a longer line is cut, visibly */
};

/* `fd` is where lines go; colour is used when it is a terminal and NO_COLOR is not set. */
void log_init(struct log *log, int fd, enum log_level level, enum log_format format);

static inline bool log_wants(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

/* Starts a line; `event` is its stable name (lower_case), the rest is the text for people. */
void log_line_begin(struct log_line *line, const struct log *log, enum log_level level,
                    const char *event, const char *format, ...) PRINTF_LIKE(5, 6);

/* Adds a field. `key` is lower_case. */
void log_line_text(struct log_line *line, const char *key, const char *value);
void log_line_number(struct log_line *line, const char *key, uint64_t value);
/* 1.5s; JSON: seconds as a number. */
void log_line_duration(struct log_line *line, const char *key, uint64_t ns);

/* Ends the line and writes it. */
void log_line_end(struct log_line *line);

/* A line without fields. */
void log_event(const struct log *log, enum log_level level, const char *event, const char *format,
               ...) PRINTF_LIKE(4, 5);

/* Writes `bytes` as a hex dump (offset, 16 bytes, printable characters), lines without time, below the
 * line written before; JSON: one line {"event":"dump","bytes":"HEX"}. At most `max` bytes, then "...". */
void log_dump(const struct log *log, struct span bytes, size_t max);

/* Lets one line through per interval. A zeroed one has let nothing through yet. */
struct log_limit {
    uint64_t next_ns; /* no line before this */
    uint64_t held;    /* lines held back since the last */
};

/* Whether a line may be written now; `*held` is then the number held back before it. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns,
                    uint64_t *held) MUST_USE;

#endif
