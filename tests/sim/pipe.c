/* SPDX-License-Identifier: MIT */
/* One direction of a simulated connection; see pipe.h. Arrival times never decrease: a stalled segment
 * holds up everything behind it, as TCP does. When the ring of segments is full, a write joins the
 * last one. */
#include "pipe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

void pipe_init(struct pipe *pipe, const struct pipe_style *style)
{
    memset(pipe, 0, sizeof *pipe);
    pipe->style = *style;
    assert(style->capacity > 0);
}

void pipe_deinit(struct pipe *pipe)
{
    free(pipe->bytes);
    memset(pipe, 0, sizeof *pipe);
}

static uint64_t arrival(struct pipe *pipe, struct choice *choice, uint64_t now)
{
    if (pipe->swallows) {
        return TIME_NEVER;
    }
    uint64_t latency =
        choose_between(choice, pipe->style.latency_min_ns, pipe->style.latency_max_ns);
    if (choose_percent(choice, pipe->style.stall_percent)) {
        latency += pipe->style.stall_ns;
    }
    uint64_t at = time_after(now, latency);
    at = at < pipe->last_at ? pipe->last_at : at;
    pipe->last_at = at;
    return at;
}

static void keep(struct pipe *pipe, struct span bytes)
{
    size_t needed = (size_t)pipe->written + bytes.size;
    if (needed > pipe->room) {
        pipe->room = needed * 2 + 64;
        pipe->bytes = realloc(pipe->bytes, pipe->room);
        assert(pipe->bytes != NULL);
    }
    memcpy(pipe->bytes + pipe->written, bytes.data, bytes.size);
    pipe->written += bytes.size;
}

static void add_segment(struct pipe *pipe, struct choice *choice, uint64_t now)
{
    if (pipe->count == PIPE_SEGMENTS_MAX) {
        pipe->segments[(pipe->first + pipe->count - 1) % PIPE_SEGMENTS_MAX].upto = pipe->written;
        return;
    }
    pipe->segments[(pipe->first + pipe->count++) % PIPE_SEGMENTS_MAX] =
        (struct pipe_segment){.at = arrival(pipe, choice, now), .upto = pipe->written};
}

size_t pipe_write(struct pipe *pipe, struct choice *choice, uint64_t now, struct span bytes)
{
    assert(!pipe->ended);
    size_t taken = bytes.size < pipe_free(pipe) ? bytes.size : pipe_free(pipe);
    pipe->blocked = taken < bytes.size;
    if (pipe->reader_gone || pipe->is_reset) {
        return taken; /* into the void */
    }
    for (size_t done = 0; done < taken;) {
        size_t size = taken - done;
        if (size > 1 && choose_percent(choice, pipe->style.split_percent)) {
            size = (size_t)choose_between(choice, 1, size);
        }
        keep(pipe, span_of(bytes.data + done, size));
        add_segment(pipe, choice, now);
        done += size;
    }
    pipe_update(pipe, now);
    return taken;
}

void pipe_end(struct pipe *pipe, struct choice *choice, uint64_t now)
{
    if (!pipe->ended) {
        pipe->ended = true;
        pipe->end_at = arrival(pipe, choice, now);
    }
}

void pipe_reset(struct pipe *pipe, struct choice *choice, uint64_t now)
{
    if (pipe->is_reset) {
        return;
    }
    pipe->is_reset = true;
    pipe->reset_at = pipe->swallows ? TIME_NEVER
                                    : now + choose_between(choice, pipe->style.latency_min_ns,
                                                           pipe->style.latency_max_ns);
    pipe->count = 0;
}

static uint64_t no_later(uint64_t at, uint64_t now)
{
    return at > now ? now : at;
}

void pipe_heal(struct pipe *pipe, const struct pipe_style *style, uint64_t now)
{
    pipe->style = *style;
    pipe->swallows = false;
    pipe->last_at = no_later(pipe->last_at, now);
    pipe->end_at = no_later(pipe->end_at, now);
    pipe->reset_at = no_later(pipe->reset_at, now);
    for (uint32_t i = 0; i < pipe->count; i++) {
        struct pipe_segment *segment = &pipe->segments[(pipe->first + i) % PIPE_SEGMENTS_MAX];
        segment->at = no_later(segment->at, now);
    }
}

void pipe_update(struct pipe *pipe, uint64_t now)
{
    while (pipe->count > 0 && pipe->segments[pipe->first].at <= now) {
        pipe->arrived = pipe->segments[pipe->first].upto;
        pipe->first = (pipe->first + 1) % PIPE_SEGMENTS_MAX;
        pipe->count--;
    }
}

uint64_t pipe_next_at(const struct pipe *pipe, uint64_t now)
{
    uint64_t at = TIME_NEVER;
    if (pipe->reader_gone) {
        return at;
    }
    if (pipe->count > 0) {
        at = pipe->segments[pipe->first].at;
    }
    if (pipe->ended && pipe->end_at > now && pipe->end_at < at) {
        at = pipe->end_at;
    }
    if (pipe->is_reset && pipe->reset_at > now && pipe->reset_at < at) {
        at = pipe->reset_at;
    }
    return at;
}

void pipe_consume(struct pipe *pipe, size_t size)
{
    assert(size <= pipe_available(pipe));
    pipe->read += size;
}

bool pipe_is_at_end(const struct pipe *pipe, uint64_t now)
{
    return pipe->ended && pipe->end_at <= now && pipe->read == pipe->written;
}

bool pipe_is_broken(const struct pipe *pipe, uint64_t now)
{
    return pipe->is_reset && pipe->reset_at <= now;
}
