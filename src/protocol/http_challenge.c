/* SPDX-License-Identifier: MIT */
/*
 * Logins that are bound to a connection: NTLM and Negotiate.
 *
 * They authenticate whoever sends the next request on the connection, which on a shared one is
 * another client. Requests with such credentials are refused (http_head.c); challenges for them are
 * taken out of responses, so that clients choose another one.
 *
 * A field may hold several challenges (RFC 9110 section 11.6.1), separated by the same commas as
 * the parameters of each:
 *
 *     WWW-Authenticate: Basic realm="a, b", charset="UTF-8", NTLM, Negotiate oYG3==
 *                       └───────── one ──────────────────┘  └two┘  └── three ──┘
 *
 * An element begins a challenge unless it is a parameter, `name = value`.
 */
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

bool http_is_bound_login(struct span value)
{
    static const char *const schemes[] = {"ntlm", "negotiate"};
    size_t size = 0;
    while (size < value.size && http_is_token_byte(value.data[size])) {
        size++;
    }
    for (size_t index = 0; index < ARRAY_COUNT(schemes); index++) {
        if (http_is(http_part(value, 0, size), schemes[index])) {
            return true;
        }
    }
    return false;
}

/* Takes the first element off; commas inside quotes do not separate. False: the list is over. */
static bool element_next(struct span *rest, struct span *element)
{
    if (rest->data == NULL) {
        return false;
    }
    bool is_quoted = false;
    size_t size = 0;
    for (; size < rest->size; size++) {
        uint8_t byte = rest->data[size];
        if (is_quoted && byte == '\\' && size + 1 < rest->size) {
            size++;
        } else if (byte == '"') {
            is_quoted = !is_quoted;
        } else if (byte == ',' && !is_quoted) {
            break;
        }
    }
    *element = http_trim(http_part(*rest, 0, size));
    *rest = size == rest->size ? (struct span){0} : span_from(*rest, size + 1);
    return true;
}

static bool is_parameter(struct span element)
{
    size_t at = 0;
    while (at < element.size && http_is_token_byte(element.data[at])) {
        at++;
    }
    struct span rest = http_trim(span_from(element, at));
    return at > 0 && rest.size > 0 && rest.data[0] == '=';
}

/* Walks over the elements; writes those of challenges that stay, unless `writer` is NULL. Returns
 * how many do not stay. What is written is never longer than what was there: a comma is in front of
 * every element, or the field's colon. */
static size_t walk(struct span value, struct http_writer *writer)
{
    struct span element;
    bool is_dropped = false, is_first = true;
    size_t dropped = 0;
    while (element_next(&value, &element)) {
        if (element.size == 0) {
            continue;
        }
        if (!is_parameter(element)) {
            is_dropped = http_is_bound_login(element);
        }
        if (is_dropped) {
            dropped++;
        } else if (writer != NULL) {
            bool has_space = element.data[-1] == ' ' || element.data[-1] == '\t';
            http_write_text(writer, is_first ? "" : ",");
            http_write_text(writer, has_space ? " " : "");
            http_write(writer, element);
            is_first = false;
        }
    }
    return dropped;
}

void http_challenges_write(struct http_writer *writer, struct span line)
{
    struct span name, value;
    (void)http_field_split(http_part(line, 0, line.size - 2), &name, &value);
    if (walk(value, NULL) == 0) {
        http_write(writer, line);
        return;
    }
    size_t before = writer->size;
    http_write(writer, name);
    http_write_text(writer, ":");
    size_t empty = writer->size;
    (void)walk(value, writer);
    if (writer->size == empty) {
        writer->size = before;
    } else {
        http_write_text(writer, "\r\n");
    }
}
