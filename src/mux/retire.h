/* SPDX-License-Identifier: MIT */
/* How a link that takes no more requests comes to its end; the rules are in retire.c. Private to mux/. */
#ifndef MUX_RETIRE_H
#define MUX_RETIRE_H

#include <stddef.h>
#include <stdint.h>

#include "mux/state.h"

/* What becomes of a link that we end: it retires, or is closed. */
enum link_state retire_begin(const struct mux *mux, struct link *link, enum mux_reason reason);

/* Bytes came on a link that retires. True: it has brought enough of them, and is closed. */
bool retire_received(const struct mux *mux, struct link *link, size_t size);

/* When it has had its time. */
uint64_t retire_deadline(const struct link *link);

/* It has. False: but who has waited for it does so no more, and there is time left. */
bool retire_expired(const struct mux *mux, struct link *link);

/* It has, or has brought too much: how it is closed. */
void retire_over(const struct mux *mux, struct link *link);

/* Turns were given: who waits may wait for the slot of a link that retires. */
void retire_urge(struct mux *mux);

#endif
