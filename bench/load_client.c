/* SPDX-License-Identifier: MIT */
/*
 * What a client of the load generator does: asks, in lock-step or up to --depth requests ahead of the
 * answers, and compares every byte of the answers.
 *
 * The kernel takes a request at once unless it is large; what it does not take is sent when epoll
 * says so. Received bytes are compared where they are; only the beginning of a head is kept.
 *
 * An answer with a wrong byte ends the process with status 1: a fast wrong answer has no speed. A
 * connection that breaks is an error and asks nothing more. With --churn the client connects for each
 * request, and closes when it has the answer.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "net.h"
#include "text.h"

enum { SCRATCH_BYTES = 64 * 1024, SHOWN_BYTES_MAX = 300 };

static uint8_t scratch[SCRATCH_BYTES];

static uint32_t in_flight_of(const struct client *client)
{
    return client->started - client->answered;
}

static uint64_t *place_of(const struct run *run, const struct client *client, uint32_t sequence)
{
    return &client->since_ns[sequence & (run->places - 1)];
}

static void hang_up(struct client *client)
{
    close(client->fd);
    client->fd = -1;
    client->is_sending = false;
    client->is_in_body = false;
    client->head_size = 0;
}

void client_break(struct run *run, struct client *client)
{
    if (client->is_broken) {
        return;
    }
    hang_up(client);
    client->is_broken = true;
    run->in_flight -= in_flight_of(client);
    if (client->owed > client->started) {
        run->backlog -= client->owed - client->started;
        run->errors += client->owed - client->started;
    }
    run->errors++;
}

/* ---- asking ---- */

static bool has_failed(ssize_t sent)
{
    return sent < 0 && errno != EAGAIN;
}

/* Sends what the kernel takes of the request and of an upload's body. */
static void flush_request(struct run *run, struct client *client)
{
    const uint8_t *bytes;
    size_t size = run->options->wire->request(client->number, client->started, &bytes);
    uint64_t whole = size + run->options->upload;
    ssize_t sent = 0;
    while (client->sent < whole && sent >= 0) {
        if (client->sent < size) {
            sent = send(client->fd, bytes + client->sent, size - (size_t)client->sent,
                        whole > size ? MSG_MORE : 0);
        } else {
            uint64_t left = whole - client->sent;
            sent = send(client->fd, pattern_at(client->sent - size),
                        left < PATTERN_PIECE_MAX ? (size_t)left : PATTERN_PIECE_MAX, 0);
        }
        client->sent += sent > 0 ? (uint64_t)sent : 0;
    }
    client->is_sending = client->sent < whole;
    if (has_failed(sent)) {
        client_break(run, client);
    }
}

void client_open(struct run *run, struct client *client)
{
    client->fd = connect_from(&run->options->target, client->number);
    watch(run->epoll, client->fd, client);
}

/* The request is sent when the connection is there. */
static void connect_again(struct run *run, struct client *client)
{
    client->fd = start_connecting_from(&run->options->target, run->connected++);
    watch(run->epoll, client->fd, client);
}

void client_ask(struct run *run, struct client *client, uint64_t since_ns)
{
    client->started++;
    client->sent = 0;
    client->is_sending = true;
    *place_of(run, client, client->started) = since_ns;
    run->started++;
    run->in_flight++;
    if (client->fd < 0) {
        connect_again(run, client);
    } else {
        flush_request(run, client);
    }
}

uint64_t due_ns(const struct run *run, uint64_t index)
{
    return run->begin_ns + (uint64_t)((double)index * 1e9 / run->options->rate);
}

/* A place may be taken although fewer than --depth are in flight: answers come out of order. */
static bool has_room(const struct run *run, const struct client *client)
{
    return !client->is_broken && !client->is_sending &&
           in_flight_of(client) < run->options->depth &&
           *place_of(run, client, client->started + 1) == 0;
}

void client_go_on(struct run *run, struct client *client, uint64_t now)
{
    if (run->options->rate > 0) {
        while (client->owed > client->started && has_room(run, client)) {
            uint64_t index = (uint64_t)client->started * run->options->clients + client->number;
            run->backlog--;
            client_ask(run, client, due_ns(run, index));
        }
        return;
    }
    while (!client->is_silent && now < run->end_ns && run->started < run->requests_max &&
           has_room(run, client)) {
        client_ask(run, client, now);
    }
}

/* ---- hearing ---- */

static _Noreturn void wrong_answer(const struct client *client, const uint8_t *bytes, size_t size)
{
    fprintf(stderr, "client %u got a wrong answer, %u of its requests were answered before: ",
            client->number, client->answered);
    for (size_t i = 0; i < size && i < SHOWN_BYTES_MAX; i++) {
        fprintf(stderr, isprint(bytes[i]) ? "%c" : "\\x%02x", bytes[i]);
    }
    fprintf(stderr, "\n");
    exit(1);
}

/* The sequence number of the request that is answered; 0: none. Identifiers are the lower half of
 * the sequence number less one, so that the newest request with it is meant. */
static uint32_t answered_by(const struct run *run, const struct client *client,
                            const struct answer *answer)
{
    if (in_flight_of(client) == 0) {
        return 0;
    }
    if (!run->options->wire->is_by_id) {
        return client->answered + 1;
    }
    uint16_t age = (uint16_t)(client->started - 1 - answer->id);
    if (age >= run->places || age >= client->started) {
        return 0;
    }
    uint32_t sequence = client->started - age;
    return *place_of(run, client, sequence) != 0 ? sequence : 0;
}

/* Takes the head, or what there is of it, and returns how many of the bytes were its. */
static size_t hear_head(struct run *run, struct client *client, const uint8_t *bytes, size_t size)
{
    const struct wire *wire = run->options->wire;
    size_t kept = client->head_size;
    size_t added = size < wire->head_max - kept ? size : wire->head_max - kept;
    if (kept > 0) {
        memcpy(client->head + kept, bytes, added);
    }
    const uint8_t *head = kept > 0 ? client->head : bytes;
    size_t head_size = kept > 0 ? kept + added : size;
    struct answer answer;
    enum head_status status = wire->head(client->number, head, head_size, &answer);
    if (status == HEAD_PARTIAL && head_size < wire->head_max) {
        if (kept == 0) {
            memcpy(client->head, bytes, size);
        }
        client->head_size = head_size;
        return size;
    }
    uint32_t sequence = status == HEAD_WHOLE ? answered_by(run, client, &answer) : 0;
    if (sequence == 0) {
        wrong_answer(client, head, head_size);
    }
    client->hearing = sequence;
    client->head_size = 0;
    client->heard = 0;
    client->body_size = answer.body_size;
    client->is_in_body = true;
    return answer.head_size - kept;
}

static void take_answer(struct run *run, struct client *client, uint64_t now)
{
    uint64_t *since_ns = place_of(run, client, client->hearing);
    histogram_add(&run->latency, now - *since_ns);
    *since_ns = 0;
    client->is_in_body = false;
    client->answered++;
    run->in_flight--;
    run->answered++;
}

static size_t hear_body(struct run *run, struct client *client, const uint8_t *bytes, size_t size,
                        uint64_t now)
{
    uint64_t left = client->body_size - client->heard;
    size_t part = size < left ? size : (size_t)left;
    if (!run->options->wire->body(client->number, client->hearing, client->heard, bytes, part)) {
        wrong_answer(client, bytes, part);
    }
    client->heard += part;
    if (client->heard == client->body_size) {
        take_answer(run, client, now);
    }
    return part;
}

static void hear(struct run *run, struct client *client, const uint8_t *bytes, size_t size,
                 uint64_t now)
{
    const uint8_t *end = bytes + size;
    while (bytes < end) {
        if (!client->is_in_body) {
            bytes += hear_head(run, client, bytes, (size_t)(end - bytes));
        }
        if (client->is_in_body && bytes < end) {
            bytes += hear_body(run, client, bytes, (size_t)(end - bytes), now);
        }
    }
}

/* A receive that fills less than asked has drained the socket, unless the peer has ended. The time
 * after it is good for all that was received, and for the requests that follow. */
static uint64_t receive(struct run *run, struct client *client, bool peer_ended)
{
    uint64_t now = now_ns();
    ssize_t size = SCRATCH_BYTES;
    while (!client->is_broken && (size == SCRATCH_BYTES || (peer_ended && size > 0))) {
        size = recv(client->fd, scratch, sizeof scratch, 0);
        now = now_ns();
        if (size > 0) {
            hear(run, client, scratch, (size_t)size, now);
        } else if (size == 0 || errno != EAGAIN) {
            client_break(run, client);
        }
    }
    return now;
}

void client_handle(struct run *run, struct client *client, uint32_t events)
{
    bool peer_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (client->is_broken) {
        return;
    }
    if (client->is_sending && (events & EPOLLOUT) != 0 && !peer_ended) {
        flush_request(run, client);
    }
    bool is_readable = peer_ended || (events & EPOLLIN) != 0;
    run->heard_ns = is_readable ? receive(run, client, peer_ended) : now_ns();
    if (run->options->churn && !client->is_silent && !client->is_broken &&
        in_flight_of(client) == 0 && client->fd >= 0) {
        hang_up(client);
    }
    client_go_on(run, client, run->heard_ns);
}
