/* SPDX-License-Identifier: MIT */
/*
 * Sockets for the benchmark programs: IPv4, non-blocking, TCP_NODELAY.
 *
 * A failure here makes a measurement worthless, so every function prints what failed and ends the
 * process instead of returning it.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/epoll.h>

/* Prints `what` with errno and exits with status 1. */
_Noreturn void die(const char *what);

/* Monotonic nanoseconds. */
uint64_t now_ns(void);

/* "127.0.0.1:1234". Port 0 is allowed. */
struct sockaddr_in parse_address(const char *text);

/* A listening socket; prints `listening ADDRESS:PORT`. */
int open_listener(const struct sockaddr_in *address);

/* The next connection of a listener, or -1 when none is waiting. */
int accept_next(int listener);

/* A connection, waited for. `number` picks a source address out of 127.0.0.0/8, so that no address
 * runs out of ports however many connections there are. */
int connect_from(const struct sockaddr_in *target, uint32_t number);

/* A connection that is still being made when this returns. */
int start_connecting(const struct sockaddr_in *target);

/* The same for connections that live shortly: `number` counts them, and their source addresses take
 * turns, so that the ports which a closed connection keeps for a minute last for 50000 a second. */
int start_connecting_from(const struct sockaddr_in *target, uint64_t number);

/* Registers the descriptor for every edge. */
void watch(int epoll, int fd, void *context);

/* Raises the limit of descriptors to the hardest allowed; SIGTERM and SIGINT end with status 0. */
void start_process(void);

#endif
