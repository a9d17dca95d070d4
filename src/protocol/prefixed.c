/* SPDX-License-Identifier: MIT */
/*
 * What the protocols with a length in front share; see prefixed.h.
 *
 * Only the message type indicator of an ISO 8583 message is ever shown, and only if it can be one:
 * the rest may hold card numbers. It has four digits: version (0, 1, 2 for the editions of 1987,
 * 1993 and 2003; 8 national, 9 private), class (1 to 8), function and origin (ISO 8583-1).
 */
#include "protocol/prefixed.h"

#include <stdio.h>
#include <string.h>

enum { MTI_DIGITS = 4 };

enum frame_status prefixed_next(const struct protocol_settings *settings, struct framer *framer,
                                size_t size, struct span bytes, struct frame *frame)
{
    if (size > settings->message_bytes_max) {
        return FRAME_TOO_LARGE;
    }
    frame->size = size;
    if (bytes.size < size) {
        return FRAME_PARTIAL;
    }
    frame->ends = true;
    *framer = (struct framer){0};
    return FRAME_PIECE;
}

struct request prefixed_request(void)
{
    return (struct request){.expects_response = true};
}

static bool is_mti(const uint8_t digits[MTI_DIGITS])
{
    for (size_t index = 0; index < MTI_DIGITS; index++) {
        if (digits[index] > 9) {
            return false;
        }
    }
    return (digits[0] <= 2 || digits[0] >= 8) && digits[1] >= 1 && digits[1] <= 8;
}

/* Reads the indicator, one digit in each of `digits`. ASCII goes first, since ASCII digits can look
 * like BCD: "02" would be 3032, whose version 3 does not exist. */
static bool mti_find(struct span body, uint8_t digits[MTI_DIGITS])
{
    if (body.size >= MTI_DIGITS) {
        for (size_t index = 0; index < MTI_DIGITS; index++) {
            digits[index] = (uint8_t)(body.data[index] - '0');
        }
        if (is_mti(digits)) {
            return true;
        }
    }
    if (body.size >= MTI_DIGITS / 2) {
        for (size_t index = 0; index < MTI_DIGITS / 2; index++) {
            digits[2 * index] = body.data[index] >> 4;
            digits[2 * index + 1] = body.data[index] & 15;
        }
        return is_mti(digits);
    }
    return false;
}

void prefixed_describe(struct span message, size_t prefix_size, char *text, size_t capacity)
{
    const char *unit = message.size == 1 ? "byte" : "bytes";
    bool has_body = message.size > prefix_size;
    struct span body = has_body ? span_from(message, prefix_size) : (struct span){0};
    uint8_t digits[MTI_DIGITS];
    if (mti_find(body, digits)) {
        (void)snprintf(text, capacity, "MTI %d%d%d%d (%zu %s)", digits[0], digits[1], digits[2],
                       digits[3], message.size, unit);
    } else {
        (void)snprintf(text, capacity, "%s (%zu %s)", has_body ? "no MTI" : "empty", message.size,
                       unit);
    }
}
