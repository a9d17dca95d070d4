/* SPDX-License-Identifier: MIT */
/*
 * Where a request ends in each protocol, and how the target answers it; see target.h.
 *
 * Frames of echo, iso8583 and modbus go back as they came. An http request is answered with its path:
 *
 *     GET PATH?size=N      200 and N bytes: PATH, and the pattern from there on
 *     POST PATH            200 and `PATH SIZE` when the body was the pattern, 422 otherwise
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "text.h"

enum { HEAD_BYTES = 256, MBAP_LENGTH_AT = 4, MBAP_COUNTED_FROM = 6 };

static void take_frame(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct job *job = job_begin(connection, size);
    memcpy(job->bytes, bytes, size);
    job->size = size;
    job_enqueue(job);
}

static size_t cut_line(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memchr(bytes, '\n', size);
    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}

/* The length is behind `at` bytes and counts what is behind it and them. */
static size_t cut_counted(const uint8_t *bytes, size_t size, size_t at)
{
    if (size < at + 2) {
        return 0;
    }
    size_t whole = at + 2 + ((size_t)bytes[at] << 8 | bytes[at + 1]);
    return whole <= size ? whole : 0;
}

static size_t cut_iso8583(const uint8_t *bytes, size_t size)
{
    return cut_counted(bytes, size, 0);
}

static size_t cut_modbus(const uint8_t *bytes, size_t size)
{
    if (size >= MBAP_LENGTH_AT && (bytes[2] != 0 || bytes[3] != 0)) {
        return SIZE_MAX;
    }
    return cut_counted(bytes, size, MBAP_LENGTH_AT);
}

/* ---- http ---- */

static void answer_http(struct connection *connection, const char *status, const char *text,
                        uint64_t pattern_size)
{
    struct job *job = job_begin(connection, HEAD_BYTES + PATH_MAX_BYTES);
    size_t text_size = strlen(text);
    int size = snprintf((char *)job->bytes, job->capacity,
                        "HTTP/1.1 %s\r\nContent-Length: %" PRIu64 "\r\n\r\n%s", status,
                        text_size + pattern_size, text);
    job->size = (size_t)size;
    job->pattern_offset = text_size;
    job->pattern_size = pattern_size;
    job_enqueue(job);
}

static size_t cut_head(const uint8_t *bytes, size_t size)
{
    size_t whole = http_head_size(bytes, size);
    return whole == 0 && size >= HTTP_HEAD_MAX ? SIZE_MAX : whole;
}

static void answer_get(struct connection *connection)
{
    static const char query[] = "?size=";
    char *found = strstr(connection->path, query);
    uint64_t wanted = 0;
    if (found != NULL) {
        wanted = strtoull(found + sizeof query - 1, NULL, 10);
        *found = '\0';
    }
    size_t path_size = strlen(connection->path);
    answer_http(connection, "200 OK", connection->path,
                wanted > path_size ? wanted - path_size : 0);
}

static void answer_upload(struct connection *connection)
{
    char text[PATH_MAX_BYTES + 32];
    snprintf(text, sizeof text, "%s %" PRIu64, connection->path, connection->upload_size);
    answer_http(connection, connection->is_upload_right ? "200 OK" : "422 Unprocessable Content",
                text, 0);
}

/* Whatever has a body of known length is an upload, everything else is a GET. */
static void take_head(struct connection *connection, const uint8_t *bytes, size_t size)
{
    const uint8_t *path = memchr(bytes, ' ', size);
    const uint8_t *end =
        path == NULL ? NULL : memchr(path + 1, ' ', size - (size_t)(path - bytes) - 1);
    size_t path_size = end == NULL ? PATH_MAX_BYTES : (size_t)(end - path) - 1;
    if (path_size >= PATH_MAX_BYTES) {
        connection_close(connection);
        return;
    }
    memcpy(connection->path, path + 1, path_size);
    connection->path[path_size] = '\0';
    uint64_t body = http_content_length(bytes, size);
    if (body == UINT64_MAX || body == 0) {
        answer_get(connection);
        return;
    }
    connection->upload_size = body;
    connection->upload_left = body;
    connection->is_upload_right = true;
}

size_t target_wire_upload(struct connection *connection, const uint8_t *bytes, size_t size)
{
    size_t part = size < connection->upload_left ? size : (size_t)connection->upload_left;
    uint64_t offset = connection->upload_size - connection->upload_left;
    connection->is_upload_right &= pattern_matches(offset, bytes, part);
    connection->upload_left -= part;
    if (part > 0 && connection->upload_left == 0) {
        answer_upload(connection);
    }
    return part;
}

static const struct target_wire wires[] = {
    {.name = "echo", .cut = cut_line, .take = take_frame},
    {.name = "http", .cut = cut_head, .take = take_head},
    {.name = "modbus", .cut = cut_modbus, .take = take_frame},
    {.name = "iso8583", .cut = cut_iso8583, .take = take_frame},
};

const struct target_wire *target_wire_find(const char *name)
{
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        if (strcmp(wires[i].name, name) == 0) {
            return &wires[i];
        }
    }
    return NULL;
}
