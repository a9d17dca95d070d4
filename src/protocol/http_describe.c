/* SPDX-License-Identifier: MIT */
/*
 * One line for people about a request or response:
 *
 *     GET /path?… HTTP/1.1 (length 12)
 *     HTTP/1.1 200 OK (chunked)
 *
 * Of a head only the first line is shown, and how the end of the body is known. User names and
 * passwords in the target become three stars and the query three dots, since logs are read by many.
 * The bytes may be anything, a head that is cut or none at all.
 */
#include <stdio.h>
#include <string.h>

#include "protocol/http.h"

struct text {
    char *out;
    size_t size, capacity; /* without the NUL */
};

static void put(struct text *text, const char *bytes, size_t size)
{
    size_t room = text->capacity - text->size;
    size_t taken = size < room ? size : room;
    memcpy(text->out + text->size, bytes, taken);
    text->size += taken;
}

static void put_text(struct text *text, const char *more)
{
    put(text, more, strlen(more));
}

static void put_bytes(struct text *text, struct span bytes)
{
    for (size_t index = 0; index < bytes.size && text->size < text->capacity; index++) {
        uint8_t byte = bytes.data[index];
        char shown[8] = {(char)byte, '\0'};
        if (byte < 0x20 || byte >= 0x7F) {
            (void)snprintf(shown, sizeof shown, "\\x%02x", byte);
        }
        put_text(text, shown);
    }
}

/* The first line that has anything in it, without its end. */
static struct span first_line(struct span message, struct span *rest)
{
    struct span line = {0};
    *rest = message;
    while (http_line_next(rest, &line)) {
        while (line.size > 0 &&
               (line.data[line.size - 1] == '\n' || line.data[line.size - 1] == '\r')) {
            line = http_part(line, 0, line.size - 1);
        }
        if (line.size > 0) {
            return line;
        }
    }
    return (struct span){0};
}

static void put_target(struct text *text, struct span target)
{
    struct span authority;
    const uint8_t *query = target.size == 0 ? NULL : memchr(target.data, '?', target.size);
    size_t end = query == NULL ? target.size : (size_t)(query - target.data);
    size_t shown = 0;
    if (http_target_authority(target, &authority)) {
        size_t start = (size_t)(authority.data - target.data);
        struct span host = http_authority_host(authority);
        if (host.size != authority.size) {
            put_bytes(text, http_part(target, 0, start));
            put_text(text, "***@");
            shown = start + (authority.size - host.size);
        }
    }
    put_bytes(text, http_part(target, shown, end));
    put_text(text, query == NULL ? "" : "?…");
}

static void put_request_line(struct text *text, struct span line)
{
    const uint8_t *space = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    if (space == NULL) {
        put_bytes(text, line);
        return;
    }
    size_t start = (size_t)(space - line.data) + 1;
    const uint8_t *last = memrchr(line.data, ' ', line.size);
    size_t end = last > space ? (size_t)(last - line.data) : line.size;
    put_bytes(text, http_part(line, 0, start));
    put_target(text, http_part(line, start, end));
    put_bytes(text, span_from(line, end));
}

/* How the end of the body is known, as the head says it. */
static void put_body(struct text *text, struct span fields)
{
    struct span line, name, value;
    while (http_line_next(&fields, &line) && http_field_split(line, &name, &value)) {
        enum http_field field = http_field_find(name);
        if (field != HTTP_FIELD_CONTENT_LENGTH && field != HTTP_FIELD_TRANSFER_ENCODING) {
            continue;
        }
        while (value.size > 0 && value.data[value.size - 1] < ' ') {
            value = http_part(value, 0, value.size - 1); /* the line's end */
        }
        put_text(text, field == HTTP_FIELD_CONTENT_LENGTH ? " (length " : " (");
        put_bytes(text, value);
        put_text(text, ")");
        return;
    }
}

/* Whether a character of several bytes is cut at the end; then that is taken away. */
static void trim_cut(struct text *text)
{
    static const char ellipsis[] = "…";
    for (size_t size = sizeof ellipsis - 2; size > 0; size--) {
        if (text->size >= size && memcmp(text->out + text->size - size, ellipsis, size) == 0) {
            text->size -= size;
            return;
        }
    }
}

void http_describe(enum direction direction, struct span message, char *out, size_t capacity)
{
    if (capacity == 0) {
        return;
    }
    struct text text = {.out = out, .capacity = capacity - 1};
    struct span rest;
    struct span line = first_line(message, &rest);
    if (line.size == 0) {
        put_text(&text, "nothing");
    } else if (direction == TO_TARGET) {
        put_request_line(&text, line);
    } else {
        put_bytes(&text, line);
    }
    put_body(&text, rest);
    trim_cut(&text);
    out[text.size] = '\0';
}
