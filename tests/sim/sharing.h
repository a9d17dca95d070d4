/* SPDX-License-Identifier: MIT */
/*
 * Requests that share a response (--coalesce, src/mux/share.c), as checks. Protocol `model-id` has reads that
 * may be shared: kind 'S', whose text names no client but a key, so that all of one key are the same.
 *
 * Two accounts are kept, and set against each other. From outside the core: every request that the target
 * hears gets a number, and the response to a read shows it; so a client that has got a response knows which
 * sending it answers, and what the target had heard before. From the core's own story: who joined whom.
 *
 * An *effect* is a request that is no read, from its arrival to its end. What is promised:
 *  - Nobody joins while an effect is open, nor a read that took its link before the last one ended, nor one
 *    of whose response a byte has come.
 *  - So no read is answered by a sending from before an effect that had ended when it was asked; nor out of
 *    order with the effects of its own client.
 *  - The response of a leader, whether its client is there or not, goes to all who have joined it and to
 *    nobody else. Each is told only by its own identifier, and sent to the target once.
 *  - A leader that ends without one is followed by the first who joined it, and the others stay with that.
 *    Only those who had asked when it was sent end in the same time-out. Who has joined one that was
 *    answered by what can be no response ends with it.
 */
#ifndef SIM_SHARING_H
#define SIM_SHARING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "mux/mux.h"

struct world;
struct client;
struct connection;
struct ledger_entry;
struct seen_exchange;

/* A request that the target has heard; numbered from 1. */
struct hearing {
    const struct connection *link; /* borrows */
    uint32_t id;                   /* on the link */
    uint32_t key;                  /* of a read; 0: it is none */
    uint32_t answered; /* reads whose own sending it was, and who have got its response */
};

struct sharing {
    struct hearing *hearings; /* owns */
    uint32_t hearings_count, hearings_room;
    uint64_t effects_open, effects_ended;
    uint32_t newest_effect; /* the hearing of the newest one that was answered */
    uint64_t reads;         /* asked */
    uint64_t reads_heard;
    uint64_t joined;            /* reads that have ever joined another */
    uint64_t joined_now;        /* ... and are with it */
    uint64_t heirs;             /* ... and took the place of their leader */
    uint64_t served_by_orphans; /* ... and got the response of one whose client had gone */
};

void sharing_deinit(struct sharing *sharing);

/* Whether a request of that kind has no effect; whether it may be shared. */
bool sharing_is_read(char kind);
bool sharing_is_shareable(char kind);
/* The key of a read, from its text or that of its response; 0: it names a client. */
uint32_t sharing_key(struct span text);

/* The target has heard a request. Its number. */
uint32_t sharing_heard(struct world *world, const struct connection *link, uint32_t id,
                       struct span text);

/* The core tells its story. An exchange that is taken has its link, one that has ended its reason. */
void sharing_asked(struct world *world, struct seen_exchange *exchange);
void sharing_joined(struct world *world, const struct mux_event *event);
void sharing_taken(const struct world *world, struct seen_exchange *exchange);
void sharing_returned(struct world *world, const struct seen_exchange *leader);
void sharing_ended(struct world *world, struct seen_exchange *exchange);

/* A client has got the response to its read, right but for the number that it shows. */
void sharing_answered(struct world *world, struct ledger_entry *entry, struct span text);

/* The request whose sendings are made for this one: its leader, or itself. */
const struct ledger_entry *sharing_leader(const struct world *world,
                                          const struct ledger_entry *entry);
/* The read that took the link under this identifier; NULL: none did. */
struct ledger_entry *sharing_reader(const struct world *world, const struct connection *link,
                                    uint32_t id);
/* Whether the client of that serial shares a response that is still to come. */
bool sharing_is_joined(const struct world *world, uint64_t client);

/* When the clock moves. */
void check_joiners_end_in_time(const struct world *world);

/* At the end of a run. */
void check_reads_and_effects_are_in_order(const struct world *world);
void check_reads_add_up(const struct world *world);

#endif
