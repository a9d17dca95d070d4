/* SPDX-License-Identifier: MIT */
/*
 * Text that the load generator and the target share: what fills a message, fixed-width numbers, the
 * head of an HTTP message, and numbers on the command line.
 *
 * The pattern is letters without an order that a program could continue by mistake. It repeats after
 * a prime number of bytes, so that bytes which are lost, doubled or moved by any size of a buffer
 * show.
 */
#ifndef BENCH_TEXT_H
#define BENCH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PATTERN_PERIOD = 4093, PATTERN_PIECE_MAX = 64 * 1024, HTTP_HEAD_MAX = 2048 };

/* Before any other use of the pattern. */
void pattern_init(void);

/* The pattern from this offset on; PATTERN_PIECE_MAX bytes of it. */
const uint8_t *pattern_at(uint64_t offset);

/* Whether these bytes are the pattern from this offset on. */
bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t size);

/* Writes the lowest `count` decimal digits. */
void write_digits(uint8_t *out, unsigned count, uint32_t value);

/* The bytes up to and with the empty line that ends a head; 0: it is not there yet. */
size_t http_head_size(const uint8_t *bytes, size_t size);

/* The number in the Content-Length field of a head; UINT64_MAX: there is none. */
uint64_t http_content_length(const uint8_t *head, size_t size);

/* A decimal number in this range; ends the process with status 2 if it is not. */
uint64_t parse_number(const char *text, uint64_t minimum, uint64_t maximum);

#endif
