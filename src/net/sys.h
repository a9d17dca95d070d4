/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the engine makes on its path, one function each, nothing added.
 *
 * They stand in a file of their own so that a test can link another one in its place, which fails,
 * shortens and interrupts them. Everything in `net` calls these, never the system directly, where
 * one exists.
 */
#ifndef NET_SYS_H
#define NET_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

int sys_socket(int domain, int type, int protocol);
int sys_connect(int fd, const struct sockaddr *address, socklen_t size);
int sys_accept(int fd, struct sockaddr *address, socklen_t *size); /* non-blocking, close-on-exec */
ssize_t sys_recv(int fd, void *bytes, size_t size);
ssize_t sys_send(int fd, const void *bytes, size_t size); /* no SIGPIPE */
int sys_shutdown_write(int fd);
int sys_close(int fd);
int sys_epoll_control(int epoll_fd, int operation, int fd, struct epoll_event *event);
/* `timeout_ns` < 0: for ever; rounded up by the kernel's timer, never down. */
int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns);
int sys_processors_count(void); /* of the machine, running */
void sys_yield(void);           /* to whoever waits for this processor */
uint64_t sys_clock_ns(void);    /* CLOCK_MONOTONIC */

#endif
