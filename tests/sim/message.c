/* SPDX-License-Identifier: MIT */
/* What clients and targets say; see message.h. */
#include "message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "model_protocol.h"
#include "stream_protocol.h"

enum framing {
    FRAMING_LINE,
    FRAMING_LENGTH_BINARY,
    FRAMING_LENGTH_DIGITS,
    FRAMING_MODEL,
    FRAMING_MODEL_ID,
    FRAMING_STREAM,
};

bool dialect_streams(const struct dialect *dialect)
{
    return dialect->protocol == &stream_protocol;
}

bool dialect_has_ids(const struct dialect *dialect)
{
    return strcmp(dialect->protocol->name, "model-id") == 0;
}

char dialect_kind(const struct dialect *dialect, enum side side, struct span bytes)
{
    size_t at = (dialect_has_ids(dialect) ? 2U : 0U) + (side == TARGET_SIDE ? 1U : 0U);
    return dialect->protocol->edit != NULL && bytes.size > at ? (char)bytes.data[at] : 0;
}

static enum framing framing_of(const struct dialect *dialect)
{
    const char *name = dialect->protocol->name;
    if (strcmp(name, "model") == 0) {
        return FRAMING_MODEL;
    }
    if (dialect_streams(dialect)) {
        return FRAMING_STREAM;
    }
    if (dialect_has_ids(dialect)) {
        return FRAMING_MODEL_ID;
    }
    if (strcmp(name, "iso8583") == 0) {
        return FRAMING_LENGTH_BINARY;
    }
    if (strcmp(name, "mpu") == 0) {
        return FRAMING_LENGTH_DIGITS;
    }
    assert(strcmp(name, "echo") == 0);
    return FRAMING_LINE;
}

bool dialect_counts(const struct dialect *dialect)
{
    enum framing framing = framing_of(dialect);
    return framing == FRAMING_LENGTH_BINARY || framing == FRAMING_LENGTH_DIGITS;
}

/* ---- bodies ---- */

size_t message_head_size(const struct dialect *dialect, struct span text)
{
    for (size_t i = 0; dialect_streams(dialect) && i < text.size; i++) {
        if (text.data[i] == ':' || text.data[i] == '*') {
            return i + 1;
        }
    }
    return text.size;
}

static const char note[] = "~a note\n";

static size_t line_write(size_t count, uint8_t *out)
{
    char line[MESSAGE_LINE_BYTES_MAX + 12];
    int size = snprintf(line, sizeof line, "+%zu\n", count);
    assert(size > 0 && size <= MESSAGE_LINE_BYTES_MAX);
    memcpy(out, line, (size_t)size);
    return (size_t)size;
}

static size_t chunks_write(const struct dialect *dialect, enum speaker speaker, struct span body,
                           uint8_t *out)
{
    size_t at = 0;
    assert(dialect->chunk_bytes > 0);
    for (size_t done = 0; done < body.size;) {
        size_t rest = body.size - done;
        size_t count = dialect->chunk_bytes < rest ? dialect->chunk_bytes : rest;
        at += line_write(count, out + at);
        memcpy(out + at, body.data + done, count);
        at += count;
        done += count;
    }
    if (speaker == RESPONSE) {
        memcpy(out + at, note, sizeof note - 1);
        at += sizeof note - 1;
    }
    memcpy(out + at, ".\n", 2);
    return at + 2;
}

static size_t stream_write(const struct dialect *dialect, enum side side, enum speaker speaker,
                           struct span text, uint8_t *out)
{
    size_t at = 0;
    size_t head = message_head_size(dialect, text);
    if (side == TARGET_SIDE) {
        out[at++] = speaker == REQUEST ? '>' : '<';
    }
    memcpy(out + at, text.data, head);
    at += head;
    out[at++] = '\n';
    struct span body = span_from(text, head);
    uint8_t last = head == 0 ? 0 : text.data[head - 1];
    if (last == ':') {
        at += chunks_write(dialect, speaker, body, out + at);
    } else if (body.size > 0) {
        memcpy(out + at, body.data, body.size);
        at += body.size;
    }
    return at;
}

size_t message_line_at(const struct dialect *dialect, struct span text, size_t index)
{
    uint8_t line[MESSAGE_LINE_BYTES_MAX];
    size_t head = message_head_size(dialect, text);
    size_t body = text.size - head;
    size_t at = head + 1;
    for (size_t done = 0; done < body && index > 0; index--) {
        size_t count = dialect->chunk_bytes < body - done ? dialect->chunk_bytes : body - done;
        at += line_write(count, line) + count;
        done += count;
    }
    return at;
}

/* ---- messages ---- */

size_t message_room(const struct dialect *dialect, size_t text_size)
{
    size_t chunks = dialect->chunk_bytes == 0 ? 0 : text_size / dialect->chunk_bytes + 1;
    return text_size + 16 + sizeof note + chunks * MESSAGE_LINE_BYTES_MAX;
}

enum { TYPE_SIZE = 4 };

static const char *type_of(const struct dialect *dialect, enum speaker speaker)
{
    return !dialect->has_types ? "" : speaker == REQUEST ? "0200" : "0210";
}

/* The length in front of `size` bytes. Returns how many it takes. */
static size_t length_write(const struct dialect *dialect, size_t size, uint8_t *out)
{
    if (framing_of(dialect) == FRAMING_LENGTH_BINARY) {
        out[0] = (uint8_t)(size >> 8);
        out[1] = (uint8_t)size;
        return 2;
    }
    assert(size <= 9999);
    (void)snprintf((char *)out, 6, "%04u", (unsigned)size);
    return 4;
}

static size_t typed_write(const struct dialect *dialect, const char *type, struct span text,
                          uint8_t *out)
{
    size_t type_size = strlen(type);
    size_t at = length_write(dialect, type_size + text.size, out);
    memcpy(out + at, type, type_size);
    if (text.size > 0) {
        memcpy(out + at + type_size, text.data, text.size);
    }
    return at + type_size + text.size;
}

size_t message_event(const struct dialect *dialect, bool is_life_sign, uint8_t *out)
{
    assert(dialect_counts(dialect));
    return is_life_sign ? length_write(dialect, 0, out)
                        : typed_write(dialect, "0800", span_of("event", 5), out);
}

/* A whole message without its length. */
static struct span counted_body(const struct dialect *dialect, struct span bytes)
{
    size_t size = 0;
    struct dialect plain = *dialect;
    struct span body;
    plain.has_types = false;
    enum cut cut = message_cut(&plain, TARGET_SIDE, RESPONSE, bytes, &size, &body);
    assert(cut == CUT_WHOLE);
    return body;
}

static bool has_type(struct span body, const char *type)
{
    return body.size >= TYPE_SIZE && memcmp(body.data, type, TYPE_SIZE) == 0;
}

bool message_is_no_answer(const struct dialect *dialect, struct span bytes)
{
    return dialect->has_types &&
           !has_type(counted_body(dialect, bytes), type_of(dialect, RESPONSE));
}

bool message_is_harmless(const struct dialect *dialect, struct span bytes)
{
    struct span body = counted_body(dialect, bytes);
    return body.size == 0 || has_type(body, "0800");
}

size_t message_write(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span text, uint8_t *out)
{
    size_t at = 0;
    enum framing framing = framing_of(dialect);
    switch (framing) {
    case FRAMING_LENGTH_BINARY:
    case FRAMING_LENGTH_DIGITS:
        return typed_write(dialect, type_of(dialect, speaker), text, out);
    case FRAMING_MODEL:
    case FRAMING_MODEL_ID:
        if (side == TARGET_SIDE) {
            out[at++] = speaker == REQUEST ? '>' : '<';
        }
        if (framing == FRAMING_MODEL_ID) {
            message_set_id(out + at, 0); /* the sender writes its own over it */
            at += 2;
        }
        break;
    case FRAMING_STREAM:
        return stream_write(dialect, side, speaker, text, out);
    case FRAMING_LINE:
        break;
    }
    memcpy(out + at, text.data, text.size);
    at += text.size;
    if (framing == FRAMING_LINE || framing == FRAMING_MODEL || framing == FRAMING_MODEL_ID) {
        out[at++] = '\n';
    }
    return at;
}

static enum cut cut_line(struct span bytes, size_t skip, size_t *size, struct span *text)
{
    const uint8_t *newline = bytes.size == 0 ? NULL : memchr(bytes.data, '\n', bytes.size);
    if (newline == NULL) {
        return CUT_PARTIAL;
    }
    *size = (size_t)(newline - bytes.data) + 1;
    *text = span_of(bytes.data + skip, *size - 1 - skip);
    return CUT_WHOLE;
}

static enum cut cut_counted(const struct dialect *dialect, struct span bytes, size_t head,
                            size_t length, size_t *size, struct span *text)
{
    if (head + length > dialect->message_bytes_max) {
        return CUT_INVALID; /* oversized, which shows at once */
    }
    if (bytes.size < head + length) {
        return CUT_PARTIAL;
    }
    size_t type = !dialect->has_types ? 0 : length < TYPE_SIZE ? length : TYPE_SIZE;
    *size = head + length;
    *text = span_of(bytes.data + head + type, length - type);
    return CUT_WHOLE;
}

static enum cut cut_digits(const struct dialect *dialect, struct span bytes, size_t *size,
                           struct span *text)
{
    size_t length = 0;
    for (size_t i = 0; i < 4; i++) {
        if (i == bytes.size) {
            return CUT_PARTIAL;
        }
        if (bytes.data[i] < '0' || bytes.data[i] > '9') {
            return CUT_INVALID;
        }
        length = length * 10 + bytes.data[i] - '0';
    }
    return cut_counted(dialect, bytes, 4, length, size, text);
}

static enum cut cut_any(const struct dialect *dialect, enum side side, enum speaker speaker,
                        struct span bytes, size_t *size, struct span *text)
{
    switch (framing_of(dialect)) {
    case FRAMING_LINE:
        return cut_line(bytes, 0, size, text);
    case FRAMING_LENGTH_BINARY:
        return bytes.size < 2 ? CUT_PARTIAL
                              : cut_counted(dialect, bytes, 2,
                                            (size_t)bytes.data[0] << 8 | bytes.data[1], size, text);
    case FRAMING_LENGTH_DIGITS:
        return cut_digits(dialect, bytes, size, text);
    case FRAMING_MODEL:
        if (side == TARGET_SIDE && bytes.size > 0 &&
            bytes.data[0] != (speaker == REQUEST ? '>' : '<')) {
            return CUT_INVALID;
        }
        return cut_line(bytes, side == TARGET_SIDE ? 1 : 0, size, text);
    case FRAMING_MODEL_ID:
        if (side == TARGET_SIDE && bytes.size > 0 &&
            bytes.data[0] != (speaker == REQUEST ? '>' : '<')) {
            return CUT_INVALID;
        }
        return cut_line(bytes, side == TARGET_SIDE ? 3 : 2, size, text);
    case FRAMING_STREAM:
        break; /* see reader.c */
    }
    assert(false);
    return CUT_INVALID;
}

enum cut message_cut(const struct dialect *dialect, enum side side, enum speaker speaker,
                     struct span bytes, size_t *size, struct span *text)
{
    *size = 0;
    *text = span_of(NULL, 0);
    return cut_any(dialect, side, speaker, bytes, size, text);
}

/* A small hash (FNV-1a); whatever differs in a request shows in the response. */
static uint64_t hash(struct span text)
{
    uint64_t value = 0xCBF29CE484222325U;
    for (size_t i = 0; i < text.size; i++) {
        value = (value ^ text.data[i]) * 0x100000001B3U;
    }
    return value ^ value >> 29;
}

static size_t add_letters(uint8_t *out, uint64_t seed, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        out[i] = (uint8_t)('a' + (seed >> 33) % 26);
    }
    return count;
}

size_t message_request_text(char kind, uint32_t client, uint32_t sequence, size_t letters,
                            size_t body, uint8_t *out)
{
    uint64_t seed = (uint64_t)client << 32 | sequence;
    int size = snprintf((char *)out, MESSAGE_HEAD_BYTES_MAX, "%c%u.%u.", kind, client, sequence);
    assert(size > 0);
    size_t at = (size_t)size;
    at += add_letters(out + at, seed, letters);
    if (body > 0) {
        out[at++] = ':';
        at += add_letters(out + at, ~seed, body);
    }
    return at;
}

static bool parse_number(struct span text, size_t *at, uint32_t *number)
{
    size_t start = *at;
    *number = 0;
    while (*at < text.size && *at < start + 9 && text.data[*at] >= '0' && text.data[*at] <= '9') {
        *number = *number * 10 + text.data[(*at)++] - '0';
    }
    return *at > start && *at < text.size && text.data[(*at)++] == '.';
}

bool message_request_parse(struct span text, char *kind, uint32_t *client, uint32_t *sequence)
{
    size_t at = 1;
    if (text.size < 5) {
        return false;
    }
    *kind = (char)text.data[0];
    return parse_number(text, &at, client) && parse_number(text, &at, sequence);
}

uint32_t message_client_id(uint32_t client, uint32_t sequence)
{
    return (client * 37 + sequence) & 0xFF;
}

void message_set_id(uint8_t *out, uint32_t id)
{
    static const char digits[] = "0123456789abcdef";
    out[0] = (uint8_t)digits[id >> 4 & 15];
    out[1] = (uint8_t)digits[id & 15];
}

static uint32_t digit_value(uint8_t digit)
{
    return digit <= '9' ? digit - (uint32_t)'0' : digit - (uint32_t)'a' + 10;
}

uint32_t message_id(enum side side, struct span bytes)
{
    const uint8_t *digits = bytes.data + (side == TARGET_SIDE);
    return digit_value(digits[0]) << 4 | digit_value(digits[1]);
}

/* Where the number stands: eight digits behind the two that say whom it is for. */
static size_t number_at(struct span text)
{
    char kind;
    uint32_t client, sequence;
    if (!message_request_parse(text, &kind, &client, &sequence)) {
        return text.size;
    }
    const uint8_t *first = memchr(text.data, '.', text.size);
    assert(first != NULL);
    const uint8_t *second = memchr(first + 1, '.', text.size - (size_t)(first + 1 - text.data));
    assert(second != NULL);
    return (size_t)(second + 1 - text.data);
}

void message_set_number(struct span text, uint8_t *out, uint32_t number)
{
    size_t at = number_at(text);
    for (int shift = 24; at + 2 <= text.size && shift >= 0; shift -= 8, at += 2) {
        message_set_id(out + at, number >> shift & 0xFF);
    }
}

uint32_t message_number(struct span text)
{
    uint32_t number = 0;
    size_t at = number_at(text);
    for (size_t end = at + 8; at < end && at < text.size; at++) {
        number = number << 4 | digit_value(text.data[at]);
    }
    return number;
}

bool message_is_response_to(struct span response_text, struct span request_text)
{
    char kind;
    uint32_t client, sequence, asked_client, asked_sequence;
    return message_request_parse(response_text, &kind, &client, &sequence) &&
           message_request_parse(request_text, &kind, &asked_client, &asked_sequence) &&
           client == asked_client && (client > 0 || sequence == asked_sequence);
}

size_t message_response_room(const struct dialect *dialect)
{
    return dialect->response_bytes_max + MESSAGE_HEAD_BYTES_MAX + 8;
}

/* Three in four responses have a body, and a third of these is as long as any. */
static size_t add_body(const struct dialect *dialect, uint64_t mark, uint8_t *out)
{
    size_t most = dialect->response_bytes_max;
    uint64_t draw = mark >> 8;
    if (draw % 4 == 0 || most == 0) {
        return 0;
    }
    out[0] = dialect->has_until_end && (draw >> 8) % 6 == 0 ? '*' : ':';
    size_t size = draw % 3 == 0 ? most : 1 + (size_t)((draw >> 16) % most);
    return 1 + add_letters(out + 1, ~mark, size);
}

size_t message_response_text(const struct dialect *dialect, char kind, struct span request_text,
                             uint8_t *out)
{
    char request_kind;
    uint32_t client, sequence;
    struct span head = span_of(request_text.data, message_head_size(dialect, request_text));
    bool ours = message_request_parse(head, &request_kind, &client, &sequence);
    uint64_t mark = hash(head);
    int size = snprintf((char *)out, MESSAGE_HEAD_BYTES_MAX, "%c%u.%u.%08x.", kind,
                        ours ? client : 0, ours ? sequence : 0, (unsigned)(mark & UINT32_MAX));
    assert(size > 0);
    size_t at = (size_t)size;
    if (dialect_streams(dialect)) {
        at += add_letters(out + at, mark, mark % 8);
        return kind == 'I' ? at : at + add_body(dialect, mark, out + at);
    }
    size_t bytes_max = dialect->response_bytes_max;
    size_t letters_max = bytes_max > at ? bytes_max - at : 0;
    /* One in four responses is long, the others are short. */
    size_t letters = mark % 4 == 0 ? letters_max : letters_max < 8 ? letters_max : mark % 8;
    return at + add_letters(out + at, mark, letters);
}
