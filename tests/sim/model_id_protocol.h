/* SPDX-License-Identifier: MIT */
/*
 * Protocol `model` with identifiers, for the simulator: every line has two hexadecimal digits in front of
 * its text, behind the '>' or '<' of the target's side. They are the client's own number on its side and
 * the link's on the target's. Responses come in any order. One that names another client than its
 * request's does not match. Nothing of it closes a client but garbage.
 *
 * Kind 'S' is a read that may be shared (see sharing.h): it names client 0 and, for its place, a key, which
 * its response must show.
 */
#ifndef SIM_MODEL_ID_PROTOCOL_H
#define SIM_MODEL_ID_PROTOCOL_H

#include "protocol/protocol.h"

/* Both have the same name, and differ in how many identifiers a link has: 256, or the fewest that it may. */
extern const struct protocol model_id_protocol, model_id_few_protocol;

#endif
