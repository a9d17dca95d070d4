/* SPDX-License-Identifier: MIT */
/*
 * Promise 4 as checks: whose turn it is. A polite client waits for at most what is in flight plus one
 * request of each other waiting client; a client with requests in flight uses their link and no other;
 * and nobody waits for a link that could carry its request.
 */
#ifndef SIM_TURNS_H
#define SIM_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct connection;
struct seen_exchange;

/* The core tells that a request of the client has taken a link, or comes back from it. */
void turns_taken(struct world *world, uint64_t taker, const struct seen_exchange *exchange);
void turns_returned(struct world *world, uint64_t taker);

/* Whether somebody waits, surely or perhaps, who has nothing in flight, so that any link will do. */
bool turns_wait_for_any_link(const struct world *world);
bool turns_may_wait_for_any_link(const struct world *world);
/* For any, or for this one. */
bool turns_may_wait_for(const struct world *world, const struct connection *link);
/* Whether somebody surely waits who could have this link, were it not for the client `but`; and when the last
 * of those arrived who may wait for it. */
bool turns_wait_for(const struct world *world, const struct connection *link, uint64_t but,
                    uint64_t *arrived_at);
/* Whether any request waits. Its client may stand in the turns though only its own link will do, which is
 * about to be read or has just got room. */
bool turns_are_asked_for(const struct world *world);
/* Whether somebody may keep the link for what must be alone on it. */
bool turns_somebody_must_be_alone(const struct world *world, const struct connection *link);

/* After every turn of the engine. */
void check_nobody_waits_for_a_free_link(const struct world *world);

#endif
