/* SPDX-License-Identifier: MIT */
/*
 * What a link sends of a request: its first piece as the protocol edits it, and what follows as it is,
 * unless some of that is in a form that does not go on.
 */
#include <assert.h>
#include <string.h>

#include "mux/internal.h"

/* Appends pieces behind a request's first to what the link sends, each as it goes on. The request was framed
 * before, so that it is framed again without an error. */
static size_t write_later(const struct mux *mux, const struct exchange *exchange, struct span bytes,
                          uint8_t *out)
{
    const struct protocol *protocol = mux->options.protocol;
    const struct protocol_settings *settings = &mux->options.settings;
    struct framer framer = {0};
    size_t size = 0;
    for (size_t at = 0; at < bytes.size;) {
        struct frame frame = {0};
        struct request request = exchange->request;
        struct span rest = span_from(bytes, at);
        enum frame_status status =
            protocol->frame_request(settings, &framer, rest, &frame, &request);
        assert(status == FRAME_PIECE);
        if (at > 0) {
            size += protocol->edit(settings, TO_TARGET, &exchange->request, exchange->id,
                                   frame.kind, span_of(rest.data, frame.size), out + size);
        }
        at += frame.size;
    }
    return size;
}

bool write_request(struct mux *mux, struct exchange *exchange, struct link *link, struct span bytes)
{
    const struct protocol *protocol = mux->options.protocol;
    if (protocol->edit == NULL) {
        return buf_append(&mux->link_bufs, &link->out, bytes);
    }
    uint8_t *space = buf_reserve(&mux->link_bufs, &link->out, bytes.size + EDIT_GROWTH_MAX);
    if (space == NULL) {
        return false;
    }
    struct span head = span_of(bytes.data, exchange->head_size);
    size_t size = protocol->edit(&mux->options.settings, TO_TARGET, &exchange->request,
                                 exchange->id, 0, head, space);
    assert(size > 0);
    assert(size <= head.size + EDIT_GROWTH_MAX);
    if (exchange->mends) {
        size += write_later(mux, exchange, bytes, space + size);
    } else {
        memcpy(space + size, bytes.data + head.size, bytes.size - head.size);
        size += bytes.size - head.size;
    }
    buf_commit(&link->out, size);
    return true;
}

size_t write_piece(struct mux *mux, const struct exchange *exchange, const struct frame *frame,
                   struct span piece)
{
    struct buf *out = &exchange->link->out;
    if (!frame->mends) {
        return buf_append(&mux->link_bufs, out, piece) ? piece.size : 0;
    }
    uint8_t *space = buf_reserve(&mux->link_bufs, out, piece.size);
    if (space == NULL) {
        return 0;
    }
    size_t size = mux->options.protocol->edit(&mux->options.settings, TO_TARGET, &exchange->request,
                                              exchange->id, frame->kind, piece, space);
    assert(size > 0 && size <= piece.size);
    buf_commit(out, size);
    return size;
}
