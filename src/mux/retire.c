/* SPDX-License-Identifier: MIT */
/*
 * A link that takes no more requests retires: writing is shut down, and what still comes is dropped, until
 * the target has noticed and ends it. A target that takes one connection refuses the next before that. But
 * it is not waited for longer than is of use. The link is closed
 *
 *     at once              behind a response with a length that said `close`: nothing more comes, and the
 *                          target is closing it itself
 *     after 64 KiB         of what nobody wants, or when such bytes have come for 50 ms: the target sends a
 *                          stream, and does not look at what we say
 *     after 100 ms         when a request waits for a link, and none may be opened beside this one
 *     after 1 s            in any case
 *
 * A target that has not noticed by then is told by a reset, which no target can overlook, and its slot is
 * free. --link-close says otherwise for targets that need it: `fin` never resets, `rst` does so at once,
 * instead of retiring.
 */
#include "mux/retire.h"

enum link_state retire_begin(const struct mux *mux, struct link *link, enum mux_reason reason)
{
    if (mux->options.link_close == LINK_CLOSE_RST) {
        link->abort = true;
        return LINK_CLOSING;
    }
    return reason == REASON_RESPONSE_CLOSES ? LINK_CLOSING : LINK_RETIRING;
}

bool retire_received(const struct mux *mux, struct link *link, size_t size)
{
    if (link->retired_bytes == 0) {
        link->retired_heard_ns = mux->now_ns;
    }
    link->retired_bytes += size;
    return link->retired_bytes >= RETIRE_BYTES_MAX ||
           mux->now_ns - link->retired_heard_ns >= RETIRE_STREAM_NS;
}

uint64_t retire_deadline(const struct link *link)
{
    uint64_t last_at = time_after(link->since_ns, RETIRE_NS);
    uint64_t wanted_at =
        link->is_wanted ? time_after(link->wanted_ns, RETIRE_WANTED_NS) : TIME_NEVER;
    return wanted_at < last_at ? wanted_at : last_at;
}

bool retire_expired(const struct mux *mux, struct link *link)
{
    link->is_wanted = link->is_wanted && mux->counters.waiting > 0;
    return retire_deadline(link) <= mux->now_ns;
}

void retire_over(const struct mux *mux, struct link *link)
{
    link->abort = mux->options.link_close != LINK_CLOSE_FIN;
}

void retire_urge(struct mux *mux)
{
    if (mux->usable_count == mux->links_count) {
        return;
    }
    bool is_wanted = mux->counters.waiting > 0 && mux->links_count == mux->options.links_max &&
                     dial_is_wanted(mux);
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (link->state == LINK_RETIRING) {
            link->wanted_ns = link->is_wanted ? link->wanted_ns : mux->now_ns;
            link->is_wanted = is_wanted;
            timer_arm(mux, &link->timer, retire_deadline(link));
        }
    }
}
