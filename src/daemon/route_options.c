/* SPDX-License-Identifier: MIT */
/*
 * Configuration to options: one assignment per value, one parser per kind of address.
 */
#include "daemon/route_options.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/units.h"

#define USER_TIMEOUT_MIN_NS (10 * NS_PER_S)

static bool set_protocol(struct mux_options *options, const struct config *config,
                         struct error *error)
{
    options->protocol = protocol_find(config->protocol);
    if (options->protocol == NULL) {
        error_set(error, "--protocol: unknown protocol '%s'", config->protocol);
        return false;
    }
    return true;
}

static void set_limits(struct mux_options *options, const struct config *config)
{
    options->settings.message_bytes_max = (size_t)config->max_message_bytes;
    options->settings.body_bytes_max = config->max_body_bytes;
    options->settings.via = config->via;
    options->settings.forwarded = config->forwarded;
    options->settings.http_strict = config->http_strict;
    options->settings.body_guard = (enum body_guard)config->http_body_guard;
    options->settings.ignore_id = config->modbus_ignore_id;
    options->settings.modbus_ignore_unit = config->modbus_ignore_unit;
    options->link_close = (enum link_close)config->link_close;
    options->settings.ignore_lines = config->ignore_lines;
    options->settings.ignore_lines_count = config->ignore_lines_count;
    options->settings.iso_ignore_mti = config->iso_ignore_mti;
    options->clients_max = (uint32_t)config->max_clients;
    options->links_max = (uint32_t)config->connections;
    options->in_flight_max = (uint32_t)config->in_flight;
    options->request_buffer_bytes = (size_t)config->buffer_requests_bytes;
    options->memory_bytes_max = (size_t)config->buffer_memory_bytes;
    options->backlog_bytes_max = (size_t)config->client_backlog_bytes;
}

static void set_times(struct mux_options *options, const struct config *config)
{
    options->client_timeout_ns = config->client_timeout_ns;
    options->idle_timeout_ns = config->idle_timeout_ns;
    options->connect_timeout_ns = config->connect_timeout_ns;
    options->queue_timeout_ns = config->queue_timeout_ns;
    options->wait_timeout_ns = config->wait_timeout_ns;
    options->response_timeout_ns = config->timeout_ns;
    options->write_timeout_ns = config->write_timeout_ns;
    options->hold_max_ns = config->max_hold_ns;
    options->delay_ns = config->delay_ns;
    options->gap_ns = config->gap_ns;
    options->check_gap_ns = config->check_gap_ns;
    options->retry_delay_min_ns = config->retry_delay_ns;
    options->retry_delay_max_ns = config->retry_delay_max_ns;
    options->link_idle_ns = config->link_idle_ns;
    options->link_lifetime_ns = config->link_lifetime_ns;
    options->grace_ns = config->grace_ns;
}

/* What nobody outside can guess. A system that has only just started may have no randomness yet; then the
 * clock and the process have to do, which at least differ between two multiplexers that start together. */
static void draw_secrets(struct mux_options *options)
{
    struct {
        uint64_t seed;
        struct hash_secret secret;
    } drawn = {.seed = engine_now() ^ ((uint64_t)getpid() << 40)};
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != (ssize_t)sizeof drawn) {
        drawn.secret.words[0] = drawn.seed;
    }
    options->seed = drawn.seed;
    options->secret = drawn.secret;
}

static bool parse_listen(struct route_options *options, const struct config *config,
                         struct error *error)
{
    assert(config->listen_count <= CONFIG_LISTEN_MAX);
    for (uint32_t i = 0; i < config->listen_count; i++) {
        if (!endpoint_parse_listen(config->listen[i], &options->listen[i], error)) {
            error_prefix(error, "--listen");
            return false;
        }
    }
    options->engine.listen = options->listen;
    options->engine.listen_count = config->listen_count;
    return true;
}

static bool parse_target(struct route_options *options, const struct config *config,
                         struct error *error)
{
    if (!endpoint_parse_target(config->target, &options->engine.target, error)) {
        error_prefix(error, "--target");
        return false;
    }
    options->mux.settings.target = options->engine.target.is_unix ? NULL : config->target;
    return true;
}

/* Whether links to the target can leave from the source. A name may resolve to either family. */
static bool source_fits(const struct engine_route_options *options)
{
    if (options->target.is_unix) {
        return false;
    }
    struct address numeric;
    return endpoint_numeric(&options->target, &numeric, 1) == 0 ||
           numeric.is.any.sa_family == options->source.is.any.sa_family;
}

static bool parse_source(struct engine_route_options *options, const struct config *config,
                         struct error *error)
{
    options->has_source = config->source[0] != '\0';
    if (!options->has_source) {
        return true;
    }
    if (!address_parse_source(config->source, &options->source, error)) {
        error_prefix(error, "--source");
        return false;
    }
    if (!source_fits(options)) {
        error_set(error, "--source: '%s' is not of the same family as the target '%s'",
                  config->source, config->target);
        return false;
    }
    return true;
}

/* A target that acknowledges nothing cannot answer either, so a link need not outlive the wait for
 * an answer. But a few lost packets are no verdict, however short that wait is. */
static uint64_t user_timeout(const struct config *config)
{
    return config->timeout_ns > USER_TIMEOUT_MIN_NS ? config->timeout_ns : USER_TIMEOUT_MIN_NS;
}

static_assert((int)CONFIG_CONNECTIONS_MAX <= (int)MUX_LINKS_MAX,
              "the core takes what may be asked for");

bool route_options_init(struct route_options *options, const struct config *config,
                        struct error *error)
{
    memset(options, 0, sizeof(*options));
    mux_options_init(&options->mux);
    set_limits(&options->mux, config);
    set_times(&options->mux, config);
    options->mux.on_demand = config->on_demand;
    options->mux.hold = config->hold;
    options->mux.coalesce = config->coalesce;
    draw_secrets(&options->mux);
    options->engine.keepalive_idle_ns = config->keepalive_ns;
    options->engine.user_timeout_ns = user_timeout(config);

    return set_protocol(&options->mux, config, error) && parse_target(options, config, error) &&
           parse_listen(options, config, error) && parse_source(&options->engine, config, error);
}
