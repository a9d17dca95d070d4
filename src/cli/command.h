/* SPDX-License-Identifier: MIT */
/*
 * The command line: which command, with which configuration.
 *
 * command_parse is a pure function of its arguments: it prints nothing, opens nothing and keeps
 * nothing, so that tests and a fuzzer can call it. main.c carries out what it says.
 *
 * Flags are written as the Go program's users know them: `--name value`, `--name=value`, `-p
 * value`,
 * `-pvalue`, `-p=value`, letters of flags without value together (`-vd`), `--hold=false`; `--` ends
 * the flags; flags and the command may come in any order.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"
#include "config/option.h"

#define PROGRAM_NAME "tcp-multiplexer"

/* In the order of help. */
enum command_kind {
    COMMAND_COMPLETION,
    COMMAND_DOCUMENT,
    COMMAND_HELP,
    COMMAND_LIST,
    COMMAND_SERVER,
    COMMAND_VERSION,
};

enum { COMMANDS_COUNT = COMMAND_VERSION + 1, COMMAND_CHOICES_MAX = 4 };

/* A command as help, completions and the manual page tell of it. */
struct command_info {
    const char *name;
    const char *usage;                            /* what follows the name */
    const char *sentence;                         /* for the list of commands; no full stop */
    const char *text;                             /* what help begins with; NULL: the sentence */
    const char *examples;                         /* lines; NULL: none */
    const char *footer;                           /* what help ends with; NULL: nothing */
    const char *choices[COMMAND_CHOICES_MAX + 1]; /* of its one argument; none: it takes none */
    bool takes_options;                           /* not only the global ones */
    bool is_hidden;
};

/* Indexed by enum command_kind. */
extern const struct command_info command_infos[COMMANDS_COUNT];

/* The flags that are not options of a configuration. */
#define HELP_FLAG_NAME    "help"
#define HELP_FLAG_LETTER  'h'
#define VERSION_FLAG_NAME "version" /* without a command */

/* What is to be done. */
struct command {
    enum command_kind kind;
    const struct command_info *topic; /* COMMAND_HELP: what about; NULL: everything */
    size_t choice;                    /* of the command's choices, where it has some */
    struct config config; /* COMMAND_SERVER: checked; otherwise only its log options count */
};

/* Whether the command takes the option; a NULL command takes the global ones. */
bool command_takes(const struct command_info *info, const struct option *option);

/* Reads a command line as main gets it. False: one line for the user, exit status 2. `argv` is
 * borrowed for the duration of the call. */
bool command_parse(int argc, char *const argv[], struct command *command,
                   struct error *error) MUST_USE;

#endif
