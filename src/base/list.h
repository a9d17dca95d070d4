/* SPDX-License-Identifier: MIT */
/*
 * An intrusive doubly linked list: the node is a member of the object, the list owns nothing.
 *
 * A node is in at most one list; a zeroed node is in none. Adding a node twice and removing one
 * that is in no list are bugs and assert. A list head is circular and must be initialised.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct list {
    struct list *next, *prev;
};

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

static inline void list_init(struct list *head)
{
    head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

/* Whether the node is in a list. */
static inline bool list_is_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void list_insert_before(struct list *position, struct list *node)
{
    assert(!list_is_linked(node));
    node->next = position;
    node->prev = position->prev;
    position->prev->next = node;
    position->prev = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    list_insert_before(head, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_insert_before(head->next, node);
}

static inline void list_remove(struct list *node)
{
    assert(list_is_linked(node));
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

/* Removes the node if it is in a list. */
static inline void list_drop(struct list *node)
{
    if (list_is_linked(node)) {
        list_remove(node);
    }
}

/* The first node, or NULL when the list is empty. */
/* Moves all nodes of a list to an empty one, in their order. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (from->next != from) {
        *to = *from;
        to->next->prev = to;
        to->prev->next = to;
        list_init(from);
    }
}

static inline struct list *list_first(const struct list *head)
{
    return list_is_empty(head) ? NULL : head->next;
}

/* The first node of a list that is not empty. */
static inline struct list *list_front(const struct list *head)
{
    assert(!list_is_empty(head));
    return head->next;
}

/* The last node of a list that is not empty. */
static inline struct list *list_back(const struct list *head)
{
    assert(!list_is_empty(head));
    return head->prev;
}

/* The last node, or NULL when the list is empty. */
static inline struct list *list_last(const struct list *head)
{
    return list_is_empty(head) ? NULL : head->prev;
}

/* The node behind `node`, or NULL when it is the last of the list. */
static inline struct list *list_next(const struct list *head, const struct list *node)
{
    return node->next == head ? NULL : node->next;
}

#endif
