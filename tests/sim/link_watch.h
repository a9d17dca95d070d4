/* SPDX-License-Identifier: MIT */
/*
 * What goes over one link, followed byte by byte from outside the core: which requests went out, where
 * in the incoming stream the response of each begins and ends, and whether the link is spoilt.
 *
 * On a by-order link position is all there is: from the first byte of a request handed to the kernel,
 * the next incoming bytes are its response; bytes that come in while no response is awaited are
 * stray. The watch applies that rule on its own, so that a client's model can tell a response that the
 * target got wrong from one that the core gave to the wrong client.
 */
#ifndef SIM_LINK_WATCH_H
#define SIM_LINK_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "quiet.h"
#include "reader.h"

#include "mux/reason.h"

struct world;
struct connection;
struct ledger_entry;

enum {
    WATCH_AWAITED_MAX = 64,
    TRUST_ANSWERS = 2, /* after which a wary link is trusted */
    TIMEOUTS_MAX = 3,  /* in a row */
    SPENT_IDS = 32,    /* of 64 places, so many are retired before the link is replaced */
    SIM_ORPHAN_BYTES_MAX =
        256 * 1024, /* of a response that is swallowed for a client that has gone */
};

enum id_use { ID_FREE, ID_AWAITED, ID_RETIRED };

struct link_watch {
    struct ledger_entry *sending; /* whose request is going out; NULL: nobody's */
    struct ledger_entry
        *awaited[WATCH_AWAITED_MAX]; /* requests that await a response, oldest first */
    uint32_t awaited_count;
    uint64_t head_since;  /* since when the oldest of them is the oldest */
    bool is_wary;         /* opened when one before it had ended with unanswered requests */
    struct reader reader; /* of the response of the oldest, or by identifier of anyone's */
    uint64_t incoming_at; /* stream offset up to which responses were cut */
    uint8_t ids[256];     /* enum id_use; protocol `model-id` */
    uint32_t retired;     /* identifiers whose response did not come in time */
    uint32_t timeouts;    /* since something was received, by identifier */
    uint64_t answered;    /* whole responses */
    uint64_t credited;    /* of them, see link_watch_credit */
    const struct ledger_entry *held_by; /* who surely held it idly while others waited, ... */
    uint64_t held_at;                   /* ... when the clock was moved last; NULL: nobody */
    uint64_t told_in;   /* the reading in which the core last told of a response on it */
    bool heard;         /* a byte was read since a request went out */
    uint64_t swallowed; /* bytes of an orphaned response that has ended in this reading */
    uint64_t lost_in;   /* the reading in which it was given up; even: in none */
    const char *spoilt; /* why no further request may be sent; NULL: it may */
    bool has_half;      /* half of a message is there that nobody waits for, and may be harmless */
    struct quiet_watch quiet;
    uint64_t last_byte_at; /* of the last byte sent or received, for --gap; 0: none yet */
};

void link_watch_deinit(struct link_watch *watch);

/* The engine is about to hand the first `size` bytes of the core's view to the kernel. */
void link_watch_sending(struct world *world, struct connection *link, struct span view,
                        size_t size);

/* The engine has read up to link->up.read. */
void link_watch_received(struct world *world, struct connection *link);

/* The core has taken what was read, so the answers in it count. When it has no memory for what was read,
 * the link is given up and they do not. */
void link_watch_credit(struct world *world, struct connection *link);

/* The core tells that the response of a request on it did not come in time. */
void link_watch_timed_out(struct world *world, struct connection *link,
                          const struct ledger_entry *entry);

/* The core tells that the link is up, or that it is given up. */
void link_watch_up(const struct world *world, struct connection *link);
void link_watch_lost(struct world *world, struct connection *link, enum mux_reason reason);
/* The target's end-of-stream was read. */
void link_watch_ended(struct world *world, struct connection *link);

/* A client has gone, whose request or response the link may carry. */
void link_watch_client_gone(struct world *world, struct connection *link, uint32_t client);

/* Whether more is to come of an orphaned response than is swallowed; `surely`: whoever counts. What was
 * swallowed before its client was closed, and lines that have come in part, are counted by the core alone
 * or by nobody. */
bool link_watch_has_large_orphan(const struct connection *link, bool surely);

/* The link is over: what it still carried has ended without a response. */
void link_watch_over(struct world *world, struct connection *link);

#endif
