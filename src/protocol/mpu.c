/* SPDX-License-Identifier: MIT */
/*
 * ISO 8583 behind a length that people can read: four ASCII digits that do not count themselves,
 * and then so many bytes, 0 to 9999. What is inside is not looked at.
 *
 * `0000` is a whole message, a sign of life. A byte that is no digit where the length belongs makes
 * the stream invalid at once, even while the other digits have not come. Requests and responses are
 * framed alike, and there is no error reply, as in iso8583.c.
 */
#include "protocol/prefixed.h"
#include "protocol/registry.h"

enum { PREFIX_SIZE = 4 };

static enum frame_status frame_next(const struct protocol_settings *settings, struct framer *framer,
                                    struct span bytes, struct frame *frame)
{
    *frame = (struct frame){0};
    size_t length = 0;
    for (size_t index = 0; index < PREFIX_SIZE; index++) {
        if (index == bytes.size) {
            return FRAME_PARTIAL;
        }
        uint8_t byte = bytes.data[index];
        if (byte < '0' || byte > '9') {
            return FRAME_INVALID;
        }
        length = length * 10 + (size_t)(byte - '0');
    }
    return prefixed_next(settings, framer, PREFIX_SIZE + length, bytes, frame);
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    enum frame_status status = frame_next(settings, framer, bytes, frame);
    if (status == FRAME_PIECE) {
        *request = prefixed_request(span_of(bytes.data, frame->size), PREFIX_SIZE);
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

static enum match match(const struct protocol_settings *settings, const struct request *request,
                        struct span piece)
{
    return prefixed_match(settings, request, piece, PREFIX_SIZE);
}

static bool is_harmless(const struct protocol_settings *settings, const struct request *request,
                        struct span message)
{
    return request == NULL && prefixed_is_harmless(settings, message, PREFIX_SIZE);
}

static void explain(const struct request *request, struct span piece, char *text, size_t capacity)
{
    prefixed_explain(request, piece, PREFIX_SIZE, text, capacity);
}

static void describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    (void)direction;
    prefixed_describe(message, PREFIX_SIZE, text, capacity);
}

const struct protocol protocol_mpu = {
    .name = "mpu",
    .sentence = "ISO 8583 messages behind a length of four ASCII digits",
    .matching = MATCH_BY_ORDER,
    .lock_step = "hosts may answer out of order, and nothing that is looked at "
                 "tells their answers apart",
    .frame_request = frame_request,
    .frame_response = frame_response,
    .match = match,
    .is_harmless = is_harmless,
    .explain = explain,
    .describe = describe,
};
