/* SPDX-License-Identifier: MIT */
/*
 * What clients and targets of the simulator say: a text, dressed in the framing of the protocol under
 * test. Written independently of src/protocol, so that the two check each other.
 *
 * The text of a request names its client and its place in that client's sequence, `N3.7.kqzt`; the
 * text of the response is computed from the whole request, so whoever has read the request can answer
 * it, and whoever sent it knows what must come back. The client's side and the target's side of a
 * message differ only in protocol `model`, which edits.
 */
#ifndef SIM_MESSAGE_H
#define SIM_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "protocol/protocol.h"

enum side { CLIENT_SIDE, TARGET_SIDE };
enum speaker { REQUEST, RESPONSE };

enum cut { CUT_PARTIAL, CUT_WHOLE, CUT_INVALID };

enum { MESSAGE_HEAD_BYTES_MAX = 48 }; /* of any text before its letters, with framing */

struct dialect {
    const struct protocol *protocol;
    size_t message_bytes_max;
};

/* Protocol `model-id`: two digits in front of each text are an identifier, the client's own on its side,
 * the link's on the target's. */
bool dialect_has_ids(const struct dialect *dialect);
/* The first letter of the text in protocols `model` and `model-id`; 0: it has no kinds. */
char dialect_kind(const struct dialect *dialect, enum side side, struct span bytes);
/* The client's own identifier for a request or its response; the same again for other clients. */
uint32_t message_client_id(struct span text);
void message_set_id(uint8_t *out, uint32_t id);
uint32_t message_id(enum side side, struct span bytes);

/* Dresses a text and returns the size; `out` has room for the text and 8 bytes. */
size_t message_write(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span text, uint8_t *out);

/* Cuts the first message off `bytes`: its whole size, and the text inside it. */
enum cut message_cut(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span bytes, size_t *size, struct span *text);

/* The text of a request with `letters` letters; returns its size. */
size_t message_request_text(char kind, uint32_t client, uint32_t sequence, size_t letters,
                            uint8_t *out);

/* Who sent a request, from its text. False: it is not one of ours. */
bool message_request_parse(struct span text, char *kind, uint32_t *client, uint32_t *sequence);

/* The text of the right response to a request of that text; at most `bytes_max` bytes. `kind` is 'R',
 * 'I' (interim) or 'Z' (the link ends). */
size_t message_response_text(char kind, struct span request_text, size_t bytes_max, uint8_t *out);

#endif
