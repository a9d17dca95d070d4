/* SPDX-License-Identifier: MIT */
/*
 * A protocol that exists only in the simulator: messages of several pieces, which may be larger than
 * every buffer. What `model` is to the bounded protocols this is to HTTP.
 *
 * A message is a head, which is a line, and maybe a body:
 *
 *     head                     has no body
 *     head:  chunks  .         a body in chunks, each `+<count>` on a line and then as many bytes
 *     head*  bytes             a body until the target's end-of-stream; responses only
 *
 * A request's first byte says what it is, and its tag is the same as in `model`:
 *
 *     G   may be sent again if its link dies before a response byte; never has a body
 *     !   expects no response
 *     C   ends the client's connection after its exchange
 *     E   takes a link with its head, though its body is to come
 *     O   comes from an old client, which knows no chunks: a body is told to end by closing it
 *     L   is alone on its link, which ends behind its response
 *     X   is no request at all (FRAME_INVALID)
 *     other   an ordinary request
 *
 * A line is too large beyond message_bytes_max, a body beyond body_bytes_max. The bytes of a body pass as
 * they come, so how they are cut depends on how they came.
 *
 * On its way to the target a head gets '>' in front. The target's heads begin with '<', which becomes
 * '=', or '/' when the client's connection ends behind the response; behind it: 'I' is an interim
 * response (without body), 'Z' one after which the link carries no other. In a body towards the client
 * small letters become capitals and `+` becomes `=`, lines that begin with '~' are left out, and for an old
 * client all lines are. A body until the target's end-of-stream goes on in chunks as it comes, with `.` at
 * its end; for an old client the end of its connection is its end.
 *
 * Error replies are those of `model`.
 */
#ifndef SIM_STREAM_PROTOCOL_H
#define SIM_STREAM_PROTOCOL_H

#include "protocol/protocol.h"

extern const struct protocol stream_protocol;

#endif
