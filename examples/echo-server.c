/* SPDX-License-Identifier: MIT */
/*
 * An echo server: every line it receives goes back as it came. A last line without a newline is no
 * line, and is dropped.
 *
 *     $ echo-server 1234 &
 *     $ printf 'hello\n' | nc -N 127.0.0.1 1234
 *     hello
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "net.h"

static void echo_lines(FILE *in, FILE *out)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while ((size = getline(&line, &capacity, in)) > 0 && line[size - 1] == '\n') {
        if (fwrite(line, 1, (size_t)size, out) < (size_t)size || fflush(out) != 0) {
            break;
        }
    }
    free(line);
}

int main(int argc, char **argv)
{
    return server_run(argc, argv, "Sends every line back.\n", echo_lines);
}
