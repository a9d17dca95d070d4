/* SPDX-License-Identifier: MIT */
/* What `help` and `list` show. Everything comes from the tables. Write errors are found by who
 * opened `out`. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stddef.h>
#include <stdio.h>

#include "cli/command.h"

/* Help for a command, in the layout of cobra. NULL: the overview. */
void help_write(FILE *out, const struct command_info *topic);

/* The protocols, one a line. */
void list_write(FILE *out);

/* What the default of an option is called: `"echo"`, `60s`; NULL: it has none worth telling. `text`
 * is where a quoted one goes. */
const char *option_default(const struct option *option, char *text, size_t capacity);

/* The heading of a group: `Flags`, `Time Flags`. */
const char *option_group_title(enum option_group group);

#endif
