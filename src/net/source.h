/* SPDX-License-Identifier: MIT */
/* What the kernel's events point to: the first member of every record with a registered descriptor.
 * Private to net/. */
#ifndef NET_SOURCE_H
#define NET_SOURCE_H

#include <stdint.h>

enum source_kind { SOURCE_CLIENT, SOURCE_LINK, SOURCE_LISTENER, SOURCE_WATCH, SOURCE_LOG };

struct source {
    uint8_t kind; /* enum source_kind */
};

#endif
