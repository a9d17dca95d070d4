/* SPDX-License-Identifier: MIT */
/*
 * When to connect: attempts, back-off, and the outage clock.
 *
 * An attempt resolves the target and tries its addresses one after the other. It has *failed* when none
 * connects, and also when the link that it gave ends before a byte has followed a request. A whole response
 * resets the back-off. How a link ends says what comes next (dial_ending, one table):
 *
 *     FAILED     the next attempt waits: --retry-delay, and twice as long each time up to --retry-delay-max,
 *                with up to a quarter of jitter on top
 *     REPLACED   the target may be well: the next attempt begins at once, but not within REPLACE_NS of the
 *                previous connection, or clients could have the target hammered
 *     OVER       it was done: the next attempt begins at once
 *
 * While requests wait for any link at all, and for the first minute of an outage, the pause is at most half
 * of --queue-timeout, so that there is an attempt before they fail; but never less than --retry-delay. From
 * then on it doubles as if nobody waited. A failed connect pauses from its failure; a link that was up from
 * when it was connected, so that a target that hangs up after an idle hour is connected again at once.
 *
 * One attempt runs at a time. An *extra* link is opened when every usable one is full and a client waits
 * for any of them, or none is empty and one waits for that. Extra links have a back-off of their own: a
 * target that grants fewer connections than --connections says is not asked again with every burst, and the
 * first link is not kept waiting for it.
 *
 * The outage clock runs only while no link is usable. A waiting request notes it on arrival, and
 * has waited for a link exactly as long as the clock has advanced since. It stands still between a link that
 * did not fail and the attempt that follows: that pause is ours.
 */
#include <assert.h>

#include "mux/internal.h"

void dial_init(struct mux *mux)
{
    random_init(&mux->random, mux->options.seed);
    mux->outage_from_ns = mux->now_ns;
}

/* Whether no link has what a client waits for: room, or nothing else on it. Who waits for which is known
 * when the scheduler has run. */
static bool is_crowded(const struct mux *mux)
{
    bool alone = turns_free_reserver(mux) != NULL;
    bool crowded = (alone || !list_is_empty(&mux->turns)) && !mux->schedule_wanted;
    for (uint32_t slot = 0; crowded && slot < mux->options.links_max; slot++) {
        const struct link *link = &mux->links[slot];
        bool is_busy = link_is_full(mux, link) || (alone && link->exchanges_count > 0);
        crowded = link->state != LINK_DELAYING && (link->state != LINK_UP || is_busy);
    }
    return crowded;
}

bool dial_is_wanted(const struct mux *mux)
{
    if (mux->usable_count > 0) {
        return is_crowded(mux);
    }
    if (mux->counters.waiting > 0) {
        return true;
    }
    if (mux->draining) {
        return false;
    }
    return mux->options.hold || (!mux->options.on_demand && !mux->dialled);
}

/* What the pause is at most; TIME_NEVER: as long as the back-off says. */
static uint64_t pause_max(const struct mux *mux, const struct back_off *back_off)
{
    const struct mux_options *options = &mux->options;
    bool is_waited_for =
        back_off == &mux->back_offs[0] && mux->usable_count == 0 && mux->counters.waiting > 0;
    if (!is_waited_for ||
        back_off->pause_from_ns >= time_after(back_off->since_ns, OUTAGE_SHORT_NS)) {
        return TIME_NEVER;
    }
    uint64_t half = options->queue_timeout_ns / 2;
    return half > options->retry_delay_min_ns ? half : options->retry_delay_min_ns;
}

static uint64_t due_at(const struct mux *mux, const struct back_off *back_off)
{
    uint64_t most = pause_max(mux, back_off);
    uint64_t pause = back_off->pause_ns < most ? back_off->pause_ns : most;
    uint64_t at = time_after(back_off->pause_from_ns, pause);
    uint64_t replaced_at =
        mux->replacements_count == 0 ? 0 : time_after(mux->connected_ns, REPLACE_NS);
    return at > replaced_at ? at : replaced_at;
}

/* One attempt at a time. */
static bool is_dialling(const struct mux *mux)
{
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        const struct link *link = &mux->links[slot];
        if (link->state == LINK_RESOLVING || link->state == LINK_CONNECTING || link->next_address) {
            return true;
        }
    }
    return false;
}

uint64_t dial_deadline(const struct mux *mux)
{
    /* Of one link it is either there, and everybody waits for it, or to be opened. */
    if (mux->links_count == mux->options.links_max || !dial_is_wanted(mux) || is_dialling(mux)) {
        return TIME_NEVER;
    }
    return due_at(mux, &mux->back_offs[mux->usable_count > 0]);
}

static void attempt_begin(struct mux *mux, struct link *link)
{
    assert(link->state == LINK_FREE);
    mux->dialled = true;
    mux->links_count++;
    mux->counters.link_attempts++;
    link->serial = ++mux->link_serial;
    link->is_extra = mux->usable_count > 0;
    link->state = LINK_RESOLVING;
    link->since_ns = mux->now_ns;
    if (mux->replacements_count > 0) {
        mux->replacements_count--;
    }
    mux->is_replacing = false;
    outage_update(mux);
    observe(mux, (struct mux_event){
                     .kind = MUX_LINK_CONNECTING, .link_id = link_id(link), .link = link->serial});
    link_mark(mux, link);
}

void dial_run(struct mux *mux)
{
    uint64_t at = dial_deadline(mux);
    if (at == TIME_NEVER) {
        return;
    }
    if (at > mux->now_ns) {
        timer_arm(mux, &mux->timer, at);
        return;
    }
    struct link *link = mux->links;
    while (link->state != LINK_FREE) { /* links_count is below links_max */
        link++;
    }
    attempt_begin(mux, link);
}

void dial_failed(struct mux *mux, const struct link *link, uint64_t from_ns)
{
    const struct mux_options *options = &mux->options;
    struct back_off *back_off = &mux->back_offs[link->is_extra];
    if (back_off->base_ns == 0) {
        back_off->base_ns = options->retry_delay_min_ns;
        back_off->since_ns = mux->now_ns;
    } else {
        bool is_most = back_off->base_ns > options->retry_delay_max_ns / 2;
        back_off->base_ns = is_most ? options->retry_delay_max_ns : back_off->base_ns * 2;
    }
    if (from_ns >
        back_off->pause_from_ns) { /* of several links an old one may be the last to end */
        back_off->pause_from_ns = from_ns;
    }
    uint64_t most = pause_max(mux, back_off);
    back_off->base_ns = back_off->base_ns < most ? back_off->base_ns : most;
    back_off->pause_ns = back_off->base_ns + random_below(&mux->random, back_off->base_ns / 4 + 1);
    uint64_t at = due_at(mux, back_off);
    uint64_t rest_ns = at > mux->now_ns ? at - mux->now_ns : 0;
    observe(mux, (struct mux_event){.kind = MUX_LINK_RETRY,
                                    .ns = dial_is_wanted(mux) ? rest_ns : TIME_NEVER});
}

void dial_connected(struct mux *mux)
{
    mux->connected_ns = mux->now_ns;
}

void dial_succeeded(struct mux *mux, const struct link *link)
{
    mux->back_offs[link->is_extra] = (struct back_off){0};
    mux->broken_in_row = 0;
}

enum link_end dial_ending(enum mux_reason reason, bool answered, bool heard)
{
    switch ((int)reason) {
    case REASON_LINK_IDLE:
    case REASON_LINK_LIFETIME:
    case REASON_SHUTDOWN:
    case REASON_REQUEST_CLOSES:
    case REASON_RESPONSE_CLOSES:
    case REASON_EARLY_RESPONSE:
        return LINK_END_OVER;
    case REASON_HALF_REQUEST:
    case REASON_ORPHAN:
    case REASON_HOLD:
    case REASON_MEMORY:
        return LINK_END_REPLACED;
    case REASON_RESPONSE_TIMEOUT:
        return heard ? LINK_END_REPLACED : LINK_END_FAILED;
    default: /* the target, or the network, has ended it, or it has said what we do not take */
        if (answered) {
            return LINK_END_OVER;
        }
        return heard ? LINK_END_REPLACED : LINK_END_FAILED;
    }
}

/* Whether it is for a client's sake, or our own, that the link ends. */
static bool is_for_a_client(enum mux_reason reason)
{
    return reason == REASON_HALF_REQUEST || reason == REASON_ORPHAN || reason == REASON_HOLD ||
           reason == REASON_MEMORY;
}

enum link_end dial_judge(struct mux *mux, const struct link *link, enum mux_reason reason)
{
    enum link_end end = dial_ending(reason, link->answered, link->heard);
    if (end != LINK_END_REPLACED || link->answered || is_for_a_client(reason)) {
        return end;
    }
    if (mux->broken_in_row == BROKEN_MAX) {
        return LINK_END_FAILED;
    }
    mux->broken_in_row++;
    return end;
}

void dial_ends(struct mux *mux, enum link_end end)
{
    mux->is_replacing = end != LINK_END_FAILED && !is_dialling(mux);
}

void dial_ended(struct mux *mux, const struct link *link, enum link_end end)
{
    switch (end) {
    case LINK_END_OVER:
        break;
    case LINK_END_REPLACED:
        mux->replacements_count++;
        break;
    case LINK_END_FAILED:
        dial_failed(mux, link, link->up_ns);
        break;
    }
}
