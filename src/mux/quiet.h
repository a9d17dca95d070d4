/* SPDX-License-Identifier: MIT */
/*
 * How long a link must have been silent before the next request takes it.
 *
 *   --gap        always
 *   a greeting   what comes before the first request of a link answers nothing: it is dropped, and the first
 *                request waits until the link was silent for GREETING_QUIET_NS, GREETING_MAX_NS at most
 *   --check-gap  where an answer does not show whose it is (it shows nothing of its request, or no mark that
 *                only this one has), a message that nobody asked for would be taken
 *                for the answer, the true answer for the next one's, and so on for as long as there is load.
 *                In a silence between two requests the answer that is left over comes to light. So such a
 *                silence is kept in front of the first CHECKS_FIRST requests of a link, of as many behind
 *                anything unasked, and otherwise of one after CHECK_INTERVAL_MIN_NS of load without one; that
 *                time doubles to CHECK_INTERVAL_MAX_NS while nothing is found.
 *   a shift      a link that had stray bytes behind its first answer may have greeted late, so that the
 *                greeting was taken for the answer; and the next link would greet as late. So the first
 *                request of the next link waits from the connection on for GREETING_QUIET_NS, and twice as
 *                long for each such link in a row; GREETING_MAX_NS, or half of --wait-timeout or
 *                --link-lifetime, at most
 *   a close      a target that closes a link behind an answer and does not say so crosses the next
 *                request, which is lost. After LOST_MAX such losses a link that has answered and
 *                carries nothing must have been silent for CLOSE_QUIET_NS, so that the close is seen
 *                first and the request takes a new link. That ends when ANSWERS_STAYED answers in a row
 *                had no such close behind them. What stands behind others on a link, where several may,
 *                does not wait: a link whose predecessor left requests unanswered carries one at a time
 *                until it has answered two (schedule.c), and a link of such a target never does.
 *
 * Private to mux/.
 */
#ifndef MUX_QUIET_H
#define MUX_QUIET_H

#include <stdbool.h>
#include <stdint.h>

struct mux;
struct link;

/* Of a link; zeroed: nothing came yet. */
struct quiet {
    uint64_t greeted_ns;  /* when the first byte of a greeting came; 0: there was none */
    uint64_t check_at_ns; /* from then on the next request waits for a silence */
    uint64_t interval_ns; /* between checks */
    bool is_asked;        /* a request took it */
    uint8_t answers;      /* whole ones on it, ANSWERS_SETTLED at most */
    uint32_t checks_left; /* requests in front of which a silence is kept in any case */
};

/* Of a route: whether its target closes links behind answers. Zeroed: nothing is known of that. */
struct closer {
    uint32_t lost;   /* closes that took a request with them, LOST_MAX at most */
    uint32_t stayed; /* answers in a row since then behind which the link stayed */
};

/* The link is connected. */
void quiet_begin(struct quiet *quiet);

/* Bytes came that answer nothing, though the link goes on; and such in front of the first request. */
void quiet_unasked(struct quiet *quiet);
void quiet_greeted(const struct mux *mux, struct quiet *quiet);

/* From when on it can carry requests, as far as is known. */
uint64_t quiet_begins(const struct mux *mux, const struct link *link);

/* When the link was silent for long enough, if it stays silent. */
uint64_t quiet_ends(const struct mux *mux, const struct link *link);

/* A request takes the link. */
void quiet_taken(const struct mux *mux, struct link *link);

/* An answer on the link is whole. */
void quiet_answered(struct mux *mux, struct link *link);

/* Stray bytes end the link. */
void quiet_strayed(struct mux *mux, const struct link *link);

/* The target has ended the link; nothing on it is settled yet. */
void quiet_closed(struct mux *mux, const struct link *link);

#endif
