/* SPDX-License-Identifier: MIT */
/*
 * The core's door: facts and questions by id.
 *
 * Ids are looked up here; a fact about a connection that has ended stops here. Behind the door
 * there are only pointers. See mux.h for the contract and state.h for the house behind it.
 */
#include <assert.h>
#include <stdlib.h>

#include "mux/internal.h"

/* ---- options and life ---- */

void mux_options_init(struct mux_options *options)
{
    *options = (struct mux_options){
        .settings = {.message_bytes_max = MIB, .head_bytes_max = 64 * KIB},
        .clients_max = 10000,
        .links_max = 1,
        .in_flight_max = 1,
        .request_buffer_bytes = 64 * KIB,
        .memory_bytes_max = 64 * MIB,
        .backlog_bytes_max = 64 * KIB,
        .client_timeout_ns = 60 * NS_PER_S,
        .connect_timeout_ns = 3 * NS_PER_S,
        .queue_timeout_ns = 5 * NS_PER_S,
        .wait_timeout_ns = 60 * NS_PER_S,
        .response_timeout_ns = 60 * NS_PER_S,
        .write_timeout_ns = 10 * NS_PER_S,
        .check_gap_ns = 20 * NS_PER_MS,
        .retry_delay_min_ns = 1 * NS_PER_S,
        .retry_delay_max_ns = 30 * NS_PER_S,
        .grace_ns = 10 * NS_PER_S,
        .seed = 1,
    };
}

static void assert_sane(const struct mux_options *options)
{
    assert(options->protocol != NULL);
    assert(options->clients_max > 0);
    assert(options->clients_max < INT32_MAX - CLIENTS_REFUSED_MAX);
    assert(options->links_max > 0);
    assert(options->links_max <= MUX_LINKS_MAX);
    assert(options->in_flight_max > 0);
    assert(options->in_flight_max == 1 || options->gap_ns == 0);
    assert(options->in_flight_max == 1 || !options->settings.ignore_id);
    assert(options->backlog_bytes_max > 0);
    assert(options->client_timeout_ns > 0);
    assert(options->connect_timeout_ns > 0);
    assert(options->queue_timeout_ns > 0);
    assert(options->wait_timeout_ns > 0);
    assert(options->response_timeout_ns > 0);
    assert(options->write_timeout_ns > 0);
    assert(options->retry_delay_min_ns > 0);
    assert(options->retry_delay_max_ns >= options->retry_delay_min_ns);
    assert(!options->hold || !options->on_demand);
}

static void init_lists(struct mux *mux)
{
    list_init(&mux->free_clients);
    list_init(&mux->changed_clients);
    list_init(&mux->changed_links);
    list_init(&mux->marked_clients);
    list_init(&mux->marked_links);
    list_init(&mux->failed);
    list_init(&mux->turns);
    list_init(&mux->waiting);
}

static void init_links(struct mux *mux)
{
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        link->slot = slot;
        link->generation = 1;
        link->timer.item.tag = TIMER_LINK;
        list_init(&link->exchanges);
        list_init(&link->bound);
    }
}

/* The tables of identifiers, where the protocol has such. */
static bool init_ids(struct mux *mux)
{
    mux->any_order = mux->options.protocol->matching == MATCH_BY_ID;
    mux->by_id = mux->any_order && !mux->options.settings.ignore_id;
    for (uint32_t slot = 0; mux->by_id && slot < mux->options.links_max; slot++) {
        if (!ids_init(&mux->links[slot].ids, mux->options.in_flight_max,
                      mux->options.protocol->id_max)) {
            return false;
        }
    }
    return true;
}

static void free_links(struct mux *mux)
{
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        ids_deinit(&mux->links[slot].ids);
    }
    free(mux->links);
}

struct mux *mux_create(const struct mux_options *options, const struct mux_observer *observer,
                       uint8_t *scratch, uint64_t now_ns)
{
    assert_sane(options);
    struct mux *mux = calloc(1, sizeof *mux);
    if (mux == NULL) {
        return NULL;
    }
    mux->options = *options;
    mux->links = calloc(options->links_max, sizeof *mux->links);
    if (mux->links == NULL) {
        free(mux);
        return NULL;
    }
    if (!init_ids(mux) || !share_init(mux) || !heap_reserve(&mux->heap, 1 + options->links_max)) {
        share_deinit(mux);
        free_links(mux);
        free(mux);
        return NULL;
    }
    mux->observer = observer == NULL ? (struct mux_observer){0} : *observer;
    mux->scratch = scratch;
    mux->now_ns = now_ns;
    mux->timer.item.tag = TIMER_ROUTE;
    mux->grace_at_ns = TIME_NEVER;
    mux->schedule_wanted = true;
    slabs_init(&mux->slabs);
    mux->slabs.trim_ns = TIME_NEVER;
    pool_init(&mux->exchange_pool, sizeof(struct exchange), &mux->slabs);
    buf_pool_init(&mux->client_bufs, &mux->slabs);
    buf_pool_init(&mux->link_bufs, &mux->slabs);
    init_lists(mux);
    memory_init(mux);
    init_links(mux);
    dial_init(mux);
    return mux;
}

/* Ends everything without asking the engine, which is gone or going. */
static void abandon_everything(struct mux *mux)
{
    mux->observer = (struct mux_observer){0};
    mux->draining = true;
    for (uint32_t slot = 0; slot < mux->client_slots; slot++) {
        if (table_at(mux, slot)->state != CLIENT_FREE) {
            client_closed(mux, table_at(mux, slot));
            settle_marks(mux);
        }
    }
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (link->state != LINK_FREE) {
            link_failed(mux, link, IO_OTHER);
            link->next_address = false;
            settle_marks(mux);
            link_closed(mux, link);
        }
    }
}

void mux_destroy(struct mux **mux_pointer)
{
    struct mux *mux = *mux_pointer;
    if (mux == NULL) {
        return;
    }
    *mux_pointer = NULL;
    abandon_everything(mux);
    pool_deinit(&mux->exchange_pool);
    buf_pool_deinit(&mux->client_bufs);
    buf_pool_deinit(&mux->link_bufs);
    slabs_deinit(&mux->slabs);
    table_deinit(mux);
    heap_deinit(&mux->heap);
    heap_deinit(&mux->returned);
    share_deinit(mux);
    free_links(mux);
    free(mux);
}

/* ---- ids ---- */

/* Told apart by this are those that have a slot one after the other: the rest of an id is the slot. */
static uint32_t generation_of(mux_id id)
{
    return (uint32_t)(id >> 32);
}

static struct client *find_client(const struct mux *mux, mux_id id)
{
    struct client *client = table_at(mux, mux_id_slot(id));
    bool is_it =
        client != NULL && client->state != CLIENT_FREE && client->generation == generation_of(id);
    return is_it ? client : NULL;
}

static struct link *find_link(const struct mux *mux, mux_id id)
{
    uint32_t slot = mux_id_slot(id);
    struct link *link = slot < mux->options.links_max ? &mux->links[slot] : NULL;
    bool is_it = link != NULL && link->state != LINK_FREE && link->generation == generation_of(id);
    return is_it ? link : NULL;
}

/* The connection of an id: one of the two is set, or none when it has ended. */
struct connection {
    struct client *client;
    struct link *link;
};

static struct connection find(const struct mux *mux, mux_id id)
{
    assert(!mux->observing); /* the observer may not call in */
    if (mux_id_is_link(id)) {
        return (struct connection){.link = find_link(mux, id)};
    }
    return (struct connection){.client = find_client(mux, id)};
}

bool mux_is_finished(const struct mux *mux)
{
    return mux->draining && mux->clients_count == 0 && mux->links_count == 0;
}

/* ---- facts ---- */

/* What a fact has changed is worked off. */
static void settle_fact(struct mux *mux)
{
    settle_marks(mux);
    if (!memory_is_plenty(mux)) {
        memory_enforce(mux);
        settle_marks(mux);
    }
}

/* Links go when the last client has gone. */
static void drain_progress(struct mux *mux)
{
    if (!mux->draining || mux->clients_count > 0) {
        return;
    }
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        link_replace(mux, &mux->links[slot], REASON_SHUTDOWN);
    }
}

void mux_drain(struct mux *mux)
{
    if (mux->draining) {
        return;
    }
    mux->draining = true;
    mux->grace_at_ns = time_after(mux->now_ns, mux->options.grace_ns);
    timer_arm(mux, &mux->timer, mux->grace_at_ns);
    for (uint32_t slot = 0; slot < mux->client_slots; slot++) {
        client_drain(mux, table_at(mux, slot));
    }
    settle_fact(mux);
    drain_progress(mux);
    settle_fact(mux);
}

void mux_clock(struct mux *mux, uint64_t now_ns)
{
    assert(!mux->observing);
    assert(now_ns >= mux->now_ns);
    mux->now_ns = now_ns;
}

void mux_stalled(struct mux *mux, uint64_t ns)
{
    assert(!mux->observing);
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        link_stalled(mux, &mux->links[slot], ns);
    }
    settle_fact(mux);
}

void mux_time(struct mux *mux, uint64_t due_ns)
{
    if (due_ns > mux->now_ns) {
        mux_clock(mux, due_ns);
    }
    mux->due_ns = due_ns;
    if (heap_first_at(&mux->heap) <= due_ns) {
        timer_run(mux);
        settle_fact(mux);
    }
    if (turns_want_any_link(mux)) {
        mux->schedule_wanted =
            true; /* a gap may be over, a link silent for long enough to be probed */
    }
}

mux_id mux_accepted(struct mux *mux, const void *origin)
{
    assert(!mux->observing);
    struct client *client = mux->draining ? NULL : client_open(mux, origin);
    settle_fact(mux);
    return client == NULL ? MUX_ID_NONE : client_id(client);
}

void mux_named(struct mux *mux, mux_id id, const char *host)
{
    struct client *client = find(mux, id).client;
    if (client != NULL) {
        table_set_host(mux, client, host);
    }
}

void mux_resolved(struct mux *mux, mux_id id, uint32_t count)
{
    struct link *link = find(mux, id).link;
    if (link != NULL) {
        link_resolved(mux, link, count);
        settle_fact(mux);
    }
}

void mux_connected(struct mux *mux, mux_id id, const void *origin)
{
    struct link *link = find(mux, id).link;
    if (link != NULL) {
        link_connected(mux, link, origin);
        settle_fact(mux);
    }
}

uint8_t *mux_recv_space(struct mux *mux, mux_id id, size_t *size)
{
    const struct client *client = find(mux, id).client;
    *size = client == NULL ? MUX_SCRATCH_BYTES : memory_recv_size(mux, client);
    return mux->scratch;
}

void mux_received(struct mux *mux, mux_id id, size_t size)
{
    assert(size <= MUX_SCRATCH_BYTES);
    struct connection connection = find(mux, id);
    struct span bytes = span_of(mux->scratch, size);
    if (connection.client != NULL) {
        client_received(mux, connection.client, bytes);
    } else if (connection.link != NULL) {
        link_received(mux, connection.link, bytes);
    }
    settle_fact(mux);
}

void mux_probed(struct mux *mux, mux_id id)
{
    struct link *link = find(mux, id).link;
    if (link != NULL) {
        link_probed(mux, link);
        settle_fact(mux);
    }
}

struct span mux_send_view(const struct mux *mux, mux_id id)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        return buf_view(&connection.client->out);
    }
    if (connection.link != NULL) {
        return buf_view(&connection.link->out);
    }
    return span_of(NULL, 0);
}

void mux_sent(struct mux *mux, mux_id id, size_t size)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        client_sent(mux, connection.client, size);
    } else if (connection.link != NULL) {
        link_sent(mux, connection.link, size);
    }
    settle_fact(mux);
}

void mux_ended(struct mux *mux, mux_id id)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        client_ended(mux, connection.client);
    } else if (connection.link != NULL) {
        link_ended(mux, connection.link);
    }
    settle_fact(mux);
}

void mux_failed(struct mux *mux, mux_id id, enum io_failure failure)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        client_gone(mux, connection.client, REASON_CLIENT_RESET);
    } else if (connection.link != NULL) {
        link_failed(mux, connection.link, failure);
    }
    settle_fact(mux);
}

void mux_closed(struct mux *mux, mux_id id)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        client_closed(mux, connection.client);
    } else if (connection.link != NULL) {
        if (connection.link->state != LINK_CLOSING) {
            link_failed(mux, connection.link, IO_OTHER);
            settle_marks(mux);
        }
        link_closed(mux, connection.link);
    }
    settle_fact(mux);
    drain_progress(mux);
    settle_fact(mux);
}

/* ---- questions ---- */

mux_id mux_next_changed(struct mux *mux)
{
    assert(!mux->observing);
    while (mux->schedule_wanted) {
        schedule(mux);
        settle_fact(mux);
    }
    if (!list_is_empty(&mux->changed_links)) {
        struct link *link = LIST_ENTRY(list_front(&mux->changed_links), struct link, changed);
        list_remove(&link->changed);
        link->told = (uint8_t)link_wants(mux, link);
        return link_id(link);
    }
    if (!list_is_empty(&mux->changed_clients)) {
        struct client *client =
            LIST_ENTRY(list_front(&mux->changed_clients), struct client, changed);
        list_remove(&client->changed);
        client->told = (uint8_t)client_wants(mux, client);
        return client_id(client);
    }
    if (mux->slabs.count > 0 && mux->slabs.trim_ns == TIME_NEVER) {
        timer_plan_trim(mux);
    }
    mux->counters.links = mux->links_count;
    mux->counters.memory = memory_used(mux);
    return MUX_ID_NONE;
}

unsigned mux_wants(const struct mux *mux, mux_id id)
{
    struct connection connection = find(mux, id);
    if (connection.client != NULL) {
        return client_wants(mux, connection.client);
    }
    return connection.link != NULL ? link_wants(mux, connection.link) : 0;
}

uint32_t mux_connect_address(const struct mux *mux, mux_id id)
{
    (void)id;
    return mux->address_index;
}

uint64_t mux_deadline(const struct mux *mux)
{
    return heap_first_at(&mux->heap);
}

const struct mux_counters *mux_counters(const struct mux *mux)
{
    return &mux->counters;
}

const struct mux_options *mux_options(const struct mux *mux)
{
    return &mux->options;
}
