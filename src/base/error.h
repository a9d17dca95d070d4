/* SPDX-License-Identifier: MIT */
/*
 * The text of a failure at start-up, in configuration and administration.
 *
 * A function that can fail there returns bool and takes a `struct error *`, which it fills only
 * when it returns false: lower case, no full stop, the place first, then what failed, the subject
 * in 'quotes', and the remedy where there is one. Who called prints it; library code never prints.
 * Traffic does not use this: it has enum results (see protocol/protocol.h and mux/reason.h).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

struct error {
    char text[512]; /* NUL-terminated; valid after a failure */
};

/* Formats the text, cutting it off where it does not fit. */
void error_set(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "PREFIX: " in front of the text: the place, added by a caller that knows it. */
void error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* strerror in lower case, as error texts want it. */
const char *errno_text(int error, char *text, size_t capacity);

#endif
