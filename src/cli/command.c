/* SPDX-License-Identifier: MIT */
/*
 * Reading the command line; see command.h.
 *
 * One pass over the arguments sets options and names the command; what can only be said at its end
 * (whether the command takes those options, what belongs together) comes last. The first mistake
 * ends the pass. Arguments are bytes from anywhere: they are never asserted, and errors show them
 * cut off and on one line.
 */
#include "cli/command.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = OPTIONS_MAX * (OPTION_ALIASES_MAX + 1) + 2 };

struct parser {
    int argc;
    char *const *argv; /* borrows until command_parse returns */
    int next;          /* index of the next argument */
    bool flags_ended;  /* by `--` */

    const struct command_info *info; /* NULL: not named yet */
    const char *argument;            /* the command's; NULL: none yet */
    bool is_help;
    bool is_version;
    bool given[OPTIONS_MAX]; /* by row of the option table */
    const char *foreign;     /* the first flag of the server's own, as it was typed; NULL: none */
    struct shown foreign_storage; /* what `foreign` points to */

    struct command *command;
    struct error *error;
};

/* A flag that was typed: a row of the option table, or a switch of the parser's own. */
struct flag {
    const struct option *option;
    bool *own; /* exactly one of the two is set */
};

bool command_takes(const struct command_info *info, const struct option *option)
{
    return option->group == GROUP_GLOBAL || (info != NULL && info->takes_options);
}

/* ---- names and what is near to them ---- */

static bool find_flag(struct parser *parser, const char *name, struct flag *flag)
{
    *flag = (struct flag){.option = option_find(name)};
    if (strcmp(name, HELP_FLAG_NAME) == 0) {
        flag->own = &parser->is_help;
    } else if (strcmp(name, VERSION_FLAG_NAME) == 0) {
        flag->own = &parser->is_version;
    }
    return flag->option != NULL || flag->own != NULL;
}

static bool find_letter(struct parser *parser, char letter, struct flag *flag)
{
    *flag = (struct flag){.option = option_find_letter(letter)};
    if (letter == HELP_FLAG_LETTER) {
        flag->own = &parser->is_help;
    }
    return flag->option != NULL || flag->own != NULL;
}

/* The flags that may stand here; before the command is named, those of the server too. */
static size_t flag_names(const struct parser *parser, const char *names[NAMES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < options_count; i++) {
        const char *spelling;
        for (size_t j = 0; (spelling = option_spelling(&options[i], j)) != NULL; j++) {
            if (parser->info == NULL || command_takes(parser->info, &options[i])) {
                names[count++] = spelling;
            }
        }
    }
    names[count++] = HELP_FLAG_NAME;
    if (parser->info == NULL) {
        names[count++] = VERSION_FLAG_NAME;
    }
    return count;
}

/* `typed` is the flag with its dashes, as it is to be shown. */
static bool refuse_flag(struct parser *parser, const char *typed, const char *name)
{
    const char *names[NAMES_MAX];
    const char *near = NULL;
    if (name != NULL) {
        near = nearest_name(name, names, flag_names(parser, names));
    }
    if (near != NULL) {
        error_set(parser->error, "unknown flag '%s', did you mean '--%s'?", typed, near);
    } else {
        error_set(parser->error, "unknown flag '%s', '%s %s --help' shows all", typed, PROGRAM_NAME,
                  parser->info != NULL ? parser->info->name : command_infos[COMMAND_SERVER].name);
    }
    return false;
}

static const struct command_info *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(command_infos[i].name, name) == 0) {
            return &command_infos[i];
        }
    }
    return NULL;
}

static bool refuse_command(struct parser *parser, const char *typed)
{
    const char *names[COMMANDS_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (!command_infos[i].is_hidden) {
            names[count++] = command_infos[i].name;
        }
    }
    struct shown shown;
    const char *near = nearest_name(typed, names, count);
    if (near != NULL) {
        error_set(parser->error, "unknown command '%s', did you mean '%s'?",
                  shown_text(&shown, typed), near);
    } else {
        error_set(parser->error, "unknown command '%s', '%s --help' shows all",
                  shown_text(&shown, typed), PROGRAM_NAME);
    }
    return false;
}

/* ---- flags ---- */

/* `typed` is the flag with its dashes, `text` its value. */
static bool set_flag(struct parser *parser, const struct flag *flag, const char *typed,
                     const char *text)
{
    bool is_set;
    if (flag->own != NULL) {
        is_set = bool_parse(text, flag->own, parser->error);
    } else {
        bool *given = &parser->given[flag->option - options];
        is_set = option_set(flag->option, text, !*given, &parser->command->config, parser->error);
        *given = true;
        if (parser->foreign == NULL && !command_takes(NULL, flag->option)) {
            parser->foreign = shown_text(&parser->foreign_storage, typed);
        }
    }
    if (!is_set) {
        error_prefix(parser->error, "%s", typed);
    }
    return is_set;
}

static bool needs_value(const struct flag *flag)
{
    return flag->own == NULL && flag->option->type != OPTION_FLAG;
}

/* Sets a flag from the value attached to it (NULL: none), or else from the next argument. */
static bool take_value(struct parser *parser, const struct flag *flag, const char *typed,
                       const char *attached)
{
    if (attached != NULL || !needs_value(flag)) {
        return set_flag(parser, flag, typed, attached != NULL ? attached : "true");
    }
    if (parser->next >= parser->argc) {
        error_set(parser->error, "missing value, write '%s %s'", typed, flag->option->value_name);
        error_prefix(parser->error, "%s", typed);
        return false;
    }
    return set_flag(parser, flag, typed, parser->argv[parser->next++]);
}

/* `--name` or `--name=value`; `argument` is all of it. */
static bool take_long(struct parser *parser, const char *argument)
{
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;

    char key[OPTION_NAME_BYTES_MAX + 16]; /* of a longer name the beginning, which is unknown too */
    size_t kept = length < sizeof key ? length : sizeof key - 1;
    memcpy(key, name, kept);
    key[kept] = '\0';

    struct shown typed;
    shown_text(&typed, argument);
    if (value != NULL && length + 2 < sizeof typed.text - 4) {
        typed.text[length + 2] = '\0';
    }
    struct flag flag;
    if (!find_flag(parser, key, &flag)) {
        return refuse_flag(parser, typed.text, kept == length ? key : NULL);
    }
    return take_value(parser, &flag, typed.text, value);
}

/* `-protocol`: a long name behind one dash. It would be read as `-p rotocol`. */
static bool is_long_name(struct parser *parser, const char *argument)
{
    char name[OPTION_NAME_BYTES_MAX + 16];
    size_t length = strcspn(argument + 1, "=");
    struct flag ignored;
    if (length < 2 || length >= sizeof name) {
        return false;
    }
    memcpy(name, argument + 1, length);
    name[length] = '\0';
    return find_flag(parser, name, &ignored);
}

/* `-v`, `-vd`, `-pvalue`, `-p=value`: letters until one takes a value, which is the rest. */
static bool take_letters(struct parser *parser, const char *argument)
{
    if (is_long_name(parser, argument)) {
        struct shown typed;
        shown_text(&typed, argument);
        typed.text[strcspn(typed.text, "=")] = '\0';
        return refuse_flag(parser, typed.text, typed.text + 1);
    }
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        char typed[] = {'-', *letter, '\0'};
        struct flag flag;
        if (!find_letter(parser, *letter, &flag)) {
            struct shown shown;
            return refuse_flag(parser, letter[1] == '\0' ? typed : shown_text(&shown, argument),
                               NULL);
        }
        const char *attached = letter[1] == '=' ? letter + 2 : NULL;
        if (needs_value(&flag) && attached == NULL && letter[1] != '\0') {
            attached = letter + 1;
        }
        if (!take_value(parser, &flag, typed, attached)) {
            return false;
        }
        if (attached != NULL || needs_value(&flag)) {
            return true;
        }
    }
    return true;
}

/* ---- the command and its argument ---- */

static bool takes_argument(const struct command_info *info)
{
    return info == &command_infos[COMMAND_HELP] || info->choices[0] != NULL;
}

static bool take_word(struct parser *parser, const char *word)
{
    if (parser->info == NULL) {
        parser->info = find_command(word);
        return parser->info != NULL || refuse_command(parser, word);
    }
    if (parser->argument == NULL && takes_argument(parser->info)) {
        parser->argument = word;
        return true;
    }
    struct shown shown;
    error_set(parser->error, "unexpected argument '%s', '%s %s --help' shows what is taken",
              shown_text(&shown, word), PROGRAM_NAME, parser->info->name);
    return false;
}

static bool take_argument(struct parser *parser, const char *argument)
{
    if (parser->flags_ended || argument[0] != '-' || argument[1] == '\0') {
        return take_word(parser, argument);
    }
    if (strcmp(argument, "--") == 0) {
        parser->flags_ended = true;
        return true;
    }
    return argument[1] == '-' ? take_long(parser, argument) : take_letters(parser, argument);
}

/* ---- the end ---- */

/* Writes `'bash', 'zsh' or 'fish'`. */
static void format_choices(const struct command_info *info, char *text, size_t capacity)
{
    size_t size = 0;
    for (size_t i = 0; info->choices[i] != NULL; i++) {
        const char *before = i == 0 ? "" : info->choices[i + 1] == NULL ? " or " : ", ";
        int length = snprintf(text + size, capacity - size, "%s'%s'", before, info->choices[i]);
        assert(length > 0 && (size_t)length < capacity - size); /* the table is ours */
        size += (size_t)length;
    }
}

static bool choose(struct parser *parser)
{
    const struct command_info *info = parser->info;
    size_t count = 0;
    while (info->choices[count] != NULL) {
        if (parser->argument != NULL && strcmp(info->choices[count], parser->argument) == 0) {
            parser->command->choice = count;
            return true;
        }
        count++;
    }
    char choices[128];
    format_choices(info, choices, sizeof choices);
    if (parser->argument == NULL) {
        error_set(parser->error, "missing argument of '%s': %s", info->name, choices);
        return false;
    }
    struct shown shown;
    shown_text(&shown, parser->argument);
    const char *near = nearest_name(parser->argument, info->choices, count);
    if (near != NULL) {
        error_set(parser->error, "unknown argument '%s' of '%s', did you mean '%s'?", shown.text,
                  info->name, near);
    } else {
        error_set(parser->error, "unknown argument '%s' of '%s', it takes %s", shown.text,
                  info->name, choices);
    }
    return false;
}

static void want_help(struct parser *parser, const struct command_info *topic)
{
    parser->command->kind = COMMAND_HELP;
    parser->command->topic = topic;
}

/* No command: the overview, or what a flag alone asks for. */
static bool finish_without_command(struct parser *parser)
{
    if (parser->foreign != NULL && !parser->is_help) {
        error_set(parser->error, "missing command: '%s' belongs to '%s server'", parser->foreign,
                  PROGRAM_NAME);
        return false;
    }
    want_help(parser, NULL);
    if (parser->is_version && !parser->is_help) {
        parser->command->kind = COMMAND_VERSION;
    }
    return true;
}

static bool finish_help(struct parser *parser)
{
    if (parser->argument == NULL) {
        want_help(parser, NULL);
        return true;
    }
    const struct command_info *topic = find_command(parser->argument);
    if (topic == NULL) {
        return refuse_command(parser, parser->argument);
    }
    want_help(parser, topic);
    return true;
}

static bool finish(struct parser *parser)
{
    const struct command_info *info = parser->info;
    if (info == NULL) {
        return finish_without_command(parser);
    }
    if (parser->is_help) {
        want_help(parser, info);
        return true;
    }
    if (parser->is_version) {
        error_set(parser->error, "unknown flag '--%s' of '%s', it stands without a command",
                  VERSION_FLAG_NAME, info->name);
        return false;
    }
    if (parser->foreign != NULL && !info->takes_options) {
        error_set(parser->error, "unknown flag '%s' of '%s', it belongs to 'server'",
                  parser->foreign, info->name);
        return false;
    }
    parser->command->kind = (enum command_kind)(info - command_infos);
    if (info == &command_infos[COMMAND_HELP]) {
        return finish_help(parser);
    }
    if (info->choices[0] != NULL) {
        return choose(parser);
    }
    struct config *config = &parser->command->config;
    return !info->takes_options || (config_check_owners(config, parser->given, parser->error) &&
                                    config_check(config, parser->error));
}

/* An error is one line, whatever was typed. */
static void keep_one_line(struct error *error)
{
    for (char *byte = error->text; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == 0x7F) {
            *byte = '?';
        }
    }
}

bool command_parse(int argc, char *const argv[], struct command *command, struct error *error)
{
    *command = (struct command){.kind = COMMAND_HELP};
    config_init(&command->config);
    struct parser parser = {
        .argc = argc, .argv = argv, .next = 1, .command = command, .error = error};
    while (parser.next < parser.argc) {
        if (!take_argument(&parser, argv[parser.next++])) {
            keep_one_line(error);
            return false;
        }
    }
    if (!finish(&parser)) {
        keep_one_line(error);
        return false;
    }
    return true;
}
