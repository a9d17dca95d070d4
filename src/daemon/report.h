/* SPDX-License-Identifier: MIT */
/* What the files of the reporter share: pieces of lines, and the lines about clients. Private to it. */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "daemon/reporter.h"

enum { NAMES_TEXT_MAX = 2 * ADDRESS_TEXT_MAX + 8 };

/* ---- report.c ---- */
/* Whether a warning may be written now; otherwise it is counted. */
bool report_may_warn(struct log_limit *limit, uint64_t *held) MUST_USE;
/* Whether a line at info about a single connection may be written now; otherwise it is counted. */
bool report_may_tell(struct reporter *reporter, bool is_link) MUST_USE;
void report_held(struct log_line *line, uint64_t held);
/* Cut to three digits: what a person reads of a measured time. */
uint64_t report_readable_ns(uint64_t ns);
/* `LEFT <-> RIGHT`: a client before the listening address, our end of a link before the target. */
void report_format_names(bool is_link, const struct address *local, const struct address *remote,
                         char *text, size_t capacity);
/* The names of a live connection; without them, what it is. */
void report_find_names(const struct reporter *reporter, mux_id id, char *text, size_t capacity);
/* `#3`, or `nobody` for a response whose client has gone. */
void report_format_client(uint64_t client, char *text, size_t capacity);

/* ---- report_client.c ---- */
void report_client_opened(struct reporter *reporter, const struct mux_event *event);
void report_client_spoke(struct reporter *reporter, const struct mux_event *event);
void report_client_closed(struct reporter *reporter, const struct mux_event *event);

/* ---- report_unasked.c: what the target says unasked ---- */
void report_stray(struct reporter *reporter, const struct mux_event *event);
void report_doubt(struct reporter *reporter, const struct mux_event *event);
void report_unasked(struct reporter *reporter, const struct mux_event *event);
void report_greeting(struct reporter *reporter, const struct mux_event *event);

#endif
