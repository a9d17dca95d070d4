/* SPDX-License-Identifier: MIT */
/*
 * The rows of the option table; see option.h.
 *
 * The canonical names are those of the Go program where it has the option, so that its command
 * lines work unchanged; the other spelling is an alias. Order is the order of help within a group.
 *
 * Limits of values: a time that must run has at least 1 ms, one that may be off allows 0, and none
 * is longer than a year. Sizes end where a buffer's block would (base/buf.h: 1 GiB) or well before.
 */
#include <assert.h>

#include "base/units.h"
#include "config/option.h"

#define AT(member)       offsetof(struct config, member)
#define CAPACITY(member) sizeof(((struct config *)NULL)->member)

#define YEAR_NS (NS_PER_S * 3600 * 24 * 365)

/* The kernel takes at most 32767 s; shorter than 1 s it cannot count. */
#define KEEPALIVE_NS_MAX (NS_PER_S * 3600 * 9)

/* clang-format off */
#define FLAG(name_, member) \
    .name = (name_), .type = OPTION_FLAG, .offset = AT(member)
#define TEXT(name_, member, value_) \
    .name = (name_), .type = OPTION_TEXT, .offset = AT(member), .capacity = CAPACITY(member), \
    .value_name = (value_)
#define DURATION(name_, member, fallback_) \
    .name = (name_), .type = OPTION_DURATION, .group = GROUP_TIME, .offset = AT(member), \
    .fallback = (fallback_), .maximum = YEAR_NS, .value_name = "duration"
#define SIZE(name_, member, fallback_) \
    .name = (name_), .type = OPTION_SIZE, .group = GROUP_LIMIT, .offset = AT(member), \
    .fallback = (fallback_), .value_name = "size"
/* clang-format on */

const struct option options[] = {
    {TEXT("applicationProtocol", protocol, "string"), .aliases = {"protocol"}, .letter = 'p',
     .group = GROUP_ROUTE, .fallback = "echo",
     .sentence = "the application protocol that clients and target speak; \"tcp-multiplexer list\" "
                 "shows all"},
    {TEXT("targetServer", target, "address"), .aliases = {"target"}, .letter = 't',
     .group = GROUP_ROUTE, .fallback = "127.0.0.1:1234",
     .sentence = "the target that is shared: HOST:PORT, [IPV6]:PORT or unix:/path"},
    {.name = "listen",
     .letter = 'l',
     .type = OPTION_LIST,
     .group = GROUP_ROUTE,
     .offset = AT(listen),
     .capacity = CONFIG_TEXT_MAX,
     .count_offset = AT(listen_count),
     .fallback = "8000",
     .maximum = CONFIG_LISTEN_MAX,
     .value_name = "address",
     .sentence =
         "where clients connect, may be given several times: PORT, HOST:PORT, [IPV6]:PORT or "
         "unix:/path; port 0 lets the kernel choose"},
    {TEXT("source", source, "address"), .group = GROUP_ROUTE,
     .sentence =
         "the local address from which the target is connected; otherwise the system chooses"},
    {FLAG("on-demand", on_demand), .group = GROUP_ROUTE,
     .sentence = "connect to the target only while there are requests for it; see --link-idle"},
    {FLAG("via", via), .protocols = {"http"}, .group = GROUP_ROUTE,
     .sentence = "http: add a Via field, which names this multiplexer, to requests and responses"},
    {FLAG("forwarded", forwarded), .protocols = {"http"}, .group = GROUP_ROUTE,
     .sentence = "http: add a Forwarded field with the client's address to requests"},
    {FLAG("http-strict", http_strict), .protocols = {"http"}, .group = GROUP_ROUTE,
     .sentence = "http: refuse what is wrong but can mean one thing only, instead of repairing it"},
    {.name = "http-body-guard",
     .protocols = {"http"},
     .type = OPTION_CHOICE,
     .group = GROUP_ROUTE,
     .offset = AT(http_body_guard),
     .fallback = "get",
     .choices = {"get", "all", "refuse", "off"},
     .value_name = "get|all|refuse|off",
     .sentence = "http: protects against a target that does not read a request's body and takes it "
                 "for the next "
                 "request; get: a body that the target may not expect (with a method other than "
                 "POST, PUT and "
                 "PATCH, in chunks, or with Expect) ends the connection to the target behind the "
                 "response; all: "
                 "every body does; refuse: as get, but a body with another method gets status 400; "
                 "off: the target "
                 "reads all bodies"},
    {FLAG("modbus-ignore-id", modbus_ignore_id), .protocols = {"modbus"}, .group = GROUP_ROUTE,
     .sentence = "modbus: the device answers with wrong transaction ids: match its responses by "
                 "their order, and check unit and function only"},
    {FLAG("modbus-ignore-unit", modbus_ignore_unit), .protocols = {"modbus"}, .group = GROUP_ROUTE,
     .sentence =
         "modbus: the device answers with wrong units: check the transaction id and function of "
         "its responses only, and give each client its own unit back"},
    {.name = "ignore-line",
     .protocols = {"echo"},
     .type = OPTION_LIST,
     .group = GROUP_ROUTE,
     .offset = AT(ignore_lines),
     .capacity = LINE_PREFIX_MAX,
     .count_offset = AT(ignore_lines_count),
     .maximum = CONFIG_IGNORE_LINES_MAX,
     .value_name = "prefix",
     .sentence =
         "echo: drop lines of the target that begin with this text, which answer nothing; may be "
         "given several times"},
    {FLAG("iso-ignore-mti", iso_ignore_mti), .protocols = {"iso8583", "mpu"}, .group = GROUP_ROUTE,
     .sentence = "iso8583, mpu: take any message as the answer, whatever its MTI and field 11 say"},
    {FLAG("coalesce", coalesce), .protocols = {"modbus"}, .group = GROUP_ROUTE,
     .sentence =
         "modbus: identical reads that arrive while one of them waits or is under way share "
         "its response"},
    {.name = "link-close",
     .type = OPTION_CHOICE,
     .group = GROUP_ROUTE,
     .offset = AT(link_close),
     .fallback = "auto",
     .choices = {"auto", "fin", "rst"},
     .value_name = "auto|fin|rst",
     .sentence = "how connections to the target are closed; auto: in order, but by a reset if the "
                 "target does "
                 "not notice; fin: never by a reset; rst: always by a reset, at once"},
    {FLAG("hold", hold), .group = GROUP_ROUTE,
     .sentence =
         "stay connected: when the target closes an idle connection, open the next at once instead "
         "of with the next request"},

    {DURATION("client-timeout", client_timeout_ns, "60s"), .minimum = NS_PER_MS,
     .sentence =
         "how long a client may take to send the head of a request (without heads, the request or "
         "64 KiB of it), and each 4 KiB of a body that waits for a connection"},
    {DURATION("idle-timeout", idle_timeout_ns, "0"), .minimum = NS_PER_MS, .zero_is_off = true,
     .sentence = "close a client that has had no request under way for this long; 0 is never"},
    {DURATION("connect-timeout", connect_timeout_ns, "3s"), .minimum = NS_PER_MS,
     .sentence = "how long connecting may take, for each address of the target"},
    {DURATION("queue-timeout", queue_timeout_ns, "5s"), .minimum = NS_PER_MS,
     .sentence = "how long a request waits while there is no usable connection to the target"},
    {DURATION("wait-timeout", wait_timeout_ns, "60s"), .minimum = NS_PER_MS,
     .sentence = "how long a request waits in all before it is sent, whatever it waits for"},
    {DURATION("timeout", timeout_ns, "60s"), .minimum = NS_PER_MS,
     .sentence = "how long the target may take to answer a request, however slowly bytes come; for "
                 "a streamed "
                 "response until it begins, then the longest silence"},
    {DURATION("write-timeout", write_timeout_ns, "10s"), .minimum = NS_PER_MS,
     .sentence =
         "close a client that reads nothing of its responses for this long, or, with more than "
         "--client-backlog of them unread, less than 64 KiB"},
    {DURATION("max-hold", max_hold_ns, "0"), .minimum = NS_PER_MS, .zero_is_off = true,
     .sentence =
         "end an upload or download that has kept a connection to the target this long when "
         "others wait for it, even if it moves; 0 is never"},
    {DURATION("delay", delay_ns, "0"),
     .sentence = "pause between connecting to the target and the first request"},
    {DURATION("gap", gap_ns, "0"),
     .sentence =
         "shortest silence on a connection to the target before the next request; one request is "
         "under way at a time"},
    {DURATION("check-gap", check_gap_ns, "20ms"), .zero_is_off = true,
     .sentence =
         "silence on a connection to the target before some requests, which shows whether an "
         "answer is "
         "left over; only where answers do not show whose they are (echo, iso8583 and mpu without "
         "field 11, modbus with --modbus-ignore-id); 0 is off"},
    {DURATION("retry-delay", retry_delay_ns, "1s"), .aliases = {"retryDelay"}, .minimum = NS_PER_MS,
     .sentence = "shortest pause after a failed attempt to connect; doubles each time"},
    {DURATION("retry-delay-max", retry_delay_max_ns, "30s"), .minimum = NS_PER_MS,
     .sentence = "what the doubled --retry-delay does not exceed"},
    {DURATION("link-idle", link_idle_ns, "0"), .given_offset = AT(link_idle_given),
     .minimum = NS_PER_MS, .zero_is_off = true,
     .sentence =
         "close a connection to the target that no request has used for this long; 0 keeps it, and "
         "with --on-demand it is 30s unless given"},
    {DURATION("link-lifetime", link_lifetime_ns, "0"), .minimum = NS_PER_MS, .zero_is_off = true,
     .sentence = "replace a connection to the target that is this old, when what it carries is "
                 "answered; 0 is never"},
    {DURATION("grace", grace_ns, "10s"),
     .sentence = "how long requests already received are still served after the signal to stop"},
    {.name = "keepalive",
     .type = OPTION_DURATION,
     .group = GROUP_TIME,
     .offset = AT(keepalive_ns),
     .fallback = "60s",
     .minimum = NS_PER_S,
     .maximum = KEEPALIVE_NS_MAX,
     .zero_is_off = true,
     .value_name = "duration",
     .sentence = "silence after which the system probes whether a client or the target is still "
                 "there; 0 is "
                 "never"},

    {.name = "in-flight",
     .type = OPTION_COUNT,
     .group = GROUP_LIMIT,
     .offset = AT(in_flight),
     .fallback = "1",
     .minimum = 1,
     .maximum = CONFIG_IN_FLIGHT_MAX,
     .value_name = "count",
     .sentence =
         "requests under way at a time on each connection to the target; more than 1 where "
         "responses have an order (echo, http: clients then share the fate of the request in "
         "front of theirs) or identifiers (modbus)"},
    {.name = "connections",
     .type = OPTION_COUNT,
     .group = GROUP_LIMIT,
     .offset = AT(connections),
     .fallback = "1",
     .minimum = 1,
     .maximum = CONFIG_CONNECTIONS_MAX,
     .value_name = "count",
     .sentence =
         "connections to the target at a time; opened when those there are have no room, closed "
         "by --link-idle"},
    {.name = "max-clients",
     .type = OPTION_COUNT,
     .group = GROUP_LIMIT,
     .offset = AT(max_clients),
     .fallback = "10000",
     .minimum = 1,
     .maximum = 1000000,
     .value_name = "count",
     .sentence = "clients connected at a time"},
    {SIZE("max-message", max_message_bytes, "1MiB"), .minimum = 1, .maximum = 256 * MIB,
     .sentence = "largest request or response; --buffer-memory has to be three times as much, and "
                 "64 KiB"},
    {SIZE("max-body", max_body_bytes, "0"), .protocols = {"http"}, .zero_is_off = true,
     .maximum = 1024 * GIB,
     .sentence = "largest body of an http request or response; 0 is no limit"},
    {SIZE("buffer-requests", buffer_requests_bytes, "64KiB"), .minimum = 1, .maximum = 256 * MIB,
     .sentence =
         "how much of a streamed request is gathered before it takes a connection to the target"},
    {SIZE("buffer-memory", buffer_memory_bytes, "64MiB"), .minimum = 256 * KIB,
     .maximum = 1024 * GIB,
     .sentence =
         "memory for everything that clients and the target make the multiplexer hold: requests, "
         "responses, and what keeps track of them"},
    {SIZE("client-backlog", client_backlog_bytes, "64KiB"), .minimum = 1, .maximum = 256 * MIB,
     .sentence =
         "queued requests of one client after which it is not read for a while, and undelivered "
         "responses to it after which --write-timeout asks for 64 KiB"},
    {.name = "spin",
     .type = OPTION_DURATION,
     .group = GROUP_LIMIT,
     .offset = AT(spin_ns),
     .fallback = "auto",
     .minimum = NS_PER_US,
     .maximum = NS_PER_S,
     .choices = {"off", "auto"},
     .value_name = "off|auto|duration",
     .sentence =
         "how long to poll for events before sleeping, which avoids wake-up latency and costs CPU; "
         "auto: for 50us, while that is likely to pay"},

    {FLAG("verbose", verbose), .letter = 'v', .group = GROUP_GLOBAL,
     .sentence = "log every request and response in one line"},
    {FLAG("debug", debug), .letter = 'd', .group = GROUP_GLOBAL,
     .sentence = "log the bytes of every message too; they may hold secrets"},
    {.name = "log-format",
     .type = OPTION_CHOICE,
     .group = GROUP_GLOBAL,
     .offset = AT(log_json),
     .fallback = "text",
     .choices = {"text", "json"},
     .value_name = "format",
     .sentence = "how log lines are written, text or json"},
    {FLAG("dont-log-null", dont_log_null), .group = GROUP_GLOBAL,
     .sentence =
         "do not log clients that connect and never send a byte, such as health checks; others "
         "are logged with their first byte"},
    {TEXT("log-file", log_file, "path"), .group = GROUP_GLOBAL,
     .sentence =
         "append log lines to this file instead of standard error; the signal USR1 opens it "
         "again after it was moved"},
};
const size_t options_count = ARRAY_COUNT(options);

static_assert(ARRAY_COUNT(options) <= OPTIONS_MAX, "tables over the options have room for all");
