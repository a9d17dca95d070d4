/* SPDX-License-Identifier: MIT */
/*
 * Completion scripts, generated from the tables: commands, flags with their sentences, protocols,
 * choices. Each is static text that asks nothing of the program when it runs.
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/command.h"

/* `shell` is an index into the choices of COMMAND_COMPLETION. */
void completion_write(FILE *out, size_t shell);

/* One per shell (completion_bash.c, ...). */
void completion_write_bash(FILE *out);
void completion_write_zsh(FILE *out);
void completion_write_fish(FILE *out);

/* Whether the values of the option are known; other values are free text. */
bool completion_has_values(const struct option *option);

/* Writes the known values of an option with blanks between, nothing for free text. */
void completion_write_values(FILE *out, const struct option *option);

#endif
