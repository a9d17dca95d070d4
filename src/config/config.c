/* SPDX-License-Identifier: MIT */
/*
 * Defaults, and what belongs together; see config.h.
 *
 * The defaults are the texts of the option table, set as if they had been typed: what help shows is
 * what holds.
 */
#include "config/config.h"

#include <assert.h>
#include <string.h>

#include "base/duration.h"
#include "base/units.h"
#include "config/option.h"

/* --link-idle with --on-demand, when it is not given. */
#define ON_DEMAND_LINK_IDLE_NS (30 * NS_PER_S)

enum { PROTOCOLS_MAX = 64 };

void config_init(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < options_count; i++) {
        struct error error;
        if (options[i].fallback != NULL) {
            bool is_set = option_set(&options[i], options[i].fallback, true, config, &error);
            assert(is_set); /* the table's own values are within the table's limits */
        }
        if (options[i].given_offset != 0) {
            *((bool *)((char *)config + options[i].given_offset)) = false;
        }
    }
}

static bool check_protocol(const struct config *config, struct error *error)
{
    if (protocol_find(config->protocol) != NULL) {
        return true;
    }
    const char *names[PROTOCOLS_MAX];
    size_t count = protocols_count < PROTOCOLS_MAX ? protocols_count : PROTOCOLS_MAX;
    for (size_t i = 0; i < count; i++) {
        names[i] = protocols[i]->name;
    }
    const char *near = nearest_name(config->protocol, names, count);
    if (near != NULL) {
        error_set(error,
                  "unknown protocol '%s', did you mean '%s'? 'tcp-multiplexer list' shows all",
                  config->protocol, near);
    } else {
        error_set(error, "unknown protocol '%s', 'tcp-multiplexer list' shows all",
                  config->protocol);
    }
    return false;
}

static bool check_policy(const struct config *config, struct error *error)
{
    if (config->hold && config->on_demand) {
        error_set(error, "'--hold' and '--on-demand' exclude each other, choose one");
        return false;
    }
    if (config->modbus_ignore_id && config->modbus_ignore_unit) {
        error_set(error, "'--modbus-ignore-id' and '--modbus-ignore-unit' exclude each other: "
                         "without ids, only the unit would show whose a response is");
        return false;
    }
    return true;
}

static bool check_times(const struct config *config, struct error *error)
{
    if (config->retry_delay_ns > config->retry_delay_max_ns) {
        char delay[48], maximum[48];
        error_set(error,
                  "'--retry-delay' of %s is longer than '--retry-delay-max' of %s, raise that too",
                  duration_format(config->retry_delay_ns, delay, sizeof delay),
                  duration_format(config->retry_delay_max_ns, maximum, sizeof maximum));
        return false;
    }
    if (config->link_lifetime_ns > 0 && config->gap_ns >= config->link_lifetime_ns) {
        char lifetime[48], gap[48];
        error_set(
            error,
            "'--link-lifetime' of %s is not longer than '--gap' of %s: no connection would ever "
            "carry a request",
            duration_format(config->link_lifetime_ns, lifetime, sizeof lifetime),
            duration_format(config->gap_ns, gap, sizeof gap));
        return false;
    }
    return true;
}

/* Whether more than one request at a time makes sense. */
static bool check_in_flight(const struct config *config, struct error *error)
{
    const struct protocol *protocol = protocol_find(config->protocol);
    if (config->in_flight == 1) {
        return true;
    }
    if (protocol->lock_step != NULL) {
        error_set(error, "'--in-flight' has to be 1 for '%s': %s", protocol->name,
                  protocol->lock_step);
        return false;
    }
    if (config->gap_ns > 0) {
        error_set(error, "'--gap' is a pause between one request and the next, and needs "
                         "'--in-flight' of 1");
        return false;
    }
    if (config->modbus_ignore_id) {
        error_set(error,
                  "'--modbus-ignore-id' leaves nothing to tell responses apart by, and needs "
                  "'--in-flight' of 1");
        return false;
    }
    return true;
}

/* A part of the memory cannot be larger than all of it. */
static bool check_part(const struct config *config, const char *name, uint64_t bytes,
                       struct error *error)
{
    if (bytes > config->buffer_memory_bytes) {
        char part[48], all[48];
        error_set(error, "'--%s' of %s is larger than '--buffer-memory' of %s, raise that too",
                  name, size_format(bytes, part, sizeof part),
                  size_format(config->buffer_memory_bytes, all, sizeof all));
        return false;
    }
    return true;
}

/* What one message needs: the client's block, which may hold the beginning of the next, and the link's. Each
 * is up to a quarter larger than what it holds. */
static uint64_t message_needs(uint64_t bytes)
{
    return 3 * bytes + 64 * KIB;
}

/* A client that nobody else competes with is not closed for one message. */
static bool check_message(const struct config *config, struct error *error)
{
    uint64_t needs = message_needs(config->max_message_bytes);
    if (needs > config->buffer_memory_bytes) {
        char message[48], least[48], all[48];
        error_set(
            error,
            "'--max-message' of %s needs '--buffer-memory' of at least %s, and that is %s: raise "
            "it, or lower '--max-message'",
            size_format(config->max_message_bytes, message, sizeof message),
            size_format(needs, least, sizeof least),
            size_format(config->buffer_memory_bytes, all, sizeof all));
        return false;
    }
    return true;
}

bool config_check(struct config *config, struct error *error)
{
    if (!check_protocol(config, error) || !check_policy(config, error) ||
        !check_times(config, error) || !check_in_flight(config, error) ||
        !check_message(config, error) ||
        !check_part(config, "buffer-requests", config->buffer_requests_bytes, error) ||
        !check_part(config, "client-backlog", config->client_backlog_bytes, error)) {
        return false;
    }
    if (config->on_demand && !config->link_idle_given) {
        config->link_idle_ns = ON_DEMAND_LINK_IDLE_NS;
    }
    return true;
}

static bool is_owner(const struct option *option, const char *protocol)
{
    bool is_everybodys = option->protocols[0] == NULL;
    bool is_named = false;
    for (size_t i = 0; option->protocols[i] != NULL; i++) {
        is_named = is_named || strcmp(option->protocols[i], protocol) == 0;
    }
    return is_everybodys || is_named;
}

bool config_check_owners(const struct config *config, const bool *given, struct error *error)
{
    bool is_known = protocol_find(config->protocol) != NULL; /* else config_check says so */
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        if (given[i] && is_known && !is_owner(option, config->protocol)) {
            const char *second = option->protocols[1];
            error_set(error, "'--%s' is an option of protocol %s%s%s, and this route speaks %s",
                      option->name, option->protocols[0], second == NULL ? "" : " and ",
                      second == NULL ? "" : second, config->protocol);
            return false;
        }
    }
    return true;
}
