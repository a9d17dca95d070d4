/* SPDX-License-Identifier: MIT */
/*
 * What a run is made of, drawn per seed: which faults may happen, how often, and how tight the limits
 * are. Every seed enables a random subset, so that some faults meet without the others getting in the way.
 * All percentages are 0 in a calm run. A zeroed swarm is the calmest world: no latency, no faults.
 */
#ifndef SIM_SWARM_H
#define SIM_SWARM_H

#include <stdbool.h>
#include <stdint.h>

#include "choice.h"
#include "message.h"
#include "mux/mux.h"
#include "pipe.h"

enum { KEYS_MAX = 3 };

struct client_habits {
    uint32_t count;        /* clients */
    uint32_t requests_max; /* of each */
    uint32_t depth_max;    /* requests ahead of responses */
    uint32_t letters_max;  /* in a request */
    uint64_t think_max_ns; /* between requests */
    uint64_t start_max_ns;
    uint32_t kinds_percent;  /* a request is one of the special kinds of protocol `model` */
    uint32_t closes_percent; /* ... of kind C */
    size_t body_bytes_max;   /* protocol `stream` */
    uint32_t reads_percent;  /* protocol `model-id`: a request is a read that may be shared */
    uint32_t keys_count;     /* ... of one of so many, at most KEYS_MAX */
    const char *script;      /* kinds of all requests, client by client; NULL: they are drawn */
    /* troubles */
    uint32_t dribbles_percent; /* a client that sends byte by byte */
    uint64_t dribble_ns;
    uint32_t
        pauses_percent;    /* a client that sends in parts with pauses between them (dribble_ns) */
    uint32_t sips_percent; /* a client that reads in parts with pauses between them */
    uint32_t vanishes_percent;      /* a client that resets or closes somewhere */
    uint32_t garbage_percent;       /* a client that sends garbage once */
    uint32_t oversize_percent;      /* a client that sends an oversized request once */
    uint32_t stalls_percent;        /* a client that stops inside a request */
    uint32_t half_closes_percent;   /* a client that shuts down writing behind its last request */
    uint32_t stops_reading_percent; /* a client that does not read for a while */
    uint64_t stops_reading_ns;
    uint32_t floods_percent; /* a client with many requests and no patience */
};

struct target_habits {
    uint64_t think_max_ns;
    uint32_t interim_percent, last_percent; /* protocol `model`: I before, Z instead of R */
    /* troubles, per answer */
    uint32_t duplicate_percent;
    uint32_t wrong_id_percent; /* protocol `model-id` */
    uint32_t trails_percent;   /* something stands right behind the answer */
    uint32_t
        wrong_percent;     /* protocol `model-id`: says whose it would be, and can be no response */
    uint32_t late_percent; /* after --timeout */
    uint32_t silent_percent;
    uint32_t garbage_percent;
    uint32_t oversize_percent;
    uint32_t endless_percent;
    uint32_t half_percent;   /* closes in mid-response */
    uint32_t resets_percent; /* instead of the answer */
    uint32_t closes_percent; /* behind the answer */
    uint32_t early_percent;  /* answers before the request is whole */
    uint32_t pauses_percent; /* sends in parts with pauses between them */
    uint64_t pause_ns;
    uint32_t trickles_percent; /* a byte or two at a time, with less than --timeout between them */
    uint32_t spoils_percent;   /* protocol `stream`: goes wrong in the middle of a body */
    uint32_t stray_percent;    /* speaks although nobody asked */
    /* per link */
    uint32_t closes_at_once_percent;
    uint32_t speaks_first_percent;
    uint32_t closes_idle_percent;
    uint32_t black_hole_percent; /* nothing that the link carries arrives any more */
    uint32_t stops_reading_percent;
    uint32_t lazy_close_percent; /* does not close when the engine has ended */
    /* always */
    bool closes_behind; /* each answer, closes_behind_ns later, in order */
    uint64_t closes_behind_ns;
    bool closes_in_time; /* so soon that it can be waited for */
};

struct engine_habits {
    uint32_t short_send_percent;
    uint32_t short_read_percent;
    uint32_t late_percent; /* a turn tells a fact of a connection that has ended */
    uint32_t full_percent; /* a send finds the kernel's buffer full, for full_ns at most */
    uint64_t full_ns;
    bool shuffles;          /* reports in any order, not always the same */
    uint32_t later_percent; /* a ready connection is left for the next turn */
    uint64_t tick_max_ns;   /* what a system call takes */
    uint64_t wake_ns;       /* what each turn looks at is so old when it begins */
    uint64_t stop_max_ns;   /* the engine does not run for so long, sometimes; 0: never */
};

struct weather_habits {
    uint64_t period_ns;       /* between changes of the weather; 0: none */
    uint32_t trouble_percent; /* a change is for the worse */
    uint32_t restart_percent; /* it is a restart of the target: all its links end */
};

struct swarm {
    bool is_calm;
    bool is_brisk; /* what follows at once from a move is part of it: fewer interleavings */
    struct client_habits clients;
    struct target_habits target;
    struct engine_habits engine;
    struct weather_habits weather;
    struct pipe_style pipe_to_engine, pipe_to_peer;
    struct dialect dialect; /* but for what the options say */
    bool memory_is_tight;
    uint64_t memory_fails_every; /* each so-many-th allocation of the core fails; 0: none does */
    bool drains_midway;          /* a terminate signal comes while there is work */
    bool stops_midway;           /* the core is destroyed as it stands */
    uint64_t midway_ns;
};

/* Draws a world. `calm`: no trouble of any kind, and limits that no one reaches. */
void swarm_draw(struct swarm *swarm, struct mux_options *options, struct choice *choice, bool calm);

#endif
