/* SPDX-License-Identifier: MIT */
/* See message.h. */
#include "faults/message.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"

void message_write(const struct message *message, uint8_t *bytes)
{
    char head[MESSAGE_BYTES_MIN];
    assert(message->size >= MESSAGE_BYTES_MIN);
    assert(message->size <= MESSAGE_BYTES_MAX);
    int head_size = snprintf(head, sizeof head, "%c%u.%u.%zu.", message->kind, message->client,
                             message->sequence, message->size);
    assert(head_size > 0);
    assert(head_size < MESSAGE_BYTES_MIN);
    memcpy(bytes, head, (size_t)head_size);
    struct random random;
    random_init(&random, (uint64_t)message->client << 32 | (uint64_t)message->sequence << 8 |
                             (uint8_t)message->kind);
    for (size_t index = (size_t)head_size; index < message->size - 1; index++) {
        bytes[index] = (uint8_t)('A' + random_below(&random, 26));
    }
    bytes[message->size - 1] = '\n';
}

bool message_read_head(const uint8_t *bytes, size_t size, struct message *message)
{
    char head[MESSAGE_BYTES_MIN + 1] = {0};
    if (size < MESSAGE_BYTES_MIN) {
        return false;
    }
    memcpy(head, bytes, MESSAGE_BYTES_MIN);
    message->kind = head[0];
    return sscanf(head + 1, "%u.%u.%zu.", &message->client, &message->sequence, &message->size) ==
               3 &&
           message->size >= MESSAGE_BYTES_MIN && message->size <= MESSAGE_BYTES_MAX;
}

bool message_read(char kind, const uint8_t *bytes, size_t size, struct message *message)
{
    static uint8_t expected[MESSAGE_BYTES_MAX];
    if (!message_read_head(bytes, size, message) || message->kind != kind ||
        message->size != size) {
        return false;
    }
    message_write(message, expected);
    return memcmp(bytes, expected, size) == 0;
}
