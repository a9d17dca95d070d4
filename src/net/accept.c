/* SPDX-License-Identifier: MIT */
/*
 * New clients, and the pause when descriptors or memory run out.
 *
 * Listeners are level-triggered: what one turn leaves in the backlog is announced again. When the
 * system has no descriptor for a client, all listeners leave the epoll set, so that the waiting
 * clients do not wake the loop in vain. They come back when a descriptor was closed, and every
 * ACCEPT_PAUSE_NS to see whether somebody else gave one back, in both cases only after the reserve
 * was filled (reserve.c). Waiting clients stay in the kernel's backlog meanwhile.
 */
#include <errno.h>

#include "base/units.h"
#include "net/engine_private.h"
#include "net/sys.h"

/* ---- the pause ---- */

static void arm(struct engine *engine, struct listener *listener)
{
    if (listener->fd < 0 || listener->is_armed) {
        return;
    }
    listener->is_armed = engine_register_reader(engine, listener->fd, &listener->source);
    if (!listener->is_armed) {
        engine->accept_is_paused = true; /* no memory: tried again when the next pause is over */
    }
}

static void disarm(struct engine *engine, struct listener *listener)
{
    if (listener->fd >= 0 && listener->is_armed) {
        engine_unregister(engine, listener->fd);
        listener->is_armed = false;
    }
}

static void each_listener(struct engine *engine,
                          void (*visit)(struct engine *engine, struct listener *listener))
{
    for (struct list *node = list_first(&engine->routes); node != NULL;
         node = list_next(&engine->routes, node)) {
        struct engine_route *route = LIST_ENTRY(node, struct engine_route, node);
        for (size_t index = 0; index < route->listeners_count; index++) {
            visit(engine, &route->listeners[index]);
        }
    }
}

static void log_pause(struct engine *engine, uint64_t now_ns, int error)
{
    uint64_t held;
    if (!log_limit_pass(&engine->accept_limit, now_ns, TROUBLE_REPEAT_NS, &held)) {
        return;
    }
    char text[128];
    struct log_line line;
    log_line_begin(&line, engine->log, LOG_ERROR, "accept_paused",
                   "cannot accept clients for now: %s", errno_text(error, text, sizeof text));
    if (held > 0) {
        log_line_number(&line, "held_back", held);
    }
    log_line_end(&line);
}

static void pause_accepting(struct engine *engine, int error)
{
    log_pause(engine, engine_now(), error);
    engine->accept_is_paused = true;
    engine->accept_may_resume = false;
    engine->accept_resume_at = time_after(run_clock_read(&engine->clock, 0), ACCEPT_PAUSE_NS);
    each_listener(engine, disarm);
}

void accept_resume(struct engine *engine, uint64_t now_ns)
{
    if (!engine->accept_is_paused ||
        (!engine->accept_may_resume && now_ns < engine->accept_resume_at)) {
        return;
    }
    engine->accept_may_resume = false;
    engine->accept_resume_at = time_after(now_ns, ACCEPT_PAUSE_NS);
    reserve_fill(engine);
    if (reserve_is_full(engine)) {
        engine->accept_is_paused = false;
        each_listener(engine, arm);
    }
}

/* ---- accepting ---- */

static void reject(struct engine_route *route, mux_id id, int error)
{
    log_pause(route->engine, engine_now(), error);
    mux_failed(route->mux, id, IO_OTHER);
}

static void name_client(const struct engine_route *route, mux_id id, const struct address *peer)
{
    char host[ADDRESS_TEXT_MAX];
    if (route->names_clients && address_format_host(peer, host, sizeof host)) {
        mux_named(route->mux, id, host);
    }
}

static void adopt(struct engine_route *route, int fd, const struct address *peer)
{
    struct address local = socket_local(fd);
    struct engine_origin origin = {.local = &local, .remote = peer};
    mux_id id = mux_accepted(route->mux, &origin);
    if (id == MUX_ID_NONE) {
        (void)sys_close(fd);
        return;
    }
    name_client(route, id, peer);
    struct connection *connection = connection_take(route, id);
    if (connection == NULL) {
        (void)sys_close(fd);
        reject(route, id, ENOMEM);
        return;
    }
    connection->fd = fd;
    connection_set_peer(connection, peer);
    connection->flags = CONNECTION_WRITABLE;
    if (!engine_register_connection(route->engine, connection)) {
        connection_fail(connection, IO_OTHER, errno);
    }
}

enum accepted { ACCEPTED_ONE, ACCEPTED_NONE, ACCEPTED_PAUSED };

static enum accepted accept_failed(struct engine *engine, int error)
{
    switch (error) {
    case EAGAIN:
        return ACCEPTED_NONE;
    case EINTR:
    case ECONNABORTED:
    case EPERM: /* a firewall's rule */
    /* Errors of the new connection's network that Linux passes on. */
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
        return ACCEPTED_ONE;
    default: /* out of descriptors or memory; anything else must not spin either */
        pause_accepting(engine, error);
        return ACCEPTED_PAUSED;
    }
}

static enum accepted accept_one(struct listener *listener)
{
    struct address peer = {.size = sizeof peer.is};
    int fd = sys_accept(listener->fd, &peer.is.any, &peer.size);
    if (fd < 0) {
        return accept_failed(listener->route->engine, errno);
    }
    if (peer.size < sizeof peer.is.any.sa_family) {
        peer.is.any.sa_family = listener->address.is.any.sa_family;
        peer.size = sizeof peer.is.any.sa_family;
    }
    adopt(listener->route, fd, &peer);
    return ACCEPTED_ONE;
}

void accept_ready(struct listener *listener)
{
    if (listener->fd < 0 || !listener->is_armed) {
        return; /* closed or paused since the event was taken from the kernel */
    }
    agenda_touch(listener->route);
    for (int count = 0; count < ACCEPTS_MAX; count++) {
        if (accept_one(listener) != ACCEPTED_ONE) {
            return;
        }
    }
}
