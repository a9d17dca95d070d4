/* SPDX-License-Identifier: MIT */
/*
 * Addresses: what people write, and what sockets take; see address.h.
 *
 * A text is taken apart in two steps: into host and port (brackets and colons), then each is
 * judged. A host whose last label is a number can only be an IPv4 address (no top-level domain is a
 * number), so a mistyped one is found here and not by a name service. Every error repeats what was
 * written.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static const char target_forms[] = "HOST:PORT, [IPV6]:PORT or unix:/path";
static const char listen_forms[] = "PORT, HOST:PORT, [IPV6]:PORT or unix:/path";
static const char unix_prefix[] = "unix:";

/* What a text is to become. */
struct form {
    const char *noun;      /* `target`, `listen address` */
    const char *forms;     /* how it may be written */
    uint16_t port_min;     /* 0 or 1 */
    bool host_is_optional; /* `PORT` and `:PORT` are whole */
};

static const struct form target_form = {
    .noun = "target", .forms = target_forms, .port_min = 1, .host_is_optional = false};
static const struct form listen_form = {
    .noun = "listen address", .forms = listen_forms, .port_min = 0, .host_is_optional = true};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
}

static bool all_digits(const char *text)
{
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* ---- hosts ---- */

static bool is_ipv4(const char *host)
{
    struct in_addr ignored;
    return inet_pton(AF_INET, host, &ignored) == 1;
}

/* Whether it is an IPv6 address, with a scope (`%eth0`) or without. */
static bool is_ipv6(const char *host)
{
    char bare[INET6_ADDRSTRLEN];
    size_t size = strcspn(host, "%");
    if (size >= sizeof bare || (host[size] == '%' && host[size + 1] == '\0')) {
        return false;
    }
    memcpy(bare, host, size);
    bare[size] = '\0';
    struct in6_addr ignored;
    return inet_pton(AF_INET6, bare, &ignored) == 1;
}

const char *host_missing_interface(const char *host)
{
    const char *scope = strchr(host, '%');
    if (scope == NULL || all_digits(scope + 1) || !is_ipv6(host)) {
        return NULL;
    }
    return if_nametoindex(scope + 1) == 0 ? scope + 1 : NULL;
}

/* NULL: a fine name or IPv4 address; otherwise what is wrong with it. */
static const char *name_trouble(const char *host)
{
    const char *last_label = strrchr(host, '.');
    if (is_ipv4(host)) {
        return NULL;
    }
    if (all_digits(last_label == NULL ? host : last_label + 1)) {
        return "is not an IPv4 address";
    }
    for (const char *c = host; *c != '\0'; c++) {
        if (!is_name_char(*c)) {
            return "has a character that no host name has";
        }
    }
    if (host[0] == '.' || host[0] == '-' || strstr(host, "..") != NULL) {
        return "is not a host name";
    }
    return NULL;
}

/* ---- endpoints ---- */

static bool invalid(struct error *error, const struct form *form, const char *text,
                    const char *trouble)
{
    error_set(error, "invalid %s '%s': %s (%s)", form->noun, text, trouble, form->forms);
    return false;
}

static bool parse_port(const struct form *form, const char *text, const char *port,
                       struct endpoint *endpoint, struct error *error)
{
    if (*port == '\0') {
        return invalid(error, form, text, "port is missing");
    }
    unsigned long value = 0;
    for (const char *c = port; *c != '\0'; c++) {
        value = value * 10 + (unsigned long)(*c - '0');
        if (!is_digit(*c) || value > UINT16_MAX) {
            value = UINT16_MAX + 1UL;
            break;
        }
    }
    if (value < form->port_min || value > UINT16_MAX) {
        error_set(error, "invalid %s '%s': port '%s' is not a number from %d to 65535", form->noun,
                  text, port, form->port_min);
        return false;
    }
    endpoint->port = (uint16_t)value;
    return true;
}

static bool parse_unix(const struct form *form, const char *text, struct endpoint *endpoint,
                       struct error *error)
{
    const char *path = text + strlen(unix_prefix);
    size_t capacity = sizeof((struct sockaddr_un *)NULL)->sun_path;
    if (*path == '\0') {
        return invalid(error, form, text, "path is missing");
    }
    if (strlen(path) >= capacity) {
        error_set(error,
                  "invalid %s '%s': a unix socket's path has at most %zu bytes, this has %zu",
                  form->noun, text, capacity - 1, strlen(path));
        return false;
    }
    endpoint->is_unix = true;
    memcpy(endpoint->host, path, strlen(path) + 1);
    return true;
}

/* Puts `size` bytes of the text down as host. */
static bool take_host(const struct form *form, const char *text, const char *host, size_t size,
                      struct endpoint *endpoint, struct error *error)
{
    if (size == 0) {
        return invalid(error, form, text, "host is missing");
    }
    if (size >= sizeof endpoint->host) {
        return invalid(error, form, text, "host is too long");
    }
    memcpy(endpoint->host, host, size);
    endpoint->host[size] = '\0';
    return true;
}

static bool parse_bracketed(const struct form *form, const char *text, struct endpoint *endpoint,
                            struct error *error)
{
    const char *closing = strchr(text, ']');
    if (closing == NULL) {
        return invalid(error, form, text, "']' is missing");
    }
    if (!take_host(form, text, text + 1, (size_t)(closing - text - 1), endpoint, error)) {
        return false;
    }
    if (!is_ipv6(endpoint->host)) {
        error_set(error, "invalid %s '%s': '%s' is not an IPv6 address", form->noun, text,
                  endpoint->host);
        return false;
    }
    if (closing[1] == '\0') {
        return invalid(error, form, text, "port is missing");
    }
    if (closing[1] != ':') {
        return invalid(error, form, text, "':' is missing after ']'");
    }
    return parse_port(form, text, closing + 2, endpoint, error);
}

static bool parse_named(const struct form *form, const char *text, struct endpoint *endpoint,
                        struct error *error)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return invalid(error, form, text, "port is missing");
    }
    if (is_ipv6(text) || strchr(text, ':') != colon) {
        return invalid(error, form, text, "an IPv6 address needs brackets, and a port behind them");
    }
    if (!take_host(form, text, text, (size_t)(colon - text), endpoint, error)) {
        return false;
    }
    const char *trouble = name_trouble(endpoint->host);
    if (trouble != NULL) {
        error_set(error, "invalid %s '%s': '%s' %s", form->noun, text, endpoint->host, trouble);
        return false;
    }
    return parse_port(form, text, colon + 1, endpoint, error);
}

static bool parse(const struct form *form, const char *text, struct endpoint *endpoint,
                  struct error *error)
{
    *endpoint = (struct endpoint){0};
    if (*text == '\0') {
        error_set(error, "invalid %s '': it is empty (%s)", form->noun, form->forms);
        return false;
    }
    if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0) {
        return parse_unix(form, text, endpoint, error);
    }
    if (strstr(text, "://") != NULL) {
        return invalid(error, form, text, "a URL is not understood");
    }
    if (*text == '[') {
        return parse_bracketed(form, text, endpoint, error);
    }
    if (form->host_is_optional && (all_digits(text) || (*text == ':' && text[1] != ':'))) {
        endpoint->is_wildcard = true;
        return parse_port(form, text, text + (*text == ':'), endpoint, error);
    }
    return parse_named(form, text, endpoint, error);
}

bool endpoint_parse_target(const char *text, struct endpoint *endpoint, struct error *error)
{
    return parse(&target_form, text, endpoint, error);
}

bool endpoint_parse_listen(const char *text, struct endpoint *endpoint, struct error *error)
{
    return parse(&listen_form, text, endpoint, error);
}

char *endpoint_format(const struct endpoint *endpoint, char *text, size_t capacity)
{
    if (endpoint->is_unix) {
        (void)snprintf(text, capacity, "%s%s", unix_prefix, endpoint->host);
    } else if (endpoint->is_wildcard) {
        (void)snprintf(text, capacity, ":%u", endpoint->port);
    } else if (strchr(endpoint->host, ':') != NULL) {
        (void)snprintf(text, capacity, "[%s]:%u", endpoint->host, endpoint->port);
    } else {
        (void)snprintf(text, capacity, "%s:%u", endpoint->host, endpoint->port);
    }
    return text;
}

/* ---- socket addresses ---- */

/* From a host that is an address; getaddrinfo because it knows scopes. It asks nobody. */
static bool from_numeric(const char *host, uint16_t port, struct address *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port);
    if (!(is_ipv4(host) || is_ipv6(host)) || getaddrinfo(host, service, &hints, &found) != 0) {
        return false;
    }
    *address = (struct address){.size = found->ai_addrlen};
    assert(found->ai_addrlen <= sizeof address->is);
    memcpy(&address->is, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

bool address_parse_source(const char *text, struct address *address, struct error *error)
{
    char host[HOST_BYTES_MAX];
    size_t size = strlen(text);
    bool in_brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
    (void)snprintf(host, sizeof host, "%.*s", (int)(size < sizeof host ? size : 0), text);
    if (in_brackets && size < sizeof host) {
        memmove(host, host + 1, size - 2);
        host[size - 2] = '\0';
    }
    bool is_address = in_brackets ? is_ipv6(host) : is_ipv4(host) || is_ipv6(host);
    if (!is_address) {
        error_set(error, "invalid source '%s': it is no IPv4 or IPv6 address (without port)", text);
        return false;
    }
    if (!from_numeric(host, 0, address)) {
        const char *missing = host_missing_interface(host);
        error_set(error, "invalid source '%s': %s%s", text,
                  missing != NULL ? "no interface " : "its scope fits no network interface",
                  missing != NULL ? missing : "");
        return false;
    }
    return true;
}

static struct address any_v4(uint16_t port)
{
    struct address address = {.size = sizeof address.is.v4};
    address.is.v4.sin_family = AF_INET;
    address.is.v4.sin_port = htons(port);
    return address;
}

static struct address any_v6(uint16_t port)
{
    struct address address = {.size = sizeof address.is.v6};
    address.is.v6.sin6_family = AF_INET6;
    address.is.v6.sin6_port = htons(port);
    return address;
}

static struct address local_path(const char *path)
{
    struct address address = {.size = sizeof address.is.local};
    assert(strlen(path) < sizeof address.is.local.sun_path);
    address.is.local.sun_family = AF_UNIX;
    memcpy(address.is.local.sun_path, path, strlen(path) + 1);
    return address;
}

size_t endpoint_numeric(const struct endpoint *endpoint, struct address *addresses, size_t capacity)
{
    if (capacity == 0) {
        return 0;
    }
    if (endpoint->is_unix) {
        addresses[0] = local_path(endpoint->host);
        return 1;
    }
    if (endpoint->is_wildcard) {
        addresses[0] = any_v6(endpoint->port);
        if (capacity == 1) {
            return 1;
        }
        addresses[1] = any_v4(endpoint->port);
        return 2;
    }
    return from_numeric(endpoint->host, endpoint->port, &addresses[0]) ? 1 : 0;
}

bool address_format_host(const struct address *address, char *text, size_t capacity)
{
    const struct sockaddr_in6 *v6 = &address->is.v6;
    const void *bytes = NULL;
    int family = address->size == 0 ? AF_UNSPEC : address->is.any.sa_family;
    if (family == AF_INET) {
        bytes = &address->is.v4.sin_addr;
    } else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        family = AF_INET;
        bytes = &v6->sin6_addr.s6_addr[12];
    } else if (family == AF_INET6) {
        bytes = &v6->sin6_addr;
    }
    return bytes != NULL && inet_ntop(family, bytes, text, (socklen_t)capacity) != NULL;
}

static void format_v6(const struct address *address, char *text, size_t capacity)
{
    const struct sockaddr_in6 *v6 = &address->is.v6;
    char host[INET6_ADDRSTRLEN] = "";
    char interface[IF_NAMESIZE] = "";
    unsigned port = ntohs(v6->sin6_port);
    (void)address_format_host(address, host, sizeof host);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        (void)snprintf(text, capacity, "%s:%u", host, port);
    } else if (v6->sin6_scope_id == 0) {
        (void)snprintf(text, capacity, "[%s]:%u", host, port);
    } else if (if_indextoname(v6->sin6_scope_id, interface) != NULL) {
        (void)snprintf(text, capacity, "[%s%%%s]:%u", host, interface, port);
    } else {
        (void)snprintf(text, capacity, "[%s%%%u]:%u", host, v6->sin6_scope_id, port);
    }
}

static void format_local(const struct address *address, char *text, size_t capacity)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);
    if (address->size <= offset || address->is.local.sun_path[0] == '\0') {
        (void)snprintf(text, capacity, "unix");
        return;
    }
    int path_size = (int)(address->size - offset); /* the kernel may leave out the NUL */
    (void)snprintf(text, capacity, "%s%.*s", unix_prefix, path_size, address->is.local.sun_path);
}

char *address_format(const struct address *address, char *text, size_t capacity)
{
    char host[INET_ADDRSTRLEN] = "";
    if (address->size == 0) {
        (void)snprintf(text, capacity, "unknown");
        return text;
    }
    switch (address->is.any.sa_family) {
    case AF_INET:
        (void)address_format_host(address, host, sizeof host);
        (void)snprintf(text, capacity, "%s:%u", host, ntohs(address->is.v4.sin_port));
        break;
    case AF_INET6:
        format_v6(address, text, capacity);
        break;
    case AF_UNIX:
        format_local(address, text, capacity);
        break;
    default:
        (void)snprintf(text, capacity, "unknown");
        break;
    }
    return text;
}
