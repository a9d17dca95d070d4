/* SPDX-License-Identifier: MIT */
/*
 * What the protocols with a length in front of ISO 8583 messages share: cutting the stream once the
 * length is known, the fields of a request, and a description that shows nothing of a card.
 */
#ifndef PROTOCOL_PREFIXED_H
#define PROTOCOL_PREFIXED_H

#include "protocol/protocol.h"

/* Cuts a message of `size` bytes, its prefix included. The prefix is there already, so that the
 * size is known and nothing need be remembered: the framer stays zeroed. */
enum frame_status prefixed_next(const struct protocol_settings *settings, struct framer *framer,
                                size_t size, struct span bytes, struct frame *frame);

/* Every request expects one response and may have an effect, so that it is never sent twice. */
struct request prefixed_request(void);

/* Describes a message whose first `prefix_size` bytes are its length: the message type indicator
 * (in ASCII digits or BCD, if it looks like one) and the size, for example `MTI 0200 (124 bytes)`.
 */
void prefixed_describe(struct span message, size_t prefix_size, char *text, size_t capacity);

#endif
