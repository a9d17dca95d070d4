/* SPDX-License-Identifier: MIT */
/*
 * An echo server whose every answer takes a while, but which works on many at once: what has come is
 * sent back --service microseconds after it came, in order on each connection.
 *
 *     bench-slow 127.0.0.1:0 1000
 *
 * One thread. All answers take the same time, so that they are due in the order in which they came:
 * one queue is enough. It sleeps until the first is due, without the slack that timers usually have:
 * it shares its processor with what is measured, and must not take it away by waiting busily.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

enum { EVENTS_MAX = 256, BYTES_MAX = 4096, QUEUE_MAX = 1 << 16, CONNECTIONS_MAX = 1 << 16 };

/* Bytes of a connection that go back at `due_ns`. */
struct answer {
    uint64_t due_ns;
    int fd;
    unsigned life; /* of the connection that it is for; descriptors are used again */
    size_t size;
    char *bytes; /* owns */
};

static struct answer queue[QUEUE_MAX];
static unsigned first, count;
static unsigned lives[CONNECTIONS_MAX];
static int epoll;

static void enqueue(int fd, const char *bytes, size_t size, uint64_t due_ns)
{
    if (count == QUEUE_MAX) {
        fprintf(stderr, "more than %d answers are due\n", QUEUE_MAX);
        exit(1);
    }
    struct answer *answer = &queue[(first + count++) % QUEUE_MAX];
    *answer = (struct answer){
        .due_ns = due_ns, .fd = fd, .life = lives[fd], .size = size, .bytes = malloc(size)};
    if (answer->bytes == NULL) {
        die("malloc");
    }
    memcpy(answer->bytes, bytes, size);
}

static void end(int fd)
{
    lives[fd]++;
    close(fd);
}

/* Answers are far smaller than a socket buffer; who does not read them is closed. */
static void answer_due(uint64_t now)
{
    while (count > 0 && queue[first].due_ns <= now) {
        struct answer *answer = &queue[first];
        bool is_there = answer->life == lives[answer->fd];
        if (is_there &&
            send(answer->fd, answer->bytes, answer->size, MSG_NOSIGNAL) != (ssize_t)answer->size) {
            end(answer->fd);
        }
        free(answer->bytes);
        first = (first + 1) % QUEUE_MAX;
        count--;
    }
}

static void receive(int fd, uint64_t service_ns)
{
    char bytes[BYTES_MAX];
    ssize_t size = recv(fd, bytes, sizeof bytes, 0);
    if (size > 0) {
        enqueue(fd, bytes, (size_t)size, now_ns() + service_ns);
    } else if (size == 0 || errno != EAGAIN) {
        end(fd);
    }
}

/* How long to sleep; false: until something comes. */
static bool sleep_until_due(struct timespec *timeout)
{
    if (count == 0) {
        return false;
    }
    uint64_t now = now_ns();
    uint64_t left = queue[first].due_ns > now ? queue[first].due_ns - now : 0;
    *timeout = (struct timespec){.tv_sec = (time_t)(left / 1000000000),
                                 .tv_nsec = (long)(left % 1000000000)};
    return true;
}

static void accept_all(int listener)
{
    for (int fd = accept_next(listener); fd >= 0; fd = accept_next(listener)) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= CONNECTIONS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
            die("epoll_ctl");
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench-slow ADDRESS:PORT MICROSECONDS\n");
        return 2;
    }
    uint64_t service_ns = strtoull(argv[2], NULL, 10) * 1000;
    start_process();
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    struct sockaddr_in address = parse_address(argv[1]);
    int listener = open_listener(&address);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) {
        die("epoll");
    }
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        struct timespec timeout;
        bool is_timed = sleep_until_due(&timeout);
        int ready = epoll_pwait2(epoll, events, EVENTS_MAX, is_timed ? &timeout : NULL, NULL);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(listener);
            } else {
                receive(fd, service_ns);
            }
        }
        answer_due(now_ns());
    }
}
