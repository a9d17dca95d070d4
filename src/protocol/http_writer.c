/* SPDX-License-Identifier: MIT */
/*
 * Bytes of a head or a line are written one behind the other.
 */
#include <string.h>

#include "protocol/http.h"

void http_write(struct http_writer *writer, struct span bytes)
{
    if (bytes.size > 0) {
        memmove(writer->out + writer->size, bytes.data, bytes.size); /* it may stand in `out` */
        writer->size += bytes.size;
    }
}

void http_write_text(struct http_writer *writer, const char *text)
{
    http_write(writer, span_of(text, strlen(text)));
}
