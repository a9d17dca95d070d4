/* SPDX-License-Identifier: MIT */
/*
 * The http wire of the load generator; see load_wire.h. Connections are kept.
 *
 *     GET /000007/0000000012?size=64 HTTP/1.1      200, and 64 bytes: /000007/0000000012 and the pattern
 *     POST /000007/0000000012 HTTP/1.1             200, and /000007/0000000012 SIZE, the size being that
 *                                                  of the body, which is the pattern from its beginning
 *
 * So any server is a target that answers with the path, as long as --size is that of the path (18).
 * The pattern behind the path goes on from the path's size.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load_wire.h"
#include "text.h"

enum { PATH_SIZE = 18, CLIENT_AT = 1, CLIENT_DIGITS = 6, SEQUENCE_AT = 8, SEQUENCE_DIGITS = 10 };

static const char path[] = "/000000/0000000000";

static uint8_t request[256];
static size_t request_size, path_at;
static uint64_t upload_size;

/* What the body of an answer is before the pattern, and its whole size. */
static uint8_t answer_text[64];
static size_t answer_text_size;
static uint64_t answer_size;

static void prepare(const struct wire_sizes *sizes)
{
    upload_size = sizes->upload;
    int size;
    int text_size;
    if (upload_size > 0) {
        path_at = sizeof "POST " - 1;
        size = snprintf((char *)request, sizeof request,
                        "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Length: %" PRIu64 "\r\n\r\n",
                        path, upload_size);
        text_size =
            snprintf((char *)answer_text, sizeof answer_text, "%s %" PRIu64, path, upload_size);
        answer_size = (uint64_t)text_size;
    } else {
        path_at = sizeof "GET " - 1;
        answer_size = sizes->download > 0 ? sizes->download : sizes->message;
        size =
            snprintf((char *)request, sizeof request,
                     "GET %s?size=%" PRIu64 " HTTP/1.1\r\nHost: bench\r\n\r\n", path, answer_size);
        text_size = snprintf((char *)answer_text, sizeof answer_text, "%s", path);
    }
    request_size = (size_t)size;
    answer_text_size = (size_t)text_size;
}

static void write_path(uint8_t *out, uint32_t client, uint32_t sequence)
{
    write_digits(out + CLIENT_AT, CLIENT_DIGITS, client);
    write_digits(out + SEQUENCE_AT, SEQUENCE_DIGITS, sequence);
}

static size_t write_request(uint32_t client, uint32_t sequence, const uint8_t **bytes)
{
    write_path(request + path_at, client, sequence);
    *bytes = request;
    return request_size;
}

static enum head_status head(uint32_t client, const uint8_t *bytes, size_t size,
                             struct answer *answer)
{
    static const char status[] = "HTTP/1.1 200 ";
    enum { STATUS_SIZE = sizeof status - 1 };
    (void)client;
    size_t head_size = http_head_size(bytes, size);
    if (head_size == 0) {
        return HEAD_PARTIAL;
    }
    if (head_size < STATUS_SIZE || memcmp(bytes, status, STATUS_SIZE) != 0) {
        return HEAD_WRONG;
    }
    *answer =
        (struct answer){.head_size = head_size, .body_size = http_content_length(bytes, head_size)};
    return answer->body_size == answer_size ? HEAD_WHOLE : HEAD_WRONG;
}

static bool body(uint32_t client, uint32_t sequence, uint64_t offset, const uint8_t *bytes,
                 size_t size)
{
    if (offset < answer_text_size) {
        size_t left = answer_text_size - (size_t)offset;
        size_t part = size < left ? size : left;
        write_path(answer_text, client, sequence);
        if (memcmp(answer_text + offset, bytes, part) != 0) {
            return false;
        }
        offset += part;
        bytes += part;
        size -= part;
    }
    return pattern_matches(offset, bytes, size);
}

const struct wire wire_http = {
    .name = "http",
    .size_min = PATH_SIZE,
    .size_max = 65536,
    .head_max = HTTP_HEAD_MAX,
    .carries_bodies = true,
    .prepare = prepare,
    .request = write_request,
    .head = head,
    .body = body,
};
