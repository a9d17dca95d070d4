/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: sends requests that name it and their place, and verifies every byte
 * that comes back. It knows what it may legally see: the response to its oldest unanswered request,
 * an error reply with a cause that the world really had, or the end of its connection for a reason that
 * holds. Some are rude: they dribble, flood, vanish, stall, talk nonsense or do not read.
 */
#ifndef SIM_CLIENT_MODEL_H
#define SIM_CLIENT_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger.h"
#include "mux/mux.h"

struct world;
struct connection;
struct client;

/* Draws a client from the swarm's habits. `polite`: none of the troubles. */
struct client *sim_client_create(struct world *world, uint32_t number, bool polite);
void sim_client_destroy(struct client **client);

uint64_t sim_client_due(const struct world *world, const struct client *client);
void sim_client_act(struct world *world, struct client *client);

/* Goes away now. */
void sim_client_leave(struct world *world, struct client *client, bool reset);

/* Its troubles stop: it reads, sends the rest of what it began, and finishes. */
void sim_client_heal(struct world *world, struct client *client);

/* Whether its connection is over, on both sides, or it never was. */
bool sim_client_is_done(const struct client *client);

/* Whether all its requests were answered by the target. */
bool sim_client_is_satisfied(const struct client *client);

/* How many of its requests took a link before they were whole. */
uint64_t sim_client_uploads(const struct client *client);

struct ledger_entry *sim_client_entry(struct client *client, uint32_t sequence);

/* The engine has read up to `upto` of its stream. */
void sim_client_was_read(struct world *world, struct client *client, uint64_t upto);

/* The core has told of its next whole request, which is returned. */
struct ledger_entry *sim_client_request_seen(struct world *world, struct client *client,
                                             uint64_t exchange, struct span bytes);

/* The core has told that an exchange of it ended although part of the response was delivered. */
void sim_client_cut_off(struct world *world, struct client *client, uint64_t exchange,
                        enum mux_reason reason);

/* The core has told that an exchange of it ends with an error. */
void sim_client_error_told(struct world *world, struct client *client, uint64_t exchange,
                           enum mux_reason reason);

/* The core has told why its connection ended; `told`: of the exchange that had no error reply. */
void sim_client_was_closed(struct world *world, struct client *client, enum mux_reason reason,
                           enum mux_reason told, bool paused);

#endif
