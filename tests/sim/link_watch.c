/* SPDX-License-Identifier: MIT */
/* What goes over one link; see link_watch.h. */
#include "link_watch.h"

#include <assert.h>
#include <string.h>

#include "checks.h"
#include "pipelines.h"
#include "world.h"

void link_watch_deinit(struct link_watch *watch)
{
    memset(watch, 0, sizeof *watch);
}

static struct sending *sending_on(struct ledger_entry *entry, const struct connection *link)
{
    for (uint32_t i = entry->sendings_count; i > 0; i--) {
        if (entry->sendings[i - 1].link == link) {
            return &entry->sendings[i - 1];
        }
    }
    assert(false);
    return NULL;
}

/* Whose request `text` is; its bytes must be exactly those that its client sent. */
static struct ledger_entry *entry_of(const struct world *world, const struct connection *link,
                                     struct span text)
{
    char kind;
    uint32_t client, sequence;
    struct ledger_entry *entry = NULL;
    if (message_request_parse(text, &kind, &client, &sequence)) {
        entry = world_entry(world, client, sequence);
    }
    if (entry == NULL || entry->text_size != text.size ||
        memcmp(entry->text, text.data, text.size) != 0) {
        char shown[100];
        sim_fail("the target sees only what a client asked",
                 "link %llu would carry a request that nobody made: %s",
                 (unsigned long long)link->number, trace_bytes(shown, sizeof shown, text));
    }
    return entry;
}

/* The first byte of the request in front of `view` is about to go out. */
static void begin_request(struct world *world, struct connection *link, struct span view)
{
    struct link_watch *watch = &link->watch;
    size_t size;
    struct span text;
    check_link_may_carry_a_request(world, link);
    check_pacing(world, link);
    if (message_cut(&world->dialect, TARGET_SIDE, REQUEST, view, &size, &text) != CUT_WHOLE) {
        sim_fail("a request goes out whole", "link %llu has only %zu bytes of a request to send",
                 (unsigned long long)link->number, view.size);
    }
    struct ledger_entry *entry = entry_of(world, link, text);
    check_request_goes_out_whole(world, link, entry);
    check_no_second_copy(world, entry);
    check_link_has_room(world, link, entry);
    entry->sendings[entry->sendings_count++] = (struct sending){
        .link = link,
        .first_byte_at = world->now_ns,
        .response_from = link->up.read,
        .response_upto = link->up.read,
    };
    if (dialect_has_ids(&world->dialect)) {
        uint32_t id = message_id(TARGET_SIDE, view);
        check_id_is_free(link, id);
        entry->sendings[entry->sendings_count - 1].id = id;
        watch->ids[id] = entry_expects_response(entry) ? ID_AWAITED : watch->ids[id];
    }
    watch->sending = entry;
    watch->message_left = size;
    if (entry_expects_response(entry)) {
        if (watch->awaited_count == 0) {
            watch->incoming_at =
                dialect_has_ids(&world->dialect) ? watch->incoming_at : link->up.read;
            watch->head_since = world->now_ns;
        }
        assert(watch->awaited_count < WATCH_AWAITED_MAX);
        watch->awaited[watch->awaited_count++] = entry;
    }
}

/* The middle of a request must be the bytes that follow those already sent. */
static void continue_request(const struct world *world, const struct connection *link,
                             const struct sending *sending, struct span bytes)
{
    const struct link_watch *watch = &link->watch;
    uint8_t whole[MESSAGE_HEAD_BYTES_MAX + 65536];
    const struct ledger_entry *entry = watch->sending;
    assert(entry->text_size + 8 <= sizeof whole);
    size_t size = message_write(&world->dialect, TARGET_SIDE, REQUEST,
                                span_of(entry->text, entry->text_size), whole);
    if (dialect_has_ids(&world->dialect)) {
        message_set_id(whole + 1, sending->id);
    }
    if (memcmp(whole + size - watch->message_left, bytes.data, bytes.size) != 0) {
        sim_fail("never half a message followed by another's", "link %llu, inside request %u.%u",
                 (unsigned long long)link->number, entry->client, entry->sequence);
    }
}

void link_watch_sending(struct world *world, struct connection *link, struct span view, size_t size)
{
    struct link_watch *watch = &link->watch;
    if (!world->modelled) {
        check_pacing(world, link);
        return;
    }
    for (size_t done = 0; done < size;) {
        if (watch->message_left == 0) {
            begin_request(world, link, span_from(view, done));
        }
        size_t part = size - done < watch->message_left ? size - done : watch->message_left;
        continue_request(world, link, sending_on(watch->sending, link),
                         span_of(view.data + done, part));
        watch->message_left -= part;
        done += part;
        if (watch->message_left == 0) {
            sending_on(watch->sending, link)->whole = true;
            watch->sending = NULL;
        }
    }
}

static void spoil(struct world *world, struct connection *link, const char *why)
{
    if (link->watch.spoilt == NULL) {
        link->watch.spoilt = why;
        WORLD_TRACE(world, "link %llu is spoilt: %s", (unsigned long long)link->number, why);
    }
}

static void begin_response(struct sending *sending, uint64_t at)
{
    if (!sending->responding) {
        sending->responding = true;
        sending->response_from = at;
    }
}

static void take_out(struct link_watch *watch, uint32_t index)
{
    watch->awaited_count--;
    memmove(watch->awaited + index, watch->awaited + index + 1,
            (watch->awaited_count - index) * sizeof watch->awaited[0]);
}

/* The response of an awaited request is whole. */
static void take_response(struct world *world, struct connection *link, uint32_t index, size_t size,
                          char kind)
{
    struct link_watch *watch = &link->watch;
    struct sending *sending = sending_on(watch->awaited[index], link);
    begin_response(sending, watch->incoming_at);
    sending->response_upto = watch->incoming_at + size;
    if (kind == 'I') {
        return; /* interim: the response is still to come */
    }
    sending->response_whole = true;
    watch->ids[sending->id] = ID_FREE;
    watch->head_since = world->now_ns;
    if (++watch->answered == 1) {
        links_succeeded(world, link);
    }
    if (watch->answered == TRUST_ANSWERS && watch->is_wary) {
        world->wary = false;
    }
    take_out(watch, index);
    if (!sending->whole) {
        spoil(world, link, "the response came before the request was wholly sent");
    } else if (kind == 'Z') {
        spoil(world, link, "the response ends the link");
    }
}

/* Whose response this is by its identifier; awaited_count: nobody's. It must also name its client. */
static uint32_t find_by_id(const struct connection *link, struct span bytes, struct span text)
{
    const struct link_watch *watch = &link->watch;
    char kind;
    uint32_t client, sequence, index = 0;
    bool named = message_request_parse(text, &kind, &client, &sequence);
    while (index < watch->awaited_count &&
           (sending_on(watch->awaited[index], link)->id != message_id(TARGET_SIDE, bytes) ||
            !named || watch->awaited[index]->client != client)) {
        index++;
    }
    return index;
}

/* Cuts what was read; false: nothing more can be cut. */
static bool take_next(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    size_t size;
    struct span text;
    struct span bytes = pipe_history(&link->up, watch->incoming_at, link->up.read);
    switch (message_cut(&world->dialect, TARGET_SIDE, RESPONSE, bytes, &size, &text)) {
    case CUT_INVALID:
        spoil(world, link, "the target sent garbage");
        return false;
    case CUT_PARTIAL:
        if (bytes.size + (world->dialect.protocol->edit != NULL) >
            world->dialect.message_bytes_max) {
            spoil(world, link, "the target sent an oversized message");
        }
        if (!dialect_has_ids(&world->dialect)) {
            begin_response(sending_on(watch->awaited[0], link), watch->incoming_at);
            sending_on(watch->awaited[0], link)->response_upto = link->up.read;
        }
        return false;
    case CUT_WHOLE:
        break;
    }
    if (size > world->dialect.message_bytes_max) {
        spoil(world, link, "the target sent an oversized message");
        return false;
    }
    uint32_t index = dialect_has_ids(&world->dialect) ? find_by_id(link, bytes, text) : 0;
    if (index < watch->awaited_count) {
        take_response(world, link, index, size, dialect_kind(&world->dialect, TARGET_SIDE, bytes));
    }
    watch->incoming_at += size;
    return true;
}

void link_watch_received(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    watch->last_byte_at = world->now_ns;
    if (!world->modelled) {
        return;
    }
    if (link->was_lost) {
        return; /* given up: what still comes is nobody's */
    }
    bool by_id = dialect_has_ids(&world->dialect);
    watch->timeouts = 0;
    while (watch->spoilt == NULL && (by_id || watch->awaited_count > 0) &&
           watch->incoming_at < link->up.read) {
        if (!take_next(world, link)) {
            return;
        }
    }
    if (!by_id && watch->awaited_count == 0 && watch->incoming_at < link->up.read) {
        spoil(world, link, "bytes that nobody waits for");
    }
}

void link_watch_up(const struct world *world, struct connection *link)
{
    link->watch.is_wary = world->wary;
}

void link_watch_lost(struct world *world, struct connection *link, enum mux_reason reason)
{
    struct link_watch *watch = &link->watch;
    if (!world->modelled) {
        return;
    }
    check_link_is_given_up_for_a_reason(world, link, reason);
    world->wary = world->wary || watch->awaited_count > 0 || watch->timeouts >= TIMEOUTS_MAX ||
                  (reason == REASON_RESPONSE_TIMEOUT && watch->message_left > 0) ||
                  (watch->message_left > 0 &&
                   (reason == REASON_HALF_REQUEST || !entry_expects_response(watch->sending)));
    for (uint32_t i = 0; i < watch->awaited_count; i++) {
        sending_on(watch->awaited[i], link)->unprocessed = reason == REASON_RESPONSE_CLOSES;
    }
}

void link_watch_timed_out(struct world *world, struct connection *link,
                          const struct ledger_entry *entry)
{
    struct link_watch *watch = &link->watch;
    for (uint32_t i = 0; dialect_has_ids(&world->dialect) && i < watch->awaited_count; i++) {
        if (watch->awaited[i] != entry) {
            continue;
        }
        const struct sending *sending = sending_on(watch->awaited[i], link);
        check_response_is_overdue(world, link, sending);
        watch->ids[sending->id] = ID_RETIRED;
        watch->retired++;
        take_out(watch, i);
        if (++watch->timeouts >= TIMEOUTS_MAX) {
            spoil(world, link, "three responses in a row did not come in time");
        }
        return;
    }
}

void link_watch_over(struct world *world, struct connection *link)
{
    (void)world;
    for (uint32_t i = 0; i < link->watch.awaited_count; i++) {
        sending_on(link->watch.awaited[i], link)->lost = true;
    }
    if (link->watch.sending != NULL) {
        sending_on(link->watch.sending, link)->lost = true;
    }
}
