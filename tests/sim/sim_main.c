/* SPDX-License-Identifier: MIT */
/*
 * The simulator's command: runs seeds, small worlds and regressions, each in a child process, so that
 * a failed assertion of the core costs one seed and not the run.
 */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "trace.h"

enum { JOBS_MAX = 256, FAILED_SHOWN_MAX = 50, SEED_SECONDS_MAX = 60 };

/* What a child tells its parent; in shared memory. */
struct progress {
    uint64_t seed; /* being run */
    uint64_t done;
    struct tally tally;
};

struct command {
    uint64_t first, count;
    uint32_t jobs, depth;
    bool calm, aloud, small, keep_going;
    const char *regressions;
};

static const char usage[] =
    "usage: sim [options]\n"
    "\n"
    "Runs the core of tcp-multiplexer in simulated worlds and checks its promises.\n"
    "\n"
    "  --seed N           run seed N only, and print its whole story\n"
    "  --first N          the first seed (default 1)\n"
    "  --seeds COUNT      how many seeds (default 1000)\n"
    "  --calm             worlds without any fault: nothing may need recovery\n"
    "  --small DEPTH      instead, small worlds with every combination of the first DEPTH choices\n"
    "  --regressions FILE instead, the seeds in FILE, one a line: [calm] SEED SENTENCE\n"
    "  --jobs COUNT       processes side by side (default 1)\n"
    "  --keep-going       do not stop at the first seed that fails\n"
    "  --quiet            with --seed: do not print the story of a seed that passes\n"
    "  --help             this text\n";

static void run_seed(uint64_t seed, bool calm, bool aloud, struct tally *tally)
{
    char replay[160];
    struct choice choice;
    (void)snprintf(replay, sizeof replay, "build/tests/sim/sim %s--seed %llu",
                   calm ? "--calm " : "", (unsigned long long)seed);
    choice_init_seeded(&choice, seed * 2 + calm);
    run_drawn(&choice, calm, aloud, replay, tally);
}

static void add_tally(struct tally *sum, const struct tally *part)
{
    sum->steps += part->steps;
    sum->requests += part->requests;
    sum->responses += part->responses;
    sum->error_replies += part->error_replies;
    sum->links += part->links;
    sum->strays += part->strays;
    sum->timeouts += part->timeouts;
    sum->resent += part->resent;
    sum->returned += part->returned;
    sum->orphans += part->orphans;
    sum->crossed += part->crossed;
    sum->closers += part->closers;
    sum->uploads += part->uploads;
    sum->half_uploads += part->half_uploads;
    sum->early_responses += part->early_responses;
    sum->cut_off += part->cut_off;
    sum->orphans_given_up += part->orphans_given_up;
    sum->reads += part->reads;
    sum->joined += part->joined;
    sum->heirs += part->heirs;
    sum->served_by_orphans += part->served_by_orphans;
}

static void print_tally(const struct tally *t)
{
    printf(
        "steps %llu  requests %llu  responses %llu  error replies %llu  links %llu  strays %llu  "
        "timeouts %llu  resent %llu  returned %llu  orphans %llu\n"
        "crossed a close %llu  closes waited for from then on %llu\n"
        "uploads %llu  half uploads %llu  early responses %llu  responses cut off %llu  orphans "
        "given "
        "up %llu\n"
        "reads %llu  joined another %llu  took its place %llu  served by an orphan %llu\n",
        (unsigned long long)t->steps, (unsigned long long)t->requests,
        (unsigned long long)t->responses, (unsigned long long)t->error_replies,
        (unsigned long long)t->links, (unsigned long long)t->strays,
        (unsigned long long)t->timeouts, (unsigned long long)t->resent,
        (unsigned long long)t->returned, (unsigned long long)t->orphans,
        (unsigned long long)t->crossed, (unsigned long long)t->closers,
        (unsigned long long)t->uploads, (unsigned long long)t->half_uploads,
        (unsigned long long)t->early_responses, (unsigned long long)t->cut_off,
        (unsigned long long)t->orphans_given_up, (unsigned long long)t->reads,
        (unsigned long long)t->joined, (unsigned long long)t->heirs,
        (unsigned long long)t->served_by_orphans);
}

/* ---- seeds, in children ---- */

static _Noreturn void child(const struct command *command, struct progress *progress, uint64_t seed,
                            uint64_t end, uint32_t stride)
{
    trace_catch_signals();
    for (; seed < end; seed += stride) {
        progress->seed = seed;
        (void)alarm(SEED_SECONDS_MAX);
        run_seed(seed, command->calm, false, &progress->tally);
        progress->done++;
    }
    (void)fflush(stdout);
    _exit(EXIT_SUCCESS);
}

static pid_t start_child(const struct command *command, struct progress *progress, uint64_t seed,
                         uint64_t end)
{
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        perror("fork");
        exit(2);
    }
    if (pid == 0) {
        child(command, progress, seed, end, command->jobs);
    }
    return pid;
}

static uint32_t job_of(const pid_t *pids, uint32_t jobs, pid_t pid)
{
    for (uint32_t job = 0; job < jobs; job++) {
        if (pids[job] == pid) {
            return job;
        }
    }
    abort();
}

static int report_failures(const struct command *command, const uint64_t *failed,
                           uint64_t failed_count)
{
    if (failed_count == 0) {
        return EXIT_SUCCESS;
    }
    printf("%llu seeds failed; replay with:\n", (unsigned long long)failed_count);
    for (uint64_t i = 0; i < failed_count && i < FAILED_SHOWN_MAX; i++) {
        printf("  build/tests/sim/sim %s--seed %llu\n", command->calm ? "--calm " : "",
               (unsigned long long)failed[i]);
    }
    return EXIT_FAILURE;
}

static int run_seeds(const struct command *command)
{
    struct progress *progress = mmap(NULL, command->jobs * sizeof *progress, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    pid_t pids[JOBS_MAX];
    uint64_t failed[FAILED_SHOWN_MAX], failed_count = 0;
    uint64_t end = command->first + command->count;
    uint32_t running = 0;
    for (uint32_t job = 0; job < command->jobs; job++) {
        pids[job] = start_child(command, &progress[job], command->first + job, end);
        running++;
    }
    while (running > 0) {
        int status;
        pid_t pid = wait(&status);
        if (pid < 0) {
            perror("wait");
            return 2;
        }
        uint32_t job = job_of(pids, command->jobs, pid);
        pids[job] = -1;
        running--;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
            continue;
        }
        uint64_t seed = progress[job].seed;
        fprintf(stderr, "seed %llu failed\n", (unsigned long long)seed);
        if (failed_count < FAILED_SHOWN_MAX) {
            failed[failed_count] = seed;
        }
        failed_count++;
        if (command->keep_going) {
            pids[job] = start_child(command, &progress[job], seed + command->jobs, end);
            running++;
        }
    }
    struct tally sum = {0};
    uint64_t done = 0;
    for (uint32_t job = 0; job < command->jobs; job++) {
        done += progress[job].done;
        add_tally(&sum, &progress[job].tally);
    }
    printf("%s%llu seeds from %llu: %llu passed, %llu failed\n", command->calm ? "calm: " : "",
           (unsigned long long)command->count, (unsigned long long)command->first,
           (unsigned long long)done, (unsigned long long)failed_count);
    print_tally(&sum);
    return report_failures(command, failed, failed_count);
}

/* ---- small worlds ---- */

static int run_small_worlds(const struct command *command)
{
    trace_catch_signals();
    struct tally tally = {0};
    uint64_t all = 0;
    static const char *const names[SMALL_ASKS_COUNT] = {[SMALL_PLAIN] = "",
                                                        [SMALL_SHARES] = " that may be shared",
                                                        [SMALL_STREAMS] = " with bodies"};
    for (uint32_t index = 0; index < SMALL_ASKS_COUNT * SMALL_COUNT; index++) {
        enum small_asks asks = (enum small_asks)(index / SMALL_COUNT);
        enum small_trouble trouble = (enum small_trouble)(index % SMALL_COUNT);
        /* What streams takes more steps, and more at each: ten times as many combinations. */
        bool is_large = asks == SMALL_STREAMS && command->depth > 2;
        uint32_t depth = is_large ? command->depth - 2 : command->depth;
        struct choice choice;
        char replay[160];
        uint64_t runs = 0, deeper = 0;
        (void)snprintf(replay, sizeof replay, "build/tests/sim/sim --small %u", command->depth);
        choice_init_enumerated(&choice, depth);
        do {
            choice.beyond = 0;
            run_small(&choice, asks, trouble, replay, &tally);
            deeper += choice.beyond > 0;
            runs++;
        } while (choice_next_run(&choice));
        printf("2 clients, 2 requests each%s, %s: all %llu combinations of the first %u choices; "
               "%llu runs had more choices\n",
               names[asks], small_name(trouble), (unsigned long long)runs, depth,
               (unsigned long long)deeper);
        (void)fflush(stdout);
        all += runs;
    }
    printf("%llu small worlds passed\n", (unsigned long long)all);
    print_tally(&tally);
    return EXIT_SUCCESS;
}

/* ---- regressions ---- */

static int run_regressions(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
        return 2;
    }
    trace_catch_signals();
    char line[512];
    struct tally tally = {0};
    uint64_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        const char *at = line;
        bool calm = strncmp(at, "calm ", 5) == 0;
        at += calm ? 5 : 0;
        if (at[0] < '0' || at[0] > '9') {
            continue; /* a comment, or an empty line */
        }
        uint64_t seed = strtoull(at, NULL, 10);
        (void)alarm(SEED_SECONDS_MAX);
        run_seed(seed, calm, false, &tally);
        count++;
    }
    (void)fclose(file);
    printf("%llu regressions passed\n", (unsigned long long)count);
    return EXIT_SUCCESS;
}

/* ---- command line ---- */

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-') {
        fprintf(stderr, "sim: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"first", required_argument, NULL, 'f'},
        {"seeds", required_argument, NULL, 'n'},
        {"calm", no_argument, NULL, 'c'},
        {"small", required_argument, NULL, 'd'},
        {"regressions", required_argument, NULL, 'r'},
        {"jobs", required_argument, NULL, 'j'},
        {"keep-going", no_argument, NULL, 'k'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct command command = {.first = 1, .count = 1000, .jobs = 1};
    bool single = false, quiet = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            command.first = number(optarg);
            single = true;
            break;
        case 'f':
            command.first = number(optarg);
            break;
        case 'n':
            command.count = number(optarg);
            break;
        case 'c':
            command.calm = true;
            break;
        case 'd':
            command.small = true;
            command.depth = (uint32_t)number(optarg);
            break;
        case 'r':
            command.regressions = optarg;
            break;
        case 'j':
            command.jobs = (uint32_t)number(optarg);
            break;
        case 'k':
            command.keep_going = true;
            break;
        case 'q':
            quiet = true;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc || command.jobs < 1 || command.jobs > JOBS_MAX ||
        command.depth > CHOICE_DEPTH_MAX) {
        (void)fputs(usage, stderr);
        return 2;
    }
    if (single) {
        struct tally tally = {0};
        trace_catch_signals();
        run_seed(command.first, command.calm, !quiet, &tally);
        print_tally(&tally);
        return EXIT_SUCCESS;
    }
    if (command.regressions != NULL) {
        return run_regressions(command.regressions);
    }
    return command.small ? run_small_worlds(&command) : run_seeds(&command);
}
