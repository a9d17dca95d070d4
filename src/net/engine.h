/* SPDX-License-Identifier: MIT */
/*
 * The engine: makes the kernel match what the core wants, and tells the core what happened.
 *
 * One engine is one loop on one thread; it serves one or many routes. It owns every descriptor:
 * listeners, clients, links, and those of other parties that want to be told when theirs is ready
 * (signals, later the admin server). It knows nothing of messages.
 *
 * The turn: wait for events until the earliest deadline; take in the facts of links, then of
 * clients; run deadlines; accept; let the cores admit and say what changed; flush links, then clients. See
 * mux/mux.h. epoll, edge-triggered; another engine would be another engine_*.c behind this header.
 */
#ifndef NET_ENGINE_H
#define NET_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/log.h"
#include "mux/mux.h"
#include "net/address.h"
#include "net/spin.h"

struct engine;
struct engine_route;

/* What a route needs of the network. */
struct engine_route_options {
    struct endpoint target;
    const struct endpoint *listen; /* `listen_count` of them; borrowed for the call */
    size_t listen_count;
    bool has_source;
    struct address source;      /* of links, when has_source */
    uint64_t keepalive_idle_ns; /* silence before the first keepalive probe, both sides */
    uint64_t
        user_timeout_ns; /* TCP_USER_TIMEOUT of links: unacknowledged bytes for this long end it */
};

/* `origin` of MUX_CLIENT_OPENED and MUX_LINK_UP events points to this, borrowed for the call. */
struct engine_origin {
    const struct address *local, *remote;
};

/* `log` is borrowed for the engine's life: trouble of the system (out of descriptors, accept
 * failing) is logged there, at a limited rate. The cores receive into their scratch; the engine has
 * no buffer. */
struct engine *engine_create(struct log *log, struct error *error) MUST_USE;

/* Closes every descriptor that the engine owns. The cores are not told, and may be destroyed before
 * or after. */
void engine_destroy(struct engine **engine);

/* The monotonic clock. Deadlines are measured by one that starts as this and leaves out the time in which
 * we did not run (run_clock.h). */
uint64_t engine_now(void);

/* Opens the route's listeners and brings it to life. The core is borrowed until engine_destroy.
 * False: an address cannot be listened on; nothing is left open. */
struct engine_route *engine_add_route(struct engine *engine, struct mux *mux,
                                      const struct engine_route_options *options,
                                      struct error *error) MUST_USE;

/* How many listening sockets the route has, and the address of one, with the port the kernel chose.
 */
size_t engine_listeners_count(const struct engine_route *route);
const struct address *engine_listener_address(const struct engine_route *route, size_t index);

/* The addresses of a live connection, for logs; also from inside the observer, until its mux_closed
 * has returned. `local` has size 0 where there is none (a socket could not be opened). False:
 * nothing is known: a link that has not begun to connect, a client inside its mux_accepted (see
 * `origin`). */
bool engine_names(const struct engine_route *route, mux_id id, struct address *local,
                  struct address *remote);

/* The network interface that the target's address names and that was not there when it was last looked up;
 * NULL: none was missing. Valid as long as the route. */
const char *engine_missing_interface(const struct engine_route *route);

/* Closes the route's listeners (and removes the unix sockets' files). Clients in the backlog get a
 * reset. */
void engine_stop_listening(struct engine_route *route);

/* Ends a route in order: it listens no more, and its core drains (mux_drain). At the end of the turn in which
 * the core has finished, `finished` is called (NULL: nobody is told); it may remove the route, and stop the
 * engine. May be called again, to be told somewhere else. */
void engine_close_route(struct engine_route *route, void (*finished)(void *context), void *context);

/* Closes whatever the route still has, at once, and forgets it. The core is not told. Not from inside the
 * observer, nor while events of the route may be in the batch: from `finished`, or outside engine_run. */
void engine_remove_route(struct engine_route **route);

/* Calls `ready` in the loop whenever the descriptor is readable (level-triggered); it may call
 * engine_stop, engine_stop_listening, engine_close_route and engine_watch. The descriptor stays the
 * caller's, open until engine_unwatch or engine_destroy. */
bool engine_watch(struct engine *engine, int fd, void (*ready)(void *context), void *context,
                  struct error *error) MUST_USE;

/* How long each wait for events may begin awake; SPIN_AUTO: net/spin.h; 0, as it is at first: not at all. */
void engine_set_spin(struct engine *engine, uint64_t duration_ns);
/* What that has cost so far. */
const struct spin *engine_spin(const struct engine *engine);

/* Forgets a descriptor; before it is closed, and not from inside a `ready`. */
void engine_unwatch(struct engine *engine, int fd);

/* Runs until engine_stop, or until every route's core is finished (mux_is_finished); there must be
 * a route for that. May be called again. */
void engine_run(struct engine *engine);

/* Makes engine_run return after the current turn; connections stay as they are until
 * engine_destroy. */
void engine_stop(struct engine *engine);

#endif
