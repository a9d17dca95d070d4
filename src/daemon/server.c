/* SPDX-License-Identifier: MIT */
/*
 * The life of a run.
 *
 *     addresses -> signals blocked -> engine -> core -> route (listens) -> engine_run -> all back
 * in reverse
 *
 * Signals are blocked before the engine exists, since it may start a thread. Nothing is logged
 * before the route listens: what fails until then is told by the caller, in one line.
 */
#include "daemon/server.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/announce.h"
#include "daemon/reporter.h"
#include "daemon/route_options.h"
#include "daemon/signals.h"
#include "mux/mux.h"
#include "net/engine.h"

struct server {
    const struct config *config; /* borrows for its life */
    struct log *log;             /* borrows for its life */
    struct signals signals;
    struct route_options options;
    struct reporter reporter;
    struct engine *engine;      /* owns */
    struct mux *mux;            /* owns */
    struct engine_route *route; /* the engine's */
    bool draining;
    uint8_t scratch[MUX_SCRATCH_BYTES];
};

/* ---- signals ---- */

static void drain(struct server *server, int signal_number)
{
    const struct mux_counters *counters = mux_counters(server->mux);
    struct log_line line;
    log_line_begin(&line, server->log, LOG_INFO, "draining",
                   "%s: serving what was asked, then stopping; a second signal stops at once",
                   signal_text(signal_number));
    log_line_number(&line, "clients", counters->clients);
    log_line_number(&line, "waiting", counters->waiting);
    log_line_number(&line, "in_flight", counters->in_flight);
    log_line_duration(&line, "grace", server->config->grace_ns);
    log_line_end(&line);
    server->draining = true;
    engine_close_route(server->route, NULL, NULL);
}

static void stop_at_once(struct server *server, int signal_number)
{
    log_event(server->log, LOG_INFO, "stopping", "%s: stopping at once",
              signal_text(signal_number));
    engine_stop(server->engine);
}

/* What was logged before is in the old file, and this line begins the new one. */
static void reopen(struct server *server)
{
    struct error error;
    if (!log_has_file(server->log)) {
        log_event(server->log, LOG_INFO, "reopen", "USR1: there is no log file to open again");
    } else if (log_reopen(server->log, &error)) {
        log_event(server->log, LOG_INFO, "reopen", "USR1: the log file was opened again");
    } else {
        log_event(server->log, LOG_WARN, "reopen_failed", "USR1: %s; the old log file stays in use",
                  error.text);
    }
}

static void signal_arrived(struct server *server, int signal_number)
{
    if (signal_number == SIGHUP) {
        log_event(server->log, LOG_INFO, "reload", "HUP: there is nothing to reload");
    } else if (signal_number == SIGUSR1) {
        reopen(server);
    } else if (signal_number == SIGQUIT || server->draining) {
        stop_at_once(server, signal_number);
    } else {
        drain(server, signal_number);
    }
}

static void signals_ready(void *context)
{
    struct server *server = context;
    int signal_number;
    while ((signal_number = signals_next(&server->signals)) != 0) {
        signal_arrived(server, signal_number);
    }
}

/* ---- life ---- */

static void prepare_reporter(struct server *server)
{
    server->reporter.log = server->log;
    server->reporter.protocol = server->options.mux.protocol;
    server->reporter.target = server->config->target;
    server->reporter.dump = server->config->debug;
    server->reporter.omits_silent = server->config->dont_log_null;
}

static bool open_mux(struct server *server, struct error *error)
{
    prepare_reporter(server);
    const struct mux_observer observer = reporter_observer(&server->reporter);
    server->mux = mux_create(&server->options.mux, &observer, server->scratch, engine_now());
    if (server->mux == NULL) {
        error_set(error, "not enough memory");
        return false;
    }
    return true;
}

static bool open_route(struct server *server, struct error *error)
{
    server->route = engine_add_route(server->engine, server->mux, &server->options.engine, error);
    server->reporter.route = server->route;
    return server->route != NULL;
}

static_assert(SPIN_AUTO == CONFIG_AUTO, "--spin auto is the engine's");

static bool open_all(struct server *server, struct error *error)
{
    server->engine = engine_create(server->log, error);
    if (server->engine != NULL) {
        engine_set_spin(server->engine, server->config->spin_ns);
    }
    return server->engine != NULL && open_mux(server, error) && open_route(server, error) &&
           engine_watch(server->engine, server->signals.fd, signals_ready, server, error);
}

static void close_all(struct server *server)
{
    engine_destroy(&server->engine);
    mux_destroy(&server->mux);
}

static void run(struct server *server)
{
    announce_start(server->log, server->config);
    announce_listeners(server->log, server->route);
    log_defer(server->log, true);
    engine_run(server->engine);
    log_defer(server->log, false);
    announce_stop(server->log, mux_counters(server->mux), engine_spin(server->engine));
}

static enum server_end serve(struct server *server, struct error *error)
{
    if (!route_options_init(&server->options, server->config, error)) {
        return SERVER_BAD_VALUE;
    }
    if (!signals_block(&server->signals, error)) {
        return SERVER_FAILED;
    }
    bool is_open = open_all(server, error);
    if (is_open) {
        run(server);
    }
    close_all(server);
    log_finish(server->log); /* while PIPE and XFSZ are ignored */
    /* Signals stay blocked and ignored: the process is about to end, and none may end it otherwise. */
    return is_open ? SERVER_STOPPED : SERVER_FAILED;
}

enum server_end server_run(const struct config *config, struct log *log, struct error *error)
{
    struct server *server = calloc(1, sizeof(*server));
    if (server == NULL) {
        error_set(error, "not enough memory");
        return SERVER_FAILED;
    }
    server->config = config;
    server->log = log;
    enum server_end end = serve(server, error);
    free(server);
    return end;
}
