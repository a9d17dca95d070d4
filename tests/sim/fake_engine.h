/* SPDX-License-Identifier: MIT */
/*
 * The engine of the simulator: stands where net/engine_epoll.c stands, and is as strict as epoll,
 * edge-triggered. It looks at a connection only when something arrived for it or when the core has named
 * it on the changed list; a wish that was never announced is never fulfilled.
 */
#ifndef SIM_FAKE_ENGINE_H
#define SIM_FAKE_ENGINE_H

#include <stdint.h>

struct world;

/* When the engine next has something to do; now or earlier: it has. */
uint64_t fake_engine_due(const struct world *world);

/* One turn, as mux/mux.h describes it. */
void fake_engine_turn(struct world *world);

/* SIGTERM came. */
void fake_engine_drain(struct world *world);

#endif
