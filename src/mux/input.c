/* SPDX-License-Identifier: MIT */
/*
 * How far a client's bytes are understood: a part of a message has arrived, or nothing that comes counts any
 * more.
 */
#include "mux/internal.h"

void client_clock_begins(struct mux *mux, struct client *client)
{
    if (!client->slow && !client->refused && !client_is_uploading(client)) {
        client->since_ns = mux->now_ns;
        client->taken = 0;
    }
}

void client_set_partial(struct mux *mux, struct client *client, bool partial)
{
    if (partial && !client->partial) {
        client_clock_begins(mux, client);
    } else if (!partial && client->partial && client->exchanges_count == 0 && !client->slow) {
        client->since_ns = mux->now_ns; /* it is idle */
    }
    client->partial = partial;
}

/* Nothing behind the framed requests counts any more. */
void client_poison(struct mux *mux, struct client *client)
{
    client->poisoned = true;
    client->state = CLIENT_FINISHED;
    client_set_partial(mux, client, false);
    buf_truncate(&mux->client_bufs, &client->in, client->framed);
    client_unsettle(mux, client);
}
