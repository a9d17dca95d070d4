/* SPDX-License-Identifier: MIT */
/*
 * When to connect: attempts, back-off, and the outage clock.
 *
 * An attempt resolves the target and tries its addresses one after the other. It has failed when
 * none connects, and also when the link it gave ends without a whole response; a whole response is
 * success and resets the back-off. The pause between attempts doubles from retry_delay_min to
 * retry_delay_max, with up to a quarter of jitter on top; while a request waits it is at most half
 * of queue_timeout. A failed connect pauses from its failure; a link that was up pauses from when
 * it was connected, so that a target that hangs up after an idle hour is connected again at once.
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

bool dial_is_wanted(const struct mux *mux)
{
    if (!list_is_empty(&mux->waiting)) {
        return true;
    }
    if (mux->draining) {
        return false;
    }
    return mux->options.hold || (!mux->options.on_demand && !mux->dialled);
}

static uint64_t due_at(const struct mux *mux)
{
    uint64_t pause = mux->pause_ns;
    uint64_t pause_max = mux->options.queue_timeout_ns / 2;
    if (!list_is_empty(&mux->waiting) && pause > pause_max) {
        pause = pause_max;
    }
    return time_after(mux->pause_from_ns, pause);
}

uint64_t dial_deadline(const struct mux *mux)
{
    /* One link for now: it is either there (and everybody waits for it) or to be opened. */
    return mux->links_count == 0 && dial_is_wanted(mux) ? due_at(mux) : TIME_NEVER;
}

static void attempt_begin(struct mux *mux, struct link *link)
{
    assert(link->state == LINK_FREE);
    mux->dialled = true;
    mux->links_count++;
    mux->counters.link_attempts++;
    link->serial = ++mux->link_serial;
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
    attempt_begin(mux, &mux->links[0]);
}

/* retry_delay_min * 2^(failures - 1), at most retry_delay_max. */
static uint64_t back_off(const struct mux *mux)
{
    uint64_t pause = mux->options.retry_delay_min_ns;
    for (uint32_t doubled = 1; doubled < mux->failures && pause < mux->options.retry_delay_max_ns;
         doubled++) {
        pause *= 2;
    }
    return pause < mux->options.retry_delay_max_ns ? pause : mux->options.retry_delay_max_ns;
}

void dial_failed(struct mux *mux, uint64_t from_ns)
{
    if (mux->failures < UINT32_MAX) {
        mux->failures++;
    }
    uint64_t pause = back_off(mux);
    mux->pause_ns = pause + random_below(&mux->random, pause / 4 + 1);
    mux->pause_from_ns = from_ns;
    uint64_t at = due_at(mux);
    uint64_t rest_ns = at > mux->now_ns ? at - mux->now_ns : 0;
    observe(mux, (struct mux_event){.kind = MUX_LINK_RETRY,
                                    .ns = dial_is_wanted(mux) ? rest_ns : TIME_NEVER});
}

void dial_succeeded(struct mux *mux)
{
    mux->failures = 0;
    mux->pause_ns = 0;
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
