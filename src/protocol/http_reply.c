/* SPDX-License-Identifier: MIT */
/*
 * Error replies: small, of plain text, and saying that they come from the multiplexer.
 *
 * What a framer refused has its status and sentence in http_refusals.def; other trouble in the
 * table below. A reply to HEAD has no body, and the Content-Length that the body would have. The
 * client stays if its request was understood, so that only that request has failed.
 */
#include <assert.h>
#include <stdio.h>

#include "protocol/http.h"

struct trouble_row {
    uint16_t status;
    uint16_t retry_after_s; /* 0: not said */
    bool closes;
    const char *sentence;
};

static const struct trouble_row rows[TROUBLE_COUNT] = {
    [TROUBLE_UNREACHABLE] = {503, 5, false, "the target cannot be reached"},
    [TROUBLE_TIMEOUT] = {504, 0, false, "the target did not answer in time"},
    [TROUBLE_BROKEN] = {502, 0, false, "the target broke off, or its answer is not HTTP"},
    [TROUBLE_OVERLOADED] = {503, 1, false, "there is too much to do here"},
    [TROUBLE_REFUSED] = {501, 0, false, "this is not served here"},
    [TROUBLE_MALFORMED] = {400, 0, true, "this is no HTTP request"},
    [TROUBLE_TOO_LARGE] = {413, 0, true, "the request is larger than it may be"},
    [TROUBLE_CLIENT_TIMEOUT] = {408, 0, true, "the rest of the request did not come in time"},
    [TROUBLE_SHUTDOWN] = {503, 5, true, "the multiplexer is stopping"},
};

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 408:
        return "Request Timeout";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        assert(false); /* no row has another */
        return "";
    }
}

static const char *connection_of(const struct request *request, bool closes)
{
    if (closes) {
        return "Connection: close\r\n";
    }
    return (request->key & HTTP_KEY_CLIENT_10) != 0 ? "Connection: keep-alive\r\n" : "";
}

/* What is said about a response that a framer refused. */
static int body_write(char *out, size_t capacity, enum trouble trouble, enum http_refusal refusal)
{
    const char *sentence =
        refusal == HTTP_FINE ? rows[trouble].sentence : http_refusal_sentence(refusal);
    const char *subject =
        trouble == TROUBLE_BROKEN && refusal != HTTP_FINE ? "the target's answer is refused: " : "";
    return snprintf(out, capacity, "tcp-multiplexer: %s%s\n", subject, sentence);
}

struct reply http_error_reply(const struct protocol_settings *settings, enum trouble trouble,
                              uint16_t code, const struct request *request, uint8_t *out)
{
    (void)settings;
    assert((unsigned)trouble < TROUBLE_COUNT);
    assert((code & HTTP_CODE_REFUSAL_BITS) < HTTP_REFUSAL_COUNT);
    const struct trouble_row *row = &rows[trouble];
    enum http_refusal refusal = (enum http_refusal)(code & HTTP_CODE_REFUSAL_BITS);
    bool is_request_refused = refusal != HTTP_FINE && trouble != TROUBLE_BROKEN;
    unsigned status = is_request_refused ? http_refusal_status(refusal) : row->status;
    bool closes = request == NULL || request->closes || row->closes || is_request_refused;
    bool is_head = request == NULL ? (code & HTTP_CODE_HEAD) != 0 : request->kind == HTTP_HEAD;

    char body[256], retry[32] = "";
    int body_size = body_write(body, sizeof body, trouble, refusal);
    assert(body_size > 0 && (size_t)body_size < sizeof body);
    if (row->retry_after_s > 0) {
        (void)snprintf(retry, sizeof retry, "Retry-After: %u\r\n", row->retry_after_s);
    }
    int size = snprintf((char *)out, REPLY_BYTES_MAX,
                        "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                        "Cache-Control: no-store\r\n%s%s\r\n%s",
                        status, reason_of(status), body_size, retry, connection_of(request, closes),
                        is_head ? "" : body);
    assert(size > 0 && size < REPLY_BYTES_MAX);
    return (struct reply){.size = (size_t)size, .closes = closes};
}
