/* SPDX-License-Identifier: MIT */
/* Plain formatting; nothing is decided here. */
#include "daemon/announce.h"

#include "base/duration.h"

static void add_size(struct log_line *line, const char *key, uint64_t bytes)
{
    char text[48];
    log_line_text(line, key, size_format(bytes, text, sizeof(text)));
}

void announce_start(struct log *log, const struct config *config)
{
    struct log_line line;
    log_line_begin(&line, log, LOG_INFO, "starting", "starting tcp-multiplexer %s", TCPMUX_VERSION);
    log_line_text(&line, "protocol", config->protocol);
    log_line_text(&line, "target", config->target);
    log_line_number(&line, "max_clients", config->max_clients);
    add_size(&line, "max_message", config->max_message_bytes);
    add_size(&line, "buffer_memory", config->buffer_memory_bytes);
    log_line_duration(&line, "timeout", config->timeout_ns);
    log_line_duration(&line, "queue_timeout", config->queue_timeout_ns);
    log_line_end(&line);
}

void announce_listeners(struct log *log, const struct engine_route *route)
{
    for (size_t i = 0; i < engine_listeners_count(route); i++) {
        char text[ADDRESS_TEXT_MAX];
        log_event(log, LOG_INFO, "listening", "listening %s",
                  address_format(engine_listener_address(route, i), text, sizeof(text)));
    }
}

void announce_stop(struct log *log, const struct mux_counters *counters, const struct spin *spin)
{
    struct log_line line;
    log_line_begin(&line, log, LOG_INFO, "stopped", "stopped");
    log_line_number(&line, "clients", counters->clients_accepted);
    log_line_number(&line, "requests", counters->requests);
    log_line_number(&line, "responses", counters->responses);
    if (counters->coalesced > 0) {
        log_line_number(&line, "coalesced", counters->coalesced);
    }
    if (spin->limit_ns > 0) {
        log_line_duration(&line, "spun", spin->spent_ns);
        log_line_number(&line, "spun_in_vain", spin->misses);
        log_line_number(&line, "spun_robbed", spin->robbed);
    }
    /* What still waits or is in flight now was cut by stopping at once. */
    log_line_number(&line, "cut",
                    counters->cut + (uint64_t)counters->waiting + (uint64_t)counters->in_flight);
    log_line_end(&line);
}
