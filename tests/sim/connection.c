/* SPDX-License-Identifier: MIT */
/* A simulated TCP connection; see connection.h. */
#include "connection.h"

#include <assert.h>
#include <string.h>

void connection_init(struct connection *connection, uint64_t number, bool is_link)
{
    memset(connection, 0, sizeof *connection);
    connection->number = number;
    connection->is_link = is_link;
    connection->stage = is_link ? STAGE_NEW : STAGE_BACKLOG;
}

void connection_open_pipes(struct connection *connection, const struct pipe_style *up,
                           const struct pipe_style *down)
{
    pipe_init(&connection->up, up);
    pipe_init(&connection->down, down);
    connection->peer_open = true;
}

void connection_deinit(struct connection *connection)
{
    pipe_deinit(&connection->up);
    pipe_deinit(&connection->down);
    link_watch_deinit(&connection->watch);
}

/* Writing to an end that is gone brings a reset back. */
static size_t write_to(struct pipe *forth, struct pipe *back, struct choice *choice, uint64_t now,
                       struct span bytes)
{
    size_t size = pipe_write(forth, choice, now, bytes);
    if (forth->reader_gone && size > 0) {
        pipe_reset(back, choice, now);
    }
    return size;
}

/* The reader of `in` and writer of `out` closes. */
static void close_end(struct pipe *in, struct pipe *out, struct choice *choice, uint64_t now)
{
    bool unread = in->written > in->read && !in->is_reset;
    in->reader_gone = true;
    if (unread) {
        pipe_reset(out, choice, now);
    } else {
        pipe_end(out, choice, now);
    }
}

size_t connection_engine_write(struct connection *connection, struct choice *choice, uint64_t now,
                               struct span bytes)
{
    return write_to(&connection->down, &connection->up, choice, now, bytes);
}

void connection_engine_close(struct connection *connection, struct choice *choice, uint64_t now,
                             bool aborts)
{
    assert(connection->stage == STAGE_OPEN);
    connection->stage = STAGE_CLOSED;
    if (aborts) {
        connection->up.reader_gone = true;
        pipe_reset(&connection->down, choice, now);
        return;
    }
    close_end(&connection->up, &connection->down, choice, now);
}

size_t connection_peer_write(struct connection *connection, struct choice *choice, uint64_t now,
                             struct span bytes)
{
    assert(connection->peer_open);
    return write_to(&connection->up, &connection->down, choice, now, bytes);
}

void connection_peer_end(struct connection *connection, struct choice *choice, uint64_t now)
{
    pipe_end(&connection->up, choice, now);
}

void connection_peer_close(struct connection *connection, struct choice *choice, uint64_t now)
{
    if (connection->peer_open) {
        connection->peer_open = false;
        close_end(&connection->down, &connection->up, choice, now);
    }
}

void connection_peer_reset(struct connection *connection, struct choice *choice, uint64_t now)
{
    if (connection->peer_open) {
        connection->peer_open = false;
        connection->down.reader_gone = true;
        pipe_reset(&connection->up, choice, now);
    }
}

void connection_update(struct connection *connection, uint64_t now)
{
    pipe_update(&connection->up, now);
    pipe_update(&connection->down, now);
}

bool connection_is_over(const struct connection *connection)
{
    return connection->stage == STAGE_CLOSED && !connection->peer_open;
}
