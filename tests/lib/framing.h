/* SPDX-License-Identifier: MIT */
/*
 * Feeds a byte stream to a protocol's framer in many ways and demands the same outcome of all.
 *
 *     struct framing framing = {.protocol = &protocol, .direction = TO_TARGET, .settings = {...}};
 *     struct framing_outcome outcome;
 *     framing_check(&framing, stream, &outcome);
 *     ... look at outcome.messages and outcome.status ...
 *     framing_outcome_deinit(&outcome);
 *
 * The framer is always shown exactly the bytes that are there, ending at an unreadable page. What
 * it promises in protocol/protocol.h is asserted at each call; a broken promise prints where and
 * aborts. Pieces behind the first of a message are counted together, since how a body is cut may
 * depend on how the bytes came.
 */
#ifndef TESTS_LIB_FRAMING_H
#define TESTS_LIB_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/protocol.h"

struct framing {
    const struct protocol *protocol;
    enum direction direction; /* TO_TARGET: requests, TO_CLIENT: responses */
    struct protocol_settings settings;
    struct request request; /* TO_CLIENT: what the responses answer, unless they say it by
                               * an identifier */
};

struct framing_message {
    size_t first_size;                                 /* of its first piece */
    size_t size;                                       /* of all its pieces */
    bool ended;                                        /* false only for the last one */
    bool interim;                                      /* as its last piece said */
    bool closes, closes_client, until_end, open_ended; /* as each of its pieces said */
    uint32_t id;                                       /* as its first piece said */
    struct request request;                            /* TO_TARGET: as its first piece said */
};

struct framing_outcome {
    struct framing_message *messages; /* owns */
    size_t count;
    enum frame_status status;    /* of the last call: never FRAME_PIECE */
    size_t wanted;               /* frame.size of the last call */
    unsigned code;               /* frame.code of the last call */
    size_t left;                 /* bytes of the stream behind the last piece */
    size_t skipped;              /* bytes between messages that meant nothing */
    size_t wrongs, wrong_bytes;  /* messages that can be no response */
    size_t pieces, calls, skips; /* how many there were; not compared */
};

/* Feeds the stream as chunks that end at `ends` (rising, the last is stream.size), each chunk
 * followed by calls until the framer wants more. */
void framing_run(const struct framing *framing, struct span stream, const size_t *ends,
                 size_t count, struct framing_outcome *outcome);

/* Whether the two are the same in everything but `pieces` and `calls`. */
bool framing_outcome_equals(const struct framing_outcome *one, const struct framing_outcome *other);

/* Feeds the stream whole, byte by byte, in two parts cut at every place, and at random places, and
 * aborts unless all have the same outcome, which is returned. */
void framing_check(const struct framing *framing, struct span stream,
                   struct framing_outcome *outcome);

void framing_outcome_deinit(struct framing_outcome *outcome);

#endif
