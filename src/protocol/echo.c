/* SPDX-License-Identifier: MIT */
/*
 * Lines: a message ends with `\n`, every other byte passes unchanged (`\r` and NUL too).
 *
 * The line's end is searched from where the last search stopped, and never behind the largest
 * message, so that a sender of single bytes costs linear time. Requests and responses are framed
 * alike. There is no error reply, since any line could be an answer.
 */
#include <stdio.h>
#include <string.h>

#include "protocol/registry.h"

static enum frame_status frame_next(const struct protocol_settings *settings, struct framer *framer,
                                    struct span bytes, struct frame *frame)
{
    *frame = (struct frame){0};
    size_t limit = settings->message_bytes_max;
    size_t reach = bytes.size < limit ? bytes.size : limit;
    if (reach > framer->scanned) {
        struct span fresh = span_from(bytes, framer->scanned);
        const uint8_t *end = memchr(fresh.data, '\n', reach - framer->scanned);
        if (end != NULL) {
            *frame = (struct frame){.size = (size_t)(end - bytes.data) + 1, .ends = true};
            *framer = (struct framer){0};
            return FRAME_PIECE;
        }
    }
    framer->scanned = (uint32_t)reach;
    return bytes.size > limit ? FRAME_TOO_LARGE : FRAME_PARTIAL;
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    enum frame_status status = frame_next(settings, framer, bytes, frame);
    if (status == FRAME_PIECE) {
        *request = (struct request){.expects_response = true, .is_blind = true};
    }
    return status;
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    (void)request;
    return frame_next(settings, framer, bytes, frame);
}

static bool is_harmless(const struct protocol_settings *settings, const struct request *request,
                        struct span message)
{
    (void)request;
    if (message.size == 0) {
        return settings->ignore_lines_count > 0;
    }
    for (size_t index = 0; index < settings->ignore_lines_count; index++) {
        const char *prefix = settings->ignore_lines[index];
        size_t size = strlen(prefix);
        if (message.size >= size && memcmp(message.data, prefix, size) == 0) {
            return true;
        }
    }
    return false;
}

/* Writes how a byte is shown, at most 4 characters and a NUL, and returns how many. */
static size_t byte_show(uint8_t byte, char *text)
{
    bool is_printable = byte >= 0x20 && byte < 0x7F;
    if (byte == '\r') {
        return (size_t)snprintf(text, 5, "\\r");
    }
    if (byte == '\\' || !is_printable) {
        return (size_t)snprintf(text, 5, "\\x%02x", byte);
    }
    text[0] = (char)byte;
    return 1;
}

/* The line without its end, escaped, and the size of the message: `hello\r (7 bytes)`. */
static void describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    static const char ellipsis[] = "…";
    (void)direction;
    char tail[40];
    size_t tail_size = (size_t)snprintf(tail, sizeof tail, " (%zu %s)", message.size,
                                        message.size == 1 ? "byte" : "bytes");
    if (capacity <= sizeof ellipsis + tail_size) {
        (void)snprintf(text, capacity, "%s", tail + 1); /* no room to show any of the line */
        return;
    }
    size_t room = capacity - sizeof ellipsis - tail_size; /* the NUL is counted with the ellipsis */
    size_t line_size = message.size;
    if (line_size > 0 && message.data[line_size - 1] == '\n') {
        line_size--;
    }
    size_t size = 0;
    for (size_t index = 0; index < line_size; index++) {
        char shown[8];
        size_t shown_size = byte_show(message.data[index], shown);
        if (shown_size > room - size) {
            memcpy(text + size, ellipsis, sizeof ellipsis - 1);
            size += sizeof ellipsis - 1;
            break;
        }
        memcpy(text + size, shown, shown_size);
        size += shown_size;
    }
    const char *rest = size == 0 ? tail + 1 : tail; /* without the space behind nothing */
    memcpy(text + size, rest, strlen(rest) + 1);
}

const struct protocol protocol_echo = {
    .name = "echo",
    .sentence = "lines that end with a newline; each is answered by one line",
    .matching = MATCH_BY_ORDER,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .is_harmless = is_harmless,
    .describe = describe,
};
