/* SPDX-License-Identifier: MIT */
/*
 * What the target says on one link, right or wrong; see target_model.h. A right answer to a request with a
 * body can be given as soon as its head is there.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sharing.h"
#include "target_model.h"
#include "target_state.h"
#include "world.h"

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

static enum finale draw_finale(struct world *world)
{
    return choose(world->choice, 2) == 0 ? FINALE_END : FINALE_RESET;
}

/* The right answer, dressed. `bytes` is the caller's to free. */
static struct span write_right(const struct world *world, const struct target_link *target,
                               char kind, struct span request, uint8_t **bytes)
{
    uint8_t *text = malloc(message_response_room(&world->dialect));
    *bytes = malloc(message_room(&world->dialect, message_response_room(&world->dialect)));
    assert(text != NULL);
    assert(*bytes != NULL);
    size_t size = message_response_text(&world->dialect, kind, request, text);
    if (dialect_has_ids(&world->dialect) && sharing_is_shareable((char)request.data[0])) {
        message_set_number(span_of(text, size), text, target->heard_as);
    }
    size = message_write(&world->dialect, TARGET_SIDE, RESPONSE, span_of(text, size), *bytes);
    if (dialect_has_ids(&world->dialect)) {
        message_set_id(*bytes + 1, target->id);
    }
    free(text);
    return (struct span){.data = *bytes, .size = size};
}

void target_answer_wrong(struct world *world, struct target_link *target)
{
    uint8_t *bytes;
    target->lied = true;
    uint32_t ids = !dialect_has_ids(&world->dialect) ? 1 : world->swarm.is_brisk ? 3 : 256;
    target->id = (uint32_t)choose(world->choice, ids);
    struct span wrong = write_right(world, target, 'R', span_of("N0.0.nobody", 11), &bytes);
    add_answer(world, target, world->now_ns, wrong);
    free(bytes);
}

void target_speak(struct world *world, struct target_link *target)
{
    if (!world->dialect.has_types || choose(world->choice, 3) == 0) {
        target_answer_wrong(world, target);
        return;
    }
    uint8_t bytes[MESSAGE_HEAD_BYTES_MAX];
    size_t size = message_event(&world->dialect, choose(world->choice, 2) == 0, bytes);
    add_answer(world, target, world->now_ns, span_of(bytes, size)); /* which is nobody's answer */
}

static void answer_garbage(const struct world *world, struct target_link *target, uint64_t at)
{
    target->lied = true;
    add_answer(world, target, at, span_of("garbage\n", 8));
}

/* A message over the limit, with its end or without. Protocol `stream`: a head. */
static void answer_oversize(struct world *world, struct target_link *target, uint64_t at,
                            bool endless)
{
    size_t size = world->dialect.message_bytes_max + 10;
    target->lied = true;
    if (size > 9000) {
        return; /* then it stays silent */
    }
    uint8_t *text = malloc(size), *bytes = malloc(message_room(&world->dialect, size));
    assert(text != NULL);
    assert(bytes != NULL);
    memset(text, 'z', size);
    size_t written =
        message_write(&world->dialect, TARGET_SIDE, RESPONSE, span_of(text, size), bytes);
    add_answer(world, target, at, span_of(bytes, endless ? written - 1 : written));
    free(text);
    free(bytes);
}

/* A message that can be no response, but names the request and ends where it should. */
static void answer_no_response(const struct world *world, struct target_link *target, uint64_t at)
{
    uint8_t bytes[] = "<00?\n";
    message_set_id(bytes + 1, target->id);
    add_answer(world, target, at, span_of(bytes, sizeof bytes - 1));
}

static void answer_half(struct world *world, struct target_link *target, uint64_t at,
                        struct span right)
{
    size_t size = (size_t)choose(world->choice, right.size);
    struct answer *answer = add_answer(world, target, at, span_of(right.data, size));
    target->lied = target->lied || dialect_streams(&world->dialect); /* its end may look proper */
    if (answer != NULL) {
        answer->finale = draw_finale(world);
    }
}

/* Protocol `stream`: in the middle of a body something that does not belong there, or in front of the end
 * a chunk more than is allowed. False: it has none. */
static bool answer_spoilt(struct world *world, struct target_link *target, uint64_t at,
                          uint8_t *bytes, struct span right)
{
    const uint8_t *first = memchr(right.data, '+', right.size);
    if (first == NULL) {
        return false;
    }
    size_t line = (size_t)(first - right.data);
    uint8_t *large = malloc(right.size + 20000);
    assert(large != NULL);
    memcpy(large, bytes, right.size);
    target->lied = true;
    if (choose(world->choice, 2) == 0) {
        /* The last line, or the first: a body in between holds no '+'. */
        large[choose(world->choice, 2) == 0 ? line : right.size - 2] = 'x';
        add_answer(world, target, at, span_of(large, right.size));
    } else {
        memcpy(large + right.size - 2, "+400001\n", 8);
        memset(large + right.size + 6, 'z', 15000);
        add_answer(world, target, at, span_of(large, right.size + 15000));
    }
    free(large);
    return true;
}

/* It speaks in parts, some of the time. */
static void draw_parts(struct world *world, struct answer *answer)
{
    const struct target_habits *habits = &world->swarm.target;
    if (choose_percent(world->choice, habits->pauses_percent)) {
        answer->part_bytes_max = (size_t)choose_between(world->choice, 1, 1 + answer->size / 2);
        answer->pause_ns = habits->pause_ns;
    } else if (choose_percent(world->choice, habits->trickles_percent)) {
        answer->part_bytes_max = 2;
        answer->pause_ns = world->options.response_timeout_ns / 2;
    }
}

/* A word before the answer, or the same word for as long as it takes. */
static void answer_interim(struct world *world, struct target_link *target, uint64_t at,
                           struct span request)
{
    enum { TRICKLED_COUNT = 30 };
    const struct target_habits *habits = &world->swarm.target;
    uint8_t *bytes;
    struct span word = write_right(world, target, 'I', request, &bytes);
    if (world->healed || !choose_percent(world->choice, habits->trickles_percent)) {
        add_answer(world, target, at, word);
        free(bytes);
        return;
    }
    uint8_t *words = malloc(word.size * TRICKLED_COUNT);
    assert(words != NULL);
    for (size_t i = 0; i < TRICKLED_COUNT; i++) {
        memcpy(words + i * word.size, word.data, word.size);
    }
    struct answer *answer =
        add_answer(world, target, at, span_of(words, word.size * TRICKLED_COUNT));
    if (answer != NULL) {
        answer->part_bytes_max = word.size;
        answer->pause_ns = world->options.response_timeout_ns / 2;
    }
    free(words);
    free(bytes);
}

/* Right behind it, in the same breath, stands what answers nothing: no message, or the same one again. */
static void add_behind(struct world *world, struct target_link *target, struct answer *answer)
{
    bool is_again = choose(world->choice, 2) == 0;
    size_t more = is_again ? answer->size : 8;
    uint8_t *bytes = malloc(answer->size + more);
    assert(bytes != NULL);
    memcpy(bytes, answer->bytes, answer->size);
    memcpy(bytes + answer->size, is_again ? (const char *)answer->bytes : "garbage\n", more);
    free(answer->bytes);
    answer->bytes = bytes;
    answer->size += more;
    target->lied = true;
}

static void answer_faulty(struct world *world, struct target_link *target, uint64_t at,
                          struct answer *answer)
{
    const struct target_habits *habits = &world->swarm.target;
    struct choice *choice = world->choice;
    if (choose_percent(choice, habits->trails_percent)) {
        add_behind(world, target, answer);
    }
    struct span right = {.data = answer->bytes, .size = answer->size};
    draw_parts(world, answer);
    if (answer->finale == FINALE_NONE && choose_percent(choice, habits->closes_percent)) {
        answer->finale = draw_finale(world);
    }
    if (choose_percent(choice, habits->duplicate_percent)) {
        target->lied = true;
        add_answer(world, target, at + choose(choice, habits->think_max_ns + 1), right);
    }
}

/* Whether a dressed response goes on until the link ends. */
static bool is_until_end(const struct world *world, struct span right)
{
    const uint8_t *newline = memchr(right.data, '\n', right.size);
    return dialect_streams(&world->dialect) && newline != NULL && newline > right.data &&
           newline[-1] == '*';
}

static void answer_right(struct world *world, struct target_link *target, uint64_t at,
                         struct span request)
{
    const struct target_habits *habits = &world->swarm.target;
    struct choice *choice = world->choice;
    bool edits = world->dialect.protocol->edit != NULL;
    uint8_t *bytes;
    if (edits && choose_percent(choice, habits->interim_percent)) {
        answer_interim(world, target, at, request);
        at += world->healed ? 0 : choose(choice, habits->think_max_ns + 1);
    }
    if (dialect_has_ids(&world->dialect) && !world->healed &&
        choose_percent(choice, habits->wrong_id_percent)) {
        target->lied = true;
        target->id = (uint32_t)choose(choice, 256);
    }
    if (dialect_has_ids(&world->dialect) && !world->healed &&
        choose_percent(choice, habits->wrong_percent)) {
        answer_no_response(world, target, at);
        return;
    }
    bool last = edits && !world->healed && choose_percent(choice, habits->last_percent);
    struct span right = write_right(world, target, last ? 'Z' : 'R', request, &bytes);
    if (!world->healed && choose_percent(choice, habits->half_percent)) {
        answer_half(world, target, at, right);
    } else if (world->healed || !dialect_streams(&world->dialect) ||
               !choose_percent(choice, habits->spoils_percent) ||
               !answer_spoilt(world, target, at, bytes, right)) {
        struct answer *answer = add_answer(world, target, at, right);
        if (answer != NULL && is_until_end(world, right)) {
            answer->finale = FINALE_END;
        }
        if (answer != NULL && !world->healed) {
            answer_faulty(world, target, at, answer);
        }
    }
    free(bytes);
}

void target_answer(struct world *world, struct target_link *target, struct span request)
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
            end->finale = draw_finale(world);
        }
    } else {
        bool late = !well && choose_percent(choice, habits->late_percent);
        at += late ? world->options.response_timeout_ns : 0;
        answer_right(world, target, at, request);
    }
}

bool target_answer_early(struct world *world, struct target_link *target, struct span head)
{
    const struct target_habits *habits = &world->swarm.target;
    bool is_early = !world->healed && choose_percent(world->choice, habits->early_percent);
    if (!dialect_streams(&world->dialect)) {
        if (is_early) {
            target_answer_wrong(world, target);
        }
        return is_early;
    }
    if (is_early && head.data[0] != '!') {
        target_answer(world, target, head);
        return true;
    }
    if (head.data[0] == 'E') { /* which waits for a word, or not */
        uint8_t *bytes;
        add_answer(world, target, world->now_ns, write_right(world, target, 'I', head, &bytes));
        free(bytes);
    }
    return false;
}
