/* SPDX-License-Identifier: MIT */
/*
 * The first lines of heads: a method, a target and a version, or a version and a status.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

static void number_set(struct http_head *head, unsigned number)
{
    assert(number <= HTTP_NUMBER_BITS);
    head->bits |= (uint32_t)number << HTTP_NUMBER_SHIFT;
}

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

/* Above 0x7F there is none; but many programs send such bytes, and all pass them. */
static bool has_only_uri_bytes(struct span target, bool is_strict)
{
    for (size_t index = 0; index < target.size; index++) {
        uint8_t byte = target.data[index];
        if (byte <= ' ' || byte == 0x7F || (byte > 0x7F && is_strict)) {
            return false;
        }
    }
    return true;
}

/* origin-form, absolute-form or asterisk-form (RFC 9112 section 3.2). */
static bool is_target(struct http_head *head, struct span target, bool is_strict)
{
    if (target.size == 0 || !has_only_uri_bytes(target, is_strict)) {
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

enum http_refusal http_request_line(struct http_head *head, struct span line, bool is_strict)
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
    return is_target(head, target, is_strict) ? HTTP_FINE : HTTP_REFUSAL_TARGET;
}

/* The space behind the status may be missing when there is no reason: many devices leave it out,
 * and nobody reads that differently. */
enum http_refusal http_status_line(struct http_head *head, struct span line)
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
