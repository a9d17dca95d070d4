/* SPDX-License-Identifier: MIT */
/*
 * The engine and the core over real sockets on loopback, with faulty system calls beneath them.
 *
 * Each seed is one run of scene.h: its options, its faults and how often they strike, its clients
 * and the target's misdeeds all follow from the seed. The kernel's part is not ours to choose, so a
 * replay is almost, but not quite, exact. One seed in four has mild faults only, and with --calm
 * there are none: then nothing may be lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/units.h"
#include "faults/failure.h"
#include "faults/scene.h"
#include "faults/sys_faulty.h"

enum { MILD_EVERY = 4 };

struct arguments {
    uint64_t first, count;
    bool calm, verbose, covers;
};

static const char usage[] =
    "Usage: engine_faults [--seeds COUNT] [--first SEED] [--seed SEED] [--calm] [--cover] "
    "[--verbose]\n"
    "\n"
    "  --seeds COUNT  how many runs (100)\n"
    "  --first SEED   the seed of the first run (1)\n"
    "  --seed SEED    this run alone\n"
    "  --calm         without faults\n"
    "  --cover        fail unless every kind of fault was injected\n"
    "  --verbose      print what happens, and the engine's log\n";

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = text == NULL ? 0 : strtoull(text, &end, 10);
    if (text == NULL || errno != 0 || end == text || *end != '\0') {
        (void)fputs(usage, stderr);
        exit(2);
    }
    return value;
}

static struct arguments parse(char **words)
{
    struct arguments arguments = {.first = 1, .count = 100};
    for (char **word = words + 1; *word != NULL; word++) {
        if (strcmp(*word, "--calm") == 0) {
            arguments.calm = true;
        } else if (strcmp(*word, "--cover") == 0) {
            arguments.covers = true;
        } else if (strcmp(*word, "--verbose") == 0) {
            arguments.verbose = true;
        } else if (strcmp(*word, "--seeds") == 0) {
            arguments.count = number(*++word);
        } else if (strcmp(*word, "--first") == 0) {
            arguments.first = number(*++word);
        } else if (strcmp(*word, "--seed") == 0) {
            arguments.first = number(*++word);
            arguments.count = 1;
        } else {
            (void)fputs(usage, stderr);
            exit(strcmp(*word, "--help") == 0 ? 0 : 2);
        }
    }
    return arguments;
}

static void run_seed(const struct arguments *arguments, uint64_t seed, struct log *log,
                     struct totals *totals)
{
    char command[80];
    (void)snprintf(command, sizeof command, "engine_faults --seed %" PRIu64 "%s", seed,
                   arguments->calm ? " --calm" : "");
    failure_begin(command, arguments->verbose);
    enum storm storm = seed % MILD_EVERY == 0 ? STORM_MILD : STORM_HARD;
    scene_run(seed, arguments->calm ? STORM_NONE : storm, log, totals);
    failure_begin("", arguments->verbose);
}

static void report(const struct arguments *arguments, const struct totals *totals)
{
    (void)printf("%" PRIu64 " runs: %" PRIu64 " turns, %" PRIu64 " links, %" PRIu64
                 " requests, %" PRIu64 " answers, %" PRIu64 " clients cut\n",
                 arguments->count, totals->turns, totals->links, totals->requests_seen,
                 totals->answers, totals->clients_cut);
    for (unsigned fault = 0; fault < FAULTS_COUNT; fault++) {
        uint64_t count = faulty_count((enum fault)fault);
        (void)printf("  %-16s %" PRIu64 "\n", fault_name((enum fault)fault), count);
        if (arguments->calm && count > 0) {
            failure("a calm run had faults");
        }
        if (arguments->covers && count == 0) {
            failure("no run had the fault '%s'", fault_name((enum fault)fault));
        }
    }
}

int main(int count, char **words)
{
    (void)count;
    struct arguments arguments = parse(words);
    int sink = arguments.verbose ? STDERR_FILENO : open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct log log;
    struct totals totals = {0};
    log_init(&log, sink, LOG_DEBUG, LOG_TEXT);
    failure_watch();
    faulty_open();
    for (uint64_t index = 0; index < arguments.count; index++) {
        run_seed(&arguments, arguments.first + index, &log, &totals);
    }
    faulty_close();
    report(&arguments, &totals);
    if (sink != STDERR_FILENO) {
        (void)close(sink);
    }
    return 0;
}
