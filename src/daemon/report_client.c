/* SPDX-License-Identifier: MIT */
/*
 * The lines about clients: one when it opens, one when it ends.
 *
 * With --dont-log-null the first is written with the client's first byte. One that never says a byte has no
 * line, unless it was a limit of ours that ended it: that is about us.
 */
#include <assert.h>

#include "daemon/report.h"

static void tell_opened(struct reporter *reporter, const struct mux_event *event, const char *names)
{
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_INFO, "client_opened", "#%llu: %s",
                   (unsigned long long)event->client, names);
    log_line_number(&line, "client", event->client);
    log_line_end(&line);
}

void report_client_opened(struct reporter *reporter, const struct mux_event *event)
{
    if (reporter->omits_silent || !report_may_tell(reporter, false)) {
        return;
    }
    const struct engine_origin *origin = event->origin;
    assert(origin != NULL);
    char names[NAMES_TEXT_MAX];
    report_format_names(false, origin->local, origin->remote, names, sizeof(names));
    tell_opened(reporter, event, names);
}

void report_client_spoke(struct reporter *reporter, const struct mux_event *event)
{
    if (!reporter->omits_silent || !report_may_tell(reporter, false)) {
        return;
    }
    char names[NAMES_TEXT_MAX];
    report_find_names(reporter, event->client_id, names, sizeof(names));
    tell_opened(reporter, event, names);
}

void report_client_closed(struct reporter *reporter, const struct mux_event *event)
{
    uint64_t held = 0;
    bool warns = reason_is_fault(event->reason) &&
                 report_may_warn(&reporter->client_closed[event->reason], &held);
    bool is_omitted = reporter->omits_silent && event->silent;
    if (!warns && (is_omitted || !report_may_tell(reporter, false))) {
        return;
    }
    char names[NAMES_TEXT_MAX];
    report_find_names(reporter, event->client_id, names, sizeof(names));
    struct log_line line;
    log_line_begin(&line, reporter->log, warns ? LOG_WARN : LOG_INFO, "client_closed", "closed %s",
                   names);
    log_line_number(&line, "client", event->client);
    log_line_text(&line, "reason", reason_text(event->reason));
    report_held(&line, held);
    log_line_end(&line);
}
