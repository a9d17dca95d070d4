/* SPDX-License-Identifier: MIT */
/*
 * The grammar of HTTP's text: bytes, lines, tokens, lists (RFC 9110 section 5.6, RFC 9112 section
 * 2).
 *
 * A line ends with CR LF, and holds no control character but the tab, unless its reader allows more. Nothing
 * here knows what a line means.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

/* ---- bytes ---- */

/* What each byte may be part of. Every byte of a head is looked up once or twice, hence a table. */
enum {
    BYTE_TOKEN = 1 << 0, /* RFC 9110 section 5.6.2 */
    BYTE_TEXT = 1 << 1,  /* what a line may hold (section 5.5: obs-text is passed, too) */
    BYTE_HOST = 1 << 2,  /* RFC 3986 section 3.2.2, outside of brackets */
    BYTE_ALNUM = 1 << 3,
};

/* clang-format off */
static const uint8_t byte_kinds[256] = {
    /* 00 */  0,  0,  0,  0,  0,  0,  0,  0,  0,  2,  0,  0,  0,  0,  0,  0,
    /* 10 */  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    /* 20 */  2,  7,  2,  3,  7,  7,  7,  7,  6,  6,  7,  7,  6,  7,  7,  2,
    /* 30 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  2,  6,  2,  6,  2,  2,
    /* 40 */  2, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    /* 50 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  2,  2,  2,  3,  7,
    /* 60 */  3, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    /* 70 */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,  2,  3,  2,  7,  0,
    /* 80 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* 90 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* A0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* B0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* C0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* D0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* E0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
    /* F0 */  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,  2,
};
/* clang-format on */

static bool is_letter_or_digit(uint8_t byte)
{
    return (byte_kinds[byte] & BYTE_ALNUM) != 0;
}

bool http_is_token_byte(uint8_t byte)
{
    return (byte_kinds[byte] & BYTE_TOKEN) != 0;
}

static bool is_text_byte(uint8_t byte)
{
    return (byte_kinds[byte] & BYTE_TEXT) != 0;
}

static uint8_t lower_of(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* ---- lines ---- */

/* Steps over eight bytes at a time while all of them are text, and none a tab. */
static size_t skip_words(const uint8_t *bytes, size_t index, size_t reach)
{
    const uint64_t ones = 0x0101010101010101, highs = ones * 0x80;
    for (; reach - index >= sizeof(uint64_t); index += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + index, sizeof word);
        uint64_t controls =
            (word - ones * 0x20) & ~word; /* a high bit where a byte is below 0x20 */
        uint64_t flipped = word ^ ones * 0x7F;
        uint64_t deletes = (flipped - ones) & ~flipped; /* where it is 0x7F */
        if (((controls | deletes) & highs) != 0) {
            break;
        }
    }
    return index;
}

enum http_refusal http_line_find(struct span bytes, size_t reach, unsigned allowed, size_t *at,
                                 bool *found)
{
    assert(reach <= bytes.size);
    *found = false;
    size_t index = *at;
    for (;;) { /* each round goes on behind a control byte */
        index = skip_words(bytes.data, index, reach);
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
            *at = index + 1;
            *found = (allowed & HTTP_LF_ENDS) != 0;
            return *found ? HTTP_FINE : HTTP_REFUSAL_BARE_LF;
        case '\0':
            return HTTP_REFUSAL_NUL_BYTE;
        default:
            if ((allowed & HTTP_CONTROLS_PASS) == 0) {
                return HTTP_REFUSAL_CONTROL_BYTE;
            }
            index++;
        }
    }
}

bool http_has_control(struct span value)
{
    for (size_t index = 0; index < value.size; index++) {
        uint8_t byte = value.data[index];
        if (!is_text_byte(byte) && byte != '\r' && byte != '\n') {
            return true;
        }
    }
    return false;
}

struct span http_line_text(struct span line)
{
    size_t size = line.size;
    size -= size > 0 && line.data[size - 1] == '\n';
    size -= size > 0 && line.data[size - 1] == '\r';
    return http_part(line, 0, size);
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

bool http_logical_line_next(struct span *rest, struct span *line)
{
    struct span more;
    if (!http_line_next(rest, line)) {
        return false;
    }
    while (rest->size > 0 && (rest->data[0] == ' ' || rest->data[0] == '\t') &&
           http_line_next(rest, &more)) {
        line->size += more.size;
    }
    return true;
}

bool http_field_name(struct span line, struct span *name)
{
    const uint8_t *colon = line.size == 0 ? NULL : memchr(line.data, ':', line.size);
    if (colon == NULL) {
        return false;
    }
    *name = http_part(line, 0, (size_t)(colon - line.data));
    return true;
}

bool http_field_split(struct span line, struct span *name, struct span *value)
{
    if (!http_field_name(line, name)) {
        return false;
    }
    *value = http_trim(span_from(line, name->size + 1));
    return true;
}

/* ---- words ---- */

/* The end of a line is white where another continues it. */
bool http_is_white(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

struct span http_trim(struct span text)
{
    size_t start = 0, end = text.size;
    while (start < end && http_is_white(text.data[start])) {
        start++;
    }
    while (end > start && http_is_white(text.data[end - 1])) {
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

int http_compare(struct span one, struct span other)
{
    if (one.size != other.size) {
        return one.size < other.size ? -1 : 1;
    }
    for (size_t index = 0; index < one.size; index++) {
        int order = lower_of(one.data[index]) - lower_of(other.data[index]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
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

/* Whether a token is this name, which has only lower-case letters and '-': of what a token may hold, only a
 * letter's two cases become the same with this bit. */
static bool is_name(struct span token, const char *name)
{
    for (size_t index = 0; index < token.size; index++) {
        if ((token.data[index] | 0x20) != name[index]) {
            return false;
        }
    }
    return true;
}

/* The name is a token. There are two known ones of a size at most; most sizes have none. */
enum http_field http_field_find(struct span name)
{
    static const struct {
        const char *names[2];
        uint8_t fields[2];
    } rows[] = {
        [2] = {{"te"}, {HTTP_FIELD_TE}},
        [4] = {{"host"}, {HTTP_FIELD_HOST}},
        [6] = {{"expect"}, {HTTP_FIELD_EXPECT}},
        [7] = {{"trailer", "upgrade"}, {HTTP_FIELD_TRAILER, HTTP_FIELD_UPGRADE}},
        [10] = {{"connection", "keep-alive"}, {HTTP_FIELD_CONNECTION, HTTP_FIELD_KEEP_ALIVE}},
        [13] = {{"authorization"}, {HTTP_FIELD_AUTHORIZATION}},
        [14] = {{"content-length",
                 "content\x7flength"}, /* '_' with the bit is 0x7F, which no token has */
                {HTTP_FIELD_CONTENT_LENGTH, HTTP_FIELD_UNDERSCORED}},
        [16] = {{"proxy-connection", "www-authenticate"},
                {HTTP_FIELD_PROXY_CONNECTION, HTTP_FIELD_WWW_AUTHENTICATE}},
        [17] = {{"transfer-encoding", "transfer\x7f"
                                      "encoding"},
                {HTTP_FIELD_TRANSFER_ENCODING, HTTP_FIELD_UNDERSCORED}},
        [18] = {{"proxy-authenticate"}, {HTTP_FIELD_PROXY_AUTHENTICATE}},
        [19] = {{"proxy-authorization"}, {HTTP_FIELD_PROXY_AUTHORIZATION}},
    };
    for (size_t index = 0; name.size < ARRAY_COUNT(rows) && index < 2; index++) {
        const char *known = rows[name.size].names[index];
        if (known != NULL && is_name(name, known)) {
            return (enum http_field)rows[name.size].fields[index];
        }
    }
    return HTTP_FIELD_OTHER;
}

/* ---- hosts ---- */

static bool is_host_byte(uint8_t byte)
{
    return (byte_kinds[byte] & BYTE_HOST) != 0;
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
