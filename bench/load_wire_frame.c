/* SPDX-License-Identifier: MIT */
/*
 * The wires whose target sends back what it got: echo, iso8583 and modbus; see load_wire.h.
 *
 *     echo      client 000007 request 0000000012 PATTERN\n
 *     iso8583   two bytes of length, and then the same without the line end
 *     modbus    id 0 length unit 3 CLIENT SEQUENCE PATTERN        (two, two, two, one, one, four, four)
 *
 * All modbus clients use the same transaction ids, from 0 up, so that answers which keep the id of
 * another client show. The unit differs from client to client.
 */
#include <string.h>

#include "load_wire.h"
#include "text.h"

enum {
    FRAME_MAX = 65537, /* iso8583: length and payload */
    CLIENT_DIGITS = 6,
    SEQUENCE_DIGITS = 10,
    PREFIX_SIZE = 2,
    MBAP_SIZE = 7,
    MBAP_COUNTED_FROM = 6, /* the length counts the unit and what is behind it */
    MODBUS_MIN = MBAP_SIZE + 9,
    MODBUS_MAX = 260,
};

static const char words[] = "client 000000 request 0000000000 ";
enum { CLIENT_AT = 7, SEQUENCE_AT = 22, WORDS_SIZE = sizeof words - 1 };

static uint8_t frame[FRAME_MAX]; /* a request, and what its answer must be */
static size_t frame_size;
static uint8_t *frame_text; /* of echo and iso8583: where the words are */

static void store_be16(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
}

static void store_be32(uint8_t *out, uint32_t value)
{
    store_be16(out, value >> 16);
    store_be16(out + 2, value);
}

/* ---- echo and iso8583 ---- */

static void prepare_text(size_t prefix_size, size_t size)
{
    frame_size = size;
    frame_text = frame + prefix_size;
    memcpy(frame_text, words, WORDS_SIZE);
    memcpy(frame_text + WORDS_SIZE, pattern_at(0), size - prefix_size - WORDS_SIZE);
}

static void echo_prepare(const struct wire_sizes *sizes)
{
    prepare_text(0, sizes->message);
    frame[frame_size - 1] = '\n';
}

static void iso8583_prepare(const struct wire_sizes *sizes)
{
    store_be16(frame, sizes->message - PREFIX_SIZE);
    prepare_text(PREFIX_SIZE, sizes->message);
}

static void text_number(uint32_t client, uint32_t sequence)
{
    write_digits(frame_text + CLIENT_AT, CLIENT_DIGITS, client);
    write_digits(frame_text + SEQUENCE_AT, SEQUENCE_DIGITS, sequence);
}

static size_t text_request(uint32_t client, uint32_t sequence, const uint8_t **bytes)
{
    text_number(client, sequence);
    *bytes = frame;
    return frame_size;
}

static enum head_status text_head(uint32_t client, const uint8_t *bytes, size_t size,
                                  struct answer *answer)
{
    (void)client;
    (void)bytes;
    (void)size;
    *answer = (struct answer){.body_size = frame_size};
    return HEAD_WHOLE;
}

static bool text_body(uint32_t client, uint32_t sequence, uint64_t offset, const uint8_t *bytes,
                      size_t size)
{
    text_number(client, sequence);
    return memcmp(frame + offset, bytes, size) == 0;
}

const struct wire wire_echo = {
    .name = "echo",
    .size_min = 40,
    .size_max = 65536,
    .prepare = echo_prepare,
    .request = text_request,
    .head = text_head,
    .body = text_body,
};

const struct wire wire_iso8583 = {
    .name = "iso8583",
    .size_min = 40,
    .size_max = FRAME_MAX,
    .prepare = iso8583_prepare,
    .request = text_request,
    .head = text_head,
    .body = text_body,
};

/* ---- modbus ---- */

static void modbus_prepare(const struct wire_sizes *sizes)
{
    frame_size = sizes->message;
    store_be16(frame + 4, (uint32_t)frame_size - MBAP_COUNTED_FROM);
    frame[MBAP_SIZE] = 3;
    memcpy(frame + MODBUS_MIN, pattern_at(0), frame_size - MODBUS_MIN);
}

static uint8_t unit_of(uint32_t client)
{
    return (uint8_t)(client % 247 + 1);
}

static size_t modbus_request(uint32_t client, uint32_t sequence, const uint8_t **bytes)
{
    store_be16(frame, sequence - 1);
    frame[MBAP_SIZE - 1] = unit_of(client);
    store_be32(frame + MBAP_SIZE + 1, client);
    store_be32(frame + MBAP_SIZE + 5, sequence);
    *bytes = frame;
    return frame_size;
}

static enum head_status modbus_head(uint32_t client, const uint8_t *bytes, size_t size,
                                    struct answer *answer)
{
    if (size < MBAP_SIZE) {
        return HEAD_PARTIAL;
    }
    *answer = (struct answer){.head_size = MBAP_SIZE,
                              .body_size = frame_size - MBAP_SIZE,
                              .id = (uint16_t)(bytes[0] << 8 | bytes[1])};
    /* Protocol and length do not change from frame to frame. */
    bool is_right = memcmp(bytes + 2, frame + 2, 4) == 0 && bytes[MBAP_SIZE - 1] == unit_of(client);
    return is_right ? HEAD_WHOLE : HEAD_WRONG;
}

static bool modbus_body(uint32_t client, uint32_t sequence, uint64_t offset, const uint8_t *bytes,
                        size_t size)
{
    const uint8_t *expected;
    modbus_request(client, sequence, &expected);
    return memcmp(expected + MBAP_SIZE + offset, bytes, size) == 0;
}

const struct wire wire_modbus = {
    .name = "modbus",
    .size_min = MODBUS_MIN,
    .size_max = MODBUS_MAX,
    .head_max = MBAP_SIZE,
    .is_by_id = true,
    .prepare = modbus_prepare,
    .request = modbus_request,
    .head = modbus_head,
    .body = modbus_body,
};
