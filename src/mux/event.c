/* SPDX-License-Identifier: MIT */
/*
 * What happened, for whoever observes; and how connections are called there.
 */
#include "mux/internal.h"

static const mux_id LINK_BIT = (mux_id)1 << 31;

static mux_id make_id(uint32_t slot, uint32_t generation)
{
    return (mux_id)generation << 32 | slot;
}

mux_id client_id(const struct client *client)
{
    return make_id(client->slot, client->generation);
}

mux_id link_id(const struct link *link)
{
    return make_id(link->slot, link->generation) | LINK_BIT;
}

void observe(struct mux *mux, struct mux_event event)
{
    if (is_observed(mux, event.kind)) {
        mux->observing = true;
        mux->observer.event(mux->observer.context, &event);
        mux->observing = false;
    }
}

void response_report(struct mux *mux, const struct link *link, const struct exchange *exchange,
                     struct span piece)
{
    if (!is_observed(mux, MUX_RESPONSE)) {
        return;
    }
    const struct client *client = exchange->client;
    uint64_t since_ns = exchange->sent_ns == TIME_NEVER ? exchange->arrived_ns : exchange->sent_ns;
    observe(mux, (struct mux_event){.kind = MUX_RESPONSE,
                                    .client_id = client == NULL ? MUX_ID_NONE : client_id(client),
                                    .client = client == NULL ? 0 : client->serial,
                                    .link_id = link_id(link),
                                    .link = link->serial,
                                    .exchange = exchange->serial,
                                    .bytes = piece,
                                    .ns = mux->now_ns - since_ns});
}

/* Tells of bytes that are not, or may not be, the answer to a request (NULL: nobody waits for any). */
void report_bytes(struct mux *mux, enum mux_event_kind kind, const struct link *link,
                  const struct request *request, struct span bytes)
{
    observe(mux, (struct mux_event){.kind = kind,
                                    .link_id = link_id(link),
                                    .link = link->serial,
                                    .request = request,
                                    .bytes = bytes});
}

void exchange_report(struct mux *mux, enum mux_event_kind kind, const struct exchange *exchange,
                     enum mux_reason reason, struct span bytes, uint64_t ns)
{
    if (!is_observed(mux, kind)) {
        return;
    }
    struct mux_event event = {
        .kind = kind, .reason = reason, .exchange = exchange->serial, .bytes = bytes, .ns = ns};
    if (exchange->client != NULL) {
        event.client_id = client_id(exchange->client);
        event.client = exchange->client->serial;
    }
    if (exchange->link != NULL) {
        event.link_id = link_id(exchange->link);
        event.link = exchange->link->serial;
    }
    observe(mux, event);
}
