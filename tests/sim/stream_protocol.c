/* SPDX-License-Identifier: MIT */
/*
 * The simulator's protocol of messages that stream; see stream_protocol.h.
 *
 * Where a framer stands is its phase, with two flags that every piece of a response carries:
 *
 *     PHASE_HEAD ── head: ──► PHASE_LINE ── +count ──► PHASE_DATA ── all of it ──► PHASE_LINE
 *         └──────── head* ──► PHASE_UNTIL_END              PHASE_LINE ── . ──► PHASE_HEAD
 */
#include "stream_protocol.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "message.h"
#include "model_protocol.h"

enum phase { PHASE_HEAD, PHASE_LINE, PHASE_DATA, PHASE_UNTIL_END };
enum { PHASE_BITS = 3, FLAG_CLOSES = 4, FLAG_CLOSES_CLIENT = 8 };

enum piece {
    PIECE_HEAD,
    PIECE_INTERIM,
    PIECE_HEAD_CLOSES,
    PIECE_LINE,
    PIECE_NOTE,
    PIECE_DATA,
    PIECE_CHUNK
};

static enum phase phase_of(const struct framer *framer)
{
    return (enum phase)(framer->state & PHASE_BITS);
}

static void enter(struct framer *framer, enum phase phase)
{
    framer->state = (framer->state & ~(uint32_t)PHASE_BITS) | phase;
    framer->scanned = 0;
}

static enum frame_status cut_line(const struct protocol_settings *settings, struct framer *framer,
                                  struct span bytes, struct frame *frame)
{
    assert(framer->scanned <= bytes.size);
    struct span fresh = span_from(bytes, framer->scanned);
    const uint8_t *newline = fresh.size == 0 ? NULL : memchr(fresh.data, '\n', fresh.size);
    if (newline == NULL) {
        framer->scanned = (uint32_t)bytes.size;
        return bytes.size >= settings->message_bytes_max ? FRAME_TOO_LARGE : FRAME_PARTIAL;
    }
    frame->size = (size_t)(newline - bytes.data) + 1;
    return frame->size > settings->message_bytes_max ? FRAME_TOO_LARGE : FRAME_PIECE;
}

/* Behind a head: the body, or the message has ended. */
static void leave_head(struct framer *framer, struct span head, struct frame *frame)
{
    uint8_t last = head.size < 2 ? 0 : head.data[head.size - 2];
    if (last == ':') {
        enter(framer, PHASE_LINE);
    } else if (last == '*') {
        enter(framer, PHASE_UNTIL_END);
    } else {
        frame->ends = true;
        *framer = (struct framer){0};
    }
}

/* ---- bodies ---- */

/* `+<count>`: 0 if it is no such line. */
static uint64_t read_count(struct span line)
{
    uint64_t count = 0;
    for (size_t at = 1; at + 1 < line.size; at++) {
        if (line.data[at] < '0' || line.data[at] > '9' || at > 9) {
            return 0;
        }
        count = count * 10 + line.data[at] - '0';
    }
    return line.data[0] == '+' ? count : 0;
}

static enum frame_status next_line(const struct protocol_settings *settings, struct framer *framer,
                                   bool is_response, struct span bytes, struct frame *frame)
{
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status != FRAME_PIECE) {
        return status;
    }
    framer->scanned = 0;
    frame->kind = PIECE_LINE;
    if (bytes.data[0] == '.' && frame->size == 2) {
        frame->ends = true;
        *framer = (struct framer){0};
        return FRAME_PIECE;
    }
    if (bytes.data[0] == '~' && is_response) {
        frame->kind = PIECE_NOTE;
        return FRAME_PIECE;
    }
    uint64_t count = read_count(span_of(bytes.data, frame->size));
    if (count == 0) {
        return FRAME_INVALID;
    }
    framer->left = count;
    framer->seen += count;
    if (settings->body_bytes_max > 0 && framer->seen > settings->body_bytes_max) {
        return FRAME_TOO_LARGE;
    }
    enter(framer, PHASE_DATA);
    return FRAME_PIECE;
}

static enum frame_status next_data(struct framer *framer, struct span bytes, struct frame *frame)
{
    frame->kind = PIECE_DATA;
    frame->size = framer->left < bytes.size ? (size_t)framer->left : bytes.size;
    framer->left -= frame->size;
    if (framer->left == 0) {
        enter(framer, PHASE_LINE);
    }
    return FRAME_PIECE;
}

static enum frame_status next_until_end(const struct protocol_settings *settings,
                                        struct framer *framer, struct span bytes,
                                        struct frame *frame)
{
    uint64_t limit = settings->body_bytes_max;
    uint64_t room = limit == 0 ? UINT64_MAX : limit - framer->seen;
    if (room == 0) {
        return FRAME_TOO_LARGE;
    }
    frame->kind = frame->closes_client ? PIECE_DATA : PIECE_CHUNK;
    frame->size = room < bytes.size ? (size_t)room : bytes.size;
    framer->seen += frame->size;
    return FRAME_PIECE;
}

static enum frame_status next_of_body(const struct protocol_settings *settings,
                                      struct framer *framer, bool is_response, struct span bytes,
                                      struct frame *frame)
{
    if (bytes.size == 0) {
        return FRAME_PARTIAL;
    }
    switch (phase_of(framer)) {
    case PHASE_LINE:
        return next_line(settings, framer, is_response, bytes, frame);
    case PHASE_DATA:
        return next_data(framer, bytes, frame);
    case PHASE_UNTIL_END:
        return next_until_end(settings, framer, bytes, frame);
    case PHASE_HEAD:
        break;
    }
    assert(false);
    return FRAME_INVALID;
}

/* ---- messages ---- */

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    *frame = (struct frame){0};
    if (phase_of(framer) != PHASE_HEAD) {
        return next_of_body(settings, framer, false, bytes, frame);
    }
    if (bytes.size > 0 && bytes.data[0] == 'X') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status != FRAME_PIECE) {
        return status;
    }
    leave_head(framer, span_of(bytes.data, frame->size), frame);
    if (phase_of(framer) == PHASE_UNTIL_END) {
        return FRAME_INVALID;
    }
    uint8_t kind = bytes.data[0];
    *request = (struct request){.expects_response = kind != '!',
                                .resendable = kind == 'G' && frame->ends,
                                .closes = kind == 'C',
                                .eager = kind == 'E',
                                .alone = kind == 'L',
                                .ends_link = kind == 'L',
                                .kind = kind,
                                .key = model_tag(bytes)};
    return FRAME_PIECE;
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    assert(request->expects_response);
    if (phase_of(framer) != PHASE_HEAD) {
        *frame = (struct frame){.closes = (framer->state & FLAG_CLOSES) != 0,
                                .closes_client = (framer->state & FLAG_CLOSES_CLIENT) != 0,
                                .until_end = phase_of(framer) == PHASE_UNTIL_END,
                                .open_ended = true};
        return next_of_body(settings, framer, true, bytes, frame);
    }
    *frame = (struct frame){0};
    if (bytes.size > 0 && bytes.data[0] != '<') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status != FRAME_PIECE) {
        return status;
    }
    leave_head(framer, span_of(bytes.data, frame->size), frame);
    frame->interim = bytes.data[1] == 'I';
    if (frame->interim && !frame->ends) {
        return FRAME_INVALID;
    }
    frame->until_end = phase_of(framer) == PHASE_UNTIL_END;
    frame->open_ended = !frame->ends;
    frame->closes = frame->until_end || bytes.data[1] == 'Z';
    frame->closes_client = request->kind == 'O' && !frame->ends;
    frame->kind = frame->interim         ? PIECE_INTERIM
                  : frame->closes_client ? PIECE_HEAD_CLOSES
                                         : PIECE_HEAD;
    if (!frame->ends) {
        framer->state |= (frame->closes ? (uint32_t)FLAG_CLOSES : 0) |
                         (frame->closes_client ? (uint32_t)FLAG_CLOSES_CLIENT : 0);
    }
    return FRAME_PIECE;
}

/* ---- edits ---- */

static size_t edit_body(const struct request *request, uint8_t kind, struct span piece,
                        uint8_t *out)
{
    if (kind == PIECE_CHUNK) {
        int size = snprintf((char *)out, MESSAGE_LINE_BYTES_MAX, "=%zu\n", piece.size);
        assert(size > 0 && size < MESSAGE_LINE_BYTES_MAX);
        return (size_t)size + edit_body(request, PIECE_DATA, piece, out + size);
    }
    if (kind == PIECE_NOTE || (kind == PIECE_LINE && request->kind == 'O')) {
        return 0;
    }
    memcpy(out, piece.data, piece.size);
    if (kind == PIECE_LINE) {
        out[0] = out[0] == '+' ? '=' : out[0];
        return piece.size;
    }
    for (size_t i = 0; i < piece.size; i++) {
        out[i] = (uint8_t)(out[i] >= 'a' && out[i] <= 'z' ? out[i] - 'a' + 'A' : out[i]);
    }
    return piece.size;
}

static size_t edit(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out)
{
    (void)settings;
    (void)id;
    if (direction == TO_TARGET) {
        assert(piece.data[piece.size - 1] == '\n'); /* the head, and no more */
        out[0] = '>';
        memcpy(out + 1, piece.data, piece.size);
        return piece.size + 1;
    }
    if (kind >= PIECE_LINE) {
        return edit_body(request, kind, piece, out);
    }
    memcpy(out, piece.data, piece.size);
    bool closes = kind == PIECE_HEAD_CLOSES || (kind == PIECE_HEAD && request->closes);
    out[0] = closes ? '/' : '=';
    return piece.size;
}

static size_t finish(const struct request *request, uint8_t *out)
{
    assert(request->kind != 'O');
    memcpy(out, ".\n", 2);
    return 2;
}

static void describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    model_protocol.describe(direction, message, text, capacity);
}

const struct protocol stream_protocol = {
    .name = "stream",
    .sentence = "messages that may be larger than any buffer, for the simulator",
    .matching = MATCH_BY_ORDER,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .edit = edit,
    .finish = finish,
    .error_reply = model_error_reply,
    .describe = describe,
};
