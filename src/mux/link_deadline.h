/* SPDX-License-Identifier: MIT */
/* When a link has had its time; see link_deadline.c. Private to mux/. */
#ifndef MUX_LINK_DEADLINE_H
#define MUX_LINK_DEADLINE_H

#include "mux/state.h"

uint64_t link_deadline(const struct mux *mux, const struct link *link);
/* Of what its oldest exchange waits for. */
uint64_t link_response_deadline(const struct mux *mux, const struct link *link,
                                const struct exchange *oldest);
/* Whether its oldest exchange's client has gone, and some of the response has come. */
bool link_swallows(const struct link *link);
/* From when a response is awaited that was not read for a while, since its client was behind. */
uint64_t link_clock_after_block(const struct mux *mux, const struct link *link);
/* When a transfer has kept it for --max-hold and others wait; TIME_NEVER: none has. */
uint64_t link_hold_ends(const struct mux *mux, const struct link *link);
/* When --link-lifetime is over; TIME_NEVER: it has none. */
uint64_t link_lifetime_ends(const struct mux *mux, const struct link *link);

#endif
