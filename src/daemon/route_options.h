/* SPDX-License-Identifier: MIT */
/*
 * What a configuration means to the core and to the network of its route.
 *
 * The configuration keeps addresses as text; they are parsed here, before anything is opened, so
 * that a wrong one is told with the name of its option.
 */
#ifndef DAEMON_ROUTE_OPTIONS_H
#define DAEMON_ROUTE_OPTIONS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"
#include "mux/mux.h"
#include "net/engine.h"

struct route_options {
    struct mux_options mux;
    struct engine_route_options engine; /* its `listen` borrows `listen` below */
    struct endpoint listen[CONFIG_LISTEN_MAX];
};

/* Fills `options` from `config`. It must not be moved afterwards. False: a value is wrong; the
 * error begins with the name of the option. */
bool route_options_init(struct route_options *options, const struct config *config,
                        struct error *error) MUST_USE;

#endif
