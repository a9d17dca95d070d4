/* SPDX-License-Identifier: MIT */
/*
 * The identifiers that a link's exchanges carry (MATCH_BY_ID): given, found by number, free again.
 *
 * A table of places; identifier and place belong together, place = identifier & mask, so that finding is
 * one look. Identifiers count up, over those whose place is held; so an identifier comes back only after
 * all others, and never while its place is held. A *retired* one, whose response did not come in time and
 * may come yet, holds its place until the link is replaced.
 *
 * Owns its memory; knows exchanges only by pointer. Private to mux/.
 */
#ifndef MUX_IDS_H
#define MUX_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct exchange;

struct id_place {
    struct exchange *exchange; /* borrows while held; NULL: retired */
    uint32_t id;
    bool held;
};

/* A zeroed one is that of a protocol without identifiers: nothing can be given. */
struct ids {
    struct id_place *places; /* owns; mask + 1 of them */
    uint32_t mask;
    uint32_t id_max; /* all bits set */
    uint32_t next;   /* where the next search begins; goes on when the link is replaced */
    uint32_t retired_count;
};

/* Room for `held_max` identifiers at a time beside as many retired ones. False: no memory. */
bool ids_init(struct ids *ids, uint32_t held_max, uint32_t id_max) MUST_USE;
void ids_deinit(struct ids *ids);

/* An identifier for the exchange, held until ids_free or ids_retire. */
uint32_t ids_give(struct ids *ids, struct exchange *exchange);

/* Who has it; NULL: nobody, or it is retired. */
struct exchange *ids_find(const struct ids *ids, uint32_t id);

void ids_free(struct ids *ids, uint32_t id);
void ids_retire(struct ids *ids, uint32_t id);

/* Whether so many are retired that the link has to be replaced. */
bool ids_are_spent(const struct ids *ids);

/* The link has ended: all are free. */
void ids_clear(struct ids *ids);

/* Asserts that `held_count` are held by exchanges. */
void ids_check(const struct ids *ids, uint32_t held_count);

#endif
