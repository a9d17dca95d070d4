/* SPDX-License-Identifier: MIT */
/*
 * No clock that the other side can wind for ever, as checks: how long one exchange may keep a link from
 * others, whatever bytes come in the meantime. Each time before the clock moves; what is late is late then.
 */
#ifndef SIM_CLOCKS_H
#define SIM_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct connection;
struct client;
struct ledger_entry;

/* Promise: the head of a response comes within --timeout of its request, what is left of a client that
 * has gone is over within --timeout, and sooner where no end is in sight and others wait. Who holds a link
 * and neither brings nor takes anything has --write-timeout while others wait, the next in a row half of
 * it. */
void check_clocks_are_not_wound(const struct world *world);

/* An upload ends since its client has stalled: if it held its link idly, the next in a row has less time. */
void clocks_stalled(struct world *world, const struct ledger_entry *entry);

/* Whether the link may be given up for what it swallows, since that has taken too long. */
bool clocks_orphan_is_old(const struct world *world, const struct connection *link);

/* Whether a client has had --client-timeout for a message, and brought little. */
bool clocks_has_dawdled(const struct world *world, const struct client *client,
                        const struct ledger_entry *entry);
/* Whether it stalled inside a request: before it took a link, or while it held one. */
bool clocks_has_stalled(const struct world *world, const struct client *client,
                        const struct ledger_entry *entry);
/* The least time that a client may hold a link idly while others wait. */
uint64_t clocks_least_hold_ns(const struct world *world);

#endif
