/* SPDX-License-Identifier: MIT */
/*
 * Heads as they go on to the other side.
 *
 * Every line passes byte for byte and in its place, except:
 *
 *   - the version, which is HTTP/1.1 (RFC 9110 section 2.5: an intermediary sends its own);
 *   - Connection, the fields it names, and those that are about one connection without being named
 *     (RFC 9110 section 7.6.1). Host, Content-Length and Transfer-Encoding stay even if named,
 * since taking them away would change where the message ends or where it goes;
 *   - an empty line in front of a request, and Host for an HTTP/1.0 request that has none;
 *   - towards the client, Connection: close or keep-alive, for its own connection;
 *   - in 401 and 407 responses, challenges that bind a login to a connection;
 *   - for HTTP/1.0 clients, Transfer-Encoding and Trailer, and with them the lines between chunks.
 *
 * The framers have accepted what is edited here, so that its form is not in question any more.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

/* ---- writing ---- */

void http_write(struct http_writer *writer, struct span bytes)
{
    if (bytes.size > 0) {
        memcpy(writer->out + writer->size, bytes.data, bytes.size);
        writer->size += bytes.size;
    }
}

void http_write_text(struct http_writer *writer, const char *text)
{
    http_write(writer, span_of(text, strlen(text)));
}

/* ---- what is left out ---- */

/* The names in Connection, borrowed from the head. */
struct options {
    struct span names[HTTP_OPTIONS_MAX];
    size_t count;
};

static void options_read(struct span head, struct options *options)
{
    options->count = 0;
    struct span rest = head, line, name, value, option;
    while (http_line_next(&rest, &line)) {
        if (!http_field_split(line, &name, &value) ||
            http_field_find(name) != HTTP_FIELD_CONNECTION) {
            continue;
        }
        value = http_part(value, 0, value.size - 2); /* without CR LF */
        while (http_list_next(&value, &option)) {
            if (option.size > 0) {
                assert(options->count < HTTP_OPTIONS_MAX); /* http_head.c refuses more */
                options->names[options->count++] = option;
            }
        }
    }
}

static bool is_named(const struct options *options, struct span name)
{
    for (size_t index = 0; index < options->count; index++) {
        if (http_same(options->names[index], name)) {
            return true;
        }
    }
    return false;
}

/* Whether a field goes on. `unchunks`: the body is sent without its chunks. */
static bool passes(const struct options *options, struct span name, enum http_field field,
                   bool unchunks)
{
    switch ((int)field) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_UPGRADE:
        return false;
    case HTTP_FIELD_TRANSFER_ENCODING:
        return !unchunks;
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_CONTENT_LENGTH:
        return true;
    case HTTP_FIELD_TRAILER:
        return !unchunks && !is_named(options, name);
    default:
        return !is_named(options, name);
    }
}

struct pass {
    bool has_options; /* there is Connection, and names something */
    bool unchunks;
    bool filters_challenges;
};

/* Writes the fields that go on, from the line behind the first to the empty one, which is not. */
static void write_fields(struct http_writer *writer, struct span fields, struct pass pass)
{
    struct options options = {.count = 0};
    if (pass.has_options) {
        options_read(fields, &options);
    }
    struct span rest = fields, line, name, value;
    while (http_line_next(&rest, &line)) {
        if (!http_field_split(line, &name, &value)) {
            return; /* the empty line */
        }
        enum http_field field = http_field_find(name);
        if (!passes(&options, name, field, pass.unchunks)) {
            continue;
        }
        bool is_challenge =
            field == HTTP_FIELD_WWW_AUTHENTICATE || field == HTTP_FIELD_PROXY_AUTHENTICATE;
        if (is_challenge && pass.filters_challenges) {
            http_challenges_write(writer, line);
        } else {
            http_write(writer, line);
        }
    }
}

static bool has_options(const struct http_head *head)
{
    return (head->bits >> HTTP_OPTIONS_SHIFT & HTTP_OPTIONS_BITS) != 0;
}

static void write_via(struct http_writer *writer, const struct http_head *head)
{
    http_write_text(writer, (head->bits & HTTP_VERSION_10) != 0 ? "Via: 1.0 tcp-multiplexer\r\n"
                                                                : "Via: 1.1 tcp-multiplexer\r\n");
}

/* ---- requests ---- */

/* For an HTTP/1.0 request without one; HTTP/1.1 demands it (RFC 9112 section 3.2). */
static void write_host(struct http_writer *writer, const struct protocol_settings *settings,
                       struct span request_line)
{
    const uint8_t *space = memchr(request_line.data, ' ', request_line.size);
    size_t start = (size_t)(space - request_line.data) + 1;
    struct span target = span_from(request_line, start);
    target = http_part(target, 0, target.size - (sizeof " HTTP/1.0\r\n" - 1));
    struct span authority;
    http_write_text(writer, "Host: ");
    if (http_target_authority(target, &authority)) {
        http_write(writer, http_authority_host(authority));
    } else if (settings->target != NULL) {
        http_write_text(writer, settings->target);
    }
    http_write_text(writer, "\r\n");
}

/* RFC 7239. The host that the client asked for is in Host, which has not changed. */
static void write_forwarded(struct http_writer *writer, const char *origin)
{
    char text[128];
    bool is_v6 = origin != NULL && strchr(origin, ':') != NULL;
    int size =
        snprintf(text, sizeof text, "Forwarded: for=%s%s%s;proto=http\r\n", is_v6 ? "\"[" : "",
                 origin == NULL ? "unknown" : origin, is_v6 ? "]\"" : "");
    if (size > 0 && (size_t)size < sizeof text) {
        http_write_text(writer, text);
    }
}

static size_t edit_request(const struct protocol_settings *settings, const struct request *request,
                           struct span piece, uint8_t *out)
{
    struct http_writer writer = {0};
    writer.out = out;
    bool is_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    struct http_head head = {.bits = HTTP_HOST}; /* which HTTP/1.1 has to have */
    if (is_10) {
        http_head_read(TO_TARGET, piece, &head);
    }
    struct span rest = piece, line;
    bool has_line = http_line_next(&rest, &line);
    if (has_line && line.size == 2) {
        has_line = http_line_next(&rest, &line);
    }
    assert(has_line);
    http_write(&writer, http_part(line, 0, line.size - (sizeof "HTTP/1.0\r\n" - 1)));
    http_write_text(&writer, "HTTP/1.1\r\n");
    if ((head.bits & HTTP_HOST) == 0) {
        write_host(&writer, settings, line);
    }
    write_fields(&writer, rest, (struct pass){.has_options = !is_10 || has_options(&head)});
    if (settings->via) {
        write_via(&writer, &head);
    }
    if (settings->forwarded) {
        write_forwarded(&writer, request->origin);
    }
    http_write_text(&writer, "\r\n");
    return writer.size;
}

/* ---- responses ---- */

static const char *connection_of(const struct request *request, bool closes_client)
{
    if (request->closes || closes_client) {
        return "Connection: close\r\n";
    }
    return (request->key & HTTP_KEY_CLIENT_10) != 0 ? "Connection: keep-alive\r\n" : "";
}

static size_t edit_response(const struct protocol_settings *settings, const struct request *request,
                            struct span piece, uint8_t *out)
{
    bool is_for_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    struct http_writer writer = {0};
    writer.out = out;
    struct http_head head;
    http_head_read(TO_CLIENT, piece, &head);
    bool is_interim = http_is_interim(&head);
    if (is_interim && is_for_10) {
        return 0;
    }
    struct span rest = piece, line;
    bool has_line = http_line_next(&rest, &line);
    assert(has_line);
    http_write_text(&writer, "HTTP/1.1");
    http_write(&writer, span_from(line, sizeof "HTTP/1.1" - 1));
    unsigned status = http_head_number(&head);
    write_fields(&writer, rest,
                 (struct pass){.has_options = has_options(&head),
                               .unchunks = is_for_10,
                               .filters_challenges = status == 401 || status == 407});
    if (settings->via) {
        write_via(&writer, &head);
    }
    if (!is_interim) {
        enum http_body body = http_response_body(&head, request);
        http_write_text(&writer, connection_of(request, http_closes_client(body, request)));
    }
    http_write_text(&writer, "\r\n");
    return writer.size;
}

/* ---- pieces ---- */

/* How much of a piece behind the head is left when chunks are taken off. */
static size_t data_size(enum http_piece kind, size_t size)
{
    switch (kind) {
    case HTTP_PIECE_HEAD:
    case HTTP_PIECE_BODY:
        return size;
    case HTTP_PIECE_CHUNK_END:
        return size - 2;
    case HTTP_PIECE_CHUNK_LINE:
    case HTTP_PIECE_TRAILERS:
        return 0;
    }
    return size;
}

size_t http_edit(const struct protocol_settings *settings, enum direction direction,
                 const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                 uint8_t *out)
{
    (void)id;
    assert(kind <= HTTP_PIECE_TRAILERS);
    if (kind == HTTP_PIECE_HEAD) {
        return direction == TO_TARGET ? edit_request(settings, request, piece, out)
                                      : edit_response(settings, request, piece, out);
    }
    bool unchunks = direction == TO_CLIENT && (request->key & HTTP_KEY_CLIENT_10) != 0;
    size_t size = unchunks ? data_size((enum http_piece)kind, piece.size) : piece.size;
    if (size > 0) {
        memcpy(out, piece.data, size);
    }
    return size;
}
