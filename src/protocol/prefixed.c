/* SPDX-License-Identifier: MIT */
/*
 * What the protocols with a length in front share; see prefixed.h.
 *
 * Of an ISO 8583 message only its type and its trace number are ever shown: the rest may hold card
 * numbers.
 */
#include "protocol/prefixed.h"

#include <inttypes.h>
#include <stdio.h>

#include "protocol/iso_message.h"

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

static struct span body_of(struct span message, size_t prefix_size)
{
    return message.size > prefix_size ? span_from(message, prefix_size) : (struct span){0};
}

struct request prefixed_request(struct span message, size_t prefix_size)
{
    struct iso_message shown = iso_message_read(body_of(message, prefix_size));
    return (struct request){.expects_response = true,
                            .is_blind = message.size > prefix_size && !shown.has_stan,
                            .key = iso_key_of(&shown)};
}

/* ---- answers ---- */

enum match prefixed_match(const struct protocol_settings *settings, const struct request *request,
                          struct span message, size_t prefix_size)
{
    if (settings->iso_ignore_mti) {
        return MATCH_ANSWER;
    }
    struct iso_message asked = iso_key_message(request->key);
    struct iso_message answer = iso_message_read(body_of(message, prefix_size));
    if (asked.has_mti && message.size <= prefix_size) {
        return MATCH_NONE;
    }
    switch (iso_answer_of(&asked, &answer)) {
    case ISO_ANSWER_UNKNOWN:
        return MATCH_ANSWER;
    case ISO_ANSWER_FITS:
        return asked.has_stan ? MATCH_WEAK : MATCH_ANSWER;
    case ISO_ANSWER_EXACT:
        return MATCH_PROOF;
    case ISO_ANSWER_OTHER_STAN:
        return MATCH_DOUBT;
    case ISO_ANSWER_NONE:
        break;
    }
    return MATCH_NONE;
}

bool prefixed_is_harmless(const struct protocol_settings *settings, struct span message,
                          size_t prefix_size)
{
    struct iso_message shown = iso_message_read(body_of(message, prefix_size));
    return !settings->iso_ignore_mti && (message.size <= prefix_size || iso_is_request(&shown));
}

void prefixed_explain(const struct request *request, struct span message, size_t prefix_size,
                      char *text, size_t capacity)
{
    struct iso_message asked = iso_key_message(request->key);
    struct iso_message answer = iso_message_read(body_of(message, prefix_size));
    if (message.size <= prefix_size) {
        (void)snprintf(text, capacity,
                       "an empty message does not answer MTI %04x; --iso-ignore-mti accepts it",
                       asked.mti);
    } else if (iso_answer_of(&asked, &answer) == ISO_ANSWER_OTHER_STAN) {
        (void)snprintf(text, capacity,
                       "MTI %04x with field 11 %06" PRIx32 " does not answer MTI %04x with field "
                       "11 %06" PRIx32 "; --iso-ignore-mti accepts it",
                       answer.mti, answer.stan, asked.mti, asked.stan);
    } else {
        (void)snprintf(text, capacity,
                       "MTI %04x does not answer MTI %04x; --iso-ignore-mti accepts it", answer.mti,
                       asked.mti);
    }
}

/* ---- for people ---- */

void prefixed_describe(struct span message, size_t prefix_size, char *text, size_t capacity)
{
    const char *unit = message.size == 1 ? "byte" : "bytes";
    struct iso_message shown = iso_message_read(body_of(message, prefix_size));
    if (shown.has_mti) {
        (void)snprintf(text, capacity, "MTI %04x (%zu %s)", shown.mti, message.size, unit);
    } else {
        (void)snprintf(text, capacity, "%s (%zu %s)",
                       message.size > prefix_size ? "no MTI" : "empty", message.size, unit);
    }
}
