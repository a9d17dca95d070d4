/* SPDX-License-Identifier: MIT */
/*
 * Reads the front of an ISO 8583 message; see iso_message.h.
 *
 * The message is walked from the MTI over the bitmap and the fields in front of field 11. In ASCII a numeric
 * field has a byte for each digit, in BCD one for two. A bitmap of 16 hexadecimal digits is told from one of
 * eight bytes by its looks, and occurs with ASCII only.
 */
#include "protocol/iso_message.h"

#include <stddef.h>

enum { MTI_DIGITS = 4, STAN_DIGITS = 6, STAN_FIELD = 11, PAN_FIELD = 2, PAN_DIGITS_MAX = 19 };
enum { BITMAP_BYTES = 8, BITMAP_DIGITS = 16 };

/* Digits of the fields in front of field 11, by number; field 2 has its length in front. */
static const uint8_t field_digits[STAN_FIELD] = {0, 0, 0, 6, 12, 12, 12, 10, 8, 8, 8};

/* What is left of a message, and how its digits are written. */
struct reader {
    struct span rest;
    bool is_bcd;
};

/* Takes so many digits, a nibble each, from the front. False: they are not there, or are none. */
static bool take_digits(struct reader *reader, size_t count, uint32_t *digits)
{
    size_t size = reader->is_bcd ? (count + 1) / 2 : count;
    if (reader->rest.size < size) {
        return false;
    }
    *digits = 0;
    for (size_t index = 0; index < count; index++) {
        uint8_t digit = 0;
        if (reader->is_bcd) {
            size_t place = index + count % 2; /* an odd number of digits has a zero in front */
            uint8_t byte = reader->rest.data[place / 2];
            digit = place % 2 == 0 ? byte >> 4 : byte & 15;
        } else {
            digit = (uint8_t)(reader->rest.data[index] - '0');
        }
        if (digit > 9) {
            return false;
        }
        *digits = *digits << 4 | digit;
    }
    reader->rest = span_from(reader->rest, size);
    return true;
}

static bool skip(struct reader *reader, size_t size)
{
    if (reader->rest.size < size) {
        return false;
    }
    reader->rest = span_from(reader->rest, size);
    return true;
}

static bool skip_digits(struct reader *reader, size_t count)
{
    return skip(reader, reader->is_bcd ? (count + 1) / 2 : count);
}

/* ---- MTI ---- */

static bool is_mti(uint32_t digits)
{
    uint32_t version = digits >> 12, class = digits >> 8 & 15;
    return (version <= 2 || version >= 8) && class >= 1 && class <= 8;
}

/* ASCII goes first, since ASCII digits can look like BCD: "02" would be 3032, whose version 3 does not
 * exist. */
static bool take_mti(struct reader *reader, uint16_t *mti)
{
    for (unsigned is_bcd = 0; is_bcd <= 1; is_bcd++) {
        struct reader trial = {.rest = reader->rest, .is_bcd = is_bcd != 0};
        uint32_t digits;
        if (take_digits(&trial, MTI_DIGITS, &digits) && is_mti(digits)) {
            *reader = trial;
            *mti = (uint16_t)digits;
            return true;
        }
    }
    return false;
}

/* ---- field 11 ---- */

static int hex_value(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    uint8_t letter = byte | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* A bitmap of hexadecimal digits. */
static bool take_hex_bitmap(struct reader *reader, uint64_t *bits)
{
    if (reader->is_bcd || reader->rest.size < BITMAP_DIGITS) {
        return false;
    }
    *bits = 0;
    for (size_t index = 0; index < BITMAP_DIGITS; index++) {
        int value = hex_value(reader->rest.data[index]);
        if (value < 0) {
            return false;
        }
        *bits = *bits << 4 | (uint64_t)value;
    }
    return skip(reader, BITMAP_DIGITS);
}

/* The first bitmap, and a second one skipped. */
static bool take_bitmap(struct reader *reader, uint64_t *bits)
{
    size_t size = BITMAP_DIGITS;
    if (!take_hex_bitmap(reader, bits)) {
        size = BITMAP_BYTES;
        if (reader->rest.size < size) {
            return false;
        }
        *bits = 0;
        for (size_t index = 0; index < size; index++) {
            *bits = *bits << 8 | reader->rest.data[index];
        }
        (void)skip(reader, size);
    }
    bool has_second = *bits >> 63 != 0;
    return !has_second || skip(reader, size);
}

/* Whether a field is there; fields count from 1, from the highest bit. */
static bool has_field(uint64_t bits, unsigned field)
{
    return (bits >> (64 - field) & 1) != 0;
}

static bool skip_field(struct reader *reader, unsigned field)
{
    if (field != PAN_FIELD) {
        return skip_digits(reader, field_digits[field]);
    }
    uint32_t length;
    if (!take_digits(reader, 2, &length)) {
        return false;
    }
    length = (length >> 4) * 10 + (length & 15);
    return length <= PAN_DIGITS_MAX && skip_digits(reader, length);
}

static bool take_stan(struct reader *reader, uint32_t *stan)
{
    uint64_t bits;
    if (!take_bitmap(reader, &bits) || !has_field(bits, STAN_FIELD)) {
        return false;
    }
    for (unsigned field = PAN_FIELD; field < STAN_FIELD; field++) {
        if (has_field(bits, field) && !skip_field(reader, field)) {
            return false;
        }
    }
    return take_digits(reader, STAN_DIGITS, stan);
}

struct iso_message iso_message_read(struct span body)
{
    struct iso_message message = {.has_mti = false};
    struct reader reader = {.rest = body};
    message.has_mti = take_mti(&reader, &message.mti);
    bool has_layout = message.has_mti && message.mti >> 12 <= 1; /* 2003 has other lengths */
    message.has_stan = has_layout && take_stan(&reader, &message.stan);
    return message;
}

/* ---- keys ---- */

#define KEY_HAS_MTI  ((uint64_t)1 << 63)
#define KEY_HAS_STAN ((uint64_t)1 << 62)
enum { KEY_MTI = 32 };

uint64_t iso_key_of(const struct iso_message *message)
{
    uint64_t key = message->has_mti ? KEY_HAS_MTI | (uint64_t)message->mti << KEY_MTI : 0;
    return message->has_stan ? key | KEY_HAS_STAN | message->stan : key;
}

struct iso_message iso_key_message(uint64_t key)
{
    return (struct iso_message){.has_mti = (key & KEY_HAS_MTI) != 0,
                                .has_stan = (key & KEY_HAS_STAN) != 0,
                                .mti = (uint16_t)(key >> KEY_MTI),
                                .stan = (uint32_t)key};
}

/* ---- answers ---- */

static unsigned class_of(uint16_t mti)
{
    return mti >> 8 & 15;
}

static unsigned function_of(uint16_t mti)
{
    return mti >> 4 & 15;
}

bool iso_is_request(const struct iso_message *message)
{
    return message->has_mti && function_of(message->mti) % 2 == 0;
}

/* Whether an MTI answers a request's. */
static bool is_answering(uint16_t request, uint16_t answer)
{
    if (answer == request || class_of(answer) == 6) {
        return true;
    }
    return answer >> 8 == request >> 8 && function_of(request) % 2 == 0 &&
           function_of(answer) == function_of(request) + 1;
}

enum iso_answer iso_answer_of(const struct iso_message *request, const struct iso_message *answer)
{
    if (!request->has_mti || !answer->has_mti) {
        return ISO_ANSWER_UNKNOWN;
    }
    if (!is_answering(request->mti, answer->mti)) {
        return ISO_ANSWER_NONE;
    }
    if (!request->has_stan || !answer->has_stan) {
        return ISO_ANSWER_FITS;
    }
    return request->stan == answer->stan ? ISO_ANSWER_EXACT : ISO_ANSWER_OTHER_STAN;
}
