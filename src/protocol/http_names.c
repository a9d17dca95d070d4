/* SPDX-License-Identifier: MIT */
/*
 * The fields that Connection names.
 *
 * A head may name thousands of fields and have thousands, so that each is not compared with each: the names
 * are sorted, and a field is looked for among them by halving. As many names are read at a time as there is
 * room for; who has more goes over the fields once for each such part.
 */
#include <assert.h>
#include <string.h>

#include "protocol/http.h"

/* Up to so many they are not worth sorting. */
enum { FEW = 8 };

void http_names_begin(struct http_names *names, struct span fields)
{
    names->fields = names->rest = fields;
    names->value = (struct span){0};
    names->count = 0;
}

static struct span name_at(const struct http_names *names, size_t index)
{
    return span_of(names->fields.data + names->items[index].start, names->items[index].size);
}

/* The next element of any Connection. False: there is no other. */
static bool next(struct http_names *names, struct span *name)
{
    for (;;) { /* each round takes an element or a line */
        if (http_list_next(&names->value, name)) {
            return true;
        }
        struct span line, field;
        if (!http_logical_line_next(&names->rest, &line)) {
            return false;
        }
        if (http_field_split(line, &field, &names->value)) {
            bool is_connection = http_field_find(http_trim(field)) == HTTP_FIELD_CONNECTION;
            names->value = is_connection ? names->value : (struct span){0};
        }
    }
}

static void swap(struct http_names *names, size_t one, size_t other)
{
    struct http_name item = names->items[one];
    names->items[one] = names->items[other];
    names->items[other] = item;
}

static void sift(struct http_names *names, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) { /* each round goes down */
        if (child + 1 < count &&
            http_compare(name_at(names, child), name_at(names, child + 1)) < 0) {
            child++;
        }
        if (http_compare(name_at(names, root), name_at(names, child)) >= 0) {
            return;
        }
        swap(names, root, child);
    }
}

/* A heap, since it needs neither memory nor luck. */
static void sort(struct http_names *names)
{
    for (size_t root = names->count / 2; root > 0; root--) {
        sift(names, root - 1, names->count);
    }
    for (size_t end = names->count; end > 1; end--) {
        swap(names, 0, end - 1);
        sift(names, 0, end - 1);
    }
}

bool http_names_read(struct http_names *names)
{
    names->count = 0;
    struct span name;
    while (names->count < HTTP_NAMES_AT_ONCE && next(names, &name)) {
        if (http_is_token(name) && !http_is(name, "keep-alive")) {
            names->items[names->count++] = (struct http_name){
                .start = (uint32_t)(name.data - names->fields.data), .size = (uint32_t)name.size};
        }
    }
    if (names->count > FEW) {
        sort(names);
    }
    return names->count > 0;
}

bool http_names_have(const struct http_names *names, struct span name)
{
    if (names->count <= FEW) {
        for (size_t index = 0; index < names->count; index++) {
            if (http_same(name_at(names, index), name)) {
                return true;
            }
        }
        return false;
    }
    size_t low = 0, high = names->count;
    while (low < high) { /* it stands from `low` to before `high`, if anywhere */
        size_t middle = low + (high - low) / 2;
        int order = http_compare(name_at(names, middle), name);
        if (order == 0) {
            return true;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return false;
}
