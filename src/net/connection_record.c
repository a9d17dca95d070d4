/* SPDX-License-Identifier: MIT */
/*
 * What a connection's record says of it, and that it has failed.
 */
#include <string.h>

#include "base/units.h"
#include "net/engine_private.h"

void connection_set_peer(struct connection *connection, const struct address *peer)
{
    connection->peer_family = (uint8_t)peer->is.any.sa_family;
    if (connection->peer_family == AF_INET) {
        connection->peer_port = peer->is.v4.sin_port;
        memcpy(connection->peer_host, &peer->is.v4.sin_addr, sizeof peer->is.v4.sin_addr);
    } else if (connection->peer_family == AF_INET6) {
        connection->peer_port = peer->is.v6.sin6_port;
        connection->peer_scope = peer->is.v6.sin6_scope_id;
        memcpy(connection->peer_host, &peer->is.v6.sin6_addr, sizeof peer->is.v6.sin6_addr);
    }
}

struct address connection_peer(const struct connection *connection)
{
    struct address peer = {.size = 0};
    if (connection->peer_family == AF_INET) {
        peer.size = sizeof peer.is.v4;
        peer.is.v4.sin_port = connection->peer_port;
        memcpy(&peer.is.v4.sin_addr, connection->peer_host, sizeof peer.is.v4.sin_addr);
    } else if (connection->peer_family == AF_INET6) {
        peer.size = sizeof peer.is.v6;
        peer.is.v6.sin6_port = connection->peer_port;
        peer.is.v6.sin6_scope_id = connection->peer_scope;
        memcpy(&peer.is.v6.sin6_addr, connection->peer_host, sizeof peer.is.v6.sin6_addr);
    } else if (connection->peer_family == AF_UNIX && connection->source.kind == SOURCE_LINK) {
        return connection->route->addresses[0];
    } else if (connection->peer_family == AF_UNIX) {
        peer.size = sizeof peer.is.any.sa_family; /* clients of a unix socket have no name */
    }
    peer.is.any.sa_family = connection->peer_family;
    return peer;
}

void connection_pace(const struct connection *connection)
{
    if (connection->route->has_pace && connection->source.kind == SOURCE_LINK) {
        mux_clock(connection->route->mux, run_clock_read(&connection->route->engine->clock, 0));
    }
}

static void log_trouble(const struct connection *connection, int error)
{
    struct engine *engine = connection->route->engine;
    uint64_t held;
    if (!log_limit_pass(&engine->io_limit, engine_now(), TROUBLE_REPEAT_NS, &held)) {
        return;
    }
    char text[128], address_text[ADDRESS_TEXT_MAX];
    struct address peer = connection_peer(connection);
    struct log_line line;
    log_line_begin(&line, engine->log, LOG_WARN, "io_error", "%s connection %s: %s",
                   connection->source.kind == SOURCE_LINK ? "target" : "client",
                   address_format(&peer, address_text, sizeof address_text),
                   errno_text(error, text, sizeof text));
    if (held > 0) {
        log_line_number(&line, "held_back", held);
    }
    log_line_end(&line);
}

void connection_fail(struct connection *connection, enum io_failure failure, int error)
{
    assert((connection->flags & CONNECTION_FAILED) == 0);
    if (failure == IO_OTHER) {
        log_trouble(connection, error);
    }
    unsigned over = CONNECTION_READABLE | CONNECTION_HUNG_UP;
    connection->flags = (uint16_t)((connection->flags & ~over) | CONNECTION_FAILED);
    mux_failed(connection->route->mux, connection->id, failure);
}
