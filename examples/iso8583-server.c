/* SPDX-License-Identifier: MIT */
/*
 * An ISO 8583 server of sorts. A message is two bytes of length, most significant first, and as
 * many bytes of payload. The payload begins with the message type in four ASCII digits, of which
 * the third says whether it is a request: 0800 asks, 0810 answers.
 *
 * Every request comes back as its own answer: the same payload, the type turned from request to
 * response. Anything else comes back unchanged.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "net.h"

enum { PREFIX_BYTES = 2, TYPE_DIGITS = 4, PAYLOAD_MAX_BYTES = UINT16_MAX };

static bool starts_with_type(const unsigned char *payload, size_t size)
{
    if (size < TYPE_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < TYPE_DIGITS; i++) {
        if (!isdigit(payload[i])) {
            return false;
        }
    }
    return true;
}

/* Third digit: 0 request, 2 advice, 4 notification; the answer to each has the next odd digit. */
static void turn_into_response(unsigned char *payload, size_t size)
{
    unsigned char *function = &payload[2];
    if (starts_with_type(payload, size) &&
        (*function == '0' || *function == '2' || *function == '4')) {
        (*function)++;
    }
}

static void serve_messages(FILE *in, FILE *out)
{
    unsigned char prefix[PREFIX_BYTES];
    unsigned char payload[PAYLOAD_MAX_BYTES];
    while (fread(prefix, 1, PREFIX_BYTES, in) == PREFIX_BYTES) {
        size_t size = (size_t)prefix[0] << 8 | prefix[1];
        if (fread(payload, 1, size, in) < size) {
            return;
        }
        turn_into_response(payload, size);
        fwrite(prefix, 1, PREFIX_BYTES, out);
        fwrite(payload, 1, size, out);
        if (fflush(out) != 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    return server_run(argc, argv,
                      "Answers ISO 8583 messages with a two-byte length: 0800 with 0810.\n",
                      serve_messages);
}
