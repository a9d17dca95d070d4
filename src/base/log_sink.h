/* SPDX-License-Identifier: MIT */
/*
 * A log sink: a bounded buffer of whole lines in front of a descriptor that may take nothing for a while.
 *
 * Nothing here ever waits, except log_sink_finish, which is told how long it may. A line that finds no room
 * is lost and counted; from then on lines are lost until half of the buffer is free, so that they are lost
 * in a few long runs. A line of which a part was written stays until the rest is written too.
 *
 * What not waiting takes depends on what the descriptor is (Linux):
 *
 *   regular file, /dev/null   write(2) does not wait for anybody
 *   socket                    send(2) with MSG_DONTWAIT
 *   pipe, terminal            opened again through /proc/self/fd, without blocking: O_NONBLOCK on what we
 *                             were given would be on for everybody who shares it, the shell included.
 *                             Where that is not permitted: poll(2) first, then RWF_NOWAIT where the kernel
 *                             has it. Without that, another writer of the same pipe who is quicker after
 *                             the poll(2) may make us wait.
 *
 * A pipe takes at most PIPE_BUF at a time, ending with a line, which it takes whole or not at all: so our
 * lines are not torn by those of others.
 *
 * One thread.
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { LOG_SINK_BYTES = 256 * 1024 };

enum log_sink_kind { LOG_SINK_PLAIN, LOG_SINK_SOCKET, LOG_SINK_STREAM, LOG_SINK_SHARED_STREAM };

enum log_sink_state {
    LOG_SINK_READY,
    LOG_SINK_BLOCKED, /* it takes nothing now; whoever watches the descriptor says when it does again */
    LOG_SINK_FAILED, /* see `error`; tried again at `retry_ns` */
};

struct log_sink {
    int fd;
    bool owns; /* closes it */
    uint8_t kind;
    uint8_t state;
    bool loses;        /* until half of the buffer is free, and that was said */
    int error;         /* FAILED: errno */
    uint64_t retry_ns; /* FAILED: not tried again before this */
    uint64_t lost;     /* lines, since log_sink_take_lost */
    int lost_error;    /* errno of the failure that they were lost by; 0: nobody read */
    /* bytes[head .. tail) is whole lines; of the first one `begun` bytes are written. */
    size_t head, begun, tail;
    char bytes[LOG_SINK_BYTES];
};

/* Writes to `fd`, which is borrowed, or to another descriptor for the same file, which is owned. */
void log_sink_init(struct log_sink *sink, int fd);
/* Writes to what `fd` is, and takes it. What was not written yet goes there, a line that was begun from its
 * beginning. The number of the descriptor stays, if the old one was taken too. */
void log_sink_take(struct log_sink *sink, int fd);
/* Tries for up to `ns` to write what is left. */
void log_sink_finish(struct log_sink *sink, uint64_t ns);
/* Closes what it owns. */
void log_sink_deinit(struct log_sink *sink);

/* Lends room for a line of `size` bytes, its line feed included; NULL: the line is lost, which is counted. A
 * buffer that fills up is written in between if the descriptor takes it. */
char *log_sink_lend(struct log_sink *sink, size_t size) MUST_USE;
/* `size` bytes of what was lent are a line. */
void log_sink_give(struct log_sink *sink, size_t size);

/* Writes what the descriptor takes. A blocked one is left alone until log_sink_unblock, a failed one for a
 * second. */
void log_sink_write(struct log_sink *sink, uint64_t now_ns);
/* The same, whatever its state. */
void log_sink_write_now(struct log_sink *sink);
/* The descriptor has become writable. */
void log_sink_unblock(struct log_sink *sink);

static inline bool log_sink_is_empty(const struct log_sink *sink)
{
    return sink->head == sink->tail;
}

/* How many lines were lost, once there is room to say so, and why (see lost_error); then it begins anew. 0:
 * none, or there is no room yet. */
uint64_t log_sink_take_lost(struct log_sink *sink, int *error) MUST_USE;

/* When log_sink_write should be called at the latest, without anything else happening: only where room may
 * come back by itself, on a full disk or at the limit of a file. TIME_NEVER: need not be. */
uint64_t log_sink_deadline(const struct log_sink *sink);

#endif
