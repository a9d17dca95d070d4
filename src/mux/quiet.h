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
    uint32_t checks_left; /* requests in front of which a silence is kept in any case */
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

#endif
