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

enum {
    MESSAGE_HEAD_BYTES_MAX = 48, /* of any text before its letters, with framing */
    MESSAGE_LINE_BYTES_MAX = 12, /* of a line between chunks: `+<count>` and its newline */
};

/* How the world under test speaks. Protocol `stream`: what follows the first ':' or '*' of a text is its
 * body. */
struct dialect {
    const struct protocol *protocol;
    size_t message_bytes_max;
    uint64_t body_bytes_max;   /* as configured; 0: no limit */
    size_t response_bytes_max; /* of the text of a right response, and of its body */
    size_t chunk_bytes;        /* of each chunk of a body but the last */
    bool has_types;     /* protocols `iso8583` and `mpu`: an MTI stands in front of each text */
    bool has_until_end; /* some responses go on until the target's end-of-stream */
};

/* Protocol `model-id`: two digits in front of each text are an identifier, the client's own on its side,
 * the link's on the target's. */
bool dialect_has_ids(const struct dialect *dialect);
/* The first letter of the text in protocols `model` and `model-id`; 0: it has no kinds. */
char dialect_kind(const struct dialect *dialect, enum side side, struct span bytes);
/* The client's own identifier for a request; the same again for other clients. */
uint32_t message_client_id(uint32_t client, uint32_t sequence);
void message_set_id(uint8_t *out, uint32_t id);
uint32_t message_id(enum side side, struct span bytes);

/* Whether its messages have bodies. */
bool dialect_streams(const struct dialect *dialect);

/* What a text of that size takes at most when it is dressed. */
size_t message_room(const struct dialect *dialect, size_t text_size);

/* Dresses a text and returns the size; `out` has message_room. A body until the end has no end. */
size_t message_write(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span text, uint8_t *out);

/* Cuts the first message off `bytes`: its whole size, and the text inside it. */
enum cut message_cut(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span bytes, size_t *size, struct span *text);

/* Whether messages have their length in front (`iso8583` and `mpu`). */
bool dialect_counts(const struct dialect *dialect);

/* A message that answers nothing: a sign of life, or an event, which has a type. Returns its size; `out` has
 * room for MESSAGE_HEAD_BYTES_MAX bytes. */
size_t message_event(const struct dialect *dialect, bool is_life_sign, uint8_t *out);

/* What a whole message of the target is by itself, the first of `bytes`. */
bool message_is_no_answer(const struct dialect *dialect, struct span bytes);
bool message_is_harmless(const struct dialect *dialect, struct span bytes);

/* The text of a request with `letters` letters, and a body of as many as `body` if that is not 0;
 * returns its size, which is below MESSAGE_HEAD_BYTES_MAX and these. */
size_t message_request_text(char kind, uint32_t client, uint32_t sequence, size_t letters,
                            size_t body, uint8_t *out);

/* Who sent a request, from its text. False: it is not one of ours. */
bool message_request_parse(struct span text, char *kind, uint32_t *client, uint32_t *sequence);

/* The text of the right response to a request of that text: for a message with a body its head says
 * all. `kind` is 'R', 'I' (interim, without body) or 'Z' (the link ends). `out` has room for
 * message_response_room bytes. */
size_t message_response_text(const struct dialect *dialect, char kind, struct span request_text,
                             uint8_t *out);
size_t message_response_room(const struct dialect *dialect);

/* Protocol `model-id`: the response to a read that may be shared shows which one the target heard. */
/* `out` has the same text. */
void message_set_number(struct span response_text, uint8_t *out, uint32_t number);
uint32_t message_number(struct span response_text);

/* Whether a response names the client of the request, or the key of one that may be shared. */
bool message_is_response_to(struct span response_text, struct span request_text);

/* Up to the mark that a body follows, or all of it. */
size_t message_head_size(const struct dialect *dialect, struct span text);

/* Where on the client's side the line in front of chunk `index` stands, or the end if there are
 * fewer. */
size_t message_line_at(const struct dialect *dialect, struct span text, size_t index);

#endif
