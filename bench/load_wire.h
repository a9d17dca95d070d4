/* SPDX-License-Identifier: MIT */
/*
 * How the load generator asks in each protocol, and how it knows that an answer is the right one.
 *
 * Every request carries the number of its client and its own sequence number, and so does every
 * answer. An answer has a head, looked at when it is whole, and then a body of known size, which is
 * compared as it comes: nothing is kept but the beginning of a head.
 *
 * A request is written once; for each use only the two numbers in it are replaced. One thread.
 */
#ifndef BENCH_LOAD_WIRE_H
#define BENCH_LOAD_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An answer is that of the oldest request without one, or names its request (by-id wires). */
struct answer {
    size_t head_size;
    uint64_t body_size;
    uint16_t id; /* the lower half of the sequence number less one */
};

enum head_status { HEAD_WHOLE, HEAD_PARTIAL, HEAD_WRONG };

struct wire_sizes {
    uint32_t message;          /* --size */
    uint64_t upload, download; /* of one body; 0: none */
};

struct wire {
    const char *name;
    uint32_t size_min, size_max; /* of --size */
    size_t head_max;             /* bytes that a head which is not whole may have */
    bool is_by_id;
    bool carries_bodies; /* --upload and --download */

    void (*prepare)(const struct wire_sizes *sizes);

    /* A request without the body of an upload, which is the pattern. Lends the bytes. */
    size_t (*request)(uint32_t client, uint32_t sequence, const uint8_t **bytes);

    enum head_status (*head)(uint32_t client, const uint8_t *bytes, size_t size,
                             struct answer *answer);

    /* Whether these are the bytes of the body from the offset on. */
    bool (*body)(uint32_t client, uint32_t sequence, uint64_t offset, const uint8_t *bytes,
                 size_t size);
};

extern const struct wire wire_echo, wire_http, wire_modbus, wire_iso8583;

#endif
