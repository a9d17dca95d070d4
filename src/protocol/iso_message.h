/* SPDX-License-Identifier: MIT */
/*
 * What can be read of an ISO 8583 message without knowing the host's dialect: its message type indicator
 * (MTI) and field 11, the system trace audit number (STAN). Nothing else of a message is looked at.
 *
 * The MTI has four digits: version (0, 1, 2 for the editions of 1987, 1993 and 2003; 8 national, 9
 * private), class (1 to 8), function and origin (ISO 8583-1). It stands at the front, in ASCII digits or in
 * BCD. A header in front of it hides it.
 *
 * Field 11 is found where the layouts of 1987 and 1993 agree: behind a bitmap of 8 bytes or 16 hexadecimal
 * digits, and behind fields 2 to 10, of which only field 2 has a length of its own. Where anything on the
 * way does not fit, field 11 is unreadable: it is never guessed.
 *
 * An `iso_key` is what a request shows, packed into the 64 bits of `request.key`, to compare its answer with.
 */
#ifndef PROTOCOL_ISO_MESSAGE_H
#define PROTOCOL_ISO_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct iso_message {
    bool has_mti, has_stan;
    uint16_t mti;  /* a digit in each nibble: 0x0200 */
    uint32_t stan; /* likewise: 0x000326 */
};

/* Reads a message, without its length in front. */
struct iso_message iso_message_read(struct span body);

uint64_t iso_key_of(const struct iso_message *message);
struct iso_message iso_key_message(uint64_t key);

/* How a message from the host stands to a request, both as far as they show anything. */
enum iso_answer {
    ISO_ANSWER_UNKNOWN,    /* one of them shows no MTI, so nothing can be said */
    ISO_ANSWER_FITS,       /* its MTI answers the request's; field 11 is not shown by both */
    ISO_ANSWER_EXACT,      /* its MTI answers the request's, and field 11 is equal */
    ISO_ANSWER_OTHER_STAN, /* its MTI answers the request's, and field 11 differs */
    ISO_ANSWER_NONE,       /* it is no answer to this request */
};

/* Its MTI answers the request's when version and class are equal and its function is the one above an
 * even function (0200 is answered by 0210, 0420 by 0430; the origin is not compared), when it is the
 * request's own MTI (returned, echoed, or a header that only looks like an MTI), or when its class is 6
 * (administrative). */
enum iso_answer iso_answer_of(const struct iso_message *request, const struct iso_message *answer);

/* Whether the MTI is of a message that wants an answer: its function is even. */
bool iso_is_request(const struct iso_message *message);

#endif
