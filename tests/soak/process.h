/* SPDX-License-Identifier: MIT */
/* What the two soak programs share beside lines: numbers on the command line, and being told to end. */
#ifndef SOAK_PROCESS_H
#define SOAK_PROCESS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number in this range; ends the process with status 2 if it is not. */
uint32_t parse_number(const char *text, uint32_t minimum, uint32_t maximum);

/* Set by SIGTERM and SIGINT, and by SIGUSR1. */
extern volatile sig_atomic_t is_told_to_stop, is_told_to_behave;

/* Like start_process of bench/net.h, but signals set the flags above and interrupt system calls. */
void start_soak_process(void);

/* Makes the kernel's buffers of a socket small; 0 leaves them. What is accepted inherits them. */
void set_kernel_buffers(int fd, uint32_t send_bytes, uint32_t receive_bytes);

/* Closes with a reset. */
void close_with_reset(int fd);

#endif
