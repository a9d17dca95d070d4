/* SPDX-License-Identifier: MIT */
/* The observer of the core in the simulator; see witness.h. */
#include "witness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_model.h"
#include "client_state.h"
#include "clocks.h"
#include "memory.h"
#include "sharing.h"
#include "turns.h"
#include "world.h"

static const char *const kind_names[WITNESS_KINDS] = {
    [MUX_CLIENT_OPENED] = "client_opened",
    [MUX_CLIENT_SPOKE] = "client_spoke",
    [MUX_CLIENT_CLOSED] = "client_closed",
    [MUX_LINK_CONNECTING] = "link_connecting",
    [MUX_LINK_UP] = "link_up",
    [MUX_LINK_FAILED] = "link_failed",
    [MUX_LINK_RETRY] = "link_retry",
    [MUX_LINK_LOST] = "link_lost",
    [MUX_LINK_CLOSED] = "link_closed",
    [MUX_REQUEST] = "request",
    [MUX_JOINED] = "joined",
    [MUX_REQUEST_TAKEN] = "request_taken",
    [MUX_RESPONSE] = "response",
    [MUX_ERROR_REPLY] = "error_reply",
    [MUX_EXCHANGE_ENDED] = "exchange_ended",
    [MUX_RESENT] = "resent",
    [MUX_STRAY] = "stray",
    [MUX_DOUBT] = "doubt",
    [MUX_GREETING] = "greeting",
    [MUX_UNASKED] = "unasked",
    [MUX_CLOSER] = "closer",
    [MUX_PAUSED] = "paused",
};

static void tell(struct world *world, const struct mux_event *event)
{
    WORLD_TRACE(world, "    core: %s client #%llu link %llu exchange %llu %s",
                kind_names[event->kind], (unsigned long long)event->client,
                (unsigned long long)event->link, (unsigned long long)event->exchange,
                reason_text(event->reason));
}

static struct seen_client *seen_client(struct witness *witness, uint64_t serial)
{
    return serial > 0 && serial < WITNESS_CLIENTS_MAX ? &witness->clients[serial] : NULL;
}

static struct seen_exchange *seen_exchange(struct witness *witness, uint64_t serial)
{
    if (serial >= witness->exchanges_room) {
        size_t room = (size_t)serial * 2 + 64;
        witness->exchanges = realloc(witness->exchanges, room * sizeof *witness->exchanges);
        assert(witness->exchanges != NULL);
        memset(witness->exchanges + witness->exchanges_room, 0,
               (room - witness->exchanges_room) * sizeof *witness->exchanges);
        witness->exchanges_room = room;
    }
    return &witness->exchanges[serial];
}

static void owe(struct world *world, uint64_t serial)
{
    const struct seen_client *client = seen_client(&world->witness, serial);
    if (client != NULL && !client->connection->owed) {
        client->connection->owed = true;
        client->connection->owed_since = world->now_ns;
    }
}

static void given(const struct world *world, const struct mux_event *event)
{
    if (event->client > 0 && event->client < WITNESS_CLIENTS_MAX) {
        victims_given(world, world->witness.clients[event->client].connection, event->bytes.size);
    }
}

/* ---- exchanges ---- */

/* A new exchange appears, either with its request or with the error reply of something malformed. */
static struct seen_exchange *begin_exchange(struct world *world, const struct mux_event *event)
{
    struct witness *witness = &world->witness;
    struct seen_exchange *exchange = seen_exchange(witness, event->exchange);
    if (exchange->phase != PHASE_UNKNOWN) {
        sim_fail("an exchange begins once", "exchange %llu begins again",
                 (unsigned long long)event->exchange);
    }
    *exchange = (struct seen_exchange){
        .phase = PHASE_WAITING, .client = event->client, .since = world->now_ns};
    witness->exchanges_count =
        event->exchange > witness->exchanges_count ? event->exchange : witness->exchanges_count;
    witness->exchanges_open++;
    if (witness->exchanges_open > witness->exchanges_open_max) {
        witness->exchanges_open_max = witness->exchanges_open;
    }
    struct seen_client *client = seen_client(witness, event->client);
    if (client != NULL && client->open++ == 0) {
        client->head = event->exchange;
        client->head_since = world->now_ns;
        memset(client->turns_seen, 0, sizeof client->turns_seen);
    }
    return exchange;
}

static struct seen_exchange *known_exchange(struct world *world, const struct mux_event *event,
                                            enum exchange_phase from, enum exchange_phase to)
{
    struct seen_exchange *exchange = seen_exchange(&world->witness, event->exchange);
    if (exchange->phase < from || exchange->phase > to) {
        sim_fail("the core's story makes sense", "%s for exchange %llu, which is in phase %d",
                 kind_names[event->kind], (unsigned long long)event->exchange,
                 (int)exchange->phase);
    }
    return exchange;
}

static void next_head(struct witness *witness, struct seen_client *client, uint64_t serial,
                      uint64_t now)
{
    assert(client->open > 0);
    client->open--;
    if (client->head != serial) {
        return;
    }
    memset(client->turns_seen, 0, sizeof client->turns_seen);
    uint64_t owner = witness->exchanges[serial].client;
    for (uint64_t next = serial + 1; client->open > 0 && next <= witness->exchanges_count; next++) {
        const struct seen_exchange *exchange = &witness->exchanges[next];
        if (exchange->client == owner && exchange->phase != PHASE_ENDED &&
            exchange->phase != PHASE_UNKNOWN) {
            client->head = next;
            client->head_since = now;
            return;
        }
    }
}

/* What ended well was answered, or expects nothing and was sent; what was cut off has a cause. */
static void check_end_makes_sense(struct world *world, const struct seen_exchange *exchange,
                                  const struct mux_event *event)
{
    const struct seen_client *client = seen_client(&world->witness, exchange->client);
    const struct client *model =
        client == NULL || !world->modelled ? NULL : client->connection->client;
    const struct ledger_entry *entry =
        model == NULL ? NULL : sim_client_entry_of(model, event->exchange);
    if (event->reason != REASON_NONE) {
        if (exchange->responses > 0 && event->client != 0 && entry != NULL) {
            world->witness.cut_off++;
            sim_client_cut_off(world, client->connection->client, event->exchange, event->reason);
        }
        return;
    }
    if ((exchange->phase != PHASE_TAKEN && exchange->phase != PHASE_JOINED) ||
        (entry != NULL && entry_expects_response(entry) && exchange->responses == 0)) {
        sim_fail("what ends well was answered", "exchange %llu was not",
                 (unsigned long long)event->exchange);
    }
}

static void on_ended(struct world *world, const struct mux_event *event)
{
    struct witness *witness = &world->witness;
    struct seen_exchange *exchange = seen_exchange(witness, event->exchange);
    if (exchange->phase ==
        PHASE_UNKNOWN) { /* refused, and its client went before it could be told */
        exchange = begin_exchange(world, event);
    }
    exchange = known_exchange(world, event, PHASE_WAITING, PHASE_TAKEN);
    check_end_makes_sense(world, exchange, event);
    if (exchange->phase == PHASE_TAKEN && event->reason == REASON_RESPONSE_TIMEOUT &&
        exchange->entry != NULL) {
        link_watch_timed_out(world, exchange->link, exchange->entry);
    }
    exchange->phase = PHASE_ENDED;
    exchange->reason = event->reason;
    exchange->orphaned = event->client == 0;
    sharing_ended(world, exchange);
    witness->exchanges_open--;
    witness->ended[event->reason]++;
    struct seen_client *client = seen_client(witness, exchange->client);
    if (client != NULL) {
        next_head(witness, client, event->exchange, world->now_ns);
    }
    while (witness->oldest_open <= witness->exchanges_count &&
           witness->exchanges[witness->oldest_open].phase != PHASE_WAITING &&
           witness->exchanges[witness->oldest_open].phase != PHASE_JOINED &&
           witness->exchanges[witness->oldest_open].phase != PHASE_TAKEN) {
        witness->oldest_open++;
    }
}

static void on_taken(struct world *world, const struct mux_event *event)
{
    struct seen_exchange *exchange = known_exchange(world, event, PHASE_WAITING, PHASE_WAITING);
    struct connection *link = world_find(world, event->link_id);
    assert(link != NULL);
    check_close_is_awaited(world, link);
    exchange->phase = PHASE_TAKEN;
    exchange->id = dialect_has_ids(&world->dialect) ? message_id(TARGET_SIDE, event->bytes) : 0;
    sharing_taken(world, exchange);
    link->taken_at = world->now_ns;
    link->watch.quiet.taken++;
    exchange->link = link;
    exchange->taken_as = ++world->witness.taken_count;
    exchange->taken_at = world->now_ns;
    check_link_is_young(world, link);
    victims_given(world, link, event->bytes.size);
    turns_taken(world, event->client, exchange);
}

static void on_resent(struct world *world, const struct mux_event *event)
{
    struct seen_exchange *exchange = known_exchange(world, event, PHASE_TAKEN, PHASE_TAKEN);
    exchange->phase = PHASE_WAITING;
    sharing_returned(world, exchange);
    exchange->link = NULL;
    turns_returned(world, event->client);
}

static void on_request(struct world *world, const struct mux_event *event)
{
    struct seen_exchange *exchange = begin_exchange(world, event);
    exchange->queued = true;
    exchange->kind = dialect_kind(&world->dialect, CLIENT_SIDE, event->bytes);
    const struct seen_client *client = seen_client(&world->witness, event->client);
    if (world->modelled && client != NULL) {
        exchange->entry = sim_client_request_seen(world, client->connection->client,
                                                  event->exchange, event->bytes);
        sharing_asked(world, exchange);
    }
}

static void on_error_reply(struct world *world, const struct mux_event *event)
{
    struct witness *witness = &world->witness;
    if (seen_exchange(witness, event->exchange)->phase == PHASE_UNKNOWN) {
        begin_exchange(world, event);
    }
    struct seen_exchange *exchange = known_exchange(world, event, PHASE_WAITING, PHASE_TAKEN);
    if (exchange->replied || exchange->responses > 0) {
        sim_fail("an exchange is answered once", "exchange %llu gets an error reply on top",
                 (unsigned long long)event->exchange);
    }
    exchange->replied = true;
    owe(world, event->client);
    given(world, event);
    witness->error_replies_with_bytes += event->bytes.size > 0;
    if (event->reason == REASON_CLIENT_STALLED && exchange->entry != NULL) {
        clocks_stalled(world, exchange->entry);
    }
    struct seen_client *client = seen_client(witness, event->client);
    if (client == NULL) {
        return;
    }
    if (event->bytes.size == 0) {
        client->told_reason = event->reason;
    }
    if (dialect_has_ids(&world->dialect)) { /* out of order: see on_response */
        memset(client->turns_seen, 0, sizeof client->turns_seen);
    }
    if (world->modelled) {
        sim_client_error_told(world, client->connection->client, event->exchange, event->reason);
    }
}

static void on_link_up(struct world *world, const struct mux_event *event)
{
    struct connection *link = world_find(world, event->link_id);
    assert(link != NULL);
    link->was_up = true;
    links_up(world);
    link_watch_up(world, link);
}

/* A link that was idle and that the core retires itself is no failed attempt. */
static void on_link_lost(struct world *world, const struct mux_event *event)
{
    struct connection *link = world_find(world, event->link_id);
    assert(link != NULL);
    if (world->modelled && event->reason == REASON_ORPHAN &&
        !link_watch_has_large_orphan(link, false) && !clocks_orphan_is_old(world, link)) {
        sim_fail("an orphaned response is swallowed", "link %llu is given up for one",
                 (unsigned long long)link->number);
    }
    if (world->modelled && event->reason == REASON_HALF_REQUEST && link->watch.sending == NULL) {
        sim_fail("a link is replaced for half a request only when it has one",
                 "link %llu is between requests", (unsigned long long)link->number);
    }
    link->was_lost = true;
    link->lost_reason = event->reason;
    link->lost_at = world->now_ns;
    link_watch_lost(world, link, event->reason);
    world->witness.lost[event->reason]++;
    world->has_shifted = world->has_shifted || event->reason == REASON_TARGET_STRAY;
    links_lost(world, link, event->reason);
    if (event->reason != REASON_LINK_IDLE) {
        return;
    }
    uint64_t idle_ns = world->options.link_idle_ns;
    if (idle_ns == 0 || world->now_ns - link->watch.last_byte_at < idle_ns ||
        world->now_ns - link->connected_at < idle_ns || link->watch.awaited_count > 0) {
        sim_fail("--link-idle is kept", "link %llu is retired %llu us after its last byte",
                 (unsigned long long)link->number,
                 (unsigned long long)((world->now_ns - link->watch.last_byte_at) / NS_PER_US));
    }
}

/* ---- clients ---- */

static void on_client_opened(struct world *world, const struct mux_event *event)
{
    struct witness *witness = &world->witness;
    if (event->client != witness->clients_count + 1) {
        sim_fail("clients are numbered in order", "client #%llu follows #%llu",
                 (unsigned long long)event->client, (unsigned long long)witness->clients_count);
    }
    witness->clients_count = event->client;
    struct seen_client *client = seen_client(witness, event->client);
    if (client != NULL) {
        union {
            const void *constant;
            struct connection *connection;
        } origin = {.constant = event->origin};
        client->connection = origin.connection;
    }
}

/* Once, and before anything that follows from it. */
static void on_client_spoke(struct world *world, const struct mux_event *event)
{
    struct seen_client *client = seen_client(&world->witness, event->client);
    if (client == NULL) {
        return;
    }
    if (client->spoke || client->open > 0) {
        sim_fail("a client speaks for the first time once", "client #%llu",
                 (unsigned long long)event->client);
    }
    client->spoke = true;
}

static void on_client_closed(struct world *world, const struct mux_event *event)
{
    struct seen_client *client = seen_client(&world->witness, event->client);
    if (client == NULL) {
        return;
    }
    if (client->closed) {
        sim_fail("a client closes once", "client #%llu closes again",
                 (unsigned long long)event->client);
    }
    if (event->silent == client->spoke) {
        sim_fail("who is called silent has said nothing", "client #%llu",
                 (unsigned long long)event->client);
    }
    client->closed = true;
    client->reason = event->reason;
    if (world->modelled) {
        sim_client_was_closed(world, client->connection->client, event->reason, client->told_reason,
                              client->paused);
    }
}

/* An error reply may follow an interim response, which is whole in itself. */
static bool is_interim(const struct world *world, struct span piece)
{
    return piece.size > 0 && piece.data[0] == '<' &&
           dialect_kind(&world->dialect, TARGET_SIDE, piece) == 'I';
}

/* With what it has to take now a client may be over its backlog, and then it stands in the turns as the last
 * again, though it waits with nothing in flight: what it got was shared. */
static void on_response(struct world *world, const struct mux_event *event)
{
    struct seen_exchange *exchange = known_exchange(world, event, PHASE_JOINED, PHASE_TAKEN);
    owe(world, event->client);
    given(world, event);
    exchange->responses += !is_interim(world, event->bytes);
    world_find(world, event->link_id)->watch.told_in = world->readings;
    struct seen_client *client = seen_client(&world->witness, event->client);
    if (exchange->phase == PHASE_JOINED && client != NULL) {
        memset(client->turns_seen, 0, sizeof client->turns_seen);
    }
}

static void look(struct world *world, const struct mux_event *event)
{
    tell(world, event);
    world->witness.kinds[event->kind]++;
    world->witness.last_reason[event->kind] = event->reason;
    switch (event->kind) {
    case MUX_CLIENT_OPENED:
        on_client_opened(world, event);
        break;
    case MUX_CLIENT_SPOKE:
        on_client_spoke(world, event);
        break;
    case MUX_CLIENT_CLOSED:
        on_client_closed(world, event);
        break;
    case MUX_REQUEST:
        on_request(world, event);
        break;
    case MUX_REQUEST_TAKEN:
        on_taken(world, event);
        break;
    case MUX_RESPONSE:
        on_response(world, event);
        break;
    case MUX_ERROR_REPLY:
        on_error_reply(world, event);
        break;
    case MUX_EXCHANGE_ENDED:
        on_ended(world, event);
        break;
    case MUX_RESENT:
        on_resent(world, event);
        break;
    case MUX_LINK_LOST:
        on_link_lost(world, event);
        break;
    case MUX_LINK_UP:
        on_link_up(world, event);
        break;
    case MUX_LINK_CONNECTING:
        links_dial(world);
        break;
    case MUX_LINK_FAILED:
        world->dialling.from = world->now_ns;
        world->dialling.misses++;
        break;
    case MUX_PAUSED:
        victims_gone(world, event);
        if (event->client < WITNESS_CLIENTS_MAX) {
            world->witness.clients[event->client].paused = true;
        }
        break;
    case MUX_JOINED:
        sharing_joined(world, event);
        break;
    case MUX_LINK_RETRY:
    case MUX_LINK_CLOSED:
    case MUX_STRAY:
    case MUX_DOUBT:
    case MUX_GREETING:
    case MUX_UNASKED:
    case MUX_CLOSER:
        break;
    }
}

void witness_event(void *context, const struct mux_event *event)
{
    memory_core_ends(); /* what the witness allocates is not the core's */
    look(context, event);
    memory_core_begins();
}

void witness_deinit(struct witness *witness)
{
    free(witness->exchanges);
    witness->exchanges = NULL;
}

/* ---- checks ---- */

static uint64_t later(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static uint64_t last_byte_at(const struct world *world)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < world->live_count; i++) {
        at = later(at, world->live[i]->last_seen_at);
    }
    return at;
}

/* When an exchange last moved: for one that streams, any byte of it counts. */
static uint64_t moved_at(const struct world *world, const struct seen_exchange *exchange,
                         uint64_t serial)
{
    const struct seen_client *client =
        exchange->client < WITNESS_CLIENTS_MAX ? &world->witness.clients[exchange->client] : NULL;
    if (client == NULL || !dialect_streams(&world->dialect)) {
        return exchange->since;
    }
    if (!world->modelled) { /* a scene knows of no requests: any byte counts */
        return last_byte_at(world);
    }
    const struct client *model = client->connection->client;
    const struct ledger_entry *entry = sim_client_entry_of(model, serial);
    if (entry == NULL) {
        return exchange->since;
    }
    if (exchange->phase == PHASE_WAITING && entry->surely_ready_at == TIME_NEVER) {
        return time_after(client->connection->last_seen_at, world->options.client_timeout_ns);
    }
    if (exchange->phase == PHASE_WAITING || entry->sendings_count == 0) {
        /* Behind another one it may stand half read, and be framed when that has ended. */
        return later(entry->surely_ready_at, later(exchange->since, client->head_since));
    }
    const struct connection *link = entry->sendings[entry->sendings_count - 1].link;
    return later(link->last_seen_at, client->connection->last_seen_at);
}

void check_every_request_ends_in_time(const struct world *world)
{
    const struct witness *witness = &world->witness;
    const struct mux_options *options = &world->options;
    if (witness->exchanges_open == 0) {
        return;
    }
    /* Sent at the latest when it has waited its longest, and answered within the response time, which
     * runs for one after the other and stands still while its client has to take what came before. */
    uint64_t answered_ns = time_after(options->response_timeout_ns, options->write_timeout_ns);
    uint64_t in_front = (uint64_t)2 * options->in_flight_max; /* interims too */
    uint64_t longest = time_after(options->wait_timeout_ns, answered_ns * in_front);
    if (options->in_flight_max >
        1) { /* unsent behind one that came later, it has that one's time */
        longest = time_after(longest, options->wait_timeout_ns);
    }
    uint64_t slack = NS_PER_MS + world->swarm.engine.tick_max_ns * 1000;
    const struct seen_exchange *oldest = &witness->exchanges[witness->oldest_open];
    if (oldest->phase == PHASE_UNKNOWN || oldest->phase == PHASE_ENDED) {
        return;
    }
    uint64_t moved_ns = moved_at(world, oldest, witness->oldest_open);
    slack += world_stopped_since(world, moved_ns);
    if (world->now_ns > time_after(moved_ns, time_after(longest, slack))) {
        sim_fail("every request ends",
                 "exchange %llu of client #%llu is %llu ms old, its deadlines allow %llu",
                 (unsigned long long)witness->oldest_open, (unsigned long long)oldest->client,
                 (unsigned long long)((world->now_ns - oldest->since) / NS_PER_MS),
                 (unsigned long long)(longest / NS_PER_MS));
    }
}

void check_nothing_is_left_open(const struct world *world)
{
    const struct witness *witness = &world->witness;
    if (witness->exchanges_open > 0) {
        sim_fail("every exchange ends", "%llu exchanges were never told to have ended",
                 (unsigned long long)witness->exchanges_open);
    }
    if (witness->kinds[MUX_CLIENT_OPENED] != witness->kinds[MUX_CLIENT_CLOSED] ||
        witness->kinds[MUX_LINK_UP] != witness->kinds[MUX_LINK_CLOSED]) {
        sim_fail("what opens closes",
                 "%llu clients opened, %llu closed; %llu links up, %llu closed",
                 (unsigned long long)witness->kinds[MUX_CLIENT_OPENED],
                 (unsigned long long)witness->kinds[MUX_CLIENT_CLOSED],
                 (unsigned long long)witness->kinds[MUX_LINK_UP],
                 (unsigned long long)witness->kinds[MUX_LINK_CLOSED]);
    }
}

static void compare(const char *name, uint64_t counted, uint64_t seen)
{
    if (counted != seen) {
        sim_fail("counters match what happened", "the core counts %llu %s, the simulator %llu",
                 (unsigned long long)counted, name, (unsigned long long)seen);
    }
}

void check_counters_match_events(const struct world *world)
{
    const struct witness *witness = &world->witness;
    const struct mux_counters *counters = mux_counters(world->mux);
    const uint64_t *kinds = witness->kinds;
    compare("clients", counters->clients_accepted + counters->clients_refused,
            kinds[MUX_CLIENT_OPENED]);
    compare("closed clients", counters->clients_closed, kinds[MUX_CLIENT_CLOSED]);
    compare("requests", counters->requests, kinds[MUX_REQUEST]);
    compare("requests taken", counters->requests_taken, kinds[MUX_REQUEST_TAKEN]);
    if (memory_failed() == 0) { /* without memory a reply may be told and not be queued */
        compare("error replies", counters->error_replies, witness->error_replies_with_bytes);
    }
    if (memory_failed() == 0 && world->modelled) {
        compare("requests that crossed a close", counters->crossed, world->closer.crossed);
    }
    compare("returned and resent", counters->returned + counters->resent, kinds[MUX_RESENT]);
    compare("strays", counters->strays, kinds[MUX_STRAY]);
    compare("unasked", counters->unasked, kinds[MUX_UNASKED]);
    compare("requests that joined another", counters->coalesced, kinds[MUX_JOINED]);
    compare("attempts", counters->link_attempts, kinds[MUX_LINK_CONNECTING]);
    compare("links up", counters->links_up, kinds[MUX_LINK_UP]);
    compare("links failed", counters->links_failed, kinds[MUX_LINK_FAILED]);
    compare("links lost", counters->links_lost, kinds[MUX_LINK_LOST]);
    uint64_t bytes[4] = {0};
    for (uint32_t i = 0; i < world->connections_count; i++) {
        const struct connection *connection = world->connections[i];
        bytes[connection->is_link ? 2 : 0] += connection->up.read;
        bytes[connection->is_link ? 3 : 1] += connection->sent_bytes;
    }
    compare("bytes from clients", counters->client_bytes_in, bytes[0]);
    compare("bytes to clients", counters->client_bytes_out, bytes[1]);
    compare("bytes from links", counters->link_bytes_in, bytes[2]);
    compare("bytes to links", counters->link_bytes_out, bytes[3]);
    for (uint32_t reason = 1; reason < REASON_COUNT; reason++) {
        compare("exchanges that ended with an error", counters->ended[reason],
                witness->ended[reason]);
    }
}
