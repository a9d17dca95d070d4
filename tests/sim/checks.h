/* SPDX-License-Identifier: MIT */
/*
 * The promises of DESIGN.md section 2 as checks, each a function of its name. Those that watch over
 * one moment are called where it happens (link_watch.c, client_model.c, fake_engine.c); those about the
 * state of the world are called after every step (check_world).
 */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "base/span.h"
#include "connection.h"
#include "ledger.h"

struct world;
struct client;

/* After every fact. */
void check_core(const struct world *world);

/* After every turn of the engine. */
void check_every_wish_was_announced(const struct world *world);
void check_links_are_limited(const struct world *world);
void check_spoilt_links_are_given_up(const struct world *world);
void check_memory_is_bounded(const struct world *world);
void check_orphans_are_given_up(const struct world *world);

/* At a wish of the core. */
void check_wishes_make_sense(const struct world *world, const struct connection *connection,
                             unsigned wants);
/* `aborts`: it is closed by a reset. */
void check_link_is_retired_in_order(const struct world *world, const struct connection *link,
                                    bool aborts);

/* When the engine is about to read. */
void check_nobody_is_read_for_a_slow_client(const struct world *world,
                                            const struct connection *connection, unsigned wants);

/* At the first byte of a request on a link. */
void check_enough_of_a_request_is_there(const struct world *world, const struct connection *link,
                                        const struct ledger_entry *entry, size_t size);
void check_link_may_carry_a_request(const struct world *world, const struct connection *link);
void check_pacing(const struct world *world, const struct connection *link);

/* At the end of a run. */
void check_calm(const struct world *world);

#endif
