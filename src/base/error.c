/* SPDX-License-Identifier: MIT */
/* The text of a failure; see error.h. What does not fit is cut off. */
#include "base/error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void error_set(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* Appends `text` at `*size`; both stay inside `error`. */
static void append(struct error *error, size_t *size, const char *text)
{
    size_t length = strnlen(text, sizeof error->text - 1 - *size);
    memcpy(error->text + *size, text, length);
    *size += length;
    error->text[*size] = '\0';
}

void error_prefix(struct error *error, const char *format, ...)
{
    char prefix[sizeof error->text / 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);

    struct error old = *error;
    size_t size = 0;
    append(error, &size, prefix);
    append(error, &size, ": ");
    append(error, &size, old.text);
}

const char *errno_text(int error, char *text, size_t capacity)
{
    const char *sentence = strerrordesc_np(error);
    (void)snprintf(text, capacity, "%s", sentence == NULL ? "unknown error" : sentence);
    text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}
