/* SPDX-License-Identifier: MIT */
/* What the files of the log share. Private to base/. */
#ifndef BASE_LOG_PRIVATE_H
#define BASE_LOG_PRIVATE_H

#include <stdarg.h>

#include "base/log.h"

/* Lends room for a line, behind the one that says what was lost before it; NULL: the line is lost. */
char *log_lend(struct log *log, size_t size) MUST_USE;
/* `size` bytes of it are a line. It is written, unless lines wait for their turn. */
void log_give(struct log *log, size_t size);

/* As log_line_begin. */
void log_line_begin_with(struct log_line *line, struct log *log, enum log_level level,
                         const char *event, const char *format, va_list arguments)
    PRINTF_LIKE(5, 0);
/* Puts the ending of a wanted line behind it; log_line_end without writing it. */
void log_line_close(struct log_line *line);

#endif
