/* SPDX-License-Identifier: MIT */
/*
 * How much processor time the process may use: the quota of its control group, or of one above it.
 *
 * Of version 2 `cpu.max`, of version 1 `cpu.cfs_quota_us` and `cpu.cfs_period_us` (Linux,
 * Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst). In a container the path that the
 * process is told may be the host's, and not be there: then the root that it sees is looked at.
 */
#ifndef NET_CPU_QUOTA_H
#define NET_CPU_QUOTA_H

#include <limits.h>

#define CPU_QUOTA_NONE UINT_MAX

/* In percent of one processor. CPU_QUOTA_NONE: there is none, or it cannot be told. */
unsigned cpu_quota_percent(void);

/* The same, where `own` is in place of /proc/self/cgroup, and `root` of /sys/fs/cgroup. */
unsigned cpu_quota_in(const char *own, const char *root);

#endif
