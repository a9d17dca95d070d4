/* SPDX-License-Identifier: MIT */
/* The inside of a client's model, shared by client_model.c (what it does) and client_check.c (what
 * it may see). */
#ifndef SIM_CLIENT_STATE_H
#define SIM_CLIENT_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger.h"
#include "mux/mux.h"
#include "reader.h"

struct world;
struct connection;

enum { CLIENT_ENTRIES_MAX = 64 };

/* Reading had come so far at that time. */
struct read_mark {
    uint64_t at, upto;
};

struct client {
    uint32_t number; /* from 1; it names itself so in its requests */
    bool polite;
    struct connection *connection; /* borrows; NULL before it connects */

    /* what it is going to do */
    uint64_t start_at;
    uint32_t requests_count, depth;
    bool dribbles, half_closes, lingers;
    size_t part_bytes_max; /* it writes in parts, with pauses; 0: as much as there is room for */
    size_t sip_bytes_max;  /* it reads in parts, with pauses; 0: all that is there */
    bool ends_inside;      /* it half-closes where it stalls */
    uint32_t garbage_at, oversize_at, stall_at; /* sequence numbers; 0: never */
    uint64_t vanish_at_ns, vanish_at_byte;      /* TIME_NEVER: never */
    bool vanishes_by_reset;
    uint64_t deaf_from, deaf_until; /* does not read */

    /* what it has said */
    struct ledger_entry *entries[CLIENT_ENTRIES_MAX]; /* owns each */
    uint32_t entries_count;
    uint64_t composed; /* stream offset behind its last entry */
    uint8_t *out;      /* owns: composed and not yet written */
    size_t out_size, out_done;
    size_t held_back; /* bytes of a stalled message that it does not send before it is healed */
    size_t awaits_interim_at;      /* bytes of `out` before it waits for an interim response ... */
    uint64_t awaits_interim_until; /* ... so long; 0: it does not */
    uint64_t next_write_at, next_read_at, next_ask_at;
    bool half_closed, gone;

    /* what it has heard */
    uint64_t heard;  /* it has read so far in `down` */
    uint64_t parsed; /* ... and cut messages so far */
    struct reader reader;
    uint8_t *right; /* owns: the right response to entry `right_of` - 1, `right_size` bytes */
    size_t right_size;
    uint32_t right_of;
    uint32_t
        told_end_by;  /* the sequence number of a response whose head said that the end follows */
    uint32_t settled; /* entries, from the front, whose fate it knows */
    uint64_t answers;
    bool saw_end, saw_reset;
    uint64_t close_at; /* own descriptor, when lingering */

    /* what the core has told of it */
    uint32_t seen_count; /* entries, from the front, that were reported as requests */
    bool closed_by_core;
    bool may_be_cut_off; /* ... with responses that were not sent, and it is its own fault */
    enum mux_reason close_reason;
    enum trouble told[CLIENT_ENTRIES_MAX]; /* by entry, valid where told_any */
    bool told_any[CLIENT_ENTRIES_MAX];
    bool told_apart; /* trouble of no request: malformed, limit, memory, time-out */
    enum trouble apart;
    uint64_t last_read_at;   /* the engine read bytes of it */
    uint64_t read_before_at; /* ... and at an earlier moment */
    uint64_t read_upto;      /* stream offset */
    struct read_mark *marks; /* owns: where reading stood, and when */
    size_t marks_count, marks_room;
    bool is_cut_off; /* part of a response is all it gets, for this reason */
    enum mux_reason cut_off_reason;
    uint32_t clients_at_start; /* others connected when it came */
};

/* Everything that has arrived and was read by the client, cut and verified. */
void sim_client_hear(struct world *world, struct client *client);

/* The client sees the end of its connection. */
void sim_client_hear_end(struct world *world, struct client *client);

/* Requests at the end that expect no response are settled when nothing else is open. */
void sim_client_settle_silent(struct client *client);

/* The first entry behind which nothing counts: garbage, or a request that closes. Its index;
 * entries_count: there is none. */
uint32_t sim_client_poison(const struct client *client);

/* Composes its next request, or what it says instead. */
void sim_client_ask(struct world *world, struct client *client);

/* The entry that something the core told of is about; NULL: none. */
struct ledger_entry *sim_client_entry_of(const struct client *client, uint64_t exchange);

/* Whether a request may have ended for this reason. */
bool sim_client_cause_is_real(const struct world *world, const struct client *client,
                              const struct ledger_entry *entry, enum mux_reason reason);

#endif
