/* SPDX-License-Identifier: MIT */
/*
 * The completion script of zsh.
 *
 * It works both as a file in fpath, where its body is the function, and when it is read by source,
 * where it registers the function.
 */
#include "cli/completion.h"

#include "cli/text.h"

/* `'[sentence]`, ready for _arguments, inside the single quotes that the caller opened. */
static void write_sentence(FILE *out, const char *sentence)
{
    fputc('[', out);
    for (; *sentence != '\0'; sentence++) {
        char text[2] = {*sentence, '\0'};
        if (*sentence == '[' || *sentence == ']' || *sentence == '\\') {
            fputc('\\', out);
        }
        text_quote_shell(out, text);
    }
    fputc(']', out);
}

/* `:address:(a b)`: what the value is and which there are. */
static void write_value(FILE *out, const struct option *option)
{
    if (option->type == OPTION_FLAG) {
        return;
    }
    fprintf(out, ":%s:(", option->value_name);
    completion_write_values(out, option);
    fputc(')', out);
}

/* One line per spelling. A flag is offered once, a list each time. */
static void write_option(FILE *out, const struct option *option)
{
    const char *repeat = option->type == OPTION_LIST ? "*" : "";
    const char *equals = option->type == OPTION_FLAG ? "" : "=";
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        fprintf(out, "        '%s--%s%s", repeat, spelling, equals);
        write_sentence(out, option->sentence);
        write_value(out, option);
        fputs("'\n", out);
    }
    if (option->letter != '\0') {
        fprintf(out, "        '%s-%c%s", repeat, option->letter,
                option->type == OPTION_FLAG ? "" : "+");
        write_sentence(out, option->sentence);
        write_value(out, option);
        fputs("'\n", out);
    }
}

static void write_flags(FILE *out, const char *name, const struct command_info *info, bool global)
{
    fprintf(out, "    local -a %s=(\n", name);
    for (size_t i = 0; i < options_count; i++) {
        if ((options[i].group == GROUP_GLOBAL) == global && command_takes(info, &options[i])) {
            write_option(out, &options[i]);
        }
    }
    if (global) {
        fprintf(out, "        '(-%c --%s)'{-%c,--%s}'[show help]'\n", HELP_FLAG_LETTER,
                HELP_FLAG_NAME, HELP_FLAG_LETTER, HELP_FLAG_NAME);
    }
    fputs("    )\n", out);
}

static void write_names(FILE *out)
{
    fputs("    local -a names=(\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (!command_infos[i].is_hidden) {
            fprintf(out, "        '%s:", command_infos[i].name);
            text_quote_shell(out, command_infos[i].sentence);
            fputs("'\n", out);
        }
    }
    fputs("    )\n", out);
}

/* What each command takes, behind its name. */
static void write_commands(FILE *out)
{
    fputs("    case $words[1] in\n", out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command_info *info = &command_infos[i];
        if (info->is_hidden) {
            continue;
        }
        fprintf(out, "    %s)\n        _arguments -s -S $globals%s", info->name,
                info->takes_options ? " $options" : "");
        if (i == COMMAND_HELP) {
            fputs(" '1:command:{_describe command names}'", out);
        } else if (info->choices[0] != NULL) {
            fputs(" '1:argument:(", out);
            for (size_t j = 0; info->choices[j] != NULL; j++) {
                fprintf(out, "%s%s", j == 0 ? "" : " ", info->choices[j]);
            }
            fputs(")'", out);
        }
        fputs("\n        ;;\n", out);
    }
    fputs("    esac\n", out);
}

void completion_write_zsh(FILE *out)
{
    fprintf(out,
            "#compdef %s\n"
            "# zsh completion for %s, written by '%s completion zsh'\n\n"
            "_tcp_multiplexer()\n"
            "{\n"
            "    local context state state_descr line ret=1\n"
            "    typeset -A opt_args\n",
            PROGRAM_NAME, PROGRAM_NAME, PROGRAM_NAME);
    write_names(out);
    write_flags(out, "globals", NULL, true);
    write_flags(out, "options", &command_infos[COMMAND_SERVER], false);
    fprintf(out,
            "    _arguments -s -S -C $globals '--%s[show the version]' \\\n"
            "        '1:command:->command' '*::argument:->argument' && ret=0\n"
            "    if [[ $state == command ]]; then\n"
            "        _describe command names\n"
            "        return\n"
            "    fi\n"
            "    [[ $state == argument ]] || return ret\n",
            VERSION_FLAG_NAME);
    write_commands(out);
    fprintf(out,
            "}\n\n"
            "if [[ ${funcstack[1]} == _%s ]]; then\n"
            "    _tcp_multiplexer \"$@\"\n"
            "else\n"
            "    compdef _tcp_multiplexer %s\n"
            "fi\n",
            PROGRAM_NAME, PROGRAM_NAME);
}
