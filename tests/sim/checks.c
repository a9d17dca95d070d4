/* SPDX-License-Identifier: MIT */
/* The promises as checks; see checks.h. Every failure names the promise in the words of DESIGN.md. */
#include "checks.h"

#include <stdlib.h>

#include "base/buf.h"
#include "client_state.h"
#include "memory.h"
#include "target_model.h"
#include "world.h"

#define RETIRE_NS          (1 * NS_PER_S)
#define RETIRE_WANTED_NS   (100 * NS_PER_MS) /* when a request waits */
#define RETIRE_STREAM_NS   (50 * NS_PER_MS)  /* for a target that goes on sending */
#define RETIRE_BYTES       (64 * KIB)        /* ... or as much */
#define SILENCE_NS         (1 * NS_PER_MS) /* a link silent for longer is read before it is used */
#define CLIENT_BYTES       4096            /* of a client without messages, generously */
#define EXCHANGE_BYTES     512
#define EXCHANGE_BYTES_MIN 200             /* surely less than one occupies */
#define SLABS_BYTES        (16 * 40 * KIB) /* of each sort of pooled block one that is not full */
#define PINNED_BYTES       (2 * MIB)       /* of slabs in which little is used */
#define REFUSED_MAX        64              /* clients over --max-clients that are being told so */

void check_core(const struct world *world)
{
    memory_core_begins();
    mux_check(world->mux);
    memory_core_ends();
}

/* ---- wishes ---- */

void check_every_wish_was_announced(const struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *connection = world->live[i];
        if (connection->id == MUX_ID_NONE) {
            continue;
        }
        unsigned wants = mux_wants(world->mux, connection->id);
        if ((wants & ~connection->wants) != 0) {
            sim_fail("every wish is announced",
                     "%s %llu wants %#x and was last announced with %#x: a mark is missing",
                     connection_kind(connection), (unsigned long long)connection->number, wants,
                     connection->wants);
        }
    }
}

void check_wishes_make_sense(const struct world *world, const struct connection *connection,
                             unsigned wants)
{
    (void)world;
    bool open = connection->stage == STAGE_OPEN;
    unsigned traffic = MUX_READ | MUX_PROBE | MUX_WRITE | MUX_END;
    if (((wants & MUX_CLOSE) != 0 && (wants & ~(unsigned)MUX_ABORT) != MUX_CLOSE) ||
        (wants & (MUX_WRITE | MUX_END)) == (MUX_WRITE | MUX_END) ||
        (!open && (wants & traffic) != 0) || (open && (wants & (MUX_RESOLVE | MUX_CONNECT)) != 0) ||
        (!connection->is_link && (wants & (MUX_RESOLVE | MUX_CONNECT | MUX_PROBE)) != 0) ||
        (connection->shut && (wants & MUX_WRITE) != 0) ||
        (connection->told_failure && (wants & ~(unsigned)MUX_ABORT) != MUX_CLOSE)) {
        sim_fail("wishes make sense", "%s %llu (%s%s%s) wants %#x", connection_kind(connection),
                 (unsigned long long)connection->number, open ? "open" : "not open",
                 connection->shut ? ", shut" : "", connection->told_failure ? ", failed" : "",
                 wants);
    }
}

/* ---- promise 2: the target never sees what it did not sign up for ---- */

void check_links_are_limited(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        count += link->is_link && (link->stage == STAGE_CONNECTING || link->stage == STAGE_OPEN);
    }
    if (count > world->options.links_max) {
        sim_fail("never more links than allowed", "%u links are open or opening, %u are allowed",
                 count, world->options.links_max);
    }
}

/* Whether the target was given the time to notice, or has shown that it does not look. */
static bool was_given_time(const struct world *world, const struct connection *link)
{
    uint64_t slack = (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
    uint64_t passed = link->was_lost ? world->now_ns - link->lost_at + slack : 0;
    bool streams = link->lost_bytes >= RETIRE_BYTES ||
                   (link->lost_bytes > 0 &&
                    link->last_seen_at - link->lost_heard_at + slack >= RETIRE_STREAM_NS);
    bool is_wanted = passed >= RETIRE_WANTED_NS && world->someone_waits;
    return passed >= RETIRE_NS || streams || is_wanted;
}

void check_link_is_retired_in_order(const struct world *world, const struct connection *link,
                                    bool aborts)
{
    enum link_close close = world->options.link_close;
    if (!link->was_up || link->told_end || link->told_failure) {
        return;
    }
    bool is_told = link->lost_reason == REASON_RESPONSE_CLOSES;
    bool is_in_order = is_told || close == LINK_CLOSE_RST || was_given_time(world, link);
    bool is_by_its_means = close == LINK_CLOSE_AUTO || aborts == (close == LINK_CLOSE_RST);
    if (!is_in_order || !is_by_its_means) {
        sim_fail("a link is retired in order",
                 "link %llu is closed%s, %llu us after it was lost (reason %s)",
                 (unsigned long long)link->number, aborts ? " by a reset" : "",
                 (unsigned long long)((world->now_ns - link->lost_at) / NS_PER_US),
                 reason_text(link->lost_reason));
    }
}

void check_link_may_carry_a_request(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    if (watch->spoilt != NULL) {
        sim_fail("a spoilt link is replaced", "link %llu carries on although: %s",
                 (unsigned long long)link->number, watch->spoilt);
    }
    if (watch->has_half) {
        sim_fail("a link with half a message is replaced", "link %llu carries on",
                 (unsigned long long)link->number);
    }
    if (link->shut || link->told_end || link->told_failure) {
        sim_fail("nothing is sent on a link that has ended", "link %llu",
                 (unsigned long long)link->number);
    }
    uint64_t seen_at =
        link->last_seen_at > link->connected_at ? link->last_seen_at : link->connected_at;
    uint64_t slack = (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
    if (link->taken_at > seen_at && link->taken_at - seen_at > SILENCE_NS + slack) {
        sim_fail("a silent link is read before it is used",
                 "link %llu was last seen %llu ns before", (unsigned long long)link->number,
                 (unsigned long long)(link->taken_at - seen_at));
    }
}

void check_pacing(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    const struct mux_options *options = &world->options;
    if (world->now_ns - link->connected_at < options->delay_ns) {
        sim_fail("--delay is never shorter", "link %llu is used %llu ns after connecting",
                 (unsigned long long)link->number,
                 (unsigned long long)(world->now_ns - link->connected_at));
    }
    bool is_patient = dialect_has_ids(&world->dialect) || dialect_counts(&world->dialect);
    if (is_patient && watch->last_byte_at > link->taken_at) {
        return; /* a stray byte that came in between */
    }
    if (watch->last_byte_at != 0 && world->now_ns - watch->last_byte_at < options->gap_ns) {
        sim_fail("--gap is never shorter", "link %llu is used %llu ns after its last byte",
                 (unsigned long long)link->number,
                 (unsigned long long)(world->now_ns - watch->last_byte_at));
    }
}

/* `size` bytes of it are to go out at once. */
void check_enough_of_a_request_is_there(const struct world *world, const struct connection *link,
                                        const struct ledger_entry *entry, size_t size)
{
    const struct mux_options *options = &world->options;
    size_t enough = options->request_buffer_bytes < options->backlog_bytes_max
                        ? options->request_buffer_bytes
                        : options->backlog_bytes_max;
    bool gathered = dialect_streams(&world->dialect) && (entry_is_eager(entry) || size > enough);
    if (!entry->is_request || (!gathered && (!entry->read_whole || size < entry->wire_size))) {
        sim_fail("a request takes a link only when it is whole, or enough of it is there",
                 "link %llu carries %u.%u, of which it has %zu bytes",
                 (unsigned long long)link->number, entry->client, entry->sequence, size);
    }
}

/* ---- promise 3 ---- */

void check_spoilt_links_are_given_up(const struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (link->is_link && link->was_up && link->watch.spoilt != NULL && !link->was_lost) {
            sim_fail("a spoilt link is replaced at once", "link %llu is not, although: %s",
                     (unsigned long long)link->number, link->watch.spoilt);
        }
    }
}

/* ---- promise 6: memory is bounded ---- */

static void check_owed(const struct world *world, const struct connection *client,
                       const struct connection *reader)
{
    size_t owed = mux_send_view(world->mux, client->id).size;
    if (owed > world->options.backlog_bytes_max) {
        sim_fail("nobody is read for a client that is over its backlog",
                 "%s %llu is, though client %llu has %zu bytes to take, %zu are allowed",
                 connection_kind(reader), (unsigned long long)reader->number,
                 (unsigned long long)client->number, owed, world->options.backlog_bytes_max);
    }
}

/* Whether the response to an earlier request, or an error that has no reply, has ended the connection, so
 * that the response to this one goes to nobody, though its client has still to take what came before. */
static bool is_left_over(const struct world *world, const struct client *client,
                         const struct ledger_entry *entry)
{
    const struct witness *witness = &world->witness;
    if (witness->clients[witness->exchanges[entry->exchange].client].told_reason != REASON_NONE) {
        return true;
    }
    for (uint32_t i = 0; i + 1 < entry->sequence; i++) {
        const struct ledger_entry *before = client->entries[i];
        const struct sending *sending =
            before->sendings_count == 0 ? NULL : &before->sendings[before->sendings_count - 1];
        if (sending != NULL && sending->response_whole && sending->closes_client) {
            return true;
        }
    }
    return false;
}

void check_nobody_is_read_for_a_slow_client(const struct world *world,
                                            const struct connection *connection, unsigned wants)
{
    const struct link_watch *watch = &connection->watch;
    if ((wants & MUX_READ) == 0 || (wants & MUX_END) != 0 || connection->was_lost ||
        connection->shut || !world->modelled) {
        return;
    }
    if (!connection->is_link) {
        check_owed(world, connection, connection);
        return;
    }
    if (dialect_has_ids(&world->dialect) || target_link_has_lied(connection->target)) {
        return; /* what comes next may be anyone's, or what came closes a client that had not asked it */
    }
    const struct ledger_entry *oldest = watch->awaited_count == 0 ? NULL : watch->awaited[0];
    const struct client *client = oldest == NULL ? NULL : world->clients[oldest->client - 1];
    if (client != NULL && client->connection->stage == STAGE_OPEN &&
        !is_left_over(world, client, oldest)) {
        check_owed(world, client->connection, connection);
    }
}

void check_orphans_are_given_up(const struct world *world)
{
    for (uint32_t i = 0; world->modelled && i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (link->is_link && link->was_up && !link->was_lost && dialect_streams(&world->dialect) &&
            link_watch_has_large_orphan(link, true)) {
            sim_fail("a link is replaced when an orphan has too much to come", "link %llu is not",
                     (unsigned long long)link->number);
        }
    }
}

/* What clients and links have to take, and exchanges, are some of what --buffer-memory bounds, and have to
 * count. */
static void check_buffer_memory(const struct world *world)
{
    size_t held = mux_counters(world->mux)->memory;
    size_t most = world->options.memory_bytes_max;
    size_t structs_max =
        (size_t)world->options.links_max * world->options.in_flight_max * EXCHANGE_BYTES;
    size_t seen = (size_t)world->witness.exchanges_open * EXCHANGE_BYTES_MIN;
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *connection = world->live[i];
        seen += connection->id == MUX_ID_NONE ? 0 : mux_send_view(world->mux, connection->id).size;
    }
    if (seen > held) {
        sim_fail("everything that is held counts", "%zu bytes are held for sure, %zu count", seen,
                 held);
    }
    if (held > most && held > structs_max) { /* those of clients that have gone */
        sim_fail("--buffer-memory is kept", "%zu bytes are held, %zu are allowed", held, most);
    }
}

void check_memory_is_bounded(const struct world *world)
{
    check_buffer_memory(world);
    const struct mux_options *options = &world->options;
    const struct mux_counters *counters = mux_counters(world->mux);
    uint64_t clients = options->clients_max < world->client_connections ? options->clients_max
                                                                        : world->client_connections;
    size_t limit = options->memory_bytes_max + options->memory_bytes_max / 4 +
                   (size_t)2 * BUF_KEPT_MAX + SLABS_BYTES + PINNED_BYTES +
                   (size_t)(clients + REFUSED_MAX + 64) * CLIENT_BYTES;
    if (memory_core_bytes() > limit) {
        sim_fail("memory is bounded", "the core holds %zu bytes, %zu are allowed",
                 memory_core_bytes(), limit);
    }
    if (counters->clients > options->clients_max || counters->links > options->links_max ||
        counters->in_flight > options->links_max * options->in_flight_max) {
        sim_fail("gauges stay within the limits", "%u clients, %u links, %u in flight",
                 counters->clients, counters->links, counters->in_flight);
    }
}

/* ---- calm runs ---- */

void check_calm(const struct world *world)
{
    const struct mux_counters *c = mux_counters(world->mux);
    uint64_t troubles = c->clients_refused + c->orphans + c->dropped + c->error_replies +
                        c->returned + c->resent + c->strays + c->timeouts + c->links_failed +
                        c->cut;
    for (uint32_t reason = 0; reason < REASON_COUNT; reason++) {
        troubles += c->ended[reason];
    }
    if (troubles > 0 || c->links_lost > world->calm_links_lost_max) {
        sim_fail(
            "a calm run needs no recovery",
            "refused %llu orphans %llu dropped %llu error replies %llu returned %llu resent %llu "
            "strays %llu timeouts %llu failed %llu lost %llu",
            (unsigned long long)c->clients_refused, (unsigned long long)c->orphans,
            (unsigned long long)c->dropped, (unsigned long long)c->error_replies,
            (unsigned long long)c->returned, (unsigned long long)c->resent,
            (unsigned long long)c->strays, (unsigned long long)c->timeouts,
            (unsigned long long)c->links_failed, (unsigned long long)c->links_lost);
    }
}
