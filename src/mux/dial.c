/* SPDX-License-Identifier: MIT */
/*
 * When to connect: attempts, back-off, and the outage clock.
 *
 * An attempt resolves the target and tries its addresses one after the other. It has failed when
 * none connects, and also when the link it gave ends without a whole response; a whole response is
 * success and resets the back-off. The pause between attempts doubles from retry_delay_min to
 * retry_delay_max, with up to a quarter of jitter on top; while a request waits it is at most half
 * of queue_timeout. A failed connect pauses from its failure; a link that was up pauses from when
 * it was connected, so that a target that hangs up after an idle hour is connected again at once. A link
 * that was given up for a client's sake, before it could answer, pauses the next attempt too, or such clients
 * would have the target hammered; but the pause does not grow, since the target has done nothing.
 *
 * One attempt runs at a time. An *extra* link is opened when every usable one is full and a client waits
 * for any of them, or none is empty and one waits for that. Extra links have a back-off of their own: a
 * target that grants fewer connections than --connections says is not asked again with every burst, and the
 * first link is not kept waiting for it.
 *
 * The outage clock runs only while no link is usable. A waiting request notes it on arrival, and
 * has waited for a link exactly as long as the clock has advanced since.
 */
#include <assert.h>

#include "mux/state.h"

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

static uint64_t due_at(const struct mux *mux, const struct back_off *back_off)
{
    uint64_t pause = back_off->pause_ns;
    uint64_t pause_max = mux->options.queue_timeout_ns / 2;
    if (mux->usable_count == 0 && mux->counters.waiting > 0 && pause > pause_max) {
        pause = pause_max;
    }
    return time_after(back_off->pause_from_ns, pause);
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
    observe(mux, (struct mux_event){
                     .kind = MUX_LINK_CONNECTING, .link_id = link_id(link), .link = link->serial});
    link_touch(mux, link);
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

/* retry_delay_min * 2^(failures - 1), at most retry_delay_max. */
static uint64_t pause_after(const struct mux *mux, uint32_t failures)
{
    uint64_t pause = mux->options.retry_delay_min_ns;
    for (uint32_t doubled = 1; doubled < failures && pause < mux->options.retry_delay_max_ns;
         doubled++) {
        pause *= 2;
    }
    return pause < mux->options.retry_delay_max_ns ? pause : mux->options.retry_delay_max_ns;
}

void dial_pause(struct mux *mux, const struct link *link, uint64_t from_ns)
{
    struct back_off *back_off = &mux->back_offs[link->is_extra];
    if (back_off->failures == 0) {
        back_off->failures = 1;
    }
    uint64_t pause = pause_after(mux, back_off->failures);
    back_off->pause_ns = pause + random_below(&mux->random, pause / 4 + 1);
    if (from_ns >
        back_off->pause_from_ns) { /* of several links an old one may be the last to end */
        back_off->pause_from_ns = from_ns;
    }
    uint64_t at = due_at(mux, back_off);
    uint64_t rest_ns = at > mux->now_ns ? at - mux->now_ns : 0;
    observe(mux, (struct mux_event){.kind = MUX_LINK_RETRY,
                                    .ns = dial_is_wanted(mux) ? rest_ns : TIME_NEVER});
}

void dial_failed(struct mux *mux, const struct link *link, uint64_t from_ns)
{
    struct back_off *back_off = &mux->back_offs[link->is_extra];
    if (back_off->failures < UINT32_MAX) {
        back_off->failures++;
    }
    dial_pause(mux, link, from_ns);
}

void dial_succeeded(struct mux *mux, const struct link *link)
{
    mux->back_offs[link->is_extra] = (struct back_off){0};
}

uint64_t outage_clock(const struct mux *mux)
{
    return mux->outage_ns +
           (mux->outage_from_ns == TIME_NEVER ? 0 : mux->now_ns - mux->outage_from_ns);
}

void outage_update(struct mux *mux)
{
    bool outage = mux->usable_count == 0;
    if (outage == (mux->outage_from_ns != TIME_NEVER)) {
        return;
    }
    if (outage) {
        mux->outage_from_ns = mux->now_ns;
        timer_arm(mux, &mux->timer, waiting_deadline(mux));
    } else {
        mux->outage_ns = outage_clock(mux);
        mux->outage_from_ns = TIME_NEVER;
    }
}
