/* SPDX-License-Identifier: MIT */
/*
 * The functions that the files of the core share, file by file, from the ground up: a file calls those above
 * it in this list, never those below. What has more to say about itself has a header of its own: fate.h,
 * ids.h, keys.h, quiet.h, memory.h, dial.h, retire.h, link_deadline.h.
 *
 * Private to mux/.
 */
#ifndef MUX_INTERNAL_H
#define MUX_INTERNAL_H

#include "mux/state.h"

/* ---- table.c ---- */
struct client *table_take(struct mux *mux);
void table_give(struct mux *mux, struct client *client);
struct client *table_at(const struct mux *mux, uint32_t slot);
/* Where a client comes from; without memory for it that stays unknown (NULL). */
void table_set_host(struct mux *mux, const struct client *client, const char *host);
const char *table_host(const struct mux *mux, const struct client *client);
void table_deinit(struct mux *mux);

/* ---- event.c ---- */
void observe(struct mux *mux, struct mux_event event);
mux_id client_id(const struct client *client);
mux_id link_id(const struct link *link);
void response_report(struct mux *mux, const struct link *link, const struct exchange *exchange,
                     struct span piece);
void exchange_report(struct mux *mux, enum mux_event_kind kind, const struct exchange *exchange,
                     enum mux_reason reason, struct span bytes, uint64_t ns);
/* Bytes that are not, or may not be, the answer to a request (NULL: nobody waits for any). */
void report_bytes(struct mux *mux, enum mux_event_kind kind, const struct link *link,
                  const struct request *request, struct span bytes);

/* ---- turns.c ---- */
/* Puts the client into the turns, or takes it out, as its state demands. */
void turn_update(struct mux *mux, struct client *client);
bool turn_is_due(const struct mux *mux, const struct client *client);
/* Its turn is the next, if it has one. */
void turn_first(struct mux *mux, struct client *client);
/* An exchange of the client (NULL: an orphan) has left the link. */
void turn_place_free(struct mux *mux, struct link *link, struct client *client);
/* The link takes no more: who waits for it stands in the turns again. */
void turns_unbind(struct mux *mux, struct link *link);
/* Since when somebody waits that could have this link, were it not for the client that holds it (NULL: an
 * orphan does); TIME_NEVER: nobody does. */
uint64_t turns_want_since(const struct mux *mux, const struct link *link,
                          const struct client *holder);
/* A client that waits for any link to be empty; NULL: nobody does. */
struct client *turns_free_reserver(const struct mux *mux);
/* Whether a client waits for any link, to take it or to have it alone. */
bool turns_want_any_link(const struct mux *mux);
/* Whether it is up and takes no request before something on it ends. */
bool link_is_full(const struct mux *mux, const struct link *link);
/* It stands in the turns as the last, and for any link. */
void turn_last(struct mux *mux, struct client *client);

/* ---- waiting.c ---- */
/* How long no link was usable, all in all; and a link became usable, or is no longer. */
uint64_t outage_clock(const struct mux *mux);
void outage_update(struct mux *mux);
/* WAITING from now on; it stands nowhere. */
void waiting_enter(struct mux *mux, struct exchange *exchange);
/* Likewise, as old as it is; its client's turn is the next. */
void waiting_return(struct mux *mux, struct exchange *exchange);
void waiting_leave(struct mux *mux, struct exchange *exchange);
/* Whether --wait-timeout is over for it. */
bool waiting_is_over(const struct mux *mux, const struct exchange *exchange);
/* Whether another exchange may leave those that wait and come back to them later. False: no memory. */
bool waiting_has_room(struct mux *mux) MUST_USE;
/* The one that arrived first; NULL: nobody waits. */
struct exchange *waiting_first(const struct mux *mux);
/* Deadline of the oldest; whether --queue-timeout is what is over. */
uint64_t waiting_deadline(const struct mux *mux);
bool waiting_is_unreachable(const struct mux *mux, const struct exchange *exchange);

/* ---- share.c ---- */
bool share_init(struct mux *mux);
void share_deinit(struct mux *mux);
/* A request has come. True: it shares another's response, and needs no link. */
bool share_join(struct mux *mux, struct exchange *exchange);
/* It is no longer JOINED. */
void share_leave(struct mux *mux, struct exchange *exchange);
/* Nobody joins it any more: its response has begun. */
void share_close(struct mux *mux, struct exchange *exchange);
/* The exchange leaves where it stood, for good; who has joined it goes on without it. */
void share_end(struct mux *mux, struct exchange *exchange);

/* ---- write.c ---- */
/* Puts what is there of a request on a link. False: no memory. */
bool write_request(struct mux *mux, struct exchange *exchange, struct link *link,
                   struct span bytes);
/* Likewise another piece of it. Returns how many bytes it became; 0: no memory. */
size_t write_piece(struct mux *mux, const struct exchange *exchange, const struct frame *frame,
                   struct span piece);

/* ---- client_hold.c ---- */
/* When a client that holds a link and brings and takes nothing has to give way; TIME_NEVER: it need not. */
uint64_t client_hold_ends(const struct mux *mux, const struct client *client);
/* Its end is decided: if it held a link idly, the next one in a row has less time. */
void client_hold_over(struct mux *mux, const struct client *client);
/* Whose bytes the link waits for, or who has to take what it was given; NULL: neither. */
struct client *link_holder(const struct mux *mux, const struct link *link);

/* ---- input.c ---- */
void client_set_partial(struct mux *mux, struct client *client, bool partial);
/* The time for what is partial runs from now on, unless another clock does. */
void client_clock_begins(struct mux *mux, struct client *client);
/* Nothing behind the framed requests counts any more. */
void client_poison(struct mux *mux, struct client *client);

/* ---- exchange.c ---- */
/* Takes the bytes of an exchange of which nothing is sent out again, and those of its client's later
 * exchanges. */
void link_unsend(struct mux *mux, struct link *link, struct exchange *exchange);
/* The first piece of a request, the next bytes behind the framed ones. False: no memory. */
bool exchange_queue(struct mux *mux, struct client *client, const struct frame *frame,
                    const struct request *request);
/* Another piece of it. False: no memory. */
bool exchange_append(struct mux *mux, struct exchange *exchange, const struct frame *frame);
/* Something that ends in an error reply at its place in the client's order. False: no memory. */
bool exchange_queue_failed(struct mux *mux, struct client *client, enum mux_reason reason,
                           uint16_t code);
void exchange_take(struct mux *mux, struct exchange *exchange, struct link *link);
/* Up to `written` its link's bytes are in the kernel. */
void exchange_sent(struct mux *mux, struct exchange *exchange, uint64_t written);
/* What decides about it when it ends, but for `may_be_repeated`, which its link knows. */
struct exchange_facts exchange_facts_of(const struct mux *mux, const struct exchange *exchange);
/* From its link back to those that wait. */
void exchange_return(struct mux *mux, struct exchange *exchange);
void exchange_fail(struct mux *mux, struct exchange *exchange, enum mux_reason reason);
/* The client has gone: dropped, taken back, or an orphan from now on. Returns why its link is of no use any
 * more; REASON_NONE: it is. */
enum mux_reason exchange_abandon(struct mux *mux, struct exchange *exchange) MUST_USE;
void exchange_finish(struct mux *mux, struct exchange *exchange, enum mux_reason reason);
void exchange_release_bytes(struct mux *mux, struct exchange *exchange);
/* Who has joined it fails. */
void exchange_fail_joiners(struct mux *mux, struct exchange *leader, enum mux_reason reason);
/* The client whose upload filled the link may be read again. */
void link_mark_uploader(struct mux *mux, const struct link *link);

/* ---- link.c ---- */
void link_resolved(struct mux *mux, struct link *link, uint32_t count);
void link_connected(struct mux *mux, struct link *link, const void *origin);
void link_probed(struct mux *mux, struct link *link);
void link_sent(struct mux *mux, struct link *link, size_t size);
void link_swallowed(struct mux *mux, struct link *link, size_t size); /* no longer up */
void link_failed(struct mux *mux, struct link *link, enum io_failure failure);
void link_closed(struct mux *mux, struct link *link);
unsigned link_wants(const struct mux *mux, const struct link *link);
void link_expired(struct mux *mux, struct link *link);
void link_touch(struct mux *mux, struct link *link);
/* It has grown older than the clock says, if it carries nothing that we may have kept waiting. */
void link_stalled(struct mux *mux, struct link *link, uint64_t ns);
/* Nobody stands in the turns: --link-idle may begin to run. */
void links_idle(struct mux *mux);
/* Somebody waits for it: who holds it has less time. */
void link_awaited(struct mux *mux, struct link *link);
/* Ends it in order. What is on it stays there until it is settled. */
void link_replace(struct mux *mux, struct link *link, enum mux_reason reason);
/* Bytes that nobody waits for: counted, told, dropped. */
void link_count_stray(struct mux *mux, const struct link *link, const struct request *request,
                      struct span bytes);
/* What has come of an unfinished message is nobody's: the link is replaced. */
void link_stray(struct mux *mux, struct link *link);
/* The target has ended it. */
void link_over(struct mux *mux, struct link *link);

/* ---- client_deadline.c ---- */
unsigned client_wants(const struct mux *mux, const struct client *client);
uint64_t client_deadline(const struct mux *mux, const struct client *client);
/* Its wishes, its clocks, its deadline and its turn are what its state says. */
void client_touch(struct mux *mux, struct client *client);
/* Whether another request of it may be queued. */
bool client_has_room(const struct mux *mux, const struct client *client);
/* Whether it has nothing under way: no exchange, no part of a request, nothing left to take. */
bool client_is_idle(const struct client *client);
/* It has taken something of what it was given, or was given something. */
void client_takes(const struct mux *mux, struct client *client);
/* When it has taken nothing for --write-timeout. */
uint64_t client_taking_ends(const struct mux *mux, const struct client *client);

/* ---- client.c ---- */
struct client *client_open(struct mux *mux, const void *origin);
void client_sent(struct mux *mux, struct client *client, size_t size);
void client_ended(struct mux *mux, struct client *client);
void client_closed(struct mux *mux, struct client *client);
void client_expired(struct mux *mux, struct client *client);
void client_drain(struct mux *mux, struct client *client);
/* Closes at once: its waiting exchanges are dropped, those on a link become orphans. */
void client_gone(struct mux *mux, struct client *client, enum mux_reason reason);
/* Closes behind what is queued for it; its exchanges end as above. */
void client_flush(struct mux *mux, struct client *client, enum mux_reason reason);
/* One of its requests is not served any more, whose rest it may still send. */
void client_abandon(struct mux *mux, struct exchange *exchange);
/* An error reply in the place of what comes next from it, which then does not count any more. */
void client_refuse(struct mux *mux, struct client *client, enum mux_reason reason, uint16_t code);
/* What the framer says of the first piece of a request that has not come whole: its `code`. */
uint16_t request_partial_code(const struct mux *mux, const struct client *client);
/* Drops the bytes of exchanges at the front that no longer need them. */
void requests_release(struct mux *mux, struct client *client);

/* ---- answer.c ---- */
/* Queues a piece of a response for it, edited for the request (NULL: as it is). False: no memory; nothing
 * was queued. */
bool client_deliver(struct mux *mux, struct client *client, const struct request *request,
                    uint8_t kind, struct span piece);
/* Answers a failed exchange, whose client is served or has gone, and finishes it. */
void answer_give(struct mux *mux, struct exchange *exchange);
/* Answers the failed exchanges whose turn has come. */
void answers_give(struct mux *mux, struct client *client);

/* ---- request.c ---- */
void client_received(struct mux *mux, struct client *client, struct span bytes);
/* Cuts requests off the received bytes, as many as there is room for. */
void requests_frame(struct mux *mux, struct client *client);

/* ---- settle.c ---- */
/* Works off what follows from a fact: for all that is marked, until nothing is. */
void settle_marks(struct mux *mux);
/* The same for one client, at once. */
void client_settle(struct mux *mux, struct client *client);

/* ---- share_answer.c ---- */
/* The whole response of the leader, for all who have joined it. */
void share_response(struct mux *mux, const struct link *link, struct exchange *leader, uint8_t kind,
                    struct span piece);

/* ---- response.c ---- */
void link_received(struct mux *mux, struct link *link, struct span bytes);
void link_ended(struct mux *mux, struct link *link);

/* ---- schedule.c ---- */
void schedule(struct mux *mux);

/* ---- timer.c ---- */
void timer_run(struct mux *mux);
void timer_plan_trim(struct mux *mux);

#endif
