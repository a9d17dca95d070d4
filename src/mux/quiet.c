/* SPDX-License-Identifier: MIT */
/* See quiet.h. A silence that came by itself is a check like one that was kept. */
#include "mux/quiet.h"

#include "mux/internal.h"

enum {
    CHECKS_FIRST = 8,
    LOST_MAX = 2,
    ANSWERS_STAYED = 10,
};

enum { ANSWERS_SETTLED = 2, SHIFTED_MAX = 6 /* the silence is GREETING_MAX_NS by then */ };

#define CHECK_INTERVAL_MIN_NS (1 * NS_PER_S)
#define CHECK_INTERVAL_MAX_NS (10 * NS_PER_S)
#define GREETING_QUIET_NS     (50 * NS_PER_MS)
#define GREETING_MAX_NS       (1 * NS_PER_S)
#define CLOSE_QUIET_NS        (20 * NS_PER_MS)

void quiet_begin(struct quiet *quiet)
{
    *quiet = (struct quiet){.interval_ns = CHECK_INTERVAL_MIN_NS, .checks_left = CHECKS_FIRST};
}

void quiet_unasked(struct quiet *quiet)
{
    quiet->interval_ns = CHECK_INTERVAL_MIN_NS;
    quiet->checks_left = CHECKS_FIRST;
}

void quiet_greeted(const struct mux *mux, struct quiet *quiet)
{
    if (quiet->greeted_ns == 0) {
        quiet->greeted_ns = mux->now_ns;
    }
}

/* Whether a silence tells anything, and is wanted. */
static bool is_checked(const struct mux *mux)
{
    return mux->is_blind && !mux->by_id && mux->options.check_gap_ns > 0 &&
           mux->options.in_flight_max == 1;
}

static bool check_is_due(const struct mux *mux, const struct quiet *quiet)
{
    return is_checked(mux) && (quiet->checks_left > 0 || quiet->check_at_ns <= mux->now_ns);
}

static uint64_t greeting_ends(const struct link *link)
{
    if (link->quiet.greeted_ns == 0 || link->quiet.is_asked) {
        return 0;
    }
    uint64_t quiet_at = time_after(link->last_io_ns, GREETING_QUIET_NS);
    uint64_t last_at = time_after(link->quiet.greeted_ns, GREETING_MAX_NS);
    return quiet_at < last_at ? quiet_at : last_at;
}

/* Where the last links had stray bytes behind their first answers. */
static uint64_t shift_ends(const struct mux *mux, const struct link *link)
{
    if (mux->shifted == 0 || link->quiet.is_asked) {
        return 0;
    }
    uint64_t silence_ns = GREETING_QUIET_NS << (mux->shifted - 1);
    silence_ns = silence_ns < GREETING_MAX_NS ? silence_ns : GREETING_MAX_NS;
    uint64_t patience_ns = mux->options.wait_timeout_ns / 2; /* or nobody would ever be served */
    uint64_t lifetime_ns = mux->options.link_lifetime_ns / 2;
    patience_ns = lifetime_ns > 0 && lifetime_ns < patience_ns ? lifetime_ns : patience_ns;
    return time_after(link->up_ns, silence_ns < patience_ns ? silence_ns : patience_ns);
}

uint64_t quiet_begins(const struct mux *mux, const struct link *link)
{
    uint64_t at = time_after(link->up_ns, mux->options.delay_ns + mux->options.check_gap_ns);
    uint64_t greeted_at = link->quiet.greeted_ns;
    uint64_t greeting_at = greeted_at == 0 ? 0 : time_after(greeted_at, GREETING_MAX_NS);
    return at > greeting_at ? at : greeting_at;
}

/* Whether a close is waited for behind an answer. */
static bool close_is_awaited(const struct mux *mux, const struct link *link)
{
    return mux->closer.lost == LOST_MAX && link->answered && link->exchanges_count == 0;
}

uint64_t quiet_ends(const struct mux *mux, const struct link *link)
{
    uint64_t silence_ns = mux->options.gap_ns;
    if (silence_ns < mux->options.check_gap_ns && check_is_due(mux, &link->quiet)) {
        silence_ns = mux->options.check_gap_ns;
    }
    if (silence_ns < CLOSE_QUIET_NS && close_is_awaited(mux, link)) {
        silence_ns = CLOSE_QUIET_NS;
    }
    uint64_t at = silence_ns == 0 ? 0 : time_after(link->last_io_ns, silence_ns);
    uint64_t greeting_at = greeting_ends(link);
    uint64_t shift_at = shift_ends(mux, link);
    at = at > shift_at ? at : shift_at;
    return at > greeting_at ? at : greeting_at;
}

void quiet_taken(const struct mux *mux, struct link *link)
{
    struct quiet *quiet = &link->quiet;
    quiet->is_asked = true;
    if (!is_checked(mux) || mux->now_ns - link->last_io_ns < mux->options.check_gap_ns) {
        return;
    }
    if (quiet->checks_left > 0) {
        quiet->checks_left--;
    } else if (quiet->check_at_ns <= mux->now_ns) {
        quiet->interval_ns *= 2;
        if (quiet->interval_ns > CHECK_INTERVAL_MAX_NS) {
            quiet->interval_ns = CHECK_INTERVAL_MAX_NS;
        }
    }
    quiet->check_at_ns = time_after(mux->now_ns, quiet->interval_ns);
}

/* ---- a target that greets late ---- */

static void note_settled(struct mux *mux, struct quiet *quiet)
{
    if (quiet->answers < ANSWERS_SETTLED && ++quiet->answers == ANSWERS_SETTLED) {
        mux->shifted = 0;
    }
}

void quiet_strayed(struct mux *mux, const struct link *link)
{
    if (!mux->by_id && link->quiet.answers == 1 && mux->shifted < SHIFTED_MAX) {
        mux->shifted++;
    }
}

/* ---- a target that closes behind answers ---- */

void quiet_answered(struct mux *mux, struct link *link)
{
    note_settled(mux, &link->quiet);
    struct closer *closer = &mux->closer;
    if (closer->lost > 0 && link->answered && ++closer->stayed == ANSWERS_STAYED) {
        *closer = (struct closer){0};
    }
}

/* Whether a request was sent, and nothing has come of its answer. */
static bool is_in_vain(const struct link *link, const struct exchange *oldest)
{
    return oldest != NULL && oldest->sent_ns != TIME_NEVER && oldest->request.expects_response &&
           !oldest->responding && buf_is_empty(&link->in);
}

void quiet_closed(struct mux *mux, const struct link *link)
{
    struct closer *closer = &mux->closer;
    const struct exchange *oldest = exchange_first(&link->exchanges);
    bool is_lost = is_in_vain(link, oldest);
    if (!link->answered) {
        return;
    }
    /* A close much later is that of an idle link, and no silence in front of a request meets it. */
    if (is_lost || (oldest == NULL && mux->now_ns - link->last_io_ns <= CLOSE_QUIET_NS)) {
        closer->stayed = 0;
    }
    mux->counters.crossed += is_lost;
    if (is_lost && closer->lost < LOST_MAX && ++closer->lost == LOST_MAX) {
        observe(mux, (struct mux_event){.kind = MUX_CLOSER,
                                        .link_id = link_id(link),
                                        .link = link->serial,
                                        .ns = CLOSE_QUIET_NS});
    }
}
