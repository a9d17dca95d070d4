/* SPDX-License-Identifier: MIT */
/*
 * Protocol `model` with identifiers, for the simulator: every line has two hexadecimal digits in front of
 * its text, behind the '>' or '<' of the target's side. They are the client's own number on its side and
 * the link's on the target's. Responses come in any order. One that names another client than its
 * request's does not match. Nothing of it closes a client but garbage.
 */
#ifndef SIM_MODEL_ID_PROTOCOL_H
#define SIM_MODEL_ID_PROTOCOL_H

#include "protocol/protocol.h"

extern const struct protocol model_id_protocol;

#endif
