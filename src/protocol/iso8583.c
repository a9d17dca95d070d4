/* SPDX-License-Identifier: MIT */
/*
 * ISO 8583 over TCP as most hosts of card payments speak it: two bytes of length, big-endian, that
 * do not count themselves, and then so many bytes. What is inside is not looked at.
 *
 * A length of zero is a whole message of two bytes; some hosts use it to see whether the line is
 * alive. Requests and responses are framed alike. There is no error reply: one would need the
 * request's own dialect of fields.
 */
#include "base/endian.h"
#include "protocol/prefixed.h"
#include "protocol/registry.h"

enum { PREFIX_SIZE = 2 };

static enum frame_status frame_next(const struct protocol_settings *settings, struct framer *framer,
                                    struct span bytes, struct frame *frame)
{
    *frame = (struct frame){0};
    if (bytes.size < PREFIX_SIZE) {
        return FRAME_PARTIAL;
    }
    size_t size = PREFIX_SIZE + (size_t)load_be16(bytes.data);
    return prefixed_next(settings, framer, size, bytes, frame);
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

const struct protocol protocol_iso8583 = {
    .name = "iso8583",
    .sentence = "ISO 8583 messages behind a length of two bytes, big-endian",
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
