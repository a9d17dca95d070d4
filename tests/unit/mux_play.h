/* SPDX-License-Identifier: MIT */
/*
 * The core played by hand: clients, links and time do what a test says, one step after the other.
 *
 * The engine here obeys the changed list alone: what a connection wants is what it was told last. It
 * grants every wish at once, except those that a test holds back, and checks every invariant of the core
 * after each step. Time moves from deadline to deadline.
 *
 * Two protocols of lines, each a letter and a text. A request's letter says what it is:
 *
 *     r   a read: sent again, shared
 *     g   sent again, not shared
 *     w   may have an effect
 *     p   may have an effect, and wants to be alone
 *     s   an upload: lines follow, the last is "."; takes a link with its first
 *
 * and a response's letter: C announces the end of the link, S is a download up to the line ".", X is a
 * message that can be no response, and any other means nothing. An error reply is "!" and the letter of its
 * trouble (see PLAY_UNREACHABLE ...).
 *
 * `play_by_order` matches by place. In `play_by_id` four digits behind the letter are the identifier, and
 * a response has the letter of its request.
 */
#ifndef TESTS_UNIT_MUX_PLAY_H
#define TESTS_UNIT_MUX_PLAY_H

#include "base/units.h"
#include "mux/mux.h"
#include "unit.h"

enum { PLAY_CLIENTS_MAX = 8, PLAY_LINKS_MAX = 16, PLAY_KEPT_MAX = 4096 };

#define SECONDS(count) ((uint64_t)(count)*NS_PER_S)
#define MS(count)      ((uint64_t)(count)*NS_PER_MS)

/* What the texts of error replies are. */
#define PLAY_UNREACHABLE "!u\n"
#define PLAY_TIMEOUT     "!t\n"
#define PLAY_BROKEN      "!b\n"
#define PLAY_OVERLOADED  "!o\n"

struct peer {
    mux_id id;
    unsigned wants;          /* as told last */
    bool blocked;            /* takes no bytes */
    bool closed;             /* by us */
    bool ended;              /* we have shut down writing */
    char got[PLAY_KEPT_MAX]; /* what it was sent since the test looked last */
    size_t got_size;
};

extern const struct protocol play_by_order, play_by_id;

extern struct play {
    struct mux *mux;
    uint64_t now_ns;
    bool refuses; /* the target does not let anybody connect */
    bool sleeps;  /* the target does not notice that we have shut down writing */
    unsigned attempts;
    struct peer links[PLAY_LINKS_MAX]; /* as they were connected */
    size_t links_count;
    struct peer clients[PLAY_CLIENTS_MAX];
    size_t clients_count;
} play;

/* One link, one request at a time, connected on demand. */
struct mux_options play_options(const struct protocol *protocol);
void play_open(const struct mux_options *options);
/* As the teardown of a test. */
int play_close(void **state);

struct peer *play_client(void);
/* The link that was connected as the `number`th, from 1. */
struct peer *play_link(size_t number);

void play_say(struct peer *peer, const char *text);
void play_end(struct peer *peer);
void play_reset(struct peer *peer);
/* It takes bytes again. */
void play_unblock(struct peer *peer);
void play_time(uint64_t ns);
/* The clock jumps over whatever was due meanwhile. */
void play_jump(uint64_t ns);
/* The clock jumps, but what comes behind `due_ns` of it was not looked at yet. */
void play_late(uint64_t ns, uint64_t due_ns);
/* We did not run for so long. */
void play_stall(uint64_t ns);
/* The link takes so many bytes of what it has to send, though it is blocked. */
void play_take(struct peer *link, size_t size);

/* What it was sent since it was looked at last. */
void play_got(struct peer *peer, const char *text);

static inline const struct mux_counters *play_counters(void)
{
    return mux_counters(play.mux);
}

#endif
