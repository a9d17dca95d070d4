/* SPDX-License-Identifier: MIT */
/*
 * Feeds a byte stream to a framer in many ways; see framing.h.
 *
 * One run plays the part of the core: it shows the framer all bytes since the last piece, steps
 * over each piece, and lets the next chunk come when the framer wants more.
 */
#include "lib/framing.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/random.h"
#include "lib/guard.h"

enum { RANDOM_RUNS = 32 };

/* What a framer must overwrite, so that a field it forgets shows. */
static const struct request forgotten = {.kind = 0xEE, .id = 0xEEEEEEEE, .key = 0xEEEEEEEE};

struct run {
    const struct framing *framing;
    struct framing_outcome *outcome;
    struct framer framer;
    struct request request;
    bool inside; /* a message has begun and not ended */
};

static enum frame_status call(struct run *run, struct span bytes, struct frame *frame)
{
    const struct framing *framing = run->framing;
    run->outcome->calls++;
    if (framing->direction == TO_TARGET) {
        return framing->protocol->frame_request(&framing->settings, &run->framer, bytes, frame,
                                                &run->request);
    }
    /* By identifier the core does not know yet what is answered. */
    bool is_known = framing->protocol->matching == MATCH_BY_ORDER || framing->settings.ignore_id;
    return framing->protocol->frame_response(&framing->settings, &run->framer,
                                             is_known ? &framing->request : NULL, bytes, frame);
}

static bool is_zeroed(const struct framer *framer)
{
    return framer->left == 0 && framer->seen == 0 && framer->scanned == 0 && framer->state == 0;
}

/* What protocol.h promises of every call. */
static void check_promises(const struct run *run, enum frame_status status, struct span bytes,
                           const struct frame *frame, uint32_t scanned_before)
{
    if (status == FRAME_PIECE) {
        assert(frame->size > 0);
        assert(frame->size <= bytes.size);
        assert(!frame->ends || is_zeroed(&run->framer));
    } else if (status == FRAME_SKIP || status == FRAME_WRONG) {
        assert(status == FRAME_SKIP || run->framing->direction == TO_CLIENT);
        assert(!run->inside && is_zeroed(&run->framer));
        assert(frame->size > 0 && frame->size <= bytes.size);
    } else if (status == FRAME_PARTIAL) {
        assert(frame->size == 0 || frame->size > bytes.size);
        assert(run->framer.scanned <= bytes.size);
        assert(run->framer.scanned >= scanned_before); /* nothing is looked at twice */
        assert(bytes.size > 0 || run->inside || is_zeroed(&run->framer));
    }
}

static void message_begin(struct run *run, const struct frame *frame)
{
    struct framing_outcome *outcome = run->outcome;
    size_t size = (outcome->count + 1) * sizeof *outcome->messages;
    outcome->messages = realloc(outcome->messages, size);
    assert(outcome->messages != NULL);
    outcome->messages[outcome->count++] =
        (struct framing_message){.first_size = frame->size, .id = frame->id};
    if (run->framing->direction == TO_TARGET) {
        outcome->messages[outcome->count - 1].request = run->request;
    }
}

static void piece_add(struct run *run, const struct frame *frame)
{
    run->outcome->pieces++;
    if (!run->inside) {
        message_begin(run, frame);
    }
    struct framing_message *message = &run->outcome->messages[run->outcome->count - 1];
    message->size += frame->size;
    message->ended = frame->ends;
    message->interim = frame->interim;
    if (!run->inside) {
        message->closes = frame->closes;
        message->closes_client = frame->closes_client;
        message->until_end = frame->until_end;
        message->open_ended = frame->open_ended;
    }
    assert(message->closes == frame->closes);
    assert(message->closes_client == frame->closes_client);
    assert(message->until_end == frame->until_end);
    assert(message->open_ended == frame->open_ended);
    assert(!frame->until_end || !frame->ends);
    run->inside = !frame->ends;
    if (frame->ends) {
        run->request = forgotten;
    }
}

/* Takes all pieces that the bytes hold, from `start` on; returns where they end. */
static size_t take_pieces(struct run *run, struct guard *guard, struct span stream, size_t start,
                          size_t end)
{
    for (;;) {
        struct span bytes = guard_put(guard, span_of(stream.data + start, end - start));
        uint32_t scanned_before = run->framer.scanned;
        struct frame frame = {0};
        run->outcome->status = call(run, bytes, &frame);
        run->outcome->wanted = frame.size;
        run->outcome->code = frame.code;
        check_promises(run, run->outcome->status, bytes, &frame, scanned_before);
        if (run->outcome->status == FRAME_PIECE) {
            piece_add(run, &frame);
        } else if (run->outcome->status == FRAME_SKIP) {
            run->outcome->skipped += frame.size;
            run->outcome->skips++;
        } else if (run->outcome->status == FRAME_WRONG) {
            run->outcome->wrong_bytes += frame.size;
            run->outcome->wrongs++;
        } else {
            return start;
        }
        start += frame.size;
    }
}

void framing_run(const struct framing *framing, struct span stream, const size_t *ends,
                 size_t count, struct framing_outcome *outcome)
{
    assert(count > 0 && ends[count - 1] == stream.size);
    *outcome = (struct framing_outcome){.status = FRAME_PARTIAL};
    struct run run = {.framing = framing, .outcome = outcome, .request = forgotten};
    struct guard guard;
    guard_init(&guard, stream.size);
    size_t start = 0;
    for (size_t index = 0; index < count && outcome->status == FRAME_PARTIAL; index++) {
        start = take_pieces(&run, &guard, stream, start, ends[index]);
    }
    guard_deinit(&guard);
    outcome->left = stream.size - start;
    assert(outcome->calls <= count + outcome->pieces + outcome->skips +
                                 outcome->wrongs); /* a call takes a piece or ends a chunk */
}

static bool request_equals(const struct request *one, const struct request *other)
{
    return one->expects_response == other->expects_response &&
           one->resendable == other->resendable && one->closes == other->closes &&
           one->eager == other->eager && one->alone == other->alone &&
           one->shareable == other->shareable && one->kind == other->kind && one->id == other->id &&
           one->key == other->key && one->origin == other->origin;
}

static bool message_equals(const struct framing_message *one, const struct framing_message *other)
{
    return one->first_size == other->first_size && one->size == other->size &&
           one->ended == other->ended && one->interim == other->interim &&
           one->closes == other->closes && one->closes_client == other->closes_client &&
           one->until_end == other->until_end && one->open_ended == other->open_ended &&
           one->id == other->id && request_equals(&one->request, &other->request);
}

bool framing_outcome_equals(const struct framing_outcome *one, const struct framing_outcome *other)
{
    if (one->count != other->count || one->status != other->status || one->left != other->left ||
        one->wanted != other->wanted || one->code != other->code ||
        one->skipped != other->skipped || one->wrongs != other->wrongs ||
        one->wrong_bytes != other->wrong_bytes) {
        return false;
    }
    for (size_t index = 0; index < one->count; index++) {
        if (!message_equals(&one->messages[index], &other->messages[index])) {
            return false;
        }
    }
    return true;
}

static void outcome_print(const char *title, const struct framing_outcome *outcome)
{
    static const char *const names[] = {"partial", "piece",   "skip",
                                        "wrong",   "invalid", "too large"};
    fprintf(stderr, "%s:", title);
    for (size_t index = 0; index < outcome->count; index++) {
        fprintf(stderr, " %zu", outcome->messages[index].size);
    }
    fprintf(stderr, ", then %s (wants %zu, code %u), %zu left\n", names[outcome->status],
            outcome->wanted, outcome->code, outcome->left);
}

static void expect_same(const struct framing *framing, struct span stream, const char *how,
                        const size_t *ends, size_t count, const struct framing_outcome *expected)
{
    struct framing_outcome outcome;
    framing_run(framing, stream, ends, count, &outcome);
    if (!framing_outcome_equals(expected, &outcome)) {
        fprintf(stderr, "%s: a stream of %zu bytes in %zu parts (%s, first ends at %zu)\n",
                framing->protocol->name, stream.size, count, how, ends[0]);
        outcome_print("whole", expected);
        outcome_print("parts", &outcome);
        abort();
    }
    framing_outcome_deinit(&outcome);
}

/* Fills `ends` with random places; small steps are likelier, since trouble sits at short distances.
 */
static size_t random_ends(struct random *random, size_t size, size_t *ends)
{
    size_t count = 0;
    size_t step_max = (size_t)1 << random_below(random, 10);
    for (size_t end = 0; end < size; count++) {
        size_t step = 1 + (size_t)random_below(random, step_max);
        end = step < size - end ? end + step : size;
        ends[count] = end;
    }
    return count;
}

void framing_check(const struct framing *framing, struct span stream,
                   struct framing_outcome *outcome)
{
    framing_run(framing, stream, &stream.size, 1, outcome);
    if (stream.size == 0) {
        return;
    }
    size_t *ends = calloc(stream.size, sizeof *ends);
    assert(ends != NULL);
    for (size_t index = 0; index < stream.size; index++) {
        ends[index] = index + 1;
    }
    expect_same(framing, stream, "byte by byte", ends, stream.size, outcome);
    for (size_t cut = 0; cut <= stream.size; cut++) {
        size_t parts[] = {cut, stream.size};
        expect_same(framing, stream, "two parts", parts, ARRAY_COUNT(parts), outcome);
    }
    struct random random;
    random_init(&random, stream.size);
    for (int run = 0; run < RANDOM_RUNS; run++) {
        size_t count = random_ends(&random, stream.size, ends);
        expect_same(framing, stream, "random parts", ends, count, outcome);
    }
    free(ends);
}

void framing_outcome_deinit(struct framing_outcome *outcome)
{
    free(outcome->messages);
    *outcome = (struct framing_outcome){0};
}
