/* SPDX-License-Identifier: MIT */
/*
 * The story of a run; see trace.h. Lines live in a ring of text, written when they happen: a run is
 * short, and formatting a line costs less than the step it tells of.
 */
#include "trace.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"

static struct trace *current; /* the run that has the floor */

void trace_begin(struct trace *trace, const char *replay)
{
    trace->count = 0;
    (void)snprintf(trace->replay, sizeof trace->replay, "%s", replay);
    current = trace;
}

void trace_stop(void)
{
    current = NULL;
}

void trace_line(struct trace *trace, uint64_t now_ns, const char *format, ...)
{
    char *line = trace->lines[trace->count++ % TRACE_LINES_MAX];
    int size = snprintf(line, TRACE_LINE_BYTES_MAX, "%6llu.%06llu ms  ",
                        (unsigned long long)(now_ns / NS_PER_MS),
                        (unsigned long long)(now_ns % NS_PER_MS));
    assert(size > 0);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line + size, TRACE_LINE_BYTES_MAX - (size_t)size, format, arguments);
    va_end(arguments);
    if (trace->aloud) {
        puts(line);
    }
}

void trace_print(void)
{
    if (current == NULL) {
        return;
    }
    uint64_t first = current->count > TRACE_LINES_MAX ? current->count - TRACE_LINES_MAX : 0;
    fprintf(stderr, "the last %llu of %llu events:\n", (unsigned long long)(current->count - first),
            (unsigned long long)current->count);
    for (uint64_t i = first; i < current->count; i++) {
        fprintf(stderr, "%s\n", current->lines[i % TRACE_LINES_MAX]);
    }
    fprintf(stderr, "replay: %s\n", current->replay);
    (void)fflush(stderr);
}

void sim_fail(const char *check, const char *format, ...)
{
    (void)fflush(stdout);
    fprintf(stderr, "\nCHECK FAILED: %s\n  ", check);
    va_list arguments;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    abort();
}

const char *trace_bytes(char *text, size_t capacity, struct span bytes)
{
    assert(capacity >= 8);
    size_t at = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (at + 8 > capacity) {
            memcpy(text + at, "...", 3);
            at += 3;
            break;
        }
        if (byte == '\n') {
            text[at++] = '\\';
            text[at++] = 'n';
        } else if (byte >= 0x20 && byte < 0x7F) {
            text[at++] = (char)byte;
        } else {
            at += (size_t)snprintf(text + at, capacity - at, "\\x%02x", byte);
        }
    }
    text[at] = '\0';
    return text;
}

/* The process is lost anyway: printing from a signal handler is the best that can be done. The
 * handler is gone by then, so the signal comes again and ends the process. */
static void on_signal(int number)
{
    trace_print();
    (void)raise(number);
}

void trace_catch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
}
