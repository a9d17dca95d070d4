/* SPDX-License-Identifier: MIT */
/*
 * The daemon: brings the route of a configuration to life, runs it, and stops it on signals.
 *
 * TERM and INT drain; a second one, or QUIT, stops at once; HUP logs that there is nothing to
 * reload; USR1 opens the log file again; USR2 is ignored.
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include "base/compiler.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"

/* How server_run came back. */
enum server_end {
    SERVER_STOPPED,   /* in order, also when exchanges were cut */
    SERVER_BAD_VALUE, /* an address or a combination of options is wrong: error; exit 2 */
    SERVER_FAILED,    /* the system said no: port taken, not permitted: error; exit 1 */
};

enum server_end server_run(const struct config *config, struct log *log,
                           struct error *error) MUST_USE;

#endif
