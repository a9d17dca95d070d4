/* SPDX-License-Identifier: MIT */
/*
 * The grammar of HTTP/1.1 (RFC 9110 section 5.6, RFC 9112): tokens, lists, lines, fields, hosts.
 *
 * Every error has a row in http_refusals.def; 0 is none.
 */
#ifndef PROTOCOL_HTTP_TEXT_H
#define PROTOCOL_HTTP_TEXT_H

#include <assert.h>
#include <stdbool.h>

#include "base/span.h"

enum http_refusal {
    HTTP_FINE,
#define REFUSAL(name, status, sentence) HTTP_REFUSAL_##name,
#include "protocol/http_refusals.def"
#undef REFUSAL
    HTTP_REFUSAL_COUNT
};

/* The fields that mean something here. */
enum http_field {
    HTTP_FIELD_OTHER,
    HTTP_FIELD_AUTHORIZATION,
    HTTP_FIELD_CONNECTION,
    HTTP_FIELD_CONTENT_LENGTH,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_HOST,
    HTTP_FIELD_KEEP_ALIVE,
    HTTP_FIELD_PROXY_AUTHENTICATE,
    HTTP_FIELD_PROXY_AUTHORIZATION,
    HTTP_FIELD_PROXY_CONNECTION,
    HTTP_FIELD_TE,
    HTTP_FIELD_TRAILER,
    HTTP_FIELD_TRANSFER_ENCODING,
    HTTP_FIELD_UNDERSCORED, /* one that frames, with '_' in place of '-' */
    HTTP_FIELD_UPGRADE,
    HTTP_FIELD_WWW_AUTHENTICATE,
};
enum http_field http_field_find(struct span name);

/* Whether such a field stays here, or goes on only in part (http_edit.c). */
static inline bool http_may_not_pass(enum http_field field)
{
    return (1U << field &
            (1U << HTTP_FIELD_CONNECTION | 1U << HTTP_FIELD_KEEP_ALIVE |
             1U << HTTP_FIELD_PROXY_CONNECTION | 1U << HTTP_FIELD_TE | 1U << HTTP_FIELD_UPGRADE |
             1U << HTTP_FIELD_PROXY_AUTHENTICATE | 1U << HTTP_FIELD_WWW_AUTHENTICATE)) != 0;
}

/* What a line may be or hold beside what it should. */
enum { HTTP_LF_ENDS = 1 << 0, HTTP_CONTROLS_PASS = 1 << 1 };

/* Looks on, from `*at`, for the end of a line, no further than `reach`. Every byte is looked at
 * once: `*at` is then behind the line's end (`*found`), or where to look on. */
enum http_refusal http_line_find(struct span bytes, size_t reach, unsigned allowed, size_t *at,
                                 bool *found);

/* Whether there is a control byte but the tab and the end of a line that is continued. */
bool http_has_control(struct span value);

/* The line without its end. */
struct span http_line_text(struct span line);

/* Where the line begins that ends before `end`. */
size_t http_line_start(struct span bytes, size_t end);

/* Takes the first line off `rest`, with its CR LF, which is there. False: nothing is left. */
bool http_line_next(struct span *rest, struct span *line);

/* Likewise, with the lines that continue it, which begin with white space. */
bool http_logical_line_next(struct span *rest, struct span *line);

/* Cuts a line at its first colon; the value comes without the white space around it. False: none.
 */
bool http_field_split(struct span line, struct span *name, struct span *value);

/* Likewise, the name alone. */
bool http_field_name(struct span line, struct span *name);

/* Takes the first element off a list, without white space around it. False: the list is over. A
 * list begins with `*rest` as its value; rest->data is NULL behind its last element. */
bool http_list_next(struct span *rest, struct span *element);

bool http_is_token_byte(uint8_t byte);
bool http_is_white(uint8_t byte);
bool http_is_token(struct span text);
struct span http_trim(struct span text);

static inline struct span http_part(struct span text, size_t start, size_t end)
{
    assert(start <= end);
    assert(end <= text.size);
    return span_of(span_from(text, start).data, end - start);
}

/* Whether the two are the same but for the case of letters; `lower` has none in upper case. */
bool http_is(struct span text, const char *lower);
bool http_same(struct span one, struct span other);
/* Below, at or above 0, in an order that does not know the case of letters either. */
int http_compare(struct span one, struct span other);

/* Whether this is `host` or `host:port`, maybe empty (RFC 3986 sections 3.2.2 and 3.2.3). */
bool http_is_host(struct span text);

/* The part of an absolute-form target between `//` and the path, user information included. False:
 * it is no such target. */
bool http_target_authority(struct span target, struct span *authority);

/* The authority without user information. */
struct span http_authority_host(struct span authority);

#endif
