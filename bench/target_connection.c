/* SPDX-License-Identifier: MIT */
/*
 * A connection of the target: bytes become requests, jobs that are due become bytes; see target.h.
 *
 * Answers that are due at the same time leave in one send. A peer that has finished sending gets
 * nothing more. With --strict, bytes that come before the request in front of them is answered are a
 * violation, once for each such request; just before an answer leaves, the socket is looked at too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net.h"
#include "target.h"
#include "text.h"

enum {
    SCRATCH_BYTES = 64 * 1024,
    KEPT_BYTES_MAX = 1 << 20,
    PIECES_MAX = 64,
    SAID_MAX = 10,
};

static struct connection **by_fd; /* NULL: not open */
static size_t by_fd_size;
static size_t open_count;
static struct connection *touched;
static uint8_t scratch[SCRATCH_BYTES];

void violation(const char *sentence)
{
    if (target.violations++ < SAID_MAX) {
        fprintf(stderr, "violation: %s\n", sentence);
    }
}

struct connection *connection_find(int fd)
{
    return fd >= 0 && (size_t)fd < by_fd_size ? by_fd[fd] : NULL;
}

void connection_open(int fd)
{
    if ((size_t)fd >= by_fd_size) {
        size_t size = 2 * (size_t)fd + 64;
        by_fd = realloc(by_fd, size * sizeof *by_fd);
        if (by_fd == NULL) {
            die("memory");
        }
        memset(by_fd + by_fd_size, 0, (size - by_fd_size) * sizeof *by_fd);
        by_fd_size = size;
    }
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        die("memory");
    }
    connection->fd = fd;
    by_fd[fd] = connection;
    open_count++;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (epoll_ctl(target.epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void free_if_over(struct connection *connection)
{
    if (connection->fd < 0 && connection->unanswered == 0 && !connection->is_touched) {
        free(connection->kept);
        free(connection);
    }
}

static void end_first(struct connection *connection)
{
    struct job *job = connection->out_first;
    connection->out_first = job->next;
    connection->unanswered--;
    connection->is_early = false;
    job_end(job);
}

/* May be called for one that is closed. It is freed by whoever looked at it last. */
void connection_close(struct connection *connection)
{
    if (connection->fd < 0) {
        return;
    }
    by_fd[connection->fd] = NULL;
    open_count--;
    close(connection->fd);
    connection->fd = -1;
    while (connection->out_first != NULL) {
        end_first(connection);
    }
}

/* ---- in ---- */

static void note_early(struct connection *connection)
{
    if (target.options.is_strict && connection->unanswered > 0 && !connection->is_early) {
        connection->is_early = true;
        violation("bytes of a request came before the one in front of it was answered");
    }
}

/* Takes whole requests and bytes of an upload, and returns how many bytes they were. */
static size_t take_requests(struct connection *connection, const uint8_t *bytes, size_t size)
{
    const struct target_wire *wire = target.options.wire;
    size_t taken = 0;
    while (connection->fd >= 0 && taken < size) {
        note_early(connection);
        if (connection->upload_left > 0) {
            taken += target_wire_upload(connection, bytes + taken, size - taken);
            continue;
        }
        size_t cut = wire->cut(bytes + taken, size - taken);
        if (cut == 0) {
            break;
        }
        if (cut == SIZE_MAX) {
            fprintf(stderr, "a connection was closed: no request begins like that\n");
            connection_close(connection);
            break;
        }
        wire->take(connection, bytes + taken, cut);
        taken += cut;
    }
    return taken;
}

static void keep(struct connection *connection, const uint8_t *bytes, size_t size)
{
    size_t whole = connection->kept_size + size;
    if (whole > KEPT_BYTES_MAX) {
        fprintf(stderr, "a connection was closed: a request is larger than %d bytes\n",
                KEPT_BYTES_MAX);
        connection_close(connection);
        return;
    }
    if (whole > connection->kept_capacity) {
        connection->kept_capacity = 2 * whole;
        connection->kept = realloc(connection->kept, connection->kept_capacity);
        if (connection->kept == NULL) {
            die("memory");
        }
    }
    memcpy(connection->kept + connection->kept_size, bytes, size);
    connection->kept_size = whole;
}

static void take_bytes(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (connection->kept_size > 0) {
        keep(connection, bytes, size);
        if (connection->fd >= 0) {
            size_t taken = take_requests(connection, connection->kept, connection->kept_size);
            connection->kept_size -= taken;
            memmove(connection->kept, connection->kept + taken, connection->kept_size);
        }
        return;
    }
    size_t taken = take_requests(connection, bytes, size);
    if (taken < size && connection->fd >= 0) {
        keep(connection, bytes + taken, size - taken);
    }
}

/* A receive that fills less than asked has drained the socket, unless the peer has ended. */
static void receive(struct connection *connection, bool peer_ended)
{
    ssize_t size = SCRATCH_BYTES;
    while (connection->fd >= 0 && (size == SCRATCH_BYTES || (peer_ended && size > 0))) {
        size = recv(connection->fd, scratch, sizeof scratch, 0);
        if (size > 0) {
            take_bytes(connection, scratch, (size_t)size);
        } else if (size == 0 || errno != EAGAIN) {
            connection_close(connection);
        }
    }
}

/* ---- out ---- */

static void look_for_early_bytes(struct connection *connection)
{
    uint8_t byte;
    if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
        note_early(connection);
    }
}

void connection_answer(struct job *job)
{
    struct connection *connection = job->connection;
    job->next = NULL;
    if (connection->fd < 0) {
        connection->unanswered--;
        job_end(job);
        free_if_over(connection);
        return;
    }
    if (connection->out_first == NULL) {
        connection->out_first = job;
    } else {
        connection->out_last->next = job;
    }
    connection->out_last = job;
    if (!connection->is_touched) {
        connection->is_touched = true;
        connection->next_touched = touched;
        touched = connection;
    }
}

/* What is left of the job, in at most two pieces; returns how many. */
static int pieces_of(const struct job *job, struct iovec *pieces)
{
    int made = 0;
    uint64_t pattern_sent = job->sent > job->size ? job->sent - job->size : 0;
    uint64_t pattern_left = job->pattern_size - pattern_sent;
    if (job->sent < job->size) {
        pieces[made++] = (struct iovec){.iov_base = job->bytes + job->sent,
                                        .iov_len = job->size - (size_t)job->sent};
    }
    if (pattern_left > 0) {
        const uint8_t *pattern = pattern_at(job->pattern_offset + pattern_sent);
        pieces[made++] = (struct iovec){
            .iov_base = (void *)(uintptr_t)pattern, /* sendmsg does not write to it */
            .iov_len = pattern_left < PATTERN_PIECE_MAX ? (size_t)pattern_left : PATTERN_PIECE_MAX};
    }
    return made;
}

/* A job whose pattern goes on behind its pieces is the last that is in one send. */
static int gather(const struct connection *connection, struct iovec *pieces)
{
    int made = 0;
    for (const struct job *job = connection->out_first; job != NULL && made + 2 <= PIECES_MAX;
         job = job->next) {
        made += pieces_of(job, pieces + made);
        if (job->pattern_size > PATTERN_PIECE_MAX) {
            break;
        }
    }
    return made;
}

static void take_sent(struct connection *connection, uint64_t sent)
{
    while (sent > 0) {
        struct job *job = connection->out_first;
        uint64_t left = job->size + job->pattern_size - job->sent;
        uint64_t part = sent < left ? sent : left;
        job->sent += part;
        sent -= part;
        if (part == left) {
            end_first(connection);
        }
    }
}

static void flush(struct connection *connection)
{
    ssize_t sent = 0;
    if (target.options.is_strict && connection->out_first != NULL) {
        look_for_early_bytes(connection);
    }
    while (connection->fd >= 0 && connection->out_first != NULL && sent >= 0) {
        struct iovec pieces[PIECES_MAX];
        struct msghdr message = {.msg_iov = pieces,
                                 .msg_iovlen = (size_t)gather(connection, pieces)};
        sent = sendmsg(connection->fd, &message, 0);
        if (sent >= 0) {
            take_sent(connection, (uint64_t)sent);
        } else if (errno != EAGAIN) {
            connection_close(connection);
        }
    }
}

void connections_flush(void)
{
    while (touched != NULL) {
        struct connection *connection = touched;
        touched = connection->next_touched;
        flush(connection);
        connection->is_touched = false;
        free_if_over(connection);
    }
}

void connection_handle(struct connection *connection, uint32_t events)
{
    bool peer_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (peer_ended || (events & EPOLLIN) != 0) {
        receive(connection, peer_ended);
    }
    if ((events & EPOLLOUT) != 0 && connection->fd >= 0) {
        flush(connection);
    }
    free_if_over(connection);
}

size_t connections_open(void)
{
    for (size_t fd = 0; fd < by_fd_size; fd++) {
        if (by_fd[fd] != NULL) {
            connection_handle(by_fd[fd], EPOLLIN | EPOLLRDHUP);
        }
    }
    return open_count;
}
