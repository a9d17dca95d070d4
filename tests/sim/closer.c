/* SPDX-License-Identifier: MIT */
/* See closer.h. The numbers stand in docs/echo.md, and are written here anew. */
#include "closer.h"

#include "memory.h"
#include "pipelines.h"
#include "run.h"
#include "world.h"

enum { LOST_MAX = 2, ANSWERS_STAYED = 10 };

/* What system calls may take in one turn. */
static uint64_t slack_ns(const struct world *world)
{
    return world->swarm.engine.tick_max_ns * 64 + world->swarm.engine.wake_ns * 1024;
}

static uint64_t silence_of(const struct world *world, const struct connection *link)
{
    uint64_t from = link->watch.last_byte_at;
    from = from > link->connected_at ? from : link->connected_at;
    return world->now_ns - from;
}

/* ---- what is known of the target ---- */

static void count_answer(struct closer_count *count)
{
    if (count->lost > 0 && ++count->stayed == ANSWERS_STAYED) {
        *count = (struct closer_count){0};
    }
}

void closer_answered(struct world *world, const struct connection *link)
{
    if (link->watch.answered > 0) {
        count_answer(&world->closer.forgets);
        count_answer(&world->closer.remembers);
    }
}

static void count_loss(struct closer_count *count)
{
    count->stayed = 0;
    count->lost += count->lost < LOST_MAX;
}

/* A request was sent, and nothing of its response has come. */
static bool is_crossed(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    const struct ledger_entry *oldest = watch->awaited_count == 0 ? NULL : watch->awaited[0];
    bool has_part = dialect_has_ids(&world->dialect) && watch->incoming_at < link->up.read;
    if (oldest == NULL || watch->answered == 0 || has_part) {
        return false;
    }
    for (uint32_t i = oldest->sendings_count; i > 0; i--) {
        if (oldest->sendings[i - 1].link == link) {
            return !oldest->sendings[i - 1].responding;
        }
    }
    return false;
}

/* The close had arrived when the request took the link. */
static void check_close_was_seen(const struct world *world, const struct connection *link)
{
    const struct pipe *up = &link->up;
    uint64_t arrived_at = up->ended ? up->end_at : up->reset_at;
    if (link->watch.quiet.awaits_close && arrived_at + slack_ns(world) < link->taken_at) {
        sim_fail("a close in the silence is seen before the next request",
                 "link %llu was closed %llu us before it was taken",
                 (unsigned long long)link->number,
                 (unsigned long long)((link->taken_at - arrived_at) / NS_PER_US));
    }
}

void closer_link_ended(struct world *world, const struct connection *link)
{
    struct closer_watch *closer = &world->closer;
    if (link->watch.answered == 0) {
        return;
    }
    if (is_crossed(world, link)) {
        count_loss(&closer->forgets);
        count_loss(&closer->remembers);
        closer->crossed++;
        check_close_was_seen(world, link);
    } else if (!pipeline_carries_anything(world, link)) {
        uint64_t silence_ns = silence_of(world, link);
        if (silence_ns <= SIM_CLOSE_QUIET_NS + slack_ns(world)) {
            closer->remembers.stayed = 0;
        }
        if (silence_ns + slack_ns(world) <= SIM_CLOSE_QUIET_NS) {
            closer->forgets.stayed = 0;
        }
    }
}

/* ---- what follows from it ---- */

bool closer_is_awaited(const struct world *world, const struct connection *link, bool surely)
{
    bool forgets = world->closer.forgets.lost == LOST_MAX;
    bool remembers = world->closer.remembers.lost == LOST_MAX;
    if (link->watch.answered == 0) {
        return false;
    }
    return surely ? forgets && remembers && memory_failed() == 0
                  : forgets || remembers || memory_failed() > 0;
}

void check_close_is_awaited(const struct world *world, struct connection *link)
{
    struct quiet_watch *quiet = &link->watch.quiet;
    if (!world->modelled || pipeline_carries_anything(world, link)) {
        return;
    }
    quiet->awaits_close = closer_is_awaited(world, link, true);
    uint64_t silence_ns = silence_of(world, link) + slack_ns(world);
    if (quiet->awaits_close && silence_ns < SIM_CLOSE_QUIET_NS) {
        sim_fail("a close behind an answer is waited for once it has cost two requests",
                 "link %llu is used %llu us after its last byte", (unsigned long long)link->number,
                 (unsigned long long)(silence_ns / NS_PER_US));
    }
}

/* Beside the second one, each other link may have lost what it carried then. With several requests on a link
 * an answer may stand behind others, and the close of the target be waited for by nobody. */
void check_few_requests_cross_a_close(const struct world *world)
{
    uint64_t most = LOST_MAX + world->options.links_max - 1;
    if (world->swarm.target.closes_in_time && world->options.in_flight_max == 1 &&
        memory_failed() == 0 && world->closer.crossed > most) {
        sim_fail("a target that closes behind each answer costs two requests",
                 "%llu were lost, %llu are allowed", (unsigned long long)world->closer.crossed,
                 (unsigned long long)most);
    }
}
