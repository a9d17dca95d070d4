/* SPDX-License-Identifier: MIT */
/* What the unit tests of HTTP share: framing a text in every way, and the limits they use. */
#ifndef TESTS_UNIT_HTTP_UNIT_H
#define TESTS_UNIT_HTTP_UNIT_H

#include <string.h>

#include "lib/framing.h"
#include "protocol/http.h"
#include "protocol/registry.h"

enum { HTTP_HEAD_LIMIT = 64 * 1024 };

static inline struct framing http_requests(void)
{
    return (struct framing){.protocol = &protocol_http,
                            .direction = TO_TARGET,
                            .settings = {.head_bytes_max = HTTP_HEAD_LIMIT}};
}

/* Responses to a request with this method of an HTTP/1.1 client. */
static inline struct framing http_responses(enum http_method method)
{
    return (struct framing){.protocol = &protocol_http,
                            .direction = TO_CLIENT,
                            .settings = {.head_bytes_max = HTTP_HEAD_LIMIT},
                            .request = {.expects_response = true, .kind = (uint8_t)method}};
}

/* Frames the text whole and in parts; the outcome is the caller's to deinit. */
static inline struct framing_outcome http_frame(const struct framing *framing, const char *text)
{
    struct framing_outcome outcome;
    framing_check(framing, span_of(text, strlen(text)), &outcome);
    return outcome;
}

#endif
