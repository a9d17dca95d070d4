/* SPDX-License-Identifier: MIT */
/*
 * Prints how HTTP streams are cut, for tests that compare it with what others make of them.
 *
 *     frame_dump <cases >lines
 *     frame_dump --refusals        the table of refusals, as the rows of docs/http.md
 *
 * A case is its size (4 bytes, big-endian), one byte of flags (below), and the stream. Each gives
 * one line of JSON: the messages, with bodies as they are without chunks; how the stream stands at
 * its end; why it was refused; and all bytes as they go on to the other side.
 *
 *     {"messages": [{"line": "GET / HTTP/1.1", "fields": 1, "body": "6869", "whole": true}, ...],
 *      "end": "between" | "inside" | "until-end" | "closed" | "refused",
 *      "code": "", "status": 0, "left": 0, "edited": "474554...", "finished": false}
 *
 * Bytes are in hexadecimal, but for the first lines, whose odd bytes are escaped.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "protocol/http.h"
#include "protocol/registry.h"

enum { RESPONSES = 1, TO_HEAD = 2, CLIENT_10 = 4, STRICT = 8 };
enum { CASE_BYTES_MAX = 1 << 20, MESSAGES_MAX = 1000 };

static const char *const names[HTTP_REFUSAL_COUNT] = {
    "",
#define REFUSAL(name, status, sentence) #name,
#include "protocol/http_refusals.def"
#undef REFUSAL
};

static void print_refusals(void)
{
    puts("| status | what is refused |\n|---|---|");
    for (unsigned refusal = 1; refusal < HTTP_REFUSAL_COUNT; refusal++) {
        printf("| %u | %s |\n", http_refusal_status((enum http_refusal)refusal),
               http_refusal_sentence((enum http_refusal)refusal));
    }
}

static void print_hex(const uint8_t *data, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        printf("%02x", data[index]);
    }
}

static void print_escaped(const uint8_t *data, size_t size)
{
    for (size_t index = 0; index < size; index++) {
        bool is_plain =
            data[index] >= 0x20 && data[index] < 0x7F && data[index] != '"' && data[index] != '\\';
        printf(is_plain ? "%c" : "\\u%04x", data[index]);
    }
}

struct dump {
    struct protocol_settings settings;
    enum direction direction;
    struct framer framer;
    struct request request;
    struct frame frame; /* the last piece */
    uint8_t *edited;    /* borrowed */
    size_t edited_size;
    size_t messages;
    bool inside;
};

/* The first line and the number of fields. */
static void print_head(struct span head)
{
    struct span rest = head, line;
    size_t lines = 0;
    while (http_logical_line_next(&rest, &line)) {
        struct span text = http_line_text(line);
        if (text.size == 0) {
            continue;
        }
        if (lines++ == 0) {
            printf("\"line\": \"");
            print_escaped(text.data, text.size);
        }
    }
    printf("\", \"fields\": %zu, \"body\": \"", lines - 1);
}

static void take_piece(struct dump *dump, struct span piece)
{
    uint8_t *out = dump->edited + dump->edited_size;
    size_t size = protocol_http.edit(&dump->settings, dump->direction, &dump->request, 0,
                                     dump->frame.kind, piece, out);
    assert(size <= piece.size + EDIT_GROWTH_MAX);
    dump->edited_size += size;
    if (!dump->inside) {
        printf("%s{", dump->messages++ == 0 ? "" : ", ");
        print_head(piece);
    } else if (dump->frame.kind == HTTP_PIECE_BODY || dump->frame.kind == HTTP_PIECE_CHUNK) {
        print_hex(piece.data, piece.size);
    } else if (dump->frame.kind == HTTP_PIECE_CHUNK_END) {
        print_hex(piece.data, piece.size - 2);
    }
    dump->inside = !dump->frame.ends;
    if (!dump->inside) {
        printf("\", \"whole\": true}");
    }
}

static enum frame_status next(struct dump *dump, struct span rest)
{
    return dump->direction == TO_TARGET
               ? protocol_http.frame_request(&dump->settings, &dump->framer, rest, &dump->frame,
                                             &dump->request)
               : protocol_http.frame_response(&dump->settings, &dump->framer, &dump->request, rest,
                                              &dump->frame);
}

/* Whether nothing behind the message counts any more. */
static bool is_closed(const struct dump *dump)
{
    return !dump->inside &&
           (dump->direction == TO_TARGET ? dump->request.closes : dump->frame.closes);
}

static void dump_stream(unsigned flags, struct span stream, uint8_t *edited)
{
    struct dump dump = {.settings = {.head_bytes_max = 64 * 1024,
                                     .http_strict = (flags & STRICT) != 0,
                                     .body_guard = BODY_GUARD_OFF, /* no message is the last */
                                     .target = "target"},
                        .direction = (flags & RESPONSES) != 0 ? TO_CLIENT : TO_TARGET,
                        .request = {.expects_response = true,
                                    .kind = (flags & TO_HEAD) != 0 ? HTTP_HEAD : HTTP_GET,
                                    .key = (flags & CLIENT_10) != 0 ? HTTP_KEY_CLIENT_10 : 0}};
    dump.edited = edited;
    printf("{\"messages\": [");
    struct span rest = stream;
    enum frame_status status = FRAME_PIECE;
    bool closed = false;
    while (!closed && dump.messages < MESSAGES_MAX &&
           ((status = next(&dump, rest)) == FRAME_PIECE || status == FRAME_SKIP)) {
        if (status == FRAME_PIECE) {
            take_piece(&dump, http_part(rest, 0, dump.frame.size));
        }
        rest = span_from(rest, dump.frame.size);
        closed = is_closed(&dump);
    }
    if (dump.inside) {
        printf("\", \"whole\": false}");
    }
    bool refused = status == FRAME_INVALID || status == FRAME_TOO_LARGE;
    const char *end = closed                         ? "closed"
                      : refused                      ? "refused"
                      : dump.frame.until_end         ? "until-end"
                      : dump.inside || rest.size > 0 ? "inside"
                                                     : "between";
    bool finished = status == FRAME_PARTIAL && dump.frame.until_end && !dump.frame.closes_client;
    if (finished) { /* the end of the stream completes it, and the client is told so */
        dump.edited_size += protocol_http.finish(&dump.request, dump.edited + dump.edited_size);
    }
    unsigned code = refused ? dump.frame.code & HTTP_CODE_REFUSAL_BITS : 0;
    printf("], \"end\": \"%s\", \"code\": \"%s\", \"status\": %u, \"left\": %zu, \"edited\": \"",
           end, names[code], code == 0 ? 0 : http_refusal_status((enum http_refusal)code),
           rest.size);
    print_hex(dump.edited, dump.edited_size);
    printf("\", \"finished\": %s}\n", finished ? "true" : "false");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--refusals") == 0) {
        print_refusals();
        return 0;
    }
    uint8_t head[5];
    uint8_t *bytes = malloc(CASE_BYTES_MAX);
    uint8_t *edited = malloc(CASE_BYTES_MAX + MESSAGES_MAX * EDIT_GROWTH_MAX);
    assert(bytes != NULL && edited != NULL);
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        size_t size = (size_t)load_be16(head) << 16 | load_be16(head + 2);
        if (size > CASE_BYTES_MAX || fread(bytes, 1, size, stdin) != size) {
            fprintf(stderr, "a case of %zu bytes is cut or too large\n", size);
            break;
        }
        dump_stream(head[4], span_of(bytes, size), edited);
    }
    free(bytes);
    free(edited);
    return ferror(stdin) || !feof(stdin);
}
