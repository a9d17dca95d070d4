/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/base/log.c.
 *
 * The log writes into a socket that keeps message boundaries, so that each read gives what one
 * write(2) wrote. Where lines go when nobody reads them: test_log_sink.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include "base/log.h"
#include "base/units.h"

#define TIME_PATTERN "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z"

enum { LINE_CAPACITY = sizeof(((struct log_line *)0)->text) };

static struct log log_out; /* what the tests write to */
static int far_end;        /* where they read it */

static int setup(void **state)
{
    (void)state;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0) {
        return -1;
    }
    far_end = ends[1];
    log_init(&log_out, ends[0], LOG_DEBUG, LOG_TEXT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return close(log_out.sink.fd) == 0 && close(far_end) == 0 ? 0 : -1;
}

/* The next line, as one write(2) wrote it, without its newline; "" when there is none. */
static const char *next_line(void)
{
    static char line[LINE_CAPACITY + 1];
    ssize_t size = recv(far_end, line, LINE_CAPACITY, 0);
    if (size < 0) {
        assert_int_equal(errno, EAGAIN);
        return "";
    }
    assert_true(size > 0);
    assert_int_equal(line[size - 1], '\n');
    line[size - 1] = '\0';
    assert_null(strchr(line, '\n'));
    return line;
}

/* The next line without its time, which must look like one. */
static const char *next_text(void)
{
    const char *line = next_line();
    regex_t regex;
    assert_int_equal(regcomp(&regex, "^" TIME_PATTERN " ", REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, line, 0, NULL, 0), 0);
    regfree(&regex);
    return line + sizeof "2026-11-23T22:20:39.123Z";
}

static void test_a_text_line_has_time_level_text_and_fields(void **state)
{
    (void)state;
    struct log_line line;
    log_line_begin(&line, &log_out, LOG_INFO, "link_up", "new target connection %s", "1 <-> 2");
    log_line_text(&line, "peer", "127.0.0.1:58088");
    log_line_text(&line, "reason", "timed out");
    log_line_number(&line, "link", 18446744073709551615U);
    log_line_duration(&line, "after", 1500 * NS_PER_MS);
    log_line_end(&line);
    assert_string_equal(next_text(), "info  new target connection 1 <-> 2 peer=127.0.0.1:58088 "
                                     "reason=\"timed out\" link=18446744073709551615 after=1.5s");
    assert_string_equal(next_line(), "");
}

static void test_levels_are_padded_to_five(void **state)
{
    (void)state;
    log_event(&log_out, LOG_ERROR, "e", "text");
    log_event(&log_out, LOG_WARN, "e", "text");
    log_event(&log_out, LOG_INFO, "e", "text");
    log_event(&log_out, LOG_DEBUG, "e", "text");
    assert_string_equal(next_text(), "error text");
    assert_string_equal(next_text(), "warn  text");
    assert_string_equal(next_text(), "info  text");
    assert_string_equal(next_text(), "debug text");
}

static void test_lines_above_the_level_are_not_written(void **state)
{
    (void)state;
    log_out.level = LOG_WARN;
    assert_true(log_wants(&log_out, LOG_WARN));
    assert_false(log_wants(&log_out, LOG_INFO));
    struct log_line line;
    log_line_begin(&line, &log_out, LOG_INFO, "event", "not wanted");
    log_line_text(&line, "key", "value");
    log_line_number(&line, "key", 1);
    log_line_duration(&line, "key", 1);
    log_line_end(&line);
    log_event(&log_out, LOG_DEBUG, "event", "not wanted");
    log_event(&log_out, LOG_WARN, "event", "wanted");
    assert_string_equal(next_text(), "warn  wanted");
    assert_string_equal(next_line(), "");
}

static void test_colour_marks_errors_and_warnings_only(void **state)
{
    (void)state;
    assert_false(log_out.colour); /* a socket is no terminal */
    log_out.colour = true;
    log_event(&log_out, LOG_ERROR, "e", "text");
    log_event(&log_out, LOG_WARN, "e", "text");
    log_event(&log_out, LOG_INFO, "e", "text");
    assert_string_equal(next_text(), "\033[31merror\033[0m text");
    assert_string_equal(next_text(), "\033[33mwarn \033[0m text");
    assert_string_equal(next_text(), "info  text");
}

static void test_colour_is_on_for_terminals_unless_no_color_is_set(void **state)
{
    (void)state;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    struct log log;
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    log_init(&log, terminal, LOG_INFO, LOG_TEXT);
    assert_true(log.colour);
    log_init(&log, terminal, LOG_INFO, LOG_JSON);
    assert_false(log.colour);
    assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
    log_init(&log, terminal, LOG_INFO, LOG_TEXT);
    assert_false(log.colour);
    assert_int_equal(unsetenv("NO_COLOR"), 0);
    assert_int_equal(close(terminal), 0);
}

static void expect_written(const char *value, const char *expected)
{
    struct log_line line;
    log_line_begin(&line, &log_out, LOG_INFO, "e", "t");
    log_line_text(&line, "k", value);
    log_line_end(&line);
    assert_string_equal(next_text() + strlen("info  t k="), expected);
}

static void test_a_value_is_quoted_where_it_would_not_stand_alone(void **state)
{
    (void)state;
    expect_written("plain-word:1/2", "plain-word:1/2");
    expect_written("größe", "größe");
    expect_written("", "\"\"");
    expect_written("two words", "\"two words\"");
    expect_written("a=b", "\"a=b\"");
    expect_written("say \"hi\"", "\"say \\\"hi\\\"\"");
    expect_written("back\\slash", "\"back\\\\slash\"");
    expect_written("line\r\n\tend", "\"line\\r\\n\\tend\"");
    expect_written("\033[31m", "\"\\x1b[31m\"");
    expect_written("\x7f", "\"\\x7f\"");
    expect_written("\xff\xfe", "\"\\xff\\xfe\"");
    expect_written("\xc2\x9b", "\"\\xc2\\x9b\""); /* C1: a terminal takes it for ESC [ */
}

static void test_only_utf8_passes_as_it_is(void **state)
{
    (void)state;
    expect_written(
        "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    expect_written("\xc0\x80", "\"\\xc0\\x80\"");                   /* overlong */
    expect_written("\xe0\x9f\xbf", "\"\\xe0\\x9f\\xbf\"");          /* overlong */
    expect_written("\xf0\x8f\xbf\xbf", "\"\\xf0\\x8f\\xbf\\xbf\""); /* overlong */
    expect_written("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"");          /* a surrogate */
    expect_written("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""); /* above U+10FFFF */
    expect_written("\xe2\x82", "\"\\xe2\\x82\"");                   /* not whole */
    expect_written("\xf0\x90\x80", "\"\\xf0\\x90\\x80\"");
    expect_written("\xe2(\xa1", "\"\\xe2(\\xa1\"");
}

static void test_a_message_stays_one_line(void **state)
{
    (void)state;
    log_event(&log_out, LOG_INFO, "e", "two\nlines \xff \"quoted\" a\\b");
    assert_string_equal(next_text(), "info  two\\nlines \\xff \"quoted\" a\\b");
}

static void test_a_json_line_is_an_object(void **state)
{
    (void)state;
    log_out.format = LOG_JSON;
    struct log_line line;
    log_line_begin(&line, &log_out, LOG_WARN, "link_up", "new \"%s\"\n", "a\\b");
    log_line_text(&line, "peer", "t\xc3\xa4t \x01\x7f\xff\xc2\x80");
    log_line_number(&line, "link", 1);
    log_line_duration(&line, "after", 1500 * NS_PER_MS);
    log_line_duration(&line, "never", 90 * NS_PER_S);
    log_line_duration(&line, "none", 0);
    log_line_duration(&line, "short", 1);
    log_line_end(&line);
    const char *text = next_line();
    regex_t regex;
    assert_int_equal(
        regcomp(&regex, "^\\{\"time\":\"" TIME_PATTERN "\",", REG_EXTENDED | REG_NOSUB), 0);
    assert_int_equal(regexec(&regex, text, 0, NULL, 0), 0);
    regfree(&regex);
    assert_string_equal(strchr(text, ',') + 1,
                        "\"level\":\"warn\",\"event\":\"link_up\","
                        "\"message\":\"new \\\"a\\\\b\\\"\\n\","
                        "\"peer\":\"t\xc3\xa4t \\u0001\\u007f\\\\xff\\\\xc2\\\\x80\","
                        "\"link\":1,\"after\":1.5,\"never\":90,\"none\":0,\"short\":0.000000001}");
}

/* Steps over a JSON string; NULL: it is none. */
static const char *json_string(const char *text)
{
    if (*text++ != '"') {
        return NULL;
    }
    while (*text != '"') {
        if ((unsigned char)*text < 0x20) {
            return NULL;
        }
        if (*text == '\\') {
            text++;
            if (*text == 'u') {
                if (strspn(text + 1, "0123456789abcdef") < 4) {
                    return NULL;
                }
                text += 4;
            } else if (*text == '\0' || strchr("\"\\nrt", *text) == NULL) {
                return NULL;
            }
        }
        text++;
    }
    return text + 1;
}

static const char *json_value(const char *text)
{
    if (*text == '"') {
        return json_string(text);
    }
    size_t size = strncmp(text, "true", 4) == 0 ? 4 : strspn(text, "0123456789.");
    return size == 0 ? NULL : text + size;
}

/* Whether the text is a flat object of strings, numbers and `true`. */
static bool is_json_object(const char *text)
{
    if (*text != '{') {
        return false;
    }
    do {
        text = json_string(text + 1);
        text = text == NULL || *text != ':' ? NULL : json_value(text + 1);
    } while (text != NULL && *text == ',');
    return text != NULL && strcmp(text, "}") == 0;
}

/* Writes a line of a message and two fields; their sizes decide where it is cut. */
static void write_large_line(const char *bytes, size_t message_size, size_t value_size)
{
    char value[2 * LINE_CAPACITY];
    assert_true(value_size < sizeof value);
    for (size_t index = 0; index < value_size; index++) {
        value[index] = bytes[index % strlen(bytes)];
    }
    value[value_size] = '\0';
    struct log_line line;
    log_line_begin(&line, &log_out, LOG_INFO, "large", "%.*s", (int)message_size, value);
    log_line_text(&line, "value", value);
    log_line_number(&line, "number", 12345);
    log_line_duration(&line, "duration", 1500 * NS_PER_MS);
    log_line_end(&line);
}

static void test_a_line_that_is_too_long_is_cut_visibly(void **state)
{
    (void)state;
    write_large_line("a", 10, 2 * LINE_CAPACITY - 1);
    const char *line = next_text();
    assert_string_equal(line + strlen(line) - strlen("aaa…"), "aaa…");
    write_large_line("a b", 10, 2 * LINE_CAPACITY - 1);
    line = next_text();
    assert_string_equal(line + strlen(line) - strlen("\"…"), "\"…");
    log_out.format = LOG_JSON;
    write_large_line("a", 10, 2 * LINE_CAPACITY - 1);
    line = next_line();
    assert_string_equal(line + strlen(line) - strlen("a…\",\"cut\":true}"), "a…\",\"cut\":true}");
}

/* Lines around the limit, cut in every part of a line, with characters of every size and escape. */
static void test_a_json_line_is_an_object_wherever_it_is_cut(void **state)
{
    (void)state;
    static const char *const contents[] = {"a", "\"", "\n", "\xff", "ö", "€", "\x01", "a\\€"};
    log_out.format = LOG_JSON;
    for (size_t index = 0; index < ARRAY_COUNT(contents); index++) {
        size_t cut_count = 0, whole_count = 0;
        for (size_t size = 300; size < LINE_CAPACITY + 100; size++) {
            write_large_line(contents[index], 20, size);
            const char *line = next_line();
            bool is_cut = strstr(line, "\"cut\":true") != NULL;
            if (!is_json_object(line) || is_cut == (strstr(line, "\"duration\":1.5") != NULL)) {
                fail_msg("size %zu: %s", size, line);
            }
            cut_count += is_cut ? 1 : 0;
            whole_count += is_cut ? 0 : 1;
        }
        assert_true(cut_count > 0);
        assert_true(whole_count > 0);
    }
    for (size_t size = LINE_CAPACITY - 300; size < LINE_CAPACITY; size++) {
        write_large_line("m", size, size);
        assert_true(is_json_object(next_line()));
    }
}

static void test_a_text_line_is_a_line_wherever_it_is_cut(void **state)
{
    (void)state;
    for (size_t size = LINE_CAPACITY - 300; size < LINE_CAPACITY + 10; size++) {
        write_large_line("w", 20, size);
        const char *line = next_text();
        bool is_cut = strcmp(line + strlen(line) - strlen("…"), "…") == 0;
        assert_int_equal(is_cut, strstr(line, "duration=1.5s") == NULL);
    }
}

static void test_a_failing_write_is_ignored(void **state)
{
    (void)state;
    struct log log;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    log_init(&log, full, LOG_DEBUG, LOG_TEXT);
    log_event(&log, LOG_INFO, "e", "text");
    log_dump(&log, span_of("x", 1), 1);
    log_deinit(&log);
    assert_int_equal(close(full), 0);
    log_init(&log, -1, LOG_DEBUG, LOG_JSON);
    log_event(&log, LOG_INFO, "e", "text");
}

/* Reads all that a dump wrote, whatever the number of writes. */
static const char *dumped(void)
{
    static char text[65536];
    size_t size = 0;
    ssize_t more;
    while ((more = recv(far_end, text + size, sizeof text - 1 - size, 0)) > 0) {
        size += (size_t)more;
    }
    text[size] = '\0';
    return text;
}

static void test_a_dump_shows_offsets_bytes_and_characters(void **state)
{
    (void)state;
    log_dump(&log_out, span_of("GET / HTTP/1.1\r\nHost\xff", 21), 100);
    assert_string_equal(
        dumped(),
        "  00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  |GET / HTTP/1.1..|\n"
        "  00000010  48 6f 73 74 ff                                    |Host.|\n");
}

static void test_a_dump_is_cut_at_its_maximum(void **state)
{
    (void)state;
    log_dump(&log_out, span_of("abcdef", 6), 2);
    assert_string_equal(
        dumped(), "  00000000  61 62                                             |ab|\n  ...\n");
    log_out.format = LOG_JSON;
    log_dump(&log_out, span_of("abcdef", 6), 2);
    assert_string_equal(dumped(), "{\"event\":\"dump\",\"bytes\":\"6162...\"}\n");
    log_dump(&log_out, span_of("ab", 2), 2);
    assert_string_equal(dumped(), "{\"event\":\"dump\",\"bytes\":\"6162\"}\n");
}

static void test_a_large_dump_loses_nothing(void **state)
{
    (void)state;
    uint8_t bytes[10000];
    for (size_t index = 0; index < sizeof bytes; index++) {
        bytes[index] = (uint8_t)(index * 7);
    }
    log_defer(&log_out, true);
    log_dump(&log_out, span_of(bytes, sizeof bytes), sizeof bytes);
    log_write(&log_out, 1);
    const char *text = dumped();
    for (size_t offset = 0; offset < sizeof bytes; offset += 16) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "  %08zx  %02x %02x ", offset, bytes[offset],
                       bytes[offset + 1]);
        assert_int_equal(strncmp(text, expected, strlen(expected)), 0);
        text = strchr(text, '\n') + 1;
    }
    assert_string_equal(text, "");

    log_out.format = LOG_JSON;
    log_dump(&log_out, span_of(bytes, sizeof bytes), sizeof bytes);
    log_write(&log_out, 1);
    text = dumped() + strlen("{\"event\":\"dump\",\"bytes\":\"");
    for (size_t index = 0; index < sizeof bytes; index++) {
        char expected[4];
        (void)snprintf(expected, sizeof expected, "%02x", bytes[index]);
        assert_int_equal(strncmp(text, expected, 2), 0);
        text += 2;
    }
    assert_string_equal(text, "\"}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        LOG_TEST(test_a_text_line_has_time_level_text_and_fields),
        LOG_TEST(test_levels_are_padded_to_five),
        LOG_TEST(test_lines_above_the_level_are_not_written),
        LOG_TEST(test_colour_marks_errors_and_warnings_only),
        LOG_TEST(test_colour_is_on_for_terminals_unless_no_color_is_set),
        LOG_TEST(test_a_value_is_quoted_where_it_would_not_stand_alone),
        LOG_TEST(test_only_utf8_passes_as_it_is),
        LOG_TEST(test_a_message_stays_one_line),
        LOG_TEST(test_a_json_line_is_an_object),
        LOG_TEST(test_a_line_that_is_too_long_is_cut_visibly),
        LOG_TEST(test_a_json_line_is_an_object_wherever_it_is_cut),
        LOG_TEST(test_a_text_line_is_a_line_wherever_it_is_cut),
        LOG_TEST(test_a_failing_write_is_ignored),
        LOG_TEST(test_a_dump_shows_offsets_bytes_and_characters),
        LOG_TEST(test_a_dump_is_cut_at_its_maximum),
        LOG_TEST(test_a_large_dump_loses_nothing),
#undef LOG_TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
