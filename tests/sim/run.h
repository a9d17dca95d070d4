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
    /* messages that stream */
    uint64_t uploads; /* requests that took a link before they were whole */
    uint64_t half_uploads, early_responses, cut_off, orphans_given_up;
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

/* One run of a small world: two clients with two requests each, and one trouble. Those that stream have
 * bodies that come in several parts. */
void run_small(struct choice *choice, bool streams, enum small_trouble trouble, const char *replay,
               struct tally *tally);

#endif
