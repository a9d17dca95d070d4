/* SPDX-License-Identifier: MIT */
/* Pieces of lines that several events share; see report.h. */
#include "daemon/report.h"

#include <stdio.h>

#include "base/units.h"

#define REPEAT_INTERVAL_NS (10 * NS_PER_S)

bool report_may_warn(struct log_limit *limit, uint64_t *held)
{
    return log_limit_pass(limit, engine_now(), REPEAT_INTERVAL_NS, held);
}

bool report_may_tell(struct reporter *reporter, bool is_link)
{
    return log_may_tell(reporter->log, engine_now(), is_link);
}

void report_held(struct log_line *line, uint64_t held)
{
    if (held > 0) {
        log_line_number(line, "held", held);
    }
}

uint64_t report_readable_ns(uint64_t ns)
{
    uint64_t unit = 1;
    while (ns / unit >= 1000) {
        unit *= 10;
    }
    return ns / unit * unit;
}

void report_format_names(bool is_link, const struct address *local, const struct address *remote,
                         char *text, size_t capacity)
{
    char local_text[ADDRESS_TEXT_MAX], remote_text[ADDRESS_TEXT_MAX];
    address_format(local, local_text, sizeof(local_text));
    address_format(remote, remote_text, sizeof(remote_text));
    snprintf(text, capacity, "%s <-> %s", is_link ? local_text : remote_text,
             is_link ? remote_text : local_text);
}

void report_find_names(const struct reporter *reporter, mux_id id, char *text, size_t capacity)
{
    struct address local, remote;
    if (reporter->route != NULL && engine_names(reporter->route, id, &local, &remote)) {
        report_format_names(mux_id_is_link(id), &local, &remote, text, capacity);
    } else {
        snprintf(text, capacity, "%s", mux_id_is_link(id) ? "target connection" : "client");
    }
}

void report_format_client(uint64_t client, char *text, size_t capacity)
{
    if (client == 0) {
        snprintf(text, capacity, "nobody");
    } else {
        snprintf(text, capacity, "#%llu", (unsigned long long)client);
    }
}
