/* SPDX-License-Identifier: MIT */
/*
 * Links: the target is resolved, then one of its addresses connected.
 *
 *     MUX_RESOLVE ──► [RESOLVING: a name, the route's lookup runs] ──► mux_resolved or mux_failed
 *     MUX_CONNECT ──► [CONNECTING] ──(writable, or an error)──► mux_connected or mux_failed
 *
 * The resolved addresses are the route's and stay for the attempts that follow; an address that is
 * no name is resolved from the start. A failure closes nothing: the core wants MUX_CLOSE next. A
 * link that is closed while it waits for a lookup is simply no longer among those who are told.
 */
#include <errno.h>

#include "net/engine_private.h"
#include "net/sys.h"

/* The record, or NULL after the failure was reported. */
static struct connection *take_record(struct engine_route *route, mux_id id)
{
    struct connection *connection = connection_take(route, id);
    if (connection == NULL) {
        log_event(route->engine->log, LOG_ERROR, "no_memory", "no memory for a target connection");
        mux_failed(route->mux, id, IO_OTHER);
    }
    return connection;
}

/* ---- resolving ---- */

static void start_lookup(struct connection *connection)
{
    struct engine *engine = connection->route->engine;
    bool is_running = engine->lookups_running > 0;
    connection->flags |= CONNECTION_RESOLVING;
    if (engine->accept_is_paused && !is_running) {
        (void)reserve_release(engine, LOOKUP_DESCRIPTORS);
    }
    bool started;
    if (!resolver_start(connection->route->resolver, &started)) {
        connection_fail(connection, IO_OTHER, EAGAIN);
        return;
    }
    engine->lookups_running += started;
}

void connect_resolve(struct engine_route *route, mux_id id)
{
    if (route->resolver == NULL) {
        mux_resolved(route->mux, id, (uint32_t)route->addresses_count);
        return;
    }
    struct connection *connection = take_record(route, id);
    if (connection != NULL && (connection->flags & CONNECTION_RESOLVING) == 0) {
        start_lookup(connection);
    }
}

static void tell_resolved(struct connection *connection)
{
    struct engine_route *route = connection->route;
    if ((connection->flags & CONNECTION_RESOLVING) == 0) {
        return;
    }
    connection->flags &= (uint16_t)~CONNECTION_RESOLVING;
    if (route->addresses_count == 0) {
        connection_fail(connection, IO_UNRESOLVED, 0);
    } else {
        mux_resolved(route->mux, connection->id, (uint32_t)route->addresses_count);
    }
}

void connect_resolved(void *context)
{
    struct engine_route *route = context;
    const char *trouble = NULL;
    if (!resolver_take(route->resolver, route->addresses, &route->addresses_count, &trouble)) {
        return;
    }
    agenda_touch(route);
    route->engine->lookups_running--;
    reserve_fill(route->engine);
    route->missing_interface = trouble == NULL ? NULL : host_missing_interface(route->target.host);
    if (trouble != NULL) {
        log_event(route->engine->log, LOG_DEBUG, "lookup_failed", "cannot resolve %s: %s",
                  route->target.host, trouble);
    }
    connection_each(&route->tables[SOURCE_LINK], tell_resolved);
}

/* ---- connecting ---- */

/* A socket, with the help of the reserve if need be. */
static int open_socket(const struct engine_route *route, int family)
{
    const struct address *source = route->has_source ? &route->source : NULL;
    int fd = socket_open_link(family, source, &route->socket_options);
    if (fd < 0 && is_exhaustion(errno) && reserve_release(route->engine, 1)) {
        fd = socket_open_link(family, source, &route->socket_options);
    }
    return fd;
}

/* Connecting to a port of this machine that nobody listens on can meet itself: the kernel chose
 * that very port as the local one. */
static bool met_itself(const struct address *local, const struct address *remote)
{
    return address_equals(local, remote);
}

static void connected(struct connection *connection)
{
    struct address local = socket_local(connection->fd);
    struct address remote = connection_peer(connection);
    if (met_itself(&local, &remote)) {
        connection_fail(connection, IO_REFUSED, 0);
        return;
    }
    connection->flags |= CONNECTION_WRITABLE;
    struct engine_origin origin = {.local = &local, .remote = &remote};
    connection_pace(connection);
    mux_connected(connection->route->mux, connection->id, &origin);
}

void connect_finish(struct connection *connection)
{
    int error = socket_error(connection->fd);
    if (error == 0 && (connection->flags & CONNECTION_WRITABLE) == 0) {
        return; /* not yet */
    }
    connection->flags &= (uint16_t) ~(CONNECTION_CONNECTING | CONNECTION_HUNG_UP);
    if (error != 0) {
        connection_fail(connection, failure_of_connect(error), error);
    } else {
        connected(connection);
    }
}

static void begin(struct connection *connection, const struct address *address)
{
    connection_set_peer(connection, address);
    connection->fd = open_socket(connection->route, address->is.any.sa_family);
    if (connection->fd < 0) {
        connection_fail(connection, failure_of_connect(errno), errno);
        return;
    }
    bool is_under_way = false;
    if (sys_connect(connection->fd, &address->is.any, address->size) != 0) {
        is_under_way = errno == EINPROGRESS || errno == EINTR;
        if (!is_under_way) {
            connection_fail(connection, failure_of_connect(errno), errno);
            return;
        }
    }
    if (!engine_register_connection(connection->route->engine, connection)) {
        connection_fail(connection, IO_OTHER, errno);
    } else if (is_under_way) {
        connection->flags |= CONNECTION_CONNECTING;
    } else {
        connected(connection);
    }
}

void connect_begin(struct engine_route *route, mux_id id)
{
    struct connection *connection = take_record(route, id);
    if (connection == NULL || connection->fd >= 0) {
        return; /* under way */
    }
    assert((connection->flags & CONNECTION_FAILED) == 0);
    uint32_t index = mux_connect_address(route->mux, id);
    if (index >= route->addresses_count) {
        connection_fail(connection, IO_UNRESOLVED, 0); /* a later lookup gave fewer */
        return;
    }
    begin(connection, &route->addresses[index]);
}
