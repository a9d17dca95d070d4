/* SPDX-License-Identifier: MIT */
/*
 * The target with one slot: reads a line, answers it, reads the next.
 *
 * When a second connection comes while one is open, the first is read once more: its end may have
 * come before. Only if it has not, that is two at once.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"
#include "faults/failure.h"
#include "faults/peers.h"
#include "faults/sys_faulty.h"

enum { END_PATIENCE_MS = 200 };

void target_open(struct target *target, uint64_t seed, struct book *book, bool misbehaves,
                 bool has_small_buffers)
{
    static const uint16_t misdeeds[] = {0, 20, 100, 400};
    static const size_t reads[] = {300, 4000, 64 * KIB};
    static const uint32_t delays[] = {0, NS_PER_MS, 50 * NS_PER_MS};
    target->fd = -1;
    target->book = book;
    target->in_size = 0;
    target->has_request = false;
    target->early_left = 0;
    target->connections = 0;
    random_init(&target->random, seed);
    target->misdeed_permille = misbehaves ? misdeeds[random_below(&target->random, 4)] : 0;
    target->delay_ns_max = delays[random_below(&target->random, 3)];
    target->read_max = reads[random_below(&target->random, 3)];
    target->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof target->address;
    target->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    peer_prepare(target->listener, has_small_buffers);
    if (target->listener < 0 ||
        bind(target->listener, (struct sockaddr *)&target->address, size) != 0 ||
        listen(target->listener, 16) != 0 ||
        getsockname(target->listener, (struct sockaddr *)&target->address, &size) != 0) {
        failure("the target cannot listen: %s", strerror(errno));
    }
}

void target_close(struct target *target)
{
    peer_close(&target->fd);
    peer_close(&target->listener);
}

static void hang_up(struct target *target, bool reset)
{
    if (reset) {
        peer_reset(&target->fd);
    } else {
        peer_close(&target->fd);
    }
    target->in_size = 0;
    target->has_request = false;
    target->early_left = 0;
}

/* ---- requests ---- */

static void note_request(struct target *target, const struct message *request)
{
    struct book *book = target->book;
    if (request->client >= CLIENTS_MAX || request->sequence >= REQUESTS_MAX) {
        failure("the target got a request of nobody: %u.%u", request->client, request->sequence);
    }
    uint32_t bit = 1U << request->sequence;
    if ((book->sent[request->client] & bit) == 0) {
        failure("the target got %u.%u, which was not wholly sent", request->client,
                request->sequence);
    }
    if ((book->seen[request->client] & bit) != 0) {
        failure("the target got %u.%u twice", request->client, request->sequence);
    }
    book->seen[request->client] |= bit;
    book->seen_count++;
}

/* Breaks off before the answer, in it or behind it, or says nothing at all. */
static void misbehave(struct target *target)
{
    if (random_below(&target->random, 4) == 0) {
        failure_note("the target falls silent");
        target->answer_at = TIME_NEVER;
        return;
    }
    target->out_stop = random_below(&target->random, target->out_size);
    target->out_stop = random_below(&target->random, 3) == 0 ? 0 : target->out_stop;
    target->resets = random_below(&target->random, 2) == 0;
    failure_note("the target is to %s after %zu of %zu bytes", target->resets ? "reset" : "close",
                 target->out_stop, target->out_size);
}

static void prepare_answer(struct target *target, const struct message *request)
{
    struct message answer = {.kind = 'a',
                             .client = request->client,
                             .sequence = request->sequence,
                             .size = request->size};
    message_write(&answer, target->out);
    target->has_request = true;
    target->write_max = peer_chunk(&target->random, answer.size);
    target->out_size = target->out_stop = answer.size;
    target->out_sent = 0;
    target->answer_at = faulty_now();
    if (target->delay_ns_max > 0) {
        target->answer_at += random_below(&target->random, target->delay_ns_max);
    }
    if (random_below(&target->random, 1000) < target->misdeed_permille) {
        misbehave(target);
    }
}

/* A line has begun, and its head is there: it may be answered before its end has come. */
static void maybe_answer_early(struct target *target)
{
    struct message request = {.kind = 'q'};
    if (target->in_size < MESSAGE_BYTES_MIN ||
        !message_read_head(target->in, target->in_size, &request) ||
        random_below(&target->random, 1000) >= target->misdeed_permille) {
        return;
    }
    failure_note("the target answers %u.%u after %zu of %zu bytes", request.client,
                 request.sequence, target->in_size, request.size);
    note_request(target, &request);
    prepare_answer(target, &request);
    message_write(&request, target->early);
    target->early_size = request.size;
    target->early_left = request.size - target->in_size;
    target->in_size = 0;
}

/* The rest of a request that was answered early. */
static void skip_early(struct target *target)
{
    size_t size = target->in_size < target->early_left ? target->in_size : target->early_left;
    const uint8_t *expected = target->early + target->early_size - target->early_left;
    if (memcmp(target->in, expected, size) != 0) {
        failure("the target got something else than the rest of a request");
    }
    target->early_left -= size;
    target->in_size -= size;
    memmove(target->in, target->in + size, target->in_size);
}

static void take_bytes(struct target *target)
{
    if (target->early_left > 0) {
        skip_early(target);
    }
    if (target->in_size == 0) {
        return;
    }
    if (target->has_request) {
        failure("the target got bytes while a request was unanswered");
    }
    const uint8_t *end = memchr(target->in, '\n', target->in_size);
    if (end == NULL) {
        maybe_answer_early(target);
        return;
    }
    size_t size = (size_t)(end - target->in) + 1;
    struct message request;
    if (size != target->in_size) {
        failure("the target got bytes behind a request");
    }
    if (!message_read('q', target->in, size, &request)) {
        failure("the target got a line that is no request: %.*s", (int)(size < 200 ? size : 200),
                (const char *)target->in);
    }
    note_request(target, &request);
    target->in_size = 0;
    prepare_answer(target, &request);
}

/* ---- the connection ---- */

/* True: something came. The connection may be closed then. */
static bool read_some(struct target *target)
{
    size_t room = sizeof target->in - target->in_size;
    size_t most = target->read_max < room ? target->read_max : room;
    if (room == 0) {
        failure("the target got a line that is too long");
    }
    ssize_t got = recv(target->fd, target->in + target->in_size, most, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    if (got <= 0) {
        failure_note("the target sees the end: %s", got == 0 ? "in order" : strerrorname_np(errno));
        hang_up(target, false);
        return true;
    }
    target->in_size += (size_t)got;
    take_bytes(target);
    return true;
}

static bool write_some(struct target *target)
{
    if (!target->has_request || faulty_now() < target->answer_at) {
        return false;
    }
    if (target->out_sent == target->out_stop && target->out_stop < target->out_size) {
        hang_up(target, target->resets);
        return true;
    }
    size_t left = target->out_stop - target->out_sent;
    size_t most = left < target->write_max ? left : target->write_max;
    ssize_t sent =
        send(target->fd, target->out + target->out_sent, most, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) {
        return false; /* full, or an end that is read next */
    }
    target->out_sent += (size_t)sent;
    target->has_request = target->out_sent < target->out_size;
    return true;
}

/* The end of the connection may be on its way. */
static void expect_end(struct target *target)
{
    struct pollfd wait = {.fd = target->fd, .events = POLLIN};
    while (target->fd >= 0 && poll(&wait, 1, END_PATIENCE_MS) > 0) {
        (void)read_some(target);
    }
    if (target->fd >= 0) {
        failure("the target has two connections at once");
    }
}

static bool take_connection(struct target *target)
{
    int fd = accept4(target->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (target->fd >= 0) {
        expect_end(target);
    }
    target->fd = fd;
    target->connections++;
    return true;
}

bool target_act(struct target *target)
{
    bool moved = target->fd >= 0 && read_some(target);
    moved = (target->fd >= 0 && write_some(target)) || moved;
    return take_connection(target) || moved;
}

void target_calm(struct target *target)
{
    target->misdeed_permille = 0;
    target->delay_ns_max = 0;
}

uint64_t target_deadline(const struct target *target)
{
    bool waits = target->fd >= 0 && target->has_request && target->answer_at > faulty_now();
    return waits ? target->answer_at : TIME_NEVER;
}
