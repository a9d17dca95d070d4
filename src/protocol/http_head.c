/* SPDX-License-Identifier: MIT */
/*
 * A head, line by line, into the few facts that frame a message.
 *
 * Each line is read once, when it is whole; the facts are bits, see http.h, so that a head may come
 * in any pieces without anything being kept but the bytes themselves. What only the whole head
 * shows (a missing Host, a length beside a coding) is looked at behind its last line.
 *
 * Heads go on as they came, so that whatever another program might read differently is refused
 * here: the table of refusals says what that is. RFC 9112 lets a recipient repair some of it; none
 * is repaired.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

/* Larger than any body, and far from where sums overflow. */
static const uint64_t LENGTH_MAX = INT64_MAX;

static void number_set(struct http_head *head, unsigned number)
{
    assert(number <= HTTP_NUMBER_BITS);
    head->bits |= (uint32_t)number << HTTP_NUMBER_SHIFT;
}

/* ---- first lines ---- */

/* Reads `HTTP/1.x`. A minor version above 1 is read as 1 (RFC 9110 section 2.5). */
static enum http_refusal read_version(struct http_head *head, struct span version,
                                      enum http_refusal malformed)
{
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.') {
        return malformed;
    }
    uint8_t major = version.data[5], minor = version.data[7];
    if (major < '0' || major > '9' || minor < '0' || minor > '9') {
        return malformed;
    }
    if (major != '1') {
        return HTTP_REFUSAL_VERSION;
    }
    if (minor == '0') {
        head->bits |= HTTP_VERSION_10;
    }
    return HTTP_FINE;
}

static enum http_method method_find(struct span method)
{
    static const struct {
        const char *name;
        enum http_method method;
    } rows[] = {
        {"GET", HTTP_GET},     {"HEAD", HTTP_HEAD},       {"OPTIONS", HTTP_OPTIONS},
        {"TRACE", HTTP_TRACE}, {"CONNECT", HTTP_CONNECT}, {"POST", HTTP_POST},
        {"PUT", HTTP_PUT},     {"PATCH", HTTP_PATCH},
    };
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        size_t size = strlen(rows[index].name);
        if (method.size == size && memcmp(method.data, rows[index].name, size) == 0) {
            return rows[index].method;
        }
    }
    return HTTP_OTHER;
}

static bool has_only_uri_bytes(struct span target)
{
    for (size_t index = 0; index < target.size; index++) {
        if (target.data[index] <= ' ' || target.data[index] >= 0x7F) {
            return false;
        }
    }
    return true;
}

/* origin-form, absolute-form or asterisk-form (RFC 9112 section 3.2). */
static bool is_target(struct http_head *head, struct span target)
{
    if (target.size == 0 || !has_only_uri_bytes(target)) {
        return false;
    }
    if (target.data[0] == '/' || (target.size == 1 && target.data[0] == '*')) {
        return true;
    }
    struct span authority;
    if (!http_target_authority(target, &authority) || authority.size > HTTP_AUTHORITY_BYTES_MAX) {
        return false;
    }
    head->bits |= HTTP_WHOLE_URI;
    struct span host = http_authority_host(authority);
    return host.size > 0 && http_is_host(host);
}

static enum http_refusal read_request_line(struct http_head *head, struct span line)
{
    const uint8_t *first = line.size == 0 ? NULL : memchr(line.data, ' ', line.size);
    const uint8_t *last = line.size == 0 ? NULL : memrchr(line.data, ' ', line.size);
    if (first == last) { /* none, or only one */
        return HTTP_REFUSAL_REQUEST_LINE;
    }
    size_t method_end = (size_t)(first - line.data), target_end = (size_t)(last - line.data);
    struct span method = http_part(line, 0, method_end);
    struct span target = http_part(line, method_end + 1, target_end);
    if (!http_is_token(method) || target.size == 0 ||
        memchr(target.data, ' ', target.size) != NULL) {
        return HTTP_REFUSAL_REQUEST_LINE;
    }
    enum http_refusal refusal =
        read_version(head, span_from(line, target_end + 1), HTTP_REFUSAL_REQUEST_LINE);
    if (refusal != HTTP_FINE) {
        bool is_preface = method.size == 3 && memcmp(line.data, "PRI", 3) == 0;
        return is_preface && refusal == HTTP_REFUSAL_VERSION ? HTTP_REFUSAL_HTTP2_PREFACE : refusal;
    }
    enum http_method known = method_find(method);
    if (known == HTTP_CONNECT) {
        return HTTP_REFUSAL_CONNECT;
    }
    number_set(head, known);
    return is_target(head, target) ? HTTP_FINE : HTTP_REFUSAL_TARGET;
}

/* The space behind the status may be missing when there is no reason: many devices leave it out,
 * and nobody reads that differently. */
static enum http_refusal read_status_line(struct http_head *head, struct span line)
{
    enum { VERSION_SIZE = 8, STATUS_END = 12 };
    if (line.size < STATUS_END || line.data[VERSION_SIZE] != ' ' ||
        (line.size > STATUS_END && line.data[STATUS_END] != ' ')) {
        return HTTP_REFUSAL_STATUS_LINE;
    }
    unsigned status = 0;
    for (size_t index = VERSION_SIZE + 1; index < STATUS_END; index++) {
        if (line.data[index] < '0' || line.data[index] > '9') {
            return HTTP_REFUSAL_STATUS_LINE;
        }
        status = status * 10 + (unsigned)(line.data[index] - '0');
    }
    if (status < 100) {
        return HTTP_REFUSAL_STATUS_LINE;
    }
    if (status == 101) {
        return HTTP_REFUSAL_SWITCHED;
    }
    number_set(head, status);
    return read_version(head, http_part(line, 0, VERSION_SIZE), HTTP_REFUSAL_STATUS_LINE);
}

/* ---- fields ---- */

/* Programs differ in whether a tab is white space here, and a difference is a smuggled request. */
static bool has_tab(struct span line)
{
    return memchr(line.data, '\t', line.size) != NULL;
}

static enum http_refusal read_content_length(struct http_head *head, struct span value)
{
    if ((head->bits & HTTP_LENGTH) != 0) {
        return HTTP_REFUSAL_LENGTH_TWICE;
    }
    head->bits |= HTTP_LENGTH;
    for (size_t index = 0; index < value.size; index++) {
        unsigned digit = (unsigned)value.data[index] - '0';
        if (digit > 9 || head->length > (LENGTH_MAX - digit) / 10) {
            return HTTP_REFUSAL_LENGTH_MALFORMED;
        }
        head->length = head->length * 10 + digit;
    }
    return value.size > 0 ? HTTP_FINE : HTTP_REFUSAL_LENGTH_MALFORMED;
}

/* A coding is a token and maybe parameters, of which chunked has none (RFC 9112 section 7). */
static enum http_refusal read_coding(struct http_head *head, struct span coding)
{
    if (http_is(coding, "chunked")) {
        if ((head->bits & HTTP_CHUNKED) != 0) {
            return HTTP_REFUSAL_CODING_TWICE;
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

static enum http_refusal read_transfer_encoding(struct http_head *head, struct span value)
{
    head->bits |= HTTP_CODED;
    struct span rest = value, coding;
    while (http_list_next(&rest, &coding)) {
        enum http_refusal refusal = read_coding(head, coding);
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

/* Cuts a line that may have any form; the value comes with the white space around it. */
static enum http_refusal split(struct span line, struct span *name, struct span *value)
{
    size_t size = 0;
    while (size < line.size && http_is_token_byte(line.data[size])) {
        size++;
    }
    if (size == 0 || size == line.size || line.data[size] != ':') {
        return why_no_field(line);
    }
    *name = http_part(line, 0, size);
    *value = span_from(line, size + 1);
    return HTTP_FINE;
}

static enum http_refusal read_field(enum direction direction, struct http_head *head,
                                    struct span line, bool is_strict)
{
    struct span name, value;
    enum http_refusal refusal = split(line, &name, &value);
    if (refusal != HTTP_FINE) {
        return refusal;
    }
    enum http_field field = http_field_find(name);
    if (field == HTTP_FIELD_OTHER) {
        return HTTP_FINE;
    }
    if (http_may_not_pass(field)) {
        head->bits |= HTTP_LOSES;
    }
    value = http_trim(value);
    switch ((int)field) {
    case HTTP_FIELD_CONTENT_LENGTH:
        return has_tab(line) ? HTTP_REFUSAL_TAB_IN_FRAMING : read_content_length(head, value);
    case HTTP_FIELD_TRANSFER_ENCODING:
        return has_tab(line) ? HTTP_REFUSAL_TAB_IN_FRAMING : read_transfer_encoding(head, value);
    case HTTP_FIELD_CONNECTION:
        return read_connection(head, value, is_strict);
    default:
        return direction == TO_TARGET ? read_request_field(head, field, value) : HTTP_FINE;
    }
}

enum http_refusal http_head_line(enum direction direction, struct http_head *head, struct span line,
                                 bool is_strict)
{
    if ((head->bits & HTTP_STARTED) != 0) {
        return read_field(direction, head, line, is_strict);
    }
    head->bits |= HTTP_STARTED;
    return direction == TO_TARGET ? read_request_line(head, line) : read_status_line(head, line);
}

enum http_refusal http_trailer_line(struct span line)
{
    struct span name, value;
    enum http_refusal refusal = split(line, &name, &value);
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

/* The rules of RFC 9112 section 6.3 in their order; a tunnel (rule 2) and a length beside a coding
 * (rule 3) are refused, malformed lengths (rule 5) too. */
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
    if (!is_chunked(head)) {
        return HTTP_REFUSAL_CODING_NOT_CHUNKED;
    }
    return (head->bits & HTTP_CODED_ELSE) != 0 ? HTTP_REFUSAL_CODING_UNKNOWN : HTTP_FINE;
}

enum http_refusal http_head_end(enum direction direction, const struct http_head *head,
                                const struct request *request)
{
    if ((head->bits & HTTP_CODED) != 0) {
        if ((head->bits & HTTP_VERSION_10) != 0) {
            return HTTP_REFUSAL_CODING_IN_HTTP10; /* RFC 9112 section 6.1 */
        }
        if ((head->bits & HTTP_LENGTH) != 0) {
            return HTTP_REFUSAL_LENGTH_AND_CODING;
        }
    }
    if (direction == TO_TARGET) {
        return end_request(head);
    }
    bool has_body = http_response_body(head, request) != HTTP_BODY_NONE;
    bool is_for_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    return has_body && is_for_10 && (head->bits & HTTP_CODED_ELSE) != 0
               ? HTTP_REFUSAL_CODING_FOR_HTTP10
               : HTTP_FINE;
}
