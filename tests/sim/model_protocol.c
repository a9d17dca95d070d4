/* SPDX-License-Identifier: MIT */
/* The simulator's own protocol; see model_protocol.h. The tag is kept in request->key as
 * client << 32 | sequence, which is what error_reply has to go by. */
#include "model_protocol.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static enum frame_status cut_line(const struct protocol_settings *settings, struct framer *framer,
                                  struct span bytes, struct frame *frame)
{
    *frame = (struct frame){0};
    assert(framer->scanned <= bytes.size);
    struct span fresh = span_from(bytes, framer->scanned);
    const uint8_t *newline = fresh.size == 0 ? NULL : memchr(fresh.data, '\n', fresh.size);
    if (newline == NULL) {
        framer->scanned = (uint32_t)bytes.size;
        return bytes.size >= settings->message_bytes_max ? FRAME_TOO_LARGE : FRAME_PARTIAL;
    }
    frame->size = (size_t)(newline - bytes.data) + 1;
    if (frame->size > settings->message_bytes_max) {
        return FRAME_TOO_LARGE;
    }
    frame->ends = true;
    *framer = (struct framer){0};
    return FRAME_PIECE;
}

static uint64_t number_at(struct span line, size_t *at)
{
    uint64_t value = 0;
    for (; *at < line.size && line.data[*at] >= '0' && line.data[*at] <= '9'; (*at)++) {
        value = (value * 10 + line.data[*at] - '0') & UINT32_MAX;
    }
    (*at)++;
    return value;
}

uint64_t model_tag(struct span head)
{
    size_t at = 1;
    uint64_t client = number_at(head, &at);
    return client << 32 | number_at(head, &at);
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    if (bytes.size > 0 && bytes.data[0] == 'X') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status == FRAME_PIECE) {
        *request = (struct request){.expects_response = bytes.data[0] != '!',
                                    .resendable = bytes.data[0] == 'G',
                                    .closes = bytes.data[0] == 'C',
                                    .alone = bytes.data[0] == 'A' || bytes.data[0] == 'L',
                                    .ends_link = bytes.data[0] == 'L',
                                    .kind = bytes.data[0],
                                    .key = model_tag(bytes)};
    }
    return status;
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    assert(request->expects_response);
    if (bytes.size > 0 && bytes.data[0] != '<') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status == FRAME_PIECE) {
        frame->interim = bytes.data[1] == 'I';
        frame->closes = bytes.data[1] == 'Z';
    }
    return status;
}

static size_t edit(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out)
{
    (void)settings;
    (void)request;
    (void)id;
    assert(kind == 0);
    if (direction == TO_TARGET) {
        out[0] = '>';
        memcpy(out + 1, piece.data, piece.size);
        return piece.size + 1;
    }
    assert(piece.data[0] == '<');
    memcpy(out, piece.data + 1, piece.size - 1);
    return piece.size - 1;
}

const char *model_trouble(enum trouble trouble)
{
    static const char *const words[TROUBLE_COUNT] = {
        [TROUBLE_UNREACHABLE] = "unreachable", [TROUBLE_TIMEOUT] = "timeout",
        [TROUBLE_BROKEN] = "broken",           [TROUBLE_OVERLOADED] = "overloaded",
        [TROUBLE_REFUSED] = "refused",         [TROUBLE_MALFORMED] = "malformed",
        [TROUBLE_TOO_LARGE] = "too_large",     [TROUBLE_CLIENT_TIMEOUT] = "client_timeout",
        [TROUBLE_SHUTDOWN] = "shutdown",
    };
    return words[trouble];
}

struct reply model_error_reply(const struct protocol_settings *settings, enum trouble trouble,
                               uint16_t code, const struct request *request, uint8_t *out)
{
    (void)settings;
    (void)code;
    int size = request == NULL
                   ? snprintf((char *)out, REPLY_BYTES_MAX, "E %s -\n", model_trouble(trouble))
                   : snprintf((char *)out, REPLY_BYTES_MAX, "E %s %u.%u\n", model_trouble(trouble),
                              (unsigned)(request->key >> 32), (unsigned)request->key);
    assert(size > 0 && size < REPLY_BYTES_MAX);
    return (struct reply){.size = (size_t)size, .closes = request == NULL};
}

static void describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    (void)snprintf(text, capacity, "%s of %zu bytes",
                   direction == TO_TARGET ? "request" : "response", message.size);
}

const struct protocol model_protocol = {
    .name = "model",
    .sentence = "lines with every property that a protocol may have, for the simulator",
    .matching = MATCH_BY_ORDER,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .edit = edit,
    .error_reply = model_error_reply,
    .describe = describe,
};
