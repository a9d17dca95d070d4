/* SPDX-License-Identifier: MIT */
/*
 * A protocol that exists only in the simulator, to exercise what the shipped ones do not.
 *
 * Lines that end with a newline. A request's first byte says what it is:
 *
 *     G   may be sent again if its link dies before a response byte
 *     !   expects no response
 *     C   ends the client's connection after its exchange
 *     A   is alone on its link
 *     L   likewise, and the link ends behind its response
 *     X   is no request at all (FRAME_INVALID)
 *     other   an ordinary request
 *
 * What follows, up to the second dot, is the request's tag (`3.7` in `N3.7.abc`).
 *
 * On its way to the target a request gets '>' in front; the target answers with lines that begin with
 * '<', which is taken away on the way back. Behind the '<': 'I' is an interim response, 'Z' one after
 * which the link carries no other, anything else an ordinary one; without '<' it is garbage.
 *
 * An error reply is `E <trouble> <tag>`, the tag '-' where there is no request; a malformed or
 * oversized request and --max-clients close the client behind it.
 */
#ifndef SIM_MODEL_PROTOCOL_H
#define SIM_MODEL_PROTOCOL_H

#include "protocol/protocol.h"

extern const struct protocol model_protocol;

/* The word of an error reply for a trouble. */
const char *model_trouble(enum trouble trouble);

/* For protocol `stream`, which has the same tags and error replies. */
uint64_t model_tag(struct span head);
struct reply model_error_reply(const struct protocol_settings *settings, enum trouble trouble,
                               uint16_t code, const struct request *request, uint8_t *out);

#endif
