/* SPDX-License-Identifier: MIT */
/*
 * Tables for Markdown and sections for mdoc; see document.h.
 *
 * In mdoc a line that begins with `.` or `'` is a macro, which no sentence of the tables does when
 * it is written as one line; a hyphen that people may copy is `\-`.
 */
#include "cli/document.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/text.h"
#include "protocol/protocol.h"

enum { PAGE_WIDTH = 78, TEXT_BYTES_MAX = 1024 };

/* ---- Markdown ---- */

static void write_markdown_option(FILE *out, const struct option *option)
{
    fputs("| ", out);
    if (option->letter != '\0') {
        fprintf(out, "`-%c`, ", option->letter);
    }
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        fprintf(out, "%s`--%s`", i == 0 ? "" : ", ", spelling);
    }
    if (option->fallback != NULL) {
        fprintf(out, " | `%s` | ", option->fallback);
    } else {
        fputs(" | | ", out);
    }
    text_escape(out, option->sentence, "|[]<>*_");
    fputs(" |\n", out);
}

static void write_markdown(FILE *out)
{
    for (int group = 0; group < OPTION_GROUPS; group++) {
        fprintf(out, "%s**%s**\n\n| flag | default | meaning |\n|---|---|---|\n",
                group == 0 ? "" : "\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < options_count; i++) {
            if (options[i].group == (enum option_group)group) {
                write_markdown_option(out, &options[i]);
            }
        }
    }
}

/* ---- mdoc ---- */

/* A sentence of the tables as a sentence of prose, wrapped. */
static void write_prose(FILE *out, const char *sentence)
{
    char text[TEXT_BYTES_MAX];
    size_t size = 0;
    for (const char *byte = sentence; *byte != '\0'; byte++) {
        assert(size + 4 < sizeof text);
        if (*byte == '-') {
            text[size++] = '\\';
        }
        text[size++] = *byte;
    }
    memcpy(text + size, ".", 2);
    text[0] = (char)toupper((unsigned char)text[0]);
    text_wrap(out, text, 0, 0, PAGE_WIDTH);
    fputc('\n', out);
}

/* `.It Fl p , Fl \-applicationProtocol Ar string`. */
static void write_man_tag(FILE *out, char letter, const struct option *option)
{
    fputs(".It ", out);
    if (letter != '\0') {
        fprintf(out, "Fl %c , ", letter);
    }
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        fprintf(out, "%sFl \\-", i == 0 ? "" : " , ");
        text_escape(out, spelling, "-");
    }
    if (option->value_name != NULL) {
        fprintf(out, " Ar %s", option->value_name);
    }
    fputc('\n', out);
}

static void write_man_option(FILE *out, const struct option *option)
{
    write_man_tag(out, option->letter, option);
    write_prose(out, option->sentence);
    if (option->fallback != NULL) {
        fprintf(out, "The default is\n.Ql %s .\n", option->fallback);
    }
}

static void write_man_options(FILE *out)
{
    for (int group = 0; group < OPTION_GROUPS; group++) {
        fprintf(out, ".Ss %s\n.Bl -tag -width Ds\n", option_group_title((enum option_group)group));
        for (size_t i = 0; i < options_count; i++) {
            if (options[i].group == (enum option_group)group) {
                write_man_option(out, &options[i]);
            }
        }
        fputs(".El\n", out);
    }
}

/* `[flags]` of a command becomes `Op Ar flags`; anything else is written as it is. */
static void write_man_usage(FILE *out, const char *usage)
{
    if (usage[0] == '[') {
        fprintf(out, " Op Ar %.*s", (int)strcspn(usage + 1, "]"), usage + 1);
    } else {
        fprintf(out, " Ar %s", usage);
    }
}

static void write_man_commands(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command_info *info = &command_infos[i];
        if (!info->is_hidden) {
            fprintf(out, ".It Cm %s", info->name);
            write_man_usage(out, info->usage);
            fputc('\n', out);
            write_prose(out, info->text != NULL ? info->text : info->sentence);
        }
    }
    fputs(".El\n", out);
}

static void write_man_protocols(FILE *out)
{
    fputs(".Bl -tag -width Ds\n", out);
    for (size_t i = 0; i < protocols_count; i++) {
        fprintf(out, ".It Cm %s\n", protocols[i]->name);
        write_prose(out, protocols[i]->sentence);
    }
    fputs(".El\n", out);
}

void document_write(FILE *out, size_t piece)
{
    static void (*const writers[])(FILE *) = {write_markdown, write_man_options, write_man_commands,
                                              write_man_protocols};
    assert(piece < ARRAY_COUNT(writers));
    writers[piece](out);
}
