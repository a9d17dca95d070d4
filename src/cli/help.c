/* SPDX-License-Identifier: MIT */
/*
 * Help in the layout of cobra: text, usage, commands or examples, flags by group, footer.
 *
 * All flags of a page share one column, so that the sentences line up across groups; sentences are
 * wrapped at WIDTH.
 */
#include "cli/help.h"

#include <assert.h>
#include <string.h>

#include "cli/text.h"
#include "protocol/protocol.h"

enum { WIDTH = 100, ROW_BYTES_MAX = 1024 };

static const char overview[] = "tcp-multiplexer stands in front of a server or device that accepts "
                               "only one connection, and shares "
                               "it among many clients: requests go to the target over one "
                               "connection, and every response goes to the "
                               "client that asked.";

const char *option_group_title(enum option_group group)
{
    switch (group) {
    case GROUP_ROUTE:
        return "Flags";
    case GROUP_TIME:
        return "Time Flags";
    case GROUP_LIMIT:
        return "Limit Flags";
    case GROUP_GLOBAL:
        return "Global Flags";
    }
    assert(false);
    return "";
}

const char *option_default(const struct option *option, char *text, size_t capacity)
{
    if (option->fallback == NULL) {
        return NULL;
    }
    if (option->type != OPTION_TEXT && option->type != OPTION_LIST) {
        return option->fallback;
    }
    (void)snprintf(text, capacity, "\"%s\"", option->fallback);
    return text;
}

/* ---- rows ---- */

/* The left half of a row: `  -t, --targetServer address`. Returns its length. */
static size_t format_flag(char *text, size_t capacity, char letter, const char *name,
                          const char *value_name)
{
    char start[8] = "    ";
    if (letter != '\0') {
        (void)snprintf(start, sizeof start, "-%c, ", letter);
    }
    int length = snprintf(text, capacity, "  %s--%s%s%s", start, name,
                          value_name != NULL ? " " : "", value_name != NULL ? value_name : "");
    assert(length > 0 && (size_t)length < capacity);
    return (size_t)length;
}

static void write_row(FILE *out, const char *left, size_t column, const char *sentence)
{
    fprintf(out, "%-*s", (int)column, left);
    text_wrap(out, sentence, column, column, WIDTH);
    fputc('\n', out);
}

/* The sentence with its default and the other spellings: `... (default "echo"; also --protocol)`.
 */
static void format_sentence(const struct option *option, char *text, size_t capacity)
{
    char quoted[64];
    const char *fallback = option_default(option, quoted, sizeof quoted);
    const char *alias = option->aliases[0];
    int length =
        snprintf(text, capacity, "%s%s%s%s%s%s%s%s", option->sentence,
                 fallback != NULL || alias != NULL ? " (" : "", fallback != NULL ? "default " : "",
                 fallback != NULL ? fallback : "", fallback != NULL && alias != NULL ? "; " : "",
                 alias != NULL ? "also --" : "", alias != NULL ? alias : "",
                 fallback != NULL || alias != NULL ? ")" : "");
    assert(length > 0 && (size_t)length < capacity);
}

static void write_option(FILE *out, const struct option *option, size_t column)
{
    char left[ROW_BYTES_MAX], sentence[ROW_BYTES_MAX];
    format_flag(left, sizeof left, option->letter, option->name, option->value_name);
    format_sentence(option, sentence, sizeof sentence);
    write_row(out, left, column, sentence);
}

/* ---- sections ---- */

/* Where the sentences of the page begin: behind the longest flag. */
static size_t flags_column(const struct command_info *topic)
{
    char left[ROW_BYTES_MAX];
    size_t longest = format_flag(left, sizeof left, '\0', VERSION_FLAG_NAME, NULL);
    for (size_t i = 0; i < options_count; i++) {
        if (command_takes(topic, &options[i])) {
            size_t length = format_flag(left, sizeof left, options[i].letter, options[i].name,
                                        options[i].value_name);
            longest = length > longest ? length : longest;
        }
    }
    return longest + 3;
}

static void write_own_flags(FILE *out, const struct command_info *topic, size_t column)
{
    char left[ROW_BYTES_MAX], sentence[ROW_BYTES_MAX];
    format_flag(left, sizeof left, HELP_FLAG_LETTER, HELP_FLAG_NAME, NULL);
    (void)snprintf(sentence, sizeof sentence, "help for %s",
                   topic != NULL ? topic->name : PROGRAM_NAME);
    write_row(out, left, column, sentence);
    if (topic == NULL) {
        format_flag(left, sizeof left, '\0', VERSION_FLAG_NAME, NULL);
        write_row(out, left, column, "show the version");
    }
}

static void write_group(FILE *out, const struct command_info *topic, enum option_group group,
                        size_t column)
{
    if (group != GROUP_ROUTE && group != GROUP_GLOBAL && (topic == NULL || !topic->takes_options)) {
        return;
    }
    fprintf(out, "\n%s:\n", option_group_title(group));
    for (size_t i = 0; i < options_count; i++) {
        if (options[i].group == group && command_takes(topic, &options[i])) {
            write_option(out, &options[i], column);
        }
    }
    if (group == GROUP_ROUTE) {
        write_own_flags(out, topic, column);
    }
}

static void write_commands(FILE *out)
{
    fputs("\nAvailable Commands:\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (!command_infos[i].is_hidden) {
            fprintf(out, "  %-11s %s\n", command_infos[i].name, command_infos[i].sentence);
        }
    }
}

static void write_usage(FILE *out, const struct command_info *topic)
{
    fprintf(out, "\nUsage:\n  %s %s%s%s\n", PROGRAM_NAME, topic != NULL ? topic->name : "[command]",
            topic != NULL ? " " : "", topic != NULL ? topic->usage : "");
    if (topic != NULL && topic->examples != NULL) {
        fprintf(out, "\nExamples:\n%s", topic->examples);
    }
}

static void write_paragraph(FILE *out, const char *text)
{
    text_wrap(out, text, 0, 0, WIDTH);
    fputc('\n', out);
}

void help_write(FILE *out, const struct command_info *topic)
{
    write_paragraph(out, topic == NULL         ? overview
                         : topic->text != NULL ? topic->text
                                               : topic->sentence);
    write_usage(out, topic);
    if (topic == NULL) {
        write_commands(out);
    }
    size_t column = flags_column(topic);
    for (int group = 0; group < OPTION_GROUPS; group++) {
        write_group(out, topic, (enum option_group)group, column);
    }
    if (topic == NULL) {
        fprintf(out, "\nUse \"%s [command] --help\" for more information about a command.\n",
                PROGRAM_NAME);
    } else if (topic->footer != NULL) {
        fputc('\n', out);
        write_paragraph(out, topic->footer);
    }
}

/* ---- list ---- */

void list_write(FILE *out)
{
    size_t longest = 0;
    for (size_t i = 0; i < protocols_count; i++) {
        size_t length = strlen(protocols[i]->name);
        longest = length > longest ? length : longest;
    }
    for (size_t i = 0; i < protocols_count; i++) {
        fprintf(out, "* %-*s  %s\n", (int)longest, protocols[i]->name, protocols[i]->sentence);
    }
    fprintf(out, "\nusage for example: ./%s server -p echo\n", PROGRAM_NAME);
}
