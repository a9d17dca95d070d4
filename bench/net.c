/* SPDX-License-Identifier: MIT */
/* Sockets for the benchmark programs; see net.h. */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* About 28000 ports are free for each source address by default, and closed connections keep theirs
 * for a minute: 2000 leaves room for a dozen runs. */
enum { CONNECTIONS_PER_SOURCE = 2000, FIRST_SOURCE = 0x7F000101 /* 127.0.1.1 */ };

/* The addresses of short connections. */
enum { SHORT_SOURCES = 128, FIRST_SHORT_SOURCE = 0x7F001001 /* 127.0.16.1 */ };

_Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

struct sockaddr_in parse_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN];
    unsigned port;
    char end;
    if (sscanf(text, "%15[0-9.]:%5u%c", host, &port, &end) != 2 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "'%s' is not an IPv4 ADDRESS:PORT\n", text);
        exit(2);
    }
    address.sin_port = htons((uint16_t)port);
    return address;
}

static int open_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

int open_listener(const struct sockaddr_in *address)
{
    struct sockaddr_in local;
    socklen_t size = sizeof local;
    char host[INET_ADDRSTRLEN];
    int fd = open_socket(SOCK_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        listen(fd, SOMAXCONN) < 0 || getsockname(fd, (struct sockaddr *)&local, &size) < 0) {
        die("listen");
    }
    inet_ntop(AF_INET, &local.sin_addr, host, sizeof host);
    printf("listening %s:%u\n", host, ntohs(local.sin_port));
    fflush(stdout);
    return fd;
}

int accept_next(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED) {
        die("accept");
    }
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    return fd;
}

static void bind_source(int fd, uint32_t address)
{
    struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (bind(fd, (const struct sockaddr *)&source, sizeof source) < 0) {
        die("bind");
    }
}

int connect_from(const struct sockaddr_in *target, uint32_t number)
{
    int fd = open_socket(0);
    bind_source(fd, FIRST_SOURCE + number / CONNECTIONS_PER_SOURCE);
    if (connect(fd, (const struct sockaddr *)target, sizeof *target) < 0) {
        die("connect");
    }
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        die("fcntl");
    }
    return fd;
}

static void begin_connecting(int fd, const struct sockaddr_in *target)
{
    if (connect(fd, (const struct sockaddr *)target, sizeof *target) < 0 && errno != EINPROGRESS) {
        die("connect");
    }
}

int start_connecting(const struct sockaddr_in *target)
{
    int fd = open_socket(SOCK_NONBLOCK);
    begin_connecting(fd, target);
    return fd;
}

int start_connecting_from(const struct sockaddr_in *target, uint64_t number)
{
    int fd = open_socket(SOCK_NONBLOCK);
    bind_source(fd, FIRST_SHORT_SOURCE + (uint32_t)(number % SHORT_SOURCES));
    begin_connecting(fd, target);
    return fd;
}

void watch(int epoll, int fd, void *context)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = context};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

void start_process(void)
{
    struct rlimit limit;
    struct sigaction ending = {.sa_handler = stop};
    struct sigaction ignoring = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &ending, NULL);
    sigaction(SIGINT, &ending, NULL);
    sigaction(SIGPIPE, &ignoring, NULL);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
