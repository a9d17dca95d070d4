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

#include "client_state.h"
#include "world.h"

enum { ANSWERS_MAX = 32 };

#define LAZY_NS (5 * NS_PER_S)

enum finale { FINALE_NONE, FINALE_END, FINALE_RESET };

struct answer {
    uint64_t at;
    uint8_t *bytes; /* owns */
    size_t size, done;
    enum finale finale; /* behind the bytes */
};

struct target_link {
    struct connection *link; /* borrows */
    uint32_t id;             /* of the request that is being answered */
    uint64_t parsed;         /* stream offset in `down` */
    struct answer answers[ANSWERS_MAX];
    uint32_t answers_count;
    bool lied;
    bool half_heard; /* answered before the request was whole; the rest of it is skipped */
    uint64_t deaf_until;
    uint64_t end_at, speak_at, hole_at; /* TIME_NEVER: never */
    uint64_t saw_end_at;                /* TIME_NEVER: not yet */
    bool lazy;
};

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

/* ---- answers ---- */

/* Opens a place for an answer of that time: by order the last, by identifier where its time puts it. */
static struct answer *open_place(const struct world *world, struct target_link *target,
                                 uint64_t *at)
{
    struct answer *place = &target->answers[target->answers_count++];
    if (!dialect_has_ids(&world->dialect)) {
        *at = place > target->answers && place[-1].at > *at ? place[-1].at : *at;
        return place;
    }
    while (place > target->answers && place[-1].at > *at && place[-1].done == 0) {
        *place = place[-1];
        place--;
    }
    return place;
}

static struct answer *add_answer(const struct world *world, struct target_link *target, uint64_t at,
                                 struct span bytes)
{
    if (target->answers_count == ANSWERS_MAX) {
        target->lied = true;
        return NULL; /* it has said enough */
    }
    struct answer *answer = open_place(world, target, &at);
    *answer = (struct answer){.at = at, .bytes = malloc(bytes.size + 1), .size = bytes.size};
    assert(answer->bytes != NULL);
    memcpy(answer->bytes, bytes.data, bytes.size);
    return answer;
}

static size_t write_right(const struct world *world, const struct target_link *target, char kind,
                          struct span request, uint8_t *out)
{
    uint8_t text[9000 + MESSAGE_HEAD_BYTES_MAX];
    size_t size = message_response_text(kind, request, response_bytes_max(world), text);
    size = message_write(&world->dialect, TARGET_SIDE, RESPONSE, span_of(text, size), out);
    if (dialect_has_ids(&world->dialect)) {
        message_set_id(out + 1, target->id);
    }
    return size;
}

/* Something that is no right answer to anything. */
static size_t write_wrong(struct world *world, struct target_link *target, uint8_t *out)
{
    target->lied = true;
    target->id = (uint32_t)(dialect_has_ids(&world->dialect) ? choose(world->choice, 256) : 0);
    return write_right(world, target, 'R', span_of("N0.0.nobody", 11), out);
}

static void answer_garbage(const struct world *world, struct target_link *target, uint64_t at)
{
    target->lied = true;
    add_answer(world, target, at, span_of("garbage\n", 8));
}

/* A message over the limit, with its end or without. */
static void answer_oversize(struct world *world, struct target_link *target, uint64_t at,
                            bool endless)
{
    size_t size = world->dialect.message_bytes_max + 10;
    target->lied = true;
    if (size > 9000) {
        return; /* then it stays silent */
    }
    uint8_t *text = malloc(size), *bytes = malloc(size + 8);
    assert(text != NULL);
    assert(bytes != NULL);
    memset(text, 'z', size);
    size_t written =
        message_write(&world->dialect, TARGET_SIDE, RESPONSE, span_of(text, size), bytes);
    add_answer(world, target, at, span_of(bytes, endless ? written - 1 : written));
    free(text);
    free(bytes);
}

static void answer_half(struct world *world, struct target_link *target, uint64_t at,
                        struct span right)
{
    size_t size = (size_t)choose(world->choice, right.size);
    struct answer *answer = add_answer(world, target, at, span_of(right.data, size));
    if (answer != NULL) {
        answer->finale = choose(world->choice, 2) == 0 ? FINALE_END : FINALE_RESET;
    }
}

static void answer_right(struct world *world, struct target_link *target, uint64_t at,
                         struct span request)
{
    const struct target_habits *habits = &world->swarm.target;
    struct choice *choice = world->choice;
    bool is_model = world->dialect.protocol->edit != NULL;
    uint8_t bytes[9000 + MESSAGE_HEAD_BYTES_MAX + 8];
    if (is_model && choose_percent(choice, habits->interim_percent)) {
        add_answer(world, target, at,
                   span_of(bytes, write_right(world, target, 'I', request, bytes)));
        at += world->healed ? 0 : choose(choice, habits->think_max_ns + 1);
    }
    if (dialect_has_ids(&world->dialect) && !world->healed &&
        choose_percent(choice, habits->wrong_id_percent)) {
        target->lied = true;
        target->id = (uint32_t)choose(choice, 256);
    }
    bool last = is_model && !world->healed && choose_percent(choice, habits->last_percent);
    struct span right = {.data = bytes,
                         .size = write_right(world, target, last ? 'Z' : 'R', request, bytes)};
    if (!world->healed && choose_percent(choice, habits->half_percent)) {
        answer_half(world, target, at, right);
        return;
    }
    struct answer *answer = add_answer(world, target, at, right);
    if (world->healed) {
        return;
    }
    if (answer != NULL && choose_percent(choice, habits->closes_percent)) {
        answer->finale = choose(choice, 2) == 0 ? FINALE_END : FINALE_RESET;
    }
    if (choose_percent(choice, habits->duplicate_percent)) {
        target->lied = true;
        add_answer(world, target, at + choose(choice, habits->think_max_ns + 1), right);
    }
}

/* Decides what becomes of a request that has arrived. */
static void answer(struct world *world, struct target_link *target, struct span request)
{
    const struct target_habits *habits = &world->swarm.target;
    struct choice *choice = world->choice;
    bool well = world->healed;
    uint64_t at = world->now_ns + (well ? 0 : choose(choice, habits->think_max_ns + 1));
    if (!well && choose_percent(choice, habits->silent_percent)) {
        target->lied = true; /* in a pipeline, what it says next stands in the wrong place */
        return;
    }
    if (!well && choose_percent(choice, habits->garbage_percent)) {
        answer_garbage(world, target, at);
    } else if (!well && choose_percent(choice, habits->oversize_percent)) {
        answer_oversize(world, target, at, false);
    } else if (!well && choose_percent(choice, habits->endless_percent)) {
        answer_oversize(world, target, at, true);
    } else if (!well && choose_percent(choice, habits->resets_percent)) {
        struct answer *end = add_answer(world, target, at, span_of("", 0));
        if (end != NULL) {
            end->finale = choose(choice, 2) == 0 ? FINALE_END : FINALE_RESET;
        }
    } else {
        bool late = !well && choose_percent(choice, habits->late_percent);
        at += late ? world->options.response_timeout_ns : 0;
        answer_right(world, target, at, request);
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

static void read_requests(struct world *world, struct target_link *target)
{
    struct pipe *down = &target->link->down;
    pipe_consume(down, pipe_available(down));
    for (;;) {
        size_t size;
        struct span text;
        struct span bytes = pipe_history(down, target->parsed, down->read);
        if (message_cut(&world->dialect, TARGET_SIDE, REQUEST, bytes, &size, &text) != CUT_WHOLE) {
            if (bytes.size > 0 && !target->half_heard && !world->healed &&
                choose_percent(world->choice, world->swarm.target.early_percent)) {
                uint8_t wrong[9000 + MESSAGE_HEAD_BYTES_MAX + 8];
                target->half_heard = true;
                add_answer(world, target, world->now_ns,
                           span_of(wrong, write_wrong(world, target, wrong)));
            }
            return;
        }
        target->parsed += size;
        char shown[60];
        WORLD_TRACE(world, "the target hears on link %llu: %s",
                    (unsigned long long)target->link->number,
                    trace_bytes(shown, sizeof shown, text));
        if (target->half_heard) {
            target->half_heard = false;
        } else if (text.data[0] != '!') {
            target->id = dialect_has_ids(&world->dialect) ? message_id(TARGET_SIDE, bytes) : 0;
            answer(world, target, text);
        }
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
    uint8_t wrong[9000 + MESSAGE_HEAD_BYTES_MAX + 8];
    target->speak_at = TIME_NEVER;
    add_answer(world, target, world->now_ns, span_of(wrong, write_wrong(world, target, wrong)));
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
        finish(world, target, choose(world->choice, 2) == 0 ? FINALE_END : FINALE_RESET);
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
