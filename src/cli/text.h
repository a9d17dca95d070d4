/* SPDX-License-Identifier: MIT */
/* Text for terminals and pages: wrapping and quoting, shared by help, completions and documents. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes `text`, which begins in column `column` and goes on at `indent`, breaking it at blanks so
 * that no line is longer than `width` unless a word alone is. Writes no newline at the end. */
void text_wrap(FILE *out, const char *text, size_t column, size_t indent, size_t width);

/* Writes `text` with a `\` before every byte that is in `special`. */
void text_escape(FILE *out, const char *text, const char *special);

/* Writes `text` so that it can stand between single quotes of a POSIX shell. */
void text_quote_shell(FILE *out, const char *text);

#endif
