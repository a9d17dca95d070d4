/* SPDX-License-Identifier: MIT */
/*
 * The target's end of one link; see target_model.h.
 *
 * Whatever it is going to say stands in a queue of answers, each with its time; what does not fit into
 * the pipe goes on later. What it will do to the link (end, reset, black hole) hangs behind an answer or
 * has a time of its own.
 */
#include "target_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sharing.h"
#include "target_state.h"
#include "world.h"

#define LAZY_NS (5 * NS_PER_S)

/* ---- life ---- */

static uint64_t draw_time(struct world *world, uint32_t percent)
{
    return choose_percent(world->choice, percent)
               ? world->now_ns + choose(world->choice, world->swarm.midway_ns + 1)
               : TIME_NEVER;
}

struct target_link *target_link_create(struct world *world, struct connection *link)
{
    const struct target_habits *habits = &world->swarm.target;
    struct target_link *target = calloc(1, sizeof *target);
    assert(target != NULL);
    target->link = link;
    target->end_at = target->speak_at = target->hole_at = target->saw_end_at = TIME_NEVER;
    if (world->healed) {
        return target;
    }
    target->end_at = draw_time(world, habits->closes_idle_percent);
    if (choose_percent(world->choice, habits->closes_at_once_percent)) {
        target->end_at = world->now_ns;
    }
    target->speak_at = draw_time(world, habits->stray_percent);
    if (choose_percent(world->choice, habits->speaks_first_percent)) {
        target->speak_at = world->now_ns;
    }
    target->hole_at = draw_time(world, habits->black_hole_percent);
    if (choose_percent(world->choice, habits->stops_reading_percent)) {
        target->deaf_until =
            world->now_ns + choose(world->choice, world->options.response_timeout_ns * 2);
    }
    target->lazy = choose_percent(world->choice, habits->lazy_close_percent);
    return target;
}

void target_link_destroy(struct target_link **target_pointer)
{
    struct target_link *target = *target_pointer;
    *target_pointer = NULL;
    for (uint32_t i = 0; i < target->answers_count; i++) {
        free(target->answers[i].bytes);
    }
    reader_deinit(&target->reader);
    free(target);
}

bool target_link_has_lied(const struct target_link *target)
{
    return target->lied;
}

void target_link_heal(struct world *world, struct target_link *target)
{
    target->end_at = target->speak_at = target->hole_at = TIME_NEVER;
    target->deaf_until = 0;
    target->lazy = false;
    for (uint32_t i = 0; i < target->answers_count; i++) {
        target->answers[i].part_bytes_max = 0;
        target->answers[i].at =
            target->answers[i].at > world->now_ns ? world->now_ns : target->answers[i].at;
    }
    if (target->link->up.swallows && target->link->peer_open) {
        connection_peer_reset(target->link, world->choice,
                              world->now_ns); /* it has forgotten the link */
    }
}

void target_link_restart(struct world *world, struct target_link *target)
{
    if (!target->link->peer_open) {
        return;
    }
    bool reset = choose(world->choice, 2) == 0;
    WORLD_TRACE(world, "the target restarts: link %llu is %s",
                (unsigned long long)target->link->number, reset ? "reset" : "ended");
    if (reset) {
        connection_peer_reset(target->link, world->choice, world->now_ns);
    } else {
        connection_peer_close(target->link, world->choice, world->now_ns);
    }
}

/* ---- moves ---- */

enum move { MOVE_NONE, MOVE_READ, MOVE_WRITE, MOVE_SEE_END, MOVE_END, MOVE_SPEAK, MOVE_HOLE };

struct plan {
    enum move move;
    uint64_t at;
};

static void propose(struct plan *plan, enum move move, uint64_t at)
{
    if (at < plan->at) {
        *plan = (struct plan){.move = move, .at = at};
    }
}

static struct plan next_move(const struct world *world, const struct target_link *target)
{
    struct plan plan = {.move = MOVE_NONE, .at = TIME_NEVER};
    const struct connection *link = target->link;
    uint64_t now = world->now_ns;
    if (!link->peer_open) {
        return plan;
    }
    propose(&plan, MOVE_HOLE, target->hole_at);
    propose(&plan, MOVE_END, target->end_at);
    if (!link->up.ended) {
        propose(&plan, MOVE_SPEAK, target->speak_at);
    }
    if (pipe_available(&link->down) > 0) {
        propose(&plan, MOVE_READ, target->deaf_until > now ? target->deaf_until : now);
    } else if (pipe_is_broken(&link->down, now)) {
        propose(&plan, MOVE_SEE_END, now);
    } else if (pipe_is_at_end(&link->down, now)) {
        uint64_t at = target->saw_end_at == TIME_NEVER ? now
                      : target->lazy                   ? target->saw_end_at + LAZY_NS
                                                       : now;
        propose(&plan, MOVE_SEE_END, at);
    }
    if (target->answers_count > 0 && pipe_free(&link->up) > 0 && !link->up.ended) {
        propose(&plan, MOVE_WRITE, target->answers[0].at);
    }
    propose(&plan, MOVE_NONE, pipe_next_at(&link->down, now));
    return plan;
}

uint64_t target_link_due(const struct world *world, const struct target_link *target)
{
    struct plan plan = next_move(world, target);
    return plan.move == MOVE_NONE && plan.at <= world->now_ns ? TIME_NEVER : plan.at;
}

/* A request is whole, and is answered unless it was before. */
static void take_request(struct world *world, struct target_link *target)
{
    struct span text = reader_text(&target->reader);
    char shown[60];
    WORLD_TRACE(world, "the target hears on link %llu: %s",
                (unsigned long long)target->link->number, trace_bytes(shown, sizeof shown, text));
    if (dialect_has_ids(&world->dialect)) {
        target->heard_as = sharing_heard(world, target->link, target->reader.id, text);
    }
    if (!target->half_heard && text.data[0] != '!') {
        target->id = target->reader.id;
        target_answer(world, target, text);
    }
    target->head_seen = target->half_heard = false;
    reader_reset(&target->reader);
}

/* A part of a request is there. */
static void take_part(struct world *world, struct target_link *target, size_t more)
{
    bool streams = dialect_streams(&world->dialect);
    struct span head = reader_text(&target->reader);
    if (target->head_seen || (streams ? !reader_has_head(&target->reader) : more == 0)) {
        return;
    }
    target->head_seen = streams;
    target->half_heard = target->half_heard || target_answer_early(world, target, head);
}

static void read_requests(struct world *world, struct target_link *target)
{
    struct pipe *down = &target->link->down;
    pipe_consume(down, pipe_available(down));
    for (;;) {
        struct span bytes = pipe_history(down, target->parsed, down->read);
        size_t size = reader_take(&target->reader, &world->dialect, TARGET_SIDE, REQUEST, bytes);
        target->parsed += size;
        if (target->reader.phase != READER_WHOLE) {
            take_part(world, target, bytes.size - size);
            return;
        }
        take_request(world, target);
    }
}

static void finish(struct world *world, struct target_link *target, enum finale finale)
{
    WORLD_TRACE(world, "the target %s link %llu", finale == FINALE_RESET ? "resets" : "closes",
                (unsigned long long)target->link->number);
    if (finale == FINALE_RESET) {
        connection_peer_reset(target->link, world->choice, world->now_ns);
    } else {
        connection_peer_close(target->link, world->choice, world->now_ns);
    }
}

static void write_answer(struct world *world, struct target_link *target)
{
    struct answer *first = &target->answers[0];
    struct span rest = span_of(first->bytes + first->done, first->size - first->done);
    char shown[60];
    WORLD_TRACE(world, "the target says on link %llu: %s", (unsigned long long)target->link->number,
                trace_bytes(shown, sizeof shown, rest));
    if (first->part_bytes_max > 0) {
        size_t part = (size_t)choose_between(world->choice, 1, first->part_bytes_max);
        rest.size = part < rest.size ? part : rest.size;
        first->at = world->now_ns + choose(world->choice, first->pause_ns + 1);
    }
    first->done += connection_peer_write(target->link, world->choice, world->now_ns, rest);
    if (first->done < first->size) {
        return;
    }
    enum finale finale = first->finale;
    free(first->bytes);
    target->answers_count--;
    memmove(first, first + 1, target->answers_count * sizeof *first);
    if (finale != FINALE_NONE) {
        finish(world, target, finale);
    } else if (world->swarm.target.closes_behind && !world->healed &&
               target->end_at == TIME_NEVER) { /* and hears nothing more */
        target->end_at = world->now_ns + world->swarm.target.closes_behind_ns;
        target->deaf_until = target->end_at;
    }
}

static void see_end(struct world *world, struct target_link *target)
{
    if (target->saw_end_at == TIME_NEVER && target->lazy &&
        !pipe_is_broken(&target->link->down, world->now_ns)) {
        target->saw_end_at = world->now_ns;
        return;
    }
    finish(world, target, FINALE_END);
}

void target_link_speak(struct world *world, struct target_link *target)
{
    target->speak_at = choose(world->choice, 2) == 0 ? TIME_NEVER : draw_time(world, 100);
    target_speak(world, target);
}

static void fall_into_hole(struct world *world, struct target_link *target)
{
    WORLD_TRACE(world, "link %llu is a black hole from now on",
                (unsigned long long)target->link->number);
    target->hole_at = TIME_NEVER;
    target->link->up.swallows = target->link->down.swallows = true;
}

static void act(struct world *world, struct target_link *target, struct plan plan)
{
    switch (plan.move) {
    case MOVE_NONE:
        break;
    case MOVE_READ:
        read_requests(world, target);
        break;
    case MOVE_WRITE:
        write_answer(world, target);
        break;
    case MOVE_SEE_END:
        see_end(world, target);
        break;
    case MOVE_END:
        target->end_at = TIME_NEVER;
        finish(world, target,
               world->swarm.target.closes_behind || choose(world->choice, 2) == 0 ? FINALE_END
                                                                                  : FINALE_RESET);
        break;
    case MOVE_SPEAK:
        target_link_speak(world, target);
        break;
    case MOVE_HOLE:
        fall_into_hole(world, target);
        break;
    }
}

void target_link_act(struct world *world, struct target_link *target)
{
    do {
        struct plan plan = next_move(world, target);
        assert(plan.at <= world->now_ns);
        act(world, target, plan);
    } while (world->swarm.is_brisk && target_link_due(world, target) <= world->now_ns);
}
