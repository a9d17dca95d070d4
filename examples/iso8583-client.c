/* SPDX-License-Identifier: MIT */
/*
 * An ISO 8583 client for the keyboard. Each typed line is sent as one message, with its length in
 * two bytes before it, and the payload of the answer is shown as a hex dump. Empty lines are not
 * sent.
 *
 *     $ iso8583-client 127.0.0.1:1234
 *     > 0800822000
 *     00000000  30 38 31 30 38 32 32 30  30 30                    |0810822000|
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "net.h"

enum { PREFIX_BYTES = 2, PAYLOAD_MAX_BYTES = UINT16_MAX, ROW_BYTES = 16 };

static void dump_row(const unsigned char *bytes, size_t offset, size_t count)
{
    printf("%08zx ", offset);
    for (size_t i = 0; i < ROW_BYTES; i++) {
        const char *gap = i % 8 == 0 ? " " : "";
        if (i < count) {
            printf("%s%02x ", gap, bytes[i]);
        } else {
            printf("%s   ", gap);
        }
    }
    printf(" |");
    for (size_t i = 0; i < count; i++) {
        putchar(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.');
    }
    printf("|\n");
}

static void dump(const unsigned char *bytes, size_t size)
{
    if (size == 0) {
        printf("(an empty message)\n");
    }
    for (size_t offset = 0; offset < size; offset += ROW_BYTES) {
        size_t left = size - offset;
        dump_row(bytes + offset, offset, left < ROW_BYTES ? left : ROW_BYTES);
    }
}

static bool send_message(FILE *out, const char *payload, size_t size)
{
    const unsigned char prefix[PREFIX_BYTES] = {(unsigned char)(size >> 8), (unsigned char)size};
    return fwrite(prefix, 1, PREFIX_BYTES, out) == PREFIX_BYTES &&
           fwrite(payload, 1, size, out) == size && fflush(out) == 0;
}

static bool receive_message(FILE *in, unsigned char payload[PAYLOAD_MAX_BYTES], size_t *size)
{
    unsigned char prefix[PREFIX_BYTES];
    if (fread(prefix, 1, PREFIX_BYTES, in) < PREFIX_BYTES) {
        return false;
    }
    *size = (size_t)prefix[0] << 8 | prefix[1];
    return fread(payload, 1, *size, in) == *size;
}

/* Sends one line and shows the answer; false when the connection is over. */
static bool exchange(FILE *in, FILE *out, const char *line, size_t size)
{
    static unsigned char answer[PAYLOAD_MAX_BYTES];
    size_t answer_size;
    if (size == 0) {
        return true;
    }
    if (size > PAYLOAD_MAX_BYTES) {
        fprintf(stderr, "a message has at most %d bytes\n", PAYLOAD_MAX_BYTES);
        return true;
    }
    if (!send_message(out, line, size) || !receive_message(in, answer, &answer_size)) {
        fprintf(stderr, "the server closed the connection\n");
        return false;
    }
    dump(answer, answer_size);
    return true;
}

/* Until the end of the input; the exit status. */
static int converse(FILE *in, FILE *out)
{
    char *line = NULL;
    size_t capacity = 0;
    bool connected = true;
    while (connected) {
        printf("> ");
        fflush(stdout);
        if (getline(&line, &capacity, stdin) < 0) {
            printf("\n");
            break;
        }
        connected = exchange(in, out, line, strcspn(line, "\r\n"));
    }
    free(line);
    return connected ? 0 : 1;
}

int main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "127.0.0.1:1234";
    const char *usage = "usage: iso8583-client [HOST:PORT]\n";
    if (strcmp(address, "--help") == 0) {
        printf(
            "%s\nSends each line of input as an ISO 8583 message with a two-byte length and shows\n"
            "the answer as a hex dump. HOST:PORT is 127.0.0.1:1234 unless given.\n",
            usage);
        return 0;
    }
    if (argc > 2) {
        fputs(usage, stderr);
        return 2;
    }
    net_handle_signals();
    int fd = net_connect(address);
    if (fd < 0) {
        return 1;
    }
    FILE *in = fdopen(fd, "r");
    FILE *out = fdopen(dup(fd), "w");
    if (in == NULL || out == NULL) {
        perror("fdopen");
        return 1;
    }
    int status = converse(in, out);
    fclose(out);
    fclose(in);
    return status;
}
