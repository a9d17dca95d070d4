/* SPDX-License-Identifier: MIT */
/* How long one exchange may keep a link from others; see clocks.h. */
#include "clocks.h"

#include "client_state.h"
#include "memory.h"
#include "turns.h"
#include "world.h"

#define SIM_ORPHAN_NS (2 * NS_PER_S)
#define SIM_HOLD_NS   (100 * NS_PER_MS)

static uint64_t later(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

/* The time since `from` in which the engine was stopped is nobody's. */
static uint64_t slack_ns(const struct world *world, uint64_t from)
{
    return NS_PER_MS + world->swarm.engine.tick_max_ns * 1000 + world_stopped_since(world, from);
}

/* On this link. */
static const struct sending *sending_of(const struct ledger_entry *entry,
                                        const struct connection *link)
{
    for (uint32_t i = entry->sendings_count; i > 0; i--) {
        if (entry->sendings[i - 1].link == link) {
            return &entry->sendings[i - 1];
        }
    }
    return NULL;
}

static void fail(const struct connection *link, const struct ledger_entry *entry, const char *what,
                 uint64_t ns)
{
    sim_fail(what, "link %llu has waited %llu us for the response to request %u.%u",
             (unsigned long long)link->number, (unsigned long long)(ns / NS_PER_US), entry->client,
             entry->sequence);
}

static void check_head(const struct world *world, const struct connection *link,
                       const struct ledger_entry *entry, const struct sending *sending)
{
    const struct link_watch *watch = &link->watch;
    uint64_t from = later(later(sending->last_byte_at, watch->head_since), link->unread_at);
    if (sending->whole && !sending->answering &&
        world->now_ns >
            time_after(from, world->options.response_timeout_ns + slack_ns(world, from))) {
        fail(link, entry, "a final head has --timeout in all", world->now_ns - from);
    }
}

static void check_orphan(const struct world *world, const struct connection *link,
                         const struct ledger_entry *entry, const struct sending *sending)
{
    uint64_t from = later(sending->orphaned_at, link->watch.head_since);
    uint64_t timeout_ns = world->options.response_timeout_ns;
    if (!sending->orphaned) {
        return;
    }
    if (world->now_ns > time_after(from, timeout_ns + slack_ns(world, from))) {
        fail(link, entry, "an orphan has --timeout in all", world->now_ns - from);
    }
    bool begun = sending->answering &&
                 dialect_streams(&world->dialect); /* with a body, which shows no end */
    if (begun && turns_wait_for_any_link(world) &&
        world->now_ns > time_after(from, SIM_ORPHAN_NS + slack_ns(world, from))) {
        fail(link, entry, "an orphan without end gives way", world->now_ns - from);
    }
}

/* What it has to take. */
static size_t owed_to(const struct world *world, const struct ledger_entry *entry)
{
    const struct connection *client = world->clients[entry->client - 1]->connection;
    bool is_there = client->stage == STAGE_OPEN && client->id != MUX_ID_NONE;
    return is_there ? mux_send_view(world->mux, client->id).size : 0;
}

/* Whose client surely holds the link: it has to take what it was given, or to bring the rest of it. NULL:
 * nobody's. And when it, or the link for it, last did anything. */
static const struct ledger_entry *held_by(const struct world *world, const struct connection *link,
                                          uint64_t *idle_from)
{
    const struct link_watch *watch = &link->watch;
    const struct ledger_entry *oldest = watch->awaited_count == 0 ? NULL : watch->awaited[0];
    const struct ledger_entry *entry = watch->sending;
    size_t owed = oldest == NULL ? 0 : owed_to(world, oldest);
    if (owed > world->options.backlog_bytes_max) {
        *idle_from =
            later(link->last_seen_at, world->clients[oldest->client - 1]->connection->last_seen_at);
        return oldest;
    }
    if (entry == NULL || entry->read_whole || entry->flaw != FLAW_NONE ||
        (owed > 0 && oldest->client != entry->client) ||
        mux_send_view(world->mux, link->id).size > 0) {
        return NULL;
    }
    const struct connection *client = world->clients[entry->client - 1]->connection;
    const struct sending *sending = sending_of(entry, link);
    if (client->id != MUX_ID_NONE && (mux_wants(world->mux, client->id) & MUX_READ) == 0) {
        return NULL;
    }
    if (sending == NULL || client->stage != STAGE_OPEN || client->id == MUX_ID_NONE) {
        return NULL;
    }
    *idle_from = later(later(sending->last_byte_at, watch->head_since), client->last_seen_at);
    return entry;
}

static uint64_t serial_of(const struct world *world, const struct ledger_entry *entry)
{
    return world->witness.exchanges[entry->exchange].client;
}

static uint64_t hold_ns(const struct world *world)
{
    uint64_t halved_ns =
        world->options.write_timeout_ns >> (world->idle_holders < 63 ? world->idle_holders : 63);
    return later(halved_ns, clocks_least_hold_ns(world));
}

static void check_holder(const struct world *world, struct connection *link)
{
    uint64_t idle_from = 0, arrived_at;
    const struct ledger_entry *entry = held_by(world, link, &idle_from);
    link->watch.held_by = NULL;
    if (entry == NULL || memory_failed() > 0 || world->draining ||
        !turns_wait_for(world, link, serial_of(world, entry), &arrived_at)) {
        return;
    }
    link->watch.held_by = entry;
    link->watch.held_at = world->now_ns;
    uint64_t at = later(time_after(idle_from, hold_ns(world)),
                        time_after(arrived_at, clocks_least_hold_ns(world)));
    if (world->now_ns > time_after(at, slack_ns(world, at))) {
        sim_fail("who holds a link idly gives way",
                 "request %u.%u has held link %llu for %llu us, as number %u in a row at least",
                 entry->client, entry->sequence, (unsigned long long)link->number,
                 (unsigned long long)((world->now_ns - idle_from) / NS_PER_US),
                 world->idle_holders + 1);
    }
}

void clocks_stalled(struct world *world, const struct ledger_entry *entry)
{
    const struct sending *sending =
        entry->sendings_count == 0 ? NULL : &entry->sendings[entry->sendings_count - 1];
    if (sending == NULL || sending->link->watch.held_by != entry) {
        return;
    }
    struct connection *link = sending->link;
    uint64_t held_at = link->watch.held_at, arrived_at;
    bool is_still = link->last_seen_at < held_at &&
                    world->clients[entry->client - 1]->connection->last_seen_at < held_at;
    if (is_still && turns_wait_for(world, link, serial_of(world, entry), &arrived_at)) {
        world->idle_holders++;
    }
    link->watch.held_by = NULL;
}

static void check_link(const struct world *world, struct connection *link)
{
    const struct ledger_entry *oldest =
        link->watch.awaited_count == 0 ? NULL : link->watch.awaited[0];
    const struct sending *sending = oldest == NULL ? NULL : sending_of(oldest, link);
    if (link->watch.spoilt == NULL && !dialect_has_ids(&world->dialect)) {
        check_holder(world, link);
    }
    if (sending == NULL || link->watch.spoilt != NULL) {
        return;
    }
    check_head(world, link, oldest, sending);
    if (!dialect_has_ids(&world->dialect)) {
        check_orphan(world, link, oldest, sending);
    }
}

void check_clocks_are_not_wound(const struct world *world)
{
    for (uint32_t i = 0; world->modelled && i < world->live_count; i++) {
        struct connection *link = world->live[i];
        if (link->is_link && link->was_up && !link->was_lost && link->stage == STAGE_OPEN) {
            if ((mux_wants(world->mux, link->id) & MUX_READ) == 0) {
                link->unread_at = world->now_ns; /* its client has to take something first */
            }
            check_link(world, link);
        }
    }
}

bool clocks_orphan_is_old(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    const struct sending *sending =
        watch->awaited_count == 0 ? NULL : sending_of(watch->awaited[0], link);
    uint64_t timeout_ns = world->options.response_timeout_ns;
    uint64_t least_ns = timeout_ns < SIM_ORPHAN_NS ? timeout_ns : SIM_ORPHAN_NS;
    return sending != NULL && sending->responding &&
           world->now_ns - later(sending->first_byte_at, watch->head_since) >= least_ns;
}

/* ---- clients ---- */

/* What a client has to take, or an uploader to bring, within --write-timeout. */
enum { SIM_PROGRESS_BYTES = 64 * 1024 };

/* What it has brought since then. */
static uint64_t brought_since(const struct client *client, uint64_t at)
{
    size_t index = client->marks_count;
    while (index > 0 && client->marks[index - 1].at > at) {
        index--;
    }
    return client->read_upto - (index == 0 ? 0 : client->marks[index - 1].upto);
}

uint64_t clocks_least_hold_ns(const struct world *world)
{
    uint64_t longest_ns = world->options.write_timeout_ns;
    return longest_ns < SIM_HOLD_NS ? longest_ns : SIM_HOLD_NS;
}

/* When its first byte was read; TIME_NEVER: it was not. */
static uint64_t begun_at(const struct client *client, const struct ledger_entry *entry)
{
    for (size_t index = 0; index < client->marks_count; index++) {
        if (client->marks[index].upto > entry->stream_from) {
            return client->marks[index].at;
        }
    }
    return TIME_NEVER;
}

/* Whether it has had --client-timeout for it, and brought little. */
bool clocks_has_dawdled(const struct world *world, const struct client *client,
                        const struct ledger_entry *entry)
{
    uint64_t timeout_ns = world->options.client_timeout_ns;
    return time_after(begun_at(client, entry), timeout_ns) <= world->now_ns &&
           brought_since(client, world->now_ns - timeout_ns) < SIM_PROGRESS_BYTES;
}

/* Whether its client stalled inside it: before it took a link, or while it held one. */
bool clocks_has_stalled(const struct world *world, const struct client *client,
                        const struct ledger_entry *entry)
{
    if (entry->read_whole) {
        return false;
    }
    uint64_t timeout_ns = world->options.write_timeout_ns;
    const struct seen_exchange *exchange = &world->witness.exchanges[entry->exchange];
    if (exchange->phase != PHASE_TAKEN) {
        return clocks_has_dawdled(world, client, entry);
    }
    bool is_slow = world->now_ns - exchange->taken_at >= timeout_ns &&
                   brought_since(client, world->now_ns - timeout_ns) < SIM_PROGRESS_BYTES;
    uint64_t idle_from = later(exchange->taken_at, client->last_read_at);
    return is_slow || (world->now_ns - idle_from >= clocks_least_hold_ns(world) &&
                       turns_may_wait_for_any_link(world));
}
