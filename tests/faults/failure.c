/* SPDX-License-Identifier: MIT */
/* See failure.h. The ring is static because a signal handler prints it. */
#include "faults/failure.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { NOTES_MAX = 128, NOTE_BYTES = 96 };

static char notes[NOTES_MAX][NOTE_BYTES];
static uint64_t notes_count;
static const char *repeat_command = "";
static bool is_verbose;

/* Where a sanitizer is linked in, it calls this before it ends the process. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void print_notes(void)
{
    uint64_t first = notes_count > NOTES_MAX ? notes_count - NOTES_MAX : 0;
    (void)fprintf(stderr, "the last of %llu notes:\n", (unsigned long long)notes_count);
    for (uint64_t index = first; index < notes_count; index++) {
        (void)fprintf(stderr, "  %s\n", notes[index % NOTES_MAX]);
    }
    (void)fprintf(stderr, "replay: %s\n", repeat_command);
}

static void on_abort(int number)
{
    print_notes();
    (void)sigaction(number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
    (void)raise(number);
}

void failure_watch(void)
{
    (void)sigaction(SIGABRT, &(struct sigaction){.sa_handler = on_abort}, NULL);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(print_notes);
    }
}

void failure_begin(const char *command, bool verbose)
{
    repeat_command = command;
    is_verbose = verbose;
    notes_count = 0;
}

void failure_note(const char *format, ...)
{
    char *note = notes[notes_count++ % NOTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(note, NOTE_BYTES, format, arguments);
    va_end(arguments);
    if (is_verbose) {
        (void)fprintf(stderr, "%s\n", note);
    }
}

void failure(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("FAILED: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    print_notes();
    (void)fflush(stdout);
    _Exit(1);
}
