/* SPDX-License-Identifier: MIT */
/*
 * A whole run of a modelled world: faults for a while, then none; everybody who can finishes; a fresh
 * client is served; the core is told to stop, stops, and leaves nothing.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "choice.h"

struct tally {
    uint64_t steps, requests, responses, error_replies, links, strays, timeouts, resent, returned,
        orphans;
    uint64_t crossed, closers; /* requests that crossed a close, and worlds that wait for it */
    /* messages that stream */
    uint64_t uploads; /* requests that took a link before they were whole */
    uint64_t half_uploads, early_responses, cut_off, orphans_given_up;
    /* requests that share a response */
    uint64_t reads, joined, heirs, served_by_orphans;
};

/* One run of a drawn world; adds to `tally`. A check that fails does not return. */
void run_drawn(struct choice *choice, bool calm, bool aloud, const char *replay,
               struct tally *tally);

/* The trouble that a small world has, at any moment. */
enum small_trouble {
    SMALL_NONE,
    SMALL_CLIENT_RESETS,
    SMALL_CLIENT_CLOSES,
    SMALL_TARGET_ENDS,
    SMALL_TARGET_RESETS,
    SMALL_TARGET_STRAYS,
    SMALL_DRAIN,
    SMALL_COUNT,
};

const char *small_name(enum small_trouble trouble);

/* What the clients of a small world ask. */
enum small_asks {
    SMALL_PLAIN,
    SMALL_SHARES,  /* the same read, and one of them a write behind it */
    SMALL_STREAMS, /* with bodies that come in several parts */
    SMALL_ASKS_COUNT,
};

/* One run of a small world: two clients with two requests each, and one trouble. */
void run_small(struct choice *choice, enum small_asks asks, enum small_trouble trouble,
               const char *replay, struct tally *tally);

#endif
