/* SPDX-License-Identifier: MIT */
/*
 * Slots of clients: chunks that are added as they are needed and stay, so that a client never
 * moves.
 *
 * A slot's generation grows when it is given back; the id of a client that has ended never names
 * another. The heap of deadlines gets its room here, so that arming a timer cannot fail.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mux/internal.h"

enum { CHUNK_CLIENTS = 64 };

static uint32_t slots_max(const struct mux *mux)
{
    return mux->options.clients_max + CLIENTS_REFUSED_MAX;
}

static bool grow(struct mux *mux)
{
    uint32_t chunk_index = mux->client_slots / CHUNK_CLIENTS;
    if (mux->client_chunks == NULL) {
        size_t chunks_max = slots_max(mux) / CHUNK_CLIENTS + 1;
        mux->client_chunks = calloc(chunks_max, sizeof *mux->client_chunks);
        if (mux->client_chunks == NULL) {
            return false;
        }
    }
    if (!heap_reserve(&mux->heap, 1 + mux->options.links_max + mux->client_slots + CHUNK_CLIENTS)) {
        return false;
    }
    struct client *chunk = calloc(CHUNK_CLIENTS, sizeof *chunk);
    if (chunk == NULL) {
        return false;
    }
    mux->client_chunks[chunk_index] = chunk;
    for (uint32_t index = 0; index < CHUNK_CLIENTS; index++) {
        chunk[index].slot = mux->client_slots++;
        chunk[index].generation = 1;
        list_push_back(&mux->free_clients, &chunk[index].changed);
    }
    return true;
}

struct client *table_take(struct mux *mux)
{
    if (mux->clients_count >= slots_max(mux)) {
        return NULL;
    }
    if (list_is_empty(&mux->free_clients) && !grow(mux)) {
        return NULL;
    }
    struct client *client = LIST_ENTRY(list_front(&mux->free_clients), struct client, changed);
    list_remove(&client->changed);
    mux->clients_count++;
    return client;
}

void table_give(struct mux *mux, struct client *client)
{
    uint32_t slot = client->slot;
    uint32_t generation = client->generation + 1;
    assert(client->timer.item.place == 0);
    table_set_host(mux, client, NULL);
    memset(client, 0, sizeof *client);
    client->slot = slot;
    client->generation = generation == 0 ? 1 : generation;
    list_push_front(&mux->free_clients, &client->changed);
    mux->clients_count--;
}

struct client *table_at(const struct mux *mux, uint32_t slot)
{
    return slot < mux->client_slots
               ? &mux->client_chunks[slot / CHUNK_CLIENTS][slot % CHUNK_CLIENTS]
               : NULL;
}

void table_set_host(struct mux *mux, const struct client *client, const char *host)
{
    if (mux->hosts == NULL && host != NULL) {
        mux->hosts = calloc(slots_max(mux), sizeof *mux->hosts);
    }
    if (mux->hosts != NULL) {
        free(mux->hosts[client->slot]);
        mux->hosts[client->slot] = host == NULL ? NULL : strdup(host);
    }
}

const char *table_host(const struct mux *mux, const struct client *client)
{
    return mux->hosts == NULL ? NULL : mux->hosts[client->slot];
}

void table_deinit(struct mux *mux)
{
    free(mux->hosts); /* the clients have taken theirs along */
    for (uint32_t slot = 0; slot < mux->client_slots; slot += CHUNK_CLIENTS) {
        free(mux->client_chunks[slot / CHUNK_CLIENTS]);
    }
    free(mux->client_chunks);
}
