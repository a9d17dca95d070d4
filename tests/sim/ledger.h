/* SPDX-License-Identifier: MIT */
/*
 * The book of every request of a run: what was asked, when the core had it whole, on which links it
 * went out and what became of it. Written by the models and by the watch over the links, never by the core.
 */
#ifndef SIM_LEDGER_H
#define SIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct connection;

enum { SENDINGS_MAX = 32 };

enum outcome {
    OUTCOME_NONE,
    OUTCOME_ANSWERED,    /* with the response of the target */
    OUTCOME_ERROR_REPLY, /* with an error reply */
    OUTCOME_SILENT,      /* expects no response */
    OUTCOME_CLOSED,      /* its client's connection ended first */
};

/* What is wrong with a request behind its head. */
enum flaw { FLAW_NONE, FLAW_MALFORMED, FLAW_TOO_LARGE };

/* One time that a request went to a link. */
struct sending {
    struct connection *link;
    uint32_t id; /* on the link, where there are such */
    uint64_t first_byte_at, last_byte_at;
    size_t sent;     /* bytes of it that were handed over */
    bool streams;    /* it took the link before it was whole */
    bool whole;      /* all of them */
    bool responding; /* a byte of the response has come, in reading number responding_in */
    uint64_t responding_in;
    bool answering;     /* the head of the final response has come */
    bool early;         /* ... before all of the request was handed over */
    bool closes_client; /* its end is told by closing the client's connection */
    uint32_t heard_as;  /* the target's count of what it heard, where there are identifiers */
    bool orphaned;      /* its client has gone, when reading had come to orphan_from */
    uint64_t orphan_from, orphaned_at;
    uint64_t response_from; /* stream offsets in link->up, interim responses included */
    uint64_t response_upto;
    bool response_whole;
    bool wrong;       /* ... and it can be none, so that the request fails */
    bool unprocessed; /* it stood behind a response that announced the link's end */
    bool lost;        /* the link ended, or was given up, without the whole response */
};

struct ledger_entry {
    uint32_t client, sequence;
    uint32_t own_id; /* its client's identifier for it, where there are such */
    char kind;
    uint8_t *text; /* owns; `text_size` bytes */
    size_t text_size;
    uint8_t *wire; /* owns; `wire_size` bytes: as the target sees it */
    size_t wire_size;
    enum flaw flaw;    /* found out in the middle: the head is right, and it is never whole */
    size_t sound_size; /* bytes on the client's side in front of the flaw; all without one */
    uint64_t stream_from, stream_upto; /* in the client's stream, framing included */
    bool is_request;                   /* false: garbage, or an unfinished message */
    bool read_whole;                   /* by the engine, with reading number read_in */
    uint64_t read_in;
    bool is_ready; /* enough of it was read to wait for a link, at ready_at */
    uint64_t ready_at;
    uint64_t ready_outage_ns; /* the outages until then, and how often one had begun or ended */
    uint64_t ready_outages;
    uint64_t ready_misses; /* what had failed until then */
    bool ready_well;       /* ... and nothing that it waited for */
    uint64_t
        surely_ready_at; /* the same without doubt; TIME_NEVER: not yet. A line between chunks may
                                 have come in part, and does not count before it is whole */
    uint64_t exchange;   /* serial that the core gave it; 0: none */
    uint64_t settled_at;
    struct sending sendings[SENDINGS_MAX];
    uint32_t sendings_count;
    enum outcome outcome;
    bool interim_seen;
    uint32_t
        sent_for_it; /* times that a request which it had joined was sent, and its link broke */
    uint32_t shown;  /* the number in its response, of a read that may be shared; 0: none */
};

/* Whether it takes a link with its head. */
static inline bool entry_is_eager(const struct ledger_entry *entry)
{
    return entry->kind == 'E';
}

/* Whether a request of this kind is alone on its link. */
static inline bool kind_is_alone(char kind)
{
    return kind == 'A' || kind == 'L';
}

static inline bool entry_expects_response(const struct ledger_entry *entry)
{
    return entry->kind != '!';
}

#endif
