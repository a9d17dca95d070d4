/* SPDX-License-Identifier: MIT */
/*
 * The life of a log: where its lines go and when, and what is said about lines that are not there; see log.h.
 *
 * Both kinds of missing lines are told by a line of their own. Where lines were lost it stands in their
 * place: it is written before the next line that is not lost (tell_lost), or as soon as there is room.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log_private.h"
#include "base/units.h"

#define FINISH_NS (500 * NS_PER_MS)

/* ---- life ---- */

static void init(struct log *log, enum log_level level, enum log_format format)
{
    log->level = level;
    log->format = format;
    log->colour = log->defers = false;
    log->path[0] = '\0';
    log->reopened = 0;
    log->flow = (struct log_flow){0};
}

void log_init(struct log *log, int fd, enum log_level level, enum log_format format)
{
    const char *no_colour = getenv("NO_COLOR");
    init(log, level, format);
    log->colour =
        format == LOG_TEXT && (no_colour == NULL || *no_colour == '\0') && isatty(fd) == 1;
    log_sink_init(&log->sink, fd);
}

/* O_NONBLOCK is for pipes and terminals; with it, a named pipe that nobody reads cannot be opened. */
static int open_file(const char *path, struct error *error)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    if (fd < 0) {
        char text[128];
        error_set(error, "cannot open '%s': %s", path, errno_text(errno, text, sizeof text));
    }
    return fd;
}

static bool set_path(struct log *log, const char *path, struct error *error)
{
    size_t size = 0;
    if (*path != '/') {
        if (getcwd(log->path, sizeof log->path - 1) == NULL) {
            char text[128];
            error_set(error, "cannot tell the working directory: %s",
                      errno_text(errno, text, sizeof text));
            return false;
        }
        size = strlen(log->path);
        log->path[size++] = '/';
    }
    size_t path_size = strlen(path) + 1;
    if (path_size > sizeof log->path - size) {
        error_set(error, "'%s' is too long", path);
        return false;
    }
    memcpy(log->path + size, path, path_size);
    return true;
}

bool log_open(struct log *log, const char *path, enum log_level level, enum log_format format,
              struct error *error)
{
    init(log, level, format);
    if (!set_path(log, path, error)) {
        return false;
    }
    int fd = open_file(log->path, error);
    if (fd < 0) {
        return false;
    }
    log_sink_init(&log->sink, -1);
    log_sink_take(&log->sink, fd);
    return true;
}

bool log_reopen(struct log *log, struct error *error)
{
    int fd = open_file(log->path, error);
    if (fd < 0) {
        return false;
    }
    log_sink_write_now(&log->sink); /* to the old one: it happened before */
    log_sink_take(&log->sink, fd);
    log->reopened++;
    return true;
}

void log_deinit(struct log *log)
{
    log_sink_deinit(&log->sink);
}

/* ---- lines that are not there ---- */

static void begin_lost(struct log_line *line, struct log *log, uint64_t lost, int error)
{
    char text[128];
    log_line_begin(line, log, LOG_WARN, "lines_lost", "%" PRIu64 " log line%s lost: %s", lost,
                   lost == 1 ? " was" : "s were",
                   error == 0 ? "nobody read them in time" : errno_text(error, text, sizeof text));
    log_line_number(line, "lines", lost);
}

static void tell_lost(struct log *log)
{
    int error = 0;
    uint64_t lost = log_sink_take_lost(&log->sink, &error);
    if (lost == 0) {
        return;
    }
    struct log_line line;
    begin_lost(&line, log, lost, error);
    if (line.log == NULL) {
        return;
    }
    log_line_close(&line);
    char *room = log_sink_lend(&log->sink, line.size);
    if (room != NULL) { /* half of the buffer is free */
        memcpy(room, line.text, line.size);
        log_sink_give(&log->sink, line.size);
    }
}

static void tell_left_out(struct log *log, uint64_t now_ns)
{
    uint64_t held = log_flow_take_held(&log->flow, now_ns);
    if (held == 0) {
        return;
    }
    struct log_line line;
    log_line_begin(&line, log, LOG_INFO, "lines_left_out",
                   "%" PRIu64 " line%s about connections %s left out", held, held == 1 ? "" : "s",
                   held == 1 ? "was" : "were");
    log_line_number(&line, "lines", held);
    log_line_end(&line);
}

bool log_may_tell(struct log *log, uint64_t now_ns, bool matters_more)
{
    return log_wants(log, LOG_DEBUG) || log_flow_pass(&log->flow, now_ns, matters_more);
}

/* ---- writing ---- */

char *log_lend(struct log *log, size_t size)
{
    if (log->sink.lost > 0) {
        if (!log->defers) {
            log_sink_write_now(&log->sink);
        }
        tell_lost(log);
    }
    return log_sink_lend(&log->sink, size);
}

void log_give(struct log *log, size_t size)
{
    log_sink_give(&log->sink, size);
    if (!log->defers) {
        log_sink_write_now(&log->sink);
    }
}

void log_line_end(struct log_line *line)
{
    if (line->log == NULL) {
        return;
    }
    log_line_close(line);
    char *room = log_lend(line->log, line->size);
    if (room != NULL) {
        memcpy(room, line->text, line->size);
        log_give(line->log, line->size);
    }
    line->log = NULL;
}

void log_event(struct log *log, enum log_level level, const char *event, const char *format, ...)
{
    struct log_line line;
    va_list arguments;
    va_start(arguments, format);
    log_line_begin_with(&line, log, level, event, format, arguments);
    va_end(arguments);
    log_line_end(&line);
}

void log_defer(struct log *log, bool defers)
{
    log->defers = defers;
}

void log_write(struct log *log, uint64_t now_ns)
{
    tell_left_out(log, now_ns);
    log_sink_write(&log->sink, now_ns);
    if (log->sink.lost > 0) {
        tell_lost(log);
        log_sink_write(&log->sink, now_ns);
    }
}

void log_finish(struct log *log)
{
    tell_left_out(log, TIME_NEVER);
    log_sink_finish(&log->sink, FINISH_NS);
    if (log->sink.state == LOG_SINK_READY) {
        tell_lost(log);
        log_sink_write_now(&log->sink);
    }
}

int log_blocked_fd(const struct log *log)
{
    return log->sink.state == LOG_SINK_BLOCKED ? log->sink.fd : -1;
}

void log_unblock(struct log *log)
{
    log_sink_unblock(&log->sink);
}

uint64_t log_deadline(const struct log *log)
{
    uint64_t sink_ns = log_sink_deadline(&log->sink);
    return log->flow.held > 0 && log->flow.due_ns < sink_ns ? log->flow.due_ns : sink_ns;
}
