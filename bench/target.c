/* SPDX-License-Identifier: MIT */
/*
 * The target of the benchmarks that is told how to behave; target.h has its parts.
 *
 *     bench-target 127.0.0.1:0 --service 1000                            1 ms each, many at once
 *     bench-target 127.0.0.1:0 --wire modbus --mode serial --strict      a device that can do little
 *
 * It sleeps until the next answer is due, without the slack that timers usually have: it shares its
 * processor with what is measured, and must not take it away by waiting busily. In a turn of the loop
 * connections are received first and accepted then, so that an end which came before a new connection
 * is known before it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "net.h"
#include "target.h"
#include "text.h"

enum { EVENTS_MAX = 256, SERVICE_US_MAX = 60 * 1000 * 1000 };

struct target target;

static int listener, signals;

static _Noreturn void usage(int status)
{
    fprintf(
        status == 0 ? stdout : stderr,
        "usage: bench-target ADDRESS:PORT [OPTION]...\n\n"
        "  --wire WIRE      echo, http, modbus or iso8583 (echo)\n"
        "  --mode MODE      concurrent: works on many requests at once; serial: on one over all\n"
        "                   connections, the next when it is answered (concurrent)\n"
        "  --service N      each request takes N microseconds (0)\n"
        "  --order ORDER    in; out: modbus, answers out of order where several are under way "
        "(in)\n"
        "  --strict         counts what breaks the contract of one connection, one request at a\n"
        "                   time, says so when it is ended, and ends with status 1\n"
        "  --help           this text\n\n"
        "At SIGTERM it prints how many connections and requests there were.\n");
    exit(status);
}

/* Whether the value is the second of two words; ends the process if it is neither. */
static bool parse_choice(const char *value, const char *usual, const char *other)
{
    if (strcmp(value, usual) != 0 && strcmp(value, other) != 0) {
        fprintf(stderr, "'%s' is neither %s nor %s\n", value, usual, other);
        exit(2);
    }
    return strcmp(value, other) == 0;
}

static void check_options(const struct target_options *options)
{
    if (options->wire == NULL) {
        fprintf(stderr, "--wire is echo, http, modbus or iso8583\n");
        exit(2);
    }
    if (options->is_out_of_order &&
        (options->is_serial || options->wire != target_wire_find("modbus"))) {
        fprintf(stderr, "--order out needs --wire modbus and --mode concurrent\n");
        exit(2);
    }
}

static void parse_options(int argc, char **argv, struct target_options *options)
{
    static const struct option names[] = {{"wire", required_argument, NULL, 'w'},
                                          {"mode", required_argument, NULL, 'm'},
                                          {"service", required_argument, NULL, 's'},
                                          {"order", required_argument, NULL, 'o'},
                                          {"strict", no_argument, NULL, 'x'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    options->wire = target_wire_find("echo");
    while ((letter = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (letter) {
        case 'w':
            options->wire = target_wire_find(optarg);
            break;
        case 'm':
            options->is_serial = parse_choice(optarg, "concurrent", "serial");
            break;
        case 's':
            options->service_ns = parse_number(optarg, 0, SERVICE_US_MAX) * 1000;
            break;
        case 'o':
            options->is_out_of_order = parse_choice(optarg, "in", "out");
            break;
        case 'x':
            options->is_strict = true;
            break;
        default:
            usage(letter == 'h' ? 0 : 2);
        }
    }
    if (argc - optind != 1) {
        usage(2);
    }
    check_options(options);
}

static void watch_input(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(target.epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void start(const struct sockaddr_in *address)
{
    sigset_t ending;
    start_process();
    pattern_init();
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    sigprocmask(SIG_BLOCK, &ending, NULL);
    signals = signalfd(-1, &ending, SFD_CLOEXEC);
    target.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (signals < 0 || target.epoll < 0) {
        die("start");
    }
    watch_input(signals);
    listener = open_listener(address);
    watch_input(listener);
}

static void accept_all(void)
{
    for (int fd = accept_next(listener); fd >= 0; fd = accept_next(listener)) {
        if (target.options.is_strict && connections_open() > 0) {
            violation("a second connection was opened while there was one");
        }
        target.connections++;
        connection_open(fd);
    }
}

static void answer_due(void)
{
    uint64_t now = target.options.service_ns > 0 ? now_ns() : 0;
    for (struct job *job = job_due(now); job != NULL; job = job_due(now)) {
        connection_answer(job);
    }
    connections_flush();
}

/* How long to sleep; false: until something comes. */
static bool sleep_until_due(struct timespec *timeout)
{
    uint64_t due = job_next_due_ns();
    if (due == UINT64_MAX) {
        return false;
    }
    uint64_t now = now_ns();
    uint64_t left = due > now ? due - now : 0;
    *timeout = (struct timespec){.tv_sec = (time_t)(left / 1000000000),
                                 .tv_nsec = (long)(left % 1000000000)};
    return true;
}

/* One turn of the loop; false when it is told to end. */
static bool turn(void)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout;
    bool is_timed = sleep_until_due(&timeout);
    bool has_new = false, is_over = false;
    int count = epoll_pwait2(target.epoll, events, EVENTS_MAX, is_timed ? &timeout : NULL, NULL);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        struct connection *connection = connection_find(fd);
        has_new |= fd == listener;
        is_over |= fd == signals;
        if (connection != NULL) {
            connection_handle(connection, events[i].events);
        }
    }
    if (has_new) {
        accept_all();
    }
    answer_due();
    return !is_over;
}

int main(int argc, char **argv)
{
    parse_options(argc, argv, &target.options);
    struct sockaddr_in address = parse_address(argv[optind]);
    start(&address);
    while (turn()) {
    }
    if (target.options.is_strict) {
        printf("violations %" PRIu64 "\n", target.violations);
    }
    printf("connections %" PRIu64 "\nrequests %" PRIu64 "\n", target.connections, target.requests);
    return target.violations == 0 ? 0 : 1;
}
