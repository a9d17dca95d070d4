/* SPDX-License-Identifier: MIT */
/*
 * A head, line by line, into the few facts that frame a message.
 *
 * Each line is read once, when it is whole; the facts are bits, see http.h, so that a head may come
 * in any pieces without anything being kept but the bytes themselves. What only the whole head
 * shows (a missing Host, a length beside a coding) is looked at behind its last line.
 *
 * Whatever another program might read differently is refused, or does not go on in the form in which it
 * came (HTTP_MENDS, http_mend.c). More is taken of responses, which come from the user's own device, than of
 * requests, which come from anybody; behind a response whose end others may see elsewhere the link ends.
 * With --http-strict nothing is repaired.
 */
#include <assert.h>
#include <string.h>

#include "protocol/http.h"

/* Larger than any body, and far from where sums overflow. */
static const uint64_t LENGTH_MAX = INT64_MAX;

/* ---- fields ---- */

/* Programs differ in whether a tab is white space here, and a difference is a smuggled request. */
static bool has_tab(struct span line)
{
    return memchr(line.data, '\t', line.size) != NULL;
}

static enum http_refusal read_number(struct span digits, uint64_t *number)
{
    *number = 0;
    for (size_t index = 0; index < digits.size; index++) {
        unsigned digit = (unsigned)digits.data[index] - '0';
        if (digit > 9 || *number > (LENGTH_MAX - digit) / 10) {
            return HTTP_REFUSAL_LENGTH_MALFORMED;
        }
        *number = *number * 10 + digit;
    }
    return digits.size > 0 ? HTTP_FINE : HTTP_REFUSAL_LENGTH_MALFORMED;
}

static enum http_refusal read_content_length(struct http_head *head, struct span value)
{
    if ((head->bits & HTTP_LENGTH) != 0) {
        return HTTP_REFUSAL_LENGTH_TWICE;
    }
    head->bits |= HTTP_LENGTH;
    return read_number(value, &head->length);
}

/* Several times the same is one length to everybody (RFC 9110 section 8.6). */
static enum http_refusal read_lengths(struct http_head *head, struct span value)
{
    struct span rest = value, digits;
    while (http_list_next(&rest, &digits)) {
        uint64_t length;
        enum http_refusal refusal = read_number(digits, &length);
        if (refusal != HTTP_FINE) {
            return refusal;
        }
        if ((head->bits & HTTP_LENGTH) != 0) {
            head->bits |= HTTP_MENDS;
            if (length != head->length) {
                return HTTP_REFUSAL_LENGTH_TWICE;
            }
        }
        head->bits |= HTTP_LENGTH;
        head->length = length;
    }
    return HTTP_FINE;
}

/* A coding is a token and maybe parameters, of which chunked has none (RFC 9112 section 7). */
static enum http_refusal read_coding(struct http_head *head, struct span coding, bool takes_twice)
{
    if (http_is(coding, "chunked")) {
        if ((head->bits & HTTP_CHUNKED) != 0) {
            if (!takes_twice || (head->bits & HTTP_UNCHUNKED) != 0) {
                return HTTP_REFUSAL_CODING_TWICE;
            }
            head->bits |= HTTP_MENDS | HTTP_AMBIGUOUS;
        }
        head->bits |= HTTP_CHUNKED;
        head->bits &= ~(uint32_t)HTTP_UNCHUNKED;
        return HTTP_FINE;
    }
    size_t size = 0;
    while (size < coding.size && http_is_token_byte(coding.data[size])) {
        size++;
    }
    struct span rest = http_trim(span_from(coding, size));
    if (size == 0 || (rest.size > 0 && rest.data[0] != ';') ||
        http_is(http_part(coding, 0, size), "chunked")) {
        return HTTP_REFUSAL_CODING_MALFORMED;
    }
    head->bits |= HTTP_CODED_ELSE | HTTP_UNCHUNKED;
    return HTTP_FINE;
}

static enum http_refusal read_transfer_encoding(struct http_head *head, struct span value,
                                                bool takes_twice)
{
    head->bits |= HTTP_CODED;
    struct span rest = value, coding;
    while (http_list_next(&rest, &coding)) {
        enum http_refusal refusal = read_coding(head, coding, takes_twice);
        if (refusal != HTTP_FINE) {
            return refusal;
        }
    }
    return HTTP_FINE;
}

/* What Connection says beside tokens counts for nothing: devices write `Keep Alive` and `close;`. */
static void read_odd_option(struct http_head *head, struct span option)
{
    const uint8_t *end = memchr(option.data, ';', option.size);
    size_t size = end == NULL ? 0 : (size_t)(end - option.data);
    if (http_is(http_trim(http_part(option, 0, size)), "close")) {
        head->bits |= HTTP_CLOSE;
    }
}

static enum http_refusal read_connection(struct http_head *head, struct span value, bool is_strict)
{
    struct span rest = value, option;
    while (http_list_next(&rest, &option)) {
        if (option.size == 0) {
            continue; /* RFC 9110 section 5.6.1.2 */
        }
        if (!http_is_token(option)) {
            if (is_strict) {
                return HTTP_REFUSAL_CONNECTION;
            }
            read_odd_option(head, option);
        } else if (http_is(option, "keep-alive")) {
            head->bits |= HTTP_KEEP_ALIVE; /* and the field of that name never goes on */
        } else {
            head->bits |= HTTP_NAMES | (http_is(option, "close") ? HTTP_CLOSE : 0U);
        }
    }
    return HTTP_FINE;
}

static enum http_refusal read_host(struct http_head *head, struct span value)
{
    if ((head->bits & HTTP_HOST) != 0) {
        return HTTP_REFUSAL_HOST_TWICE;
    }
    head->bits |= HTTP_HOST;
    return http_is_host(value) ? HTTP_FINE : HTTP_REFUSAL_HOST_INVALID;
}

static void read_expect(struct http_head *head, struct span value)
{
    head->bits |= HTTP_EXPECT;
    struct span rest = value, expectation;
    while (http_list_next(&rest, &expectation)) {
        if (http_is(expectation, "100-continue")) {
            head->bits |= HTTP_CONTINUE;
        }
    }
}

static enum http_refusal read_request_field(struct http_head *head, enum http_field field,
                                            struct span value)
{
    if (field == HTTP_FIELD_HOST) {
        return read_host(head, value);
    }
    if (field == HTTP_FIELD_AUTHORIZATION || field == HTTP_FIELD_PROXY_AUTHORIZATION) {
        return http_is_bound_login(value) ? HTTP_REFUSAL_BOUND_LOGIN : HTTP_FINE;
    }
    if (field == HTTP_FIELD_EXPECT) {
        read_expect(head, value);
    }
    return field == HTTP_FIELD_UNDERSCORED ? HTTP_REFUSAL_UNDERSCORE : HTTP_FINE;
}

/* What is wrong with a line that is no token and colon. */
static enum http_refusal why_no_field(struct span line)
{
    struct span name, value;
    if (line.data[0] == ' ' || line.data[0] == '\t') {
        return HTTP_REFUSAL_FOLDED;
    }
    bool is_spaced = http_field_split(line, &name, &value) && http_is_token(http_trim(name));
    return is_spaced ? HTTP_REFUSAL_SPACE_BEFORE_COLON : HTTP_REFUSAL_FIELD;
}

/* Cuts a line that may have any form; the value comes with the white space around it. `takes_space`: in front
 * of the colon. */
static enum http_refusal split(struct span line, bool takes_space, struct span *name,
                               struct span *value)
{
    size_t size = 0;
    while (size < line.size && http_is_token_byte(line.data[size])) {
        size++;
    }
    size_t colon = size;
    while (takes_space && colon < line.size &&
           (line.data[colon] == ' ' || line.data[colon] == '\t')) {
        colon++;
    }
    if (size == 0 || colon == line.size || line.data[colon] != ':') {
        return why_no_field(line);
    }
    *name = http_part(line, 0, size);
    *value = span_from(line, colon + 1);
    return HTTP_FINE;
}

static enum http_refusal read_framing_field(enum direction direction, struct http_head *head,
                                            enum http_field field, struct span line,
                                            struct span value, bool is_strict)
{
    bool is_repaired = direction == TO_CLIENT && !is_strict;
    if (has_tab(line)) {
        if (is_strict) {
            return HTTP_REFUSAL_TAB_IN_FRAMING;
        }
        head->bits |= HTTP_MENDS;
    }
    if (field == HTTP_FIELD_TRANSFER_ENCODING) {
        return read_transfer_encoding(head, value, is_repaired);
    }
    return is_repaired ? read_lengths(head, value) : read_content_length(head, value);
}

/* A field that means something here. */
static enum http_refusal read_known_field(enum direction direction, struct http_head *head,
                                          enum http_field field, struct span line,
                                          struct span value, bool is_strict)
{
    if (http_has_control(value)) {
        return HTTP_REFUSAL_CONTROL_BYTE;
    }
    if (http_may_not_pass(field)) {
        head->bits |= HTTP_LOSES;
    }
    value = http_trim(value);
    switch ((int)field) {
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_TRANSFER_ENCODING:
        return read_framing_field(direction, head, field, line, value, is_strict);
    case HTTP_FIELD_CONNECTION:
        return read_connection(head, value, is_strict);
    default:
        return direction == TO_TARGET ? read_request_field(head, field, value) : HTTP_FINE;
    }
}

static enum http_refusal read_field(enum direction direction, struct http_head *head,
                                    struct span line, bool is_strict)
{
    struct span name, value;
    enum http_refusal refusal = split(line, direction == TO_CLIENT && !is_strict, &name, &value);
    if (refusal != HTTP_FINE) {
        return refusal;
    }
    if (value.data != name.data + name.size + 1) {
        head->bits |= HTTP_MENDS;
    }
    enum http_field field = http_field_find(name);
    return field == HTTP_FIELD_OTHER
               ? HTTP_FINE
               : read_known_field(direction, head, field, line, value, is_strict);
}

enum http_refusal http_head_line(enum direction direction, struct http_head *head, struct span line,
                                 bool is_strict)
{
    if ((head->bits & HTTP_STARTED) != 0) {
        return read_field(direction, head, line, is_strict);
    }
    head->bits |= HTTP_STARTED;
    return direction == TO_TARGET ? http_request_line(head, line, is_strict)
                                  : http_status_line(head, line);
}

enum http_refusal http_trailer_line(struct span line)
{
    struct span name, value;
    enum http_refusal refusal = split(line, false, &name, &value);
    if (refusal != HTTP_FINE) {
        return refusal;
    }
    return http_field_find(name) == HTTP_FIELD_OTHER ? HTTP_FINE : HTTP_REFUSAL_TRAILER;
}

/* ---- whole heads ---- */

bool http_is_interim(const struct http_head *head)
{
    return http_head_number(head) < 200;
}

bool http_has_options(const struct http_head *head)
{
    return (head->bits & HTTP_NAMES) != 0;
}

static bool is_chunked(const struct http_head *head)
{
    return (head->bits & HTTP_CHUNKED) != 0 && (head->bits & HTTP_UNCHUNKED) == 0;
}

enum http_body http_request_body(const struct http_head *head)
{
    if ((head->bits & HTTP_CODED) != 0) {
        return HTTP_BODY_CHUNKED; /* http_head_end has refused every other */
    }
    return head->length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
}

/* The rules of RFC 9112 section 6.3 in their order; a tunnel (rule 2) and malformed lengths (rule 5) are
 * refused, and a length beside a coding other than chunked (rule 3). */
enum http_body http_response_body(const struct http_head *head, const struct request *request)
{
    unsigned status = http_head_number(head);
    if (request->kind == HTTP_HEAD || http_is_interim(head) || status == 204 || status == 304) {
        return HTTP_BODY_NONE;
    }
    if ((head->bits & HTTP_CODED) != 0) {
        return is_chunked(head) ? HTTP_BODY_CHUNKED : HTTP_BODY_UNTIL_END;
    }
    if ((head->bits & HTTP_LENGTH) != 0) {
        return head->length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_NONE;
    }
    return HTTP_BODY_UNTIL_END;
}

/* A body is not put into chunks twice (RFC 9112 section 6.1). */
bool http_closes_client(const struct http_head *head, enum http_body body,
                        const struct request *request)
{
    bool is_for_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    return body == HTTP_BODY_UNTIL_END ? is_for_10 || (head->bits & HTTP_CHUNKED) != 0
                                       : body == HTTP_BODY_CHUNKED && is_for_10;
}

static enum http_refusal end_request(const struct http_head *head)
{
    if ((head->bits & (HTTP_HOST | HTTP_VERSION_10)) == 0) {
        return HTTP_REFUSAL_HOST_MISSING;
    }
    if ((head->bits & HTTP_CODED) == 0) {
        return HTTP_FINE;
    }
    if ((head->bits & HTTP_VERSION_10) != 0) {
        return HTTP_REFUSAL_CODING_IN_HTTP10; /* RFC 9112 section 6.1 */
    }
    if ((head->bits & HTTP_LENGTH) != 0) {
        return HTTP_REFUSAL_LENGTH_AND_CODING;
    }
    if (!is_chunked(head)) {
        return HTTP_REFUSAL_CODING_NOT_CHUNKED;
    }
    return (head->bits & HTTP_CODED_ELSE) != 0 ? HTTP_REFUSAL_CODING_UNKNOWN : HTTP_FINE;
}

/* A body that is chunked is taken for that, whatever stands beside it (RFC 9112 section 6.3 rule 3); but
 * not everybody does. */
static enum http_refusal end_coded_response(struct http_head *head, bool is_strict)
{
    bool is_clear = is_chunked(head) && !is_strict;
    if ((head->bits & HTTP_VERSION_10) != 0) {
        head->bits |= HTTP_AMBIGUOUS;
        if (!is_clear) {
            return HTTP_REFUSAL_CODING_IN_HTTP10; /* RFC 9112 section 6.1 */
        }
    }
    if ((head->bits & HTTP_LENGTH) != 0) {
        head->bits |= HTTP_AMBIGUOUS | HTTP_MENDS;
        if (!is_clear) {
            return HTTP_REFUSAL_LENGTH_AND_CODING;
        }
    }
    return (head->bits & HTTP_AMBIGUOUS) != 0 && !is_clear ? HTTP_REFUSAL_CODING_TWICE : HTTP_FINE;
}

static enum http_refusal end_response(struct http_head *head, const struct request *request,
                                      bool is_strict)
{
    if ((head->bits & HTTP_CODED) != 0) {
        enum http_refusal refusal = end_coded_response(head, is_strict);
        if (refusal != HTTP_FINE) {
            return refusal;
        }
    }
    bool has_body = http_response_body(head, request) != HTTP_BODY_NONE;
    bool is_for_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    return has_body && is_for_10 && (head->bits & HTTP_CODED_ELSE) != 0
               ? HTTP_REFUSAL_CODING_FOR_HTTP10
               : HTTP_FINE;
}

enum http_refusal http_head_end(enum direction direction, struct http_head *head,
                                const struct request *request, bool is_strict)
{
    return direction == TO_TARGET ? end_request(head) : end_response(head, request, is_strict);
}
