/* SPDX-License-Identifier: MIT */
/* Wrapping and quoting; see text.h. */
#include "cli/text.h"

#include <string.h>

void text_wrap(FILE *out, const char *text, size_t column, size_t indent, size_t width)
{
    const char *word = text + strspn(text, " ");
    const char *before = "";
    while (*word != '\0') {
        size_t length = strcspn(word, " ");
        if (*before != '\0' && column + 1 + length > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            before = "";
        }
        fprintf(out, "%s%.*s", before, (int)length, word);
        column += strlen(before) + length;
        before = " ";
        word += length;
        word += strspn(word, " ");
    }
}

void text_escape(FILE *out, const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (strchr(special, *text) != NULL) {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

void text_quote_shell(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            fputs("'\\''", out);
        } else {
            fputc(*text, out);
        }
    }
}
