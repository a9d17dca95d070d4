/* SPDX-License-Identifier: MIT */
/*
 * What was understood, written as it should have been.
 *
 * The framers take some forms that are wrong and can mean one thing only. None of them goes on, since whoever
 * comes next may not take it, or take it for another thing: a head is first written in the strict
 * form, by the same reading by which it was framed, and then edited like any other.
 *
 *   - lines that end in LF alone end in CR LF;
 *   - folded lines are joined with a space, and white space in front of a colon goes;
 *   - a length stands there once, or not at all beside a coding;
 *   - codings have commas between them and nothing else, and chunked is there once;
 *   - behind the size of a chunk are extensions or nothing.
 *
 * Nothing becomes longer but lines that end in LF alone, by a byte each; http.c counts them.
 */
#include <assert.h>
#include <string.h>

#include "protocol/http.h"

struct mender {
    struct http_writer writer;
    bool is_coded;    /* there is Transfer-Encoding */
    bool has_length;  /* Content-Length is written */
    bool has_chunked; /* so is chunked */
};

/* Where the part of a line begins that is its value: behind the colon. */
static size_t value_start(struct span line, struct span name)
{
    size_t at = name.size;
    while (line.data[at] != ':') { /* the framer has seen it */
        at++;
    }
    return at + 1;
}

static struct span name_of(struct span line)
{
    size_t size = 0;
    while (size < line.size && http_is_token_byte(line.data[size])) {
        size++;
    }
    return http_part(line, 0, size);
}

/* Writes a value with a space in place of each line end and the white space behind it. */
static void write_joined(struct http_writer *writer, struct span value)
{
    size_t run = 0;
    for (size_t at = 0; at < value.size; at++) {
        if (value.data[at] != '\r' && value.data[at] != '\n') {
            continue;
        }
        http_write(writer, http_part(value, run, at));
        http_write_text(writer, " ");
        while (at + 1 < value.size && http_is_white(value.data[at + 1])) {
            at++;
        }
        run = at + 1;
    }
    http_write(writer, http_part(value, run, value.size));
}

/* The name and the colon, with a space if there was one. */
static void begin_field(struct http_writer *writer, struct span name, struct span value)
{
    http_write(writer, name);
    http_write_text(writer, value.size > 0 && http_is_white(value.data[0]) ? ": " : ":");
}

static void write_length(struct mender *mender, struct span name, struct span value)
{
    if (mender->is_coded || mender->has_length) {
        return;
    }
    mender->has_length = true;
    begin_field(&mender->writer, name, value);
    struct span length;
    (void)http_list_next(&value, &length); /* all are the same */
    http_write(&mender->writer, length);
    http_write_text(&mender->writer, "\r\n");
}

static void write_codings(struct mender *mender, struct span name, struct span value)
{
    struct http_writer *writer = &mender->writer;
    size_t before = writer->size;
    begin_field(writer, name, value);
    size_t empty = writer->size;
    struct span coding;
    while (http_list_next(&value, &coding)) {
        bool is_chunked = http_is(coding, "chunked");
        if (is_chunked && mender->has_chunked) {
            continue;
        }
        mender->has_chunked = mender->has_chunked || is_chunked;
        http_write_text(writer, writer->size == empty ? "" : ",");
        write_joined(writer, coding);
    }
    if (writer->size == empty) {
        writer->size = before;
    } else {
        http_write_text(writer, "\r\n");
    }
}

static void write_field(struct mender *mender, struct span line)
{
    struct span name = name_of(line);
    struct span value = span_from(line, value_start(line, name));
    enum http_field field = http_field_find(name);
    if (field == HTTP_FIELD_CONTENT_LENGTH) {
        write_length(mender, name, value);
    } else if (field == HTTP_FIELD_TRANSFER_ENCODING) {
        write_codings(mender, name, value);
    } else {
        http_write(&mender->writer, name);
        http_write_text(&mender->writer, ":");
        write_joined(&mender->writer, value);
        http_write_text(&mender->writer, "\r\n");
    }
}

static bool has_coding(struct span fields)
{
    struct span line;
    while (http_logical_line_next(&fields, &line)) {
        if (http_field_find(name_of(line)) == HTTP_FIELD_TRANSFER_ENCODING) {
            return true;
        }
    }
    return false;
}

size_t http_mend_fields(struct span fields, uint8_t *out)
{
    struct mender mender = {.is_coded = has_coding(fields)};
    mender.writer.out = out;
    struct span line;
    while (http_logical_line_next(&fields, &line)) {
        struct span text = http_line_text(line);
        if (text.size > 0) {
            write_field(&mender, text);
        }
    }
    http_write_text(&mender.writer, "\r\n"); /* the empty line */
    return mender.writer.size;
}

size_t http_mend_chunk_line(struct span line, uint8_t *out)
{
    struct http_writer writer = {0};
    writer.out = out;
    struct span text = http_line_text(line);
    size_t digits = http_hex_size(text);
    struct span extensions = http_trim(span_from(text, digits));
    http_write(&writer, http_part(text, 0, digits));
    if (http_are_extensions(extensions)) {
        http_write(&writer, extensions);
    }
    http_write_text(&writer, "\r\n");
    return writer.size;
}
