/* SPDX-License-Identifier: MIT */
/* The lines of the daemon's own life: what it starts with, where it listens, how it ended. */
#ifndef DAEMON_ANNOUNCE_H
#define DAEMON_ANNOUNCE_H

#include "base/log.h"
#include "config/config.h"
#include "mux/mux.h"
#include "net/engine.h"

/* One line with the version and the limits in force. */
void announce_start(struct log *log, const struct config *config);

/* One line per listening socket, which is open already: whoever waits for it may connect. */
void announce_listeners(struct log *log, const struct engine_route *route);

/* One line that counts what was done, and what was cut: exchanges that the end of the process took; and
 * the time that --spin has cost. */
void announce_stop(struct log *log, const struct mux_counters *counters, const struct spin *spin);

#endif
