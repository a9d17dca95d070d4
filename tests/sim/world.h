/* SPDX-License-Identifier: MIT */
/*
 * A simulated world: one core, a virtual clock, and everything around it.
 *
 *     clients (client_model)  ──pipes──►  fake_engine + core  ──pipes──►  target (target_model)
 *
 * The world moves in steps. Everybody says when they next have something to do (`*_due`); a step picks
 * one of those who are due now and lets it act, or, when nobody is, moves the clock to the earliest. So
 * every interleaving that is possible at one moment is a sequence of choices.
 *
 * Scripted scenes (scene.h) use the same world without models: the scene plays clients and target.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/units.h"
#include "choice.h"
#include "closer.h"
#include "connection.h"
#include "ledger.h"
#include "links.h"
#include "message.h"
#include "mux/mux.h"
#include "network.h"
#include "sharing.h"
#include "swarm.h"
#include "trace.h"
#include "witness.h"

struct client;

enum {
    WORLD_CLIENTS_MAX = 16,
    WORLD_STOPS_MAX = 12,
    WORLD_EVENTS_AT_ONCE_MAX = 100000, /* steps without the clock moving: the world spins */
};

struct world_stop {
    uint64_t from, until;
};

struct world {
    struct choice *choice; /* borrows */
    struct swarm swarm;
    struct dialect dialect;
    struct trace trace;
    uint64_t now_ns;
    bool has_shifted; /* stray bytes have ended a link: the next may have to be silent at first */
    uint64_t steps, steps_at_once;

    size_t memory_before; /* of cores that a failed test has left behind */
    struct mux *mux;      /* owns; NULL before world_open and after world_close */
    struct mux_options options;
    uint8_t scratch[MUX_SCRATCH_BYTES];
    bool draining; /* mux_drain was called, at drained_at */
    uint64_t drained_at;

    struct connection **connections; /* owns each; all there ever were, in order of appearance */
    uint32_t connections_count, connections_room;
    struct connection **live; /* those that are not over */
    uint32_t live_count;
    uint64_t client_connections, link_connections;

    struct network network;
    uint64_t
        calm_links_lost_max; /* links that may end in a calm run: retired, or told to by a response */
    uint64_t weather_at, signal_at; /* TIME_NEVER: never */
    uint64_t trouble_at;            /* of a small world; TIME_NEVER: no more */
    uint32_t small_trouble;
    void (*make_trouble)(struct world *world);
    struct dialling dialling;
    bool wary; /* a link has ended with unanswered requests, and none has answered two since */
    uint32_t idle_holders; /* that ended for it, in a row, at least */
    mux_id stale[4];       /* connections that have ended, for late facts */
    uint32_t stale_count;
    bool resolved; /* the engine knows `resolved_count` addresses */
    uint32_t resolved_count;
    struct witness witness;
    struct sharing sharing;
    struct suspicions suspicions;
    struct closer_watch closer;
    struct client *clients[WORLD_CLIENTS_MAX]; /* owns each */
    uint32_t clients_count;
    bool someone_waits; /* a request, when deadlines were last run */
    uint64_t readings;  /* counts what the engine reads: odd while the core takes it in */
    bool modelled;      /* clients and target are models, and the ledger is kept */
    struct world_stop stops[WORLD_STOPS_MAX]; /* of the engine, which does not run meanwhile */
    uint32_t stops_count;
    bool healed; /* faults have stopped */
    bool
        turn_is_owed; /* the engine has not yet looked at the core after something was done to it */
};

/* Creates the core. Before it, fill choice, swarm, options and network; the rest is zero. */
void world_open(struct world *world, const char *replay);

/* Destroys the core, whatever state it is in, and frees everything. */
void world_close(struct world *world);

struct connection *world_add_connection(struct world *world, bool is_link);

/* The live connection that the core calls `id`; NULL: none. */
struct connection *world_find(const struct world *world, mux_id id);

/* Takes the connections that are over out of `live`. */
void world_sweep(struct world *world);

/* The request that a model sent; NULL: there is none of that name. */
struct ledger_entry *world_entry(const struct world *world, uint32_t client, uint32_t sequence);

/* One step. False: nobody will ever have anything to do again, or nothing before `until_ns`. */
bool world_step(struct world *world, uint64_t until_ns) MUST_USE;
/* The clock moves on to that time, unless the engine has taken it further already. */
void world_reach(struct world *world, uint64_t until_ns);

/* How long of the time since `from` the engine was stopped. */
uint64_t world_stopped_since(const struct world *world, uint64_t from);

/* Whether it is stopped now. */
bool world_is_stopped(const struct world *world);

/* The engine has connected a link: the target takes its end. */
void world_link_arrives(struct world *world, struct connection *link);

/* The engine has read from a modelled client, up to connection->up.read. */
void world_note_read(struct world *world, const struct connection *connection);

/* Stops all faults: names resolve, the target answers, clients behave. */
void world_heal(struct world *world);

/* Where a `client` and a `link` go by names: for the trace. */
const char *connection_kind(const struct connection *connection);

#define WORLD_TRACE(world, ...) trace_line(&(world)->trace, (world)->now_ns, __VA_ARGS__)

#endif
