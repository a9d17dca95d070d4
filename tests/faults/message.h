/* SPDX-License-Identifier: MIT */
/*
 * Messages whose every byte is known beforehand: a line that says whose it is, with filler that
 * depends on that. So a byte of another message, or at another place, is noticed at once.
 *
 *     request    qCLIENT.SEQUENCE.SIZE.filler\n
 *     answer     aCLIENT.SEQUENCE.SIZE.filler\n
 */
#ifndef FAULTS_MESSAGE_H
#define FAULTS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { MESSAGE_BYTES_MIN = 40, MESSAGE_BYTES_MAX = 200 * 1024 };

struct message {
    char kind; /* 'q' or 'a' */
    unsigned client;
    unsigned sequence;
    size_t size; /* with the newline */
};

/* Writes the message: `size` bytes. */
void message_write(const struct message *message, uint8_t *bytes);

/* Reads a whole line. False: it is not exactly one message of that kind. */
bool message_read(char kind, const uint8_t *bytes, size_t size, struct message *message) MUST_USE;

/* Reads what the first MESSAGE_BYTES_MIN bytes of a message say, whatever follows. */
bool message_read_head(const uint8_t *bytes, size_t size, struct message *message) MUST_USE;

#endif
