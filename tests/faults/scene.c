/* SPDX-License-Identifier: MIT */
/*
 * See scene.h. Everything runs on one thread: engine_run runs the engine, and the fault layer calls
 * back (act) for the peers and the plot. The plot ends the run through a watched eventfd, as
 * a signal would.
 */
#include "faults/scene.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "faults/failure.h"
#include "faults/peers.h"
#include "faults/sys_faulty.h"
#include "net/engine.h"
#include "protocol/registry.h"

#define SETTLE_NS (15 * NS_PER_S) /* longer than any deadline and pause of the options */
#define GRACE_NS  (2 * NS_PER_S)
#define DRAIN_NS  (GRACE_NS + 10 * NS_PER_S)
enum {
    STORM_CLIENTS_MAX = 16,
    CROWD_MAX = 6,
    CHECK_EVERY = 16, /* turns */
    DRAIN_TURNS = 200,
    END_PATIENCE_MS = 2000,
    HARD_PATIENCE_MS = 1,
    MILD_PATIENCE_MS = 300,
};

enum phase { PHASE_STORM, PHASE_SETTLING, PHASE_LAST, PHASE_CROWD, PHASE_DRAINING };

struct scene {
    struct random random;
    enum storm storm;
    enum phase phase;
    uint64_t phase_at; /* TIME_NEVER, or when the present phase ends or is overdue */
    uint64_t phase_waits;
    uint64_t checked_at; /* waits */

    struct target target;
    struct book book;
    struct client clients[CLIENTS_MAX];
    unsigned clients_count; /* begun */
    unsigned storm_count;   /* of the storm */
    unsigned at_once_max;
    uint16_t misdeed_permille;
    bool has_small_buffers;
    unsigned requests_count; /* of all clients begun */

    struct mux_options options;
    struct mux *mux;
    struct engine *engine;
    struct engine_route *route;
    struct sockaddr_in address; /* of the multiplexer */
    int drain_fd;
    uint8_t scratch[MUX_SCRATCH_BYTES];
};

/* ---- clients ---- */

static unsigned count_alive(const struct scene *scene)
{
    unsigned alive = 0;
    for (unsigned number = 0; number < scene->clients_count; number++) {
        alive += scene->clients[number].state != CLIENT_ENDED;
    }
    return alive;
}

static struct client *begin_client(struct scene *scene, uint16_t misdeed_permille)
{
    assert(scene->clients_count < CLIENTS_MAX);
    struct client *client = &scene->clients[scene->clients_count];
    peer_client_init(client, random_next(&scene->random), scene->clients_count++, &scene->book,
                     misdeed_permille, scene->has_small_buffers);
    scene->requests_count += client->requests_count;
    return client;
}

static bool act_clients(struct scene *scene)
{
    bool moved = false;
    for (unsigned number = 0; number < scene->clients_count; number++) {
        moved = peer_client_act(&scene->clients[number], &scene->address) || moved;
    }
    return moved;
}

/* ---- the plot ---- */

static void enter(struct scene *scene, enum phase phase, uint64_t phase_at)
{
    failure_note("%llu phase %d", (unsigned long long)faulty_waits(), (int)phase);
    scene->phase = phase;
    scene->phase_at = phase_at;
    scene->phase_waits = faulty_waits();
}

static bool storm_goes_on(struct scene *scene)
{
    if (scene->clients_count < scene->storm_count && count_alive(scene) < scene->at_once_max) {
        (void)begin_client(scene, scene->misdeed_permille);
        return true;
    }
    if (scene->clients_count < scene->storm_count || count_alive(scene) > 0) {
        return false;
    }
    faulty_storm(false);
    target_calm(&scene->target);
    enter(scene, PHASE_SETTLING, faulty_now() + SETTLE_NS);
    return true;
}

/* Nothing has happened for long: who is gone was noticed. */
static void check_settled(const struct scene *scene)
{
    const struct mux_counters *counters = mux_counters(scene->mux);
    if (counters->clients != 0) {
        failure("all clients are gone, and %u were not noticed", counters->clients);
    }
    if ((counters->links != 0) != (scene->target.fd >= 0)) {
        failure("the core has %u links, the target %s", counters->links,
                scene->target.fd >= 0 ? "has one" : "none");
    }
}

static bool settle(struct scene *scene)
{
    if (faulty_now() < scene->phase_at) {
        return false;
    }
    check_settled(scene);
    (void)begin_client(scene, 0);
    enter(scene, PHASE_LAST, TIME_NEVER);
    return true;
}

/* Without faults that cost a connection there is one link, and every request is answered. */
static void check_unharmed(const struct scene *scene)
{
    const struct mux_counters *counters = mux_counters(scene->mux);
    if (counters->link_attempts != 1 || counters->links_lost != 0 ||
        scene->target.connections != 1) {
        failure("a run without hard faults connected %llu times, lost %llu links",
                (unsigned long long)counters->link_attempts,
                (unsigned long long)counters->links_lost);
    }
    if (scene->book.answered != scene->requests_count || counters->timeouts != 0 ||
        counters->returned != 0) {
        failure("a run without hard faults answered %u of %u requests", scene->book.answered,
                scene->requests_count);
    }
}

static bool await_last(struct scene *scene)
{
    const struct client *last = &scene->clients[scene->clients_count - 1];
    if (last->state != CLIENT_ENDED) {
        return false;
    }
    if (last->was_cut) {
        failure("the last client was closed: no recovery");
    }
    if (scene->storm != STORM_HARD) {
        check_unharmed(scene);
    }
    uint64_t crowd = random_below(&scene->random, CROWD_MAX + 1);
    for (uint64_t count = 0; count < crowd; count++) {
        (void)begin_client(scene, scene->misdeed_permille);
    }
    faulty_storm(random_below(&scene->random, 2) == 0);
    enter(scene, PHASE_CROWD, faulty_now() + random_below(&scene->random, 30 * NS_PER_MS));
    return true;
}

static bool crowd_goes_on(struct scene *scene)
{
    if (faulty_now() < scene->phase_at) {
        return false;
    }
    uint64_t one = 1;
    if (write(scene->drain_fd, &one, sizeof one) != sizeof one) {
        failure("cannot wake the engine: %s", strerror(errno));
    }
    enter(scene, PHASE_DRAINING, faulty_now() + DRAIN_NS);
    return true;
}

static bool await_finish(struct scene *scene)
{
    if (faulty_now() > scene->phase_at && faulty_waits() > scene->phase_waits + DRAIN_TURNS) {
        failure("draining does not finish");
    }
    return false;
}

static bool act_plot(struct scene *scene)
{
    switch (scene->phase) {
    case PHASE_STORM:
        return storm_goes_on(scene);
    case PHASE_SETTLING:
        return settle(scene);
    case PHASE_LAST:
        return await_last(scene);
    case PHASE_CROWD:
        return crowd_goes_on(scene);
    case PHASE_DRAINING:
        return await_finish(scene);
    }
    return false;
}

/* The first act of a turn is outside of all that the engine does. */
static void check_core(struct scene *scene)
{
    uint64_t waits = faulty_waits();
    if (waits != scene->checked_at && waits % CHECK_EVERY == 0) {
        scene->checked_at = waits;
        mux_check(scene->mux);
    }
}

/* ---- what the fault layer asks ---- */

static bool act(void *context)
{
    struct scene *scene = context;
    check_core(scene);
    bool moved = target_act(&scene->target);
    moved = act_clients(scene) || moved;
    return act_plot(scene) || moved;
}

static size_t wait_for(void *context, struct pollfd *polls, size_t capacity)
{
    struct scene *scene = context;
    size_t count = 0;
    assert(capacity >= CLIENTS_AT_ONCE_MAX + CROWD_MAX + 3);
    polls[count++] = (struct pollfd){.fd = scene->target.listener, .events = POLLIN};
    bool writes = scene->target.has_request && faulty_now() >= scene->target.answer_at;
    polls[count++] =
        (struct pollfd){.fd = scene->target.fd, .events = (short)(POLLIN | (writes ? POLLOUT : 0))};
    for (unsigned number = 0; number < scene->clients_count; number++) {
        const struct client *client = &scene->clients[number];
        bool stops = client->fate == FATE_STALL || client->out_sent == client->out_size ||
                     client->out_sent == client->fate_at;
        if (client->fd >= 0) {
            polls[count++] = (struct pollfd){.fd = client->fd,
                                             .events = (short)(POLLIN | (stops ? 0 : POLLOUT))};
        }
    }
    return count;
}

static uint64_t earliest(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t deadline(void *context)
{
    struct scene *scene = context;
    uint64_t at = target_deadline(&scene->target);
    for (unsigned number = 0; number < scene->clients_count; number++) {
        at = earliest(at, peer_client_deadline(&scene->clients[number]));
    }
    bool is_waiting = scene->phase == PHASE_SETTLING || scene->phase == PHASE_CROWD;
    return is_waiting ? earliest(at, scene->phase_at) : at;
}

static bool is_waiting(void *context)
{
    const struct scene *scene = context;
    return count_alive(scene) > 0;
}

/* ---- what happens on the route ---- */

static void observed(void *context, const struct mux_event *event)
{
    (void)context;
    switch (event->kind) {
    case MUX_LINK_UP:
        failure_note("%llu link %llu is up", (unsigned long long)faulty_waits(),
                     (unsigned long long)event->link);
        break;
    case MUX_LINK_FAILED:
    case MUX_LINK_LOST:
        failure_note("%llu link %llu is gone: %s", (unsigned long long)faulty_waits(),
                     (unsigned long long)event->link, reason_text(event->reason));
        break;
    case MUX_CLIENT_CLOSED:
        failure_note("%llu client connection #%llu closed: %s", (unsigned long long)faulty_waits(),
                     (unsigned long long)event->client, reason_text(event->reason));
        break;
    case MUX_CLIENT_OPENED:
    case MUX_CLIENT_SPOKE:
    case MUX_LINK_CONNECTING:
    case MUX_LINK_RETRY:
    case MUX_LINK_CLOSED:
    case MUX_REQUEST:
    case MUX_JOINED:
    case MUX_REQUEST_TAKEN:
    case MUX_RESPONSE:
    case MUX_ERROR_REPLY:
    case MUX_EXCHANGE_ENDED:
    case MUX_RESENT:
    case MUX_STRAY:
    case MUX_DOUBT:
    case MUX_GREETING:
    case MUX_UNASKED:
    case MUX_CLOSER:
    case MUX_PAUSED:
        break;
    }
}

static void drain(void *context)
{
    struct scene *scene = context;
    uint64_t count;
    if (read(scene->drain_fd, &count, sizeof count) == sizeof count) {
        engine_close_route(scene->route, NULL, NULL);
    }
}

/* ---- life ---- */

static void draw_options(struct scene *scene)
{
    struct random *random = &scene->random;
    struct mux_options *options = &scene->options;
    bool is_hard = scene->storm == STORM_HARD;
    mux_options_init(options);
    options->protocol = &protocol_echo;
    options->client_timeout_ns = 4 * NS_PER_S;
    options->queue_timeout_ns = (1 + random_below(random, 4)) * NS_PER_S;
    options->wait_timeout_ns = 10 * NS_PER_S;
    options->response_timeout_ns = (1 + random_below(random, 3)) * NS_PER_S;
    options->write_timeout_ns = 3 * NS_PER_S;
    options->connect_timeout_ns = NS_PER_S;
    options->retry_delay_min_ns = (1 + random_below(random, 200)) * NS_PER_MS;
    options->retry_delay_max_ns = 2 * NS_PER_S;
    options->grace_ns = GRACE_NS;
    options->seed = random_next(random);
    options->gap_ns = random_below(random, 4) == 0 ? 3 * NS_PER_MS : 0;
    options->delay_ns = random_below(random, 4) == 0 ? 20 * NS_PER_MS : 0;
    uint64_t style = random_below(random, 4);
    options->on_demand = style == 0;
    options->hold = style == 1;
    options->link_idle_ns = is_hard && style == 0 ? 500 * NS_PER_MS : 0;
    options->clients_max = is_hard && random_below(random, 8) == 0 ? 3 : 10000;
    options->request_buffer_bytes = random_below(random, 2) == 0 ? 64 * KIB : KIB;
}

static void draw_peers(struct scene *scene)
{
    static const uint16_t misdeeds[] = {0, 50, 200, 500};
    bool is_hard = scene->storm == STORM_HARD;
    scene->misdeed_permille = is_hard ? misdeeds[random_below(&scene->random, 4)] : 0;
    scene->has_small_buffers = is_hard && random_below(&scene->random, 8) == 0;
    scene->at_once_max = 1 + (unsigned)random_below(&scene->random, CLIENTS_AT_ONCE_MAX);
    scene->storm_count = 4 + (unsigned)random_below(&scene->random, STORM_CLIENTS_MAX - 3);
    target_open(&scene->target, random_next(&scene->random), &scene->book, is_hard,
                scene->has_small_buffers);
}

static void open_engine(struct scene *scene, struct log *log)
{
    struct error error;
    struct endpoint listen = {.host = "127.0.0.1"};
    struct engine_route_options options = {
        .target = {.host = "127.0.0.1", .port = ntohs(scene->target.address.sin_port)},
        .listen = &listen,
        .listen_count = 1};
    const struct mux_observer observer = {.event = observed};
    scene->mux = mux_create(&scene->options, &observer, scene->scratch, engine_now());
    scene->drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (scene->mux == NULL || scene->drain_fd < 0) {
        failure("cannot make a core and an eventfd");
    }
    scene->engine = engine_create(log, &error);
    if (scene->engine == NULL) {
        failure("%s", error.text);
    }
    scene->route = engine_add_route(scene->engine, scene->mux, &options, &error);
    if (scene->route == NULL ||
        !engine_watch(scene->engine, scene->drain_fd, drain, scene, &error)) {
        failure("%s", error.text);
    }
    scene->address = engine_listener_address(scene->route, 0)->is.v4;
}

/* The engine has closed everything: whoever still waits must see that. */
static void await_clients(struct scene *scene)
{
    for (unsigned number = 0; number < scene->clients_count; number++) {
        struct client *client = &scene->clients[number];
        if (client->state == CLIENT_UNBORN) {
            client->state = CLIENT_ENDED;
        }
        struct pollfd wait = {.fd = client->fd, .events = POLLIN};
        while (client->state != CLIENT_ENDED) {
            if (poll(&wait, 1, END_PATIENCE_MS) <= 0) {
                failure("client %u is still open after the end", number);
            }
            (void)peer_client_act(client, &scene->address);
        }
    }
}

static void close_all(struct scene *scene)
{
    faulty_storm(false);
    engine_destroy(&scene->engine);
    await_clients(scene);
    mux_destroy(&scene->mux);
    faulty_deinit();
    for (unsigned number = 0; number < scene->clients_count; number++) {
        peer_client_deinit(&scene->clients[number]);
    }
    target_close(&scene->target);
    (void)close(scene->drain_fd);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        failure("cannot count descriptors: %s", strerror(errno));
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    (void)closedir(directory);
    return count;
}

static void add_up(const struct scene *scene, struct totals *totals)
{
    totals->turns += faulty_waits();
    totals->requests_seen += scene->book.seen_count;
    totals->answers += scene->book.answered;
    totals->links += scene->target.connections;
    for (unsigned number = 0; number < scene->clients_count; number++) {
        totals->clients_cut += scene->clients[number].was_cut;
    }
}

static void play(struct scene *scene, struct log *log)
{
    open_engine(scene, log);
    faulty_storm(scene->storm != STORM_NONE);
    engine_run(scene->engine);
    mux_check(scene->mux);
    if (scene->phase != PHASE_DRAINING) {
        failure("the engine returned before it was drained");
    }
    const struct mux_counters *counters = mux_counters(scene->mux);
    if (counters->clients != 0 || counters->links != 0 || counters->waiting != 0 ||
        counters->in_flight != 0) {
        failure("the core is finished, but counts something");
    }
    close_all(scene);
}

void scene_run(uint64_t seed, enum storm storm, struct log *log, struct totals *totals)
{
    unsigned descriptors = count_descriptors();
    struct scene *scene = calloc(1, sizeof *scene);
    if (scene == NULL) {
        failure("no memory");
    }
    const struct faulty_peers peers = {.context = scene,
                                       .act = act,
                                       .wait_for = wait_for,
                                       .deadline = deadline,
                                       .is_waiting = is_waiting};
    scene->storm = storm;
    scene->phase_at = TIME_NEVER;
    random_init(&scene->random, seed);
    faulty_init(random_next(&scene->random), storm, &peers,
                storm == STORM_HARD ? HARD_PATIENCE_MS : MILD_PATIENCE_MS);
    draw_options(scene);
    draw_peers(scene);
    play(scene, log);
    add_up(scene, totals);
    if (count_descriptors() != descriptors) {
        failure("descriptors were left open");
    }
    free(scene);
}
