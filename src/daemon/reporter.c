/* SPDX-License-Identifier: MIT */
/*
 * Events to lines: one function per event, chosen in reporter_event.
 *
 * A failing connect is one line, written when the attempt is over (MUX_LINK_RETRY) and both the
 * cause and the pause are known; MUX_LINK_FAILED of a single address only leaves its reason for
 * that line. After a failure, attempts are announced at debug until one succeeds, which then says
 * how many failed.
 */
#include "daemon/reporter.h"

#include <assert.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/units.h"
#include "daemon/report.h"

enum { DUMP_BYTES_MAX = 4096 }; /* of one message; enough for all but bulk */

/* ---- links ---- */

/* Until the next attempt; TIME_NEVER: none is planned before somebody asks. */
static void add_pause(struct log_line *line, uint64_t ns)
{
    if (ns != TIME_NEVER) {
        log_line_duration(line, "retry_in", report_readable_ns(ns));
    }
}

static void link_connecting(struct reporter *reporter, const struct mux_event *event)
{
    reporter->failed_reason = REASON_NONE;
    reporter->failed_address[0] = '\0';
    enum log_level level = reporter->failures == 0 ? LOG_INFO : LOG_DEBUG;
    if (!log_wants(reporter->log, level) || !report_may_tell(reporter, true)) {
        return;
    }
    struct log_line line;
    log_line_begin(&line, reporter->log, level, "link_connecting", "creating target connection");
    log_line_text(&line, "target", reporter->target);
    log_line_number(&line, "link", event->link);
    log_line_end(&line);
}

static void tell_link_up(struct reporter *reporter, const struct mux_event *event)
{
    const struct engine_origin *origin = event->origin;
    assert(origin != NULL);
    char names[NAMES_TEXT_MAX];
    report_format_names(true, origin->local, origin->remote, names, sizeof(names));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_INFO, "link_up", "new target connection %s", names);
    log_line_number(&line, "link", event->link);
    if (reporter->failures > 0) {
        log_line_number(&line, "failures", reporter->failures);
    }
    log_line_end(&line);
}

static void link_up(struct reporter *reporter, const struct mux_event *event)
{
    if (report_may_tell(reporter, true)) {
        tell_link_up(reporter, event);
    }
    reporter->failures = 0;
    reporter->failed_reason = REASON_NONE;
}

/* Why the target was not connected, as a text that the storage may have to hold. An interface may appear
 * later, so that it is looked for again with each attempt. */
static const char *why(const struct reporter *reporter, char *storage, size_t capacity)
{
    const char *missing = reporter->route != NULL && reporter->failed_reason == REASON_UNRESOLVED
                              ? engine_missing_interface(reporter->route)
                              : NULL;
    if (missing == NULL) {
        return reason_sentence(reporter->failed_reason);
    }
    (void)snprintf(storage, capacity, "no interface %s", missing);
    return storage;
}

/* One address failed: another may still do. */
static void link_failed(struct reporter *reporter, const struct mux_event *event)
{
    struct address local, remote;
    reporter->failed_reason = event->reason;
    reporter->failed_address[0] = '\0';
    if (reporter->route != NULL && event->reason != REASON_UNRESOLVED &&
        engine_names(reporter->route, event->link_id, &local, &remote)) {
        address_format(&remote, reporter->failed_address, sizeof(reporter->failed_address));
    }
    char storage[HOST_BYTES_MAX + 16];
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "address_failed", "cannot connect to %s: %s",
                   reporter->failed_address[0] != '\0' ? reporter->failed_address
                                                       : reporter->target,
                   why(reporter, storage, sizeof(storage)));
    log_line_number(&line, "link", event->link);
    log_line_text(&line, "reason", reason_text(event->reason));
    log_line_end(&line);
}

static void connect_failed(struct reporter *reporter, const struct mux_event *event)
{
    reporter->failures++;
    uint64_t held = 0;
    if (!report_may_warn(&reporter->connect_failed, &held)) {
        return;
    }
    char storage[HOST_BYTES_MAX + 16];
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_WARN, "connect_failed", "cannot connect to %s: %s",
                   reporter->target, why(reporter, storage, sizeof(storage)));
    if (reporter->failed_address[0] != '\0') {
        log_line_text(&line, "address", reporter->failed_address);
    }
    log_line_text(&line, "reason", reason_text(reporter->failed_reason));
    add_pause(&line, event->ns);
    log_line_number(&line, "failures", reporter->failures);
    report_held(&line, held);
    log_line_end(&line);
}

static void link_retry(struct reporter *reporter, const struct mux_event *event)
{
    if (reporter->failed_reason != REASON_NONE) {
        connect_failed(reporter, event);
        return;
    }
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "link_retry",
                   "the next attempt to connect waits");
    add_pause(&line, event->ns);
    log_line_end(&line);
}

static void link_lost(struct reporter *reporter, const struct mux_event *event)
{
    uint64_t held = 0;
    bool warns = reason_is_fault(event->reason) &&
                 report_may_warn(&reporter->link_closed[event->reason], &held);
    if (!warns && !report_may_tell(reporter, true)) {
        return;
    }
    char names[NAMES_TEXT_MAX];
    report_find_names(reporter, event->link_id, names, sizeof(names));
    struct log_line line;
    log_line_begin(&line, reporter->log, warns ? LOG_WARN : LOG_INFO, "link_closed", "closed %s",
                   names);
    log_line_number(&line, "link", event->link);
    log_line_text(&line, "reason", reason_text(event->reason));
    report_held(&line, held);
    log_line_end(&line);
}

/* The line at info was written when the link was given up; its slot at the target is free from
 * here. */
static void link_closed(struct reporter *reporter, const struct mux_event *event)
{
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "link_gone", "link %llu is gone",
                   (unsigned long long)event->link);
    log_line_number(&line, "link", event->link);
    log_line_end(&line);
}

/* Once: a target that is so is so all the time. */
static void closer(struct reporter *reporter, const struct mux_event *event)
{
    enum log_level level = reporter->has_closer ? LOG_DEBUG : LOG_WARN;
    reporter->has_closer = true;
    struct log_line line;
    log_line_begin(
        &line, reporter->log, level, "closer",
        "the target closes the connection after an answer without saying so, which has cost "
        "requests: further ones wait for a silence behind the answer");
    log_line_duration(&line, "silence", event->ns);
    log_line_number(&line, "link", event->link);
    log_line_end(&line);
}

/* ---- messages, with --verbose ---- */

static void add_message(struct log_line *line, const struct mux_event *event, const char *time_key)
{
    if (event->client != 0) {
        log_line_number(line, "client", event->client);
    }
    log_line_number(line, "link", event->link);
    log_line_number(line, "exchange", event->exchange);
    log_line_number(line, "bytes", event->bytes.size);
    log_line_duration(line, time_key, report_readable_ns(event->ns));
}

static void dump(const struct reporter *reporter, struct span bytes)
{
    if (reporter->dump && bytes.size > 0) {
        log_dump(reporter->log, bytes, DUMP_BYTES_MAX);
    }
}

static void request_taken(struct reporter *reporter, const struct mux_event *event)
{
    if (!log_wants(reporter->log, LOG_DEBUG)) {
        return;
    }
    char client[32], message[DESCRIBE_BYTES_MAX];
    report_format_client(event->client, client, sizeof(client));
    reporter->protocol->describe(TO_TARGET, event->bytes, message, sizeof(message));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "request", "%s -> link %llu: request %s",
                   client, (unsigned long long)event->link, message);
    add_message(&line, event, "waited");
    log_line_end(&line);
    dump(reporter, event->bytes);
}

static void joined(struct reporter *reporter, const struct mux_event *event)
{
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "joined",
                   "#%llu: its request shares the response of an identical one",
                   (unsigned long long)event->client);
    log_line_number(&line, "client", event->client);
    log_line_number(&line, "exchange", event->exchange);
    log_line_number(&line, "leader", event->leader);
    log_line_end(&line);
}

static void response(struct reporter *reporter, const struct mux_event *event)
{
    if (!log_wants(reporter->log, LOG_DEBUG)) {
        return;
    }
    char client[32], message[DESCRIBE_BYTES_MAX];
    report_format_client(event->client, client, sizeof(client));
    reporter->protocol->describe(TO_CLIENT, event->bytes, message, sizeof(message));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "response", "link %llu -> %s: response %s",
                   (unsigned long long)event->link, client, message);
    add_message(&line, event, "took");
    log_line_end(&line);
    dump(reporter, event->bytes);
}

/* ---- exchanges ---- */

/* A client that is told nothing is closed, and the line of its end has the reason. */
static void error_reply(struct reporter *reporter, const struct mux_event *event)
{
    uint64_t held = 0;
    if (event->bytes.size == 0) {
        return;
    }
    bool warns = reason_is_fault(event->reason) &&
                 report_may_warn(&reporter->error_reply[event->reason], &held);
    struct log_line line;
    log_line_begin(&line, reporter->log, warns ? LOG_WARN : LOG_DEBUG, "error_reply",
                   "#%llu: answered with an error: %s", (unsigned long long)event->client,
                   reason_sentence(event->reason));
    log_line_number(&line, "client", event->client);
    log_line_text(&line, "reason", reason_text(event->reason));
    report_held(&line, held);
    log_line_end(&line);
    if (log_wants(reporter->log, LOG_DEBUG)) {
        dump(reporter, event->bytes);
    }
}

static void exchange_ended(struct reporter *reporter, const struct mux_event *event)
{
    if (event->reason == REASON_NONE) {
        return;
    }
    char client[32];
    report_format_client(event->client, client, sizeof(client));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "exchange_failed", "%s: not answered: %s",
                   client, reason_sentence(event->reason));
    log_line_number(&line, "exchange", event->exchange);
    log_line_text(&line, "reason", reason_text(event->reason));
    log_line_end(&line);
}

static void resent(struct reporter *reporter, const struct mux_event *event)
{
    char client[32];
    report_format_client(event->client, client, sizeof(client));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "resent", "%s: its request goes out again: %s",
                   client, reason_sentence(event->reason));
    log_line_number(&line, "exchange", event->exchange);
    log_line_text(&line, "reason", reason_text(event->reason));
    log_line_end(&line);
}

static void memory_spent(struct reporter *reporter)
{
    uint64_t held = 0;
    if (!report_may_warn(&reporter->memory, &held)) {
        return;
    }
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_WARN, "memory_spent", "%s",
                   reason_sentence(REASON_MEMORY));
    report_held(&line, held);
    log_line_end(&line);
}

static void reporter_event(void *context, const struct mux_event *event)
{
    struct reporter *reporter = context;
    switch (event->kind) {
    case MUX_CLIENT_OPENED:
        report_client_opened(reporter, event);
        break;
    case MUX_CLIENT_SPOKE:
        report_client_spoke(reporter, event);
        break;
    case MUX_CLIENT_CLOSED:
        report_client_closed(reporter, event);
        break;
    case MUX_LINK_CONNECTING:
        link_connecting(reporter, event);
        break;
    case MUX_LINK_UP:
        link_up(reporter, event);
        break;
    case MUX_LINK_FAILED:
        link_failed(reporter, event);
        break;
    case MUX_LINK_RETRY:
        link_retry(reporter, event);
        break;
    case MUX_LINK_LOST:
        link_lost(reporter, event);
        break;
    case MUX_LINK_CLOSED:
        link_closed(reporter, event);
        break;
    case MUX_JOINED:
        joined(reporter, event);
        break;
    case MUX_REQUEST:
        break; /* its line comes when it is taken, or when it ends untaken */
    case MUX_REQUEST_TAKEN:
        request_taken(reporter, event);
        break;
    case MUX_RESPONSE:
        response(reporter, event);
        break;
    case MUX_ERROR_REPLY:
        error_reply(reporter, event);
        break;
    case MUX_EXCHANGE_ENDED:
        exchange_ended(reporter, event);
        break;
    case MUX_RESENT:
        resent(reporter, event);
        break;
    case MUX_STRAY:
        report_stray(reporter, event);
        break;
    case MUX_DOUBT:
        report_doubt(reporter, event);
        break;
    case MUX_GREETING:
        report_greeting(reporter, event);
        break;
    case MUX_UNASKED:
        report_unasked(reporter, event);
        break;
    case MUX_CLOSER:
        closer(reporter, event);
        break;
    case MUX_PAUSED:
        memory_spent(reporter);
        break;
    }
}

/* Nobody reads these. */
static const uint32_t never_written = 1U << MUX_REQUEST;

/* These become debug lines and nothing else. Every message is four events, so it is worth sparing
 * the core the telling. */
static const uint32_t written_at_debug = 1U << MUX_LINK_CLOSED | 1U << MUX_JOINED |
                                         1U << MUX_REQUEST_TAKEN | 1U << MUX_RESPONSE |
                                         1U << MUX_EXCHANGE_ENDED | 1U << MUX_RESENT;

struct mux_observer reporter_observer(struct reporter *reporter)
{
    bool wants_debug = log_wants(reporter->log, LOG_DEBUG);
    uint32_t ignored = never_written;
    ignored |= (wants_debug ? 0 : written_at_debug);
    ignored |= reporter->omits_silent ? 0 : 1U << MUX_CLIENT_SPOKE;
    return (struct mux_observer){.context = reporter, .event = reporter_event, .ignored = ignored};
}
