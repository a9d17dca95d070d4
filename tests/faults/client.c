/* SPDX-License-Identifier: MIT */
/*
 * A lock-step client: one connection, some requests one after the other, each answer compared as it
 * comes.
 *
 *     UNBORN ──(its time)──► SENDING ⇄ AWAITING ──► ENDED
 *
 * It is over when all is answered, when the multiplexer closes it, or when its fate strikes.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/units.h"
#include "faults/failure.h"
#include "faults/peers.h"
#include "faults/sys_faulty.h"

/* The deadlines of the run's options, one after the other, and pauses in which nobody is accepted.
 * The engine may also not have run while the clock leapt, so it gets some turns. */
#define PATIENCE_NS (60 * NS_PER_S)
enum { PATIENCE_TURNS = 200 };

void peer_client_init(struct client *client, uint64_t seed, unsigned number, struct book *book,
                      uint16_t misdeed_permille, bool has_small_buffers)
{
    *client = (struct client){.fd = -1, .number = number, .book = book};
    random_init(&client->random, seed);
    client->misdeed_permille = misdeed_permille;
    client->has_small_buffers = has_small_buffers;
    client->requests_count = 1 + (unsigned)random_below(&client->random, REQUESTS_MAX);
    client->born_at = faulty_now() + random_below(&client->random, 20 * NS_PER_MS);
    client->out = malloc(MESSAGE_BYTES_MAX);
    client->expected = malloc(MESSAGE_BYTES_MAX);
    if (client->out == NULL || client->expected == NULL) {
        failure("no memory");
    }
}

void peer_client_deinit(struct client *client)
{
    peer_close(&client->fd);
    free(client->out);
    free(client->expected);
    client->out = client->expected = NULL;
}

static void end(struct client *client, const char *how)
{
    failure_note("client %u.%u: %s", client->number, client->sequence, how);
    peer_close(&client->fd);
    client->state = CLIENT_ENDED;
}

/* ---- requests ---- */

static void draw_fate(struct client *client)
{
    client->fate = FATE_GOOD;
    if (random_below(&client->random, 1000) < client->misdeed_permille) {
        client->fate = FATE_RESET + (unsigned)random_below(&client->random, 3);
    } else if (client->sequence + 1 == client->requests_count) {
        client->fate = random_below(&client->random, 4) == 0 ? FATE_HALF_CLOSE : FATE_GOOD;
    }
    /* One time in two it strikes only after the whole request. */
    bool inside = client->fate == FATE_STALL || random_below(&client->random, 2) == 0;
    client->fate_at =
        inside ? 1 + random_below(&client->random, client->out_size - 1) : client->out_size;
    client->fate_time = faulty_now() + random_below(&client->random, 3 * NS_PER_MS);
}

static void next_request(struct client *client)
{
    struct message message = {.kind = 'q',
                              .client = client->number,
                              .sequence = client->sequence,
                              .size = peer_message_size(&client->random)};
    message_write(&message, client->out);
    message.kind = 'a';
    message_write(&message, client->expected);
    client->out_size = message.size;
    client->out_sent = client->in_size = 0;
    client->chunk_max = peer_chunk(&client->random, message.size);
    client->since_ns = faulty_now();
    client->since_waits = faulty_waits();
    client->state = CLIENT_SENDING;
    draw_fate(client);
}

static bool be_born(struct client *client, const struct sockaddr_in *multiplexer)
{
    if (faulty_now() < client->born_at) {
        return false;
    }
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        failure("no socket for a client: %s", strerror(errno));
    }
    peer_prepare(client->fd, client->has_small_buffers);
    if (connect(client->fd, (const struct sockaddr *)multiplexer, sizeof *multiplexer) != 0 &&
        errno != EINPROGRESS) {
        client->was_cut = true;
        end(client, "refused");
        return true;
    }
    next_request(client);
    return true;
}

static bool fate_strikes(struct client *client)
{
    bool strikes = (client->fate == FATE_RESET || client->fate == FATE_CLOSE) &&
                   client->out_sent == client->fate_at && faulty_now() >= client->fate_time;
    if (strikes && client->fate == FATE_RESET) {
        peer_reset(&client->fd);
    }
    if (strikes) {
        end(client, client->fate == FATE_RESET ? "resets" : "closes");
    }
    return strikes;
}

/* ---- bytes ---- */

static size_t may_send(const struct client *client)
{
    bool stops = client->fate != FATE_GOOD && client->fate != FATE_HALF_CLOSE;
    size_t left = (stops ? client->fate_at : client->out_size) - client->out_sent;
    return left < client->chunk_max ? left : client->chunk_max;
}

static void request_sent(struct client *client)
{
    client->state = CLIENT_AWAITING;
    client->book->sent[client->number] |= 1U << client->sequence;
    if (client->fate == FATE_HALF_CLOSE) {
        (void)shutdown(client->fd, SHUT_WR);
    }
}

static bool send_some(struct client *client)
{
    size_t size = may_send(client);
    if (size == 0) {
        return false;
    }
    ssize_t sent =
        send(client->fd, client->out + client->out_sent, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
        return false; /* full, or an end that is read next */
    }
    client->out_sent += (size_t)sent;
    if (client->out_sent == client->out_size) {
        request_sent(client);
    }
    return true;
}

static void answered(struct client *client)
{
    client->book->answered++;
    if (client->fate == FATE_RESET || client->fate == FATE_CLOSE) {
        end(client, "goes after its answer");
    } else if (client->sequence + 1 == client->requests_count) {
        end(client, "has all");
    } else {
        client->sequence++;
        next_request(client);
    }
}

static void compare(struct client *client, const uint8_t *bytes, size_t size)
{
    if (client->state != CLIENT_AWAITING) {
        failure("client %u.%u got bytes before its request was sent", client->number,
                client->sequence);
    }
    if (client->in_size + size > client->out_size ||
        memcmp(client->expected + client->in_size, bytes, size) != 0) {
        failure("client %u.%u got bytes that are not its answer, at %zu: %.*s", client->number,
                client->sequence, client->in_size, (int)(size < 100 ? size : 100),
                (const char *)bytes);
    }
    client->in_size += size;
    if (client->in_size == client->out_size) {
        answered(client);
    }
}

static bool read_some(struct client *client)
{
    uint8_t bytes[16 * 1024];
    size_t most = client->chunk_max < sizeof bytes ? client->chunk_max : sizeof bytes;
    ssize_t got = recv(client->fd, bytes, most, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    if (got <= 0) {
        client->was_cut = true;
        end(client, got == 0 ? "is closed" : "is reset");
    } else {
        compare(client, bytes, (size_t)got);
    }
    return true;
}

bool peer_client_act(struct client *client, const struct sockaddr_in *multiplexer)
{
    switch (client->state) {
    case CLIENT_UNBORN:
        return be_born(client, multiplexer);
    case CLIENT_ENDED:
        return false;
    case CLIENT_SENDING:
    case CLIENT_AWAITING:
        break;
    }
    if (faulty_now() > client->since_ns + PATIENCE_NS &&
        faulty_waits() > client->since_waits + PATIENCE_TURNS) {
        failure("client %u.%u was neither answered nor closed", client->number, client->sequence);
    }
    if (fate_strikes(client)) {
        return true;
    }
    bool moved = client->state == CLIENT_SENDING && send_some(client);
    return read_some(client) || moved;
}

uint64_t peer_client_deadline(const struct client *client)
{
    uint64_t now_ns = faulty_now();
    if (client->state == CLIENT_UNBORN) {
        return client->born_at;
    }
    bool is_doomed = client->state != CLIENT_ENDED && client->fate_time > now_ns &&
                     (client->fate == FATE_RESET || client->fate == FATE_CLOSE);
    return is_doomed ? client->fate_time : TIME_NEVER;
}
