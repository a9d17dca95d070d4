/* SPDX-License-Identifier: MIT */
/*
 * What the protocols with a length in front of ISO 8583 messages share: cutting the stream once the
 * length is known, the fields of a request, which message answers it, and a description that shows
 * nothing of a card. A `prefix_size` is the bytes that the length takes.
 */
#ifndef PROTOCOL_PREFIXED_H
#define PROTOCOL_PREFIXED_H

#include "protocol/protocol.h"

/* Cuts a message of `size` bytes, its prefix included. The prefix is there already, so that the
 * size is known and nothing need be remembered: the framer stays zeroed. */
enum frame_status prefixed_next(const struct protocol_settings *settings, struct framer *framer,
                                size_t size, struct span bytes, struct frame *frame);

/* Every request expects one response and may have an effect, so that it is never sent twice. Its key
 * is what it shows of itself (iso_message.h); what shows no field 11 is blind, but for a sign of life. */
struct request prefixed_request(struct span message, size_t prefix_size);

/* Whether a message answers a request, by type and field 11 (iso_answer_of). An empty one is no answer
 * to a request that shows its type. */
enum match prefixed_match(const struct protocol_settings *settings, const struct request *request,
                          struct span message, size_t prefix_size);

/* Harmless is what can be no answer that has lost its request: an empty message, which is a sign of life,
 * and a request of the host's own. */
bool prefixed_is_harmless(const struct protocol_settings *settings, struct span message,
                          size_t prefix_size);

/* Why a message is no answer: `MTI 0800 does not answer MTI 0200`. */
void prefixed_explain(const struct request *request, struct span message, size_t prefix_size,
                      char *text, size_t capacity);

/* Describes a message: the message type indicator (in ASCII digits or BCD, if it looks like one) and the
 * size, for example `MTI 0200 (124 bytes)`. */
void prefixed_describe(struct span message, size_t prefix_size, char *text, size_t capacity);

#endif
