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

/* One time that a request went to a link. */
struct sending {
    struct connection *link;
    uint32_t id; /* on the link, where there are such */
    uint64_t first_byte_at;
    bool whole;             /* all its bytes were handed over */
    bool responding;        /* a byte of the response has come */
    uint64_t response_from; /* stream offsets in link->up, interim responses included */
    uint64_t response_upto;
    bool response_whole;
    bool unprocessed; /* it stood behind a response that announced the link's end */
    bool lost;        /* the link ended, or was given up, without the whole response */
};

struct ledger_entry {
    uint32_t client, sequence;
    char kind;
    uint8_t *text; /* owns; `text_size` bytes */
    size_t text_size;
    uint64_t stream_from, stream_upto; /* in the client's stream, framing included */
    bool is_request;                   /* false: garbage, or an unfinished message */
    bool read_whole;                   /* by the engine, at read_at */
    uint64_t read_at;
    uint64_t exchange; /* serial that the core gave it; 0: none */
    uint64_t settled_at;
    struct sending sendings[SENDINGS_MAX];
    uint32_t sendings_count;
    enum outcome outcome;
    bool interim_seen;
};

static inline bool entry_expects_response(const struct ledger_entry *entry)
{
    return entry->kind != '!';
}

#endif
