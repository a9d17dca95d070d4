/* SPDX-License-Identifier: MIT */
/*
 * One direction of a simulated TCP connection: bytes go in at one end and arrive at the other, later
 * and cut differently, never reordered.
 *
 *     0         read          arrived        written
 *     | consumed  | readable     | in flight   |        written - read <= capacity
 *
 * The whole history is kept, so that checks can look back at what was said. `end` is the writer's
 * end-of-stream and arrives behind the bytes; `reset` tells the reader that all is over.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "choice.h"

enum { PIPE_SEGMENTS_MAX = 32 };

struct pipe_style {
    size_t capacity;
    uint64_t latency_min_ns, latency_max_ns;
    uint32_t split_percent; /* a write arrives in several segments */
    uint32_t stall_percent; /* a segment takes stall_ns more */
    uint64_t stall_ns;
};

struct pipe_segment {
    uint64_t at;
    uint64_t upto; /* stream offset behind its last byte */
};

struct pipe {
    struct pipe_style style;
    uint8_t *bytes; /* owns: the whole history */
    size_t room;
    uint64_t written, arrived, read;
    struct pipe_segment segments[PIPE_SEGMENTS_MAX];
    uint32_t first, count;
    uint64_t last_at;
    bool ended; /* by the writer; arrives at end_at */
    uint64_t end_at;
    bool is_reset; /* arrives at reset_at */
    uint64_t reset_at;
    bool reader_gone; /* nobody will ever read: bytes are discarded */
    bool swallows;    /* a black hole: nothing arrives any more */
    bool blocked;     /* the writer found it full and waits for room */
};

void pipe_init(struct pipe *pipe, const struct pipe_style *style);
void pipe_deinit(struct pipe *pipe);

/* Takes at most as many bytes as there is room for, and says how many. */
size_t pipe_write(struct pipe *pipe, struct choice *choice, uint64_t now, struct span bytes);
void pipe_end(struct pipe *pipe, struct choice *choice, uint64_t now);

/* The reader is told of a reset; what has not arrived is lost. */
void pipe_reset(struct pipe *pipe, struct choice *choice, uint64_t now);

/* From now on the pipe is of this style, and what is on its way arrives now. */
void pipe_heal(struct pipe *pipe, const struct pipe_style *style, uint64_t now);

/* Lets everything arrive that is due. */
void pipe_update(struct pipe *pipe, uint64_t now);

/* When the next thing arrives, TIME_NEVER: nothing is on its way. */
uint64_t pipe_next_at(const struct pipe *pipe, uint64_t now);

static inline size_t pipe_free(const struct pipe *pipe)
{
    uint64_t held = pipe->written - pipe->read;
    return pipe->reader_gone              ? pipe->style.capacity
           : held >= pipe->style.capacity ? 0
                                          : pipe->style.capacity - (size_t)held;
}

static inline size_t pipe_available(const struct pipe *pipe)
{
    return (size_t)(pipe->arrived - pipe->read);
}

/* Everything that was written from `from` up to `upto`; valid until the next write. */
static inline struct span pipe_history(const struct pipe *pipe, uint64_t from, uint64_t upto)
{
    return span_of(pipe->bytes == NULL ? NULL : pipe->bytes + from, (size_t)(upto - from));
}

/* Lends what can be read now; pipe_consume takes it. */
static inline struct span pipe_view(const struct pipe *pipe)
{
    return pipe_history(pipe, pipe->read, pipe->arrived);
}

void pipe_consume(struct pipe *pipe, size_t size);

/* End-of-stream has arrived and everything before it was read. */
bool pipe_is_at_end(const struct pipe *pipe, uint64_t now);
bool pipe_is_broken(const struct pipe *pipe, uint64_t now);

#endif
