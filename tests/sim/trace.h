/* SPDX-License-Identifier: MIT */
/*
 * The story of a run: the last lines of what happened, printed when a check fails, and how a check
 * fails. One run at a time has the floor (trace_begin), so that a failed assertion of the core can
 * print the story too.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/span.h"

enum { TRACE_LINES_MAX = 80, TRACE_LINE_BYTES_MAX = 200 };

struct trace {
    uint64_t count; /* lines ever written */
    bool aloud;     /* print each line as it comes */
    char replay[160];
    char lines[TRACE_LINES_MAX][TRACE_LINE_BYTES_MAX];
};

/* Clears the trace and makes it the one that a failure prints. `replay` is the command that repeats
 * the run. The trace is borrowed until trace_stop. */
void trace_begin(struct trace *trace, const char *replay);
void trace_stop(void);

void trace_line(struct trace *trace, uint64_t now_ns, const char *format, ...) PRINTF_LIKE(3, 4);

/* Prints the last lines and the replay command on stderr. */
void trace_print(void);

/* A check named `check` does not hold: prints the sentence and the story, and aborts. */
_Noreturn void sim_fail(const char *check, const char *format, ...) PRINTF_LIKE(2, 3);

/* The bytes as text for a trace line, cut at `capacity`; lends `text`. */
const char *trace_bytes(char *text, size_t capacity, struct span bytes);

/* Makes SIGABRT, SIGSEGV and the like print the story before the process dies. */
void trace_catch_signals(void);

#endif
