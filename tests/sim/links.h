/* SPDX-License-Identifier: MIT */
/*
 * When links are opened and how long they live, as checks. Recovery without a storm (promise 7), for the
 * first link and for extra ones apart; extra links only where those there are full, and then soon;
 * --link-lifetime.
 */
#ifndef SIM_LINKS_H
#define SIM_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"
#include "mux/reason.h"

struct world;
struct connection;
struct ledger_entry;

enum { SIM_BROKEN_MAX = 2 };

#define SIM_REPLACE_NS (250 * NS_PER_MS)

/* Attempts that failed in a row, when the first did, and the pause behind the last. */
struct failures {
    uint64_t count;
    uint64_t since;
    uint64_t from;        /* the pause runs from here */
    uint64_t least, most; /* without jitter: doubled while requests waited, and while none did */
};

struct dialling {
    bool is_open;              /* an attempt was begun, and its link is not up */
    bool is_begun;             /* the engine has begun to resolve for it */
    bool is_last;              /* no other address is tried when this one fails */
    bool is_extra;             /* it was begun while another link was usable */
    uint64_t from;             /* begun, or the last of its addresses failed */
    struct failures behind[2]; /* attempts at a first link, and at extra ones */
    uint64_t misses;           /* addresses, attempts and links that failed */
    uint64_t misses_made_up;   /* of them, by a link that came up later */
    uint64_t attempt_ns;       /* the longest that an attempt takes whose target is up */
    uint64_t replacements;     /* links that were replaced, and no attempt was begun since */
    uint32_t broken;           /* links in a row that ended inside their first answer */
    uint64_t connected_at;     /* the last one that was connected */
    bool is_replacing;         /* the last link did not fail, and no attempt was begun since */
    uint64_t outage_ns;        /* time without a link that could be used, up to out_since */
    uint64_t out_since;        /* TIME_NEVER: there is one, or it is being replaced */
    uint64_t outages;          /* how often one has begun or ended */
    uint64_t stranded_since;   /* a request waits and there is no link; TIME_NEVER: not so */
    uint64_t crowded_since;    /* one waits and every link is full; TIME_NEVER: not so */
};

void links_begin(struct dialling *dialling);

/* The core tells that an attempt begins. */
void links_dial(struct world *world);
/* A link has answered for the first time, or the core tells that it is given up. */
void links_succeeded(struct world *world, const struct connection *link);
void links_lost(struct world *world, const struct connection *link, enum mux_reason reason);

/* A link is up. */
void links_up(struct world *world);

/* Time without a link that could be used, the pauses of ours not counted. */
uint64_t links_outage_ns(const struct world *world);
/* Whether that was so much since the request was there. */
bool links_were_out(const struct world *world, const struct ledger_entry *entry, uint64_t ns);

/* Whether nothing has failed, or is about to. */
bool links_are_well(const struct world *world);
/* Whether nothing has failed since the request was there, so that it should have been carried. */
bool links_were_well(const struct world *world, const struct ledger_entry *entry);

/* Whether its --link-lifetime is over. */
bool links_is_old(const struct world *world, const struct connection *link);

/* A request takes the link. */
void check_link_is_young(const struct world *world, const struct connection *link);

/* Each time before the clock moves. */
void check_recovery_is_prompt(struct world *world);
void check_extra_links_are_opened(struct world *world);
void check_link_lifetime(const struct world *world);

#endif
