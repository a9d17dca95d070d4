/* SPDX-License-Identifier: MIT */
/*
 * The observer of the core in the simulator: writes the trace, counts, and checks that the core's own
 * story makes sense: every exchange ends exactly once and nothing is told of it afterwards, every client
 * and link opens before it closes, and turns are fair.
 */
#ifndef SIM_WITNESS_H
#define SIM_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mux/mux.h"

struct world;
struct connection;

enum { WITNESS_KINDS = MUX_PAUSED + 1, WITNESS_CLIENTS_MAX = 64 };

enum exchange_phase { PHASE_UNKNOWN, PHASE_WAITING, PHASE_JOINED, PHASE_TAKEN, PHASE_ENDED };

struct seen_exchange {
    enum exchange_phase phase;
    bool queued;            /* a MUX_REQUEST was told */
    bool orphaned;          /* its client had gone when it ended */
    bool replied;           /* a MUX_ERROR_REPLY was told */
    uint64_t client;        /* serial */
    enum mux_reason reason; /* of its end */
    uint64_t since;         /* asked at */
    uint32_t responses;
    struct connection *link;    /* borrows; that it is on or, if it has ended, was on then */
    struct ledger_entry *entry; /* borrows; NULL: not known */
    uint64_t taken_as;          /* counts what links have taken */
    uint64_t taken_at;
    char kind;              /* of the request, in protocol `model`; 0: not known */
    uint32_t id;            /* on the link */
    uint64_t leader;        /* of what has joined it, or had when it ended; 0: none */
    uint32_t served;        /* joined requests that got its response */
    uint64_t effects_ended; /* when it took its link */
    uint32_t newest_effect; /* when it was asked */
};

struct seen_client {
    struct connection *connection; /* borrows */
    bool spoke;
    bool closed;
    bool paused;                 /* closed for --buffer-memory */
    enum mux_reason reason;      /* of the end */
    enum mux_reason told_reason; /* of the last error reply without bytes, REASON_NONE: none */
    uint32_t open;               /* exchanges that have not ended */
    uint64_t head;               /* the oldest of them, since head_since */
    uint64_t head_since;
    uint32_t turns_seen
        [WITNESS_CLIENTS_MAX]; /* per serial of another: turns it had while this one waited */
};

struct witness {
    uint64_t kinds[WITNESS_KINDS];
    enum mux_reason last_reason[WITNESS_KINDS];
    uint64_t ended[REASON_COUNT], lost[REASON_COUNT]; /* exchanges, links */
    uint64_t cut_off;                                 /* responses of which a part was delivered */
    uint64_t error_replies_with_bytes;
    struct seen_exchange *exchanges; /* owns; index: serial */
    size_t exchanges_room;
    uint64_t exchanges_count; /* highest serial seen */
    uint64_t exchanges_open, exchanges_open_max;
    uint64_t taken_count;
    uint64_t oldest_open; /* every exchange below has ended */
    struct seen_client
        clients[WITNESS_CLIENTS_MAX]; /* index: serial; later ones are not followed */
    uint64_t clients_count;
};

void witness_event(void *world, const struct mux_event *event);
void witness_deinit(struct witness *witness);

/* No exchange is older than its deadlines allow. */
void check_every_request_ends_in_time(const struct world *world);

/* At the end: everything that began has ended. */
void check_nothing_is_left_open(const struct world *world);

/* The core's counters against what was told. */
void check_counters_match_events(const struct world *world);

#endif
