/* SPDX-License-Identifier: MIT */
/*
 * What idle routes cost those that are busy: the engine and the core as they are, with one route that listens
 * and is asked, and IDLE others that nobody asks. All of them speak echo.
 *
 *     bench-routes 127.0.0.1:0 TARGET IDLE
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <signal.h>

#include "net/engine.h"
#include "protocol/registry.h"

enum { IDLE_MAX = 10000 };

static uint8_t scratch[MUX_SCRATCH_BYTES];
static struct log quiet;

static void fail(const char *what)
{
    (void)fprintf(stderr, "bench-routes: %s\n", what);
    exit(1);
}

static struct mux *create_core(void)
{
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = protocol_find("echo");
    options.on_demand = true;
    struct mux *mux = mux_create(&options, NULL, scratch, engine_now());
    if (mux == NULL) {
        fail("no memory");
    }
    return mux;
}

static struct engine_route *add(struct engine *engine, struct mux *mux, const char *target,
                                const char *listen)
{
    struct error error;
    struct endpoint endpoint;
    struct engine_route_options options = {.listen = &endpoint, .listen_count = listen != NULL};
    if (!endpoint_parse_target(target, &options.target, &error) ||
        (listen != NULL && !endpoint_parse_listen(listen, &endpoint, &error))) {
        fail(error.text);
    }
    struct engine_route *route = engine_add_route(engine, mux, &options, &error);
    if (route == NULL) {
        fail(error.text);
    }
    return route;
}

static void stop(void *engine)
{
    engine_stop(engine);
}

/* The descriptor that says that SIGTERM has come. */
static int watch_for_term(struct engine *engine)
{
    struct error error;
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0 || !engine_watch(engine, fd, stop, engine, &error)) {
        fail("cannot wait for SIGTERM");
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct mux *cores[IDLE_MAX + 1];
    char text[ADDRESS_TEXT_MAX];
    struct error error;
    unsigned long idle = argc == 4 ? strtoul(argv[3], NULL, 10) : IDLE_MAX + 1UL;
    if (idle > IDLE_MAX) {
        fail("usage: bench-routes LISTEN TARGET IDLE");
    }
    log_init(&quiet, STDERR_FILENO, LOG_WARN, LOG_TEXT);
    struct engine *engine = engine_create(&quiet, &error);
    if (engine == NULL) {
        fail(error.text);
    }
    for (unsigned long index = 0; index < idle; index++) {
        cores[index + 1] = create_core();
        (void)add(engine, cores[index + 1], argv[2], NULL);
    }
    cores[0] = create_core();
    struct engine_route *route = add(engine, cores[0], argv[2], argv[1]);
    int fd = watch_for_term(engine);
    printf("listening %s\n", address_format(engine_listener_address(route, 0), text, sizeof text));
    (void)fflush(stdout);
    engine_run(engine);
    engine_destroy(&engine);
    for (unsigned long index = 0; index <= idle; index++) {
        mux_destroy(&cores[index]);
    }
    close(fd);
    return 0;
}
