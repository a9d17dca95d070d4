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
 *   - Host, which an HTTP/1.0 request may lack, and which is the URI's if the target is a whole one (RFC 9112
 *     section 3.2.2);
 *   - towards the client, Connection: close or keep-alive, for its own connection;
 *   - towards the target, Connection: close with a request that ends the link;
 *   - in 401 and 407 responses, challenges that bind a login to a connection;
 *   - for HTTP/1.0 clients, Transfer-Encoding and Trailer, and with them the lines between chunks;
 *   - for others a body that the target's end-of-stream ends is put into chunks, so that its end can be told
 *     from a break, and their connection lasts.
 *
 * The framers have accepted what is edited here, so that its form is not in question any more: what came in
 * a lenient form is first written in the strict one (http_mend.c).
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/http.h"

/* ---- writing ---- */

/* ---- what is left out ---- */

struct pass {
    bool loses;           /* there is a field that may not go on as it is */
    bool has_options;     /* Connection names fields ... */
    struct span named_by; /* ... in these lines */
    bool unchunks;        /* the body is sent without its chunks */
    bool drops_host;
    bool filters_challenges;
};

/* Whether a field goes on. `names`: what Connection names; NULL: nothing. */
static bool passes(const struct http_names *names, struct span name, enum http_field field,
                   const struct pass *pass)
{
    bool is_named = names != NULL && http_names_have(names, name);
    switch ((int)field) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_KEEP_ALIVE:
    case HTTP_FIELD_PROXY_CONNECTION:
    case HTTP_FIELD_TE:
    case HTTP_FIELD_UPGRADE:
        return false;
    case HTTP_FIELD_TRANSFER_ENCODING:
        return !pass->unchunks;
    case HTTP_FIELD_HOST:
        return !pass->drops_host;
    case HTTP_FIELD_CONTENT_LENGTH:
        return true;
    case HTTP_FIELD_TRAILER:
        return !pass->unchunks && !is_named;
    default:
        return !is_named;
    }
}

/* Writes those fields that go on, in runs of lines, from the line behind the first to the empty one, which
 * is not. */
static void filter(struct http_writer *writer, struct span fields, const struct http_names *names,
                   const struct pass *pass)
{
    struct span rest = fields, line, name;
    size_t run = 0, at = 0; /* what goes on from `run` to `at` is not written yet */
    for (; http_line_next(&rest, &line) && http_field_name(line, &name); at += line.size) {
        enum http_field field = http_field_find(name);
        bool is_challenge =
            field == HTTP_FIELD_WWW_AUTHENTICATE || field == HTTP_FIELD_PROXY_AUTHENTICATE;
        bool is_filtered = is_challenge && pass->filters_challenges;
        bool goes_on = passes(names, name, field, pass);
        if (goes_on && !is_filtered) {
            continue;
        }
        http_write(writer, http_part(fields, run, at));
        run = at + line.size;
        if (goes_on) {
            http_challenges_write(writer, line);
        }
    }
    http_write(writer, http_part(fields, run, at));
}

/* The same for more names than are read at once: each part takes its fields off what is written already. */
static void filter_by_names(struct http_writer *writer, struct span fields, const struct pass *pass)
{
    struct http_names names;
    size_t start = writer->size;
    http_names_begin(&names, pass->named_by);
    (void)http_names_read(&names);
    filter(writer, fields, &names, pass);
    while (http_names_read(&names)) {
        struct span written = span_of(writer->out + start, writer->size - start);
        writer->size = start;
        filter(writer, written, &names, &(struct pass){.unchunks = pass->unchunks});
    }
}

static void filter_fields(struct http_writer *writer, struct span fields, const struct pass *pass)
{
    if (pass->has_options) {
        filter_by_names(writer, fields, pass);
    } else {
        filter(writer, fields, NULL, pass);
    }
}

static void write_fields(struct http_writer *writer, struct span fields, struct pass pass)
{
    if (pass.loses || pass.has_options || pass.unchunks || pass.drops_host) {
        filter_fields(writer, fields, &pass);
    } else {
        http_write(writer, http_part(fields, 0, fields.size - 2)); /* without the empty line */
    }
}

/* The fields of a head as they should have been. They stand at the end of the space that there is for the
 * edited head, which is written from its beginning and does not reach them before they are read: fields only
 * become fewer, and what is added in front of them is smaller than what is left between. */
static struct span mend(const struct http_writer *writer, struct span head, struct span fields)
{
    static_assert(HTTP_LF_LINES_MAX + HTTP_AUTHORITY_BYTES_MAX + 512 <= EDIT_GROWTH_MAX,
                  "there is room for line ends, Host, and what is added behind the fields");
    uint8_t *out = writer->out + writer->size;
    size_t size = http_mend_fields(fields, out);
    uint8_t *end = writer->out + head.size + EDIT_GROWTH_MAX;
    assert(size <= (size_t)(end - out));
    memmove(end - size, out, size);
    return span_of(end - size, size);
}

static void write_via(struct http_writer *writer, bool is_10)
{
    http_write_text(writer,
                    is_10 ? "Via: 1.0 tcp-multiplexer\r\n" : "Via: 1.1 tcp-multiplexer\r\n");
}

/* ---- requests ---- */

/* HTTP/1.1 demands it, and has it from the URI if that is whole (RFC 9112 sections 3.2 and 3.2.2). */
static void write_host(struct http_writer *writer, const struct protocol_settings *settings,
                       struct span request_line)
{
    const uint8_t *space = memchr(request_line.data, ' ', request_line.size);
    size_t start = (size_t)(space - request_line.data) + 1;
    struct span target = span_from(request_line, start);
    target = http_part(target, 0, target.size - (sizeof " HTTP/1.0" - 1));
    struct span authority;
    http_write_text(writer, "Host: ");
    if (http_target_authority(target, &authority)) {
        http_write(writer, http_authority_host(authority));
    } else {
        http_write_text(writer, settings->target == NULL ? "localhost" : settings->target);
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
    struct span rest = piece, line;
    bool has_line = http_line_next(&rest, &line);
    assert(has_line);
    line = http_line_text(line);
    http_write(&writer, http_part(line, 0, line.size - (sizeof "HTTP/1.0" - 1)));
    http_write_text(&writer, "HTTP/1.1\r\n");
    if ((request->key & HTTP_KEY_WRITES_HOST) != 0) {
        write_host(&writer, settings, line);
    }
    if ((request->key & HTTP_KEY_MENDS) != 0) {
        rest = mend(&writer, piece, rest);
    }
    write_fields(&writer, rest,
                 (struct pass){.loses = (request->key & HTTP_KEY_LOSES) != 0,
                               .has_options = (request->key & HTTP_KEY_OPTIONS) != 0,
                               .named_by = piece,
                               .drops_host = (request->key & HTTP_KEY_DROPS_HOST) != 0});
    if (settings->via) {
        write_via(&writer, (request->key & HTTP_KEY_CLIENT_10) != 0);
    }
    if (settings->forwarded) {
        write_forwarded(&writer, request->origin);
    }
    if (request->ends_link) { /* then a target that does so does not read on */
        http_write_text(&writer, "Connection: close\r\n");
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

/* `HTTP/1.x 401 ` or `HTTP/1.x 407 ` */
static bool asks_for_login(struct span status_line)
{
    const char *status = (const char *)status_line.data + sizeof "HTTP/1.1";
    return memcmp(status, "401", 3) == 0 || memcmp(status, "407", 3) == 0;
}

static size_t edit_response(const struct protocol_settings *settings, const struct request *request,
                            unsigned kind, struct span piece, uint8_t *out)
{
    bool is_for_10 = (request->key & HTTP_KEY_CLIENT_10) != 0;
    struct http_writer writer = {0};
    writer.out = out;
    bool is_interim = (kind & HTTP_PIECE_INTERIM) != 0;
    if (is_interim && is_for_10) {
        return 0;
    }
    struct span rest = piece, line;
    bool has_line = http_line_next(&rest, &line);
    assert(has_line);
    http_write_text(&writer, "HTTP/1.1");
    line = http_line_text(line);
    http_write(&writer, span_from(line, sizeof "HTTP/1.1" - 1));
    http_write_text(&writer, "\r\n");
    if ((kind & HTTP_PIECE_BITS) == HTTP_PIECE_MENDED_HEAD) {
        rest = mend(&writer, piece, rest);
    }
    write_fields(&writer, rest,
                 (struct pass){.loses = (kind & HTTP_PIECE_LOSES) != 0,
                               .has_options = (kind & HTTP_PIECE_OPTIONS) != 0,
                               .named_by = piece,
                               .unchunks = is_for_10,
                               .filters_challenges = asks_for_login(line)});
    if (settings->via) {
        write_via(&writer, line.data[sizeof "HTTP/1." - 1] == '0');
    }
    if ((kind & HTTP_PIECE_CHUNKS) != 0) {
        http_write_text(&writer, "Transfer-Encoding: chunked\r\n");
    }
    if (!is_interim) {
        bool closes_client = (kind & HTTP_PIECE_CLOSES_CLIENT) != 0;
        http_write_text(&writer, connection_of(request, closes_client));
    }
    http_write_text(&writer, "\r\n");
    return writer.size;
}

/* ---- pieces ---- */

static size_t write_chunk(struct span piece, uint8_t *out)
{
    char line[32];
    int size = snprintf(line, sizeof line, "%zx\r\n", piece.size);
    assert(size > 0 && (size_t)size < sizeof line);
    struct http_writer writer = {0};
    writer.out = out;
    http_write(&writer, span_of(line, (size_t)size));
    http_write(&writer, piece);
    http_write_text(&writer, "\r\n");
    return writer.size;
}

size_t http_finish(const struct request *request, uint8_t *out)
{
    static const char last[] = "0\r\n\r\n";
    (void)request;
    memcpy(out, last, sizeof last - 1);
    return sizeof last - 1;
}

/* How much of a piece behind the head is left when chunks are taken off. */
static size_t data_size(enum http_piece kind, size_t size)
{
    switch (kind) {
    case HTTP_PIECE_HEAD:
    case HTTP_PIECE_BODY:
    case HTTP_PIECE_CHUNK:
    case HTTP_PIECE_MENDED_HEAD:
        return size;
    case HTTP_PIECE_CHUNK_END:
        return size - 2;
    case HTTP_PIECE_CHUNK_LINE:
    case HTTP_PIECE_MENDED_LINE:
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
    enum http_piece sort = (enum http_piece)(kind & HTTP_PIECE_BITS);
    if (sort == HTTP_PIECE_HEAD || sort == HTTP_PIECE_MENDED_HEAD) {
        return direction == TO_TARGET ? edit_request(settings, request, piece, out)
                                      : edit_response(settings, request, kind, piece, out);
    }
    if (sort == HTTP_PIECE_CHUNK) {
        return write_chunk(piece, out);
    }
    bool unchunks = direction == TO_CLIENT && (request->key & HTTP_KEY_CLIENT_10) != 0;
    if (sort == HTTP_PIECE_MENDED_LINE && !unchunks) {
        return http_mend_chunk_line(piece, out);
    }
    size_t size = unchunks ? data_size(sort, piece.size) : piece.size;
    if (size > 0) {
        memcpy(out, piece.data, size);
    }
    return size;
}
