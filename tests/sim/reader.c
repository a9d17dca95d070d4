/* SPDX-License-Identifier: MIT */
/* Reads messages as they come; see reader.h, and stream_protocol.h for what stands in them. */
#include "reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void reader_reset(struct reader *reader)
{
    *reader = (struct reader){.text = reader->text, .room = reader->room};
}

void reader_deinit(struct reader *reader)
{
    free(reader->text);
    *reader = (struct reader){0};
}

static void keep(struct reader *reader, struct span bytes)
{
    if (bytes.size > reader->room - reader->size) {
        reader->room = (reader->size + bytes.size) * 2 + 64;
        reader->text = realloc(reader->text, reader->room);
        assert(reader->text != NULL);
    }
    if (bytes.size > 0) {
        memcpy(reader->text + reader->size, bytes.data, bytes.size);
    }
    reader->size += bytes.size;
}

static size_t take_bounded(struct reader *reader, const struct dialect *dialect, enum side side,
                           enum speaker speaker, struct span bytes)
{
    size_t size = 0;
    struct span text;
    switch (message_cut(dialect, side, speaker, bytes, &size, &text)) {
    case CUT_INVALID:
        reader->phase = READER_INVALID;
        return 0;
    case CUT_PARTIAL:
        return 0;
    case CUT_WHOLE:
        break;
    }
    keep(reader, text);
    reader->phase = READER_WHOLE;
    reader->id = dialect_has_ids(dialect) ? message_id(side, bytes) : 0;
    reader->is_error = dialect->protocol->error_reply != NULL && side == CLIENT_SIDE &&
                       speaker == RESPONSE && text.size > 2 && memcmp(text.data, "E ", 2) == 0;
    return size;
}

/* ---- protocol stream ---- */

/* The line at the front of `bytes`, without its newline. False: it is not whole, or too long. */
static bool cut_line(struct reader *reader, const struct dialect *dialect, struct span bytes,
                     struct span *line)
{
    const uint8_t *newline = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    size_t size = newline == NULL ? bytes.size : (size_t)(newline - bytes.data) + 1;
    if (size > dialect->message_bytes_max ||
        (newline == NULL && size == dialect->message_bytes_max)) {
        reader->phase = READER_INVALID;
        return false;
    }
    *line = span_of(bytes.data, newline == NULL ? 0 : size - 1);
    return newline != NULL;
}

/* Takes the mark off the front of a head. False: it is none. */
static bool unmark(struct reader *reader, enum side side, enum speaker speaker, struct span *line)
{
    if (side == CLIENT_SIDE && speaker == REQUEST) {
        return true;
    }
    uint8_t mark = line->size == 0 ? 0 : line->data[0];
    if (side == CLIENT_SIDE) {
        reader->is_error = mark == 'E';
        reader->tells_end = mark == '/';
        if (reader->is_error) {
            return true;
        }
    }
    bool is_right =
        side == CLIENT_SIDE ? mark == '=' || mark == '/' : mark == (speaker == REQUEST ? '>' : '<');
    *line = is_right ? span_from(*line, 1) : *line;
    return is_right;
}

static size_t take_head(struct reader *reader, const struct dialect *dialect, enum side side,
                        enum speaker speaker, struct span bytes)
{
    struct span line;
    uint8_t mark = speaker == REQUEST ? '>' : '<';
    if (side == TARGET_SIDE && bytes.size > 0 && bytes.data[0] != mark) {
        reader->phase = READER_INVALID;
        return 0;
    }
    if (!cut_line(reader, dialect, bytes, &line)) {
        return 0;
    }
    size_t size = line.size + 1;
    if (!unmark(reader, side, speaker, &line)) {
        reader->phase = READER_INVALID;
        return 0;
    }
    keep(reader, line);
    uint8_t last = reader->is_error || line.size == 0 ? 0 : line.data[line.size - 1];
    bool has_body = last == ':' || last == '*';
    bool is_until_end = reader->is_old || (last == '*' && side == TARGET_SIDE);
    reader->phase = !has_body ? READER_WHOLE : is_until_end ? READER_UNTIL_END : READER_LINE;
    return size;
}

static uint64_t read_count(struct span line)
{
    uint64_t count = 0;
    for (size_t at = 1; at < line.size; at++) {
        if (line.data[at] < '0' || line.data[at] > '9' || at > 9) {
            return 0;
        }
        count = count * 10 + line.data[at] - '0';
    }
    return count;
}

static size_t take_line(struct reader *reader, const struct dialect *dialect, enum side side,
                        enum speaker speaker, struct span bytes)
{
    struct span line;
    if (!cut_line(reader, dialect, bytes, &line)) {
        return 0;
    }
    bool is_edited = side == CLIENT_SIDE && speaker == RESPONSE;
    uint8_t first = line.size == 0 ? 0 : line.data[0];
    if (first == '.' && line.size == 1) {
        reader->phase = READER_WHOLE;
        return 2;
    }
    if (first == '~' && side == TARGET_SIDE && speaker == RESPONSE) {
        return line.size + 1;
    }
    reader->left = first == (is_edited ? '=' : '+') ? read_count(line) : 0;
    reader->body += reader->left;
    bool is_large = dialect->body_bytes_max > 0 && reader->body > dialect->body_bytes_max;
    reader->phase = reader->left == 0 || is_large ? READER_INVALID : READER_DATA;
    return reader->phase == READER_INVALID ? 0 : line.size + 1;
}

/* Bytes of a body; towards a client letters are capitals, whatever they were. */
static void take_data(struct reader *reader, enum side side, enum speaker speaker,
                      struct span bytes)
{
    size_t from = reader->size;
    keep(reader, bytes);
    if (speaker == REQUEST) {
        return;
    }
    for (size_t i = from; i < reader->size; i++) {
        if (side == CLIENT_SIDE && reader->text[i] >= 'a' && reader->text[i] <= 'z') {
            reader->phase = READER_INVALID; /* it was not edited */
        } else if (reader->text[i] >= 'A' && reader->text[i] <= 'Z') {
            reader->text[i] = (uint8_t)(reader->text[i] - 'A' + 'a');
        }
    }
}

static size_t take_chunk(struct reader *reader, enum side side, enum speaker speaker,
                         struct span bytes)
{
    size_t size = reader->left < bytes.size ? (size_t)reader->left : bytes.size;
    reader->left -= size;
    if (reader->left == 0) {
        reader->phase = READER_LINE;
    }
    take_data(reader, side, speaker, span_of(bytes.data, size));
    return size;
}

static size_t take_until_end(struct reader *reader, const struct dialect *dialect, enum side side,
                             enum speaker speaker, struct span bytes)
{
    uint64_t room = UINT64_MAX;
    if (side == TARGET_SIDE && dialect->body_bytes_max > 0) {
        room = dialect->body_bytes_max - reader->body;
    }
    if (room == 0 && bytes.size > 0) {
        reader->phase = READER_INVALID;
        return 0;
    }
    size_t size = room < bytes.size ? (size_t)room : bytes.size;
    reader->body += size;
    take_data(reader, side, speaker, span_of(bytes.data, size));
    return size;
}

/* The next piece. */
static size_t take_piece(struct reader *reader, const struct dialect *dialect, enum side side,
                         enum speaker speaker, struct span bytes)
{
    switch (reader->phase) {
    case READER_HEAD:
        return take_head(reader, dialect, side, speaker, bytes);
    case READER_LINE:
        return take_line(reader, dialect, side, speaker, bytes);
    case READER_DATA:
        return take_chunk(reader, side, speaker, bytes);
    case READER_UNTIL_END:
        return take_until_end(reader, dialect, side, speaker, bytes);
    case READER_WHOLE:
    case READER_INVALID:
        break;
    }
    return 0;
}

size_t reader_take(struct reader *reader, const struct dialect *dialect, enum side side,
                   enum speaker speaker, struct span bytes)
{
    size_t taken = 0;
    if (!dialect_streams(dialect)) {
        taken =
            reader->phase == READER_HEAD ? take_bounded(reader, dialect, side, speaker, bytes) : 0;
    }
    while (dialect_streams(dialect) && taken < bytes.size) {
        size_t size = take_piece(reader, dialect, side, speaker, span_from(bytes, taken));
        if (size == 0) {
            break;
        }
        taken += size;
    }
    reader->taken += taken;
    return taken;
}
