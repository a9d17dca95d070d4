/* SPDX-License-Identifier: MIT */
/* The core played by hand: two protocols of lines, and an engine that grants wishes; see mux_play.h. */
#include "mux_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS_MAX = 10000, DIGITS = 4, ID_MAX = 0xFFF };

struct play play;

static uint8_t scratch[MUX_SCRATCH_BYTES];

/* ---- the protocols ---- */

static size_t line_size(struct span bytes)
{
    const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
    return end == NULL ? 0 : (size_t)(end - bytes.data) + 1;
}

static bool is_last(struct span line)
{
    return line.size == 2 && line.data[0] == '.';
}

/* A line; one that begins with `streams` is followed by others. */
static enum frame_status frame_line(struct framer *framer, struct span bytes, char streams,
                                    struct frame *frame)
{
    *frame = (struct frame){.size = line_size(bytes)};
    if (frame->size == 0) {
        return FRAME_PARTIAL;
    }
    if (framer->state == 0) {
        frame->ends = bytes.data[0] != (uint8_t)streams;
    } else {
        frame->ends = is_last(span_of(bytes.data, frame->size));
    }
    framer->state = !frame->ends;
    return FRAME_PIECE;
}

static struct request request_of(struct span line)
{
    char letter = (char)line.data[0];
    bool has_effect = letter == 'w' || letter == 'p' || letter == 's';
    return (struct request){.expects_response = true,
                            .resendable = !has_effect,
                            .eager = letter == 's',
                            .alone = letter == 'p',
                            .kind = (uint8_t)letter};
}

static enum frame_status request_by_order(const struct protocol_settings *settings,
                                          struct framer *framer, struct span bytes,
                                          struct frame *frame, struct request *request)
{
    (void)settings;
    bool begins = framer->state == 0;
    enum frame_status status = frame_line(framer, bytes, 's', frame);
    if (status == FRAME_PIECE && begins) {
        *request = request_of(span_of(bytes.data, frame->size));
    }
    return status;
}

static enum frame_status response_by_order(const struct protocol_settings *settings,
                                           struct framer *framer, const struct request *request,
                                           struct span bytes, struct frame *frame)
{
    (void)settings;
    (void)request;
    bool begins = framer->state == 0;
    enum frame_status status = frame_line(framer, bytes, 'S', frame);
    if (begins && status == FRAME_PIECE && bytes.data[0] == 'X') {
        return FRAME_WRONG;
    }
    frame->closes = status == FRAME_PIECE && frame->ends && bytes.data[0] == 'C';
    return status;
}

static uint32_t id_of(struct span line)
{
    char digits[DIGITS + 1] = {0};
    assert_true(line.size > 1 + DIGITS);
    memcpy(digits, line.data + 1, DIGITS);
    return (uint32_t)strtoul(digits, NULL, 16);
}

static enum frame_status request_by_id(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    (void)settings;
    enum frame_status status = frame_line(framer, bytes, '\0', frame);
    if (status == FRAME_PIECE) {
        *request = request_of(bytes);
        request->id = id_of(bytes);
        request->shareable = request->kind == 'r';
        for (size_t index = 1 + DIGITS; request->shareable && index < frame->size; index++) {
            request->key = request->key << 8 | bytes.data[index];
        }
    }
    return status;
}

static enum frame_status response_by_id(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    (void)settings;
    assert_null(request);
    enum frame_status status = frame_line(framer, bytes, '\0', frame);
    frame->id = status == FRAME_PIECE ? id_of(bytes) : 0;
    return status == FRAME_PIECE && bytes.data[0] == 'X' ? FRAME_WRONG : status;
}

static enum match match(const struct protocol_settings *settings, const struct request *request,
                        struct span piece)
{
    (void)settings;
    return piece.data[0] == request->kind ? MATCH_ANSWER : MATCH_NONE;
}

static size_t edit(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out)
{
    (void)settings;
    (void)kind;
    char digits[DIGITS + 1];
    (void)snprintf(digits, sizeof digits, "%04x",
                   (direction == TO_TARGET ? id : request->id) & 0xFFFFU);
    memcpy(out, piece.data, piece.size);
    memcpy(out + 1, digits, DIGITS);
    return piece.size;
}

static struct reply error_reply(const struct protocol_settings *settings, enum trouble trouble,
                                uint16_t code, const struct request *request, uint8_t *out)
{
    (void)settings;
    (void)code;
    (void)request;
    char letter = trouble == TROUBLE_UNREACHABLE  ? 'u'
                  : trouble == TROUBLE_TIMEOUT    ? 't'
                  : trouble == TROUBLE_BROKEN     ? 'b'
                  : trouble == TROUBLE_OVERLOADED ? 'o'
                                                  : '?';
    memcpy(out, "!x\n", 3);
    out[1] = (uint8_t)letter;
    return (struct reply){.size = 3};
}

const struct protocol play_by_order = {
    .name = "lines",
    .sentence = "lines, answered in order",
    .matching = MATCH_BY_ORDER,
    .frame_request = request_by_order,
    .frame_response = response_by_order,
    .error_reply = error_reply,
};

const struct protocol play_by_id = {
    .name = "numbered",
    .sentence = "lines with identifiers",
    .matching = MATCH_BY_ID,
    .id_max = ID_MAX,
    .frame_request = request_by_id,
    .frame_response = response_by_id,
    .match = match,
    .edit = edit,
    .error_reply = error_reply,
};

/* ---- the engine ---- */

static struct peer *find(struct peer *peers, size_t count, mux_id id)
{
    for (size_t index = 0; index < count; index++) {
        if (peers[index].id == id) {
            return &peers[index];
        }
    }
    return NULL;
}

static struct peer *peer_of(mux_id id)
{
    return mux_id_is_link(id) ? find(play.links, play.links_count, id)
                              : find(play.clients, play.clients_count, id);
}

static void flush(struct peer *peer)
{
    struct span view = mux_send_view(play.mux, peer->id);
    while (!peer->blocked && view.size > 0) {
        assert_true(peer->got_size + view.size < PLAY_KEPT_MAX);
        memcpy(peer->got + peer->got_size, view.data, view.size);
        peer->got_size += view.size;
        mux_sent(play.mux, peer->id, view.size);
        mux_check(play.mux);
        view = mux_send_view(play.mux, peer->id);
    }
}

static void connect_link(mux_id id)
{
    play.attempts++;
    if (play.refuses) {
        mux_failed(play.mux, id, IO_REFUSED);
        return;
    }
    assert_true(play.links_count < PLAY_LINKS_MAX);
    play.links[play.links_count++] = (struct peer){.id = id};
    mux_connected(play.mux, id, NULL);
}

/* Of a connection that is not there yet, or was there and is known. */
static void grant_peer(struct peer *peer, unsigned wants)
{
    peer->wants = wants;
    if ((wants & MUX_CLOSE) != 0) {
        peer->closed = true;
        mux_closed(play.mux, peer->id);
        return;
    }
    if ((wants & MUX_PROBE) != 0) {
        mux_probed(play.mux, peer->id);
    }
    if ((wants & MUX_WRITE) != 0) {
        flush(peer);
    }
    if ((wants & MUX_END) != 0) {
        peer->ended = true;
        if (mux_id_is_link(peer->id) && !play.sleeps) {
            mux_ended(play.mux, peer->id);
        }
    }
}

static void grant(mux_id id)
{
    unsigned wants = mux_wants(play.mux, id);
    struct peer *peer = peer_of(id);
    if (peer != NULL) {
        grant_peer(peer, wants);
    } else if ((wants & MUX_CLOSE) != 0) {
        mux_closed(play.mux, id);
    } else if ((wants & MUX_RESOLVE) != 0) {
        mux_resolved(play.mux, id, 1);
    } else if ((wants & MUX_CONNECT) != 0) {
        connect_link(id);
    }
    mux_check(play.mux);
}

static void settle(void)
{
    unsigned rounds = 0;
    mux_check(play.mux);
    for (mux_id id = mux_next_changed(play.mux); id != MUX_ID_NONE;
         id = mux_next_changed(play.mux)) {
        if (++rounds > ROUNDS_MAX) {
            fail_msg("the core wants without end");
        }
        grant(id);
    }
    mux_check(play.mux);
}

/* ---- what a test does ---- */

struct mux_options play_options(const struct protocol *protocol)
{
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = protocol;
    options.clients_max = PLAY_CLIENTS_MAX;
    options.on_demand = true;
    options.check_gap_ns = 0;
    return options;
}

void play_open(const struct mux_options *options)
{
    play = (struct play){.now_ns = SECONDS(1000)};
    play.mux = mux_create(options, NULL, scratch, play.now_ns);
    assert_non_null(play.mux);
    settle();
}

int play_close(void **state)
{
    (void)state;
    if (play.mux != NULL) {
        mux_destroy(&play.mux);
    }
    return 0;
}

struct peer *play_client(void)
{
    assert_true(play.clients_count < PLAY_CLIENTS_MAX);
    struct peer *client = &play.clients[play.clients_count++];
    *client = (struct peer){.id = mux_accepted(play.mux, NULL)};
    assert_int_not_equal(client->id, MUX_ID_NONE);
    settle();
    return client;
}

struct peer *play_link(size_t number)
{
    assert_in_range(number, 1, play.links_count);
    return &play.links[number - 1];
}

void play_say(struct peer *peer, const char *text)
{
    size_t space;
    size_t size = strlen(text);
    assert_true((peer->wants & mux_wants(play.mux, peer->id) & MUX_READ) != 0);
    memcpy(mux_recv_space(play.mux, peer->id, &space), text, size);
    assert_true(size <= space);
    mux_received(play.mux, peer->id, size);
    settle();
}

void play_end(struct peer *peer)
{
    mux_ended(play.mux, peer->id);
    settle();
}

void play_reset(struct peer *peer)
{
    mux_failed(play.mux, peer->id, IO_RESET);
    settle();
}

void play_unblock(struct peer *peer)
{
    peer->blocked = false;
    flush(peer);
    settle();
}

void play_time(uint64_t ns)
{
    uint64_t until = play.now_ns + ns;
    unsigned rounds = 0;
    for (uint64_t at = mux_deadline(play.mux); at <= until; at = mux_deadline(play.mux)) {
        if (++rounds > ROUNDS_MAX) {
            fail_msg("the core is always late");
        }
        play.now_ns = at > play.now_ns ? at : play.now_ns;
        mux_time(play.mux, play.now_ns);
        settle();
    }
    play.now_ns = until;
    mux_time(play.mux, until);
    settle();
}

void play_jump(uint64_t ns)
{
    play.now_ns += ns;
    mux_time(play.mux, play.now_ns);
    settle();
}

void play_late(uint64_t ns, uint64_t due_ns)
{
    uint64_t from_ns = play.now_ns;
    play.now_ns += ns;
    mux_clock(play.mux, play.now_ns);
    mux_time(play.mux, from_ns + due_ns);
    settle();
}

void play_stall(uint64_t ns)
{
    mux_stalled(play.mux, ns);
    mux_time(play.mux, play.now_ns);
    settle();
}

void play_take(struct peer *link, size_t size)
{
    mux_sent(play.mux, link->id, size);
    settle();
}

void play_got(struct peer *peer, const char *text)
{
    peer->got[peer->got_size] = '\0';
    peer->got_size = 0;
    assert_string_equal(peer->got, text);
}
