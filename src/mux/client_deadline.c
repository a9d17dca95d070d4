/* SPDX-License-Identifier: MIT */
/*
 * What a client wants, and when it has had its time: functions of its state, asked whenever that changes.
 *
 * Reading is a function of state: a client is read while its queued requests and its unsent responses are
 * below the backlog. So nothing is lost by pausing, and nothing has to be resumed by hand.
 */
#include "mux/internal.h"

/* Whether another request of it may be queued. */
bool client_has_room(const struct mux *mux, const struct client *client)
{
    return client->framed < mux->options.backlog_bytes_max &&
           client->exchanges_count < CLIENT_EXCHANGES_MAX;
}

/* Whether the link that it uploads to has enough to send. */
static bool is_upload_blocked(const struct mux *mux, const struct client *client)
{
    return client_is_uploading(client) &&
           buf_size(&client_unfinished(client)->link->out) >= mux->options.backlog_bytes_max;
}

static bool wants_read(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_LINGERING) {
        return true;
    }
    if (is_upload_blocked(mux, client)) {
        return false;
    }
    return client->state == CLIENT_OPEN && !client->held_back && client_has_room(mux, client) &&
           buf_size(&client->out) <= mux->options.backlog_bytes_max;
}

static unsigned wishes(const struct client *client, bool reads)
{
    if (client->state == CLIENT_CLOSING) {
        return MUX_CLOSE | (client->abort ? MUX_ABORT : 0);
    }
    unsigned wants = reads ? MUX_READ : 0;
    if (!buf_is_empty(&client->out)) {
        wants |= MUX_WRITE;
    } else if (client->state == CLIENT_LINGERING) {
        wants |= MUX_END;
    }
    return wants;
}

unsigned client_wants(const struct mux *mux, const struct client *client)
{
    return wishes(client, wants_read(mux, client));
}

/* Whether it has nothing under way: no exchange, no part of a request, nothing left to take. A client that
 * does not take its responses is not read, so what it has asked since is not known. */
bool client_is_idle(const struct client *client)
{
    return client->state == CLIENT_OPEN && client->exchanges_count == 0 && !client->partial &&
           buf_is_empty(&client->out);
}

/* ---- what a client takes of what it was given ---- */

/* A deadline that is only ever seconds away needs no nanoseconds: a tick is about a millisecond, and half
 * as large in a client. */
enum { TICK_SHIFT = 20 };

static uint64_t tick_of(uint64_t ns)
{
    return (ns + ((uint64_t)1 << TICK_SHIFT) - 1) >> TICK_SHIFT;
}

/* When it has taken nothing for --write-timeout. */
uint64_t client_taking_ends(const struct mux *mux, const struct client *client)
{
    if (!client->owes) {
        return TIME_NEVER;
    }
    uint64_t now = tick_of(mux->now_ns);
    uint32_t age = (uint32_t)now - client->took_tick; /* wraps after 52 days */
    return time_after((now - age) << TICK_SHIFT, mux->options.write_timeout_ns);
}

void client_takes(const struct mux *mux, struct client *client)
{
    client->took_tick = (uint32_t)tick_of(mux->now_ns);
}

static uint64_t other_deadline(const struct mux *mux, const struct client *client)
{
    const struct mux_options *options = &mux->options;
    if (client->slow) {
        return time_after(client->since_ns, options->write_timeout_ns);
    }
    if (client->state == CLIENT_LINGERING || (client->refused && client->state == CLIENT_OPEN)) {
        return client->since_ns + LINGER_NS;
    }
    if (client->state != CLIENT_OPEN) {
        return TIME_NEVER;
    }
    if (client->partial) {
        uint64_t timeout_ns =
            client_is_uploading(client) ? options->write_timeout_ns : options->client_timeout_ns;
        return client->reads ? time_after(client->since_ns, timeout_ns) : TIME_NEVER;
    }
    if (client_is_idle(client) && options->idle_timeout_ns > 0) {
        return time_after(client->since_ns, options->idle_timeout_ns);
    }
    return TIME_NEVER;
}

uint64_t client_deadline(const struct mux *mux, const struct client *client)
{
    uint64_t taking_at = client_taking_ends(mux, client);
    uint64_t other_at = other_deadline(mux, client);
    uint64_t hold_at = client->on_link == 0 ? TIME_NEVER : client_hold_ends(mux, client);
    uint64_t at = taking_at < other_at ? taking_at : other_at;
    return at < hold_at ? at : hold_at;
}

/* Whether it has to take WRITE_PROGRESS_BYTES within --write-timeout. */
static bool is_slow(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_FLUSHING) {
        return !buf_is_empty(&client->out);
    }
    return client_is_served(client) && buf_size(&client->out) > mux->options.backlog_bytes_max;
}

/* Whether it is not read, since memory is short. In the middle of a message it is, for only the rest of that
 * can free what it holds. Who is held back has asked something that will end, or has something to take:
 * then it is looked at again. */
static bool is_held_back(const struct mux *mux, const struct client *client)
{
    return client->state == CLIENT_OPEN && !client->partial && !client->unfinished &&
           memory_is_over_share(mux, client);
}

/* Brings `held_back`, `reads`, `slow` and `owes` up to date; a clock that stood still begins anew. */
static void update_clocks(struct mux *mux, struct client *client)
{
    client->held_back = is_held_back(mux, client);
    bool reads = wants_read(mux, client);
    bool slow = is_slow(mux, client);
    if (slow != client->slow || (reads && !client->reads && client->partial)) {
        client->since_ns = mux->now_ns; /* while we did not read, silence was ours */
        client->taken = 0;
    }
    bool owes = !slow && !buf_is_empty(&client->out);
    if (owes && !client->owes) {
        client_takes(mux, client);
    }
    client->reads = reads;
    client->slow = slow;
    client->owes = owes;
}

void client_touch(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_FREE) {
        return;
    }
    update_clocks(mux, client);
    memory_note(mux, client);
    turn_update(mux, client);
    mark(&mux->changed_clients, &client->changed, &client->told, wishes(client, client->reads));
    timer_arm(mux, &client->timer, client_deadline(mux, client));
}
