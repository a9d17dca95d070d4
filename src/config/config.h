/* SPDX-License-Identifier: MIT */
/*
 * The configuration of a run: plain structs, filled from the option table (option.h).
 *
 * Every text is a copy owned by the config. Values are checked where they are set (option_set),
 * their combination by config_check. Addresses stay text here: `net` parses them (config knows no
 * sockets), and the daemon does so before anything is opened.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "protocol/protocol.h"

enum {
    CONFIG_LISTEN_MAX = 64,
    CONFIG_TEXT_MAX = 320,
    CONFIG_IGNORE_LINES_MAX = 32,
    CONFIG_IN_FLIGHT_MAX = 4096,
    CONFIG_CONNECTIONS_MAX = 64,
};

/* Of a number: as the program sees fit. */
#define CONFIG_AUTO UINT64_MAX

struct config {
    /* the route */
    char protocol[32];
    char target[CONFIG_TEXT_MAX];
    char listen[CONFIG_LISTEN_MAX][CONFIG_TEXT_MAX];
    uint32_t listen_count;
    char source[CONFIG_TEXT_MAX]; /* empty: the system chooses */
    bool on_demand;
    bool hold;
    bool via, forwarded, http_strict;                            /* http */
    uint8_t link_close;                                          /* enum link_close */
    uint8_t http_body_guard;                                     /* http: enum body_guard */
    bool modbus_ignore_id;                                       /* modbus */
    bool modbus_ignore_unit;                                     /* modbus */
    bool iso_ignore_mti;                                         /* iso8583, mpu */
    char ignore_lines[CONFIG_IGNORE_LINES_MAX][LINE_PREFIX_MAX]; /* echo */
    uint32_t ignore_lines_count;
    bool coalesce; /* protocols with reads that can be told: modbus */

    /* times, nanoseconds; see mux/mux.h */
    uint64_t client_timeout_ns, idle_timeout_ns, connect_timeout_ns, queue_timeout_ns,
        wait_timeout_ns, timeout_ns, write_timeout_ns, max_hold_ns, delay_ns, gap_ns, check_gap_ns,
        retry_delay_ns, retry_delay_max_ns, link_idle_ns, link_lifetime_ns, grace_ns, keepalive_ns;
    bool link_idle_given; /* its default depends on on_demand */

    /* limits, bytes where they end so */
    uint64_t max_clients;
    uint64_t in_flight, connections;
    uint64_t max_body_bytes; /* 0: no limit */
    uint64_t max_message_bytes, buffer_requests_bytes, buffer_memory_bytes, client_backlog_bytes;

    uint64_t spin_ns; /* CONFIG_AUTO: net/spin.h */

    /* logs */
    bool verbose, debug;
    bool log_json;
    bool dont_log_null;
    char log_file[CONFIG_TEXT_MAX]; /* empty: standard error */
};

/* The defaults of the option table. */
void config_init(struct config *config);

/* What belongs together: --hold without --on-demand, --retry-delay not over its maximum, ... Fills
 * in the defaults that depend on other options. */
bool config_check(struct config *config, struct error *error) MUST_USE;

/* The options that were given, by row of the option table, are the protocol's or everybody's. */
bool config_check_owners(const struct config *config, const bool *given,
                         struct error *error) MUST_USE;

#endif
