/* SPDX-License-Identifier: MIT */
/*
 * The grammar of HTTP's text: bytes, lines, tokens, lists (RFC 9110 section 5.6, RFC 9112 section
 * 2).
 *
 * Strict throughout: a line ends with CR LF and nothing else, and holds no control character but
 * the tab. Nothing here knows what a line means.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

struct span http_part(struct span text, size_t start, size_t end)
{
    assert(start <= end);
    assert(end <= text.size);
    return span_of(span_from(text, start).data, end - start);
}

/* ---- bytes ---- */

static bool is_letter_or_digit(uint8_t byte)
{
    uint8_t lower = byte | 0x20;
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9');
}

bool http_is_token_byte(uint8_t byte)
{
    static const char others[] = "-_!#$%&'*+.^`|~";
    return is_letter_or_digit(byte) || (byte != 0 && memchr(others, byte, sizeof others) != NULL);
}

/* What a line may hold (RFC 9110 section 5.5: obs-text is passed, too). */
static bool is_text_byte(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7F) || byte == '\t';
}

static uint8_t lower_of(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* ---- lines ---- */

enum http_refusal http_line_find(struct span bytes, size_t reach, size_t *at, bool *found)
{
    assert(reach <= bytes.size);
    *found = false;
    size_t index = *at;
    while (index < reach && is_text_byte(bytes.data[index])) {
        index++;
    }
    *at = index;
    if (index == reach) {
        return HTTP_FINE;
    }
    switch (bytes.data[index]) {
    case '\r':
        if (index + 1 == reach) {
            return HTTP_FINE; /* what follows has not come */
        }
        if (bytes.data[index + 1] != '\n') {
            return HTTP_REFUSAL_BARE_CR;
        }
        *at = index + 2;
        *found = true;
        return HTTP_FINE;
    case '\n':
        return HTTP_REFUSAL_BARE_LF;
    case '\0':
        return HTTP_REFUSAL_NUL_BYTE;
    default:
        return HTTP_REFUSAL_CONTROL_BYTE;
    }
}

size_t http_line_start(struct span bytes, size_t end)
{
    const uint8_t *newline = end == 0 ? NULL : memrchr(bytes.data, '\n', end);
    return newline == NULL ? 0 : (size_t)(newline - bytes.data) + 1;
}

bool http_line_next(struct span *rest, struct span *line)
{
    if (rest->size == 0) {
        return false;
    }
    const uint8_t *newline = memchr(rest->data, '\n', rest->size);
    size_t size = newline == NULL ? rest->size : (size_t)(newline - rest->data) + 1;
    *line = http_part(*rest, 0, size);
    *rest = span_from(*rest, size);
    return true;
}

bool http_field_split(struct span line, struct span *name, struct span *value)
{
    const uint8_t *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (colon == NULL) {
        return false;
    }
    size_t size = (size_t)(colon - line.data);
    *name = http_part(line, 0, size);
    *value = http_trim(span_from(line, size + 1));
    return true;
}

/* ---- words ---- */

static bool is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct span http_trim(struct span text)
{
    size_t start = 0, end = text.size;
    while (start < end && is_white(text.data[start])) {
        start++;
    }
    while (end > start && is_white(text.data[end - 1])) {
        end--;
    }
    return http_part(text, start, end);
}

bool http_is_token(struct span text)
{
    for (size_t index = 0; index < text.size; index++) {
        if (!http_is_token_byte(text.data[index])) {
            return false;
        }
    }
    return text.size > 0;
}

bool http_same(struct span one, struct span other)
{
    if (one.size != other.size) {
        return false;
    }
    for (size_t index = 0; index < one.size; index++) {
        if (lower_of(one.data[index]) != lower_of(other.data[index])) {
            return false;
        }
    }
    return true;
}

bool http_is(struct span text, const char *lower)
{
    return http_same(text, span_of(lower, strlen(lower)));
}

bool http_list_next(struct span *rest, struct span *element)
{
    if (rest->data == NULL) {
        return false;
    }
    const uint8_t *comma = memchr(rest->data, ',', rest->size);
    size_t size = comma == NULL ? rest->size : (size_t)(comma - rest->data);
    *element = http_trim(http_part(*rest, 0, size));
    *rest = comma == NULL ? (struct span){0} : span_from(*rest, size + 1);
    return true;
}

enum http_field http_field_find(struct span name)
{
    static const struct {
        uint8_t size;
        uint8_t field;
        const char *name;
    } rows[] = {
        {2, HTTP_FIELD_TE, "te"},
        {4, HTTP_FIELD_HOST, "host"},
        {6, HTTP_FIELD_EXPECT, "expect"},
        {7, HTTP_FIELD_TRAILER, "trailer"},
        {7, HTTP_FIELD_UPGRADE, "upgrade"},
        {10, HTTP_FIELD_CONNECTION, "connection"},
        {10, HTTP_FIELD_KEEP_ALIVE, "keep-alive"},
        {13, HTTP_FIELD_AUTHORIZATION, "authorization"},
        {14, HTTP_FIELD_CONTENT_LENGTH, "content-length"},
        {16, HTTP_FIELD_PROXY_CONNECTION, "proxy-connection"},
        {16, HTTP_FIELD_WWW_AUTHENTICATE, "www-authenticate"},
        {17, HTTP_FIELD_TRANSFER_ENCODING, "transfer-encoding"},
        {18, HTTP_FIELD_PROXY_AUTHENTICATE, "proxy-authenticate"},
        {19, HTTP_FIELD_PROXY_AUTHORIZATION, "proxy-authorization"},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        if (rows[index].size == name.size && http_is(name, rows[index].name)) {
            return (enum http_field)rows[index].field;
        }
    }
    return HTTP_FIELD_OTHER;
}

/* ---- hosts ---- */

static bool is_host_byte(uint8_t byte)
{
    static const char others[] = "-._~%!$&'()*+,;=";
    return is_letter_or_digit(byte) || (byte != 0 && memchr(others, byte, sizeof others) != NULL);
}

static bool are_digits(struct span text)
{
    for (size_t index = 0; index < text.size; index++) {
        if (text.data[index] < '0' || text.data[index] > '9') {
            return false;
        }
    }
    return true;
}

bool http_is_host(struct span text)
{
    size_t index = 0;
    bool in_brackets = text.size > 0 && text.data[0] == '[';
    if (in_brackets) {
        index++;
    }
    while (index < text.size &&
           (is_host_byte(text.data[index]) || (in_brackets && text.data[index] == ':'))) {
        index++;
    }
    if (in_brackets) {
        if (index == text.size || text.data[index] != ']' || index == 1) {
            return false;
        }
        index++;
    }
    if (index == text.size) {
        return true;
    }
    return text.data[index] == ':' && are_digits(span_from(text, index + 1));
}

bool http_target_authority(struct span target, struct span *authority)
{
    size_t colon = 0;
    while (colon < target.size && target.data[colon] != ':') {
        uint8_t byte = target.data[colon];
        bool is_mark = byte == '+' || byte == '-' || byte == '.';
        if (!is_letter_or_digit(byte) && !(is_mark && colon > 0)) {
            return false;
        }
        colon++;
    }
    size_t start = colon + 3;
    bool has_first_letter = colon > 0 && (target.data[0] < '0' || target.data[0] > '9');
    if (!has_first_letter || target.size <= start || memcmp(target.data + colon, "://", 3) != 0) {
        return false;
    }
    size_t end = start;
    while (end < target.size && strchr("/?#", target.data[end]) == NULL) {
        end++;
    }
    *authority = http_part(target, start, end);
    return true;
}

struct span http_authority_host(struct span authority)
{
    const uint8_t *at = authority.size == 0 ? NULL : memrchr(authority.data, '@', authority.size);
    return at == NULL ? authority : span_from(authority, (size_t)(at - authority.data) + 1);
}
