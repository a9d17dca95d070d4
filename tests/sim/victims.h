/* SPDX-License-Identifier: MIT */
/*
 * Who goes when --buffer-memory is spent: the client that holds most, within a factor of two.
 *
 * What each holds is bounded from both sides by what is seen from outside: bytes that were read of it and are
 * no whole request yet, bytes that it was given and has not taken, requests that have not ended. A block
 * may be larger than what is in it, and stays until all of it is gone; so the upper bound knows the most
 * since a buffer was last surely empty.
 */
#ifndef SIM_VICTIMS_H
#define SIM_VICTIMS_H

#include <stddef.h>
#include <stdint.h>

struct connection;
struct mux_event;
struct world;

/* Of one connection. */
struct holding {
    uint64_t empty_at; /* stream offset up to which it was read when nothing of that was left */
    size_t out_most;   /* bytes to send, since there were none */
    size_t out_seen;   /* to send when it was looked at, sent_seen being sent before */
    uint64_t sent_seen;
    size_t given; /* since then */
};

enum { SUSPICIONS_MAX = 8 };

/* A client that went, and another that seems to hold far more. The core may not be asked at that moment; so
 * whether the other was still there then is looked at when it may be. */
struct suspicions {
    struct {
        uint64_t client, other;
        size_t most, least;
    } seen[SUSPICIONS_MAX];
    uint32_t count;
};

/* Behind each turn of the engine. */
void victims_look(struct world *world);

/* The core has told that bytes go to a connection. */
void victims_given(const struct world *world, struct connection *connection, size_t size);

/* The core has told that a client is closed for --buffer-memory. */
void victims_gone(struct world *world, const struct mux_event *event);

#endif
