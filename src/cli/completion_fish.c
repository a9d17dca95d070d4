/* SPDX-License-Identifier: MIT */
/* The completion script of fish: one `complete` line per command, flag spelling and argument. */
#include "cli/completion.h"

#include "cli/text.h"

/* Fish knows `\'` and `\\` between single quotes. */
static void write_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    text_escape(out, text, "'\\");
    fputc('\'', out);
}

/* `condition` is a fish command that tells whether the line counts; NULL: always. */
static void write_start(FILE *out, const char *condition)
{
    fprintf(out, "complete -c %s", PROGRAM_NAME);
    if (condition != NULL) {
        fputs(" -n ", out);
        write_quoted(out, condition);
    }
}

static void write_option(FILE *out, const struct option *option)
{
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        write_start(out,
                    option->group == GROUP_GLOBAL ? NULL : "__fish_seen_subcommand_from server");
        if (i == 0 && option->letter != '\0') {
            fprintf(out, " -s %c", option->letter);
        }
        fprintf(out, " -l %s", spelling);
        if (option->type != OPTION_FLAG) {
            fputs(" -x -a '", out);
            completion_write_values(out, option);
            fputc('\'', out);
        }
        fputs(" -d ", out);
        write_quoted(out, option->sentence);
        fputc('\n', out);
    }
}

static void write_argument(FILE *out, const char *command, const char *word, const char *sentence)
{
    char condition[128];
    if (command == NULL) {
        (void)snprintf(condition, sizeof condition, "__fish_use_subcommand");
    } else {
        (void)snprintf(condition, sizeof condition, "__fish_seen_subcommand_from %s", command);
    }
    write_start(out, condition);
    fprintf(out, " -a %s", word);
    if (sentence != NULL) {
        fputs(" -d ", out);
        write_quoted(out, sentence);
    }
    fputc('\n', out);
}

static void write_commands(FILE *out)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command_info *info = &command_infos[i];
        if (info->is_hidden) {
            continue;
        }
        write_argument(out, NULL, info->name, info->sentence);
        if (i != COMMAND_HELP) {
            write_argument(out, command_infos[COMMAND_HELP].name, info->name, info->sentence);
        }
        for (size_t j = 0; info->choices[j] != NULL; j++) {
            write_argument(out, info->name, info->choices[j], NULL);
        }
    }
}

void completion_write_fish(FILE *out)
{
    fprintf(out, "# fish completion for %s, written by '%s completion fish'\n\n", PROGRAM_NAME,
            PROGRAM_NAME);
    write_start(out, NULL);
    fputs(" -f\n", out);
    write_commands(out);
    write_start(out, NULL);
    fprintf(out, " -s %c -l %s -d 'show help'\n", HELP_FLAG_LETTER, HELP_FLAG_NAME);
    write_start(out, "__fish_use_subcommand");
    fprintf(out, " -l %s -d 'show the version'\n", VERSION_FLAG_NAME);
    for (size_t i = 0; i < options_count; i++) {
        write_option(out, &options[i]);
    }
}
