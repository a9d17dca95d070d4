/* SPDX-License-Identifier: MIT */
/* What every unit test includes: cmocka and the headers that it wants before itself. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* In this order, as cmocka asks. */
#include <cmocka.h>

#endif
