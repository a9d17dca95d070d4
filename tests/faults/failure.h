/* SPDX-License-Identifier: MIT */
/*
 * How a run fails: the claim that does not hold, the last things that happened, and the command
 * that runs the same seed again. Notes are kept in a ring and cost no system call, unless
 * --verbose wants to see each.
 */
#ifndef FAULTS_FAILURE_H
#define FAULTS_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Also prints the notes when an assertion or a sanitizer ends the process. */
void failure_watch(void);

/* A run begins; `command` is how to repeat it, borrowed until the next call. */
void failure_begin(const char *command, bool verbose);

/* Something happened: a fault was injected, a link came or went. */
void failure_note(const char *format, ...) PRINTF_LIKE(1, 2);

/* Something is wrong. Ends the process. */
_Noreturn void failure(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
