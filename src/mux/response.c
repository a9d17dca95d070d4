/* SPDX-License-Identifier: MIT */
/*
 * The target's bytes become responses.
 *
 * By order, bytes that come belong to the oldest exchange on the link whose request has begun to leave;
 * when there is none they are stray: position on the link is lost, and it is replaced. By identifier, a
 * message that nobody waits for is stray, and the link goes on. Either way a response that does not match
 * its request goes to nobody, and a message that can be no response fails its exchange alone, if its end is
 * known.
 *
 * A response is framed straight from the receive buffer and copied to its client; only a part of one
 * stays with the link.
 */
#include <assert.h>

#include "mux/internal.h"

/* Whether a vanished client's response has too much to come to be swallowed. `have` bytes of an unfinished
 * piece are there, or a piece of as many was taken. */
static bool is_orphan_too_large(const struct link *link, const struct exchange *exchange,
                                size_t have, const struct frame *frame)
{
    if (exchange->client != NULL) {
        return false;
    }
    return frame->until_end || link->swallowed + have > ORPHAN_BYTES_MAX ||
           link->framer.left > ORPHAN_BYTES_MAX ||
           (frame->size > have && frame->size - have > ORPHAN_BYTES_MAX);
}

/* The link works, and may be trusted with more. */
static void note_answer(struct mux *mux, struct link *link)
{
    quiet_answered(mux, link);
    if (!link->answered) {
        link->answered = true;
        dial_succeeded(mux, link);
    }
    if (link->trust_missing > 0 && --link->trust_missing == 0) {
        mux->is_wary = false;
    }
}

/* The response of `exchange` is whole. False: the link takes no other. */
static bool complete(struct mux *mux, struct link *link, struct exchange *exchange,
                     const struct frame *frame)
{
    struct client *client = exchange->client;
    bool early = !exchange->whole || link->written < exchange->out_end;
    bool closes_client = exchange->closes_client;
    bool told_to_close = exchange->request.closes;
    bool ends_link = exchange->request.ends_link;
    link->swallowed = 0;
    if (mux->options.protocol->match != NULL && !mux->by_id && !mux->marks_are_proven) {
        link->last = exchange->request;
        link->has_last = true;
    }
    note_answer(mux, link);
    mux->idle_holders = 0;
    mux->counters.responses += client != NULL;
    exchange_finish(mux, exchange, REASON_NONE);
    if (early) {
        if (client != NULL) {
            client_flush(mux, client, REASON_EARLY_RESPONSE);
        }
        link_replace(mux, link, REASON_EARLY_RESPONSE);
        return false;
    }
    if (client != NULL && closes_client) {
        client_flush(mux, client, REASON_CLIENT_CLOSES);
    } else if (client != NULL && told_to_close &&
               (client->state == CLIENT_OPEN || client->exchanges_count > 0)) {
        client_flush(mux, client, REASON_EARLY_RESPONSE);
    }
    if (ends_link) {
        link_replace(mux, link, REASON_REQUEST_CLOSES);
    } else if (frame->closes) {
        link_replace(mux, link, REASON_RESPONSE_CLOSES);
    }
    return link->state == LINK_UP;
}

/* The last piece, for everybody who has asked for it. */
static bool complete_for_all(struct mux *mux, struct link *link, struct exchange *exchange,
                             const struct frame *frame, struct span piece)
{
    share_response(mux, link, exchange, frame->kind, piece);
    return complete(mux, link, exchange, frame);
}

/* Whether nothing follows this exchange, since the multiplexer is stopping. */
static bool is_last(const struct mux *mux, const struct exchange *exchange)
{
    const struct client *client = exchange->client;
    return mux->draining && client != NULL && client->exchanges_count == 1 &&
           client->framed == buf_size(&client->in);
}

/* A piece of the response goes to its client, or to nobody. False: the link takes no other. */
static bool take_piece(struct mux *mux, struct link *link, struct exchange *exchange,
                       const struct frame *frame, struct span piece)
{
    if (exchange->client != NULL && !mux->any_order &&
        list_first(&exchange->client->exchanges) != &exchange->client_node) {
        answers_give(mux,
                     exchange->client); /* what it has asked before, and has failed, comes first */
    }
    response_report(mux, link, exchange, piece);
    struct client *client = exchange->client;
    if (!frame->interim) {
        if (!exchange->whole || link->written < exchange->out_end || is_last(mux, exchange)) {
            exchange->request.closes =
                true; /* so the client is told, where the protocol has words for it */
        }
        if (!exchange->delivered && !frame->ends && turns_want_any_link(mux)) {
            mux->schedule_wanted =
                true; /* nothing is sent behind it, so another link may be wanted */
        }
        exchange->delivered = true;
        exchange->until_end = frame->until_end;
        exchange->open_ended = frame->open_ended;
        exchange->closes_client = frame->closes_client;
        if (client != NULL) {
            client->until_end = frame->closes_client;
        }
    }
    if (client != NULL && !client_deliver(mux, client, &exchange->request, frame->kind, piece)) {
        client->abort = true;
        client_gone(mux, client, REASON_MEMORY);
    }
    if (link->state != LINK_UP) {
        return false; /* its client went with half a request sent, and the exchange with the link */
    }
    if (frame->ends && !frame->interim) {
        return complete_for_all(mux, link, exchange, frame, piece);
    }
    if (is_orphan_too_large(link, exchange, piece.size, frame)) {
        link_replace(mux, link, REASON_ORPHAN);
        return false;
    }
    link->swallowed += exchange->client == NULL ? piece.size : 0;
    return true;
}

/* The same, and --buffer-memory holds. */
static bool take_within_memory(struct mux *mux, struct link *link, struct exchange *exchange,
                               const struct frame *frame, struct span piece)
{
    bool takes_more = take_piece(mux, link, exchange, frame, piece);
    memory_enforce_while(mux, link);
    return takes_more && link->state == LINK_UP;
}

/* The client is told that what it was given is all. Without memory for that it goes. */
static void finish(struct mux *mux, const struct exchange *exchange)
{
    const struct protocol *protocol = mux->options.protocol;
    uint8_t bytes[REPLY_BYTES_MAX];
    assert(protocol->finish != NULL);
    size_t size = protocol->finish(&exchange->request, bytes);
    assert(size <= sizeof bytes);
    if (!client_deliver(mux, exchange->client, NULL, 0, span_of(bytes, size))) {
        client_gone(mux, exchange->client, REASON_MEMORY);
    }
}

/* Whether an exchange waits for bytes of the target. */
static bool awaits(const struct exchange *exchange)
{
    return exchange != NULL && exchange->sent_ns != TIME_NEVER &&
           exchange->request.expects_response;
}

/* Its response has begun: its request is not sent again. False: the link is no longer up. */
static bool begin_response(struct mux *mux, const struct link *link, struct exchange *exchange)
{
    if (!exchange->responding) {
        exchange->responding = true;
        share_close(mux, exchange);
        exchange_release_bytes(mux, exchange);
    }
    return link->state == LINK_UP;
}

/* Whether a first piece may be of the response to the exchange. What a target returns of a request is relied
 * on as soon as it was seen to return it. */
static bool is_match(struct mux *mux, const struct link *link, const struct exchange *exchange,
                     struct span piece)
{
    const struct protocol *protocol = mux->options.protocol;
    if (protocol->match == NULL || exchange->delivered) {
        return true;
    }
    switch (protocol->match(&mux->options.settings, &exchange->request, piece)) {
    case MATCH_NONE:
        return false;
    case MATCH_ANSWER:
        return true;
    case MATCH_WEAK:
        mux->is_blind = true;
        return true;
    case MATCH_PROOF:
        mux->marks_are_proven = true;
        return true;
    case MATCH_DOUBT:
        break;
    }
    mux->is_blind = mux->is_blind || !mux->marks_are_proven;
    if (!mux->marks_are_proven) {
        report_bytes(mux, MUX_DOUBT, link, &exchange->request, piece);
    }
    return !mux->marks_are_proven;
}

/* A message that is nobody's and harmless. */
static void drop_unasked(struct mux *mux, const struct link *link, struct span message)
{
    mux->counters.unasked++;
    report_bytes(mux, MUX_UNASKED, link, NULL, message);
}

/* The answer to what was answered last, by something else, shows that the target does return its marks. */
static void learn_from(struct mux *mux, const struct link *link, struct span message)
{
    const struct protocol *protocol = mux->options.protocol;
    if (link->has_last && !mux->marks_are_proven &&
        protocol->match(&mux->options.settings, &link->last, message) == MATCH_PROOF) {
        mux->marks_are_proven = true;
    }
}

/* Bytes that come while nobody waits for any. What is harmless is dropped when it is whole; by anything else
 * position on the link is lost. Returns how many bytes it took. */
static size_t take_unasked(struct mux *mux, struct link *link, struct span bytes)
{
    const struct protocol *protocol = mux->options.protocol;
    struct frame frame = {0};
    enum frame_status status = FRAME_INVALID;
    if (protocol->is_harmless != NULL &&
        protocol->is_harmless(&mux->options.settings, NULL, span_of(NULL, 0))) {
        status =
            protocol->frame_response(&mux->options.settings, &link->framer, NULL, bytes, &frame);
    }
    struct span message = span_of(bytes.data, frame.size);
    if (status == FRAME_SKIP) {
        return frame.size;
    }
    if (status == FRAME_PARTIAL && link->exchanges_count == 0) {
        return 0; /* it will be whole before a request takes the link, or cost the link */
    }
    if (status == FRAME_PIECE && protocol->is_harmless(&mux->options.settings, NULL, message)) {
        drop_unasked(mux, link, message);
        return frame.size;
    }
    if (status == FRAME_PIECE) {
        learn_from(mux, link, message);
    }
    link_count_stray(mux, link, NULL, bytes);
    link_replace(mux, link, REASON_TARGET_STRAY);
    return 0;
}

static bool is_harmless(const struct mux *mux, const struct exchange *exchange, struct span piece)
{
    const struct protocol *protocol = mux->options.protocol;
    return protocol->is_harmless != NULL &&
           protocol->is_harmless(&mux->options.settings, &exchange->request, piece);
}

/* The target has ended the link for its own reasons, and has not looked at the request. */
static bool is_declined(const struct link *link, const struct exchange *exchange,
                        const struct frame *frame)
{
    return frame->declines && exchange->request.resendable && !exchange->responding &&
           link->answered && !exchange->resent;
}

/* A whole message that can be no response, in the place of that to the exchange. It alone pays for it, and
 * is not sent again, since it was answered. False: the link takes no other. */
static bool take_wrong(struct mux *mux, struct link *link, struct exchange *exchange,
                       struct span message)
{
    link_count_stray(mux, link, &exchange->request, message);
    if (!exchange->whole || link->written < exchange->out_end) {
        link_replace(mux, link, REASON_TARGET_MALFORMED); /* half of the request is on it */
        return false;
    }
    link->swallowed = 0;
    quiet_unasked(&link->quiet); /* by order it may have been nobody's */
    exchange_fail_joiners(mux, exchange, REASON_TARGET_MALFORMED);
    exchange_fail(mux, exchange, REASON_TARGET_MALFORMED);
    return link->state == LINK_UP;
}

static void refuse_response(struct mux *mux, struct link *link, enum frame_status status)
{
    link_replace(mux, link,
                 status == FRAME_INVALID ? REASON_TARGET_MALFORMED : REASON_TARGET_TOO_LARGE);
}

/* Cuts the next piece off `bytes`. Returns how many bytes it took; 0: the rest waits, or the link
 * has ended. */
static size_t take_next(struct mux *mux, struct link *link, struct span bytes)
{
    const struct mux_options *options = &mux->options;
    struct exchange *exchange = exchange_first(&link->exchanges);
    if (!awaits(exchange)) {
        return take_unasked(mux, link, bytes);
    }
    struct frame frame = {0};
    enum frame_status status = options->protocol->frame_response(&options->settings, &link->framer,
                                                                 &exchange->request, bytes, &frame);
    struct span piece = span_of(bytes.data, frame.size);
    if (status == FRAME_PIECE && is_declined(link, exchange, &frame)) {
        link_replace(mux, link, REASON_TARGET_ENDED);
        return 0;
    }
    if (status != FRAME_SKIP && !frame.unbegun && !begin_response(mux, link, exchange)) {
        return 0;
    }
    switch (status) {
    case FRAME_SKIP:
        return frame.size;
    case FRAME_PIECE:
        assert(frame.size <= bytes.size);
        if (is_harmless(mux, exchange, piece)) {
            drop_unasked(mux, link, piece);
            return frame.size;
        }
        if (!is_match(mux, link, exchange, piece)) {
            link_count_stray(mux, link, &exchange->request, piece);
            quiet_unasked(&link->quiet);
            return frame.size;
        }
        return take_within_memory(mux, link, exchange, &frame, piece) ? frame.size : 0;
    case FRAME_WRONG:
        assert(frame.size <= bytes.size);
        return take_wrong(mux, link, exchange, piece) ? frame.size : 0;
    case FRAME_PARTIAL:
        if (is_orphan_too_large(link, exchange, bytes.size, &frame)) {
            link_replace(mux, link, REASON_ORPHAN);
        }
        return 0;
    case FRAME_INVALID:
    case FRAME_TOO_LARGE:
        exchange->code = frame.code;
        refuse_response(mux, link, status);
        return 0;
    }
    return 0;
}

/* A whole message for whoever has its identifier. False: the link takes no other. */
static bool take_identified(struct mux *mux, struct link *link, const struct frame *frame,
                            bool is_wrong, struct span piece)
{
    struct exchange *exchange = ids_find(&link->ids, frame->id);
    if (!awaits(exchange)) {
        link_count_stray(mux, link, NULL, piece);
        return true;
    }
    if (is_wrong) {
        return begin_response(mux, link, exchange) && take_wrong(mux, link, exchange, piece);
    }
    if (!is_match(mux, link, exchange, piece)) {
        link_count_stray(mux, link, &exchange->request, piece);
        return true;
    }
    return begin_response(mux, link, exchange) &&
           take_within_memory(mux, link, exchange, frame, piece);
}

/* As take_next, where responses are found by identifier. */
static size_t take_next_by_id(struct mux *mux, struct link *link, struct span bytes)
{
    const struct mux_options *options = &mux->options;
    struct frame frame = {0};
    enum frame_status status =
        options->protocol->frame_response(&options->settings, &link->framer, NULL, bytes, &frame);
    struct span piece = span_of(bytes.data, frame.size);
    switch (status) {
    case FRAME_PIECE:
    case FRAME_WRONG:
        assert(frame.size <= bytes.size);
        assert(frame.ends || status == FRAME_WRONG);
        return take_identified(mux, link, &frame, status == FRAME_WRONG, piece) ? frame.size : 0;
    case FRAME_SKIP:
        return frame.size;
    case FRAME_PARTIAL:
        return 0;
    case FRAME_INVALID:
    case FRAME_TOO_LARGE:
        refuse_response(mux, link, status);
        return 0;
    }
    return 0;
}

/* Takes what is whole; returns how many bytes that was. */
static size_t take_responses(struct mux *mux, struct link *link, struct span bytes)
{
    size_t taken = 0;
    while (taken < bytes.size && link_is_usable(link)) {
        struct span rest = span_from(bytes, taken);
        size_t size = mux->by_id ? take_next_by_id(mux, link, rest) : take_next(mux, link, rest);
        if (size == 0) {
            break;
        }
        taken += size;
    }
    return taken;
}

/* What comes before the first request of a link answers nothing. */
static void drop_greeting(struct mux *mux, struct link *link, struct span bytes)
{
    mux->counters.greetings += link->quiet.greeted_ns == 0;
    quiet_greeted(mux, &link->quiet);
    report_bytes(mux, MUX_GREETING, link, NULL, bytes);
    link_mark(mux, link);
}

/* Cuts responses out of what has come, and keeps what is left. */
static void take_bytes(struct mux *mux, struct link *link, struct span bytes)
{
    bool is_kept = !buf_is_empty(&link->in);
    if (is_kept && !buf_append(&mux->link_bufs, &link->in, bytes)) {
        link_replace(mux, link, REASON_MEMORY);
        return;
    }
    link->is_read = true;
    size_t taken = take_responses(mux, link, is_kept ? buf_view(&link->in) : bytes);
    link->is_read = false;
    if (!link_is_usable(link)) {
        buf_clear(&mux->link_bufs, &link->in);
    } else if (is_kept) {
        buf_consume(&mux->link_bufs, &link->in, taken);
    } else if (!buf_append(&mux->link_bufs, &link->in, span_from(bytes, taken))) {
        link_replace(mux, link, REASON_MEMORY);
    }
}

void link_received(struct mux *mux, struct link *link, struct span bytes)
{
    mux->counters.link_bytes_in += bytes.size;
    link->last_io_ns = mux->now_ns;
    link->timeouts = 0;
    link->heard = link->heard || link->written > 0;
    if (!link_is_usable(link)) {
        link_swallowed(mux, link, bytes.size);
        return;
    }
    if (!link->quiet.is_asked) {
        drop_greeting(mux, link, bytes);
        return;
    }
    take_bytes(mux, link, bytes);
    struct exchange *only = link->exchanges_count == 1 ? exchange_first(&link->exchanges) : NULL;
    if (mux->by_id && awaits(only) && !buf_is_empty(&link->in)) {
        (void)begin_response(mux, link, only); /* what has come of a message can be no other's */
    }
    link_mark(mux, link);
}

/* A response that goes on until the target has finished is complete. */
static void complete_by_end(struct mux *mux, struct link *link)
{
    struct exchange *exchange = exchange_first(&link->exchanges);
    if (exchange == NULL || !exchange->until_end) {
        return;
    }
    if (exchange->client != NULL && !exchange->closes_client) {
        finish(mux, exchange);
    }
    (void)complete(mux, link, exchange, &(struct frame){.closes = false});
}

void link_ended(struct mux *mux, struct link *link)
{
    if (link_is_usable(link)) {
        link->has_ended = true;
        complete_by_end(mux, link);
    }
    link_over(mux, link);
}
