/* SPDX-License-Identifier: MIT */
/*
 * One message as far as it was read, for whoever stands at the receiving end of a pipe: its text, and
 * where inside it the reader stands. Bounded messages are read whole or not at all, those of protocol
 * `stream` as they come. Written independently of src/protocol and of stream_protocol.c.
 *
 *     struct reader reader = {0};
 *     at += reader_take(&reader, &dialect, TARGET_SIDE, REQUEST, pipe_history(pipe, at, pipe->read));
 *     if (reader.phase == READER_WHOLE) { ... reader_reset(&reader); }
 */
#ifndef SIM_READER_H
#define SIM_READER_H

#include "message.h"

enum reader_phase {
    READER_HEAD, /* nothing is known of it */
    READER_LINE, /* inside a body, in front of a line */
    READER_DATA, /* inside a chunk, `left` bytes of it to come */
    READER_UNTIL_END,
    READER_WHOLE,
    READER_INVALID, /* no message, or one over the limits */
};

struct reader {
    enum reader_phase phase;
    uint8_t *text; /* owns: `size` bytes, without framing and as it was before any edit */
    size_t size, room;
    uint64_t taken; /* bytes of the stream that it has taken */
    uint64_t left;
    uint64_t body;  /* bytes of the body that were announced, or came until the end */
    uint32_t id;    /* protocol `model-id`: that in front of the text */
    bool is_old;    /* set by its owner before the head comes: bodies go to an old client */
    bool is_error;  /* the client's side: an error reply */
    bool tells_end; /* the client's side: the head says that the connection ends behind it */
};

/* Takes as much of `bytes` as belongs to the message and can be told apart; returns how many. */
size_t reader_take(struct reader *reader, const struct dialect *dialect, enum side side,
                   enum speaker speaker, struct span bytes);

/* Ready for the next message. */
void reader_reset(struct reader *reader);
void reader_deinit(struct reader *reader);

/* Whether it knows whose message it reads. */
static inline bool reader_has_head(const struct reader *reader)
{
    return reader->phase != READER_HEAD && reader->phase != READER_INVALID;
}

static inline struct span reader_text(const struct reader *reader)
{
    return span_of(reader->text, reader->size);
}

#endif
