/* SPDX-License-Identifier: MIT */
/*
 * Records of connections, found by id: the slot is the index, the id inside tells whether it is the
 * one.
 *
 * The table grows by chunks of 256 records (16 KiB) as slots come into use. Records never move,
 * since the kernel's events point to them, and chunks stay until the table ends: the core takes its
 * slots densely from 0, so the table is as large as the most connections there ever were at the
 * same time.
 */
#include <stdlib.h>
#include <string.h>

#include "net/engine_private.h"

static struct connection *record_at(const struct connection_table *table, uint32_t slot)
{
    uint32_t chunk = slot / CHUNK_RECORDS;
    if (chunk >= table->chunks_count || table->chunks[chunk] == NULL) {
        return NULL;
    }
    return &table->chunks[chunk][slot % CHUNK_RECORDS];
}

static bool directory_grow(struct connection_table *table, uint32_t chunk)
{
    uint32_t count = table->chunks_count == 0 ? 16 : table->chunks_count;
    while (count <= chunk) {
        count *= 2;
    }
    struct connection **chunks = realloc(table->chunks, count * sizeof *chunks);
    if (chunks == NULL) {
        return false;
    }
    memset(chunks + table->chunks_count, 0, (count - table->chunks_count) * sizeof *chunks);
    table->chunks = chunks;
    table->chunks_count = count;
    return true;
}

static bool chunk_create(struct connection_table *table, uint32_t chunk)
{
    if (chunk >= table->chunks_count && !directory_grow(table, chunk)) {
        return false;
    }
    size_t size = CHUNK_RECORDS * sizeof(struct connection);
    struct connection *records = aligned_alloc(sizeof(struct connection), size);
    if (records == NULL) {
        return false;
    }
    memset(records, 0, size);
    table->chunks[chunk] = records;
    return true;
}

struct connection *connection_find(const struct engine_route *route, mux_id id)
{
    struct connection *connection = record_at(&route->tables[mux_id_is_link(id)], mux_id_slot(id));
    return connection != NULL && connection->id == id ? connection : NULL;
}

struct connection *connection_take(struct engine_route *route, mux_id id)
{
    struct connection_table *table = &route->tables[mux_id_is_link(id)];
    uint32_t slot = mux_id_slot(id);
    struct connection *connection = record_at(table, slot);
    if (connection == NULL) {
        if (!chunk_create(table, slot / CHUNK_RECORDS)) {
            return NULL;
        }
        connection = &table->chunks[slot / CHUNK_RECORDS][slot % CHUNK_RECORDS];
    }
    if (connection->id == id) {
        return connection;
    }
    assert(connection->id ==
           MUX_ID_NONE); /* the core gives a slot out again only after mux_closed */
    connection->source.kind = mux_id_is_link(id) ? SOURCE_LINK : SOURCE_CLIENT;
    connection->fd = -1;
    connection->id = id;
    connection->route = route;
    return connection;
}

void connection_give(struct connection *connection)
{
    assert(connection->fd < 0);
    list_drop(&connection->unfinished);
    memset(connection, 0, sizeof *connection);
}

void connection_each(const struct connection_table *table,
                     void (*visit)(struct connection *connection))
{
    for (uint32_t chunk = 0; chunk < table->chunks_count; chunk++) {
        for (uint32_t index = 0; table->chunks[chunk] != NULL && index < CHUNK_RECORDS; index++) {
            if (table->chunks[chunk][index].id != MUX_ID_NONE) {
                visit(&table->chunks[chunk][index]);
            }
        }
    }
}

void connection_table_deinit(struct connection_table *table)
{
    for (uint32_t chunk = 0; chunk < table->chunks_count; chunk++) {
        free(table->chunks[chunk]);
    }
    free(table->chunks);
    *table = (struct connection_table){0};
}
