/* SPDX-License-Identifier: MIT */
/*
 * Lines about what the target says unasked.
 *
 * A target that greets, or whose answers leave room for doubt, does so all the time: that is said once.
 */
#include <string.h>

#include "daemon/report.h"

/* Why bytes are no answer, in the protocol's words if it has some. `text` has DESCRIBE_BYTES_MAX bytes. */
static const char *explain(const struct reporter *reporter, const struct mux_event *event,
                           char *text)
{
    if (event->request == NULL || reporter->protocol->explain == NULL) {
        return reason_sentence(REASON_TARGET_STRAY);
    }
    reporter->protocol->explain(event->request, event->bytes, text, DESCRIBE_BYTES_MAX);
    return text;
}

/* Once: a target that is so is so all the time. */
void report_doubt(struct reporter *reporter, const struct mux_event *event)
{
    if (reporter->has_doubted) {
        return;
    }
    reporter->has_doubted = true;
    char text[DESCRIBE_BYTES_MAX];
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_WARN, "doubt",
                   "an answer was delivered that may be another's: %s",
                   explain(reporter, event, text));
    log_line_number(&line, "link", event->link);
    log_line_end(&line);
}

void report_unasked(struct reporter *reporter, const struct mux_event *event)
{
    if (!log_wants(reporter->log, LOG_DEBUG)) {
        return;
    }
    char text[DESCRIBE_BYTES_MAX];
    reporter->protocol->describe(TO_CLIENT, event->bytes, text, sizeof(text));
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_DEBUG, "unasked",
                   "link %llu -> nobody: a message that answers nothing: %s",
                   (unsigned long long)event->link, text);
    log_line_number(&line, "link", event->link);
    log_line_end(&line);
}

void report_stray(struct reporter *reporter, const struct mux_event *event)
{
    uint64_t held = 0;
    if (!report_may_warn(&reporter->stray, &held)) {
        return;
    }
    char text[DESCRIBE_BYTES_MAX];
    struct log_line line;
    log_line_begin(&line, reporter->log, LOG_WARN, "stray", "%s", explain(reporter, event, text));
    log_line_number(&line, "link", event->link);
    log_line_number(&line, "bytes", event->bytes.size);
    report_held(&line, held);
    log_line_end(&line);
}

/* The first bytes of a greeting, as the text that they mostly are. */
static void add_text(struct log_line *line, struct span bytes)
{
    char text[DESCRIBE_BYTES_MAX];
    size_t size = bytes.size < sizeof text - 1 ? bytes.size : sizeof text - 1;
    memcpy(text, bytes.data, size);
    text[size] = '\0';
    for (char *zero = memchr(text, '\0', size); zero != NULL; zero = memchr(text, '\0', size)) {
        *zero = '.';
    }
    log_line_text(line, "text", text);
}

void report_greeting(struct reporter *reporter, const struct mux_event *event)
{
    bool is_first = !reporter->has_greeted;
    bool wants_text = log_wants(reporter->log, LOG_DEBUG);
    reporter->has_greeted = true;
    if (!is_first && !wants_text) {
        return;
    }
    struct log_line line;
    log_line_begin(&line, reporter->log, is_first ? LOG_INFO : LOG_DEBUG, "greeting",
                   "the target speaks before it is asked; what it says is dropped");
    log_line_number(&line, "link", event->link);
    log_line_number(&line, "bytes", event->bytes.size);
    if (wants_text) {
        add_text(&line, event->bytes);
    }
    log_line_end(&line);
}
