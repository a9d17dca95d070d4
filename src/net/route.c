/* SPDX-License-Identifier: MIT */
/*
 * Routes: listeners opened, the target made ready to be resolved, and all of it taken down.
 *
 * Adding a route either succeeds as a whole or leaves nothing behind. Listeners that were closed
 * keep their record until the route ends, because an event of the present batch may still point
 * there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/engine_private.h"
#include "net/sys.h"

/* ---- adding ---- */

static bool append_listeners(struct engine_route *route, const struct listener *opened,
                             size_t count)
{
    struct listener *listeners =
        realloc(route->listeners, (route->listeners_count + count) * sizeof *listeners);
    if (listeners == NULL) {
        return false;
    }
    route->listeners = listeners;
    for (size_t index = 0; index < count; index++) {
        struct listener *listener = &listeners[route->listeners_count++];
        *listener = opened[index];
        listener->source.kind = SOURCE_LISTENER;
        listener->route = route;
    }
    return true;
}

static bool open_listeners(struct engine_route *route, const struct engine_route_options *options,
                           struct error *error)
{
    for (size_t index = 0; index < options->listen_count; index++) {
        struct listener opened[LISTENERS_PER_ENDPOINT_MAX];
        size_t count;
        if (!listener_open_all(&options->listen[index], &route->socket_options, opened, &count,
                               error)) {
            return false;
        }
        if (!append_listeners(route, opened, count)) {
            while (count > 0) {
                listener_close(&opened[--count]);
            }
            error_set(error, "cannot listen: no memory");
            return false;
        }
    }
    return true;
}

/* Only now do they stand where they stay. */
static bool register_listeners(struct engine_route *route, struct error *error)
{
    for (size_t index = 0; index < route->listeners_count; index++) {
        struct listener *listener = &route->listeners[index];
        if (!engine_register_reader(route->engine, listener->fd, &listener->source)) {
            char text[128];
            error_set(error, "cannot listen: %s", errno_text(errno, text, sizeof text));
            return false;
        }
        listener->is_armed = true;
    }
    return true;
}

static bool source_fits(const struct engine_route *route, struct error *error)
{
    if (!route->has_source || route->addresses_count == 0) {
        return true;
    }
    if (route->addresses[0].is.any.sa_family == route->source.is.any.sa_family) {
        return true;
    }
    char target[ADDRESS_TEXT_MAX + HOST_BYTES_MAX];
    error_set(error, "cannot reach target '%s' from the source address: they are not of one kind",
              endpoint_format(&route->target, target, sizeof target));
    return false;
}

static bool prepare_target(struct engine_route *route, struct error *error)
{
    route->addresses_count = endpoint_numeric(&route->target, route->addresses, RESOLVED_MAX);
    if (route->addresses_count > 0) {
        return source_fits(route, error);
    }
    int family = route->has_source ? route->source.is.any.sa_family : AF_UNSPEC;
    route->resolver = resolver_create(&route->target, family);
    if (route->resolver == NULL) {
        error_set(error, "cannot prepare to resolve '%s': out of descriptors or memory",
                  route->target.host);
        return false;
    }
    return engine_watch(route->engine, resolver_fd(route->resolver), connect_resolved, route,
                        error);
}

struct engine_route *engine_add_route(struct engine *engine, struct mux *mux,
                                      const struct engine_route_options *options,
                                      struct error *error)
{
    struct engine_route *route = calloc(1, sizeof *route);
    if (route == NULL) {
        error_set(error, "no memory for a route");
        return NULL;
    }
    route->engine = engine;
    route->mux = mux;
    route->target = options->target;
    route->has_source = options->has_source;
    route->source = options->source;
    route->has_pace = mux_options(mux)->gap_ns > 0 || mux_options(mux)->delay_ns > 0;
    route->names_clients = mux_options(mux)->settings.forwarded;
    route->socket_options = (struct socket_options){.keepalive_idle_ns = options->keepalive_idle_ns,
                                                    .user_timeout_ns = options->user_timeout_ns};
    if (!agenda_add(route)) {
        error_set(error, "no memory for a route");
        free(route);
        return NULL;
    }
    if (!open_listeners(route, options, error) || !prepare_target(route, error) ||
        !register_listeners(route, error)) {
        route_destroy(route);
        return NULL;
    }
    reserve_raise_limit(engine, route);
    return route;
}

/* ---- asking ---- */

size_t engine_listeners_count(const struct engine_route *route)
{
    return route->listeners_count;
}

const struct address *engine_listener_address(const struct engine_route *route, size_t index)
{
    assert(index < route->listeners_count);
    return &route->listeners[index].address;
}

bool engine_names(const struct engine_route *route, mux_id id, struct address *local,
                  struct address *remote)
{
    const struct connection *connection = connection_find(route, id);
    if (connection == NULL || connection->peer_family == 0) {
        return false;
    }
    const struct engine *engine = route->engine;
    *remote = connection_peer(connection);
    *local = connection == engine->closing ? engine->closing_local : socket_local(connection->fd);
    return true;
}

const char *engine_missing_interface(const struct engine_route *route)
{
    return route->missing_interface;
}

/* ---- taking down ---- */

void engine_stop_listening(struct engine_route *route)
{
    for (size_t index = 0; index < route->listeners_count; index++) {
        listener_close(&route->listeners[index]);
        route->listeners[index].is_armed = false;
    }
}

void engine_close_route(struct engine_route *route, void (*finished)(void *context), void *context)
{
    route->finished = finished;
    route->context = context;
    engine_stop_listening(route);
    agenda_touch(route);
    mux_drain(route->mux);
}

void engine_remove_route(struct engine_route **route)
{
    if (*route != NULL) {
        route_destroy(*route);
        *route = NULL;
    }
}

static void close_silently(struct connection *connection)
{
    if (connection->fd >= 0) {
        (void)sys_close(connection->fd);
        connection->fd = -1;
    }
}

void route_destroy(struct engine_route *route)
{
    engine_stop_listening(route);
    for (size_t kind = 0; kind < ARRAY_COUNT(route->tables); kind++) {
        connection_each(&route->tables[kind], close_silently);
        connection_table_deinit(&route->tables[kind]);
    }
    if (route->resolver != NULL) {
        engine_unwatch(route->engine, resolver_fd(route->resolver));
        resolver_destroy(&route->resolver);
    }
    agenda_remove(route);
    free(route->listeners);
    free(route);
}
