/* SPDX-License-Identifier: MIT */
/* What goes over one link; see link_watch.h. */
#include "link_watch.h"

#include <assert.h>
#include <string.h>

#include "checks.h"
#include "client_state.h"
#include "closer.h"
#include "pipelines.h"
#include "sharing.h"
#include "world.h"

void link_watch_deinit(struct link_watch *watch)
{
    reader_deinit(&watch->reader);
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

static void spoil(struct world *world, struct connection *link, const char *why)
{
    if (link->watch.spoilt == NULL) {
        link->watch.spoilt = why;
        WORLD_TRACE(world, "link %llu is spoilt: %s", (unsigned long long)link->number, why);
    }
}

/* ---- requests ---- */

/* Whose request begins with these bytes; they must be exactly those that its client sent. */
static struct ledger_entry *entry_of(const struct world *world, const struct connection *link,
                                     struct span bytes)
{
    struct reader reader = {0};
    char kind;
    uint32_t client, sequence;
    struct ledger_entry *entry = NULL;
    (void)reader_take(&reader, &world->dialect, TARGET_SIDE, REQUEST, bytes);
    if (message_request_parse(reader_text(&reader), &kind, &client, &sequence)) {
        entry = sharing_is_shareable(kind) ? sharing_reader(world, link, reader.id)
                                           : world_entry(world, client, sequence);
    }
    reader_deinit(&reader);
    size_t size = entry == NULL || entry->wire_size > bytes.size ? bytes.size : entry->wire_size;
    if (entry != NULL && dialect_has_ids(&world->dialect)) { /* the link's, not the client's own */
        message_set_id(entry->wire + 1, message_id(TARGET_SIDE, bytes));
    }
    if (entry == NULL || memcmp(entry->wire, bytes.data, size) != 0) {
        char shown[100];
        sim_fail("the target sees only what a client asked",
                 "link %llu would carry a request that nobody made: %s",
                 (unsigned long long)link->number, trace_bytes(shown, sizeof shown, bytes));
    }
    return entry;
}

/* The first byte of the request in front of `view` is about to go out. */
static struct sending *begin_request(struct world *world, struct connection *link, struct span view)
{
    struct link_watch *watch = &link->watch;
    check_link_may_carry_a_request(world, link);
    check_pacing(world, link);
    check_link_was_quiet(world, link);
    struct ledger_entry *entry = entry_of(world, link, view);
    check_enough_of_a_request_is_there(world, link, entry, view.size);
    check_no_second_copy(world, entry);
    check_link_has_room(world, link, entry);
    struct sending *sending = &entry->sendings[entry->sendings_count++];
    *sending = (struct sending){
        .link = link,
        .first_byte_at = world->now_ns,
        .streams = view.size < entry->wire_size,
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
    if (entry_expects_response(entry)) {
        if (watch->awaited_count == 0) {
            watch->incoming_at =
                dialect_has_ids(&world->dialect) ? watch->incoming_at : link->up.read;
            watch->head_since = world->now_ns;
        }
        assert(watch->awaited_count < WATCH_AWAITED_MAX);
        watch->awaited[watch->awaited_count++] = entry;
    }
    return sending;
}

/* What goes out must be the bytes that follow those already sent, and all of them sound. Returns how many
 * of `bytes` are of this request. */
static size_t go_on(const struct world *world, const struct connection *link,
                    struct sending *sending, struct span bytes)
{
    const struct ledger_entry *entry = link->watch.sending;
    size_t rest = entry->wire_size - sending->sent;
    size_t size = bytes.size < rest ? bytes.size : rest;
    if (memcmp(entry->wire + sending->sent, bytes.data, size) != 0) {
        sim_fail("never half a message followed by another's", "link %llu, inside request %u.%u",
                 (unsigned long long)link->number, entry->client, entry->sequence);
    }
    sending->sent += size;
    sending->last_byte_at = world->now_ns;
    size_t mark = entry->wire_size - (size_t)(entry->stream_upto - entry->stream_from);
    if (sending->sent > entry->sound_size + mark) {
        sim_fail("the target sees nothing that is no request",
                 "link %llu carries request %u.%u beyond its byte %zu, where it goes wrong",
                 (unsigned long long)link->number, entry->client, entry->sequence,
                 entry->sound_size);
    }
    return size;
}

void link_watch_sending(struct world *world, struct connection *link, struct span view, size_t size)
{
    struct link_watch *watch = &link->watch;
    if (!world->modelled) {
        check_pacing(world, link);
        return;
    }
    for (size_t done = 0; done < size;) {
        struct sending *sending = watch->sending == NULL
                                      ? begin_request(world, link, span_from(view, done))
                                      : sending_on(watch->sending, link);
        done += go_on(world, link, sending, span_of(view.data + done, size - done));
        if (sending->sent == watch->sending->wire_size) {
            sending->whole = true;
            watch->sending = NULL;
        }
    }
}

/* ---- responses ---- */

static void begin_response(const struct world *world, struct sending *sending, uint64_t at)
{
    if (!sending->responding) {
        sending->responding = true;
        sending->responding_in = world->readings;
        sending->response_from = at;
    }
}

static void take_out(struct link_watch *watch, uint32_t index)
{
    watch->awaited_count--;
    memmove(watch->awaited + index, watch->awaited + index + 1,
            (watch->awaited_count - index) * sizeof watch->awaited[0]);
}

/* Where what is swallowed of it begins. */
static uint64_t orphan_begins(const struct sending *sending)
{
    return sending->response_from > sending->orphan_from ? sending->response_from
                                                         : sending->orphan_from;
}

/* The response of an awaited request is whole. */
static void take_response(struct world *world, struct connection *link, uint32_t index, char kind)
{
    struct link_watch *watch = &link->watch;
    struct sending *sending = sending_on(watch->awaited[index], link);
    bool ends_link = watch->awaited[index]->kind == 'L';
    sending->response_whole = true;
    if (sending->orphaned && watch->incoming_at > orphan_begins(sending)) {
        watch->swallowed = watch->incoming_at - orphan_begins(sending);
    }
    watch->ids[sending->id] = ID_FREE;
    watch->head_since = world->now_ns;
    closer_answered(world, link);
    watch->answered++;
    world->idle_holders = 0;
    take_out(watch, index);
    if (!sending->whole) {
        spoil(world, link, "the response came before the request was wholly sent");
    } else if (ends_link) {
        spoil(world, link, "the request ends the link");
    } else if (kind == 'Z') {
        spoil(world, link, "the response ends the link");
    }
}

/* What kind of response is read; 0: not known yet, or the protocol has no kinds. */
static char kind_of(const struct world *world, const struct reader *reader)
{
    return world->dialect.protocol->edit != NULL && reader->size > 0 ? (char)reader->text[0] : 0;
}

/* The head of the final response says how its client is told of its end. */
static void note_head(const struct world *world, const struct link_watch *watch,
                      struct sending *sending)
{
    const struct reader *reader = &watch->reader;
    if (!reader_has_head(reader) || kind_of(world, reader) == 'I') {
        return;
    }
    bool has_body =
        dialect_streams(&world->dialect) && memchr(reader->text, ':', reader->size) != NULL;
    sending->early = sending->early || (!sending->answering && !sending->whole);
    sending->answering = true;
    sending->closes_client =
        (reader->phase == READER_UNTIL_END || has_body) && watch->awaited[0]->kind == 'O';
}

/* Whether a bounded message is over the limit; the reader sees to those that stream. */
static bool is_oversized(const struct world *world, const struct reader *reader, size_t size)
{
    size_t most = world->dialect.message_bytes_max;
    if (dialect_streams(&world->dialect)) {
        return false;
    }
    return reader->phase == READER_WHOLE ? reader->taken > most
                                         : size + (world->dialect.protocol->edit != NULL) > most;
}

/* Takes what was read of the oldest one's response. False: nothing more can be cut. */
static bool take_next(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    struct reader *reader = &watch->reader;
    struct sending *sending = sending_on(watch->awaited[0], link);
    struct span bytes = pipe_history(&link->up, watch->incoming_at, link->up.read);
    begin_response(world, sending, watch->incoming_at);
    size_t size = reader_take(reader, &world->dialect, TARGET_SIDE, RESPONSE, bytes);
    if (reader->phase == READER_WHOLE && dialect_counts(&world->dialect) &&
        message_is_no_answer(&world->dialect, bytes)) {
        watch->incoming_at += size;
        reader_reset(reader);
        return true;
    }
    note_head(world, watch, sending);
    if (reader->phase == READER_INVALID || is_oversized(world, reader, bytes.size)) {
        sending->response_upto = link->up.read;
        spoil(world, link, "the target sent garbage, or too much");
        return false;
    }
    watch->incoming_at += size;
    if (reader->phase != READER_WHOLE) {
        sending->response_upto = link->up.read;
        return false;
    }
    sending->response_upto = watch->incoming_at;
    char kind = kind_of(world, reader);
    reader_reset(reader);
    if (kind != 'I') { /* else interim: the response is still to come */
        take_response(world, link, 0, kind);
    }
    return true;
}

/* What can be no response fails the request whose it would be, and nothing else. */
static void take_wrong(struct world *world, struct connection *link, uint32_t index)
{
    struct link_watch *watch = &link->watch;
    struct sending *sending = sending_on(watch->awaited[index], link);
    if (!sending->whole) {
        spoil(world, link, "a wrong response came before the request was wholly sent");
        return;
    }
    sending->response_whole = sending->wrong = true;
    watch->ids[sending->id] = ID_FREE;
    watch->head_since = world->now_ns;
    take_out(watch, index);
}

/* Whose response this is by its identifier; awaited_count: nobody's. It must also name its client, or its
 * key, if it can be one. */
static uint32_t find_by_id(const struct connection *link, const struct reader *reader)
{
    const struct link_watch *watch = &link->watch;
    for (uint32_t index = 0; index < watch->awaited_count; index++) {
        struct ledger_entry *entry = watch->awaited[index];
        if (sending_on(entry, link)->id == reader->id &&
            (reader->text[0] == '?' ||
             message_is_response_to(reader_text(reader), span_of(entry->text, entry->text_size)))) {
            return index;
        }
    }
    return watch->awaited_count;
}

/* The same by identifier: a response that is nobody's is left out. */
static bool take_next_by_id(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    struct reader *reader = &watch->reader;
    struct span bytes = pipe_history(&link->up, watch->incoming_at, link->up.read);
    size_t size = reader_take(reader, &world->dialect, TARGET_SIDE, RESPONSE, bytes);
    if (reader->phase == READER_INVALID || is_oversized(world, reader, bytes.size)) {
        spoil(world, link, "the target sent garbage, or too much");
        return false;
    }
    if (reader->phase != READER_WHOLE) {
        return false;
    }
    uint32_t index = find_by_id(link, reader);
    char kind = kind_of(world, reader);
    reader_reset(reader);
    if (index < watch->awaited_count) {
        struct sending *sending = sending_on(watch->awaited[index], link);
        begin_response(world, sending, watch->incoming_at);
        sending->response_upto = watch->incoming_at + size;
    }
    watch->incoming_at += size;
    if (index < watch->awaited_count && kind == '?') {
        take_wrong(world, link, index);
    } else if (index < watch->awaited_count && kind != 'I') {
        take_response(world, link, index, kind);
    }
    return true;
}

/* Steps over messages that are harmless while nobody waits for an answer. */
static void skip_harmless(const struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    size_t size;
    struct span text;
    watch->has_half = false;
    while (watch->incoming_at < link->up.read) {
        struct span bytes = pipe_history(&link->up, watch->incoming_at, link->up.read);
        enum cut cut = message_cut(&world->dialect, TARGET_SIDE, RESPONSE, bytes, &size, &text);
        watch->has_half = cut == CUT_PARTIAL;
        if (cut != CUT_WHOLE || !message_is_harmless(&world->dialect, bytes)) {
            return;
        }
        watch->incoming_at += size;
    }
}

void link_watch_received(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    watch->last_byte_at = world->now_ns;
    watch->swallowed = 0;
    watch->heard = watch->heard || link->sent_bytes > 0;
    if (!world->modelled) {
        return;
    }
    if (link->was_lost) {
        return; /* given up: what still comes is nobody's */
    }
    if (quiet_is_greeting(world, link)) {
        watch->incoming_at = link->up.read;
        return;
    }
    bool by_id = dialect_has_ids(&world->dialect);
    watch->timeouts = 0;
    while (watch->spoilt == NULL && (by_id || watch->awaited_count > 0) &&
           watch->incoming_at < link->up.read) {
        if (!(by_id ? take_next_by_id(world, link) : take_next(world, link))) {
            break;
        }
    }
    if (by_id && watch->incoming_at < link->up.read && watch->awaited_count == 1 &&
        pipeline_has_no_other(world, link, watch->awaited[0])) {
        /* What has come of a message can be no other's. */
        begin_response(world, sending_on(watch->awaited[0], link), watch->incoming_at);
    }
    if (dialect_counts(&world->dialect) && watch->spoilt == NULL && watch->awaited_count == 0) {
        skip_harmless(world, link);
    }
    if (!by_id && watch->awaited_count == 0 && watch->incoming_at < link->up.read &&
        !watch->has_half) {
        spoil(world, link, "bytes that nobody waits for");
    }
}

void link_watch_credit(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    if (watch->answered > 0 && watch->credited == 0) {
        links_succeeded(world, link);
    }
    watch->credited = watch->answered;
    if (watch->answered >= TRUST_ANSWERS && watch->is_wary) {
        watch->is_wary = false;
        world->wary = false;
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
    watch->lost_in = world->readings;
    if (reason == REASON_ORPHAN && watch->swallowed > 0) {
        watch->answered--; /* its end was read, and not looked at */
    }
    if (reason != REASON_MEMORY || watch->told_in == world->readings) {
        link_watch_credit(world, link);
    }
    check_link_is_given_up_for_a_reason(world, link, reason);
    if (reason == REASON_TARGET_ENDED || reason == REASON_TARGET_RESET) {
        closer_link_ended(world, link);
    }
    world->wary = world->wary || reason == REASON_ORPHAN || watch->awaited_count > 0 ||
                  watch->answered > watch->credited || watch->timeouts >= TIMEOUTS_MAX ||
                  (reason == REASON_RESPONSE_TIMEOUT &&
                   (watch->sending != NULL || watch->retired >= SPENT_IDS)) ||
                  (watch->sending != NULL &&
                   (reason == REASON_HALF_REQUEST || !entry_expects_response(watch->sending)));
    for (uint32_t i = 0; i < watch->awaited_count; i++) {
        sending_on(watch->awaited[i], link)->unprocessed = reason == REASON_RESPONSE_CLOSES;
    }
}

void link_watch_ended(struct world *world, struct connection *link)
{
    struct link_watch *watch = &link->watch;
    if (!world->modelled || link->was_lost || watch->spoilt != NULL ||
        watch->reader.phase != READER_UNTIL_END) {
        return;
    }
    struct connection *client = world->clients[watch->awaited[0]->client - 1]->connection;
    if (!client->owed && client->stage == STAGE_OPEN && client->id != MUX_ID_NONE) {
        client->owed = true; /* the end, of which nothing is told */
        client->owed_since = world->now_ns;
    }
    take_response(world, link, 0, 0);
    link_watch_credit(world, link);
    reader_reset(&watch->reader);
}

/* ---- clients that go ---- */

void link_watch_client_gone(struct world *world, struct connection *link, uint32_t client)
{
    struct link_watch *watch = &link->watch;
    if (watch->sending != NULL && watch->sending->client == client) {
        spoil(world, link, "a client has gone with half a request sent");
    }
    for (uint32_t i = 0; i < watch->awaited_count; i++) {
        if (watch->awaited[i]->client == client) {
            struct sending *sending = sending_on(watch->awaited[i], link);
            sending->orphaned = true;
            sending->orphaned_at = world->now_ns;
            sending->orphan_from = link->up.read;
        }
    }
}

bool link_watch_has_large_orphan(const struct connection *link, bool surely)
{
    const struct link_watch *watch = &link->watch;
    const struct sending *sending =
        watch->awaited_count == 0 ? NULL : sending_on(watch->awaited[0], link);
    if (!surely && watch->swallowed > SIM_ORPHAN_BYTES_MAX) {
        return true; /* its end came with the bytes that were too many */
    }
    if (sending == NULL) {
        return !surely && link->up.read > SIM_ORPHAN_BYTES_MAX;
    }
    if (surely && !sending->orphaned) {
        return false;
    }
    if (watch->reader.phase == READER_UNTIL_END) {
        return true;
    }
    uint64_t from = sending->responding ? orphan_begins(sending) : sending->orphan_from;
    uint64_t swallowed = sending->orphaned && sending->responding ? link->up.read - from : 0;
    uint64_t left = watch->reader.left;
    return surely ? left > SIM_ORPHAN_BYTES_MAX ||
                        swallowed > SIM_ORPHAN_BYTES_MAX + MESSAGE_LINE_BYTES_MAX
                  : left + swallowed + MUX_SCRATCH_BYTES > SIM_ORPHAN_BYTES_MAX;
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
