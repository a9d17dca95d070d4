/* SPDX-License-Identifier: MIT */
/*
 * Pieces of bodies (RFC 9112 sections 6 and 7).
 *
 * Data is cut as it comes: a piece is as much as is there. The lines between chunks and the section
 * behind the last are pieces of their own, so that edits can leave them out:
 *
 *     1a;name=value CR LF    HTTP_PIECE_CHUNK_LINE
 *     data, some             HTTP_PIECE_BODY
 *     data, the rest, CR LF  HTTP_PIECE_CHUNK_END
 *     0 CR LF                HTTP_PIECE_CHUNK_LINE
 *     fields, CR LF          HTTP_PIECE_TRAILERS
 *
 * A body without length is pieces of HTTP_PIECE_BODY, or HTTP_PIECE_CHUNK if it goes on in chunks.
 *
 * How data is cut depends on how it came, and nothing else does: CR LF behind a chunk is taken with
 * the rest of its data if both are there, and alone otherwise.
 */
#include <assert.h>

#include "protocol/http.h"

static const uint64_t CHUNK_SIZE_MAX = INT64_MAX;

static size_t smaller(uint64_t left, size_t size)
{
    return left < size ? (size_t)left : size;
}

static void phase_set(struct framer *framer, enum http_phase phase)
{
    framer->state = (framer->state & ~(uint32_t)HTTP_PHASE_BITS) | phase;
    framer->scanned = 0;
}

static enum frame_status piece(struct frame *frame, enum http_piece kind, size_t size)
{
    frame->kind = (uint8_t)kind;
    frame->size = size;
    return FRAME_PIECE;
}

static enum frame_status end(struct framer *framer, struct frame *frame)
{
    frame->ends = true;
    *framer = (struct framer){0};
    return FRAME_PIECE;
}

static enum frame_status take_length(struct framer *framer, struct span bytes, struct frame *frame)
{
    size_t size = smaller(framer->left, bytes.size);
    if (size == 0) {
        return FRAME_PARTIAL;
    }
    framer->left -= size;
    (void)piece(frame, HTTP_PIECE_BODY, size);
    return framer->left == 0 ? end(framer, frame) : FRAME_PIECE;
}

static enum frame_status take_until_end(const struct protocol_settings *settings,
                                        struct framer *framer, struct span bytes,
                                        struct frame *frame)
{
    uint64_t limit = settings->body_bytes_max;
    uint64_t room = limit == 0 ? UINT64_MAX : limit - framer->seen;
    size_t size = smaller(room, bytes.size);
    frame->until_end = true;
    if (size == 0) {
        return bytes.size == 0 ? FRAME_PARTIAL
                               : http_refuse(frame, FRAME_TOO_LARGE, HTTP_REFUSAL_BODY_LARGE);
    }
    if (limit > 0) {
        framer->seen += size;
    }
    return piece(frame, frame->closes_client ? HTTP_PIECE_BODY : HTTP_PIECE_CHUNK, size);
}

/* ---- chunks ---- */

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t lower = byte | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static size_t skip_white(struct span text, size_t at)
{
    while (at < text.size && (text.data[at] == ' ' || text.data[at] == '\t')) {
        at++;
    }
    return at;
}

static size_t skip_token(struct span text, size_t at)
{
    while (at < text.size && http_is_token_byte(text.data[at])) {
        at++;
    }
    return at;
}

/* Behind the quoted string that begins at `at`; `at` itself if it does not end. */
static size_t skip_quoted(struct span text, size_t at)
{
    for (size_t index = at + 1; index < text.size; index++) {
        if (text.data[index] == '"') {
            return index + 1;
        }
        if (text.data[index] == '\\') {
            index++;
        }
    }
    return at;
}

/* *( BWS ";" BWS name [ BWS "=" BWS value ] ), a value being a token or quoted. */
bool http_are_extensions(struct span text)
{
    size_t at = 0;
    while (at < text.size) { /* each round takes a semicolon */
        at = skip_white(text, at);
        if (at == text.size || text.data[at] != ';') {
            return false;
        }
        size_t name = skip_white(text, at + 1);
        at = skip_token(text, name);
        if (at == name) {
            return false;
        }
        size_t equals = skip_white(text, at);
        if (equals < text.size && text.data[equals] == '=') {
            size_t value = skip_white(text, equals + 1);
            bool is_quoted = value < text.size && text.data[value] == '"';
            at = is_quoted ? skip_quoted(text, value) : skip_token(text, value);
            if (at == value) {
                return false;
            }
        }
    }
    return true;
}

size_t http_hex_size(struct span line)
{
    size_t size = 0;
    while (size < line.size && hex_value(line.data[size]) >= 0) {
        size++;
    }
    return size;
}

/* What follows the size. Padding behind it, as ESP32's usual server writes it, has one meaning, and so has
 * rubbish behind a semicolon; all else may be part of a size to somebody. `mends`: it does not go on. */
static enum http_refusal read_behind_size(struct span rest, bool is_strict, bool *mends)
{
    bool is_padded = rest.size > 0 && http_is_white(rest.data[0]);
    bool is_fine = http_are_extensions(rest);
    *mends = !is_strict && (is_padded || !is_fine);
    if (is_fine) {
        return HTTP_FINE;
    }
    struct span extensions = http_trim(rest);
    bool is_clear = extensions.size == 0 || extensions.data[0] == ';';
    return is_clear && !is_strict ? HTTP_FINE : HTTP_REFUSAL_CHUNK_EXTENSION;
}

static enum http_refusal read_chunk_line(struct span line, bool is_strict, uint64_t *size,
                                         bool *mends)
{
    size_t digits = http_hex_size(line);
    *size = 0;
    for (size_t at = 0; at < digits; at++) {
        if (*size > CHUNK_SIZE_MAX >> 4) {
            return HTTP_REFUSAL_CHUNK_SIZE;
        }
        *size = *size << 4 | (uint64_t)hex_value(line.data[at]);
    }
    return digits == 0 ? HTTP_REFUSAL_CHUNK_SIZE
                       : read_behind_size(span_from(line, digits), is_strict, mends);
}

static enum frame_status take_chunk_line(const struct protocol_settings *settings,
                                         struct framer *framer, struct span bytes,
                                         struct frame *frame)
{
    if (bytes.size > 0 && hex_value(bytes.data[0]) < 0) {
        return http_refuse(frame, FRAME_INVALID, HTTP_REFUSAL_CHUNK_SIZE);
    }
    size_t at = framer->scanned;
    bool found;
    enum http_refusal refusal =
        http_line_find(bytes, smaller(HTTP_CHUNK_LINE_BYTES_MAX, bytes.size), 0, &at, &found);
    if (refusal == HTTP_FINE && !found) {
        framer->scanned = (uint32_t)at;
        if (bytes.size <= HTTP_CHUNK_LINE_BYTES_MAX) {
            return FRAME_PARTIAL;
        }
        refusal = HTTP_REFUSAL_CHUNK_LINE_LARGE;
    }
    uint64_t size = 0;
    if (refusal == HTTP_FINE) {
        refusal = read_chunk_line(http_part(bytes, 0, at - 2), settings->http_strict, &size,
                                  &frame->mends);
    }
    if (refusal != HTTP_FINE) {
        return http_refuse(frame, FRAME_INVALID, refusal);
    }
    if (settings->body_bytes_max > 0) {
        if (size > settings->body_bytes_max - framer->seen) {
            return http_refuse(frame, FRAME_TOO_LARGE, HTTP_REFUSAL_BODY_LARGE);
        }
        framer->seen += size;
    }
    framer->left = size;
    phase_set(framer, size == 0 ? HTTP_IN_TRAILERS : HTTP_IN_CHUNK_DATA);
    return piece(frame, frame->mends ? HTTP_PIECE_MENDED_LINE : HTTP_PIECE_CHUNK_LINE, at);
}

static enum frame_status take_chunk_data(struct framer *framer, struct span bytes,
                                         struct frame *frame)
{
    size_t size = smaller(framer->left, bytes.size);
    bool is_last = size == framer->left;
    bool has_end = is_last && bytes.size - size >= 2 && bytes.data[size] == '\r' &&
                   bytes.data[size + 1] == '\n';
    if (has_end) {
        framer->left = 0;
        phase_set(framer, HTTP_IN_CHUNK_LINE);
        return piece(frame, HTTP_PIECE_CHUNK_END, size + 2);
    }
    if (size > 0) {
        framer->left -= size;
        return piece(frame, HTTP_PIECE_BODY, size);
    }
    bool may_end =
        framer->left > 0 || bytes.size == 0 || (bytes.size == 1 && bytes.data[0] == '\r');
    if (!may_end) {
        return http_refuse(frame, FRAME_INVALID, HTTP_REFUSAL_CHUNK_END);
    }
    frame->size = bytes.size == 1 ? 2 : 0;
    return FRAME_PARTIAL;
}

static enum frame_status take_trailers(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame)
{
    size_t at = framer->scanned;
    for (;;) { /* each round takes a line of at least two bytes */
        bool found;
        enum http_refusal refusal =
            http_line_find(bytes, smaller(settings->head_bytes_max, bytes.size),
                           settings->http_strict ? 0 : HTTP_CONTROLS_PASS, &at, &found);
        if (refusal == HTTP_FINE && !found) {
            framer->scanned = (uint32_t)at;
            return bytes.size <= settings->head_bytes_max
                       ? FRAME_PARTIAL
                       : http_refuse(frame, FRAME_TOO_LARGE, HTTP_REFUSAL_HEAD_LARGE);
        }
        if (refusal == HTTP_FINE) {
            struct span line = http_part(bytes, http_line_start(bytes, at - 1), at - 2);
            if (line.size == 0) {
                (void)piece(frame, HTTP_PIECE_TRAILERS, at);
                return end(framer, frame);
            }
            refusal = http_trailer_line(line);
        }
        if (refusal != HTTP_FINE) {
            return http_refuse(frame, FRAME_INVALID, refusal);
        }
    }
}

enum frame_status http_body_next(const struct protocol_settings *settings, struct framer *framer,
                                 struct span bytes, struct frame *frame)
{
    *frame = (struct frame){.closes = (framer->state & HTTP_CLOSES) != 0,
                            .closes_client = (framer->state & HTTP_CLOSES_CLIENT) != 0};
    enum http_phase phase = (enum http_phase)(framer->state & HTTP_PHASE_BITS);
    frame->open_ended = phase != HTTP_IN_LENGTH;
    switch (phase) {
    case HTTP_IN_LENGTH:
        return take_length(framer, bytes, frame);
    case HTTP_IN_UNTIL_END:
        return take_until_end(settings, framer, bytes, frame);
    case HTTP_IN_CHUNK_LINE:
        return take_chunk_line(settings, framer, bytes, frame);
    case HTTP_IN_CHUNK_DATA:
        return take_chunk_data(framer, bytes, frame);
    case HTTP_IN_TRAILERS:
        return take_trailers(settings, framer, bytes, frame);
    case HTTP_IN_HEAD:
        break; /* the caller's */
    }
    assert(false);
    return FRAME_INVALID;
}
