/* SPDX-License-Identifier: MIT */
/*
 * A bare echo server, the target of the benchmarks: the least a server can do per request.
 *
 * One thread, epoll, edge-triggered. Bytes go back as they come, lines or not. A peer that does not
 * read its echo is waited for, and everybody with it; a benchmark's peers read.
 *
 *     bench-echo 127.0.0.1:0
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net.h"

enum { EVENTS_MAX = 256, SCRATCH_BYTES = 64 * 1024 };

static int epoll;
static char scratch[SCRATCH_BYTES];

static bool send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, 0);
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        } else {
            return false;
        }
    }
    return true;
}

/* Echoes what has come; false when the connection is over. A receive that fills less than asked has
 * drained the socket, unless the peer has ended. */
static bool echo_bytes(int fd, bool peer_ended)
{
    for (;;) {
        ssize_t size = recv(fd, scratch, sizeof scratch, 0);
        if (size < 0) {
            return errno == EAGAIN;
        }
        if (size == 0 || !send_all(fd, scratch, (size_t)size)) {
            return false;
        }
        if (size < SCRATCH_BYTES && !peer_ended) {
            return true;
        }
    }
}

static void accept_all(int listener)
{
    for (int fd = accept_next(listener); fd >= 0; fd = accept_next(listener)) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            die("epoll_ctl");
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--help") == 0) {
        fprintf(argc == 2 ? stdout : stderr, "usage: bench-echo ADDRESS:PORT\n");
        return argc == 2 ? 0 : 2;
    }
    start_process();
    struct sockaddr_in address = parse_address(argv[1]);
    int listener = open_listener(&address);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) {
        die("epoll");
    }
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            bool ended = (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
            if (fd == listener) {
                accept_all(listener);
            } else if (!echo_bytes(fd, ended)) {
                close(fd);
            }
        }
    }
}
