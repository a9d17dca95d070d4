/* SPDX-License-Identifier: MIT */
/*
 * The completion script of bash.
 *
 * It needs nothing but bash: the package bash-completion is not assumed. Bash splits words at `=`,
 * so
 * `--name=val` arrives as three words, which the script puts together again.
 */
#include "cli/completion.h"

/* An option as a pattern of `case`: `-p|--applicationProtocol|--protocol|...`.
 */
static void write_pattern(FILE *out, const struct option *option)
{
    if (option->letter != '\0') {
        fprintf(out, "-%c|", option->letter);
    }
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        fprintf(out, "%s--%s", i == 0 ? "" : "|", spelling);
    }
}

/* Whether the option's values are free text, which nothing can complete. */
static bool is_free(const struct option *option)
{
    return option->type != OPTION_FLAG && !completion_has_values(option);
}

/* All flags that take a value, or only those whose values are free text, as one pattern. */
static void write_patterns(FILE *out, bool only_free)
{
    const char *before = "";
    for (size_t i = 0; i < options_count; i++) {
        if (only_free ? is_free(&options[i]) : options[i].type != OPTION_FLAG) {
            fputs(before, out);
            write_pattern(out, &options[i]);
            before = "|";
        }
    }
}

/* Tells which word is the command; `command` stays empty when none is named yet. */
static void write_command_search(FILE *out)
{
    fputs("    local command= index\n"
          "    for ((index = 1; index < COMP_CWORD; index++)); do\n"
          "        case ${COMP_WORDS[index]} in\n"
          "        ",
          out);
    write_patterns(out, false);
    fputs(")\n"
          "            [[ ${COMP_WORDS[index + 1]} == = ]] && ((index++))\n"
          "            ((index++)) ;;\n"
          "        =) ((index++)) ;;\n"
          "        -*) ;;\n"
          "        *)\n"
          "            command=${COMP_WORDS[index]}\n"
          "            break ;;\n"
          "        esac\n"
          "    done\n",
          out);
}

/* Completes the value of the flag before the cursor, and ends there. */
static void write_values(FILE *out)
{
    fputs("    case $previous in\n", out);
    for (size_t i = 0; i < options_count; i++) {
        if (completion_has_values(&options[i])) {
            fputs("    ", out);
            write_pattern(out, &options[i]);
            fputs(")\n        COMPREPLY=($(compgen -W '", out);
            completion_write_values(out, &options[i]);
            fputs("' -- \"$current\"))\n        return ;;\n", out);
        }
    }
    fputs("    ", out);
    write_patterns(out, true);
    fputs(")\n        return ;;\n    esac\n", out);
}

static void write_flags(FILE *out, const struct command_info *info)
{
    fprintf(out, "--%s", HELP_FLAG_NAME);
    if (info == NULL) {
        fprintf(out, " --%s", VERSION_FLAG_NAME);
    }
    for (size_t i = 0; i < options_count; i++) {
        const char *spelling;
        for (size_t j = 0; (spelling = option_spelling(&options[i], j)) != NULL; j++) {
            if (command_takes(info, &options[i])) {
                fprintf(out, " --%s", spelling);
            }
        }
    }
}

static void write_names(FILE *out)
{
    const char *before = "";
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (!command_infos[i].is_hidden) {
            fprintf(out, "%s%s", before, command_infos[i].name);
            before = " ";
        }
    }
}

/* Sets `flags` and `words` for the command: what may come next. */
static void write_commands(FILE *out)
{
    fputs("    local flags words=\n    case $command in\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command_info *info = &command_infos[i];
        if (info->is_hidden) {
            continue;
        }
        fprintf(out, "    %s)\n        flags='", info->name);
        write_flags(out, info);
        fputs("'\n", out);
        if (i == COMMAND_HELP) {
            fputs("        words='", out);
            write_names(out);
            fputs("'\n", out);
        } else if (info->choices[0] != NULL) {
            fputs("        words='", out);
            for (size_t j = 0; info->choices[j] != NULL; j++) {
                fprintf(out, "%s%s", j == 0 ? "" : " ", info->choices[j]);
            }
            fputs("'\n", out);
        }
        fputs("        ;;\n", out);
    }
    fputs("    '')\n        flags='", out);
    write_flags(out, NULL);
    fputs("'\n        words='", out);
    write_names(out);
    fputs("'\n        ;;\n    esac\n", out);
}

void completion_write_bash(FILE *out)
{
    fprintf(out,
            "# bash completion for %s, written by '%s completion bash'\n\n"
            "_tcp_multiplexer()\n"
            "{\n"
            "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
            "    if [[ $current == = ]]; then\n"
            "        current=\n"
            "    elif [[ $previous == = ]]; then\n"
            "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
            "    fi\n"
            "    COMPREPLY=()\n",
            PROGRAM_NAME, PROGRAM_NAME);
    write_values(out);
    write_command_search(out);
    write_commands(out);
    fprintf(out,
            "    if [[ $current == -* ]]; then\n"
            "        words=$flags\n"
            "    fi\n"
            "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
            "}\n\n"
            "complete -F _tcp_multiplexer %s\n",
            PROGRAM_NAME);
}
