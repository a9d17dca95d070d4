/* SPDX-License-Identifier: MIT */
/*
 * How a line is built; see log.h.
 *
 * A line grows in its own text until LINE_LIMIT. What does not fit is cut, and the line then takes
 * nothing more: text ends with "…", JSON ends the string it stands in with "…" and says "cut":true.
 * The bytes behind LINE_LIMIT are kept for that ending, and the last one tells that the line was
 * cut.
 *
 * Bytes that come from outside are escaped character by character, so that a cut never splits an
 * escape or a UTF-8 sequence. What is not UTF-8 is shown as \xNN in both formats; in JSON the
 * backslash is itself escaped, so that the line stays valid. C1 control characters are escaped like
 * C0 ones, since terminals obey them too.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/log_private.h"
#include "base/units.h"

/* "…" 3, closing quote 1, `,"cut":true` 11, `}` 1, newline 1, the mark 1: 18. */
enum {
    LINE_ENDING = 24,
    LINE_LIMIT = sizeof(((struct log_line *)0)->text) - LINE_ENDING,
    CUT_MARK = sizeof(((struct log_line *)0)->text) - 1,
};

static const char hex_digits[] = "0123456789abcdef";

static const char *const level_names[] = {
    [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

static const char *const level_colours[] = {
    [LOG_ERROR] = "\033[31m", [LOG_WARN] = "\033[33m", [LOG_DEBUG] = NULL};

static bool is_json(const struct log_line *line)
{
    return line->log->format == LOG_JSON;
}

static bool is_cut(const struct log_line *line)
{
    return line->text[CUT_MARK] != 0;
}

/* Appends into the room kept for the ending. */
static void append_ending(struct log_line *line, const char *text)
{
    size_t size = strlen(text);
    assert(line->size + size <= CUT_MARK);
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

/* Appends all of it, or nothing and the line is cut here. */
static void append(struct log_line *line, const char *text, size_t size)
{
    if (is_cut(line)) {
        return;
    }
    if (line->size + size > LINE_LIMIT) { /* a closing quote may stand behind the limit already */
        line->text[CUT_MARK] = 1;
        return;
    }
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void append_text(struct log_line *line, const char *text)
{
    append(line, text, strlen(text));
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The size of the UTF-8 sequence of two bytes or more that `text` begins with, 0: none. It stops at
 * a NUL. Overlong forms, surrogates and numbers above U+10FFFF are none (RFC 3629, section 4). */
static size_t utf8_size(const unsigned char *text)
{
    unsigned char second_min = 0x80, second_max = 0xBF;
    size_t size;
    if (text[0] >= 0xC2 && text[0] <= 0xDF) {
        size = 2;
    } else if (text[0] >= 0xE0 && text[0] <= 0xEF) {
        size = 3;
        second_min = text[0] == 0xE0 ? 0xA0 : 0x80;
        second_max = text[0] == 0xED ? 0x9F : 0xBF;
    } else if (text[0] >= 0xF0 && text[0] <= 0xF4) {
        size = 4;
        second_min = text[0] == 0xF0 ? 0x90 : 0x80;
        second_max = text[0] == 0xF4 ? 0x8F : 0xBF;
    } else {
        return 0;
    }
    if (text[1] < second_min || text[1] > second_max) {
        return 0;
    }
    for (size_t index = 2; index < size; index++) {
        if (!is_continuation(text[index])) {
            return 0;
        }
    }
    return size;
}

static bool is_c1_control(const unsigned char *sequence)
{
    return sequence[0] == 0xC2 && sequence[1] < 0xA0;
}

/* The size of the character that `text` begins with, if it may stand in a line as it is; 0: it is
 * to be escaped, one byte of it at a time. */
static size_t plain_size(const unsigned char *text)
{
    if (text[0] >= 0x20 && text[0] < 0x7F) {
        return 1;
    }
    size_t size = utf8_size(text);
    return size > 0 && !is_c1_control(text) ? size : 0;
}

/* The letter of a control character that has one, 0: it has none. */
static char short_escape(unsigned char byte)
{
    static const char letters[] = {['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    return byte < sizeof letters ? letters[byte] : 0;
}

/* Appends one byte escaped: \n, \xNN; in JSON \n, \u00NN for a control character and \\xNN for a
 * byte that is not UTF-8. */
static void append_escape(struct log_line *line, unsigned char byte)
{
    char high = hex_digits[byte >> 4], low = hex_digits[byte & 15];
    if (short_escape(byte) != 0) {
        append(line, (char[]){'\\', short_escape(byte)}, 2);
    } else if (!is_json(line)) {
        append(line, (char[]){'\\', 'x', high, low}, 4);
    } else if (byte < 0x80) {
        append(line, (char[]){'\\', 'u', '0', '0', high, low}, 6);
    } else {
        append(line, (char[]){'\\', '\\', 'x', high, low}, 5);
    }
}

/* Appends what came from outside. `quoted`: it stands in quotes, so quote and backslash are
 * escaped. */
static void append_escaped(struct log_line *line, const char *text, bool quoted)
{
    const unsigned char *bytes = (const unsigned char *)text;
    while (*bytes != 0 && !is_cut(line)) {
        size_t size = plain_size(bytes);
        if (size == 0) {
            append_escape(line, *bytes);
            size = 1;
        } else if (quoted && (*bytes == '"' || *bytes == '\\')) {
            append(line, (char[]){'\\', (char)*bytes}, 2);
        } else {
            append(line, (const char *)bytes, size);
        }
        bytes += size;
    }
}

/* Appends the rest of a quoted string; `opening` is what stands before it, the quote included. So a
 * cut never leaves a key without its value. */
static void append_quoted(struct log_line *line, const char *opening, const char *text)
{
    append_text(line, opening);
    if (is_cut(line)) {
        return;
    }
    append_escaped(line, text, true);
    append_ending(line, is_cut(line) && is_json(line) ? "…\"" : "\"");
}

static void append_time(struct log_line *line)
{
    struct timespec now = {0};
    struct tm utc = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    char text[64];
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text + size, sizeof text - size, ".%03dZ", (int)(now.tv_nsec / (long)NS_PER_MS));
    append_text(line, text);
}

/* Five columns, so that the texts stand below each other. */
static void append_level(struct log_line *line, enum log_level level)
{
    const char *colour = line->log->colour ? level_colours[level] : NULL;
    char padded[8];
    (void)snprintf(padded, sizeof padded, "%-5s", level_names[level]);
    append_text(line, colour == NULL ? "" : colour);
    append_text(line, padded);
    append_text(line, colour == NULL ? "" : "\033[0m");
}

static void begin_text(struct log_line *line, enum log_level level, const char *message)
{
    append_time(line);
    append_text(line, " ");
    append_level(line, level);
    append_text(line, " ");
    append_escaped(line, message, false);
}

static void begin_json(struct log_line *line, enum log_level level, const char *event,
                       const char *message)
{
    append_text(line, "{\"time\":\"");
    append_time(line);
    append_text(line, "\",\"level\":\"");
    append_text(line, level_names[level]);
    append_quoted(line, "\",\"event\":\"", event);
    append_quoted(line, ",\"message\":\"", message);
}

/* The message is formatted into a buffer as large as a line. A message that does not fit there does
 * not fit behind the line's time and level either, so that the cut shows. */
void log_line_begin_with(struct log_line *line, struct log *log, enum log_level level,
                         const char *event, const char *format, va_list arguments)
{
    line->log = log_wants(log, level) ? log : NULL;
    line->size = 0;
    line->text[CUT_MARK] = 0;
    if (line->log == NULL) {
        return;
    }
    char message[sizeof line->text];
    message[0] = '\0';
    (void)vsnprintf(message, sizeof message, format, arguments);
    if (is_json(line)) {
        begin_json(line, level, event, message);
    } else {
        begin_text(line, level, message);
    }
}

void log_line_begin(struct log_line *line, struct log *log, enum log_level level, const char *event,
                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line_begin_with(line, log, level, event, format, arguments);
    va_end(arguments);
}

enum { FIELD_OPENING_MAX = 128 };

/* What stands before a value: ` key=` or `,"key":`, and then `quote`. */
static void field_opening(const struct log_line *line, const char *key, const char *quote,
                          char *opening)
{
    int size = is_json(line) ? snprintf(opening, FIELD_OPENING_MAX, ",\"%s\":%s", key, quote)
                             : snprintf(opening, FIELD_OPENING_MAX, " %s=%s", key, quote);
    assert(size > 0 && size < FIELD_OPENING_MAX); /* keys are short names of our own */
}

/* Appends a field whose value needs no escapes, all or nothing. */
static void append_field(struct log_line *line, const char *key, const char *value)
{
    char text[FIELD_OPENING_MAX + 48];
    field_opening(line, key, "", text);
    size_t size = strlen(text);
    size_t value_size = strlen(value);
    assert(value_size < sizeof text - size);
    memcpy(text + size, value, value_size);
    append(line, text, size + value_size);
}

/* Whether the value can stand in a text line without quotes. */
static bool is_plain_word(const char *value)
{
    const unsigned char *bytes = (const unsigned char *)value;
    if (*bytes == 0) {
        return false;
    }
    while (*bytes != 0) {
        size_t size = plain_size(bytes);
        if (size == 0 || strchr(" \"\\=", *bytes) != NULL) {
            return false;
        }
        bytes += size;
    }
    return true;
}

void log_line_text(struct log_line *line, const char *key, const char *value)
{
    if (line->log == NULL) {
        return;
    }
    bool is_quoted = is_json(line) || !is_plain_word(value);
    char opening[FIELD_OPENING_MAX];
    field_opening(line, key, is_quoted ? "\"" : "", opening);
    if (is_quoted) {
        append_quoted(line, opening, value);
    } else {
        append_text(line, opening);
        append_escaped(line, value, false);
    }
}

void log_line_number(struct log_line *line, const char *key, uint64_t value)
{
    if (line->log == NULL) {
        return;
    }
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    append_field(line, key, text);
}

/* Seconds as a decimal number without needless zeros: 90, 1.5, 0.000001. */
static void seconds_format(uint64_t ns, char *text, size_t capacity)
{
    int size = snprintf(text, capacity, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
    assert(size > 0 && (size_t)size < capacity);
    char *last = text + size - 1;
    while (*last == '0') {
        *last-- = '\0';
    }
    if (*last == '.') {
        *last = '\0';
    }
}

void log_line_duration(struct log_line *line, const char *key, uint64_t ns)
{
    if (line->log == NULL) {
        return;
    }
    char text[48];
    if (is_json(line)) {
        seconds_format(ns, text, sizeof text);
    } else {
        (void)duration_format(ns, text, sizeof text);
    }
    append_field(line, key, text);
}

void log_line_close(struct log_line *line)
{
    if (is_json(line)) {
        append_ending(line, is_cut(line) ? ",\"cut\":true}" : "}");
    } else if (is_cut(line)) {
        append_ending(line, "…");
    }
    append_ending(line, "\n");
}
