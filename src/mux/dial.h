/* SPDX-License-Identifier: MIT */
/*
 * When the target is connected, and how long it could not be: attempts, back-off, the outage clock. The
 * rules are in dial.c. Private to mux/.
 */
#ifndef MUX_DIAL_H
#define MUX_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "mux/reason.h"

struct mux;
struct link;

/* How long to wait before the next attempt to connect. */
struct back_off {
    uint64_t since_ns;      /* the first failure since the last whole response */
    uint64_t base_ns;       /* doubles with each failure; 0: there was none */
    uint64_t pause_from_ns; /* the pause runs from here */
    uint64_t pause_ns;      /* to the next attempt, when nobody waits: the base with jitter */
};

/* How a link that was up has ended. */
enum link_end { LINK_END_OVER, LINK_END_REPLACED, LINK_END_FAILED };

void dial_init(struct mux *mux);
bool dial_is_wanted(const struct mux *mux);
/* Begins an attempt if one is wanted, allowed and due. */
void dial_run(struct mux *mux);
/* When the next attempt is due; TIME_NEVER: none is wanted or one is under way. */
uint64_t dial_deadline(const struct mux *mux);
/* An attempt has failed; its pause runs from then. */
void dial_failed(struct mux *mux, const struct link *link, uint64_t from_ns);
/* What the end of a link that was up means for the next attempt, see dial.c. `answered`: it has delivered
 * a whole response; `heard`: a byte has followed a request. */
enum link_end dial_ending(enum mux_reason reason, bool answered, bool heard);
/* The same for this link. A target that has broken off BROKEN_MAX links in a row inside their first answers
 * breaks off the next one too: that has failed. */
enum link_end dial_judge(struct mux *mux, const struct link *link, enum mux_reason reason);
/* A link that was up is about to be no longer usable, and has ended and is settled. */
void dial_ends(struct mux *mux, enum link_end end);
void dial_ended(struct mux *mux, const struct link *link, enum link_end end);
void dial_connected(struct mux *mux);
void dial_succeeded(struct mux *mux, const struct link *link);

#endif
