/* SPDX-License-Identifier: MIT */
/*
 * The bound on memory.
 *
 * All partial and queued bytes of clients together stay below --buffer-memory. A message on its way is
 * over at once or stalls; so the longest-stalled partial message goes first, then who has gone longest
 * without taking its responses, and at last who brought the bytes that were too many.
 */
#include "mux/state.h"

/* NULL: everybody is moving. */
static struct client *memory_victim(const struct mux *mux)
{
    struct list *node = list_first(&mux->partials);
    if (node != NULL) {
        return LIST_ENTRY(node, struct client, stalled);
    }
    node = list_first(&mux->slow);
    return node == NULL ? NULL : LIST_ENTRY(node, struct client, stalled);
}

static void memory_end(struct mux *mux, struct client *client)
{
    observe(mux, (struct mux_event){.kind = MUX_PAUSED,
                                    .reason = REASON_MEMORY,
                                    .client_id = client_id(client),
                                    .client = client->serial});
    if (client->partial) {
        client_refuse(mux, client, REASON_MEMORY, 0);
        client_settle(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

void memory_enforce(struct mux *mux, struct client *latest)
{
    /* Each round takes a client off one of the two lists. */
    while (mux->client_bufs.used_bytes > mux->options.memory_bytes_max) {
        struct client *victim = memory_victim(mux);
        if (victim == NULL) {
            client_gone(mux, latest, REASON_MEMORY);
            return;
        }
        memory_end(mux, victim);
    }
}
