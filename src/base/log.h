/* SPDX-License-Identifier: MIT */
/*
 * Log lines: one line, one event.
 *
 * A line has a time, a level, a stable event name, a text for people, and key=value fields:
 *
 *   text:  2026-11-23T22:20:39.123Z info  new target connection 127.0.0.1:58088 <-> 127.0.0.1:1234 link=1
 *   json:  {"time":"...","level":"info","event":"link_up","message":"new target connection ...","link":1}
 *
 * Build it in a `struct log_line` on the stack and end it with log_line_end. Values are escaped so that a
 * line stays a line whatever the bytes. Lines that could be many go through log_limit.h.
 *
 * Logging never waits for whoever reads the log: lines go through a bounded buffer (log_sink.h), and those
 * that find no room in it are lost and counted; a line says how many. Before the loop runs they are written
 * at once. In the loop (log_defer) they are written at the end of each turn, with log_write; the loop also
 * watches log_blocked_fd and keeps log_deadline.
 *
 * One thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/log_limit.h"
#include "base/log_sink.h"
#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

enum { LOG_PATH_BYTES = 4608 }; /* PATH_MAX for where we are, and the longest value of an option */

struct log {
    enum log_level level; /* lines above it are not written */
    enum log_format format;
    bool colour;               /* text only */
    bool defers;               /* lines wait for log_write */
    unsigned reopened;         /* how often */
    char path[LOG_PATH_BYTES]; /* absolute; empty: not a file of ours */
    struct log_flow flow;      /* lines about connections */
    struct log_sink sink;
};

struct log_line {
    struct log *log; /* NULL: the line is not wanted and every call is nothing */
    size_t size;
    char text[4096]; /* a longer line is cut, visibly */
};

/* ---- life ---- */

/* `fd` is where lines go, borrowed; colour is used when it is a terminal and NO_COLOR is not set. */
void log_init(struct log *log, int fd, enum log_level level, enum log_format format);
/* Lines are appended to a file, which is created with mode 0640 if it is not there. The path stays what it
 * means now, also when the working directory changes. False: it cannot be opened; the log is not
 * initialised. */
bool log_open(struct log *log, const char *path, enum log_level level, enum log_format format,
              struct error *error) MUST_USE;
static inline bool log_has_file(const struct log *log)
{
    return log->path[0] != '\0';
}
/* Opens the file of log_open again, for whoever has moved the old one away. False: it cannot be opened, and
 * the old one stays in use. */
bool log_reopen(struct log *log, struct error *error) MUST_USE;
/* Writes what still waits, as far as the descriptor takes it within half a second. */
void log_finish(struct log *log);
/* Closes what it has opened. What still waits is gone: see log_finish. */
void log_deinit(struct log *log);

/* ---- in the loop ---- */

/* Whether lines wait for log_write. */
void log_defer(struct log *log, bool defers);
/* Writes what waits, as far as the descriptor takes it, and says what was lost or left out. */
void log_write(struct log *log, uint64_t now_ns);
/* Whether log_write has nothing to do. */
static inline bool log_is_quiet(const struct log *log)
{
    return log_sink_is_empty(&log->sink) && log->flow.held == 0;
}
/* The descriptor that takes nothing now, and should be watched for becoming writable; -1: none. */
int log_blocked_fd(const struct log *log);
/* It has become writable. */
void log_unblock(struct log *log);
/* When log_write should be called at the latest. TIME_NEVER: need not be. */
uint64_t log_deadline(const struct log *log);

/* ---- lines ---- */

static inline bool log_wants(const struct log *log, enum log_level level)
{
    return level <= log->level;
}

/* Starts a line; `event` is its stable name (lower_case), the rest is the text for people. */
void log_line_begin(struct log_line *line, struct log *log, enum log_level level, const char *event,
                    const char *format, ...) PRINTF_LIKE(5, 6);

/* Adds a field. `key` is lower_case. */
void log_line_text(struct log_line *line, const char *key, const char *value);
void log_line_number(struct log_line *line, const char *key, uint64_t value);
/* 1.5s; JSON: seconds as a number. */
void log_line_duration(struct log_line *line, const char *key, uint64_t ns);

/* Ends the line and writes it. */
void log_line_end(struct log_line *line);

/* A line without fields. */
void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Writes `bytes` as a hex dump (offset, 16 bytes, printable characters), lines without time, below the
 * line written before; JSON: one line {"event":"dump","bytes":"HEX"}. At most `max` bytes, then "...". */
void log_dump(struct log *log, struct span bytes, size_t max);

/* Whether a line about a single connection may be written now; one that may not is counted, and the number is
 * said once in a second. `matters_more`: see log_flow_pass. At LOG_DEBUG everything was asked for, and
 * every line may be written. */
bool log_may_tell(struct log *log, uint64_t now_ns, bool matters_more) MUST_USE;

#endif
