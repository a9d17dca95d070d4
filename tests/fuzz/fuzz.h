/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share.
 *
 * A target is one function that takes any bytes and aborts when something is wrong. libFuzzer calls
 * it with bytes it makes up (script/fuzz); replay.c calls it with the files of a corpus, so that
 * the same targets are tests under every compiler.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* The name and type are libFuzzer's. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
