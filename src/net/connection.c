/* SPDX-License-Identifier: MIT */
/*
 * One connection: what the kernel announces becomes facts, what the core wants becomes calls.
 *
 * The kernel announces each change once (edge-triggered), so what it said is remembered: READABLE
 * until a receive says that nothing is left, WRITABLE until a send says that it would block.
 * Nothing is lost while the core does not want to read; when it does again it puts the id on its
 * changed list.
 *
 * Receiving. A receive that filled less than the space has emptied the socket: what comes later is
 * announced anew. Not so once the peer's end or urgent data was announced (READ_ON): then receives
 * go on until one gives nothing. A connection gets RECEIVES_MAX receives in a turn, whoever asks
 * for them; one that has more to give waits in engine->unfinished for the next turn, which then
 * does not sleep.
 *
 * The end. End-of-stream is mux_ended. A hang-up or error that was announced is looked at after
 * what can be read has been read. A client that is not to be read fails at once, since it can take nothing
 * any more; a link only when the core wants to read it again, since what stands in its socket may be the rest
 * of a response whose client pauses, and which has --write-timeout for that. SO_ERROR tells a reset from
 * the hang-up that follows when both sides have finished in order, which is no failure. After
 * mux_failed the connection is left alone until the core wants it closed.
 *
 * A send that fails may have met a reset behind which a response still waits in the socket; a link
 * is therefore read once more before the failure is reported.
 */
#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "net/engine_private.h"
#include "net/sys.h"

/* ---- helpers ---- */

static bool has(const struct connection *connection, unsigned flags)
{
    return (connection->flags & flags) != 0;
}

static void set(struct connection *connection, unsigned flags)
{
    connection->flags = (uint16_t)(connection->flags | flags);
}

static void clear(struct connection *connection, unsigned flags)
{
    connection->flags = (uint16_t)(connection->flags & ~flags);
}

static unsigned wants(const struct connection *connection)
{
    return mux_wants(connection->route->mux, connection->id);
}

/* ---- receiving ---- */

/* Takes one of the turn's receives; false when they are spent. */
static bool spend_receive(struct connection *connection)
{
    struct engine *engine = connection->route->engine;
    if (connection->turn != engine->turn) {
        connection->turn = engine->turn;
        connection->receives = 0;
    }
    if (connection->receives < RECEIVES_MAX) {
        connection->receives++;
        return true;
    }
    if (!list_is_linked(&connection->unfinished)) {
        list_push_back(&engine->unfinished[connection->source.kind], &connection->unfinished);
    }
    return false;
}

static void receive_failed(struct connection *connection, int error)
{
    if (error == EINTR) {
        return;
    }
    clear(connection, CONNECTION_READABLE);
    if (error != EAGAIN) {
        connection_fail(connection, failure_of_transfer(error), error);
    }
}

static void receive_once(struct connection *connection)
{
    struct mux *mux = connection->route->mux;
    size_t space;
    uint8_t *bytes = mux_recv_space(mux, connection->id, &space);
    assert(space > 0);
    ssize_t got = sys_recv(connection->fd, bytes, space);
    if (got < 0) {
        receive_failed(connection, errno);
        return;
    }
    if (got == 0) {
        clear(connection, CONNECTION_READABLE);
        if (!has(connection, CONNECTION_BROKEN)) {
            set(connection, CONNECTION_ENDED);
            mux_ended(mux, connection->id);
        }
        return;
    }
    if ((size_t)got < space && !has(connection, CONNECTION_READ_ON)) {
        clear(connection, CONNECTION_READABLE);
    }
    connection_pace(connection);
    mux_received(mux, connection->id, (size_t)got);
}

/* Receives while there may be something, the core wants it, and it is this connection's turn. */
static void receive(struct connection *connection)
{
    while (has(connection, CONNECTION_READABLE) &&
           (wants(connection) & (MUX_READ | MUX_PROBE)) != 0 && spend_receive(connection)) {
        receive_once(connection);
    }
}

/* Reads once, whatever the kernel announced. Not done when the turn's receives were too few: the
 * connection is then unfinished, and MUX_PROBE stays wanted. */
static void probe(struct connection *connection)
{
    if (!has(connection, CONNECTION_ENDED)) {
        set(connection, CONNECTION_READABLE);
        receive(connection);
    }
    if (!has(connection, CONNECTION_READABLE) && (wants(connection) & MUX_PROBE) != 0) {
        mux_probed(connection->route->mux, connection->id);
    }
}

static void look_at_hang_up(struct connection *connection)
{
    if (!has(connection, CONNECTION_HUNG_UP)) {
        return;
    }
    bool reads = (wants(connection) & MUX_READ) != 0;
    if (has(connection, CONNECTION_READABLE) && (reads || connection->source.kind == SOURCE_LINK)) {
        assert(!reads || list_is_linked(&connection->unfinished));
        return; /* what came before it is read first */
    }
    clear(connection, CONNECTION_HUNG_UP);
    int error = socket_error(connection->fd);
    if (error == 0 && has(connection, CONNECTION_BROKEN)) {
        error = EPIPE; /* the send was told, and only once */
    }
    if (error != 0) {
        connection_fail(connection, failure_of_transfer(error), error);
    }
}

/* ---- sending ---- */

static void send_failed(struct connection *connection, int error)
{
    if (connection->source.kind == SOURCE_LINK && !has(connection, CONNECTION_ENDED)) {
        set(connection,
            CONNECTION_BROKEN | CONNECTION_READABLE | CONNECTION_READ_ON | CONNECTION_HUNG_UP);
        clear(connection, CONNECTION_WRITABLE);
        receive(connection);
        if (has(connection, CONNECTION_READABLE)) {
            return; /* there is more to read first: look_at_hang_up */
        }
    }
    if (!has(connection, CONNECTION_FAILED)) {
        connection_fail(connection, failure_of_transfer(error), error);
    }
}

/* Sends until the core has nothing more or the socket takes nothing more. A short send is tried
 * again: only EAGAIN makes the kernel announce room. `wanted`: what the core wants now. */
static void flush(struct connection *connection, unsigned wanted)
{
    struct mux *mux = connection->route->mux;
    if (!has(connection, CONNECTION_WRITABLE)) {
        return;
    }
    for (; (wanted & MUX_WRITE) != 0; wanted = wants(connection)) {
        struct span view = mux_send_view(mux, connection->id);
        assert(view.size > 0);
        ssize_t sent = sys_send(connection->fd, view.data, view.size);
        if (sent > 0) {
            connection_pace(connection);
            mux_sent(mux, connection->id, (size_t)sent);
        } else if (errno == EAGAIN) {
            clear(connection, CONNECTION_WRITABLE);
            return;
        } else if (errno != EINTR) {
            send_failed(connection, errno);
            return;
        }
    }
}

/* ENOTCONN: the peer's reset was faster, and has been or will be announced. */
static void shut(struct connection *connection)
{
    set(connection, CONNECTION_SHUT);
    if (sys_shutdown_write(connection->fd) != 0 && errno != ENOTCONN) {
        connection_fail(connection, failure_of_transfer(errno), errno);
    }
}

/* ---- what the engine calls ---- */

void connection_announced(struct connection *connection, unsigned ready)
{
    assert(connection->id != MUX_ID_NONE);
    agenda_touch(connection->route);
    if (has(connection, CONNECTION_FAILED)) {
        return;
    }
    bool was_blocked = !has(connection, CONNECTION_WRITABLE);
    set(connection, (ready & READY_READ ? CONNECTION_READABLE : 0U) |
                        (ready & READY_WRITE ? CONNECTION_WRITABLE : 0U) |
                        (ready & READY_READ_ON ? CONNECTION_READ_ON : 0U) |
                        (ready & READY_HUNG_UP ? CONNECTION_HUNG_UP : 0U));
    if (has(connection, CONNECTION_ENDED)) {
        clear(connection, CONNECTION_READABLE);
    }
    if (has(connection, CONNECTION_CONNECTING)) {
        connect_finish(connection);
        return;
    }
    receive(connection);
    look_at_hang_up(connection);
    /* Bytes for a socket that was not blocked are sent when the changed list is worked off, links
     * first. */
    if (was_blocked && !has(connection, CONNECTION_FAILED)) {
        flush(connection, wants(connection));
    }
}

static void take_in(struct connection *connection, unsigned wanted)
{
    if ((wanted & MUX_PROBE) != 0) {
        probe(connection);
    } else {
        receive(connection);
    }
    look_at_hang_up(connection);
}

void connection_continue(struct connection *connection)
{
    agenda_touch(connection->route);
    if (!has(connection, CONNECTION_FAILED)) {
        take_in(connection, wants(connection));
    }
}

/* `wanted`: what the core wants now. It is asked again only when something may have happened since: each
 * question looks the id up, and most connections on the changed list only have something to send. */
static void serve(struct connection *connection, unsigned wanted)
{
    agenda_touch(connection->route);
    if (has(connection, CONNECTION_FAILED)) {
        return;
    }
    if (has(connection, CONNECTION_READABLE | CONNECTION_HUNG_UP) || (wanted & MUX_PROBE) != 0) {
        take_in(connection, wanted);
        if (has(connection, CONNECTION_FAILED)) {
            return;
        }
        wanted = wants(connection);
    }
    if ((wanted & MUX_WRITE) != 0) {
        flush(connection, wanted);
    } else if ((wanted & MUX_END) != 0 && !has(connection, CONNECTION_SHUT)) {
        shut(connection);
    }
}

static void close_descriptor(struct connection *connection)
{
    struct engine *engine = connection->route->engine;
    engine->closing = connection;
    engine->closing_local = socket_local(connection->fd);
    engine_unregister(engine, connection->fd);
    (void)sys_close(connection->fd);
    connection->fd = -1;
    engine->accept_may_resume = true;
    reserve_fill(engine);
}

static void close_connection(struct engine_route *route, mux_id id, struct connection *connection)
{
    if (connection != NULL && connection->fd >= 0) {
        close_descriptor(connection);
    }
    mux_closed(route->mux, id);
    route->engine->closing = NULL;
    if (connection != NULL) {
        connection_give(connection);
    }
}

void connection_match(struct engine_route *route, mux_id id)
{
    unsigned wanted = mux_wants(route->mux, id);
    struct connection *connection = connection_find(route, id);
    if ((wanted & MUX_CLOSE) != 0) {
        if ((wanted & MUX_ABORT) != 0 && connection != NULL && connection->fd >= 0) {
            socket_abort(connection->fd);
        }
        close_connection(route, id, connection);
    } else if ((wanted & MUX_RESOLVE) != 0) {
        connect_resolve(route, id);
    } else if ((wanted & MUX_CONNECT) != 0) {
        connect_begin(route, id);
    } else if (connection != NULL && connection->fd >= 0 &&
               !has(connection, CONNECTION_CONNECTING)) {
        serve(connection, wanted);
    }
}
