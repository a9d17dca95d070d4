/* SPDX-License-Identifier: MIT */
/*
 * A bare relay, the floor under the multiplexer's numbers: one connection to the target for every
 * client, bytes passed through as they come, nothing looked at. It is the least that a process
 * between two sockets can do with epoll (edge-triggered), recv and send.
 *
 * A pair has two ends. Bytes received at one end are sent to the other from the one scratch buffer;
 * what the other end does not take is kept (`unsent`), and until that has left nothing more is
 * received for it. A pair is freed after the batch of events, since the batch may name it again.
 *
 *     bench-relay 127.0.0.1:0 TARGET
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { EVENTS_MAX = 256, SCRATCH_BYTES = 64 * 1024 };

struct pair;

struct end {
    int fd;
    struct pair *pair;
    struct end *other;
    uint8_t *unsent; /* owns; NULL: nothing waits to be sent here */
    size_t unsent_head, unsent_size;
    bool ended; /* its peer has finished sending, and the other end was told */
};

struct pair {
    struct end client, target;
    bool closed;
    struct pair *next_closed;
};

static int epoll;
static struct sockaddr_in target_address;
static struct pair *closed_pairs;
static uint8_t scratch[SCRATCH_BYTES];

static void close_pair(struct pair *pair)
{
    if (pair->closed) {
        return;
    }
    close(pair->client.fd);
    close(pair->target.fd);
    free(pair->client.unsent);
    free(pair->target.unsent);
    pair->closed = true;
    pair->next_closed = closed_pairs;
    closed_pairs = pair;
}

static void free_closed_pairs(void)
{
    while (closed_pairs != NULL) {
        struct pair *pair = closed_pairs;
        closed_pairs = pair->next_closed;
        free(pair);
    }
}

/* Sends what it can; SIZE_MAX when the connection has failed. */
static size_t send_some(const struct end *to, const uint8_t *bytes, size_t size)
{
    ssize_t sent = send(to->fd, bytes, size, 0);
    if (sent >= 0) {
        return (size_t)sent;
    }
    return errno == EAGAIN ? 0 : SIZE_MAX;
}

static bool pass(struct end *to, size_t size)
{
    size_t sent = send_some(to, scratch, size);
    if (sent == SIZE_MAX) {
        return false;
    }
    if (sent < size) {
        to->unsent_size = size - sent;
        to->unsent_head = 0;
        to->unsent = malloc(to->unsent_size);
        if (to->unsent == NULL) {
            die("malloc");
        }
        memcpy(to->unsent, scratch + sent, to->unsent_size);
    }
    return true;
}

/* False when nothing is left to do for the pair. */
static bool pass_end(struct end *from)
{
    from->ended = true;
    shutdown(from->other->fd, SHUT_WR);
    return !from->other->ended;
}

/* Moves bytes until the socket is drained or the other end is full; false when the pair is over. */
static bool receive(struct end *from, bool peer_ended)
{
    while (!from->ended && from->other->unsent == NULL) {
        ssize_t size = recv(from->fd, scratch, sizeof scratch, 0);
        if (size < 0) {
            return errno == EAGAIN;
        }
        if (size == 0) {
            return pass_end(from);
        }
        if (!pass(from->other, (size_t)size)) {
            return false;
        }
        if (size < SCRATCH_BYTES && !peer_ended) {
            return true;
        }
    }
    return true;
}

/* Sends what was kept, and then goes on receiving for this end. */
static bool resume(struct end *to)
{
    if (to->unsent == NULL) {
        return true;
    }
    size_t sent = send_some(to, to->unsent + to->unsent_head, to->unsent_size);
    if (sent == SIZE_MAX) {
        return false;
    }
    to->unsent_head += sent;
    to->unsent_size -= sent;
    if (to->unsent_size > 0) {
        return true;
    }
    free(to->unsent);
    to->unsent = NULL;
    return receive(to->other, true);
}

static void handle(struct end *end, uint32_t events)
{
    bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (end->pair->closed) {
        return;
    }
    if (((events & EPOLLOUT) != 0 && !resume(end)) ||
        ((ended || (events & EPOLLIN) != 0) && !receive(end, ended))) {
        close_pair(end->pair);
    }
}

static void accept_all(int listener)
{
    for (int fd = accept_next(listener); fd >= 0; fd = accept_next(listener)) {
        struct pair *pair = calloc(1, sizeof *pair);
        if (pair == NULL) {
            die("calloc");
        }
        pair->client = (struct end){.fd = fd, .pair = pair, .other = &pair->target};
        pair->target = (struct end){
            .fd = start_connecting(&target_address), .pair = pair, .other = &pair->client};
        watch(epoll, pair->client.fd, &pair->client);
        watch(epoll, pair->target.fd, &pair->target);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr, "usage: bench-relay ADDRESS:PORT TARGET:PORT\n");
        return help ? 0 : 2;
    }
    start_process();
    struct sockaddr_in address = parse_address(argv[1]);
    target_address = parse_address(argv[2]);
    int listener = open_listener(&address);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) {
        die("epoll");
    }
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                accept_all(listener);
            } else {
                handle(events[i].data.ptr, events[i].events);
            }
        }
        free_closed_pairs();
    }
}
